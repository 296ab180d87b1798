"""Reads the records of tables' change streams as changes of values: of state, or of a stream's items.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

from treadle.errors import TreadleError
from treadle.json_values import object_or_none
from treadle.live.rows import now_ms, timestamp_of
from treadle.manifest import StateTrigger
from treadle.stream_table import EPHEMERAL_PREFIX
from treadle.table import has_expired
from treadle.values import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    from treadle.live.rows import Item
    from treadle.manifest import TableTrigger
    from treadle.shapes import Event, Json, JsonObject

    Kind = Literal["created", "updated", "deleted"]

_KINDS: dict[str, Kind] = {"INSERT": "created", "MODIFY": "updated", "REMOVE": "deleted"}
_STREAM_KINDS: dict[Kind, str] = {"created": "create", "updated": "update", "deleted": "delete"}


class InvalidChange(TreadleError):  # noqa: N818 - stands in dead-lettered messages
    """A record of a table's changes cannot be handed on, because of what it says."""

    code = "change-invalid"


class Change:
    """A value was created, updated or deleted. `stream` is None for state's; `at_ms` is when, in ms since the epoch."""

    __slots__ = ("_new", "_old", "at_ms", "group", "key", "kind", "stream")

    def __init__(
        self, stream: str | None, group: str, key: str, kind: Kind, values: tuple[Json, Json], at_ms: int
    ) -> None:
        self.stream = stream
        self.group = group
        self.key = key
        self.kind: Kind = kind
        self._old, self._new = values
        self.at_ms = at_ms

    def fits(self, trigger: TableTrigger) -> bool:
        """Whether the trigger is on this change."""
        if isinstance(trigger, StateTrigger):
            return self.stream is None
        return (
            self.stream == trigger.stream and trigger.group in (None, self.group) and trigger.item in (None, self.key)
        )

    def payload(self) -> JsonObject:
        """What the handler gets, as Motia 1.0 delivers it."""
        if self.stream is None:
            return {
                "type": "state",
                "event_type": f"state:{self.kind}",
                "scope": self.group,
                "key": self.key,
                "group_id": self.group,
                "item_id": self.key,
                "old_value": self._old,
                "new_value": self._new,
            }
        data = self._old if self.kind == "deleted" else self._new
        return {
            "type": "stream",
            "timestamp": self.at_ms,
            "streamName": self.stream,
            "groupId": self.group,
            "id": self.key,
            "event": {
                "type": _STREAM_KINDS[self.kind],
                "data": {**data, "id": self.key} if isinstance(data, dict) else data,
            },
        }


class ChangeRecord:
    """One record of a batch, as far as it can be read without looking at its values."""

    __slots__ = ("_body", "event", "event_id", "sequence_number")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._body: dict[str, Any] = object_or_none(event.get("dynamodb")) or {}
        self.sequence_number: str = self._body.get("SequenceNumber") or ""
        self.event_id = str(event.get("eventID") or self.sequence_number)

    @property
    def written_by(self) -> object:
        """What the run that has written the row says of itself; for one deleted, the last that has written it."""
        row = self._image("NewImage") or self._image("OldImage") or {}
        return row.get("trace", {}).get("S")

    def change(self, tables: Mapping[str, str | None]) -> Change | None:
        """What has changed; None for a row that is an event, which nothing keeps.

        `tables`: the streams by the names of their tables, None for state's.
        Raises: InvalidChange, InvalidValue.
        """
        table = self._table()
        if table not in tables:
            raise InvalidChange(f"no step has a trigger on the table of {self.event.get('eventSourceARN')}")
        stream = tables[table]
        keys = object_or_none(self._body.get("Keys")) or {}
        group, key = (keys.get(name, {}).get("S") for name in ("group", "key" if stream is None else "id"))
        if not isinstance(group, str) or not isinstance(key, str):
            raise InvalidChange("the record's keys are not those of a table of Treadle's")
        if stream is not None and key.startswith(EPHEMERAL_PREFIX):
            return None
        return self._of_row(stream, group, key)

    def _of_row(self, stream: str | None, group: str, key: str) -> Change:
        kind = _KINDS.get(str(self.event.get("eventName")))
        if kind is None:
            raise InvalidChange(f"`{self.event.get('eventName')}` is no kind of change")
        old, new = self._image("OldImage"), self._image("NewImage")
        if (kind != "created" and old is None) or (kind != "deleted" and new is None):
            raise InvalidChange("the record has no images of the row: the change stream must have new and old images")
        at_ms = self._approximate_ms()
        if kind == "updated" and old is not None and has_expired(old, at_ms / 1000):
            kind, old = "created", None  # for everybody who reads it, it had gone before
        timestamp = at_ms if stream is None or new is None else timestamp_of(new, at_ms)
        return Change(stream, group, key, kind, (_value(old), _value(new)), timestamp)

    def _table(self) -> str:
        """The name in `arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>`."""
        parts = str(self.event.get("eventSourceARN")).split("/")
        return parts[1] if len(parts) > 1 else ""

    def _image(self, name: str) -> Item | None:
        return object_or_none(self._body.get(name))

    def _approximate_ms(self) -> int:
        seconds = self._body.get("ApproximateCreationDateTime")
        return int(seconds * 1000) if isinstance(seconds, (int, float)) else now_ms()


def _value(row: Item | None) -> Json:
    if row is None:
        return None
    value = row.get("value")
    if value is None:
        raise InvalidChange("the row has no `value`: something else than Treadle has written it")
    return decode(value)

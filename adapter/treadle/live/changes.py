"""Reads the records of stream tables' change streams: what has happened, and to what.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

from treadle.errors import TreadleError
from treadle.json_values import object_or_none
from treadle.live.frames import Place, change_frame, event_frame
from treadle.live.rows import Row, fields_of, now_ms, timestamp_of
from treadle.stream_table import EPHEMERAL_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from treadle.live.frames import Frame, Kind
    from treadle.live.rows import Item
    from treadle.shapes import Event, Json

_KINDS: dict[str, Kind] = {"INSERT": "create", "MODIFY": "update", "REMOVE": "delete"}


class InvalidChange(TreadleError):  # noqa: N818 - stands in dead-lettered messages
    """A record of a stream table's changes cannot be announced, because of what it says."""

    code = "stream-change-invalid"


class ItemChange:
    """An item was created, updated or deleted. `timestamp` is the row's own, or the first after it for one deleted."""

    __slots__ = ("_row", "item_id", "kind", "place", "timestamp")

    def __init__(self, place: Place, kind: Kind, timestamp: int, row: Row) -> None:
        self.place = place
        self.item_id = row.id
        self.kind: Kind = kind
        self.timestamp = timestamp
        self._row = row

    def frame(self, timestamp: int) -> Frame:
        return change_frame(self.place, timestamp, self.kind, self._row)


class EphemeralEvent:
    """An event was sent to a group, or to one item in it, that nothing keeps."""

    __slots__ = ("_data", "_type", "kind", "place", "timestamp")

    def __init__(self, place: Place, timestamp: int, event_type: str, data: Json) -> None:
        self.place = place
        self.kind = "event"
        self.timestamp = timestamp
        self._type = event_type
        self._data = data

    def frame(self, timestamp: int) -> Frame:
        return event_frame(self.place, timestamp, self._type, self._data)


if TYPE_CHECKING:
    Change = ItemChange | EphemeralEvent


class StreamRecord:
    """One record of a batch, as far as it can be read without looking at what is in its rows."""

    __slots__ = ("_body", "_streams", "event", "sequence_number")

    def __init__(self, event: Event, streams: Mapping[str, str]) -> None:
        """`streams` are the names of the app's streams by those of their tables."""
        self.event = event
        self._streams = streams
        self._body: dict[str, Any] = object_or_none(event.get("dynamodb")) or {}
        self.sequence_number: str = self._body.get("SequenceNumber") or ""

    @property
    def is_event_that_ends(self) -> bool:
        """True for all but the beginning of a row that is an event: nobody is told of that."""
        name = self.event.get("eventName")
        return name != "INSERT" and str(self._key("id") or "").startswith(EPHEMERAL_PREFIX)

    @property
    def trace_text(self) -> object:
        """What the run that has written the row says of its trace; for one deleted, the last that has written it."""
        row = object_or_none(self._body.get("NewImage")) or object_or_none(self._body.get("OldImage")) or {}
        return (object_or_none(row.get("trace")) or {}).get("S")

    def trigger(self) -> dict[str, object]:
        """The record's place in the trace of what it belongs to."""
        name = str(self.event.get("eventName"))
        group, item_id = self._key("group"), self._key("id")
        if item_id is not None and item_id.startswith(EPHEMERAL_PREFIX):
            row = object_or_none(self._body.get("NewImage")) or {}
            kind, item_id = "event", (object_or_none(row.get("item")) or {}).get("S")
        else:
            kind = _KINDS.get(name, name)
        return {"kind": "stream", "stream": self._stream(), "group": group, "id": item_id, "event": kind}

    def change(self) -> Change:
        """What is to be announced.

        Raises: InvalidChange, InvalidValue.
        """
        stream, group, item_id = self._stream(), self._key("group"), self._key("id")
        if stream is None:
            raise InvalidChange(f"no stream of the app has the table of {self.event.get('eventSourceARN')}")
        if group is None or item_id is None:
            raise InvalidChange("the record's keys are not those of a stream's table")
        kind = _KINDS.get(str(self.event.get("eventName")))
        if kind is None:
            raise InvalidChange(f"`{self.event.get('eventName')}` is no kind of change")
        row: Item | None = object_or_none(self._body.get("OldImage" if kind == "delete" else "NewImage"))
        if row is None:
            raise InvalidChange("the record has no image of the row: the change stream must have new and old images")
        if item_id.startswith(EPHEMERAL_PREFIX):
            return self._ephemeral(Place(stream, group), row)
        at = self._approximate_ms()
        place = Place(stream, group, item_id)
        if kind != "delete":
            timestamp = timestamp_of(row, at)
            return ItemChange(place, kind, timestamp, Row(item_id, timestamp, fields_of(row)))
        timestamp = max(timestamp_of(row, at - 1) + 1, min(at, now_ms()))
        return ItemChange(place, kind, timestamp, Row(item_id, timestamp, fields_of(row)))

    def _ephemeral(self, group: Place, row: Item) -> EphemeralEvent:
        fields = fields_of(row)
        item_id = row.get("item", {}).get("S")
        place = group if item_id is None else group.item(item_id)
        event_type = fields.get("type")
        if not isinstance(event_type, str):
            raise InvalidChange("the event's `type` is no text")
        return EphemeralEvent(place, timestamp_of(row, self._approximate_ms()), event_type, fields.get("data"))

    def _stream(self) -> str | None:
        """The stream in `arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>`."""
        parts = str(self.event.get("eventSourceARN")).split("/")
        return self._streams.get(parts[1]) if len(parts) > 1 else None

    def _key(self, name: str) -> str | None:
        key = object_or_none((object_or_none(self._body.get("Keys")) or {}).get(name))
        text = None if key is None else key.get("S")
        return text if isinstance(text, str) else None

    def _approximate_ms(self) -> int:
        """When the change was made, rounded down to the second: never later than what was written after it."""
        seconds = self._body.get("ApproximateCreationDateTime")
        return int(seconds) * 1000 if isinstance(seconds, (int, float)) else now_ms()

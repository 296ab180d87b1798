"""The table of a stream: every write of an item has a time, larger than that of the item's last write."""

from __future__ import annotations

from treadle.aws import dynamodb
from treadle.aws.dynamodb import ConditionFailed, consumed_units
from treadle.aws.expressions import Expressions
from treadle.errors import WriteContention
from treadle.table import KEY_BYTES_LIMIT, Table, key_text
from treadle.timestamps import deleted, next_timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from treadle.record import Counts
    from treadle.resources import Resources
    from treadle.table import Item

EPHEMERAL_PREFIX = "\x00"
"""What the ids of rows begin with that are events, not items."""
_ATTEMPTS = 10
_TIMESTAMP_BYTES = len("timestamp") + 8


def group_text(method: str, group: object, name: str = "group_id") -> str:
    """`group` as the text of a group; `name` is what errors of `method` call it.

    Raises: TypeError, ValueError.
    """
    return key_text(method, name, group, KEY_BYTES_LIMIT["group"])


def id_text(method: str, item_id: object) -> str:
    """`item_id` as the text of an item's id.

    Raises: TypeError, ValueError.
    """
    text = key_text(method, "id", item_id, KEY_BYTES_LIMIT["key"])
    if text.startswith(EPHEMERAL_PREFIX):
        raise ValueError(f"{method}: `id` must not begin with a NUL character: such ids are those of events")
    return text


class StreamTable(Table):
    """`trace_text` is stored with what is written, so that whoever hears of it knows where it came from."""

    __slots__ = ("_trace_text",)

    first_key = "\x01"

    def __init__(self, resources: Resources, name: str, counts: Counts, trace_text: str) -> None:
        super().__init__(resources, name, "id", counts)
        self._trace_text = trace_text

    def extra_bytes(self) -> int:
        return _TIMESTAMP_BYTES + (len("trace") + len(self._trace_text) if self._trace_text else 0)

    def set(self, group: str, key: str, expressions: Expressions) -> None:
        """Writes an item, and counts it.

        Raises: WriteContention.
        """
        for _ in range(_ATTEMPTS):
            try:
                super().set(group, key, expressions)
            except ConditionFailed:
                continue
            return
        raise WriteContention(f"`{key}` of group `{group}` was written and deleted by others {_ATTEMPTS} times at once")

    def write(
        self, group: str, key: str, expressions: Expressions, returns: Literal["NONE", "ALL_OLD"] = "NONE"
    ) -> dict[str, Any]:
        """The answer to one update of an item. Its time is the present, or the one after its last where that is larger.

        The latter takes a second attempt, and fails where others delete the item and write it anew between the two.
        Raises: ConditionFailed.
        """
        now = next_timestamp((self.name, group, key))
        try:
            return super().write(group, key, self._timed(expressions, now), returns)
        except ConditionFailed:
            return super().write(group, key, self._timed_after_last(expressions, now), returns)

    def remove(self, key: Item, condition: Expressions | None = None) -> dict[str, Any]:
        answer = super().remove(key, condition)
        old: Item | None = answer.get("Attributes")
        if old:
            timestamp = old.get("timestamp", {}).get("N")
            deleted((self.name, key["group"]["S"], key["id"]["S"]), None if timestamp is None else int(timestamp))
        return answer

    def send(self, group: str, row_id: str, expressions: Expressions, now_ms: int) -> None:
        """Writes a row that is an event; it is nothing's successor, so that its time needs no condition."""
        expressions.assign("timestamp", {"N": str(now_ms)})
        self._trace(expressions)
        answer = dynamodb.update_item(
            self._resources.client, self.name, self.item_key(group, EPHEMERAL_PREFIX + row_id), expressions
        )
        self.count("send", write_units=consumed_units(answer))

    def _timed(self, expressions: Expressions, now_ms: int) -> Expressions:
        timed = expressions.copy()
        timed.assign("timestamp", {"N": str(now_ms)})
        timed.demand("(attribute_not_exists(#timestamp) OR #timestamp < :timestamp)")
        self._trace(timed)
        return timed

    def _timed_after_last(self, expressions: Expressions, now_ms: int) -> Expressions:
        timed = expressions.copy()
        timestamp = timed.name("timestamp")
        timed.set(timestamp, f"{timestamp} + {timed.value('one', {'N': '1'})}")
        timed.demand(f"{timestamp} >= {timed.value('timestamp', {'N': str(now_ms)})}")
        self._trace(timed)
        return timed

    def _trace(self, expressions: Expressions) -> None:
        """Notes the trace of this write, and in no case that of an earlier one."""
        if self._trace_text:
            expressions.assign("trace", {"S": self._trace_text})
        else:
            expressions.remove(expressions.name("trace"))

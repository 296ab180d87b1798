"""A stream table's rows as clients see them: items with their ids and times."""

from __future__ import annotations

import time

from treadle.errors import InvalidValue
from treadle.live.frames import encode_json
from treadle.values import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.shapes import AttributeValue, Json, JsonObject

    Item = dict[str, AttributeValue]


class Row:
    """An item. `timestamp` is that of its last write, in ms since the epoch."""

    __slots__ = ("_fields", "_text", "id", "timestamp")

    def __init__(self, item_id: str, timestamp: int, fields: JsonObject) -> None:
        self.id = item_id
        self.timestamp = timestamp
        self._fields = fields
        self._text: str | None = None

    def text(self) -> str:
        """The item's JSON, its `id` in it; made once."""
        if self._text is None:
            self._text = encode_json({**self._fields, "id": self.id})
        return self._text


def row_of(item: Item, default_timestamp: int) -> Row:
    """The row in an item; `default_timestamp` is for one that something else than a step has written.

    Raises: InvalidValue.
    """
    return Row(item["id"]["S"], timestamp_of(item, default_timestamp), fields_of(item))


def fields_of(item: Item) -> JsonObject:
    """The fields in an item's `value`.

    Raises: InvalidValue.
    """
    value = item.get("value")
    fields: Json = None if value is None else decode(value)
    if not isinstance(fields, dict):
        raise InvalidValue("is no map, which every item of a stream is")
    return fields


_LATEST_MS = 2**53
"""What a client's JavaScript can count to, 285,000 years from now."""


def timestamp_of(item: Item, default: int) -> int:
    """When an item was written last, in ms since the epoch; what was written by hand and is no such time is none."""
    text = item.get("timestamp", {}).get("N")
    written = 0.0 if text is None else float(text)
    return int(written) if 0 < written < _LATEST_MS else default


def least_timestamp(now_seconds: float) -> int:
    """The time, in ms, of an item without one: earlier than what a change from now on is told with.

    The change of such an item has the time of its record, which is rounded down to the second.
    """
    return int(now_seconds) * 1000 - 1


def now_ms() -> int:
    return int(time.time() * 1000)

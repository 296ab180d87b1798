"""`streams.NAME.send`: events that those who listen are told and that are not kept; and how large a message may be.

An event is written as a row that expires, so that it reaches listeners on the way of all changes and in their order.
"""

from __future__ import annotations

import time
from os import urandom

from treadle.arguments import DEFAULT_GROUP, bind
from treadle.aws.connections import MESSAGE_BYTES_LIMIT
from treadle.aws.expressions import Expressions
from treadle.errors import InvalidValue
from treadle.expiry import expiry
from treadle.json_values import dump_json, object_or_none, simplified
from treadle.stream_table import group_text, id_text
from treadle.values import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treadle.stream_table import StreamTable

_KEPT_SECONDS = 60
_NAMES = ("channel", "event")
_FORM = (
    "the forms are send(event), to the group `default`, and send(channel, event), "
    'with a group or {"groupId": ..., "id": ...} as channel and {"type": ..., "data": ...} as event'
)


def sending(
    stream: str, method: str, arguments: tuple[object, ...], keywords: dict[str, object]
) -> Callable[[StreamTable], None]:
    """What writes the event to the stream's table, all checked; the arguments are those of `send`.

    Raises: TypeError, ValueError, InvalidValue, also where the event is larger than any client can be sent.
    """
    channel, event = bind(method, _NAMES, arguments, keywords, form=_FORM)
    group, item_id = _place(method, channel)
    members = _object(method, "event", event, ("type", "data"))
    kind = members.get("type")
    if not isinstance(kind, str) or not kind:
        raise TypeError(f"{method}: the event's `type` must be a text, not {kind!r}; {_FORM}")
    data = encode(members.get("data"), f"{method}: data")
    size = message_bytes(stream, group, item_id, {"type": "event", "event": {"type": kind, "data": decode(data)}})
    if size > MESSAGE_BYTES_LIMIT:
        raise InvalidValue(
            f"makes a message of {size:,} bytes; a WebSocket client can be sent {MESSAGE_BYTES_LIMIT:,} (128 KB)"
        ).within(f"{method}: event")

    def send(table: StreamTable) -> None:
        expressions = Expressions()
        expressions.assign("value", {"M": {"type": {"S": kind}, "data": data}})
        if item_id is not None:
            expressions.assign("item", {"S": item_id})
        expressions.assign("ttl", expiry(_KEPT_SECONDS))
        table.send(group, urandom(16).hex(), expressions, int(time.time() * 1000))

    return send


def message_bytes(stream: str, group: str, item_id: str | None, event: dict[str, object]) -> int:
    """The length of the message that clients are sent: `{"timestamp", "streamName", "groupId", "id"?, "event"}`."""
    message: dict[str, object] = {"timestamp": int(time.time() * 1000), "streamName": stream, "groupId": group}
    if item_id is not None:
        message["id"] = item_id
    message["event"] = event
    return len(dump_json(message, "event").encode("utf-8", "surrogatepass"))


def _place(method: str, channel: object) -> tuple[str, str | None]:
    """The group and the id, None for an event of the whole group."""
    if isinstance(channel, (str, int)):
        return group_text(method, channel, "channel"), None
    members = _object(method, "channel", channel, ("groupId", "id"))
    group, item_id = members.get("groupId", DEFAULT_GROUP), members.get("id")
    return group_text(method, group, "groupId"), None if item_id is None else id_text(method, item_id)


def _object(method: str, name: str, given: object, known: tuple[str, ...]) -> dict[str, Any]:
    members = object_or_none(given)
    if members is None and hasattr(given, "model_dump"):
        members = object_or_none(simplified(given))
    if members is None:
        raise TypeError(f"{method}: `{name}` is a {type(given).__qualname__}; {_FORM}")
    unknown = ", ".join(str(key) for key in members if key not in known)
    if unknown:
        raise TypeError(f"{method}: `{name}` has {unknown}; {_FORM}")
    return members

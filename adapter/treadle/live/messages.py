"""What clients say: `{"type": "join" | "leave", "data": {"streamName", "groupId", "id"?, "subscriptionId"}}`."""

from __future__ import annotations

import json

from treadle.json_values import object_or_none
from treadle.live.frames import Place
from treadle.stream_table import EPHEMERAL_PREFIX
from treadle.table import KEY_BYTES_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STREAM_BYTES_LIMIT = 255
_SUBSCRIPTION_BYTES_LIMIT = 256


class BadMessage(Exception):  # noqa: N818 - an answer that callers expect
    """A message is no join and no leave. `place` has as much as it says about where it belongs."""

    def __init__(self, problem: str, place: Place | None = None) -> None:
        super().__init__(problem)
        self.place = place or Place("", "")


class Subscription:
    """One client's wish to follow a group, or one item in it. `id` is the client's name for it."""

    __slots__ = ("id", "place")

    def __init__(self, subscription_id: str, place: Place) -> None:
        self.id = subscription_id
        self.place = place


def subscription_in(body: object) -> Subscription:
    """The subscription that a join or a leave is about. An `id` of null or "" is none, as it is to Motia's clients.

    Raises: BadMessage.
    """
    data = _data(body)
    place = _place(data)
    try:
        _text(data, "streamName", _STREAM_BYTES_LIMIT)
        _text(data, "groupId", KEY_BYTES_LIMIT["group"])
        if place.item_id is not None or data.get("id"):
            item_id = _text(data, "id", KEY_BYTES_LIMIT["key"])
            if item_id.startswith(EPHEMERAL_PREFIX):
                raise BadMessage("`id` must not begin with a NUL character")
        return Subscription(_text(data, "subscriptionId", _SUBSCRIPTION_BYTES_LIMIT), place)
    except BadMessage as bad:
        raise BadMessage(str(bad), place) from None


def other_message(body: object) -> BadMessage:
    """What is wrong with a message that was routed nowhere."""
    try:
        data = _data(body)
    except BadMessage as bad:
        return bad
    return BadMessage("`type` must be `join` or `leave`", _place(data))


def _data(body: object) -> dict[str, Any]:
    try:
        message: Any = json.loads(body) if isinstance(body, str) else None
    except (ValueError, RecursionError):
        raise BadMessage("a message must be JSON") from None
    fields = object_or_none(message)
    data = None if fields is None else object_or_none(fields.get("data"))
    if data is None:
        raise BadMessage('a message must be {"type": "join" or "leave", "data": {...}}')
    return data


def _place(data: dict[str, Any]) -> Place:
    """Where a message belongs, as far as it says so in words that can be said back."""
    return Place(
        _sayable(data.get("streamName"), _STREAM_BYTES_LIMIT) or "",
        _sayable(data.get("groupId"), KEY_BYTES_LIMIT["group"]) or "",
        _sayable(data.get("id"), KEY_BYTES_LIMIT["key"]) or None,
    )


def _sayable(value: object, limit_bytes: int) -> str | None:
    return value if isinstance(value, str) and _problem(value, limit_bytes) is None else None


def _text(data: dict[str, Any], key: str, limit_bytes: int) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise BadMessage(f"`{key}` must be a text")
    problem = _problem(value, limit_bytes)
    if problem is not None:
        raise BadMessage(f"`{key}` {problem}")
    return value


def _problem(text: str, limit_bytes: int) -> str | None:
    """Why no key can hold a text, None where one can."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "has half of a surrogate pair"
    return f"is longer than {limit_bytes:,} bytes" if size > limit_bytes else None

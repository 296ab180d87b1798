"""Frames: the messages that clients get, as Motia's stream clients read them.

    {"timestamp": 1795348750978, "streamName": "messages", "groupId": "inbox", "id": "m1",
     "event": {"type": "update", "data": {"text": "hi", "id": "m1"}}}

`id` is absent where a frame is about a whole group. Clients drop what is not newer than what they have, by `timestamp`.
"""

from __future__ import annotations

import json
from hashlib import sha256

from treadle.aws.connections import MESSAGE_BYTES_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from treadle.live.rows import Row
    from treadle.shapes import Json

    Kind = Literal["create", "update", "delete"]

encode_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


class Place:
    """What a frame is about: a group of a stream, or one item in it."""

    __slots__ = ("group", "item_id", "stream")

    def __init__(self, stream: str, group: str, item_id: str | None = None) -> None:
        self.stream = stream
        self.group = group
        self.item_id = item_id

    def item(self, item_id: str) -> Place:
        return Place(self.stream, self.group, item_id)


class Frame:
    """A frame's bytes, the same for all who get it, and their SHA-256 in hex, which every request is signed with."""

    __slots__ = ("data", "sha256")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sha256 = sha256(data).hexdigest()


def change_frame(place: Place, timestamp: int, kind: Kind, row: Row) -> Frame:
    """The frame of an item's change; an error event in its place where it is too large for a message.

    Of an item that is deleted, its id is enough then.
    """
    data = _framed(place, timestamp, f'{{"type":"{kind}","data":{row.text()}}}')
    if len(data) <= MESSAGE_BYTES_LIMIT:
        return Frame(data)
    if kind == "delete":
        return Frame(_framed(place, timestamp, f'{{"type":"delete","data":{encode_json({"id": row.id})}}}'))
    return _too_large(place, timestamp, len(data))


def event_frame(place: Place, timestamp: int, kind: str, data: Json) -> Frame:
    """The frame of an event that is no item's change; an error event in its place where it is too large."""
    inner: Json = {"type": kind, "data": data}
    event: Json = {"type": "event", "event": inner}
    framed = _framed(place, timestamp, encode_json(event))
    return Frame(framed) if len(framed) <= MESSAGE_BYTES_LIMIT else _too_large(place, timestamp, len(framed))


def error_frame(place: Place, timestamp: int, code: str, message: str) -> Frame:
    """An event of the type `error`, which clients hand to whoever listens for it."""
    return event_frame(place, timestamp, "error", {"code": code, "message": message})


def item_sync(place: Place, timestamp: int, row: Row | None) -> Frame:
    """The item as it stands, None where it is gone: unlike a change, clients do not hand this on to its group."""
    data = _framed(place, timestamp, f'{{"type":"sync","data":{"null" if row is None else row.text()}}}')
    return Frame(data) if len(data) <= MESSAGE_BYTES_LIMIT else _too_large(place, timestamp, len(data))


def group_sync(place: Place, now_ms: int, rows: Iterable[Row]) -> tuple[Frame, list[Row]]:
    """The group as it stands, and those of its items for which the frame has no room."""
    given = list(rows)
    timestamp = max([now_ms, *(row.timestamp for row in given)])
    head, tail = _around(place, timestamp, '{"type":"sync","data":[', "]}")
    room = MESSAGE_BYTES_LIMIT - len(head) - len(tail) + len(",")
    parts: list[bytes] = []
    rest: list[Row] = []
    for row in given:
        part = row.text().encode()
        if len(part) + 1 <= room:
            room -= len(part) + 1
            parts.append(part)
        else:
            rest.append(row)
    return Frame(head + b",".join(parts) + tail), rest


def _too_large(place: Place, timestamp: int, size: int) -> Frame:
    message = f"This message of {size:,} bytes is larger than the {MESSAGE_BYTES_LIMIT:,} that a connection takes"
    return error_frame(place, timestamp, "MESSAGE_TOO_LARGE", message)


def _framed(place: Place, timestamp: int, event: str) -> bytes:
    head, tail = _around(place, timestamp, event, "")
    return head + tail


def _around(place: Place, timestamp: int, before: str, after: str) -> tuple[bytes, bytes]:
    """A frame's bytes up to the end of `before`, and from `after` on: the two have its event between them."""
    item = "" if place.item_id is None else f'"id":{encode_json(place.item_id)},'
    where = f'"streamName":{encode_json(place.stream)},"groupId":{encode_json(place.group)},{item}'
    return f'{{"timestamp":{timestamp},{where}"event":{before}'.encode(), f"{after}}}".encode()

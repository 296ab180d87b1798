"""The keys of the connections table: who is connected, what each connection follows, and who follows one thing.

room                          member
connection/<connection>       connection                    context, connectedMs, subscriptions
connection/<connection>       subscription/<subscription>   target: a room's key, attempt, at; or left: it ended then
["messages","inbox"]          <connection>/<attempt>/<subscription>   status, recent: a group's follower
["messages","inbox"]          items                         some of the group's items have, or had, followers
["messages","inbox","m1"]     <connection>/<attempt>/<subscription>   an item's follower

An attempt is one join: each has a row of its own, so that a late one can take nothing from the one that counts.
"""

from __future__ import annotations

import json

ROOM_BYTES_LIMIT = 2048
"""Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""
CONNECTION_MEMBER = "connection"
ITEMS_MEMBER = "items"
_SUBSCRIPTION_PREFIX = "subscription/"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def room_key(stream: str, group: str, item_id: str | None = None) -> str:
    """The key of a group's room, or of an item's: one and the same id in two groups is two rooms."""
    key = _encode([stream, group] if item_id is None else [stream, group, item_id])
    if len(key) * 4 <= ROOM_BYTES_LIMIT:
        return key
    encoded = key.encode()
    if len(encoded) <= ROOM_BYTES_LIMIT:
        return key
    from hashlib import sha256

    return f"sha256/{sha256(encoded).hexdigest()}"


def connection_room(connection_id: str) -> str:
    return f"connection/{connection_id}"


def subscription_member(subscription_id: str) -> str:
    return _SUBSCRIPTION_PREFIX + subscription_id


def subscription_of(member: str) -> str | None:
    """The subscription of a row in a connection's room, None for the connection's own row."""
    return member[len(_SUBSCRIPTION_PREFIX) :] if member.startswith(_SUBSCRIPTION_PREFIX) else None


def room_member(connection_id: str, attempt: str, subscription_id: str) -> str:
    return f"{connection_id}/{attempt}/{subscription_id}"


def connection_of(member: str) -> str:
    """The connection of a row in a stream's room."""
    return member.partition("/")[0]

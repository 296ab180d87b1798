"""The operations on the connections table. Its keys are in `rooms`.

Counting a connection's subscriptions reads its row as well, so that a join costs no read of its own.
"""

from __future__ import annotations

import os

from treadle.errors import AwsCallError
from treadle.live.parallel import for_each
from treadle.live.rooms import (
    CONNECTION_MEMBER,
    ITEMS_MEMBER,
    connection_of,
    connection_room,
    room_member,
    subscription_member,
    subscription_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from treadle.aws.client import AwsClient
    from treadle.shapes import AttributeValue

    Item = dict[str, AttributeValue]

SUBSCRIPTIONS_LIMIT = 500
"""Subscriptions of one connection: what a client that joins without end can cost is bounded."""
_LIFETIME_SECONDS = 7 * 24 * 3600
"""Rows go with their connection, which lasts two hours at most: this is for what was left over."""
_LEFT_SECONDS = 900
"""How long it is remembered that a subscription was left, for a join that comes late."""
_ONE = {"N": "1"}


class UnknownConnection(Exception):  # noqa: N818 - an answer that callers expect
    """The connection has no row (any more)."""


class TooManySubscriptions(Exception):  # noqa: N818 - an answer that callers expect
    """The connection has as many subscriptions as it may have."""


class Connection:
    """An open connection. `context` is the JSON text of what the app's `authenticate` has returned for it."""

    __slots__ = ("connected_ms", "context", "id")

    def __init__(self, connection_id: str, context: str, connected_ms: int) -> None:
        self.id = connection_id
        self.context = context
        self.connected_ms = connected_ms


class Registration:
    """One join of a subscription. `at_ms` is when API Gateway had it: joins and leaves may be served in any order.

    `group_room` is that of the group around, where an item is followed.
    """

    __slots__ = ("at_ms", "attempt", "group_room", "member", "room", "subscription_id")

    def __init__(
        self, connection_id: str, subscription_id: str, room: str, at_ms: int, group_room: str | None = None
    ) -> None:
        self.subscription_id = subscription_id
        self.room = room
        self.group_room = group_room
        self.at_ms = at_ms
        self.attempt = os.urandom(8).hex()
        self.member = room_member(connection_id, self.attempt, subscription_id)


class Follower:
    """One row of a stream's room. `recent` has the items that it has been sent just now, with their times."""

    __slots__ = ("active", "connection_id", "member", "recent", "room")

    def __init__(self, room: str, row: Item) -> None:
        self.room = room
        self.member: str = row["member"]["S"]
        self.connection_id = connection_of(self.member)
        self.active = row.get("status", {}).get("S") == "active"
        sent: dict[str, AttributeValue] = row.get("recent", {}).get("M", {})
        self.recent = {item_id: int(timestamp["N"]) for item_id, timestamp in sent.items()}

    def has(self, item_id: str, timestamp: int) -> bool:
        """True where it was sent the item as it was then, or later, when it joined.

        An item of which it lacks something it lacks from then on.
        """
        sent = self.recent.get(item_id) if self.recent else None
        if sent is None:
            return False
        if sent < timestamp:
            del self.recent[item_id]
        return sent >= timestamp


class Room:
    """Everybody in a room, and for a group whether any of its items may have a follower of its own."""

    __slots__ = ("followers", "has_items")

    def __init__(self, key: str, rows: list[Item]) -> None:
        self.followers = [Follower(key, row) for row in rows if row["member"]["S"] != ITEMS_MEMBER]
        self.has_items = len(self.followers) < len(rows)


class ConnectionsTable:
    """The table of one app. Every method raises AwsCallError."""

    __slots__ = ("_client", "_name")

    def __init__(self, client: AwsClient, name: str) -> None:
        self._client = client
        self._name = name

    def connect(self, connection: Connection) -> None:
        """Stores a connection that has been accepted."""
        row = {
            **_key(connection_room(connection.id), CONNECTION_MEMBER),
            "context": {"S": connection.context},
            "connectedMs": {"N": str(connection.connected_ms)},
            "ttl": _expiry(connection.connected_ms),
        }
        self._call("PutItem", {"Item": row})

    def is_connected(self, connection_id: str) -> bool:
        key = _key(connection_room(connection_id), CONNECTION_MEMBER)
        return "Item" in self._call("GetItem", {"Key": key, "ConsistentRead": True})

    def admit(self, connection_id: str) -> Connection:
        """Counts one subscription more, and returns the connection.

        Raises: UnknownConnection, TooManySubscriptions.
        """
        row = self._count(
            connection_id,
            {":by": _ONE, ":limit": {"N": str(SUBSCRIPTIONS_LIMIT)}},
            " AND (attribute_not_exists(#subscriptions) OR #subscriptions < :limit)",
        )
        return Connection(connection_id, row["context"]["S"], int(row["connectedMs"]["N"]))

    def dismiss(self, connection_id: str) -> None:
        """Counts one subscription less.

        Raises: UnknownConnection.
        """
        self._count(connection_id, {":by": {"N": "-1"}})

    def subscribe(self, connection: Connection, registration: Registration) -> bool | None:
        """Registers a follower, which is told of nothing before `activate`; it replaces an earlier one of its id.

        True for a new subscription, False for one that was there, None where a later message has overtaken this one:
        then nothing is registered.
        """
        expires = _expiry(connection.connected_ms)
        room, member = registration.room, registration.member
        if registration.group_room is not None:  # first, so that who does not find it would not find the follower
            expires_last = _expiry(registration.at_ms)
            self._call("PutItem", {"Item": {**_key(registration.group_room, ITEMS_MEMBER), "ttl": expires_last}})
        self._call("PutItem", {"Item": {**_key(room, member), "status": {"S": "joining"}, "ttl": expires}})
        membership = {
            **_key(connection_room(connection.id), subscription_member(registration.subscription_id)),
            "target": {"S": room},
            "attempt": {"S": registration.attempt},
            "at": {"N": str(registration.at_ms)},
            "ttl": expires,
        }
        payload = {
            "Item": membership,
            "ConditionExpression": "(attribute_not_exists(#left) OR #left < :at)"
            " AND (attribute_not_exists(#at) OR #at <= :at)",
            "ExpressionAttributeNames": {"#left": "left", "#at": "at"},
            "ExpressionAttributeValues": {":at": {"N": str(registration.at_ms)}},
            "ReturnValues": "ALL_OLD",
        }
        try:
            old: Item = self._call("PutItem", payload).get("Attributes") or {}
        except AwsCallError as error:
            if not _condition_failed(error):
                raise
            self.delete(room, member)
            return None
        return not self._delete_follower(connection.id, registration.subscription_id, old)

    def activate(self, registration: Registration, recent: dict[str, int]) -> bool:
        """Has a follower told of all changes from now on; False where it has left or was registered anew meanwhile."""
        payload = {
            "Key": _key(registration.room, registration.member),
            "UpdateExpression": "SET #status = :active, #recent = :recent",
            "ConditionExpression": "attribute_exists(#status)",
            "ExpressionAttributeNames": {"#status": "status", "#recent": "recent"},
            "ExpressionAttributeValues": {
                ":active": {"S": "active"},
                ":recent": {"M": {item_id: {"N": str(timestamp)} for item_id, timestamp in recent.items()}},
            },
        }
        try:
            self._call("UpdateItem", payload)
        except AwsCallError as error:
            if _condition_failed(error):
                return False
            raise
        return True

    def unsubscribe(self, connection_id: str, subscription_id: str, at_ms: int) -> bool:
        """Ends a subscription; False where there is none, or a later join has begun it anew.

        A join of it that comes late, or is being served, finds that it has been left.
        """
        payload = {
            "Key": _key(connection_room(connection_id), subscription_member(subscription_id)),
            "UpdateExpression": "SET #left = :at, #ttl = :ttl REMOVE #target, #attempt, #at",
            "ConditionExpression": "attribute_not_exists(#at) OR #at <= :at",
            "ExpressionAttributeNames": {name: name[1:] for name in ("#left", "#ttl", "#target", "#attempt", "#at")},
            "ExpressionAttributeValues": {
                ":at": {"N": str(at_ms)},
                ":ttl": {"N": str(at_ms // 1000 + _LEFT_SECONDS)},
            },
            "ReturnValues": "ALL_OLD",
        }
        try:
            old: Item = self._call("UpdateItem", payload).get("Attributes") or {}
        except AwsCallError as error:
            if not _condition_failed(error):
                raise
            return False
        return self._delete_follower(connection_id, subscription_id, old)

    def _delete_follower(self, connection_id: str, subscription_id: str, membership: Item) -> bool:
        """Deletes the row in a room that a membership names; False where it names none."""
        if "target" not in membership:
            return False
        member = room_member(connection_id, membership["attempt"]["S"], subscription_id)
        self.delete(membership["target"]["S"], member)
        return True

    def room(self, room: str) -> Room:
        """Everybody in a room, read strongly consistent."""
        names = {"#room": "room", "#member": "member", "#status": "status", "#recent": "recent"}
        rows = self._query(
            room, {"ExpressionAttributeNames": names, "ProjectionExpression": "#member, #status, #recent"}
        )
        return Room(room, rows)

    def remove(self, connection_id: str, others: Iterable[Follower] = ()) -> None:
        """Removes all rows of a connection, and those of `others`, which are its own too.

        First its own row, so that whatever else it does is known to come from nowhere.
        """
        room = connection_room(connection_id)
        self.delete(room, CONNECTION_MEMBER)
        names: dict[str, Any] = {"ExpressionAttributeNames": {"#room": "room"}}
        memberships = [row for row in self._query(room, names) if row["member"]["S"] != CONNECTION_MEMBER]
        keys = {(follower.room, follower.member): None for follower in others}
        for row in memberships:
            if "target" in row:
                subscription_id = subscription_of(row["member"]["S"]) or ""
                keys[row["target"]["S"], room_member(connection_id, row["attempt"]["S"], subscription_id)] = None
        for row in memberships:
            keys[room, row["member"]["S"]] = None
        failures = [result for result in for_each(lambda key: self.delete(*key), list(keys)) if result is not None]
        if failures:
            raise failures[0]

    def delete(self, room: str, member: str) -> None:
        """Deletes one row, whether it is there or not."""
        self._call("DeleteItem", {"Key": _key(room, member)})

    def _count(self, connection_id: str, values: dict[str, AttributeValue], condition: str = "") -> Item:
        """The connection's row, with `:by` added to its subscriptions."""
        payload = {
            "Key": _key(connection_room(connection_id), CONNECTION_MEMBER),
            "UpdateExpression": "ADD #subscriptions :by",
            "ConditionExpression": f"attribute_exists(#room){condition}",
            "ExpressionAttributeNames": {"#subscriptions": "subscriptions", "#room": "room"},
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            row: Item = self._call("UpdateItem", payload)["Attributes"]
        except AwsCallError as error:
            if not _condition_failed(error):
                raise
            raise (TooManySubscriptions if error.details.get("Item") else UnknownConnection) from None
        return row

    def _query(self, room: str, members: dict[str, Any]) -> list[Item]:
        payload: dict[str, Any] = {
            "KeyConditionExpression": "#room = :room",
            "ExpressionAttributeValues": {":room": {"S": room}},
            "ConsistentRead": True,
            **members,
        }
        rows: list[Item] = []
        while True:
            answer = self._call("Query", payload)
            rows += answer["Items"]
            start = answer.get("LastEvaluatedKey")
            if not start:
                return rows
            payload["ExclusiveStartKey"] = start

    def _call(self, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
        complete = {"TableName": self._name, **payload}
        return self._client.json_call("dynamodb", operation, "DynamoDB_20120810", f"table {self._name}", complete)


def _condition_failed(error: AwsCallError) -> bool:
    return error.aws_code == "ConditionalCheckFailedException"


def _key(room: str, member: str) -> Item:
    return {"room": {"S": room}, "member": {"S": member}}


def _expiry(connected_ms: int) -> AttributeValue:
    return {"N": str(connected_ms // 1000 + _LIFETIME_SECONDS)}

"""The operations on the connections table. Its keys are in `rooms`.

Counting a connection's subscriptions reads its row as well, so that a join costs no read of its own.
"""

from __future__ import annotations

from treadle.errors import AwsCallError
from treadle.live.parallel import for_each
from treadle.live.rooms import (
    CONNECTION_MEMBER,
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

    def subscribe(self, connection: Connection, subscription_id: str, room: str, attempt: str) -> bool:
        """Registers a follower, which is told of nothing before `activate`; False where the subscription is not new.

        It replaces an earlier one of that id then. `attempt` tells one registration from the next.
        """
        expires = _expiry(connection.connected_ms)
        key = _key(connection_room(connection.id), subscription_member(subscription_id))
        membership = {**key, "target": {"S": room}, "ttl": expires}
        old = self._call("PutItem", {"Item": membership, "ReturnValues": "ALL_OLD"}).get("Attributes")
        member = room_member(connection.id, subscription_id)
        if old and old["target"]["S"] != room:
            self.delete(old["target"]["S"], member)
        row = {**_key(room, member), "status": {"S": "joining"}, "attempt": {"S": attempt}, "ttl": expires}
        self._call("PutItem", {"Item": row})
        return not old

    def activate(
        self, connection_id: str, subscription_id: str, room: str, attempt: str, recent: dict[str, int]
    ) -> bool:
        """Has a follower told of all changes from now on; False where it has left or was registered anew meanwhile."""
        payload = {
            "Key": _key(room, room_member(connection_id, subscription_id)),
            "UpdateExpression": "SET #status = :active, #recent = :recent",
            "ConditionExpression": "#attempt = :attempt",
            "ExpressionAttributeNames": {"#status": "status", "#recent": "recent", "#attempt": "attempt"},
            "ExpressionAttributeValues": {
                ":active": {"S": "active"},
                ":recent": {"M": {item_id: {"N": str(timestamp)} for item_id, timestamp in recent.items()}},
                ":attempt": {"S": attempt},
            },
        }
        try:
            self._call("UpdateItem", payload)
        except AwsCallError as error:
            if _condition_failed(error):
                return False
            raise
        return True

    def unsubscribe(self, connection_id: str, subscription_id: str) -> bool:
        """Removes a subscription's two rows; False where there was none."""
        member = subscription_member(subscription_id)
        old = self._delete_row(connection_room(connection_id), member, returns="ALL_OLD")
        if old is None:
            return False
        self.delete(old["target"]["S"], room_member(connection_id, subscription_id))
        return True

    def followers(self, room: str) -> list[Follower]:
        """Everybody in a room, read strongly consistent."""
        names = {"#room": "room", "#member": "member", "#status": "status", "#recent": "recent"}
        rows = self._query(
            room, {"ExpressionAttributeNames": names, "ProjectionExpression": "#member, #status, #recent"}
        )
        return [Follower(room, row) for row in rows]

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
            member = room_member(connection_id, subscription_of(row["member"]["S"]) or "")
            keys[row["target"]["S"], member] = None
        for row in memberships:
            keys[room, row["member"]["S"]] = None
        failures = [result for result in for_each(lambda key: self.delete(*key), list(keys)) if result is not None]
        if failures:
            raise failures[0]

    def delete(self, room: str, member: str) -> None:
        """Deletes one row, whether it is there or not."""
        self._delete_row(room, member, returns="NONE")

    def _delete_row(self, room: str, member: str, *, returns: str) -> Item | None:
        old: Item | None = self._call("DeleteItem", {"Key": _key(room, member), "ReturnValues": returns}).get(
            "Attributes"
        )
        return old or None

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

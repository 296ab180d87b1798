"""The DynamoDB operations that state and streams need.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.aws.client import AwsClient
    from treadle.shapes import AttributeValue

    Item = dict[str, AttributeValue]

_TARGET = "DynamoDB_20120810"


def get_item(client: AwsClient, table: str, key: Item) -> dict[str, Any]:
    """The answer to a strongly consistent GetItem."""
    return _call(client, "GetItem", table, {"Key": key, "ConsistentRead": True})


def update_item(
    client: AwsClient, table: str, key: Item, expression: str, names: dict[str, str], values: Item
) -> dict[str, Any]:
    """The answer to an UpdateItem that returns no values."""
    payload = {
        "Key": key,
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    return _call(client, "UpdateItem", table, payload)


def delete_item(client: AwsClient, table: str, key: Item) -> dict[str, Any]:
    """The answer to a DeleteItem, with the old item as `Attributes`."""
    return _call(client, "DeleteItem", table, {"Key": key, "ReturnValues": "ALL_OLD"})


def query_all(
    client: AwsClient, table: str, hash_key: str, value: AttributeValue, only: tuple[str, ...] = ()
) -> tuple[list[Item], float]:
    """All items of a partition, strongly consistent, over all pages, and the read units.

    `only` names the attributes that are wanted; all where it is empty.
    """
    payload: dict[str, Any] = {
        "KeyConditionExpression": "#hash = :hash",
        "ExpressionAttributeNames": {"#hash": hash_key},
        "ExpressionAttributeValues": {":hash": value},
        "ConsistentRead": True,
    }
    if only:
        payload["ExpressionAttributeNames"] |= {f"#only{index}": name for index, name in enumerate(only)}
        payload["ProjectionExpression"] = ", ".join(f"#only{index}" for index in range(len(only)))
    items: list[Item] = []
    units = 0.0
    while True:
        answer = _call(client, "Query", table, payload)
        items += answer.get("Items", ())
        units += consumed_units(answer)
        start = answer.get("LastEvaluatedKey")
        if not start:
            return items, units
        payload["ExclusiveStartKey"] = start


def consumed_units(answer: dict[str, Any]) -> float:
    """The capacity units that an answer names; 0 where it names none."""
    capacity: dict[str, float] = answer.get("ConsumedCapacity") or {}
    return capacity.get("CapacityUnits", 0.0)


def _call(client: AwsClient, operation: str, table: str, payload: dict[str, Any]) -> dict[str, Any]:
    complete = {"TableName": table, "ReturnConsumedCapacity": "TOTAL", **payload}
    return client.json_call("dynamodb", operation, _TARGET, f"table {table}", complete)

"""The DynamoDB operations that state and streams need.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

from treadle.errors import AwsCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from treadle.aws.client import AwsClient
    from treadle.aws.expressions import Expressions
    from treadle.shapes import AttributeValue

    Item = dict[str, AttributeValue]

_TARGET = "DynamoDB_20120810"


class ConditionFailed(Exception):  # noqa: N818 - an answer that callers expect
    """A write was not done, since its condition does not hold. `item` is what is stored, None: nothing."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition of a write does not hold")
        self.item = item


def get_item(client: AwsClient, table: str, key: Item) -> dict[str, Any]:
    """The answer to a strongly consistent GetItem."""
    return _call(client, "GetItem", table, {"Key": key, "ConsistentRead": True})


def update_item(
    client: AwsClient,
    table: str,
    key: Item,
    expressions: Expressions,
    returns: Literal["NONE", "ALL_OLD"] = "NONE",
) -> dict[str, Any]:
    """The answer to an UpdateItem.

    Raises: ConditionFailed, AwsCallError.
    """
    payload = {"Key": key, **expressions.parameters()}
    if returns != "NONE":
        payload["ReturnValues"] = returns
    return _write(client, "UpdateItem", table, payload)


def delete_item(client: AwsClient, table: str, key: Item, expressions: Expressions | None = None) -> dict[str, Any]:
    """The answer to a DeleteItem, with the old item as `Attributes`; of `expressions` the condition counts.

    Raises: ConditionFailed, AwsCallError.
    """
    payload = {"Key": key, "ReturnValues": "ALL_OLD"}
    if expressions is not None:
        payload |= expressions.parameters()
    return _write(client, "DeleteItem", table, payload)


def query_all(
    client: AwsClient,
    table: str,
    hash_key: str,
    value: AttributeValue,
    only: tuple[str, ...] = (),
    from_range_key: tuple[str, str] | None = None,
) -> tuple[list[Item], float]:
    """All items of a partition, strongly consistent, over all pages, and the read units.

    `only` names the attributes that are wanted; all where it is empty. `from_range_key`: the range key's name, and the
    least text of it that is wanted.
    """
    payload: dict[str, Any] = {
        "KeyConditionExpression": "#hash = :hash",
        "ExpressionAttributeNames": {"#hash": hash_key},
        "ExpressionAttributeValues": {":hash": value},
        "ConsistentRead": True,
    }
    if from_range_key is not None:
        name, least = from_range_key
        payload["KeyConditionExpression"] += " AND #range >= :least"
        payload["ExpressionAttributeNames"]["#range"] = name
        payload["ExpressionAttributeValues"][":least"] = {"S": least}
    if only:
        payload["ExpressionAttributeNames"] |= {f"#only{index}": name for index, name in enumerate(only)}
        payload["ProjectionExpression"] = ", ".join(f"#only{index}" for index in range(len(only)))
    return _all_pages(client, "Query", table, payload)


def scan_all(client: AwsClient, table: str, only: tuple[str, ...]) -> tuple[list[Item], float]:
    """The attributes `only` of all items of a table, strongly consistent, over all pages, and the read units.

    The units are those of the whole items.
    """
    names = {f"#only{index}": name for index, name in enumerate(only)}
    payload = {
        "ExpressionAttributeNames": names,
        "ProjectionExpression": ", ".join(names),
        "ConsistentRead": True,
    }
    return _all_pages(client, "Scan", table, payload)


def consumed_units(answer: dict[str, Any]) -> float:
    """The capacity units that an answer names; 0 where it names none."""
    capacity: dict[str, float] = answer.get("ConsumedCapacity") or {}
    return capacity.get("CapacityUnits", 0.0)


def _all_pages(client: AwsClient, operation: str, table: str, payload: dict[str, Any]) -> tuple[list[Item], float]:
    items: list[Item] = []
    units = 0.0
    while True:
        answer = _call(client, operation, table, payload)
        items += answer.get("Items", ())
        units += consumed_units(answer)
        start = answer.get("LastEvaluatedKey")
        if not start:
            return items, units
        payload["ExclusiveStartKey"] = start


def _write(client: AwsClient, operation: str, table: str, payload: dict[str, Any]) -> dict[str, Any]:
    if "ConditionExpression" in payload:
        payload["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    try:
        return _call(client, operation, table, payload)
    except AwsCallError as error:
        if error.aws_code == "ConditionalCheckFailedException":
            raise ConditionFailed(error.details.get("Item")) from None
        raise


def _call(client: AwsClient, operation: str, table: str, payload: dict[str, Any]) -> dict[str, Any]:
    complete = {"TableName": table, "ReturnConsumedCapacity": "TOTAL", **payload}
    return client.json_call("dynamodb", operation, _TARGET, f"table {table}", complete)

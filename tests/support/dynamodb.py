"""Tables and items as the tests of DynamoDB make them."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.dev import Dev
from treadle_local.aws.service import Region
from treadle_local.clock import ManualClock
from treadle_local.dynamodb.service import DynamoDbItems

Item = dict[str, dict[str, Any]]

GLOBAL_INDEX = {
    "IndexName": "by-owner",
    "KeySchema": [
        {"AttributeName": "owner", "KeyType": "HASH"},
        {"AttributeName": "rank", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]},
}
LOCAL_INDEX = {
    "IndexName": "by-rank",
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "rank", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}
INDEXED_ATTRIBUTES = {"pk": "S", "sk": "S", "owner": "S", "rank": "N"}


def text(value: str) -> dict[str, Any]:
    return {"S": value}


def number(value: int | str) -> dict[str, Any]:
    return {"N": str(value)}


ONE = {":v": number(1)}


def key(pk: str = "a", sk: str = "1") -> Item:
    return {"pk": text(pk), "sk": text(sk)}


def create(db: Any, attributes: dict[str, str], **options: Any) -> str:
    """A new table whose key is the first one or two attributes."""
    name = f"table-{uuid.uuid4().hex[:12]}"
    has_sort = "sk" in attributes
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}]
    if has_sort:
        schema.append({"AttributeName": "sk", "KeyType": "RANGE"})
    db.create_table(
        TableName=name,
        KeySchema=schema,
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in attributes.items()
        ],
        BillingMode="PAY_PER_REQUEST",
        **options,
    )
    return name


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """The error's code and message."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    response: Any = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"]


def invalid(call: Callable[..., Any], **params: Any) -> str:
    code, message = refused(call, **params)
    assert code == "ValidationException", code
    return message


def stored(db: Any, table: str, **wanted: Any) -> Item | None:
    found: Item | None = db.get_item(TableName=table, Key=key(**wanted), ConsistentRead=True).get("Item")
    return found


def put(db: Any, table: str, item: Item, **options: Any) -> Any:
    return db.put_item(TableName=table, Item=item, **options)


def update(db: Any, table: str, expression: str, **options: Any) -> Item:
    answer: Any = db.update_item(
        TableName=table, Key=key(), UpdateExpression=expression, ReturnValues="ALL_NEW", **options
    )
    item: Item = answer["Attributes"]
    return {name: value for name, value in item.items() if name not in ("pk", "sk")}


def sort_keys(answer: Any) -> list[str]:
    return [item["sk"]["S"] for item in answer["Items"]]


def query(db: Any, table: str, condition: str = "pk = :pk", **options: Any) -> Any:
    values = {":pk": text("a"), **options.pop("values", {})}
    return db.query(TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values, **options)


def ranked(pk: str, sk: str, owner: str, rank: int, **more: Any) -> Item:
    return {**key(pk, sk), "owner": text(owner), "rank": number(rank), "title": text(f"t{rank}"), **more}


def owned(db: Any, table: str, owner: str = "o", **options: Any) -> Any:
    return db.query(
        TableName=table,
        IndexName="by-owner",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": text(owner)},
        **options,
    )


def nested(levels: int) -> dict[str, Any]:
    value = text("x")
    for _ in range(levels):
        value = {"L": [value]}
    return value


def now_of(emulator: Dev) -> int:
    """The emulator's time in seconds since the epoch."""
    request = urllib.request.Request(
        f"{emulator.endpoint}/__treadle/clock",
        json.dumps({"advance_seconds": 0}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return int(json.load(response)["now"])


def local_items(*attributes: str) -> DynamoDbItems:
    """The service in process, with a table `t` whose key is pk and sk, and the indexes."""
    region = Region()
    items = DynamoDbItems(region, ManualClock(), lambda _name: None)
    items.table_created(
        {
            "TableName": "t",
            "TableArn": region.arn("dynamodb", "table/t"),
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in INDEXED_ATTRIBUTES.items()
            ],
            "GlobalSecondaryIndexes": [GLOBAL_INDEX],
            "LocalSecondaryIndexes": [LOCAL_INDEX],
        }
    )
    return items


def transact(db: Any, *operations: Any, **options: Any) -> Any:
    return db.transact_write_items(TransactItems=list(operations), **options)

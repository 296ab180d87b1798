"""Tables with change streams, for tests."""

from __future__ import annotations

from typing import Any

from support.aws import unique
from support.dev import Dev

View = str


def make_table(emulator: Dev, view: View | None = "NEW_AND_OLD_IMAGES", **settings: Any) -> str:
    """The name of a new table with the keys pk and sk, both strings."""
    name = unique("table")
    specification: dict[str, Any] = (
        {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
    )
    emulator.client("dynamodb").create_table(
        **{
            "TableName": name,
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": specification,
            **settings,
        }
    )
    return name


def stream_arn(emulator: Dev, table: str) -> str:
    arn: str = emulator.client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
    return arn


def item(pk: str, sk: str = "1", **attributes: str) -> dict[str, dict[str, str]]:
    """An item whose attributes are strings."""
    return {name: {"S": value} for name, value in {"pk": pk, "sk": sk, **attributes}.items()}


def shard_of(emulator: Dev, arn: str) -> dict[str, Any]:
    [shard] = emulator.client("dynamodbstreams").describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    found: dict[str, Any] = shard
    return found


def iterator(emulator: Dev, arn: str, kind: str = "TRIM_HORIZON", **place: Any) -> str:
    text: str = emulator.client("dynamodbstreams").get_shard_iterator(
        StreamArn=arn, ShardId=shard_of(emulator, arn)["ShardId"], ShardIteratorType=kind, **place
    )["ShardIterator"]
    return text


def records(emulator: Dev, arn: str, kind: str = "TRIM_HORIZON", **place: Any) -> list[dict[str, Any]]:
    """What GetRecords gives from there."""
    found: list[dict[str, Any]] = emulator.client("dynamodbstreams").get_records(
        ShardIterator=iterator(emulator, arn, kind, **place)
    )["Records"]
    return found

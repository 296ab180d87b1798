"""Global and local secondary indexes."""

from __future__ import annotations

from typing import Any

import pytest

from support.dynamodb import (
    GLOBAL_INDEX,
    INDEXED_ATTRIBUTES,
    create,
    invalid,
    key,
    number,
    owned,
    put,
    ranked,
    sort_keys,
    text,
)


def test_a_global_index_gives_items_across_groups_in_its_order_with_its_projection(db: Any, indexed: str) -> None:
    put(db, indexed, ranked("a", "1", "o", 10, secret=text("x")))
    put(db, indexed, ranked("b", "1", "o", 9))
    put(db, indexed, ranked("c", "1", "other", 1))
    put(db, indexed, key("d", "1"))
    assert owned(db, indexed)["Items"] == [ranked("b", "1", "o", 9), ranked("a", "1", "o", 10)]


def test_an_index_follows_updates_and_deletes(db: Any, indexed: str) -> None:
    put(db, indexed, ranked("a", "1", "o", 1))
    put(db, indexed, ranked("a", "2", "o", 2))

    def ranks() -> list[str]:
        return [item["rank"]["N"] for item in owned(db, indexed)["Items"]]

    change = {"TableName": indexed, "Key": key("a", "1")}
    db.update_item(
        **change,
        UpdateExpression="SET #r = :r",
        ExpressionAttributeNames={"#r": "rank"},
        ExpressionAttributeValues={":r": number(5)},
    )
    assert ranks() == ["2", "5"]
    db.update_item(**change, UpdateExpression="REMOVE #o", ExpressionAttributeNames={"#o": "owner"})
    assert ranks() == ["2"]
    db.delete_item(TableName=indexed, Key=key("a", "2"))
    assert ranks() == []


def test_pages_of_an_index_go_through_items_of_equal_index_keys(db: Any, indexed: str) -> None:
    for number_ in range(7):
        put(db, indexed, ranked("a", f"s{number_}", "o", 1))
    for forward in (True, False):
        seen: list[str] = []
        start: Any = {}
        while True:
            answer = owned(db, indexed, Limit=2, ScanIndexForward=forward, **start)
            seen += sort_keys(answer)
            if "LastEvaluatedKey" not in answer:
                break
            assert answer["LastEvaluatedKey"].keys() == {"pk", "sk", "owner", "rank"}
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        assert sorted(seen) == [f"s{n}" for n in range(7)]


def test_a_local_index_fetches_what_it_does_not_keep(db: Any, indexed: str) -> None:
    put(db, indexed, ranked("a", "1", "o", 10))
    put(db, indexed, ranked("a", "2", "o", 9))
    ask = {
        "TableName": indexed,
        "IndexName": "by-rank",
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": text("a")},
        "ConsistentRead": True,
    }
    kept = [{**key("a", "2"), "rank": number(9)}, {**key("a", "1"), "rank": number(10)}]
    assert db.query(**ask)["Items"] == kept
    whole = db.query(**ask, Select="ALL_ATTRIBUTES", ReturnConsumedCapacity="INDEXES")
    assert whole["Items"] == [ranked("a", "2", "o", 9), ranked("a", "1", "o", 10)]
    assert whole["ConsumedCapacity"]["Table"] == {"CapacityUnits": 2.0}
    assert [item["title"] for item in db.query(**ask, ProjectionExpression="title")["Items"]] == [
        text("t9"),
        text("t10"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"IndexName": "nope"}, "The table does not have the specified index: nope"),
        ({"ConsistentRead": True}, "Consistent reads are not supported on global secondary indexes"),
        (
            {"Select": "ALL_ATTRIBUTES"},
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global "
            "secondary index by-owner because its projection type is not ALL",
        ),
        (
            {"ProjectionExpression": "secret"},
            "One or more parameter values were invalid: Global secondary index by-owner does not project [secret]",
        ),
    ],
)
def test_what_an_index_cannot_do_is_refused(db: Any, indexed: str, options: Any, message: str) -> None:
    assert invalid(db.scan, TableName=indexed, **{"IndexName": "by-owner", **options}) == message


def test_an_index_key_of_the_wrong_type_is_refused(db: Any, indexed: str) -> None:
    message = (
        "One or more parameter values were invalid: Type mismatch for Index Key rank Expected: N Actual: S "
        "IndexName: by-owner"
    )
    assert invalid(db.put_item, TableName=indexed, Item={**key(), "rank": text("x")}) == message


def test_an_index_made_later_has_the_items_that_were_there(db: Any) -> None:
    name = create(db, {"pk": "S", "sk": "S"})
    put(db, name, ranked("a", "1", "o", 3))
    put(db, name, {**key("a", "2"), "owner": number(1)})
    db.update_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in INDEXED_ATTRIBUTES.items()
        ],
        GlobalSecondaryIndexUpdates=[{"Create": GLOBAL_INDEX}],
    )
    assert sort_keys(owned(db, name)) == ["1"]
    put(db, name, ranked("a", "3", "o", 1))
    assert sort_keys(owned(db, name)) == ["3", "1"]

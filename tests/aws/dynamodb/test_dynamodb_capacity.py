"""Consumed capacity and counts."""

from __future__ import annotations

from typing import Any

from support.dynamodb import key, number, owned, put, query, ranked, text, transact


def units(answer: Any) -> float:
    consumed: float = answer["ConsumedCapacity"]["CapacityUnits"]
    return consumed


def test_capacity_is_counted_as_aws_does(db: Any, table: str) -> None:
    asked = {"ReturnConsumedCapacity": "TOTAL"}
    big = {**key(), "x": text("y" * 3000)}
    assert units(put(db, table, key(), **asked)) == 1
    assert units(put(db, table, big, **asked)) == 3
    assert units(put(db, table, key(), **asked)) == 3
    put(db, table, {**key(), "x": text("y" * 5000)})
    read = {"TableName": table, "Key": key(), **asked}
    assert units(db.get_item(**read)) == 1
    assert units(db.get_item(**read, ConsistentRead=True)) == 2
    assert units(db.get_item(TableName=table, Key=key(sk="none"), **asked)) == 0.5
    assert units(query(db, table, **asked)) == 1
    answer = transact(db, {"Delete": {"TableName": table, "Key": key()}}, **asked)
    assert answer["ConsumedCapacity"] == [
        {"TableName": table, "CapacityUnits": 10.0, "WriteCapacityUnits": 10.0},
    ]


def test_writes_to_indexes_are_counted_by_index(db: Any, indexed: str) -> None:
    asked = {"ReturnConsumedCapacity": "INDEXES"}
    answer = put(db, indexed, ranked("a", "1", "o", 1), **asked)
    assert answer["ConsumedCapacity"] == {
        "TableName": indexed,
        "CapacityUnits": 3.0,
        "Table": {"CapacityUnits": 1.0},
        "GlobalSecondaryIndexes": {"by-owner": {"CapacityUnits": 1.0}},
        "LocalSecondaryIndexes": {"by-rank": {"CapacityUnits": 1.0}},
    }
    moved = put(db, indexed, ranked("a", "1", "o", 2), **asked)["ConsumedCapacity"]
    assert moved["GlobalSecondaryIndexes"]["by-owner"] == {"CapacityUnits": 2.0}
    same = put(db, indexed, ranked("a", "1", "o", 2, secret=text("x")), **asked)["ConsumedCapacity"]
    assert "GlobalSecondaryIndexes" not in same
    assert owned(db, indexed, **asked)["ConsumedCapacity"]["GlobalSecondaryIndexes"] == {
        "by-owner": {"CapacityUnits": 0.5}
    }


def test_describing_a_table_counts_its_items_and_bytes(db: Any, table: str) -> None:
    put(db, table, {**key("ab", "c"), "n": number("123.45"), "l": {"L": [text("x"), {"BOOL": True}]}})
    described = db.describe_table(TableName=table)["Table"]
    text_bytes = len("pk" + "ab" + "sk" + "c")
    number_bytes = len("n") + 4
    list_bytes = len("l") + 3 + 2 + 1 + 1
    assert (described["ItemCount"], described["TableSizeBytes"]) == (1, text_bytes + number_bytes + list_bytes)

"""Query and Scan."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.dynamodb import Item, create, invalid, key, number, put, query, sort_keys, text


def test_a_query_gives_one_group_in_order_of_its_sort_key(db: Any, ten: str) -> None:
    answer = query(db, ten)
    assert sort_keys(answer) == [f"s{n}" for n in range(10)]
    assert (answer["Count"], answer["ScannedCount"]) == (10, 10)
    assert "LastEvaluatedKey" not in answer
    assert sort_keys(query(db, ten, ScanIndexForward=False)) == [f"s{n}" for n in reversed(range(10))]


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("pk = :pk AND sk = :x", {":x": "s4"}, "4"),
        ("sk < :x AND pk = :pk", {":x": "s3"}, "012"),
        ("pk = :pk AND sk <= :x", {":x": "s3"}, "0123"),
        ("pk = :pk AND sk > :x", {":x": "s7"}, "89"),
        ("pk = :pk AND :x <= sk", {":x": "s7"}, "789"),
        ("pk = :pk AND sk BETWEEN :x AND :y", {":x": "s2", ":y": "s4"}, "234"),
        ("(pk = :pk) AND (begins_with(sk, :x))", {":x": "s5"}, "5"),
        ("pk = :pk AND begins_with(sk, :x)", {":x": "s"}, "0123456789"),
        ("pk = :pk AND begins_with(sk, :x)", {":x": "t"}, ""),
    ],
)
def test_a_key_condition_selects_a_range(
    db: Any, ten: str, condition: str, values: dict[str, str], expected: str
) -> None:
    typed = {name: text(value) for name, value in values.items()}
    assert sort_keys(query(db, ten, condition, values=typed)) == [f"s{n}" for n in expected]
    backward = sort_keys(query(db, ten, condition, values=typed, ScanIndexForward=False))
    assert backward == [f"s{n}" for n in reversed(expected)]


@pytest.mark.parametrize("forward", [True, False])
def test_pages_of_a_query_join_to_the_whole(db: Any, ten: str, forward: bool) -> None:
    seen: list[str] = []
    options: Any = {}
    while True:
        answer = query(db, ten, Limit=3, ScanIndexForward=forward, **options)
        seen += sort_keys(answer)
        if "LastEvaluatedKey" not in answer:
            break
        assert answer["Count"] == 3
        options = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    whole = [f"s{n}" for n in range(10)]
    assert seen == (whole if forward else whole[::-1])


@pytest.mark.parametrize(
    ("kind", "in_order"),
    [
        ("N", ["-10", "-9.5", "0", "0.0001", "2", "10", "1000"]),
        ("B", [b"\x00", b"\x00\xff", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff\xff"]),
        ("S", ["A", "a", "ab", "b", "\u00e9", "\uffee", "\U0001f642"]),
    ],
)
def test_sort_keys_are_ordered_by_magnitude_or_bytes(db: Any, kind: str, in_order: list[Any]) -> None:
    name = create(db, {"pk": "S", "sk": kind})
    for value in sorted(in_order, key=hash):
        db.put_item(TableName=name, Item={"pk": text("a"), "sk": {kind: value}})
    assert [item["sk"][kind] for item in query(db, name)["Items"]] == in_order
    if kind != "N":
        start = in_order[-2]
        answer = query(db, name, "pk = :pk AND begins_with(sk, :x)", values={":x": {kind: start}})
        assert [item["sk"][kind] for item in answer["Items"]] == [
            value for value in in_order if value[: len(start)] == start
        ]


def test_limit_counts_what_is_read_not_what_passes_the_filter(db: Any, ten: str) -> None:
    answer = query(db, ten, Limit=4, FilterExpression="n > :n", values={":n": number(2)})
    assert sort_keys(answer) == ["s3"]
    assert (answer["Count"], answer["ScannedCount"]) == (1, 4)
    assert answer["LastEvaluatedKey"] == key("a", "s3")


def test_counting_gives_no_items(db: Any, ten: str) -> None:
    answer = query(db, ten, Select="COUNT")
    assert answer["Count"] == 10
    assert "Items" not in answer


def test_a_page_ends_before_it_exceeds_a_megabyte(db: Any, table: str) -> None:
    for number_ in range(5):
        put(db, table, {**key("a", f"s{number_}"), "x": text("y" * 300_000)})
    answer = query(db, table)
    assert sort_keys(answer) == ["s0", "s1", "s2"]
    assert answer["LastEvaluatedKey"] == key("a", "s2")
    rest = query(db, table, ExclusiveStartKey=answer["LastEvaluatedKey"])
    assert sort_keys(rest) == ["s3", "s4"]
    assert "LastEvaluatedKey" not in rest


@pytest.mark.parametrize(
    ("condition", "values", "message"),
    [
        ("sk = :pk", {}, "Query condition missed key schema element: pk"),
        ("pk = :pk AND n = :x", {":x": number(1)}, "Query condition missed key schema element: sk"),
        ("pk > :pk", {}, "Query key condition not supported"),
        (
            "pk = :pk OR sk = :pk",
            {},
            "Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: OR",
        ),
        (
            "pk = :pk AND sk IN (:x)",
            {":x": text("a")},
            "Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: IN",
        ),
        (
            "pk = :pk AND sk > :x AND sk < :x",
            {":x": text("a")},
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
        (
            "pk = :pk AND sk = :x",
            {":x": number(1)},
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "pk = sk AND sk = :pk",
            {},
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
        ),
        (
            "pk = :pk AND size(sk) = :x",
            {":x": number(1)},
            "Invalid KeyConditionExpression: KeyConditionExpressions cannot contain nested operations",
        ),
    ],
)
def test_a_wrong_key_condition_is_refused(db: Any, table: str, condition: str, values: Any, message: str) -> None:
    answer = invalid(
        db.query,
        TableName=table,
        KeyConditionExpression=condition,
        ExpressionAttributeValues={":pk": text("a"), **values},
    )
    assert answer == message


def test_a_query_filter_may_not_name_the_key(db: Any, table: str) -> None:
    with pytest.raises(ClientError, match="Filter Expression can only contain non-primary key attributes"):
        query(db, table, FilterExpression="sk = :pk")


def test_a_start_key_must_lie_in_the_query(db: Any, ten: str) -> None:
    with pytest.raises(ClientError, match="The provided starting key is outside query boundaries"):
        query(db, ten, ExclusiveStartKey=key("b", "s1"))
    with pytest.raises(ClientError, match="The provided starting key is invalid"):
        query(db, ten, ExclusiveStartKey={"pk": text("a")})


def scan_all(db: Any, table: str, **options: Any) -> list[Item]:
    items: list[Item] = []
    start: Any = {}
    while True:
        answer = db.scan(TableName=table, **options, **start)
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return items
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def test_a_scan_in_pages_sees_every_item_once_while_others_are_deleted(db: Any, ten: str) -> None:
    first = db.scan(TableName=ten, Limit=6)
    for item in first["Items"]:
        db.delete_item(TableName=ten, Key={name: item[name] for name in ("pk", "sk")})
    rest = db.scan(TableName=ten, ExclusiveStartKey=first["LastEvaluatedKey"])
    seen = [(item["pk"]["S"], item["sk"]["S"]) for item in first["Items"] + rest["Items"]]
    assert len(seen) == len(set(seen)) == 15


def test_the_segments_of_a_parallel_scan_share_the_items_out(db: Any) -> None:
    name = create(db, {"pk": "S"})
    for number_ in range(100):
        db.put_item(TableName=name, Item={"pk": text(f"p{number_}")})
    segments = [scan_all(db, name, Segment=n, TotalSegments=4, Limit=7) for n in range(4)]
    assert sorted(item["pk"]["S"] for segment in segments for item in segment) == sorted(
        f"p{number_}" for number_ in range(100)
    )
    assert all(segments)
    message = invalid(db.scan, TableName=name, Segment=4, TotalSegments=4)
    assert message.endswith("Segment: 4 is not less than TotalSegments: 4")


def test_a_scan_filters_and_projects(db: Any, ten: str) -> None:
    items = scan_all(
        db,
        ten,
        FilterExpression="n >= :n AND pk = :a",
        ExpressionAttributeValues={":n": number(8), ":a": text("a")},
        ProjectionExpression="n",
    )
    assert sorted(item["n"]["N"] for item in items) == ["8", "9"]
    assert all(item.keys() == {"n"} for item in items)

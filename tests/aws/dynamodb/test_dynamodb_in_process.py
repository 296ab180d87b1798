"""The parts of the local DynamoDB without a server: numbers, keys, authorization, changes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.dynamodb import create, key, local_items, number, text
from treadle_local.aws.service import ROOT
from treadle_local.dynamodb.numbers import add, canonical_number, subtract
from treadle_local.dynamodb.ordered import TOP, SortedKeys
from treadle_local.dynamodb.table import EventName, Record


def test_numbers_are_equal_by_value_in_keys_too(db: Any) -> None:
    name = create(db, {"pk": "N"})
    db.put_item(TableName=name, Item={"pk": number("1.0")})
    assert db.get_item(TableName=name, Key={"pk": number("1")})["Item"] == {"pk": number(1)}
    assert db.get_item(TableName=name, Key={"pk": number("10e-1")})["Item"] == {"pk": number(1)}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**20), max_value=10**20))
def test_a_canonical_number_has_the_same_value_and_one_form(value: Decimal) -> None:
    canonical = canonical_number(str(value))
    assert Decimal(canonical) == value
    assert canonical_number(f"{value:E}") == canonical
    assert canonical_number(canonical) == canonical
    assert "E" not in canonical
    assert not canonical.startswith("+")


@given(st.integers(-(10**18), 10**18), st.integers(-(10**18), 10**18))
def test_sums_and_differences_are_exact(left: int, right: int) -> None:
    assert add(str(left), str(right)) == str(left + right)
    assert subtract(str(left), str(right)) == str(left - right)


TABLE_ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/t"


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("GetItem", {"TableName": "t", "Key": key()}, [("GetItem", TABLE_ARN, ["a"])]),
        ("PutItem", {"TableName": TABLE_ARN, "Item": key("z")}, [("PutItem", TABLE_ARN, ["z"])]),
        ("Scan", {"TableName": "t", "IndexName": "by-owner"}, [("Scan", f"{TABLE_ARN}/index/by-owner", None)]),
        (
            "Query",
            {
                "TableName": "t",
                "KeyConditionExpression": "#p = :p AND sk > :p",
                "ExpressionAttributeNames": {"#p": "pk"},
                "ExpressionAttributeValues": {":p": text("q")},
            },
            [("Query", TABLE_ARN, ["q"])],
        ),
        (
            "BatchWriteItem",
            {"RequestItems": {"t": [{"PutRequest": {"Item": key("x")}}, {"DeleteRequest": {"Key": key("y")}}]}},
            [("BatchWriteItem", TABLE_ARN, ["x", "y"])],
        ),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "t", "Item": key("x")}},
                    {"ConditionCheck": {"TableName": "t", "Key": key("y"), "ConditionExpression": "a = b"}},
                    {"Update": {"TableName": "u", "Key": key("y"), "UpdateExpression": "REMOVE a"}},
                ]
            },
            [
                ("PutItem", TABLE_ARN, ["x"]),
                ("ConditionCheckItem", TABLE_ARN, ["y"]),
                ("UpdateItem", TABLE_ARN[:-1] + "u", None),
            ],
        ),
        (
            "TransactGetItems",
            {"TransactItems": [{"Get": {"TableName": "t", "Key": key("x")}}]},
            [("GetItem", TABLE_ARN, ["x"])],
        ),
        ("Query", {"TableName": "t", "KeyConditionExpression": "no ="}, [("Query", TABLE_ARN, None)]),
        ("PutItem", {"Item": 5}, [("PutItem", TABLE_ARN[:-1], None)]),
        ("BatchGetItem", {"RequestItems": []}, []),
    ],
)
def test_an_operation_needs_an_action_on_each_table_with_the_keys_it_touches(
    operation: str, params: Any, expected: list[tuple[str, str, list[str] | None]]
) -> None:
    targets = local_items().targets(operation, params)
    assert [(target.action, target.resource, target.context.get("dynamodb:LeadingKeys")) for target in targets] == [
        (f"dynamodb:{action}", resource, keys) for action, resource, keys in expected
    ]


def test_every_change_is_told_with_the_item_before_and_after_and_no_change_is_not() -> None:
    items = local_items()
    told: list[tuple[Any, ...]] = []

    def tell(event: EventName, old: Record | None, new: Record | None, expired: bool) -> None:
        told.append((event, None if old is None else old.item, None if new is None else new.item, expired))

    items.table("t").on_change = tell
    first, second = {**key(), "n": number(1)}, {**key(), "n": number(2)}
    items.handle("PutItem", {"TableName": "t", "Item": first}, ROOT)
    items.handle("PutItem", {"TableName": "t", "Item": first}, ROOT)
    items.handle("PutItem", {"TableName": "t", "Item": second}, ROOT)
    items.handle("DeleteItem", {"TableName": "t", "Key": key()}, ROOT)
    items.handle("DeleteItem", {"TableName": "t", "Key": key()}, ROOT)
    assert told == [
        ("INSERT", None, first, False),
        ("MODIFY", first, second, False),
        ("REMOVE", second, None, False),
    ]


def test_an_answer_does_not_change_with_later_writes() -> None:
    items = local_items()
    items.handle("PutItem", {"TableName": "t", "Item": {**key(), "l": {"L": [text("x")]}}}, ROOT)
    answer = items.handle("GetItem", {"TableName": "t", "Key": key()}, ROOT)
    before = json.dumps(answer)
    for expression in ("SET l[0] = :v, n = :v", "SET l[4] = :v", "REMOVE l[0]"):
        values = {":v": text("y")} if ":v" in expression else None
        items.handle(
            "UpdateItem",
            {
                "TableName": "t",
                "Key": key(),
                "UpdateExpression": expression,
                "ExpressionAttributeValues": values,
            },
            ROOT,
        )
    assert json.dumps(answer) == before


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 2000)), max_size=3000),
    st.integers(0, 3),
    st.booleans(),
)
def test_sorted_keys_stay_sorted(steps: list[tuple[bool, int, int]], group: int, forward: bool) -> None:
    keys = SortedKeys()
    model: set[tuple[int, int]] = set()
    for adds, left, right in steps:
        entry = (left, right)
        if adds and entry not in model:
            keys.add(entry)
            model.add(entry)
        elif not adds and entry in model:
            keys.remove(entry)
            model.remove(entry)
    expected = sorted(entry for entry in model if entry[0] == group)
    found = list(keys.between((group,), (group, TOP), forward=forward))
    assert found == (expected if forward else expected[::-1])
    assert list(keys.between((), (TOP,))) == sorted(model)


def test_many_keys_in_any_order_are_kept_in_chunks_and_in_order() -> None:
    keys = SortedKeys()
    numbers = [n * 7919 % 10007 for n in range(10007)]
    for n in numbers:
        keys.add((n,))
    assert list(keys.between((100,), (9000,))) == [(n,) for n in range(100, 9000)]
    for n in numbers[::2]:
        keys.remove((n,))
    left = sorted(numbers[1::2])
    assert list(keys.between((), (TOP,), forward=False)) == [(n,) for n in reversed(left)]

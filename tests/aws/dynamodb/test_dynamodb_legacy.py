"""The parameters that the API had before expressions."""

from __future__ import annotations

from typing import Any

import pytest

from support.dynamodb import invalid, key, number, put, sort_keys, stored, text

Conditions = dict[str, Any]


def test_attributes_to_get_are_a_projection(db: Any, table: str) -> None:
    put(db, table, {**key(), "a": text("x"), "b": text("y")})
    assert db.get_item(TableName=table, Key=key(), AttributesToGet=["sk", "b", "c"])["Item"] == {
        "sk": text("1"),
        "b": text("y"),
    }
    request = {table: {"Keys": [key()], "AttributesToGet": ["a"]}}
    assert db.batch_get_item(RequestItems=request)["Responses"][table] == [{"a": text("x")}]
    message = invalid(db.get_item, TableName=table, Key=key(), AttributesToGet=["a", "a"])
    assert message == "One or more parameter values were invalid: Duplicate value in attribute name: a"


@pytest.mark.parametrize(
    ("expected", "options", "holds"),
    [
        ({"n": {"Value": number(5)}}, {}, True),
        ({"n": {"Value": number(6)}}, {}, False),
        ({"n": {"Value": number(5), "Exists": True}}, {}, True),
        ({"nothing": {"Exists": False}}, {}, True),
        ({"n": {"Exists": False}}, {}, False),
        ({"n": {"ComparisonOperator": "GT", "AttributeValueList": [number(4)]}}, {}, True),
        ({"n": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [number(1), number(4)]}}, {}, False),
        ({"s": {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [text("ab")]}}, {}, True),
        ({"s": {"ComparisonOperator": "IN", "AttributeValueList": [text("x"), text("abc")]}}, {}, True),
        ({"s": {"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [text("b")]}}, {}, False),
        ({"s": {"ComparisonOperator": "NOT_NULL"}, "z": {"ComparisonOperator": "NULL"}}, {}, True),
        ({"s": {"Exists": False}, "n": {"Value": number(5)}}, {"ConditionalOperator": "OR"}, True),
        ({"s": {"Exists": False}, "n": {"Value": number(5)}}, {"ConditionalOperator": "AND"}, False),
    ],
)
def test_what_is_expected_decides_the_write(
    db: Any, table: str, expected: Conditions, options: Any, holds: bool
) -> None:
    put(db, table, {**key(), "n": number(5), "s": text("abc")})
    replaced = {**key(), "new": text("x")}
    try:
        db.put_item(TableName=table, Item=replaced, Expected=expected, **options)
    except db.exceptions.ConditionalCheckFailedException:
        assert not holds
    else:
        assert holds
    assert (stored(db, table) == replaced) is holds


def test_attribute_updates_put_add_and_delete(db: Any, table: str) -> None:
    put(db, table, {**key(), "n": number(5), "s": {"SS": ["a", "b"]}, "gone": text("x"), "kept": text("y")})
    answer = db.update_item(
        TableName=table,
        Key=key(),
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": number(2)},
            "s": {"Action": "DELETE", "Value": {"SS": ["a"]}},
            "gone": {"Action": "DELETE"},
            "new": {"Value": text("z")},
            "count": {"Action": "ADD", "Value": number(1)},
        },
        ReturnValues="ALL_NEW",
    )
    assert answer["Attributes"] == {
        **key(),
        "n": number(7),
        "s": {"SS": ["b"]},
        "kept": text("y"),
        "new": text("z"),
        "count": number(1),
    }
    message = invalid(db.update_item, TableName=table, Key=key(), AttributeUpdates={"sk": {"Value": text("2")}})
    assert message.endswith("Cannot update attribute sk. This attribute is part of the key")


@pytest.mark.parametrize(
    ("operator", "values", "found"),
    [
        ("EQ", ["s3"], ["s3"]),
        ("LT", ["s2"], ["s0", "s1"]),
        ("GE", ["s8"], ["s8", "s9"]),
        ("BETWEEN", ["s3", "s5"], ["s3", "s4", "s5"]),
        ("BEGINS_WITH", ["s7"], ["s7"]),
    ],
)
def test_key_conditions_select_a_range(db: Any, ten: str, operator: str, values: list[str], found: list[str]) -> None:
    conditions = {
        "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [text("a")]},
        "sk": {"ComparisonOperator": operator, "AttributeValueList": [text(value) for value in values]},
    }
    assert sort_keys(db.query(TableName=ten, KeyConditions=conditions)) == found


def test_filters_pass_what_they_say(db: Any, ten: str) -> None:
    group = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [text("a")]}}
    some = {"n": {"ComparisonOperator": "LE", "AttributeValueList": [number(1)]}}
    answer = db.query(TableName=ten, KeyConditions=group, QueryFilter=some)
    assert (sort_keys(answer), answer["ScannedCount"]) == (["s0", "s1"], 10)
    scanned = db.scan(TableName=ten, ScanFilter={"n": {"ComparisonOperator": "NULL"}})
    assert (scanned["Count"], scanned["ScannedCount"]) == (5, 15)


def test_what_is_wrong_is_refused_in_aws_words(db: Any, table: str) -> None:
    both = invalid(
        db.put_item,
        TableName=table,
        Item=key(),
        Expected={"a": {"Exists": False}},
        ConditionExpression="attribute_exists(a)",
    )
    assert both == (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"
    )
    wrong: list[tuple[Conditions, str]] = [
        (
            {"a": {"ComparisonOperator": "EQ"}},
            "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
        ),
        (
            {"a": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [number(1)]}},
            "Invalid number of argument(s) for the BETWEEN ComparisonOperator",
        ),
        ({"a": {"Exists": True}}, "Value must be provided when Exists is true for Attribute: a"),
        (
            {"a": {"Exists": False, "Value": text("x")}},
            "Value cannot be used when Exists is false for Attribute: a",
        ),
    ]
    for expected, message in wrong:
        found = invalid(db.put_item, TableName=table, Item=key(), Expected=expected)
        assert found == f"One or more parameter values were invalid: {message}"
    alone = invalid(
        db.put_item, TableName=table, Item=key(), Expected={"a": {"Exists": False}}, ConditionalOperator="OR"
    )
    assert alone.endswith("ConditionalOperator can only be used when Filter or Expected has two or more elements")

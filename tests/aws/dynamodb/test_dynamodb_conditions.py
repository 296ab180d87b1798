"""Condition expressions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.dynamodb import ONE, Item, invalid, key, number, put, refused, stored, text

CONDITION_ITEM: Item = {
    **key(),
    "n": number(5),
    "t": text("hello"),
    "b": {"B": b"\x01\x02\x03"},
    "tags": {"SS": ["red", "blue"]},
    "list": {"L": [number("1.0"), text("x"), {"M": {"deep": text("down")}}]},
    "tree": {"M": {"branch": {"M": {"leaf": number(7)}}}},
    "yes": {"BOOL": True},
    "nil": {"NULL": True},
}
CONDITION_VALUES: Item = {
    ":4": number("4"),
    ":5": number("5.0"),
    ":6": number(6),
    ":7": number(7),
    ":he": text("he"),
    ":t": text("hello"),
    ":ell": text("ell"),
    ":red": text("red"),
    ":one": number(1),
    ":down": text("down"),
    ":S": text("S"),
    ":M": text("M"),
    ":yes": {"BOOL": True},
    ":bytes": {"B": b"\x01\x02"},
    ":set": {"SS": ["blue", "red"]},
}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("n = :5", True),
        ("n <> :5", False),
        ("n < :6 AND n > :4", True),
        ("n <= :5 and n >= :5", True),
        ("n < :t", False),
        ("nowhere < :5", False),
        ("nowhere = :5", False),
        ("nowhere <> :5", True),
        ("NOT nowhere = :5", True),
        ("n BETWEEN :4 AND :6", True),
        ("n BETWEEN :4 AND :6 AND t = :t", True),
        ("n BETWEEN :6 AND :7", False),
        ("t BETWEEN :he AND :t", True),
        ("n IN (:4, :5)", True),
        ("n IN (:4, :6)", False),
        ("attribute_exists(tree.branch.leaf)", True),
        ("attribute_exists(tree.branch.twig)", False),
        ("attribute_not_exists(#l[3])", True),
        ("attribute_not_exists(#l[2].deep)", False),
        ("attribute_type(tree, :M)", True),
        ("attribute_type(n, :S)", False),
        ("begins_with(t, :he)", True),
        ("begins_with(t, :ell)", False),
        ("begins_with(b, :bytes)", True),
        ("begins_with(n, :he)", False),
        ("contains(t, :ell)", True),
        ("contains(tags, :red)", True),
        ("contains(tags, :he)", False),
        ("contains(#l, :one)", True),
        ("contains(n, :5)", False),
        ("size(t) = :5", True),
        ("size(#l) < :4", True),
        ("size(b) < size(t)", True),
        ("size(n) < :7", False),
        ("tags = :set", True),
        ("yes = :yes", True),
        ("tree.branch.leaf = :7", True),
        ("#l[2].deep = :down", True),
        ("n = :4 OR n = :5 AND t = :t", True),
        ("(n = :4 OR n = :5) AND t = :he", False),
        ("NOT n = :4 AND NOT (t = :he)", True),
        (":5 = n", True),
        ("n IN (:4) OR NOT attribute_exists(nil) OR t > :he", True),
    ],
)
def test_a_condition_decides_the_write(db: Any, table: str, expression: str, holds: bool) -> None:
    put(db, table, CONDITION_ITEM)
    used = re.findall(r":\w+", expression)
    values = {name: CONDITION_VALUES[name] for name in used}
    options: Any = {"ConditionExpression": expression}
    if values:
        options["ExpressionAttributeValues"] = values
    if "#l" in expression:
        options["ExpressionAttributeNames"] = {"#l": "list"}
    if holds:
        put(db, table, key(), **options)
        assert stored(db, table) == key()
    else:
        code, message = refused(db.put_item, TableName=table, Item=key(), **options)
        assert (code, message) == ("ConditionalCheckFailedException", "The conditional request failed")
        assert stored(db, table) != key()


def test_a_failed_condition_shows_the_stored_item_only_when_asked(db: Any, table: str) -> None:
    item = {**key(), "x": number(1)}
    put(db, table, item)
    condition = {"TableName": table, "Key": key(), "ConditionExpression": "attribute_not_exists(pk)"}
    with pytest.raises(ClientError) as caught:
        db.delete_item(**condition, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.response.get("Item") == item
    with pytest.raises(ClientError) as caught:
        db.delete_item(**condition)
    assert "Item" not in caught.value.response


@pytest.mark.parametrize(
    ("expression", "names", "values", "message"),
    [
        ("", None, None, "Invalid ConditionExpression: The expression can not be empty;"),
        ("x =", None, None, 'Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "="'),
        ("x == :v", None, ONE, 'Invalid ConditionExpression: Syntax error; token: "=", near: "== :v"'),
        ("my-x = :v", None, ONE, 'Invalid ConditionExpression: Syntax error; token: "-", near: "my-x"'),
        (
            "name = :v",
            None,
            ONE,
            "Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: name",
        ),
        (
            "a.Status = :v",
            None,
            ONE,
            "Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: Status",
        ),
        (
            "#x = :v",
            None,
            ONE,
            "Invalid ConditionExpression: An expression attribute name used in the document path is not defined; "
            "attribute name: #x",
        ),
        (
            "x = :w",
            None,
            None,
            "Invalid ConditionExpression: An expression attribute value used in expression is not defined; "
            "attribute value: :w",
        ),
        (
            "x = :v",
            {"#y": "y"},
            ONE,
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#y}",
        ),
        (
            "attribute_exists(x)",
            None,
            ONE,
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}",
        ),
        ("nope(x)", None, None, "Invalid ConditionExpression: Invalid function name; function: nope"),
        (
            "size(x)",
            None,
            None,
            "Invalid ConditionExpression: The function is not allowed to be used this way in an expression; "
            "function: size",
        ),
        (
            "if_not_exists(x, :v) = :v",
            None,
            ONE,
            "Invalid ConditionExpression: The function is not allowed in a condition expression; "
            "function: if_not_exists",
        ),
        (
            "attribute_exists(:v)",
            None,
            ONE,
            "Invalid ConditionExpression: Operator or function requires a document path; "
            "operator or function: attribute_exists",
        ),
        (
            "begins_with(x)",
            None,
            None,
            "Invalid ConditionExpression: Incorrect number of operands for operator or function; "
            "operator or function: begins_with, number of operands: 1",
        ),
        (
            "begins_with(x, :v)",
            None,
            ONE,
            "Invalid ConditionExpression: Incorrect operand type for operator or function; "
            "operator or function: begins_with, operand type: N",
        ),
        (
            "x < :v",
            None,
            {":v": {"BOOL": True}},
            "Invalid ConditionExpression: Incorrect operand type for operator or function; "
            "operator or function: <, operand type: BOOL",
        ),
        (
            "x BETWEEN :v AND :w",
            None,
            {":v": number(2), ":w": number(1)},
            "Invalid ConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to "
            "lower bound; lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
        ),
        (
            "attribute_type(x, :v)",
            None,
            {":v": text("Z")},
            "Invalid ConditionExpression: Invalid attribute type name found; type: Z, "
            "valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "x = x",
            None,
            None,
            "Invalid ConditionExpression: The first operand must be distinct from the remaining operands for this "
            "operator or function; operator: =, first operand: [x]",
        ),
        ("((x = :v))", None, ONE, "Invalid ConditionExpression: The expression has redundant parentheses;"),
        (
            "x = :v AND " * 400 + "x = :v",
            None,
            ONE,
            "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size; expression size: 4406",
        ),
        (
            "x = :v",
            None,
            {":v": {"NS": []}},
            "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: "
            "An number set  may not be empty for key :v",
        ),
        ("x = :v", {"n": "y"}, ONE, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "n"'),
        (None, {"#n": "y"}, None, "ExpressionAttributeNames can only be specified when using expressions"),
        (
            None,
            None,
            ONE,
            "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
        ),
    ],
)
def test_a_wrong_condition_is_refused_in_aws_words(
    db: Any, table: str, expression: str | None, names: Any, values: Any, message: str
) -> None:
    options = {
        "ConditionExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    given = {name: value for name, value in options.items() if value is not None}
    assert invalid(db.put_item, TableName=table, Item=key(), **given) == message


@pytest.mark.parametrize("text_of", ["(" * 2000, "NOT " * 900 + "x = :v", "size(" * 700])
def test_an_expression_nested_without_end_is_refused(db: Any, table: str, text_of: str) -> None:
    message = invalid(
        db.put_item, TableName=table, Item=key(), ConditionExpression=text_of, ExpressionAttributeValues=ONE
    )
    assert message.startswith("Invalid ConditionExpression: The expression ")

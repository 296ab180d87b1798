"""Update expressions."""

from __future__ import annotations

from typing import Any

import pytest

from support.dynamodb import ONE, Item, invalid, key, number, put, stored, text, update


def test_update_creates_the_item_that_is_not_there(db: Any, table: str) -> None:
    assert update(db, table, "SET x = :v", ExpressionAttributeValues=ONE) == {"x": number(1)}
    db.update_item(TableName=table, Key=key(sk="2"))
    assert stored(db, table, sk="2") == key(sk="2")


@pytest.mark.parametrize(
    ("expression", "values", "after"),
    [
        ("SET n = n + :v", ONE, {"n": number(6)}),
        ("SET n = :v - n", ONE, {"n": number(-4)}),
        ("set n = if_not_exists(n, :v) + :v, m = if_not_exists(m, :v) + :v", ONE, {"n": number(6), "m": number(2)}),
        ("SET a = n, n = :v", ONE, {"a": number(5), "n": number(1)}),
        ("SET l = list_append(l, :l)", {":l": {"L": [text("z")]}}, {"l": {"L": [number(1), number(2), text("z")]}}),
        (
            "SET l = list_append(:l, if_not_exists(l, :l))",
            {":l": {"L": [text("z")]}},
            {"l": {"L": [text("z"), number(1), number(2)]}},
        ),
        ("SET l[0] = :v, l[7] = :v", ONE, {"l": {"L": [number(1), number(2), number(1)]}}),
        (
            "SET l[9] = :nine, l[5] = :five",
            {":nine": text("9"), ":five": text("5")},
            {"l": {"L": [number(1), number(2), text("5"), text("9")]}},
        ),
        ("SET m1.branch.x = :v", ONE, {"m1": {"M": {"branch": {"M": {"leaf": text("k"), "x": number(1)}}}}}),
        ("REMOVE l[0], n", None, {"l": {"L": [number(2)]}, "n": None}),
        ("REMOVE l[0], l[1]", None, {"l": {"L": []}}),
        ("REMOVE l[5], nowhere", None, {}),
        ("REMOVE m1.branch.leaf", None, {"m1": {"M": {"branch": {"M": {}}}}}),
        ("ADD n :v, fresh :v", ONE, {"n": number(6), "fresh": number(1)}),
        ("ADD s :s", {":s": {"SS": ["b", "c"]}}, {"s": {"SS": ["a", "b", "c"]}}),
        ("ADD m1.cnt :v", ONE, {"m1": {"M": {"branch": {"M": {"leaf": text("k")}}, "cnt": number(1)}}}),
        ("DELETE s :s", {":s": {"SS": ["b", "c"]}}, {"s": {"SS": ["a"]}}),
        ("DELETE s :s", {":s": {"SS": ["b", "a"]}}, {"s": None}),
        ("DELETE nowhere :s", {":s": {"SS": ["b"]}}, {}),
        (
            "SET x = :v REMOVE n ADD s :s DELETE s2 :s",
            {**ONE, ":s": {"SS": ["z"]}},
            {"x": number(1), "n": None, "s": {"SS": ["a", "b", "z"]}},
        ),
    ],
)
def test_update_expressions_change_what_they_name(
    db: Any, table: str, expression: str, values: Any, after: dict[str, Any]
) -> None:
    before: Item = {
        "n": number(5),
        "l": {"L": [number(1), number(2)]},
        "m1": {"M": {"branch": {"M": {"leaf": text("k")}}}},
        "s": {"SS": ["a", "b"]},
    }
    put(db, table, {**key(), **before})
    options = {} if values is None else {"ExpressionAttributeValues": values}
    expected = {name: value for name, value in {**before, **after}.items() if value is not None}
    assert update(db, table, expression, **options) == expected


@pytest.mark.parametrize(
    ("mode", "attributes"),
    [
        ("NONE", None),
        ("ALL_OLD", {**key(), "m": {"M": {"a": number(1), "b": number(2)}}, "gone": number(3)}),
        ("ALL_NEW", {**key(), "m": {"M": {"a": number(9), "b": number(2)}}}),
        ("UPDATED_OLD", {"m": {"M": {"a": number(1)}}, "gone": number(3)}),
        ("UPDATED_NEW", {"m": {"M": {"a": number(9)}}}),
    ],
)
def test_update_returns_what_is_asked(db: Any, table: str, mode: str, attributes: Any) -> None:
    put(db, table, {**key(), "m": {"M": {"a": number(1), "b": number(2)}}, "gone": number(3)})
    answer = db.update_item(
        TableName=table,
        Key=key(),
        UpdateExpression="SET m.a = :v REMOVE gone",
        ExpressionAttributeValues={":v": number(9)},
        ReturnValues=mode,
    )
    assert answer.get("Attributes") == attributes


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("SET x = nothing", None, "The provided expression refers to an attribute that does not exist in the item"),
        ("SET x.y = :v", ONE, "The document path provided in the update expression is invalid for update"),
        ("REMOVE x.y", None, "The document path provided in the update expression is invalid for update"),
        ("SET t = t + :v", ONE, "An operand in the update expression has an incorrect data type"),
        ("ADD t :v", ONE, "An operand in the update expression has an incorrect data type"),
        (
            "SET x = :s + :s",
            {":s": text("a")},
            "Invalid UpdateExpression: Incorrect operand type for operator or function; "
            "operator or function: +, operand type: S",
        ),
        (
            "ADD x :s",
            {":s": text("a")},
            "Invalid UpdateExpression: Incorrect operand type for operator or function; "
            "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "DELETE x :v",
            ONE,
            "Invalid UpdateExpression: Incorrect operand type for operator or function; "
            "operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND",
        ),
        (
            "SET x = :v SET y = :v",
            ONE,
            'Invalid UpdateExpression: The "SET" section can only be used once in an update expression;',
        ),
        (
            "SET x = :v, x.y = :v",
            ONE,
            "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of "
            "these paths; path one: [x], path two: [x, y]",
        ),
        (
            "SET x.y = :v REMOVE x[1]",
            ONE,
            "Invalid UpdateExpression: Two document paths conflict with each other; must remove or rewrite one of "
            "these paths; path one: [x, y], path two: [x, [1]]",
        ),
        (
            "SET x = attribute_exists(y)",
            None,
            "Invalid UpdateExpression: The function is not allowed in an update expression; function: attribute_exists",
        ),
        (
            "SET pk = :v",
            ONE,
            "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key",
        ),
        ("SET x = :v + :v + :v", ONE, 'Invalid UpdateExpression: Syntax error; token: "+", near: ":v + :v"'),
        ("FROB x", None, 'Invalid UpdateExpression: Syntax error; token: "FROB", near: "FROB x"'),
        (
            "SET x = big + :v",
            ONE,
            "Attempting to store more than 38 significant digits in a Number",
        ),
    ],
)
def test_a_wrong_update_is_refused_in_aws_words(
    db: Any, table: str, expression: str, values: Any, message: str
) -> None:
    before = {**key(), "t": text("text"), "big": number("1e100")}
    put(db, table, before)
    options = {} if values is None else {"ExpressionAttributeValues": values}
    assert invalid(db.update_item, TableName=table, Key=key(), UpdateExpression=expression, **options) == message
    assert stored(db, table) == {**before, "big": number("1" + "0" * 100)}


def test_a_hundred_increments_add_up(db: Any, table: str) -> None:
    for _ in range(100):
        update(db, table, "ADD hits :v", ExpressionAttributeValues=ONE)
    assert stored(db, table) == {**key(), "hits": number(100)}

"""DynamoDB's item operations in the emulator, as any AWS client sees them."""

from __future__ import annotations

import json
import re
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from support.dev import Dev
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.dynamodb.numbers import add, canonical_number, subtract
from treadle_local.dynamodb.ordered import TOP, SortedKeys
from treadle_local.dynamodb.service import DynamoDbItems
from treadle_local.dynamodb.table import EventName, Record

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


def key(pk: str = "a", sk: str = "1") -> Item:
    return {"pk": text(pk), "sk": text(sk)}


@pytest.fixture
def db(emulator: Dev) -> Any:
    return emulator.client("dynamodb")


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


@pytest.fixture
def table(db: Any) -> Iterator[str]:
    """A table with a text partition key `pk` and a text sort key `sk`."""
    name = create(db, {"pk": "S", "sk": "S"})
    yield name
    db.delete_table(TableName=name)


@pytest.fixture
def indexed(db: Any) -> Iterator[str]:
    """As `table`, with a global and a local index."""
    name = create(db, INDEXED_ATTRIBUTES, GlobalSecondaryIndexes=[GLOBAL_INDEX], LocalSecondaryIndexes=[LOCAL_INDEX])
    yield name
    db.delete_table(TableName=name)


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


# --- single items ---


def test_what_is_put_is_got_with_every_type(db: Any, table: str) -> None:
    item: Item = {
        **key(),
        "text": text("ä🙂"),
        "number": number("1.50"),
        "binary": {"B": b"\x00\xff"},
        "flag": {"BOOL": False},
        "nothing": {"NULL": True},
        "map": {"M": {"deep": {"L": [text(""), number("-0.0")]}, "": {"M": {}}}},
        "texts": {"SS": ["b", "a"]},
        "numbers": {"NS": ["10", "9.0"]},
        "binaries": {"BS": [b"b", b"a"]},
    }
    put(db, table, item)
    found = stored(db, table)
    assert found is not None
    assert found["number"] == number("1.5")
    assert found["map"] == {"M": {"deep": {"L": [text(""), number(0)]}, "": {"M": {}}}}
    assert sorted(found["texts"]["SS"]) == ["a", "b"]
    assert sorted(found["numbers"]["NS"]) == ["10", "9"]
    assert sorted(found["binaries"]["BS"]) == [b"a", b"b"]
    assert {name: found[name] for name in ("text", "binary", "flag", "nothing")} == {
        name: item[name] for name in ("text", "binary", "flag", "nothing")
    }


def test_a_missing_item_is_an_answer_without_item(db: Any, table: str) -> None:
    assert "Item" not in db.get_item(TableName=table, Key=key())


def test_put_replaces_the_whole_item_and_shows_the_old_one_when_asked(db: Any, table: str) -> None:
    old = {**key(), "x": number(1)}
    assert "Attributes" not in put(db, table, old, ReturnValues="ALL_OLD")
    assert put(db, table, {**key(), "y": number(2)}, ReturnValues="ALL_OLD")["Attributes"] == old
    assert stored(db, table) == {**key(), "y": number(2)}


def test_delete_shows_the_old_item_and_deleting_nothing_is_no_error(db: Any, table: str) -> None:
    item = {**key(), "x": number(1)}
    put(db, table, item)
    assert db.delete_item(TableName=table, Key=key(), ReturnValues="ALL_OLD")["Attributes"] == item
    assert "Attributes" not in db.delete_item(TableName=table, Key=key(), ReturnValues="ALL_OLD")
    assert stored(db, table) is None


def test_put_and_delete_refuse_the_return_values_of_update(db: Any, table: str) -> None:
    message = "Return values set to invalid value"
    assert invalid(db.put_item, TableName=table, Item=key(), ReturnValues="ALL_NEW") == message
    assert invalid(db.delete_item, TableName=table, Key=key(), ReturnValues="UPDATED_OLD") == message


def test_a_table_is_also_known_by_its_arn(db: Any, table: str) -> None:
    arn = db.describe_table(TableName=table)["Table"]["TableArn"]
    db.put_item(TableName=arn, Item=key())
    assert stored(db, table) == key()


def test_an_unknown_table_is_not_found(db: Any) -> None:
    answer = ("ResourceNotFoundException", "Requested resource not found")
    assert refused(db.get_item, TableName="no-such-table", Key=key()) == answer
    assert refused(db.put_item, TableName="no-such-table", Item=key()) == answer
    assert (
        refused(
            db.query,
            TableName="no-such-table",
            KeyConditionExpression="a = :a",
            ExpressionAttributeValues={":a": text("x")},
        )
        == answer
    )


def test_a_deleted_table_is_gone_and_a_new_one_of_its_name_is_empty(db: Any) -> None:
    name = create(db, {"pk": "S"})
    db.put_item(TableName=name, Item={"pk": text("a")})
    db.delete_table(TableName=name)
    assert refused(db.get_item, TableName=name, Key={"pk": text("a")})[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("given_item", "message"),
    [
        ({"pk": text("a")}, "One or more parameter values were invalid: Missing the key sk in the item"),
        (
            {"pk": number(1), "sk": text("1")},
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
        ),
        (
            key(sk=""),
            "One or more parameter values are not valid. "
            "The AttributeValue for a key attribute cannot contain an empty string value. Key: sk",
        ),
        (
            key(pk="é" * 1025),
            "One or more parameter values were invalid: "
            "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            key(sk="x" * 1025),
            "One or more parameter values were invalid: "
            "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ),
        (
            {**key(), "x": {"NULL": False}},
            "One or more parameter values were invalid: Null attribute value types must have the value of true",
        ),
        ({**key(), "x": {"SS": []}}, "One or more parameter values were invalid: An string set  may not be empty"),
        ({**key(), "x": {"NS": ["1", "1.0"]}}, "Input collection contains duplicates"),
        (
            {**key(), "x": {"SS": ["a", "a"]}},
            "One or more parameter values were invalid: Input collection [a, a] contains duplicates.",
        ),
        ({**key(), "x": number("abc")}, "The parameter cannot be converted to a numeric value: abc"),
        ({**key(), "x": number("NaN")}, "The parameter cannot be converted to a numeric value: NaN"),
        ({**key(), "x": number("")}, "The parameter cannot be converted to a numeric value"),
        ({**key(), "x": number("1" * 39)}, "Attempting to store more than 38 significant digits in a Number"),
        (
            {**key(), "x": number("1e126")},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            {**key(), "x": number("1e-99999999999999999999")},
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
        ({**key(), "x": text("x" * 400 * 1024)}, "Item size has exceeded the maximum allowed size"),
    ],
)
def test_put_refuses_what_breaks_a_rule(db: Any, table: str, given_item: Item, message: str) -> None:
    assert invalid(db.put_item, TableName=table, Item=given_item) == message


def test_an_item_of_exactly_400_kilobytes_is_taken(db: Any, table: str) -> None:
    room = 400 * 1024 - len("pk" + "a" + "sk" + "1" + "x")
    put(db, table, {**key(), "x": text("y" * room)})
    assert db.describe_table(TableName=table)["Table"]["TableSizeBytes"] == 400 * 1024
    assert invalid(db.put_item, TableName=table, Item={**key(), "x": text("y" * (room + 1))})
    message = invalid(
        db.update_item,
        TableName=table,
        Key=key(),
        UpdateExpression="SET z = :z",
        ExpressionAttributeValues={":z": text("")},
    )
    assert message == "Item size to update has exceeded the maximum allowed size"


def nested(levels: int) -> dict[str, Any]:
    value = text("x")
    for _ in range(levels):
        value = {"L": [value]}
    return value


def test_values_nest_32_levels_and_no_deeper(db: Any, table: str) -> None:
    put(db, table, {**key(), "x": nested(32)})
    message = invalid(db.put_item, TableName=table, Item={**key(), "x": nested(33)})
    assert message == "Nesting Levels have exceeded supported limits"
    path = "SET x" + "[0]" * 31 + " = :v"
    update(db, table, path, ExpressionAttributeValues={":v": nested(1)})
    with pytest.raises(ClientError, match="Nesting Levels"):
        update(db, table, path, ExpressionAttributeValues={":v": nested(2)})


def test_a_key_must_be_exactly_the_schema(db: Any, table: str) -> None:
    message = "The provided key element does not match the schema"
    for wrong in ({"pk": text("a")}, {**key(), "x": text("y")}, {"pk": text("a"), "sk": number(1)}):
        assert invalid(db.get_item, TableName=table, Key=wrong) == message
        assert invalid(db.delete_item, TableName=table, Key=wrong) == message
        assert invalid(db.update_item, TableName=table, Key=wrong) == message


# --- numbers ---


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


# --- conditions ---

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


ONE = {":v": number(1)}


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


# --- updates ---


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


@pytest.mark.parametrize(
    ("operation", "legacy"),
    [
        ("put_item", {"Item": key(), "Expected": {"x": {"Exists": False}}}),
        ("update_item", {"Key": key(), "AttributeUpdates": {"x": {"Action": "DELETE"}}}),
        ("get_item", {"Key": key(), "AttributesToGet": ["x"]}),
        ("query", {"KeyConditions": {}}),
        ("scan", {"ScanFilter": {}}),
    ],
)
def test_legacy_parameters_are_refused_by_name(db: Any, table: str, operation: str, legacy: Any) -> None:
    message = invalid(getattr(db, operation), TableName=table, **legacy)
    name = next(name for name in legacy if name not in ("Key", "Item"))
    assert message.startswith(f"The legacy parameter {name} is not built")


def test_partiql_is_refused_by_name(db: Any) -> None:
    code, message = refused(db.execute_statement, Statement='SELECT * FROM "x"')
    assert code == "UnknownOperationException"
    assert "ExecuteStatement" in message


# --- projections ---


def test_a_projection_keeps_what_it_names(db: Any, table: str) -> None:
    put(db, table, {**key(), "m": {"M": {"a": number(1), "b": number(2)}}, "l": {"L": [text(c) for c in "wxyz"]}})
    answer = db.get_item(
        TableName=table,
        Key=key(),
        ProjectionExpression="sk, #m.a, l[3], l[1], #m.nope, nothing",
        ExpressionAttributeNames={"#m": "m"},
    )
    assert answer["Item"] == {"sk": text("1"), "m": {"M": {"a": number(1)}}, "l": {"L": [text("x"), text("z")]}}


def test_overlapping_projections_are_refused(db: Any, table: str) -> None:
    message = invalid(db.get_item, TableName=table, Key=key(), ProjectionExpression="a.b, a")
    assert message.startswith("Invalid ProjectionExpression: Two document paths overlap with each other;")


# --- query and scan ---


@pytest.fixture
def ten(db: Any, table: str) -> str:
    """`table` with ten items in group a and five in group b, put out of order."""
    for number_ in (3, 7, 1, 9, 0, 5, 2, 8, 4, 6):
        put(db, table, {**key("a", f"s{number_}"), "n": number(number_)})
    for number_ in range(5):
        put(db, table, key("b", f"s{number_}"))
    return table


def query(db: Any, table: str, condition: str = "pk = :pk", **options: Any) -> Any:
    values = {":pk": text("a"), **options.pop("values", {})}
    return db.query(TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values, **options)


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


# --- indexes ---


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


# --- batches ---


def test_a_batch_writes_and_gets_many_items_of_many_tables(db: Any, table: str, indexed: str) -> None:
    put(db, table, key("gone", "1"))
    answer = db.batch_write_item(
        RequestItems={
            table: [
                {"PutRequest": {"Item": key("a", "1")}},
                {"DeleteRequest": {"Key": key("gone", "1")}},
            ],
            indexed: [{"PutRequest": {"Item": ranked("a", "1", "o", 1)}}],
        }
    )
    assert answer["UnprocessedItems"] == {}
    found = db.batch_get_item(
        RequestItems={
            table: {"Keys": [key("a", "1"), key("gone", "1")], "ConsistentRead": True},
            indexed: {"Keys": [key("a", "1")], "ProjectionExpression": "title"},
        }
    )
    assert found["Responses"] == {table: [key("a", "1")], indexed: [{"title": text("t1")}]}
    assert found["UnprocessedKeys"] == {}


def test_a_batch_with_one_wrong_item_writes_nothing(db: Any, table: str) -> None:
    requests = [{"PutRequest": {"Item": key("a", "1")}}, {"PutRequest": {"Item": {"pk": text("a")}}}]
    assert invalid(db.batch_write_item, RequestItems={table: requests})
    assert stored(db, table) is None


def test_batches_have_limits_and_no_duplicates(db: Any, table: str) -> None:
    message = "Provided list of item keys contains duplicates"
    twice = [{"PutRequest": {"Item": key()}}, {"DeleteRequest": {"Key": key()}}]
    assert invalid(db.batch_write_item, RequestItems={table: twice}) == message
    assert invalid(db.batch_get_item, RequestItems={table: {"Keys": [key(), key()]}}) == message
    many = [key(sk=str(number_)) for number_ in range(101)]
    assert invalid(db.batch_get_item, RequestItems={table: {"Keys": many}}).startswith("Too many items requested")
    assert invalid(db.batch_write_item, RequestItems={table: [{"PutRequest": {"Item": item}} for item in many[:26]]})


def test_a_batch_get_leaves_out_what_would_exceed_16_megabytes(db: Any, table: str) -> None:
    keys = [key("a", f"s{number_:02}") for number_ in range(45)]
    for wanted in keys:
        put(db, table, {**wanted, "x": text("y" * 390_000)})
    asked = {table: {"Keys": keys}}
    seen: list[str] = []
    calls = 0
    while asked:
        answer = db.batch_get_item(RequestItems=asked)
        seen += [item["sk"]["S"] for item in answer["Responses"].get(table, [])]
        asked = answer["UnprocessedKeys"]
        calls += 1
    assert sorted(seen) == [wanted["sk"]["S"] for wanted in keys]
    assert calls == 2


# --- transactions ---


def transact(db: Any, *operations: Any, **options: Any) -> Any:
    return db.transact_write_items(TransactItems=list(operations), **options)


def test_a_transaction_does_all_of_its_operations(db: Any, table: str) -> None:
    put(db, table, {**key(sk="1"), "n": number(1)})
    put(db, table, key(sk="2"))
    put(db, table, key(sk="3"))
    transact(
        db,
        {
            "Update": {
                "TableName": table,
                "Key": key(sk="1"),
                "UpdateExpression": "ADD n :v",
                "ExpressionAttributeValues": ONE,
            }
        },
        {"Delete": {"TableName": table, "Key": key(sk="2")}},
        {
            "ConditionCheck": {
                "TableName": table,
                "Key": key(sk="3"),
                "ConditionExpression": "attribute_exists(pk)",
            }
        },
        {"Put": {"TableName": table, "Item": key(sk="4")}},
    )
    assert query(db, table)["Items"] == [{**key(sk="1"), "n": number(2)}, key(sk="3"), key(sk="4")]


def test_a_transaction_with_one_failure_does_nothing_and_says_why(db: Any, table: str) -> None:
    item = {**key(sk="1"), "t": text("x")}
    put(db, table, item)
    with pytest.raises(ClientError) as caught:
        transact(
            db,
            {"Put": {"TableName": table, "Item": key(sk="2")}},
            {
                "Delete": {
                    "TableName": table,
                    "Key": key(sk="1"),
                    "ConditionExpression": "attribute_not_exists(pk)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            {
                "Update": {
                    "TableName": table,
                    "Key": key(sk="3"),
                    "UpdateExpression": "SET x = nothing",
                }
            },
        )
    response: Any = caught.value.response
    assert response["Error"]["Code"] == "TransactionCanceledException"
    assert response["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed, ValidationError]"
    )
    assert response["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": item},
        {
            "Code": "ValidationError",
            "Message": "The provided expression refers to an attribute that does not exist in the item",
        },
    ]
    assert query(db, table)["Items"] == [item]


def test_a_client_token_makes_a_transaction_happen_once_for_ten_minutes(db: Any, table: str, emulator: Dev) -> None:
    increment = {
        "Update": {
            "TableName": table,
            "Key": key(),
            "UpdateExpression": "ADD n :v",
            "ExpressionAttributeValues": ONE,
        }
    }
    token = uuid.uuid4().hex
    transact(db, increment, ClientRequestToken=token)
    transact(db, increment, ClientRequestToken=token)
    answer = transact(db, increment, ClientRequestToken=token, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == [
        {"TableName": table, "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0},
    ]
    assert stored(db, table) == {**key(), "n": number(1)}
    other = {"Put": {"TableName": table, "Item": key()}}
    code, _ = refused(db.transact_write_items, TransactItems=[other], ClientRequestToken=token)
    assert code == "IdempotentParameterMismatchException"
    emulator.advance(601)
    transact(db, increment, ClientRequestToken=token)
    assert stored(db, table) == {**key(), "n": number(2)}


def test_a_failed_transaction_may_be_tried_again_under_its_token(db: Any, table: str) -> None:
    attempt = {"Put": {"TableName": table, "Item": key(), "ConditionExpression": "attribute_not_exists(pk)"}}
    put(db, table, key())
    token = uuid.uuid4().hex
    code, _ = refused(db.transact_write_items, TransactItems=[attempt], ClientRequestToken=token)
    assert code == "TransactionCanceledException"
    db.delete_item(TableName=table, Key=key())
    transact(db, attempt, ClientRequestToken=token)
    assert stored(db, table) == key()


def test_two_operations_on_one_item_are_refused(db: Any, table: str) -> None:
    operation = {"Put": {"TableName": table, "Item": key()}}
    message = "Transaction request cannot include multiple operations on one item"
    assert invalid(db.transact_write_items, TransactItems=[operation, operation]) == message
    reading = {"Get": {"TableName": table, "Key": key()}}
    assert invalid(db.transact_get_items, TransactItems=[reading, reading]) == message


def test_a_transaction_has_at_most_100_items_and_4_megabytes(db: Any, table: str) -> None:
    operations = [{"Put": {"TableName": table, "Item": key(sk=str(n))}} for n in range(101)]
    transact(db, *operations[:100])
    assert "less than or equal to 100" in invalid(db.transact_write_items, TransactItems=operations)
    big = [{"Put": {"TableName": table, "Item": {**key(sk=f"b{n}"), "x": text("y" * 390_000)}}} for n in range(11)]
    assert invalid(db.transact_write_items, TransactItems=big)
    assert stored(db, table, sk="b0") is None


def test_a_transaction_reads_items_in_the_order_asked(db: Any, table: str) -> None:
    put(db, table, {**key(sk="1"), "x": number(1), "y": number(2)})
    put(db, table, key(sk="2"))
    answer = db.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": table, "Key": key(sk="2")}},
            {"Get": {"TableName": table, "Key": key(sk="missing")}},
            {"Get": {"TableName": table, "Key": key(sk="1"), "ProjectionExpression": "x"}},
        ]
    )
    assert answer["Responses"] == [{"Item": key(sk="2")}, {}, {"Item": {"x": number(1)}}]


# --- capacity ---


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


# --- time to live ---


def now_of(emulator: Dev) -> int:
    """The emulator's time in seconds since the epoch."""
    request = urllib.request.Request(
        f"{emulator.endpoint}/__treadle/clock",
        json.dumps({"advance_seconds": 0}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return int(json.load(response)["now"])


def test_expired_items_are_deleted_by_the_clock(db: Any, table: str, emulator: Dev) -> None:
    now = now_of(emulator)
    db.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
    put(db, table, {**key(sk="soon"), "until": number(now + 1000)})
    put(db, table, {**key(sk="later"), "until": number(now + 5000)})
    put(db, table, {**key(sk="renewed"), "until": number(now + 1000)})
    put(db, table, {**key(sk="renewed"), "until": number(now + 5000)})
    put(db, table, {**key(sk="text"), "until": text(str(now))})
    put(db, table, {**key(sk="long ago"), "until": number(now - 6 * 365 * 24 * 3600)})
    put(db, table, key(sk="never"))
    emulator.advance(1100)
    assert sort_keys(query(db, table)) == ["later", "long ago", "never", "renewed", "text"]
    emulator.advance(5000)
    assert sort_keys(query(db, table)) == ["long ago", "never", "text"]


# --- authorization ---


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


# --- in process ---


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

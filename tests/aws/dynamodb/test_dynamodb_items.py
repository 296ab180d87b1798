"""Single items through boto3: put, get and delete, and what of an item is shown."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.dynamodb import Item, create, invalid, key, nested, number, put, refused, stored, text, update


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


def test_values_nest_32_levels_and_no_deeper(db: Any, table: str) -> None:
    put(db, table, {**key(), "x": nested(32)})
    message = invalid(db.put_item, TableName=table, Item={**key(), "x": nested(33)})
    assert message == (
        "Nesting Levels have exceeded supported limits: "
        "Attributes in the item have nested levels beyond supported limit"
    )
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

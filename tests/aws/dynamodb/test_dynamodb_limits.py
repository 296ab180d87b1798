"""Limits of the API at the last byte that is taken and the first that is not.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

from typing import Any

import pytest

from support.dynamodb import INDEXED_ATTRIBUTES, LOCAL_INDEX, Item, create, invalid, key, number, put, stored, text
from support.dynamodb import update as updated


def binary(count: int) -> dict[str, Any]:
    return {"B": b"\xff" * count}


@pytest.mark.parametrize(
    ("taken", "refused", "message"),
    [
        (key("p" * 2048), key("p" * 2049), "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
        (key("é" * 1024), key("é" * 1024 + "p"), "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
        (
            key("p", "s" * 1024),
            key("p", "s" * 1025),
            "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ),
        (
            key("p", "\U0001f600" * 256),
            key("p", "\U0001f600" * 256 + "s"),
            "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ),
    ],
)
def test_keys_have_2048_and_1024_bytes(db: Any, table: str, taken: Item, refused: Item, message: str) -> None:
    put(db, table, taken)
    assert db.get_item(TableName=table, Key=taken)["Item"] == taken
    for call, params in ((db.put_item, {"Item": refused}), (db.get_item, {"Key": refused})):
        assert invalid(call, TableName=table, **params) == f"One or more parameter values were invalid: {message}"


def test_binary_keys_are_measured_decoded(db: Any) -> None:
    name = create(db, {"pk": "B"})
    put(db, name, {"pk": binary(2048)})
    assert "2048 bytes" in invalid(db.put_item, TableName=name, Item={"pk": binary(2049)})
    db.delete_table(TableName=name)


def test_keys_of_indexes_have_the_same_limits(db: Any) -> None:
    keys = [{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "rank", "KeyType": "RANGE"}]
    index = {"IndexName": "by-owner", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
    name = create(db, {"pk": "S", "owner": "S", "rank": "S"}, GlobalSecondaryIndexes=[index])
    put(db, name, {"pk": text("a"), "owner": text("o" * 2048), "rank": text("r" * 1024)})
    for wrong in ({"owner": text("o" * 2049)}, {"rank": text("r" * 1025)}):
        message = invalid(db.put_item, TableName=name, Item={"pk": text("a"), **wrong})
        assert message.endswith("bytes")
    # what is empty has no place in an index, and is refused
    assert "empty string value. IndexName: by-owner, IndexKey: owner" in invalid(
        db.put_item, TableName=name, Item={"pk": text("a"), "owner": text("")}
    )
    db.delete_table(TableName=name)


@pytest.mark.parametrize(
    ("taken", "refused", "message"),
    [
        ("1" * 38, "1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("0." + "1" * 38, "0." + "1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("1" * 38 + "000", "1" * 38 + "001", "Attempting to store more than 38 significant digits in a Number"),
        ("9" * 38 + "e88", "1e126", "Number overflow."),
        ("-" + "9" * 38 + "e88", "-1e126", "Number overflow."),
        ("1e-130", "1e-131", "Number underflow."),
        ("-1e-130", "-9.9e-131", "Number underflow."),
    ],
)
def test_numbers_have_38_digits_and_a_magnitude(db: Any, table: str, taken: str, refused: str, message: str) -> None:
    put(db, table, {**key(), "n": number(taken)})
    assert invalid(db.put_item, TableName=table, Item={**key(), "n": number(refused)}).startswith(message)


def test_an_expression_has_4_kilobytes(db: Any, table: str) -> None:
    def condition(size: int) -> str:
        start = "attribute_not_exists(a"
        return f"{start}{'a' * (size - len(start) - 1)})"

    assert len(condition(4096)) == 4096
    put(db, table, key(), ConditionExpression=condition(4096))
    message = invalid(db.put_item, TableName=table, Item=key(), ConditionExpression=condition(4097))
    assert message == (
        "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size; expression size: 4097"
    )


def test_an_expression_has_300_operators(db: Any, table: str) -> None:
    put(db, table, key())
    values = {":v": number(1)}

    def condition(comparisons: int) -> str:
        return " OR ".join(["a=:v"] * comparisons) + " OR attribute_exists(pk)"

    # 149 comparisons, 149 ORs and a function are 299; NOT is one more
    put(db, table, key(), ConditionExpression=condition(149), ExpressionAttributeValues=values)
    put(db, table, key(), ConditionExpression="NOT " + condition(149), ExpressionAttributeValues=values)
    message = invalid(
        db.put_item,
        TableName=table,
        Item=key(),
        ConditionExpression=condition(150),
        ExpressionAttributeValues=values,
    )
    assert message == "Invalid ConditionExpression: The expression contains too many operators; operator count: 301"


def test_in_has_100_operands(db: Any, table: str) -> None:
    put(db, table, {**key(), "n": number(1)})

    def params(count: int) -> dict[str, Any]:
        values = {f":v{n}": number(n) for n in range(count)}
        return {"ConditionExpression": f"n IN ({', '.join(values)})", "ExpressionAttributeValues": values}

    put(db, table, {**key(), "n": number(1)}, **params(100))
    message = invalid(db.put_item, TableName=table, Item=key(), **params(101))
    assert message.endswith("The IN operator is provided with too many operands; number of operands: 101")


def test_an_attribute_name_has_64_kilobytes(db: Any, table: str) -> None:
    put(db, table, {**key(), "n" * 65535: number(1), "m": {"M": {"é" * 32767: text("x")}}})
    for wrong in ({"n" * 65536: number(1)}, {"m": {"M": {"é" * 32768: text("x")}}}):
        message = invalid(db.put_item, TableName=table, Item={**key(), **wrong})
        assert message == (
            "One or more parameter values were invalid: Attribute name is too large, must be less than 65536 bytes"
        )
    assert "An attribute name may not be empty" in invalid(db.put_item, TableName=table, Item={**key(), "": number(1)})


def test_an_item_grows_to_400_kilobytes_by_updates_and_no_further(db: Any, table: str) -> None:
    room = 400 * 1024 - len("pk" + "a" + "sk" + "1" + "x")
    updated(db, table, "SET x = :v", ExpressionAttributeValues={":v": text("x" * room)})
    message = invalid(
        db.update_item,
        TableName=table,
        Key=key(),
        UpdateExpression="SET x = :v",
        ExpressionAttributeValues={":v": text("x" * (room + 1))},
    )
    assert message == "Item size to update has exceeded the maximum allowed size"
    assert stored(db, table) == {**key(), "x": text("x" * room)}


def test_empty_text_and_binary_are_values_but_no_keys(db: Any, table: str) -> None:
    put(db, table, {**key(), "t": text(""), "b": {"B": b""}, "l": {"L": []}, "m": {"M": {}}})
    assert stored(db, table) == {**key(), "t": text(""), "b": {"B": b""}, "l": {"L": []}, "m": {"M": {}}}
    for wrong in (key("", "1"), key("a", "")):
        assert "cannot contain an empty string value. Key: " in invalid(db.put_item, TableName=table, Item=wrong)


def test_item_collections_are_measured_where_there_are_local_indexes(db: Any, table: str) -> None:
    name = create(
        db,
        {key_: kind for key_, kind in INDEXED_ATTRIBUTES.items() if key_ != "owner"},
        LocalSecondaryIndexes=[LOCAL_INDEX],
    )
    wanted = {"ReturnItemCollectionMetrics": "SIZE"}
    expected = {"ItemCollectionKey": {"pk": text("a")}, "SizeEstimateRangeGB": [0.0, 1.0]}
    item = {**key(), "rank": number(1)}
    assert put(db, name, item, **wanted)["ItemCollectionMetrics"] == expected
    batch = db.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": item}}]}, **wanted)
    assert batch["ItemCollectionMetrics"] == {name: [expected]}
    transaction = db.transact_write_items(TransactItems=[{"Put": {"TableName": name, "Item": item}}], **wanted)
    assert transaction["ItemCollectionMetrics"] == {name: [expected]}
    assert db.delete_item(TableName=name, Key=key(), **wanted)["ItemCollectionMetrics"] == expected
    assert "ItemCollectionMetrics" not in put(db, table, item, **wanted)
    db.delete_table(TableName=name)

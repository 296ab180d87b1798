"""TransactGetItems and TransactWriteItems."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.dev import Dev
from support.dynamodb import ONE, invalid, key, number, put, query, refused, stored, text, transact


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

"""BatchGetItem and BatchWriteItem."""

from __future__ import annotations

from typing import Any

from support.dynamodb import invalid, key, put, ranked, stored, text


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

"""PartiQL statements one by one, through boto3 and the AWS CLI."""

# ruff: noqa: S608 # PartiQL is what is tested

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from support.dev import Dev
from support.dynamodb import Item, create, invalid, key, number, put, ranked, refused, sort_keys, stored, text
from support.judges import aws_cli_json


def run(db: Any, statement: str, *parameters: Any, **options: Any) -> Any:
    if parameters:
        options["Parameters"] = list(parameters)
    return db.execute_statement(Statement=statement, **options)


def items(db: Any, statement: str, *parameters: Any, **options: Any) -> list[Item]:
    found: list[Item] = run(db, statement, *parameters, **options)["Items"]
    return found


def wrong(db: Any, statement: str, *parameters: Any) -> str:
    options: dict[str, Any] = {"Parameters": list(parameters)} if parameters else {}
    return invalid(db.execute_statement, Statement=statement, **options)


def pages(db: Any, statement: str, limit: int) -> list[Item]:
    """All items, read that many at a time."""
    found: list[Item] = []
    answer: Any = {"NextToken": None}
    while "NextToken" in answer:
        more = {} if answer["NextToken"] is None else {"NextToken": answer["NextToken"]}
        answer = db.execute_statement(Statement=statement, Limit=limit, **more)
        found += answer["Items"]
    return found


def test_an_inserted_item_has_the_literals_and_parameters_of_the_statement(db: Any, table: str) -> None:
    statement = (
        f"insert INTO \"{table}\" value {{'pk': 'it''s', 'sk': ?, 'n': -1.50, 'yes': true, 'no': FALSE, 'nil': null, "
        "'list': [1, ?, {'deep': []}], 'numbers': <<2, 1>>, 'words': <<'b', 'a'>>} -- done"
    )
    assert items(db, statement, text("?"), {"B": b"\x00"}) == []
    assert stored(db, table, pk="it's", sk="?") == {
        **key("it's", "?"),
        "n": number("-1.5"),
        "yes": {"BOOL": True},
        "no": {"BOOL": False},
        "nil": {"NULL": True},
        "list": {"L": [number(1), {"B": b"\x00"}, {"M": {"deep": {"L": []}}}]},
        "numbers": {"NS": ["1", "2"]},
        "words": {"SS": ["a", "b"]},
    }


def test_an_item_is_inserted_once(db: Any, table: str) -> None:
    run(db, f'INSERT INTO "{table}" VALUE ?', {"M": key()})
    again = refused(db.execute_statement, Statement=f"INSERT INTO \"{table}\" VALUE {{'pk': 'a', 'sk': '1', 'n': 1}}")
    assert again == ("DuplicateItemException", "Duplicate primary key exists in table")
    assert stored(db, table) == key()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("pk = 'a' AND sk < 's3'", "012"),
        ("pk = 'a' AND sk BETWEEN 's3' AND 's5'", "345"),
        ("'s7' <= sk AND 'a' = pk", "789"),
        ("pk = 'a' AND begins_with(\"sk\", 's8')", "8"),
        ("pk = 'a' AND sk > 's2' AND sk <= 's4'", "34"),
        ("pk = 'a' AND (n = 1 OR n > 7)", "189"),
        ("pk = 'a' AND n IN [1, 3, 'x']", "13"),
        ("pk = 'a' AND n NOT IN (1, 2, 3, 4, 5, 6, 7, 8)", "09"),
        ("pk = 'a' AND NOT n <> 4", "4"),
        ("pk = 'a' AND n != 4 AND n < 6", "01235"),
        ("pk = 'a' AND size(sk) = 2 AND n = 0", "0"),
        ("pk = 'a' AND contains(sk, '6')", "6"),
        ("pk = 'a' AND attribute_type(n, 'S')", ""),
        ("pk = 'b' AND n IS MISSING", "01234"),
        ("n IS NOT MISSING AND n NOT BETWEEN 1 AND 9", "0"),
        ("pk = 'a' AND n IS NULL", ""),
        ("pk = 'a' AND sk > 's4' AND sk < 's3'", ""),
    ],
)
def test_where_selects(db: Any, ten: str, where: str, expected: str) -> None:
    answer = run(db, f'SELECT * FROM "{ten}" WHERE {where}')
    assert sort_keys(answer) == [f"s{digit}" for digit in expected]


def test_a_selected_path_has_its_last_name(db: Any, table: str) -> None:
    put(db, table, {**key(), "a": {"M": {"b": {"L": [number(1), {"M": {"c": text("x")}}]}}}})
    assert items(db, f"SELECT a.b[0], a.b[1].c, a['b'][9], sk FROM \"{table}\" WHERE pk = 'a'") == [
        {"b": number(1), "c": text("x"), "sk": text("1")}
    ]


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_join_to_all_in_the_order_asked_for(db: Any, ten: str, limit: int) -> None:
    def read(rest: str) -> list[str]:
        return [item["pk"]["S"] + item["sk"]["S"][1:] for item in pages(db, f'SELECT * FROM "{ten}" {rest}', limit)]

    a, b = [f"a{digit}" for digit in range(10)], [f"b{digit}" for digit in range(5)]
    merged = sorted(a + b, key=lambda name: (name[1], name[0]))
    assert sorted(read("")) == a + b
    assert read("WHERE pk = 'a' ORDER BY sk DESC") == a[::-1]
    assert read("WHERE pk IN ['b', 'a']") == b + a
    assert read("WHERE pk = 'b' OR pk = 'a' ORDER BY pk, sk DESC") == a[::-1] + b[::-1]
    by_sort = read("WHERE pk IN ['a', 'b'] ORDER BY sk")
    assert sorted(by_sort, key=lambda name: (name[1], name[0])) == merged
    assert [name[1] for name in by_sort] == [name[1] for name in merged]
    assert [name[1] for name in read("WHERE pk IN ['a', 'b'] ORDER BY sk DESC")] == [name[1] for name in merged][::-1]


def test_a_token_is_good_for_its_statement_only(db: Any, ten: str) -> None:
    token = run(db, f'SELECT * FROM "{ten}"', Limit=1)["NextToken"]
    for other in (f"SELECT * FROM \"{ten}\" WHERE pk = 'a'", f'SELECT sk FROM "{ten}"'):
        assert invalid(db.execute_statement, Statement=other, NextToken=token) == "The provided NextToken is invalid"
    assert (
        invalid(db.execute_statement, Statement=f'SELECT * FROM "{ten}"', NextToken="x")
        == "The provided NextToken is invalid"
    )


def test_an_index_is_read_by_its_key_and_projection(db: Any, indexed: str) -> None:
    for rank in (3, 1, 2):
        put(db, indexed, ranked("a", str(rank), "o", rank, extra=text("e")))
    put(db, indexed, key("a", "4"))
    source = f'"{indexed}"."by-owner"'
    found = run(db, f"SELECT * FROM {source} WHERE owner = 'o' ORDER BY rank DESC", ReturnConsumedCapacity="INDEXES")
    assert [item["rank"]["N"] for item in found["Items"]] == ["3", "2", "1"]
    assert "extra" not in found["Items"][0]
    assert found["ConsumedCapacity"]["GlobalSecondaryIndexes"] == {"by-owner": {"CapacityUnits": 0.5}}
    assert len(items(db, f"SELECT * FROM {source}")) == 3
    assert items(db, f'SELECT extra FROM "{indexed}"."by-rank" WHERE pk = \'a\' AND rank = 2') == [{"extra": text("e")}]
    assert wrong(db, f"SELECT extra FROM {source} WHERE owner = 'o'").endswith("does not project [extra]")
    assert wrong(db, f'SELECT * FROM "{indexed}"."none"') == "The table does not have the specified index"
    assert wrong(db, f"SELECT * FROM {source} WHERE owner = ?", number(1)).endswith("does not match schema type")


def test_update_sets_removes_and_returns(db: Any, table: str) -> None:
    put(
        db,
        table,
        {**key(), "n": number(5), "l": {"L": [number(1)]}, "s": {"NS": ["1", "2"]}, "m": {"M": {}}, "old": text("o")},
    )
    where = "WHERE pk = 'a' AND sk = '1'"
    changed = items(
        db,
        f'UPDATE "{table}" SET n = n + ? - 1, l = list_append(l, [2]) SET s = set_add(s, <<3>>), m.x = old '
        f"REMOVE old {where} AND n = 5 RETURNING ALL NEW *",
        number(3),
    )
    after = {
        **key(),
        "n": number(7),
        "l": {"L": [number(1), number(2)]},
        "s": {"NS": ["1", "2", "3"]},
        "m": {"M": {"x": text("o")}},
    }
    assert changed == [after]
    assert stored(db, table) == after
    assert items(db, f'UPDATE "{table}" SET s = set_delete(s, <<1, 2>>) {where} RETURNING MODIFIED NEW *') == [
        {"s": {"NS": ["3"]}}
    ]
    assert items(db, f'UPDATE "{table}" SET n = 0 {where} RETURNING MODIFIED OLD *') == [{"n": number(7)}]
    assert items(db, f'UPDATE "{table}" SET n = 1 {where}') == []


def test_update_and_delete_ask_their_condition_of_what_is_there(db: Any, table: str) -> None:
    put(db, table, {**key(), "n": number(1)})
    failed = ("ConditionalCheckFailedException", "The conditional request failed")
    for statement in (
        f"UPDATE \"{table}\" SET n = 2 WHERE pk = 'a' AND sk = 'none'",
        f"UPDATE \"{table}\" SET n = 2 WHERE pk = 'a' AND sk = '1' AND n = 9",
        f"DELETE FROM \"{table}\" WHERE pk = 'a' AND sk = '1' AND n = 9",
    ):
        assert refused(db.execute_statement, Statement=statement) == failed
    assert items(db, f"DELETE FROM \"{table}\" WHERE pk = 'a' AND sk = 'none' AND n = 9") == []
    assert items(db, f"DELETE FROM \"{table}\" WHERE pk = 'a' AND sk = '1' AND n = 1 RETURNING ALL OLD *") == [
        {**key(), "n": number(1)}
    ]
    assert stored(db, table) is None


def test_capacity_is_that_of_the_item_operations(db: Any, table: str) -> None:
    def units(statement: str, **options: Any) -> float:
        found: float = run(db, statement, ReturnConsumedCapacity="TOTAL", **options)["ConsumedCapacity"][
            "CapacityUnits"
        ]
        return found

    assert units(f"INSERT INTO \"{table}\" VALUE {{'pk': 'a', 'sk': '1', 'x': '{'x' * 5000}'}}") == 5
    assert units(f"SELECT * FROM \"{table}\" WHERE pk = 'a' AND sk = '1'") == 1
    assert units(f"SELECT * FROM \"{table}\" WHERE pk = 'a'", ConsistentRead=True) == 2
    assert units(f"DELETE FROM \"{table}\" WHERE pk = 'a' AND sk = '1'") == 5


_MALFORMED = "Statement wasn't well formed, can't be processed: "


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE TABLE t", _MALFORMED + "Expected data manipulation"),
        ("SELECT FROM T", _MALFORMED + "Unexpected keyword"),
        ("SELECT * FROM T WHERE", _MALFORMED + "Unexpected term"),
        ("SELECT * FROM T WHERE pk = 'a", _MALFORMED + "Unexpected term"),
        ("SELECT * FROM T WHERE pk = 'a' nonsense", _MALFORMED + "Unexpected token after expression"),
        ("SELECT * FROM T, T", _MALFORMED + "FROM clause may only contain a single table name"),
        ("SELECT count(*) FROM T", "Unexpected path component at 1:8:5"),
        ("SELECT * FROM T t", "Aliasing is not supported"),
        ("SELECT * FROM T WHERE pk LIKE 'a'", "Unsupported operation: Like"),
        ("SELECT * FROM T WHERE upper(pk) = 'A'", "Unrecognized function: upper at 1:42:5"),
        ("SELECT * FROM T WHERE pk = ?", "Number of parameters in request and statement don't match."),
        ("SELECT * FROM T ORDER BY sk", "Must have WHERE clause in the statement when using ORDER BY clause."),
        (
            "SELECT * FROM T WHERE pk = 'a' ORDER BY n",
            "Variable reference n in ORDER BY clause must be part of the primary key",
        ),
        (
            "UPDATE T SET n = 1 WHERE pk = 'a'",
            "Where clause does not contain a mandatory equality on all key attributes",
        ),
        ("DELETE FROM T", "Where clause does not contain a mandatory equality on all key attributes"),
        ("DELETE FROM T.i WHERE pk = 'a'", "This operation is not supported on an index"),
        (
            "DELETE FROM T WHERE pk = 'a' AND sk = 'b' RETURNING ALL NEW *",
            "Invalid returning clause: RETURNING ALL NEW *. Only RETURNING ALL OLD * is allowed in DELETE statements.",
        ),
        (
            "UPDATE T SET pk = 'b' WHERE pk = 'a' AND sk = '1'",
            "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key",
        ),
        (
            "INSERT INTO T VALUE {'sk': '1'}",
            "One or more parameter values were invalid: Missing the key pk in the item",
        ),
        ("INSERT INTO T VALUE {'pk': <<>>}", "Empty bags are not supported"),
    ],
)
def test_a_wrong_statement_is_refused(db: Any, table: str, statement: str, message: str) -> None:
    put(db, table, key())
    assert wrong(db, re.sub(r"\bT\b", f'"{table}"', statement)) == message


def test_a_table_that_is_not_there_is_named(db: Any) -> None:
    said = refused(db.execute_statement, Statement='SELECT * FROM "nowhere"')
    assert said == ("ResourceNotFoundException", "Requested resource not found: Table: nowhere not found")


def test_a_failed_condition_shows_the_item_when_asked(db: Any, table: str) -> None:
    put(db, table, {**key(), "n": number(1)})
    with pytest.raises(db.exceptions.ConditionalCheckFailedException) as caught:
        db.execute_statement(
            Statement=f"UPDATE \"{table}\" SET n = 2 WHERE pk = 'a' AND sk = '1' AND n = 9",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Item"] == {**key(), "n": number(1)}


def test_a_page_ends_before_a_megabyte(db: Any, table: str) -> None:
    for number_ in range(3):
        put(db, table, {**key("a", str(number_)), "x": text("x" * 390_000)})
    answer = run(db, f"SELECT sk FROM \"{table}\" WHERE pk = 'a'")
    assert sort_keys(answer) == ["0", "1"]
    assert answer["LastEvaluatedKey"] == key("a", "1")
    rest = run(db, f"SELECT sk FROM \"{table}\" WHERE pk = 'a'", NextToken=answer["NextToken"])
    assert sort_keys(rest) == ["2"]


def test_the_cli_runs_statements(emulator: Dev, db: Any) -> None:
    name = create(db, {"pk": "S"})
    aws = ("dynamodb", "execute-statement", "--statement")
    aws_cli_json(emulator.endpoint, *aws, f"INSERT INTO \"{name}\" VALUE {{'pk': 'a', 'n': 1}}")
    parameters = ("--parameters", json.dumps([text("a")]))
    found = aws_cli_json(emulator.endpoint, *aws, f'SELECT n FROM "{name}" WHERE pk = ?', *parameters)
    assert found["Items"] == [{"n": number(1)}]
    together = json.dumps([{"Statement": f"DELETE FROM \"{name}\" WHERE pk = 'a'"}])
    aws_cli_json(emulator.endpoint, "dynamodb", "execute-transaction", "--transact-statements", together)
    assert db.scan(TableName=name)["Count"] == 0

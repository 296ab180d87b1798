"""`update`: changes to fields of a stored value, done in one step."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.names import Names

from .fake_aws import FakeAws
from .handler_runs import error, errors, run, value, values_at_once
from .step_folder import StepFolder

TABLE = Names("shop", "dev").state_table()


def put(path: str, value: Any) -> dict[str, Any]:
    return {"type": "set", "path": path, "value": value}


def merge(value: Any) -> dict[str, Any]:
    return {"type": "merge", "value": value}


def up(path: str, by: float) -> dict[str, Any]:
    return {"type": "increment", "path": path, "by": by}


def down(path: str, by: float) -> dict[str, Any]:
    return {"type": "decrement", "path": path, "by": by}


def drop(path: str) -> dict[str, Any]:
    return {"type": "remove", "path": path}


MANY = {f"f{number}": number for number in range(90)}
UPDATES: list[tuple[str, Any, list[dict[str, Any]], Any]] = [
    ("nothing", {"a": 1}, [], {"a": 1}),
    ("a field", {"a": 1, "b": 2}, [put("a", [1, {"x": None}])], {"a": [1, {"x": None}], "b": 2}),
    ("a new field", {}, [put("é.b #1", "v")], {"é.b #1": "v"}),
    ("null", {"a": 1}, [put("a", None)], {"a": None}),
    ("the whole", {"a": 1}, [put("", [1])], [1]),
    ("the whole of no object", [1], [put("", {"a": 1})], {"a": 1}),
    ("the whole and then a field", 5, [put("", {}), up("n", 2)], {"n": 2}),
    ("several fields", {"a": 1, "b": 1}, [merge({"b": 2, "c": {"d": 3}})], {"a": 1, "b": 2, "c": {"d": 3}}),
    ("no fields", {"a": 1}, [{**merge({}), "path": None}], {"a": 1}),
    ("one up", {"n": 1}, [up("n", 1)], {"n": 2}),
    ("a fraction up", {"n": 0.1}, [up("n", 0.2)], {"n": 0.3}),
    ("a fraction up, twice", {"n": 0.1}, [up("n", 0.2), up("n", 0.1)], {"n": 0.4}),
    ("a long number up", {"n": 10**30}, [up("n", 1)], {"n": 10**30 + 1}),
    ("one up from nothing", {}, [up("n", 3)], {"n": 3}),
    ("one up from a text", {"n": "x"}, [up("n", 3)], {"n": 3}),
    ("one up from true", {"n": True}, [up("n", 3)], {"n": 3}),
    ("three down", {"n": 1}, [down("n", 3)], {"n": -2}),
    ("three down from nothing", {}, [down("n", 3)], {"n": -3}),
    ("three down from a text", {"n": "x"}, [down("n", 3)], {"n": 0}),
    ("a field away", {"a": 1, "b": 2}, [drop("a")], {"b": 2}),
    ("no field away", {"b": 2}, [drop("a")], {"b": 2}),
    ("a missing value", None, [put("a", 1)], {"a": 1}),
    ("a missing value's field away", None, [drop("a")], {}),
    ("different fields", {"a": 1, "b": 1, "c": 1}, [up("a", 1), drop("b"), put("c", 9)], {"a": 2, "c": 9}),
    ("one field thrice", {"a": 1}, [up("a", 1), down("a", 5), up("a", 10)], {"a": 7}),
    ("a field away and back", {"a": 1}, [drop("a"), down("a", 2)], {"a": -2}),
    ("ninety fields", {}, [merge(MANY)], MANY),
    ("forty fields up", MANY, [up(f"f{n}", 1) for n in range(40)], {**MANY, **{f"f{n}": n + 1 for n in range(40)}}),
    ("forty-one fields up", MANY, [up(f"f{n}", 1) for n in range(41)], {**MANY, **{f"f{n}": n + 1 for n in range(41)}}),
]


@pytest.mark.motia("6", "state has atomic updates, as in 1.0")
def test_updates_do_what_motias_do(folder: StepFolder, aws: FakeAws) -> None:
    cases = [(before, ops) for _, before, ops, _ in UPDATES]
    body = f"""
    out = []
    for before, ops in json.loads({json.dumps(json.dumps(cases))}):
        await c.state.delete("k")
        if before is not None:
            await c.state.set("k", before)
        out.append([await c.state.update("k", ops), await c.state.get("k")])
    return {{"body": out}}
    """
    found = value(folder, aws, body)

    for (name, before, _, after), (answer, stored) in zip(UPDATES, found, strict=True):
        assert answer == {"old_value": before, "new_value": after}, name
        assert stored == after, name


def test_an_update_of_fields_is_one_request(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    await c.state.set("k", {"n": 1, "s": "x"})
    await c.state.update("k", [{"type": "increment", "path": "n", "by": 1}, {"type": "remove", "path": "s"}])
    return {"body": (await c.state.get_with_version("k"))}
    """
    done = run(folder, aws, body)

    assert [asked.operation for asked in aws.asked] == ["UpdateItem", "UpdateItem", "GetItem"]
    assert json.loads(done.answer.result["body"]) == [{"n": 2}, 2]
    assert done.records[0]["state"] == {"set": 1, "update": 1, "get": 1, "readUnits": 1.0, "writeUnits": 2.0}


def test_models_are_operations_too(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    class Increment:
        def model_dump(self, mode):
            return {"type": "increment", "path": "n", "by": 2}
    return {"body": (await c.state.update("k", (Increment(),)))}
    """
    assert value(folder, aws, body) == {"old_value": None, "new_value": {"n": 2}}


def test_what_is_no_operation_is_refused_by_its_number(folder: StepFolder, aws: FakeAws) -> None:
    cases = [
        ("{}", "TypeError", "state.update: `ops` must be a list of operations such as"),
        ("[5]", "TypeError", "state.update: ops[0] must be a dict"),
        ("[{'op': 'set', 'path': '/a', 'value': 1}]", "ValueError", "`type` must be one of set, merge, increment"),
        ("[{'type': 'append', 'path': 'a', 'value': 1}]", "ValueError", "not 'append'"),
        ("[{'type': 'set', 'path': 'a'}]", "ValueError", "ops[0]: `set` needs `value`"),
        ("[{'type': 'increment'}]", "ValueError", "ops[0]: `increment` needs `path`, `by`"),
        ("[{'type': 'remove', 'path': 'a'}, {'type': 'remove', 'path': ''}]", "ValueError", "ops[1]: `path` must name"),
        ("[{'type': 'remove', 'path': 5}]", "TypeError", "ops[0]: `path` must be a text, not int"),
        ("[{'type': 'increment', 'path': 'a', 'by': '1'}]", "TypeError", "ops[0]: `by` must be a number, not str"),
        ("[{'type': 'increment', 'path': 'a', 'by': True}]", "TypeError", "ops[0]: `by` must be a number, not bool"),
        ("[{'type': 'decrement', 'path': 'a', 'by': float('inf')}]", "InvalidValue", "ops[0].by is inf"),
        (
            "[{'type': 'remove', 'path': 'a'}, {'type': 'merge', 'value': {'x': c}}]",
            "InvalidValue",
            "ops[1].value.x is a",
        ),
        ("[{'type': 'merge', 'path': 'a', 'value': {}}]", "ValueError", "ops[0]: `merge` merges into the whole value"),
        ("[{'type': 'merge', 'value': [1]}]", "TypeError", "ops[0]: `value` must be a dict, not list"),
    ]
    found = errors(folder, aws, [f"c.state.update('k', {ops})" for ops, _, _ in cases])

    for (ops, kind, words), one in zip(cases, found, strict=True):
        assert (one["type"], words in one["message"]) == (kind, True), (ops, one)
    assert aws.asked == []


def test_fields_of_a_value_that_has_none_are_refused(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    await c.state.set("g", "k", [1])
    await c.state.update("g", "k", [{"type": "set", "path": "a", "value": 1}])
    """
    found = error(folder, aws, body)

    assert found["type"] == "InvalidValue"
    assert found["message"].startswith("state.update: `k` of group `g` is no object and has no fields")
    assert aws.rows(TABLE)[0]["value"] == {"L": [{"N": "1"}]}


INCREMENT = '[{"type": "increment", "path": "n", "by": 1}]'
TWICE = '[{"type": "increment", "path": "n", "by": 1}, {"type": "increment", "path": "n", "by": 1}]'


@pytest.mark.parametrize(("ops", "times", "expected"), [(INCREMENT, 100, 200), (TWICE, 30, 120)])
def test_updates_by_two_processes_at_once_are_all_counted(
    tmp_path: Path, aws: FakeAws, ops: str, times: int, expected: int
) -> None:
    """Also where the value is not there yet, and where the operations are more than one expression can say."""
    body = f"for _ in range({times}):\n    await c.state.update('k', {ops})\nreturn {{'body': 1}}"
    assert values_at_once(tmp_path, aws, body) == [1, 1]
    (row,) = aws.rows(TABLE)
    assert row["value"] == {"M": {"n": {"N": str(expected)}}}
    assert row["version"] == {"N": str(2 * times)}


def test_an_update_that_is_always_too_late_says_so(folder: StepFolder, aws: FakeAws) -> None:
    interfere(aws, lambda number: {"M": {"n": {"N": str(number)}}})
    body = f"await c.state.set('g', 'k', {{}})\nawait c.state.update('g', 'k', {TWICE})"
    found = error(folder, aws, body)

    assert found["type"] == "WriteContention"
    assert found["message"] == "`k` of group `g` was changed by others before each of 12 attempts"


def interfere(aws: FakeAws, value: Callable[[int], dict[str, Any]]) -> None:
    """Has somebody else write the value after each read of it."""
    answer, written = aws.store.handle, [0]

    def handle(operation: str, params: Any, caller: Any) -> Any:
        result = answer(operation, params, caller)
        if operation == "GetItem":
            written[0] += 1
            changed = {**result["Item"], "value": value(written[0])}
            answer("PutItem", {"TableName": TABLE, "Item": changed}, caller)
        return result

    aws.store.handle = handle  # type: ignore[method-assign]

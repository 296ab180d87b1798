"""How state and streams are called: with the group or without, by position and by keyword."""

from __future__ import annotations

import pytest

from treadle.names import Names

from .fake_aws import FakeAws
from .handler_runs import errors, value
from .step_folder import StepFolder

NAMES = Names("shop", "dev")
STATE, STREAM = NAMES.state_table(), NAMES.stream_table("m")

STATE_WRITES = {
    "state.set(K, 1)": "default",
    "state.set('g', K, 1)": "g",
    "state.set(group='g', key=K, value=1)": "g",
    "state.set(key=K, value=1)": "default",
    "state.set(K, value=1)": "default",
    "state.set('g', K, value=1)": "g",
    "state.set(K, 1, group='g')": "g",
    "state.set('g', 1, key=K)": "g",
    "state.set(1, key=K)": "default",
    "state.set('g', K, 1, ttl_seconds=60)": "g",
    "state.set(K, 1, expected_version=0)": "default",
    "state.update(K, [])": "default",
    "state.update('g', K, [])": "g",
    "state.update(group='g', key=K, ops=[])": "g",
    "state.update(K, ops=[])": "default",
    "state.update('g', [], key=K)": "g",
}
STREAM_WRITES = {
    "streams.m.set(K, {})": "default",
    "streams.m.set('g', K, {})": "g",
    "streams.m.set(group_id='g', id=K, data={})": "g",
    "streams.m.set(id=K, data={})": "default",
    "streams.m.set(K, data={})": "default",
    "streams.m.set(K, {}, group_id='g')": "g",
    "streams.m.set({}, id=K)": "default",
    "streams.m.set('g', K, {}, ttl_seconds=1.5)": "g",
    "streams.m.update(K, [])": "default",
    "streams.m.update('g', K, ops=[])": "g",
    "streams.m.update(group_id='g', id=K, ops=[])": "g",
}
STATE_READS = {
    "('k')": "default",
    "('g', 'k')": "g",
    "(key='k')": "default",
    "('g', key='k')": "g",
    "('k', group='g')": "g",
    "(group='g', key='k')": "g",
}
WRONG_CALLS = [
    ("state.set('k')", "state.set() takes 2 or 3 arguments (group, key, value), got 1"),
    ("state.set()", "got 0"),
    ("state.set('g', 'k', 1, 2)", "got 4"),
    ("state.set('g', 'k', 1, value=2)", "got 4"),
    ("state.set('k', 1, id='k')", "state.set() has no argument `id`; it takes group, key, value"),
    ("state.get()", "state.get() takes 1 or 2 arguments (group, key), got 0"),
    ("state.get('g', 'k', 'x')", "got 3"),
    ("state.get_with_version()", "state.get_with_version() takes 1 or 2"),
    ("state.delete('g', 'k', 1)", "state.delete() takes 1 or 2 arguments (group, key), got 3"),
    ("state.get_group('g', 'k')", "state.get_group() takes 0 or 1 arguments (group), got 2"),
    ("state.clear(group_id='g')", "state.clear() has no argument `group_id`"),
    ("state.update('k')", "state.update() takes 2 or 3 arguments (group, key, ops), got 1"),
    ("state.get(None, 'k')", "`group` must be a text, not NoneType"),
    ("state.get('g', 1.5)", "`key` must be a text, not float"),
    ("state.get('g', True)", "`key` must be a text, not bool"),
    ("state.list_groups('g')", "takes 1 positional argument but 2 were given"),
    ("streams.m.set({})", "streams.m.set() takes 2 or 3 arguments (group_id, id, data), got 1"),
    ("streams.m.set('1', 'text')", "streams.m.set: `data` must be a dict, not str"),
    ("streams.m.set('1', None)", "streams.m.set: `data` must be a dict, not NoneType"),
    ("streams.m.get(key='1')", "streams.m.get() has no argument `key`; it takes group_id, id"),
    ("streams.m.delete('g', '1', {})", "streams.m.delete() takes 1 or 2 arguments (group_id, id), got 3"),
    ("streams.m.get_group('g', '1')", "streams.m.get_group() takes 0 or 1 arguments (group_id), got 2"),
    ("streams.m.get([], '1')", "`group_id` must be a text, not list"),
    ("streams.m.send('g')", "missing 1 required positional argument: 'event'"),
    ("streams.m.send('g', {}, 1)", "takes 3 positional arguments but 4 were given"),
    ("streams.m.send(group='g', event={})", "unexpected keyword argument 'group'"),
]


@pytest.mark.parametrize(("table", "key_name", "calls"), [(STATE, "key", STATE_WRITES), (STREAM, "id", STREAM_WRITES)])
def test_writes_take_their_arguments_by_position_and_by_keyword(
    folder: StepFolder, aws: FakeAws, table: str, key_name: str, calls: dict[str, str]
) -> None:
    lines = [f"K = 'k{number:02}'; await c.{call}" for number, call in enumerate(calls)]

    value(folder, aws, "\n".join([*lines, "return {'body': 1}"]), streams=["m"])

    found = {row[key_name]["S"]: row["group"]["S"] for row in aws.rows(table)}
    assert found == {f"k{number:02}": group for number, group in enumerate(calls.values())}


@pytest.mark.parametrize("method", ["state.get", "state.get_with_version", "state.delete"])
def test_state_is_read_by_position_and_by_keyword(folder: StepFolder, aws: FakeAws, method: str) -> None:
    body = "out = []"
    for form in STATE_READS:
        body += "\nawait c.state.set('k', 'default'); await c.state.set('g', 'k', 'g')"
        body += f"\nout.append(await c.{method}{form})"
    found = value(folder, aws, f"{body}\nreturn {{'body': out}}")

    assert [one[0] if isinstance(one, list) else one for one in found] == list(STATE_READS.values())


@pytest.mark.parametrize("method", ["get", "delete"])
def test_streams_are_read_by_position_and_by_keyword(folder: StepFolder, aws: FakeAws, method: str) -> None:
    body = "m, out = c.streams.m, []"
    for form in STATE_READS:
        named = form.replace("group=", "group_id=").replace("key=", "id=")
        body += "\nawait m.set('k', {'in': 'default'}); await m.set('g', 'k', {'in': 'g'})"
        body += f"\nout.append(await m.{method}{named})"
    found = value(folder, aws, f"{body}\nreturn {{'body': out}}", streams=["m"])

    assert [one["in"] for one in found] == list(STATE_READS.values())


@pytest.mark.parametrize("method", ["get_group", "getGroup"])
@pytest.mark.parametrize(("target", "keyword"), [("state", "group"), ("streams.m", "group_id")])
def test_a_group_may_be_left_out(folder: StepFolder, aws: FakeAws, target: str, keyword: str, method: str) -> None:
    body = f"""
    await c.{target}.set('k', {{"in": "default"}})
    await c.{target}.set('g', 'k', {{"in": "g"}})
    found = [await c.{target}.{method}(), await c.{target}.{method}('g'), await c.{target}.{method}({keyword}='g')]
    await c.{target}.clear()
    found.append(await c.{target}.{method}())
    await c.{target}.clear({keyword}="g")
    return {{"body": [*found, await c.{target}.{method}("g")]}}
    """
    found = value(folder, aws, body, streams=["m"])

    assert [[item["in"] for item in items] for items in found] == [["default"], ["g"], ["g"], [], []]


def test_wrong_arguments_are_told_by_name_and_nothing_is_asked(folder: StepFolder, aws: FakeAws) -> None:
    found = errors(folder, aws, [f"c.{call}" for call, _ in WRONG_CALLS], streams=["m"])

    for (call, words), one in zip(WRONG_CALLS, found, strict=True):
        assert (one["type"], words in one["message"]) == ("TypeError", True), (call, one)
    assert aws.asked == []

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
    ("state.set('k')", "state.set() takes 2 or 3 arguments (group, key, value), got 1; missing: value"),
    ("state.set()", "got 0; missing: key, value"),
    ("state.set(group='g', key='k')", "got 2; missing: value"),
    ("state.set('g', 'k', 1, 2)", "got 4; by keyword only: ttl_seconds, expected_version"),
    ("state.set('g', 'k', 1, value=2)", "got 4"),
    ("state.set('k', 1, id='k')", "state.set() has no argument `id`; it takes group, key, value"),
    ("state.set('k', 1, ttl=5)", "it takes group, key, value, ttl_seconds, expected_version; did you mean `ttl_sec"),
    ("state.delete('k', version=5)", "it takes group, key, expected_version; did you mean `expected_version`?"),
    ("state.get('k', ttl_seconds=5)", "state.get() has no argument `ttl_seconds`; it takes group, key"),
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
    ("state.get_group(1.5)", "state.get_group: `group` must be a text, not float"),
    ("state.list_groups('g')", "takes 1 positional argument but 2 were given"),
    ("streams.m.set({})", "streams.m.set() takes 2 or 3 arguments (group_id, id, data), got 1"),
    ("streams.m.set('1', 'text')", "streams.m.set: `data` must be a dict, not str"),
    ("streams.m.get(key='1')", "streams.m.get() has no argument `key`; it takes group_id, id"),
    ("streams.m.delete('g', '1', {})", "streams.m.delete() takes 1 or 2 arguments (group_id, id), got 3"),
    ("streams.m.get_group('g', '1')", "streams.m.get_group() takes 0 or 1 arguments (group_id), got 2"),
    ("streams.m.get([], '1')", "`group_id` must be a text, not list"),
    ("streams.m.set('1', {}, ttl=5)", "it takes group_id, id, data, ttl_seconds; did you mean `ttl_seconds`?"),
    ("streams.m.send()", "streams.m.send() takes 1 or 2 arguments (channel, event), got 0; missing: event; the forms"),
    ("streams.m.send(channel='g')", "got 1; missing: event; the forms are send(event), to the group `default`, and"),
    ("streams.m.send('g', {}, 1)", "streams.m.send() takes 1 or 2 arguments (channel, event), got 3; the forms are"),
    ("streams.m.send('g')", "streams.m.send: `event` is a str; the forms are send(event)"),
    ("streams.m.send({'groupId': 'g'})", "streams.m.send: `event` has groupId; the forms are send(event)"),
    ("streams.m.send(group_id='g', event={})", "streams.m.send() has no argument `group_id`; it takes channel, event"),
]


NO_TEXT_OF_A_KEY = {
    "state": [
        "get(None)", "get('g', None)", "get_with_version(None)", "set(None, 1)", "update(None, [])", "delete(None)",
        "get_group(None)", "getGroup(None)", "clear(None)",
    ],
    "streams.m": [
        "get(None)", "get('g', None)", "set(None, {})", "update(None, [])", "delete(None)", "get_group(None)",
        "getGroup(None)", "clear(None)", "send('', E)", "send({'groupId': None}, E)", "send({'id': []}, E)",
    ],
}  # fmt: skip
SIMILAR_NAMES = {
    "state.get(groupId='g', key='k')": "group",
    "state.get(group_id='g', key='k')": "group",
    "state.get('g', id='k')": "key",
    "state.get('g', item_id='k')": "key",
    "state.set('k', data=1)": "value",
    "state.set('k', vale=1)": "value",
    "state.set('k', 1, ttlSeconds=5)": "ttl_seconds",
    "state.set('k', 1, ttl_second=5)": "ttl_seconds",
    "state.set('k', 1, expectedVersion=5)": "expected_version",
    "state.update('k', operations=[])": "ops",
    "streams.m.get(groupId='g', id='1')": "group_id",
    "streams.m.get(group='g', id='1')": "group_id",
    "streams.m.get('g', itemId='1')": "id",
    "streams.m.get('g', key='1')": "id",
    "streams.m.set('1', value={})": "data",
    "streams.m.set('1', {}, TTL=5)": "ttl_seconds",
    "streams.m.set('1', {}, ttlSeconds=5)": "ttl_seconds",
    "streams.m.send({}, groupId='g')": "channel",
    "streams.m.send('g', evnt={})": "event",
    "streams.m.get('1', limit=5)": None,
    "streams.m.set('1', {}, expected_version=5)": None,
}


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


def test_what_is_no_key_is_told_with_the_method(folder: StepFolder, aws: FakeAws) -> None:
    calls = [f"{target}.{call}" for target, ending in NO_TEXT_OF_A_KEY.items() for call in ending]
    event = '{"type": "t"}'
    found = errors(folder, aws, [f"c.{call.replace('E)', f'{event})')}" for call in calls], streams=["m"])

    for call, one in zip(calls, found, strict=True):
        method = call.partition("(")[0].replace("getGroup", "get_group")
        assert one["message"].startswith(f"{method}: `"), (call, one)
    assert aws.asked == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("state.set('k', float('nan'))", "state.set: value is nan"),
        ("state.set('k', 'x' * 410_000)", "state.set: value makes an item of 410,"),
        ("streams.m.set('k', {'a': [float('inf')]})", "streams.m.set: data.a[0] is inf"),
        ("streams.m.send({'type': 't', 'data': {'a': float('inf')}})", "streams.m.send: data.a is inf"),
        ("streams.m.send({'type': 't', 'data': 'x' * 131_072})", "streams.m.send: event makes a message of 131,"),
    ],
)
def test_values_that_cannot_be_stored_are_told_with_the_method(
    folder: StepFolder, aws: FakeAws, call: str, words: str
) -> None:
    (found,) = errors(folder, aws, [f"c.{call}"], streams=["m"])

    assert found["type"] == "InvalidValue"
    assert found["message"].startswith(words)


def test_names_that_are_similar_or_used_elsewhere_are_put_right(folder: StepFolder, aws: FakeAws) -> None:
    found = errors(folder, aws, [f"c.{call}" for call in SIMILAR_NAMES], streams=["m"])

    for (call, meant), one in zip(SIMILAR_NAMES.items(), found, strict=True):
        assert one["type"] == "TypeError"
        assert "has no argument" in one["message"], (call, one)
        assert one["message"].partition("did you mean ")[2].partition("?")[0] == (f"`{meant}`" if meant else ""), call
    assert aws.asked == []

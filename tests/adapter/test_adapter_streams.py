"""Rows of streams: their times, their traces, what of them is seen."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from treadle import timestamps
from treadle.names import Names

from .fake_aws import FakeAws
from .handler_runs import errors, run, value, values_at_once
from .step_folder import StepFolder

TABLE = Names("shop", "dev").stream_table("m")
FROZEN = 1_900_000_000_000
FREEZE = f"import time; time.time = lambda: {FROZEN / 1000}\n"
"""The handler's clock stands still, as it does for a process that writes fast."""
STREAMS: dict[str, Any] = {"streams": ["m"]}


def row(aws: FakeAws, item_id: str = "1", group: str = "g") -> dict[str, Any]:
    (found,) = [one for one in aws.rows(TABLE) if (one["group"]["S"], one["id"]["S"]) == (group, item_id)]
    return found


def stored(item_id: str, timestamp: int | None = None, **more: Any) -> dict[str, Any]:
    """A row that others have written."""
    fields = {"value": {"M": {"text": {"S": item_id}}}, "version": {"N": "1"}}
    times = {} if timestamp is None else {"timestamp": {"N": str(timestamp)}}
    return {"group": {"S": "g"}, "id": {"S": item_id}, **fields, **times, **more}


def written_times(aws: FakeAws) -> list[int]:
    """The time of every write of a row from now on, as the table sees it."""
    times: list[int] = []

    def told(event: str, _old: Any, new: Any, _expired: bool) -> None:
        if new is not None:
            times.append(int(new.item["timestamp"]["N"]))

    aws.rows(TABLE)
    aws.store.table(TABLE).on_change = told
    return times


def test_a_row_has_its_fields_time_version_and_trace(folder: StepFolder, aws: FakeAws) -> None:
    before = time.time()
    body = 'await c.streams.m.set("g", "1", {"id": "x", "__motia": {}, "text": "hi"})\nreturn {"body": 1}'
    (record,) = run(folder, aws, body, **STREAMS).records
    found = row(aws)

    assert before * 1000 - 1 <= int(found.pop("timestamp")["N"]) <= time.time() * 1000
    assert found == {
        "group": {"S": "g"},
        "id": {"S": "1"},
        "value": {"M": {"text": {"S": "hi"}}},
        "version": {"N": "1"},
        "trace": {"S": f"{record['traceId']} 00-{record['w3cId']}-{record['spanId']}-01"},
    }


# times


def test_two_hundred_writes_of_an_item_have_rising_times_and_take_one_request_each(
    folder: StepFolder, aws: FakeAws
) -> None:
    times = written_times(aws)
    body = f'{FREEZE}for n in range(200):\n    await c.streams.m.set("g", "1", {{"n": n}})\nreturn {{"body": 1}}'
    value(folder, aws, body, **STREAMS)

    assert times == list(range(FROZEN, FROZEN + 200))
    assert len(aws.asked) == 200


def test_writes_by_two_processes_at_once_have_rising_times(tmp_path: Path, aws: FakeAws) -> None:
    times = written_times(aws)
    body = f"""
    {FREEZE}
    for n in range(50):
        await c.streams.m.set("g", "1", {{"n": n}})
        await c.streams.m.update("g", "1", [{{"type": "increment", "path": "n", "by": 1}}])
    return {{"body": 1}}
    """
    values_at_once(tmp_path, aws, body, **STREAMS)

    assert len(times) == 200
    assert all(earlier < later for earlier, later in pairwise(times))


def test_a_row_from_a_clock_that_is_ahead_is_followed_by_the_next_time(folder: StepFolder, aws: FakeAws) -> None:
    aws.put(TABLE, stored("1", FROZEN + 500))
    value(folder, aws, f'{FREEZE}await c.streams.m.set("g", "1", {{"n": 1}})\nreturn {{"body": 1}}', **STREAMS)

    assert row(aws)["timestamp"] == {"N": str(FROZEN + 501)}
    assert row(aws)["version"] == {"N": "2"}
    assert [asked.operation for asked in aws.asked] == ["UpdateItem", "UpdateItem"]


def test_a_row_without_a_time_gets_one(folder: StepFolder, aws: FakeAws) -> None:
    aws.put(TABLE, stored("1"))
    value(folder, aws, f'{FREEZE}await c.streams.m.set("g", "1", {{"n": 1}})\nreturn {{"body": 1}}', **STREAMS)

    assert row(aws)["timestamp"] == {"N": str(FROZEN)}


@pytest.mark.parametrize("delete", ['delete("g", "1")', 'clear("g")'])
def test_a_write_after_a_deletion_is_later_than_what_clients_were_told_of_that(
    folder: StepFolder, aws: FakeAws, delete: str
) -> None:
    aws.put(TABLE, stored("1", FROZEN + 500))
    body = f"""
    {FREEZE}
    m = c.streams.m
    await m.{delete}
    await m.set("g", "1", {{"n": 1}})
    return {{"body": 1}}
    """
    value(folder, aws, body, **STREAMS)

    assert row(aws)["timestamp"] == {"N": str(FROZEN + 502)}


def test_what_is_remembered_of_deleted_items_is_bounded() -> None:
    for number in range(5_000):
        timestamps.deleted(("table", "g", str(number)), 2 * FROZEN)

    assert timestamps.next_timestamp(("table", "g", "4999")) == 2 * FROZEN + 2
    assert timestamps.next_timestamp(("table", "g", "0")) < FROZEN
    assert len(timestamps._latest) <= 1024  # pyright: ignore[reportPrivateUsage]


def test_an_item_that_others_write_and_delete_all_the_time_is_given_up(folder: StepFolder, aws: FakeAws) -> None:
    """Each attempt meets a row from the future, and none when it comes back to write behind that one."""
    answer, there = aws.store.handle, [False]

    def handle(operation: str, params: Any, caller: Any) -> Any:
        if operation == "UpdateItem":
            there[0] = not there[0]
            change = (
                ("PutItem", {"Item": stored("1", 2 * FROZEN)}) if there[0] else ("DeleteItem", {"Key": params["Key"]})
            )
            answer(change[0], {"TableName": TABLE, **change[1]}, caller)
        return answer(operation, params, caller)

    aws.store.handle = handle  # type: ignore[method-assign]
    (found,) = errors(folder, aws, ["c.streams.m.set('g', '1', {})"], **STREAMS)

    assert found["type"] == "WriteContention"
    assert found["message"] == "`1` of group `g` was written and deleted by others 10 times at once"
    assert len(aws.of("UpdateItem")) == 20


# items


def test_a_streams_items_are_updated_in_place(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    m = c.streams.m
    out = [await m.update("g", "1", [{"type": "merge", "value": {"n": 1, "id": "x", "__motia": {}}}])]
    out.append(await m.update("g", "1", [{"type": "increment", "path": "n", "by": 1}]))
    whole = {**out[1]["new_value"], "n": 9}
    out.append(await m.update("g", "1", [{"type": "set", "path": "", "value": whole}]))
    return {"body": [*out, await m.get("g", "1")]}
    """
    created, counted, replaced, got = value(folder, aws, body, **STREAMS)

    assert created == {"old_value": None, "new_value": {"n": 1, "id": "1"}}
    assert counted == {"old_value": {"n": 1, "id": "1"}, "new_value": {"n": 2, "id": "1"}}
    assert replaced == {"old_value": {"n": 2, "id": "1"}, "new_value": {"n": 9, "id": "1"}}
    assert got == {"n": 9, "id": "1"}
    assert row(aws)["value"] == {"M": {"n": {"N": "9"}}}
    assert row(aws)["version"] == {"N": "3"}


def test_what_has_expired_and_what_is_an_event_is_not_seen(folder: StepFolder, aws: FakeAws) -> None:
    aws.put(TABLE, stored("old", FROZEN, ttl={"N": str(int(time.time()) - 5)}))
    aws.put(TABLE, {**stored("\x00" + "a" * 32, FROZEN), "group": {"S": "events"}})
    body = """
    m = c.streams.m
    await m.send("g", {"type": "typing"})
    await m.set("g", "new", {}, ttl_seconds=60)
    out = [await m.get("g", "old"), await m.get_group("g"), await m.get_group("events"), await m.list_groups()]
    out.append(await m.delete("g", "old"))
    await m.clear("g")
    await m.clear("events")
    return {"body": [*out, await m.list_groups()]}
    """
    before = time.time()
    done = run(folder, aws, body, **STREAMS)

    assert json.loads(done.answer.result["body"]) == [None, [{"id": "new"}], [], ["g"], None, []]
    assert sorted(one["id"]["S"][:1] for one in aws.rows(TABLE)) == ["\x00", "\x00"]
    (written,) = [one for one in aws.of("UpdateItem") if one["Key"]["id"]["S"] == "new"]
    assert before + 60 <= int(written["ExpressionAttributeValues"][":ttl"]["N"]) <= time.time() + 61


def test_what_a_stream_refuses_is_said_by_name(folder: StepFolder, aws: FakeAws) -> None:
    cases = [
        ("set('\\x00a', {})", "ValueError", "`id` must not begin with a NUL character"),
        ("get('g', '\\x00a')", "ValueError", "`id` must not begin with a NUL character"),
        ("set('1', {}, ttl_seconds=0)", "ValueError", "streams.m.set: `ttl_seconds` must be more than 0"),
        ("set('1', {'a': 'x' * 409_500})", "InvalidValue", "data makes an item of 409,"),
        ("update('1', [{'type': 'set', 'path': 'id', 'value': 1}])", "ValueError", "ops[0]: `id` cannot be changed"),
        ("update('1', [{'type': 'set', 'path': '', 'value': 1}])", "TypeError", "ops[0]: `value` must be a dict"),
    ]
    found = errors(folder, aws, [f"c.streams.m.{call}" for call, _, _ in cases], **STREAMS)

    for (call, kind, words), one in zip(cases, found, strict=True):
        assert (one["type"], words in one["message"]) == (kind, True), (call, one)
    assert aws.asked == []


SENDABLE = 131_072
FRAME = {
    "timestamp": FROZEN,
    "streamName": "m",
    "groupId": "g",
    "id": "1",
    "event": {"type": "update", "data": {"a": "", "id": "1"}},
}
ROOM = SENDABLE - len(json.dumps(FRAME, separators=(",", ":")))
"""The characters for which a message has room beside the rest of an item."""


def test_an_item_too_large_for_followers_is_stored_with_one_warning(folder: StepFolder, aws: FakeAws) -> None:
    body = f"""
    for stream in (c.streams.m, c.streams.n):
        await stream.set("g", "1", {{"a": "x" * {ROOM}}})
    for key in ("1", "2"):
        await c.streams.m.set("g", key, {{"a": "x" * {ROOM + 1}}})
    return {{"body": 1}}
    """
    done = run(folder, aws, body, streams=["m", "n"])
    (line,) = done.lines("warn")

    assert done.records[0]["result"] == "ok"
    assert len(row(aws, "2")["value"]["M"]["a"]["S"]) == ROOM + 1
    assert {name: line[name] for name in ("stream", "group", "id", "bytes", "step", "traceId", "requestId")} == {
        "stream": "m",
        "group": "g",
        "id": "1",
        "bytes": SENDABLE + 1,
        **{name: done.records[0][name] for name in ("step", "traceId", "requestId")},
    }
    assert line["msg"].startswith(
        "streams.m.set: `1` of group `g` is stored and makes a message of 131,073 bytes; a WebSocket client can be "
        "sent 131,072 (128 KB), so that followers get an `error` event with the code MESSAGE_TOO_LARGE instead"
    )


@pytest.mark.parametrize("fields", ["'\\u00e9' * 66_000", "'\\x01' * 22_000", "'\\U0001f600' * 33_000"])
@pytest.mark.parametrize(
    "write", ["set('g', '1', {'a': %s})", "update('g', '1', [{'type': 'set', 'path': 'a', 'value': %s}])"]
)
def test_the_warning_has_the_bytes_of_the_frame(folder: StepFolder, aws: FakeAws, write: str, fields: str) -> None:
    done = run(folder, aws, f"await c.streams.m.{write % fields}\nreturn {{'body': 1}}", **STREAMS)
    (line,) = done.lines("warn")
    found = row(aws)
    whole = FRAME | {"event": {"type": "update", "data": {"a": found["value"]["M"]["a"]["S"], "id": "1"}}}

    assert line["msg"].startswith(f"streams.m.{write[:3]}")
    assert line["bytes"] == len(json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode())


def test_a_write_that_fails_is_not_warned_of(folder: StepFolder, aws: FakeAws) -> None:
    done = run(folder, aws, "await c.streams.m.set('g', '1', {'a': 'x' * 410_000})", **STREAMS)

    assert done.records[0]["result"] == "error"
    assert done.lines("warn") == []


# events


def test_an_event_is_a_row_of_its_own_that_expires(folder: StepFolder, aws: FakeAws) -> None:
    before = time.time()
    body = """
    m = c.streams.m
    out = [await m.send({"groupId": "g", "id": 7}, {"type": "typing", "data": {"by": "ann"}})]
    out.append(await m.send(channel={"groupId": "g"}, event={"type": "ping"}))
    return {"body": [*out, await m.send("g", {"type": "n", "data": [1]})]}
    """
    done = run(folder, aws, body, **STREAMS)
    (record,) = done.records
    rows = {one["value"]["M"]["type"]["S"]: one for one in aws.rows(TABLE)}
    typing = rows["typing"]

    assert json.loads(done.answer.result["body"]) == [None, None, None]
    assert record["streams"] == {"m": {"send": 3, "writeUnits": 3.0}}
    assert typing["value"] == {"M": {"type": {"S": "typing"}, "data": {"M": {"by": {"S": "ann"}}}}}
    assert typing["item"] == {"S": "7"}
    assert before * 1000 - 1 <= int(typing["timestamp"]["N"]) <= time.time() * 1000
    assert before + 60 <= int(typing["ttl"]["N"]) <= time.time() + 61
    assert typing["trace"]["S"].startswith(record["traceId"])
    assert typing["id"]["S"][0] == "\x00"
    assert int(typing["id"]["S"][1:], 16) >= 0
    assert len({one["id"]["S"] for one in rows.values()}) == 3
    assert {len(one["id"]["S"]) for one in rows.values()} == {33}
    assert "item" not in rows["ping"]
    assert rows["ping"]["value"]["M"]["data"] == {"NULL": True}
    assert rows["n"]["group"] == {"S": "g"}


def test_an_event_is_sent_by_position_and_by_keyword(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    m = c.streams.m
    await m.send({"type": "a"})
    await m.send(event={"type": "b"})
    await m.send("g", event={"type": "c"})
    await m.send({"type": "d"}, channel={"id": "1"})
    await m.send(channel="g", event={"type": "e"})
    return {"body": 1}
    """
    value(folder, aws, body, **STREAMS)

    sent = {one["value"]["M"]["type"]["S"]: (one["group"]["S"], "item" in one) for one in aws.rows(TABLE)}
    default = ("default", False)
    assert sent == {"a": default, "b": default, "c": ("g", False), "d": ("default", True), "e": ("g", False)}


def test_an_event_without_await_is_sent_in_the_order_of_the_program(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    m = c.streams.m
    m.send("g", {"type": "first"})
    m.set("g", "1", {})
    m.send({"id": "1"}, {"type": "last"})
    return {"body": 1}
    """
    value(folder, aws, body, **STREAMS)
    keys = [payload["Key"] for payload in aws.of("UpdateItem")]

    assert [key["id"]["S"][:1] for key in keys] == ["\x00", "1", "\x00"]
    assert keys[2]["group"] == {"S": "default"}


def test_what_cannot_be_sent_is_refused_when_it_is_sent(folder: StepFolder, aws: FakeAws) -> None:
    cases = [
        ("send('g', {})", "TypeError", "streams.m.send: the event's `type` must be a text, not None"),
        ("send('g', {'type': ''})", "TypeError", "the event's `type` must be a text"),
        ("send('g', 'typing')", "TypeError", "`event` is a str; the forms are send(event)"),
        ("send('g', {'type': 't', 'payload': 1})", "TypeError", "`event` has payload; the forms are"),
        ("send(['g'], {'type': 't'})", "TypeError", "`channel` is a list; the forms are"),
        ("send({'group_id': 'g'}, {'type': 't'})", "TypeError", "`channel` has group_id; the forms are"),
        ("send('', {'type': 't'})", "ValueError", "`channel` must not be empty"),
        ("send({'groupId': None}, {'type': 't'})", "TypeError", "`groupId` must be a text, not NoneType"),
        ("send({'groupId': 'g', 'id': '\\x00'}, {'type': 't'})", "ValueError", "`id` must not begin with a NUL"),
        ("send('g', {'type': 't', 'data': {'a': float('nan')}})", "InvalidValue", "data.a is nan"),
        ("send('g', {'type': 't', 'data': 'x' * 131_000})", "InvalidValue", "a WebSocket client can be sent 131,072"),
        ("send('g', {'type': 't', 'data': '\\u00e9' * 65_500})", "InvalidValue", "event makes a message of 131,"),
    ]
    found = errors(folder, aws, [f"c.streams.m.{call}" for call, _, _ in cases], **STREAMS)

    for (call, kind, words), one in zip(cases, found, strict=True):
        assert (one["type"], words in one["message"]) == (kind, True), (call, one)
    assert aws.asked == []


def test_the_largest_event_that_fits_a_frame_is_sent(folder: StepFolder, aws: FakeAws) -> None:
    frame = {
        "timestamp": FROZEN,
        "streamName": "m",
        "groupId": "g",
        "id": "1",
        "event": {"type": "event", "event": {"type": "t", "data": ""}},
    }
    room = 131_072 - len(json.dumps(frame, separators=(",", ":")))
    send = "c.streams.m.send({'groupId': 'g', 'id': '1'}, {'type': 't', 'data': 'x' * %d})"
    found = errors(folder, aws, [send % room, send % (room + 1)], **STREAMS)

    assert [one["type"] for one in found] == ["none", "InvalidValue"]
    assert len(aws.rows(TABLE)) == 1

"""`treadle trace` against a running emulator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.command import treadle
from support.dev import Dev, wait_until
from support.projects import api_step, event_step, write

_ORDER = """\
    await context.state.set("orders", "1", req["body"])
    await context.emit({"topic": "ordered", "data": req["body"]})
    return {"status": 201, "body": {}}"""
_BILL = """\
    if data["card"] == "bad":
        raise ValueError("card declined")
    await context.emit({"topic": "billed", "data": data})"""
_SHIP = """\
    context.logger.info("shipping")
    if data["card"] == "deadly":
        import os
        os._exit(3)"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A request, two steps that follow from it, and one that follows from one of those."""
    project = tmp_path_factory.mktemp("trace")
    write(project, "steps/order_step.py", api_step("Order", _ORDER))
    write(project, "steps/bill_step.py", event_step("Bill", "ordered", _BILL))
    write(project, "steps/mail_step.py", event_step("Mail", "ordered", "    pass"))
    write(project, "steps/ship_step.py", event_step("Ship", "billed", _SHIP))
    with Dev(project, "--no-watch", "--clock", "manual") as running:
        yield running


def order(dev: Dev, card: str, runs: int) -> str:
    """The trace id of a request, when it has so many records."""
    trace_id = dev.http("POST", "/order", {"card": card}).headers["x-trace-id"]
    wait_until(f"{runs} runs", lambda: len(records(dev, trace_id)) >= runs)
    return trace_id


def records(dev: Dev, trace_id: str) -> list[dict[str, Any]]:
    return [one["record"] for one in dev.all("handled") if one["record"]["traceId"] == trace_id]


def trace(dev: Dev, *arguments: str) -> str:
    done = treadle("trace", *arguments, "-C", dev.project)
    assert (done.code, done.err) == (0, "")
    return done.out


def trace_json(dev: Dev, *arguments: str) -> Any:
    return treadle("trace", *arguments, "--json", "-C", dev.project).json()


def test_a_trace_is_a_tree_of_who_caused_whom(dev: Dev) -> None:
    trace_id = order(dev, "good", 4)

    shown = trace(dev, trace_id)
    rows = re.findall(r"^([│├└─ ]*)✓ (\w+)", shown, re.MULTILINE)

    assert shown.startswith(f"Trace {trace_id}  201  ")
    depths = {name: len(prefix) // 3 for prefix, name in rows}
    assert rows[0] == ("", "Order")
    assert depths == {"Order": 0, "Bill": 1, "Mail": 1, "Ship": 2}
    assert "POST /order · 201 · state set · emits ordered" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_same_tree_is_there_for_programs(dev: Dev) -> None:
    trace_id = order(dev, "good", 4)

    told = trace_json(dev, trace_id)

    assert (told["traceId"], told["result"], told["runs"], told["complete"]) == (trace_id, "ok", 4, True)
    (root,) = told["roots"]
    assert (root["step"], root["trigger"], root["offsetMs"], root["waitedMs"]) == (
        "Order",
        {"kind": "api", "routeKey": "POST /order"},
        0,
        None,
    )
    children = {child["step"]: child for child in root["children"]}
    assert set(children) == {"Bill", "Mail"}
    (bill,) = children["Bill"]["attempts"]
    assert bill["parentId"] == root["attempts"][0]["spanId"]
    assert children["Bill"]["waitedMs"] >= 0
    (ship,) = children["Bill"]["children"]
    assert ship["trigger"]["emitId"] == bill["emits"][0]["emitId"]
    assert told["durationMs"] >= ship["offsetMs"] + ship["attempts"][0]["durationMs"] - 0.1


def test_a_trace_is_found_by_either_of_its_ids_and_by_their_beginnings(dev: Dev) -> None:
    trace_id = order(dev, "good", 4)
    w3c_id = records(dev, trace_id)[0]["w3cId"]

    for text in (trace_id, trace_id.lower(), trace_id[:11], w3c_id, w3c_id[:12]):
        assert trace_json(dev, text)["traceId"] == trace_id


def test_an_id_that_begins_no_trace_or_several_is_told(dev: Dev) -> None:
    for name in ("shop-a", "shop-b"):
        dev.http("POST", "/order", {"card": "good"}, {"content-type": "application/json", "x-trace-id": name})
    missing = treadle("trace", "QQQQQ-1", "-C", dev.project)
    several = treadle("trace", "shop-", "-C", dev.project)
    odd = treadle("trace", 'x" || $.a = "', "-C", dev.project)

    assert (missing.code, missing.out) == (1, "")
    assert missing.err.startswith("error[no-such-trace]: there is no trace `QQQQQ-1`\nhint: `treadle trace` lists")
    assert (several.code, several.out) == (1, "")
    assert several.err == "error[ambiguous-trace]: `shop-` begins 2 trace ids\nhint: they are: shop-a, shop-b\n"
    assert odd.err.startswith("error[no-such-trace]")


def test_attempts_are_one_node_with_their_waits_as_they_were(dev: Dev) -> None:
    trace_id = order(dev, "bad", 3)
    for attempt, pause in ((2, 2), (3, 4), (4, 8)):
        dev.advance(pause + 0.1)
        wait_until(f"attempt {attempt}", lambda: len(records(dev, trace_id)) == attempt + 2)  # noqa: B023 - called here

    told = trace_json(dev, trace_id)
    bill = next(child for child in told["roots"][0]["children"] if child["step"] == "Bill")
    shown = trace(dev, trace_id)

    assert told["result"] == bill["result"] == "dead-letter"
    assert [attempt["result"] for attempt in bill["attempts"]] == ["retry", "retry", "retry", "dead-letter"]
    starts = [attempt["offsetMs"] for attempt in bill["attempts"]]
    begun = [record["startMs"] for record in records(dev, trace_id) if record["step"] == "Bill"]
    assert starts == pytest.approx([start - told["startMs"] for start in begun], abs=0.1)
    assert "ordered · dead-lettered · waited" in shown
    assert re.search(r"4\. \+[\d.]+ m?s  dead-lettered after \d+ ms  ValueError: card declined", shown)


def test_a_killed_run_is_shown_where_it_should_have_a_record(dev: Dev) -> None:
    trace_id = order(dev, "deadly", 3)

    def killed() -> Any:
        told = trace_json(dev, trace_id)
        bill = next(child for child in told["roots"][0]["children"] if child["step"] == "Bill")
        return next((child for child in bill["children"] if child.get("result") == "killed"), None)

    ship = wait_until("the end of the run", killed)
    assert ship["step"] == "Ship"
    shown = trace(dev, trace_id)
    assert "✗ Ship" in shown
    assert "ended by Lambda without a record (error)" in shown


def test_a_message_that_nobody_has_a_record_of_is_shown_as_missing(dev: Dev) -> None:
    functions = dev.client("lambda")
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [one["UUID"] for one in mappings if one["EventSourceArn"].endswith("--Mail")]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        trace_id = order(dev, "good", 3)
        told = trace_json(dev, trace_id)
        shown = trace(dev, trace_id)
        listed = trace_json(dev)
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)

    assert told["complete"] is False
    missing = next(child for child in told["roots"][0]["children"] if child["step"] == "Mail")
    assert (missing["kind"], missing["topic"], missing["kills"]) == ("missing", "ordered", [])
    assert "? Mail" in shown
    assert "? has no record: the message waits, is being worked on, or its run was killed." in shown
    assert listed["traces"][-1]["traceId"] == trace_id


def test_the_last_traces_are_listed_newest_last(dev: Dev) -> None:
    first, second = order(dev, "good", 4), order(dev, "good", 4)

    shown = trace(dev).splitlines()
    told = trace_json(dev, "--last", "2")["traces"]

    assert shown[0].split() == ["TIME", "TRACE", "BEGINS", "WITH", "STEPS", "RESULT", "DURATION"]
    assert re.search(rf"{second}  POST /order .* 4  201 +\d+", shown[-1])
    assert [one["traceId"] for one in told] == [first, second]
    assert told[1]["steps"][0] == "Order"
    assert max(map(len, shown)) <= 80


def test_without_an_emulator_one_is_told_how_to_start_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    done = treadle("trace", "-C", tmp_path_factory.mktemp("nothing"))

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error[not-running]: no emulator runs for ")

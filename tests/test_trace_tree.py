"""Trees of traces from the lines of logs: what is whole, what is missing, and how it is drawn."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from treadle_cli.trace_list import list_lines
from treadle_cli.trace_view import trace_lines
from treadle_local.observe.lines import Reported
from treadle_local.observe.reading import Entry
from treadle_local.observe.tree import Missing, Run, TraceTree, trace_of, traces_of, walk

START = 1_784_000_000_000
_numbers = itertools.count()


def entry(step: str, at_ms: float, value: Mapping[str, Any]) -> Entry:
    return Entry(int(START + at_ms), f"{next(_numbers):056d}", step, json.dumps(value))


def record(step: str, at_ms: float, took_ms: float = 10, **fields: Any) -> Entry:
    """A record; `spanId` is the step's name unless it is given."""
    value: dict[str, Any] = {
        "treadle": "invocation",
        "requestId": f"r-{step}-{at_ms}",
        "traceId": "AAAAA-0000001",
        "w3cId": "ab" * 16,
        "spanId": step,
        "parentId": None,
        "step": step,
        "trigger": {"kind": "api", "routeKey": "POST /"},
        "hops": 0,
        "startMs": START + at_ms,
        "result": "ok",
        "durationMs": took_ms,
        "emits": [],
        "state": {},
        "streams": {},
        **fields,
    }
    return entry(step, at_ms + took_ms, value)


def emit(topic: str, emit_id: str, at_ms: float = 5) -> dict[str, Any]:
    return {"topic": topic, "bytes": 2, "emitId": emit_id, "atMs": at_ms}


def message(emit_id: str, attempt: int = 1) -> dict[str, Any]:
    return {"kind": "event", "messageId": f"m-{emit_id}", "attempt": attempt, "topic": "t", "emitId": emit_id}


def said(step: str, at_ms: float, request_id: str) -> Entry:
    value = {"level": "info", "msg": "hi", "traceId": "AAAAA-0000001", "step": step, "requestId": request_id}
    return entry(step, at_ms, {**value, "time": START + at_ms})


def report(step: str, at_ms: float, request_id: str, status: str = "timeout") -> tuple[Entry, Reported]:
    return entry(step, at_ms, {}), Reported(request_id, status, 100)


def tree_of(
    entries: Sequence[Entry],
    subscribers: Mapping[str, Sequence[str]] | None = None,
    reports: Sequence[tuple[Entry, Reported]] = (),
) -> TraceTree:
    tree = trace_of(entries, subscribers or {}, reports)
    assert tree is not None
    return tree


def drawn(tree: TraceTree, width: int = 80) -> list[str]:
    return trace_lines(tree, width=width, colour=False)


def test_a_wait_is_from_the_emit_to_the_first_attempt() -> None:
    tree = tree_of(
        [
            record("B", 100, parentId="A", trigger=message("e1"), hops=1),
            record("A", 0, emits=[emit("t", "e1", at_ms=5)]),
        ],
        {"t": ["B"]},
    )

    (root,) = tree.roots
    assert isinstance(root, Run)
    (child,) = root.children
    assert isinstance(child, Run)
    assert (root.waited_ms, child.waited_ms) == (None, 95)
    assert (tree.duration_ms, tree.runs, tree.steps, tree.is_complete) == (110, 2, ("A", "B"), True)
    rows = [line for line in drawn(tree) if "✓" in line]
    assert rows[1].index("┄") < rows[1].index("━")
    assert "t · waited 95 ms" in "\n".join(drawn(tree))


def test_a_message_to_two_steps_is_missing_where_one_has_no_record() -> None:
    tree = tree_of(
        [record("A", 0, emits=[emit("t", "e1")]), record("B", 20, parentId="A", trigger=message("e1"))],
        {"t": ["B", "C"]},
        [report("C", 2, "old"), report("C", 3100, "other")],
    )

    missing = [node for node in walk(tree.roots) if isinstance(node, Missing)]
    assert [(node.step, node.sent_ms - START) for node in missing] == [("C", 5)]
    assert [(ended - START, status) for ended, status in missing[0].kills] == [(3100, "timeout")]
    assert not tree.is_complete
    text = "\n".join(drawn(tree))
    assert "? C" in text
    assert "1 run of this step ended without a record since: timeout at +3.1 s" in text


def test_a_killed_attempt_belongs_to_the_attempt_that_came_after_it() -> None:
    tree = tree_of(
        [
            record("A", 0, emits=[emit("t", "e1")]),
            said("B", 50, "killed"),
            record("B", 3000, parentId="A", trigger=message("e1", attempt=2)),
        ],
        {"t": ["B"]},
        [report("B", 150, "killed")],
    )

    (root,) = tree.roots
    assert isinstance(root, Run)
    (child,) = root.children
    assert isinstance(child, Run)
    assert [span.result for span in child.attempts] == ["killed", "ok"]
    assert (child.result, tree.result, tree.is_complete) == ("ok", "ok", True)
    assert "1. +50 ms  killed after 100 ms  ended by Lambda without a record (timeout)" in "\n".join(drawn(tree, 100))


def test_a_run_whose_cause_has_no_record_is_a_root_that_says_so() -> None:
    tree = tree_of([record("B", 0, parentId="gone", trigger={"kind": "event", "messageId": "m"}, hops=2)])

    assert "what caused it has no record" in "\n".join(drawn(tree))


def test_a_callers_own_span_is_no_missing_cause() -> None:
    tree = tree_of([record("A", 0, parentId="of-the-caller")])

    assert "has no record" not in "\n".join(drawn(tree))


def test_a_firing_that_failed_three_times_is_dead_lettered_and_one_that_failed_less_often_comes_again() -> None:
    def tree(attempts: int, **trigger: Any) -> TraceTree:
        firing = {"kind": "cron", "schedule": "s", "time": "t", **trigger}
        runs = [
            record("A", 1000 * number, requestId="r", spanId=f"A{number}", trigger=firing, result="error")
            for number in range(attempts)
        ]
        return tree_of(runs)

    def results(tree: TraceTree) -> list[str]:
        (root,) = tree.roots
        assert isinstance(root, Run)
        return [span.result for span in root.attempts]

    assert results(tree(3)) == ["retry", "retry", "dead-letter"]
    assert results(tree(2)) == ["retry", "retry"]
    assert results(tree(1, manual=True)) == ["error"]
    assert "A" in drawn(tree(3))[4]
    assert drawn(tree(3))[0].split("  ")[1] == "dead-lettered"


def test_a_trace_says_how_its_request_was_answered() -> None:
    def listed(status: int, *, colour: bool = False, **more: Any) -> str:
        return list(list_lines([tree_of([record("A", 0, status=status, **more)])], width=80, colour=colour))[-1]

    assert re.search(r" 1  201 +10 ms$", listed(201))
    assert re.search(r" 1  500 +10 ms$", listed(500))
    assert re.search(r" 1  500 error  ", listed(500, result="error"))
    colours = [re.search(r"\x1b\[(\d+)m\d{3}", listed(status, colour=True)) for status in (201, 404, 500)]
    assert [found and found[1] for found in colours] == ["32", "33", "31"]
    lines = drawn(tree_of([record("A", 0, status=500)]))
    assert lines[0].split("  ")[1] == "500"
    assert any(line.startswith("✗ A") for line in lines)


def test_many_siblings_alike_are_folded_and_failures_among_them_are_not() -> None:
    many = [record("B", 20 + n, parentId="A", trigger=message(f"e{n}"), spanId=f"B{n}") for n in range(20)]
    failing = record(
        "B", 60, parentId="A", trigger=message("bad"), result="error", error={"type": "ValueError", "message": "no"}
    )
    lines = drawn(tree_of([record("A", 0), *many, failing]))

    assert sum("✓ B" in line for line in lines) == 3
    assert sum("✗ B" in line for line in lines) == 1
    assert any(line.endswith("… and 17 more of B: 17 ok") for line in lines)
    assert any("ValueError: no" in line for line in lines)


def test_traces_are_told_apart_and_come_in_order() -> None:
    entries = [
        record("A", 50, traceId="later", requestId="2"),
        record("A", 0, traceId="first", requestId="1"),
        said("A", 10, "1"),
        entry("A", 0, {"type": "platform.start", "record": {}}),
        Entry(START, "x", "A", "printed"),
    ]

    assert [tree.trace_id for tree in traces_of(entries)] == ["first", "later"]


def test_lines_that_are_no_record_make_no_tree() -> None:
    assert trace_of([said("A", 0, "r")], {}) is None
    assert traces_of([]) == []


names = st.text(st.characters(categories=("L", "Nd"), max_codepoint=0x2FF), min_size=1, max_size=40)


@st.composite
def traces(draw: st.DrawFn) -> TraceTree:
    """A trace of up to twelve runs, each caused by an earlier one."""
    count = draw(st.integers(1, 12))
    entries: list[Entry] = []
    for number in range(count):
        parent = None if number == 0 else f"s{draw(st.integers(0, number - 1))}"
        result = draw(st.sampled_from(["ok", "retry", "error", "dead-letter", "skipped"]))
        more: dict[str, Any] = {} if result == "ok" else {"error": {"type": "E", "message": draw(names) * 4}}
        entries.append(
            record(
                draw(names),
                draw(st.floats(0, 1e7)),
                draw(st.floats(0, 1e6)),
                spanId=f"s{number}",
                parentId=parent,
                requestId=f"r{number}",
                result=result,
                emits=[emit(draw(names), f"e{number}")],
                **more,
            )
        )
    return tree_of(entries, {})


@given(tree=traces(), width=st.integers(60, 130))
def test_no_line_is_wider_than_the_terminal_and_every_run_has_a_bar(tree: TraceTree, width: int) -> None:
    lines = drawn(tree, width)

    assert max(map(len, lines[1:])) <= min(width, 120)
    rows = [line for line in lines if re.search(r"[✓✗↻○] ", line[:60]) and "━" in line]
    folded = sum(int(found[1]) for line in lines if (found := re.search(r"… and (\d+) more of ", line)))
    assert len(rows) + folded == tree.runs
    assert not any("\xa0" in line for line in lines)

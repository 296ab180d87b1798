"""A trace as people see it: a tree of steps, each with its bar on one scale of time and what it did below it."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from treadle.names import BROADCAST, WEBSOCKET
from treadle_cli import terminal
from treadle_cli.log_lines import trigger_text
from treadle_cli.moments import clock_time, length
from treadle_cli.trace_outcome import RESULT_COLOURS, RESULT_WORDS, run_colour, trace_outcome
from treadle_local.observe.spans import Failure, Result, Span
from treadle_local.observe.tree import Missing, Node, Run, TraceTree

NARROWEST, WIDEST = 60, 120
_NAME_LIMIT = 38
_INDENT_LIMIT = 24
_LENGTH_WIDTH = 11
_FOLD_ABOVE = 6
_FOLDED_SHOWN = 3

_MARKS: Mapping[Result, str] = {"ok": "✓", "skipped": "○", "retry": "↻"}
_FAILED_MARK = "✗"
_KEPT = "\xa0"
"""Stands for spaces at which no line is broken."""


@dataclass(frozen=True, slots=True)
class _Folded:
    """Siblings that are not shown one by one: as many of the same step, and how they ended."""

    step: str
    results: Mapping[Result, int]


def trace_lines(tree: TraceTree, *, width: int, colour: bool) -> list[str]:
    """The lines of a trace for a terminal of this width."""
    return list(_View(tree, max(NARROWEST, min(width, WIDEST)), colour).lines())


class _View:
    def __init__(self, tree: TraceTree, width: int, colour: bool) -> None:
        self._tree = tree
        self._width = width
        self._on = colour
        rows = list(_rows(tree.roots, ""))
        longest = max(len(prefix) + 2 + len(_name(node)) for prefix, _, node in rows)
        self._rows = rows
        self._name_width = min(longest, _NAME_LIMIT)
        self._bar_width = width - self._name_width - 2 - _LENGTH_WIDTH
        self._end_ms = max([tree.end_ms, *(node.sent_ms for _, _, node in rows if isinstance(node, Missing))])

    def lines(self) -> Iterator[str]:
        tree = self._tree
        outcome, colour = trace_outcome(tree)
        ended = self._paint(outcome, colour, bold=True)
        yield f"Trace {self._paint(tree.trace_id, bold=True)}  {ended}  {length(tree.duration_ms)}"
        now = datetime.now().astimezone()
        runs = f"{tree.runs} run{'s' * (tree.runs != 1)} of {len(tree.steps)} step{'s' * (len(tree.steps) != 1)}"
        about = f"{clock_time(tree.start_ms, now)}  {runs}"
        fits = len(about) + 2 + len(tree.w3c_id) <= self._width
        yield self._paint(f"{about}  {tree.w3c_id}".rstrip() if fits else about, dim=True)
        yield ""
        yield self._axis()
        for prefix, below, node in self._rows:
            yield from self._node(prefix, below, node)
        if not tree.is_complete:
            yield ""
            yield self._paint(
                "? has no record: the message waits, is being worked on, or its run was killed.", dim=True
            )

    def _axis(self) -> str:
        total = self._end_ms - self._tree.start_ms
        left, right = "0", length(total)
        line = left + " " * max(1, self._bar_width - len(left) - len(right)) + right
        middle = length(total / 2)
        if self._bar_width > len(left) + len(right) + len(middle) + 8:
            start = (self._bar_width - len(middle)) // 2
            line = line[:start] + middle + line[start + len(middle) :]
        return self._paint(" " * (self._name_width + 1) + line, dim=True)

    def _node(self, prefix: str, below: str, node: Node | _Folded) -> Iterator[str]:
        match node:
            case Run():
                yield self._row(prefix, self._mark(node.last), _name(node), self._bar(node), _span_length(node))
                for colour, text in _details(node, self._tree.start_ms):
                    yield from self._detail(below, text, colour)
            case Missing():
                yield self._row(prefix, ("?", "yellow"), terminal.visible(node.step), self._wait_bar(node), "")
                for text in _missing_details(node, self._tree.start_ms):
                    yield from self._detail(below, text, "yellow")
            case _Folded():
                ends = ", ".join(f"{count} {result}" for result, count in node.results.items())
                yield self._paint(f"{prefix}… and {sum(node.results.values())} more of {node.step}: {ends}", dim=True)
            case _:
                assert_never(node)

    def _row(self, prefix: str, mark: tuple[str, str], name: str, bar: str, took: str) -> str:
        room = self._name_width - len(prefix) - 2
        shown = name if len(name) <= room else f"{name[: max(1, room - 1)]}…"
        padding = " " * max(0, room - len(shown))
        painted = self._paint(shown, "cyan", bold=True)
        head = f"{self._paint(prefix, dim=True)}{self._paint(mark[0], mark[1])} {painted}{padding}"
        return f"{head} {bar} {took:>{_LENGTH_WIDTH - 1}}".rstrip()

    def _detail(self, below: str, text: str, colour: str | None) -> Iterator[str]:
        for line in textwrap.wrap(terminal.visible(text), self._width - len(below) - 2, break_on_hyphens=False):
            shown = line.replace(_KEPT, " ")
            yield f"{self._paint(below, dim=True)}  {self._paint(shown, colour, dim=colour is None)}"

    # bars

    def _bar(self, run: Run) -> str:
        cells: list[tuple[str, str | None]] = [(" ", None)] * self._bar_width
        begun = run.sent_ms if run.sent_ms is not None else run.first.start_ms
        self._fill(cells, begun, run.last.start_ms, "┄", None)
        for span in run.attempts:
            self._fill(cells, span.start_ms, span.end_ms, "━", run_colour(span))
        return self._painted(cells)

    def _wait_bar(self, missing: Missing) -> str:
        cells: list[tuple[str, str | None]] = [(" ", None)] * self._bar_width
        self._fill(cells, missing.sent_ms, self._end_ms, "┄", "yellow")
        return self._painted(cells)

    def _fill(
        self, cells: list[tuple[str, str | None]], start_ms: float, end_ms: float, text: str, colour: str | None
    ) -> None:
        """At least one cell, however short."""
        total = max(self._end_ms - self._tree.start_ms, 0.001)
        scale = self._bar_width / total
        first = min(self._bar_width - 1, max(0, int((start_ms - self._tree.start_ms) * scale)))
        end = max(first + 1, round((end_ms - self._tree.start_ms) * scale))
        for index in range(first, min(end, self._bar_width)):
            cells[index] = (text, colour)

    def _painted(self, cells: Sequence[tuple[str, str | None]]) -> str:
        texts: list[str] = []
        start = 0
        for index in range(1, len(cells) + 1):
            if index == len(cells) or cells[index] != cells[start]:
                text, colour = cells[start]
                run = text * (index - start)
                texts.append(run if text == " " else self._paint(run, colour, dim=colour is None))
                start = index
        return "".join(texts)

    # colours

    def _mark(self, span: Span) -> tuple[str, str]:
        failed = span.status is not None and span.status >= 500
        return _FAILED_MARK if failed else _MARKS.get(span.result, _FAILED_MARK), run_colour(span)

    def _paint(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        return terminal.paint(text, colour, bold=bold, dim=dim, on=self._on) if text else ""


def _rows(nodes: Sequence[Node], indent: str, *, top: bool = True) -> Iterator[tuple[str, str, Node | _Folded]]:
    """Each node with what stands ahead of it and what stands ahead of the lines below it."""
    shown = _folded(nodes)
    for index, node in enumerate(shown):
        is_last = index == len(shown) - 1
        children: Sequence[Node] = node.children if isinstance(node, Run) else ()
        prefix, inside = (indent, indent) if top else (indent + ("└─ " if is_last else "├─ "), "")
        if not top:
            inside = indent + ("   " if is_last else "│  ")
        below = inside + ("│ " if children else "  ")
        yield _shortened(prefix), _shortened(below), node
        yield from _rows(children, inside, top=False)


def _shortened(indent: str) -> str:
    """What stands ahead of a deep node, its beginning left out."""
    return indent if len(indent) <= _INDENT_LIMIT else f"…{indent[1 - _INDENT_LIMIT :]}"


def _folded(nodes: Sequence[Node]) -> list[Node | _Folded]:
    """The nodes, where there are many of one step that went well only the first of those."""
    counts = Counter(node.step for node in nodes if isinstance(node, Run))
    shown: list[Node | _Folded] = []
    taken: Counter[str] = Counter()
    hidden: dict[str, Counter[Result]] = {}
    for node in nodes:
        foldable = isinstance(node, Run) and counts[node.step] > _FOLD_ABOVE and node.result == "ok"
        if not foldable or not isinstance(node, Run) or node.children:
            shown.append(node)
        elif taken[node.step] < _FOLDED_SHOWN:
            taken[node.step] += 1
            shown.append(node)
        else:
            hidden.setdefault(node.step, Counter())[node.result] += 1
    return [*shown, *(_Folded(step, results) for step, results in hidden.items())]


def _name(node: Node | _Folded) -> str:
    if isinstance(node, _Folded):
        return ""
    if isinstance(node, Run) and node.step == BROADCAST:
        return terminal.visible(f"stream {node.first.trigger.get('stream', '')}")
    return "websocket" if node.step == WEBSOCKET else terminal.visible(node.step)


def _span_length(run: Run) -> str:
    return length(sum(span.duration_ms for span in run.attempts))


def _details(run: Run, start_ms: float) -> Iterator[tuple[str | None, str]]:
    """(colour, text) of the lines below a run."""
    span = run.last
    parts = [_what(run.first)]
    if span.status is not None:
        parts.append(str(span.status))
    elif span.result != "ok":
        parts.append(RESULT_WORDS.get(span.result, span.result))
    if run.waited_ms is not None:
        parts.append(f"waited {length(run.waited_ms)}")
    if len(run.attempts) > 1:
        parts.append(f"{len(run.attempts)} attempts")
    if span.delivered is not None:
        parts.append(f"to {span.delivered} connection{'s' * (span.delivered != 1)}")
    parts += _operations(run.attempts)
    yield None, " · ".join(part.replace(" ", _KEPT) for part in parts if part)
    if (
        run.first.parent_id is not None
        and run.sent_ms is None
        and run.first.hops
        and not run.first.trigger.get("emitId")
    ):
        yield None, "what caused it has no record"
    if len(run.attempts) > 1:
        for number, attempt in enumerate(run.attempts, 1):
            yield _attempt(number, attempt, start_ms)
    elif span.failure is not None:
        yield "red", _failure(span.failure)


def _what(span: Span) -> str:
    trigger = span.trigger
    if span.step == BROADCAST:
        item = trigger.get("id")
        return f"{trigger.get('event', '')} {trigger.get('group', '')}{f'/{item}' if item is not None else ''}".strip()
    return trigger_text(trigger)


def _attempt(number: int, span: Span, start_ms: float) -> tuple[str | None, str]:
    outcome = RESULT_WORDS.get(span.result, span.result)
    reason = f"  {_failure(span.failure)}" if span.failure is not None else ""
    text = f"{number}. +{length(span.start_ms - start_ms)}  {outcome} after {length(span.duration_ms)}{reason}"
    return (None if span.result == "ok" else RESULT_COLOURS.get(span.result, "red")), text


def _failure(failure: Failure) -> str:
    return failure.message if failure.type == "Killed" else f"{failure.type}: {failure.message}"


def _operations(attempts: Iterable[Span]) -> list[str]:
    """What the attempts did to state and streams and what they emitted, in sum."""
    state: Counter[str] = Counter()
    streams: dict[str, Counter[str]] = {}
    emits: Counter[str] = Counter()
    for span in attempts:
        state.update(_counts(span.state))
        for stream, counts in span.streams.items():
            streams.setdefault(stream, Counter()).update(_counts(counts))
        emits.update(emit.topic for emit in span.emits)
    parts = [f"state {_listed(state)}"] if state else []
    parts += [f"stream {stream} {_listed(counts)}" for stream, counts in streams.items() if counts]
    if emits:
        topics = (f"{topic} ×{count}" if count > 1 else topic for topic, count in emits.items())
        parts.append(f"emits {', '.join(topics)}")
    return parts


def _counts(counts: Mapping[str, float]) -> dict[str, int]:
    return {name: int(number) for name, number in counts.items() if not name.endswith("Units")}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(name if number == 1 else f"{name} ×{number}" for name, number in counts.items())


def _missing_details(missing: Missing, start_ms: float) -> Iterator[str]:
    yield f"{missing.topic} · sent at +{length(missing.sent_ms - start_ms)}, no record of it"
    if missing.kills:
        ends = ", ".join(f"{status} at +{length(ended - start_ms)}" for ended, status in missing.kills)
        count = len(missing.kills)
        yield f"{count} run{'s' * (count != 1)} of this step ended without a record since: {ends}"

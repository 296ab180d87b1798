"""A trace as a tree: who caused whom, which attempts belong together, and what should be there and is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from treadle_infra.topology.cron import RETRIES
from treadle_local.observe.lines import Recorded, Reported, Said, is_system
from treadle_local.observe.reading import Entry
from treadle_local.observe.spans import Emit, Result, Span, spans_of

_SEVERITY: Mapping[Result, int] = {"ok": 0, "skipped": 0, "retry": 1, "error": 2, "dead-letter": 2, "killed": 2}


@dataclass(frozen=True, slots=True)
class Run:
    """A step's work on one thing: an attempt, or several one after the other. `attempts` is in order, never empty.

    `sent_ms`: when what it works on was sent (ms since the epoch), None where nobody in the trace did.
    """

    attempts: tuple[Span, ...]
    children: tuple[Node, ...]
    sent_ms: float | None

    @property
    def first(self) -> Span:
        return self.attempts[0]

    @property
    def last(self) -> Span:
        return self.attempts[-1]

    @property
    def step(self) -> str:
        return self.first.step

    @property
    def result(self) -> Result:
        return self.last.result

    @property
    def waited_ms(self) -> float | None:
        """From the sending to the first attempt."""
        return None if self.sent_ms is None else max(0.0, self.first.start_ms - self.sent_ms)


@dataclass(frozen=True, slots=True)
class Missing:
    """A message without a record of the step that should get it.

    It waits, it is being worked on, or its run was killed: `kills` are the ends (ms since the epoch) and statuses of
    invocations of the step that ended without a record since it was sent.
    """

    step: str
    topic: str
    sent_ms: float
    kills: tuple[tuple[float, str], ...] = ()


Node = Run | Missing


@dataclass(frozen=True, slots=True)
class TraceTree:
    """All that is known of a trace. Times in ms since the epoch."""

    trace_id: str
    w3c_id: str
    roots: tuple[Node, ...]
    start_ms: float
    end_ms: float
    runs: int
    steps: tuple[str, ...]
    """The steps that ran, in order of their first run; Treadle's own functions are none"""
    result: Result
    """The worst of the runs'"""

    @property
    def duration_ms(self) -> float:
        return self.end_ms - self.start_ms

    @property
    def status(self) -> int | None:
        """The HTTP status that the request was answered with which the trace begins."""
        return next((root.last.status for root in self.roots if isinstance(root, Run)), None)

    @property
    def is_complete(self) -> bool:
        return not any(isinstance(node, Missing) for node in walk(self.roots))


def walk(nodes: Iterable[Node]) -> Iterable[Node]:
    """All nodes, each ahead of its children."""
    for node in nodes:
        yield node
        if isinstance(node, Run):
            yield from walk(node.children)


def traces_of(entries: Iterable[Entry], subscribers: Mapping[str, Sequence[str]] | None = None) -> list[TraceTree]:
    """The traces whose entries these are, by their start.

    `subscribers` has the steps of each topic: with it, messages without a record are told.
    """
    by_trace: dict[str, list[Entry]] = {}
    for entry in entries:
        trace_id = _trace_id(entry)
        if trace_id is not None:
            by_trace.setdefault(trace_id, []).append(entry)
    trees = [tree for found in by_trace.values() if (tree := trace_of(found, subscribers or {})) is not None]
    return sorted(trees, key=lambda tree: tree.start_ms)


def _trace_id(entry: Entry) -> str | None:
    match entry.line:
        case Said(trace_id=trace_id):
            return trace_id
        case Recorded(record=record):
            return str(record.get("traceId", "")) or None
        case _:
            return None


def trace_of(
    entries: Sequence[Entry],
    subscribers: Mapping[str, Sequence[str]],
    reports: Sequence[tuple[Entry, Reported]] = (),
) -> TraceTree | None:
    """The tree of one trace's entries; None where there is neither a record nor a killed run among them.

    `reports` are Lambda's words on invocations that did not end well, of any trace.
    """
    known = spans_of(entries, reports)
    if not known:
        return None
    ended = {(span.step, span.request_id) for span in known}
    lost = [
        _Lost(entry.step, entry.time_ms, report.status)
        for entry, report in reports
        if (entry.step, report.request_id) not in ended
    ]
    roots = _Builder(_grouped(known), subscribers, lost).roots()
    runs = [node for node in walk(roots) if isinstance(node, Run)]
    return TraceTree(
        trace_id=known[0].trace_id,
        w3c_id=next((span.w3c_id for span in known if span.w3c_id), ""),
        roots=roots,
        start_ms=min(span.start_ms for span in known),
        end_ms=max(span.end_ms for span in known),
        runs=len(runs),
        steps=tuple(dict.fromkeys(span.step for span in known if not is_system(span.step))),
        result=max((run.result for run in runs), key=lambda result: _SEVERITY.get(result, 2)),
    )


def _grouped(spans: Iterable[Span]) -> list[tuple[Span, ...]]:
    """The attempts at one thing together, in order."""
    groups: dict[tuple[object, ...], list[Span]] = {}
    killed: list[Span] = []
    for span in spans:
        if span.result == "killed":
            killed.append(span)
        else:
            groups.setdefault(_subject(span), []).append(span)
    for span in killed:
        retried = next((group for group in groups.values() if _is_retry_after(group[0], span)), None)
        if retried is None:
            groups[_subject(span)] = [span]
        else:
            retried.append(span)
    return [_with_retries(tuple(sorted(group, key=lambda span: span.start_ms))) for group in groups.values()]


def _with_retries(attempts: tuple[Span, ...]) -> tuple[Span, ...]:
    """Says of each failed attempt at a firing what became of it: a run does not know that Lambda tries again."""
    trigger = attempts[0].trigger
    if trigger.get("kind") != "cron" or trigger.get("manual"):
        return attempts
    return tuple(
        replace(span, result="retry" if number <= RETRIES else "dead-letter") if span.result == "error" else span
        for number, span in enumerate(attempts, 1)
    )


def _is_retry_after(span: Span, killed: Span) -> bool:
    """Whether what a killed run worked on came back as this one."""
    return span.step == killed.step and span.start_ms > killed.start_ms and int(span.trigger.get("attempt") or 1) > 1


def _subject(span: Span) -> tuple[object, ...]:
    """What a run works on: the same for all attempts at it, different for all else."""
    trigger = span.trigger
    match trigger.get("kind"):
        case "event" | "state" | "stream" if "messageId" in trigger:
            return span.step, "message", trigger.get("messageId")
        case "cron":
            return span.step, "firing", trigger.get("schedule"), trigger.get("time"), span.request_id
        case _:
            return span.step, span.request_id, span.span_id


@dataclass(frozen=True, slots=True)
class _Lost:
    """The end of an invocation of which this trace has no record."""

    step: str
    ended_ms: float
    status: str


class _Builder:
    def __init__(
        self,
        groups: Sequence[tuple[Span, ...]],
        subscribers: Mapping[str, Sequence[str]],
        lost: Sequence[_Lost],
    ) -> None:
        self._subscribers = subscribers
        self._lost = lost
        span_ids = {span.span_id for group in groups for span in group if span.span_id}
        self._top: list[tuple[Span, ...]] = []
        self._killed: list[tuple[Span, ...]] = []
        self._by_parent: dict[str, list[tuple[Span, ...]]] = {}
        self._received: set[tuple[str, object]] = set()
        for group in groups:
            first = group[-1]
            if first.parent_id in span_ids:
                self._by_parent.setdefault(first.parent_id or "", []).append(group)
            else:
                (self._killed if first.result == "killed" else self._top).append(group)
            self._received.add((first.step, first.trigger.get("emitId")))

    def roots(self) -> tuple[Node, ...]:
        known = [self._run(group, {}) for group in self._top]
        return (*known, *(Run(group, (), None) for group in self._killed))

    def _run(self, attempts: tuple[Span, ...], sent: Mapping[str, float]) -> Run:
        children: list[tuple[float, Node]] = []
        for span in attempts:
            emitted = {emit.emit_id: span.start_ms + emit.at_ms for emit in span.emits}
            caused = self._by_parent.get(span.span_id, ()) if span.span_id else ()
            children += [(group[0].start_ms, self._run(group, emitted)) for group in caused]
            for emit in span.emits:
                sent_ms = span.start_ms + emit.at_ms
                children += [(sent_ms, node) for node in self._without_record(emit, sent_ms)]
        children.sort(key=lambda child: child[0])
        return Run(attempts, tuple(node for _, node in children), sent.get(str(attempts[-1].trigger.get("emitId"))))

    def _without_record(self, emit: Emit, sent_ms: float) -> Iterator[Node]:
        """What became of a message, for each subscriber that has no record of it."""
        for step in self._subscribers.get(emit.topic, ()):
            if (step, emit.emit_id) in self._received:
                continue
            killed = next((group for group in self._killed if group[0].step == step), None)
            if killed is not None:
                self._killed.remove(killed)
                trigger = {"kind": "event", "topic": emit.topic, "emitId": emit.emit_id}
                yield Run(tuple(replace(span, trigger=trigger) for span in killed), (), sent_ms)
                continue
            ends = (
                (lost.ended_ms, lost.status)
                for lost in self._lost
                if lost.step == step and lost.ended_ms >= sent_ms - 1
            )
            yield Missing(step, emit.topic, sent_ms, tuple(ends))

"""One run of a handler as a trace shows it, read from its invocation record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from treadle_local.observe.lines import Recorded, Reported, Said
from treadle_local.observe.reading import Entry

Result = Literal["ok", "error", "retry", "dead-letter", "skipped", "killed"]
"""What became of a run; `killed`: Lambda ended it before it could write its record."""


@dataclass(frozen=True, slots=True)
class Emit:
    """A message that a run sent, `at_ms` after its start."""

    topic: str
    emit_id: str
    at_ms: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Failure:
    """The error that ended a run."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Span:
    """One run. Times in milliseconds, `start_ms` since the epoch."""

    trace_id: str
    w3c_id: str
    span_id: str
    parent_id: str | None
    request_id: str
    step: str
    trigger: Mapping[str, Any]
    start_ms: float
    duration_ms: float
    result: Result
    hops: int = 0
    """The emits since the trace's beginning"""
    status: int | None = None
    emits: tuple[Emit, ...] = ()
    state: Mapping[str, float] = field(default_factory=dict[str, float])
    streams: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    failure: Failure | None = None
    delivered: int | None = None
    """The connections that a stream's change went to; of the broadcast only"""

    @property
    def end_ms(self) -> float:
        return self.start_ms + self.duration_ms


def spans_of(entries: Sequence[Entry], reports: Sequence[tuple[Entry, Reported]] = ()) -> list[Span]:
    """The runs of one trace whose records are among the entries, and those that were killed, by their start.

    `reports` are Lambda's words on invocations that did not end well: where such a one said something under this trace
    and there is no record of it, it was killed.
    """
    spans = [_span(line.record) for entry in entries if isinstance(line := entry.line, Recorded)]
    spans += _killed(entries, {(span.step, span.request_id) for span in spans}, reports)
    return sorted(spans, key=lambda span: span.start_ms)


def _killed(
    entries: Iterable[Entry], recorded: Set[tuple[str, str]], reports: Iterable[tuple[Entry, Reported]]
) -> list[Span]:
    ended = {(entry.step, report.request_id): report for entry, report in reports}
    killed: dict[tuple[str, str], Span] = {}
    for entry in entries:
        line = entry.line
        if not isinstance(line, Said) or line.request_id is None or line.trace_id is None:
            continue
        key = (entry.step, line.request_id)
        if key in ended and key not in recorded and key not in killed:
            killed[key] = _killed_span(entry, line, ended[key])
    return list(killed.values())


def _killed_span(entry: Entry, line: Said, report: Reported) -> Span:
    return Span(
        trace_id=str(line.trace_id),
        w3c_id="",
        span_id="",
        parent_id=None,
        request_id=report.request_id,
        step=entry.step,
        trigger={},
        start_ms=entry.time_ms if line.time_ms is None else line.time_ms,
        duration_ms=report.duration_ms,
        result="killed",
        failure=Failure("Killed", f"ended by Lambda without a record ({report.status})"),
    )


def _span(record: Mapping[str, Any]) -> Span:
    parent, error = record.get("parentId"), record.get("error")
    return Span(
        trace_id=str(record.get("traceId", "")),
        w3c_id=str(record.get("w3cId", "")),
        span_id=str(record.get("spanId", "")),
        parent_id=None if parent is None else str(parent),
        request_id=str(record.get("requestId", "")),
        step=str(record.get("step", "")),
        trigger=_object(record.get("trigger")),
        start_ms=float(record.get("startMs") or 0),
        duration_ms=float(record.get("durationMs") or 0),
        result=cast("Result", str(record.get("result", "error"))),
        hops=int(record.get("hops") or 0),
        status=record.get("status"),
        emits=tuple(_emit(_object(one)) for one in _list(record.get("emits"))),
        state=_object(record.get("state")),
        streams=_object(record.get("streams")),
        failure=_failure(_object(error)) if error else None,
        delivered=record.get("delivered"),
    )


def _emit(value: Mapping[str, Any]) -> Emit:
    return Emit(
        str(value.get("topic", "")),
        str(value.get("emitId", "")),
        float(value.get("atMs") or 0),
        int(value.get("bytes") or 0),
    )


def _failure(value: Mapping[str, Any]) -> Failure:
    return Failure(str(value.get("type", "Error")), str(value.get("message", "")))


def _object(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()

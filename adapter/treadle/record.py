"""The invocation record: one log line for each run of a handler. Traces, the Workbench and the cost view read it.

It is joined by request id with Lambda's own `platform.report`, which has the billed milliseconds and the peak memory.

    {"treadle": "invocation", "v": 1,
     "requestId": "8f5e1a52-...",                     Lambda's; the messages of one batch share it
     "traceId": "SUJU6-8751089",                      the trace's two names
     "w3cId": "4bf92f3577b34da6a3ce929d0e0e4736",
     "spanId": "00f067aa0ba902b7",                    this run
     "parentId": "b7ad6b7169203331",                  the run or caller that caused it; null where the trace begins
     "step": "ProcessOrder", "version": "7",
     "trigger": {"kind": "event", "topic": "order.created", "messageId": "059f36b4-...", "attempt": 1,
                 "emitId": "0b9c...", "sentMs": 1784000000100},
     "hops": 1,                                       emits since the request
     "startMs": 1784000000123.456,                    Unix time
     "result": "ok",
     "status": 201,                                   HTTP status; api trigger only
     "durationMs": 12.34,
     "emits": [{"topic": "order.paid", "bytes": 312, "emitId": "8c1f...", "atMs": 3.21}],
     "state": {"get": 1, "readUnits": 0.5},           operations and consumed capacity units
     "streams": {"orders": {"set": 1, "writeUnits": 1.0}},
     "error": {"type": "ValueError", "message": "...", "fingerprint": "1f0e..."}}   where `result` is not ok or skipped

`result` is `ok`; `error` (a request was answered with a failure, an invocation ended in one: where Lambda called it
asynchronously, as for cron, Lambda does the retries); `retry` (the message stays in the queue); `dead-letter`;
`skipped` (a firing on a day that the step's schedule leaves out: the handler did not run).

`trigger` is one of
    {"kind": "api", "routeKey": "POST /orders"}
    {"kind": "event", "messageId", "attempt", and where the message is an emit's "topic", "emitId"; "sentMs"}
    {"kind": "cron", "schedule": "shop--dev--Nightly", "time": "2026-07-14T09:00:00Z", "manual": true?}
    {"kind": "invoke"}
    {"kind": "websocket", "routeKey", "connectionId"}, {"kind": "stream", "stream", "group", "id", "event"}
the last two of Treadle's own functions, whose records may have fields of their own behind these (`delivered`).

A run's children are the records whose `parentId` is its `spanId`; which emit made a child, its trigger's `emitId` says.
A retry is a record of its own, a sibling of the attempt before. `atMs` counts from `startMs`.
"""

from __future__ import annotations

import time

from treadle.fingerprint import fingerprint
from treadle.logger import write_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from treadle.trace import Trace

    Result = Literal["ok", "error", "retry", "dead-letter", "skipped"]
    Counts = dict[str, int | float]
    RecordReader = Callable[[Mapping[str, object], Trace], None]

_MESSAGE_LIMIT = 1000
RECORD_VERSION = 1

readers: list[RecordReader] = []
"""Who else gets each record when it is written: the export of spans, where the app has it."""


class InvocationRecord:
    """What one run of a handler did, gathered while it runs.

    Treadle's own functions write theirs in the same way:

        record = InvocationRecord(request_id=..., trace=trace_of_text(row_trace), step=names.BROADCAST, version="7",
                                  trigger={"kind": "stream", ...}, hops=0)
        ...
        record.write("ok", delivered=3)
    """

    __slots__ = ("_fields", "_started", "_trace", "emits", "error", "state", "status", "streams")

    def __init__(
        self, *, request_id: str, trace: Trace, step: str, version: str, trigger: dict[str, object], hops: int
    ) -> None:
        self._started = time.perf_counter()
        self._trace = trace
        self._fields: dict[str, object] = {
            "treadle": "invocation",
            "v": RECORD_VERSION,
            "requestId": request_id,
            "traceId": trace.trace_id,
            "w3cId": trace.w3c_id,
            "spanId": trace.span_id,
            "parentId": trace.parent_id,
            "step": step,
            "version": version,
            "trigger": trigger,
            "hops": hops,
            "startMs": time.time_ns() // 1000 / 1000,
        }
        self.emits: list[dict[str, object]] = []
        self.state: Counts = {}
        self.streams: dict[str, Counts] = {}
        self.status: int | None = None
        self.error: dict[str, str] | None = None

    def elapsed_ms(self) -> float:
        """Milliseconds since the run began."""
        return round((time.perf_counter() - self._started) * 1000, 2)

    def fail(self, error: BaseException, project_root: str) -> None:
        """Notes the error that ended the run."""
        self.error = {
            "type": type(error).__name__,
            "message": str(error)[:_MESSAGE_LIMIT],
            "fingerprint": fingerprint(error, project_root),
        }

    def write(self, result: Result, **more: object) -> None:
        """Writes the line; called once, when the run's fate is known. `more` are fields that only this record has."""
        fields = self._fields
        fields["result"] = result
        if self.status is not None:
            fields["status"] = self.status
        fields["durationMs"] = self.elapsed_ms()
        fields["emits"] = self.emits
        fields["state"] = self.state
        fields["streams"] = self.streams
        if self.error is not None:
            fields["error"] = self.error
        if more:
            fields.update(more)
        write_line(fields)
        for read in readers:
            read(fields, self._trace)


def count(counts: Counts, operation: str, *, read_units: float = 0.0, write_units: float = 0.0) -> None:
    """Adds one `operation` and its consumed capacity units to a record's counts."""
    counts[operation] = counts.get(operation, 0) + 1
    if read_units:
        counts["readUnits"] = counts.get("readUnits", 0) + read_units
    if write_units:
        counts["writeUnits"] = counts.get("writeUnits", 0) + write_units

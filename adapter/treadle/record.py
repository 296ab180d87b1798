"""The invocation record: one log line for each run of a handler. Traces, the Workbench and the cost view read it.

It is joined by request id with Lambda's own `platform.report`, which has the billed milliseconds and the peak memory.
"""

from __future__ import annotations

import time

from treadle.fingerprint import fingerprint
from treadle.logger import write_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Result = Literal["ok", "error", "retry", "dead-letter"]
    Counts = dict[str, int | float]

_MESSAGE_LIMIT = 1000
RECORD_VERSION = 1


class InvocationRecord:
    """What one run of a handler did, gathered while it runs."""

    __slots__ = ("_fields", "_started", "emits", "error", "state", "status", "streams")

    def __init__(
        self, *, request_id: str, trace_id: str, step: str, version: str, trigger: dict[str, object], hops: int
    ) -> None:
        self._started = time.perf_counter()
        self._fields: dict[str, object] = {
            "treadle": "invocation",
            "v": RECORD_VERSION,
            "requestId": request_id,
            "traceId": trace_id,
            "step": step,
            "version": version,
            "trigger": trigger,
            "hops": hops,
            "startMs": int(time.time() * 1000),
        }
        self.emits: list[dict[str, object]] = []
        self.state: Counts = {}
        self.streams: dict[str, Counts] = {}
        self.status: int | None = None
        self.error: dict[str, str] | None = None

    def fail(self, error: BaseException, project_root: str) -> None:
        """Notes the error that ended the run."""
        self.error = {
            "type": type(error).__name__,
            "message": str(error)[:_MESSAGE_LIMIT],
            "fingerprint": fingerprint(error, project_root),
        }

    def write(self, result: Result) -> None:
        """Writes the line; called once, when the run's fate is known."""
        fields = self._fields
        fields["result"] = result
        if self.status is not None:
            fields["status"] = self.status
        fields["durationMs"] = round((time.perf_counter() - self._started) * 1000, 2)
        fields["emits"] = self.emits
        fields["state"] = self.state
        fields["streams"] = self.streams
        if self.error is not None:
            fields["error"] = self.error
        write_line(fields)


def count(counts: Counts, operation: str, *, read_units: float = 0.0, write_units: float = 0.0) -> None:
    """Adds one `operation` and its consumed capacity units to a record's counts."""
    counts[operation] = counts.get(operation, 0) + 1
    if read_units:
        counts["readUnits"] = counts.get("readUnits", 0) + read_units
    if write_units:
        counts["writeUnits"] = counts.get("writeUnits", 0) + write_units

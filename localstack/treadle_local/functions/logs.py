"""A line of a function's output, on its way to CloudWatch Logs and to whoever watches."""

from __future__ import annotations

from typing import NamedTuple


class LogLine(NamedTuple):
    """One line of a function's output. `request_id` is empty outside an invocation; `time_ms` since the epoch."""

    function: str
    request_id: str
    text: str
    time_ms: int

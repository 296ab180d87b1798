"""Where functions' output goes: at once to whoever watches; in bulk to CloudWatch Logs, before it is read there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

_KEEP_PER_STREAM = 10_000
_KEEP_STREAMS = 500


class LogStore(Protocol):
    async def put_log_events(self, group: str, stream: str, events: list[tuple[int, str]]) -> None: ...


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a function's output. `request_id` is empty outside an invocation; `time_ms` since the epoch."""

    function: str
    request_id: str
    text: str
    time_ms: int


class LogBuffer:
    """Lines that CloudWatch Logs does not hold yet. Writing costs nothing; `flush` moves them over."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._pending: dict[tuple[str, str], deque[tuple[int, str]]] = {}

    def append(self, group: str, stream: str, time_ms: int, text: str) -> None:
        """Remembers a line. Where nobody reads for long, the last 10,000 lines of the last 500 streams are kept."""
        lines = self._pending.get((group, stream))
        if lines is None:
            if len(self._pending) >= _KEEP_STREAMS:
                del self._pending[next(iter(self._pending))]
            lines = self._pending[group, stream] = deque(maxlen=_KEEP_PER_STREAM)
        lines.append((time_ms, text))

    async def flush(self) -> None:
        """Hands all remembered lines to CloudWatch Logs."""
        pending, self._pending = self._pending, {}
        for (group, stream), events in pending.items():
            await self._store.put_log_events(group, stream, list(events))

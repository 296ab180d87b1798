"""Which entries of the logs are shown, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from treadle_cli import terminal
from treadle_cli.log_lines import LogLines
from treadle_cli.moments import clock_time, iso_time
from treadle_local.observe.lines import Line, Platform, Raised, Recorded, Reported, Said, Text, is_system
from treadle_local.observe.reading import Entry

_BAD_RESULTS = frozenset({"error", "retry", "dead-letter"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. `system`: lines of Treadle's own functions that are no warnings or errors either."""

    errors_only: bool = False
    records: bool = False
    system: bool = False

    def takes(self, step: str, line: Line) -> bool:
        serious = _is_serious(line)
        if (self.errors_only or (is_system(step) and not self.system)) and not serious:
            return False
        match line:
            case Recorded():
                return self.records
            case Platform():
                return False
            case Reported():
                return serious
            case Said() | Raised() | Text():
                return not self.errors_only or not isinstance(line, Said) or line.level == "error"
            case _:
                assert_never(line)


def _is_serious(line: Line) -> bool:
    match line:
        case Said(level=level):
            return level in ("warn", "error")
        case Raised():
            return True
        case Recorded(record=record):
            return record.get("result") in _BAD_RESULTS
        case Reported(status=status):
            return status != "success"
        case Platform() | Text():
            return False
        case _:
            assert_never(line)


class LogView:
    """Turns entries, in order, into what is printed."""

    def __init__(self, wanted: Wanted, show: Callable[[Entry, Line], str | None]) -> None:
        self._wanted = wanted
        self._show = show
        self._told: dict[tuple[str, str], None] = {}

    def lines(self, entries: Iterable[Entry]) -> Iterator[str]:
        for entry in entries:
            line = entry.line
            if self._is_told(entry.step, line) or not self._wanted.takes(entry.step, line):
                continue
            text = self._show(entry, line)
            if text is not None:
                yield text

    def _is_told(self, step: str, line: Line) -> bool:
        """Whether it is a report of a bad end of which an error or a record has told more."""
        match line:
            case Recorded(record=record):
                self._told[step, str(record.get("requestId"))] = None
            case Raised(document=document):
                self._told[step, str(document.get("requestId"))] = None
            case Reported(request_id=request_id, status=status):
                return status != "timeout" and self._told.pop((step, request_id), "") is None
            case _:
                return False
        if len(self._told) > 10_000:
            del self._told[next(iter(self._told))]
        return False


def text_view(wanted: Wanted, *, colour: bool, steps: Iterable[str]) -> LogView:
    """For people."""
    lines = LogLines(colour=colour)
    lines.widen(steps)

    def show(entry: Entry, line: Line) -> str | None:
        time = clock_time(entry.time_ms, datetime.now().astimezone())
        match line:
            case Said():
                return lines.said(time, entry.step, line.level, line.message, line.fields)
            case Raised():
                return lines.said(time, entry.step, "error", line.headline, line.fields)
            case Recorded():
                return lines.record(time, entry.step, line.record)
            case Reported():
                return lines.said(time, entry.step, "error", line.reason(), {})
            case Text():
                return lines.printed(time, entry.step, line.text)
            case Platform():
                return None
            case _:
                assert_never(line)

    return LogView(wanted, show)


def json_view(wanted: Wanted) -> LogView:
    """For programs: an object a line."""

    def show(entry: Entry, line: Line) -> str | None:
        content = _content(line)
        if content is None:
            return None
        value = {"time": iso_time(entry.time_ms), "step": entry.step, **content}
        return terminal.json_line(value)

    return LogView(wanted, show)


def _content(line: Line) -> Mapping[str, Any] | None:
    match line:
        case Said():
            return {
                "type": "log",
                "level": line.level,
                "message": line.message,
                "traceId": line.trace_id,
                "requestId": line.request_id,
                "fields": dict(line.fields),
            }
        case Raised():
            return {
                "type": "log",
                "level": "error",
                "message": line.headline,
                "traceId": None,
                "requestId": line.document.get("requestId"),
                "fields": dict(line.fields),
            }
        case Recorded():
            return {"type": "record", "traceId": line.record.get("traceId"), "record": dict(line.record)}
        case Reported():
            return {
                "type": "killed",
                "level": "error",
                "message": line.reason(),
                "requestId": line.request_id,
                "status": line.status,
                "durationMs": line.duration_ms,
            }
        case Text():
            return {"type": "print", "message": line.text}
        case Platform():
            return None
        case _:
            assert_never(line)

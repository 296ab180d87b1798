"""Lines of steps as people read them: time, step, level, message, fields; stacks below. `dev` and `logs` share them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from treadle_cli import terminal
from treadle_cli.stacks import project_paths, readable_frames
from treadle_local.observe.lines import Level

STEP_WIDTH_LIMIT = 24
_RESULT_COLOURS = {"ok": "green", "skipped": "bright_black", "retry": "yellow", "dead-letter": "red", "error": "red"}
_OUTCOMES = {"retry": "will retry", "dead-letter": "dead-lettered"}
_ERROR_FIELDS = frozenset({"errorType", "errorMessage", "stack"})
_LEVEL_COLOURS: Mapping[Level, str] = {"debug": "bright_black", "info": "blue", "warn": "yellow", "error": "red"}


class LogLines:
    """Makes lines whose columns fit the ones before; remembers what is told already."""

    def __init__(self, *, colour: bool) -> None:
        self._on = colour
        self._step_width = 0
        self._time_width = 0
        self._last_errors: dict[str, str] = {}

    def widen(self, steps: Iterable[str]) -> None:
        """Makes room for the names of these steps."""
        longest = max((len(step) for step in steps), default=0)
        self._step_width = max(self._step_width, min(longest, STEP_WIDTH_LIMIT))

    def said(self, time: str, step: str, level: Level, message: str, fields: Mapping[str, Any]) -> str | None:
        """A call of a step's logger; None for an error that was told already, with a better stack."""
        shown_level = self.paint(level.upper(), _LEVEL_COLOURS[level])
        stack = fields.get("stack")
        if level != "error" or not isinstance(stack, str):
            return self._message(time, step, shown_level, message, fields)
        error = f"{fields.get('errorType')}: {fields.get('errorMessage')}"
        if message == error and self._last_errors.get(step) == error:
            return None
        self._last_errors[step] = error
        others = {name: value for name, value in fields.items() if name not in _ERROR_FIELDS}
        head = self._message(time, step, shown_level, message, others)
        frames = readable_frames(stack)
        return "\n".join([head, *self._below(frames if frames or message == error else [error])])

    def printed(self, time: str, step: str, text: str) -> str:
        """A line that a step printed."""
        first, *others = terminal.visible_lines(project_paths(text))
        return "\n".join([self.line(time, step, self.paint("│ ", dim=True) + first), *self._below(others)])

    def labelled(self, time: str, step: str, label: str, text: str) -> str:
        """A text of one line or more behind a label."""
        return self._message(time, step, label, text, {})

    def record(self, time: str, step: str, record: Mapping[str, Any]) -> str:
        """The end of one run of a handler."""
        trigger: Mapping[str, Any] = record.get("trigger") or {}
        result, attempt = str(record.get("result", "")), trigger.get("attempt", 1)
        outcome = _OUTCOMES.get(result, str(record["status"]) if result == "ok" and "status" in record else result)
        again = f" (attempt {attempt})" if attempt != 1 else ""
        shown = self.paint(outcome, _RESULT_COLOURS.get(result), bold=True)
        return self.line(
            time,
            step,
            f"{terminal.visible(trigger_text(trigger))}  {shown}{again}",
            record.get("durationMs"),
            record.get("traceId"),
        )

    def line(
        self, time: str, step: str, text: str, duration_ms: float | None = None, trace_id: str | None = None
    ) -> str:
        step = terminal.visible(step)
        self.widen((step,))
        self._time_width = len(time)
        name = self.paint(f"{step:<{self._step_width}}", "cyan")
        took = self.paint(f"  {duration_ms:.0f} ms", dim=True) if duration_ms is not None else ""
        trace = self.paint(f"  {terminal.visible(trace_id)}", dim=True) if trace_id else ""
        return f"{self.paint(time, dim=True)}  {name}  {text}{took}{trace}"

    def _message(self, time: str, step: str, level: str, message: str, fields: Mapping[str, Any]) -> str:
        """A message with its fields; its further lines are below the first."""
        first, *others = terminal.visible_lines(message)
        return "\n".join([self.line(time, step, f"{level} {first}{self._fields(fields)}"), *self._below(others)])

    def _fields(self, fields: Mapping[str, Any]) -> str:
        return "".join(
            f"  {self.paint(terminal.visible(name), dim=True)}={_short(value)}" for name, value in fields.items()
        )

    def _below(self, lines: Iterable[str]) -> list[str]:
        """Lines that belong to the one above, under its text."""
        margin = " " * (self._time_width + 2 + self._step_width + 2)
        return [f"{margin}{self.paint('│', dim=True)} {terminal.visible(line)}" for line in lines]

    def paint(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        return terminal.paint(text, colour, bold=bold, dim=dim, on=self._on)


def trigger_text(trigger: Mapping[str, Any]) -> str:
    """What made a step run, in a few words."""
    match trigger.get("kind"):
        case "api":
            return str(trigger.get("routeKey", "request"))
        case "event":
            return str(trigger.get("topic") or "message")
        case "cron":
            return "cron, by hand" if trigger.get("manual") else "cron"
        case "state":
            return "state changed"
        case "stream":
            return f"stream {trigger.get('stream', '')}"
        case "websocket":
            return f"websocket {trigger.get('routeKey', '')}"
        case kind:
            return str(kind or "")


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return terminal.visible(text if len(text) <= 120 else f"{text[:117]}…")

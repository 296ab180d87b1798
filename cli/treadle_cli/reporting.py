"""How `treadle dev` tells what happens: a line per request and message for people, an object a line for programs."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from treadle_cli import terminal
from treadle_cli.stacks import readable_frames
from treadle_local.dev.happenings import (
    Denied,
    Found,
    Handled,
    Happening,
    Logged,
    Printed,
    Progress,
    Ready,
    Reloaded,
    Requested,
    ResourceFailed,
    Trouble,
)

_STEP_WIDTH_LIMIT = 24
_RESULT_COLOURS = {"ok": "green", "retry": "yellow", "dead-letter": "red", "error": "red"}
_OUTCOMES = {"retry": "will retry", "dead-letter": "dead-lettered"}
_ERROR_FIELDS = frozenset({"errorType", "errorMessage", "stack"})
_LEVEL_COLOURS = {"debug": "bright_black", "info": "blue", "warn": "yellow", "error": "red"}


class JsonReporter:
    """One JSON object a line on standard output: {"event": "ready", "http": …}."""

    def tell(self, happening: Happening) -> None:
        match happening:
            case Ready():
                value: dict[str, Any] = {
                    "event": "ready",
                    "http": happening.http_url,
                    "ws": happening.ws_url,
                    "aws": happening.aws_url,
                    "clock": happening.clock,
                    "seconds": round(happening.seconds, 3),
                }
            case Found():
                findings = [terminal.finding_json(finding) for finding in happening.findings]
                value = {"event": "findings", "findings": findings, "keptRunning": happening.kept_running}
            case Handled():
                value = {"event": "handled", "step": happening.step, "record": dict(happening.record)}
            case _:
                value = {"event": _event_name(happening), **dataclasses.asdict(happening)}
        print(json.dumps(value, ensure_ascii=False, default=str), flush=True)  # noqa: T201


def _event_name(happening: Happening) -> str:
    name = type(happening).__name__
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


class TextReporter:
    """Lines for people."""

    def __init__(self, *, colour: bool) -> None:
        self._on = colour
        self._step_width = 0
        self._after_blank = False
        self._last_errors: dict[str, str] = {}

    def tell(self, happening: Happening) -> None:
        text = self._text(happening)
        if text is None:
            return
        is_block = isinstance(happening, Found | ResourceFailed | Ready)
        above = "\n" if is_block and not self._after_blank else ""
        below = "\n" if is_block else ""
        self._after_blank = is_block
        print(f"{above}{text}{below}", flush=True)  # noqa: T201

    def _text(self, happening: Happening) -> str | None:
        match happening:
            case Progress():
                return self._paint(f"… {happening.text}", dim=True)
            case Found():
                return self._found(happening)
            case ResourceFailed():
                return self._resource_failed(happening)
            case Ready():
                return self._ready(happening)
            case Reloaded():
                return self._reloaded(happening)
            case Requested():
                return self._requested(happening)
            case Handled():
                return self._handled(happening)
            case Logged():
                return self._logged(happening)
            case Printed():
                return self._printed(happening)
            case Denied():
                return self._line(
                    happening.step, f"{self._paint('AccessDenied', 'red', bold=True)} {happening.message}"
                )
            case Trouble():
                return self._line(
                    happening.step or "", f"{self._paint('trouble', 'yellow', bold=True)} {happening.text}"
                )
            case _:
                assert_never(happening)

    # the lines

    def _requested(self, request: Requested) -> str:
        colour = "green" if request.status < 400 else "yellow" if request.status < 500 else "red"
        status = self._paint(str(request.status), colour, bold=True)
        what = f"{request.method} {request.path}"
        return self._line(request.step or "", f"{what}  {status}", request.duration_ms, request.trace_id)

    def _handled(self, handled: Handled) -> str | None:
        record = handled.record
        trigger = record.get("trigger", {})
        if trigger.get("kind") == "api":
            return None  # its request has a line of its own
        result, attempt = str(record.get("result", "")), trigger.get("attempt", 1)
        outcome = self._paint(_OUTCOMES.get(result, result), _RESULT_COLOURS.get(result), bold=True)
        again = f" (attempt {attempt})" if attempt != 1 else ""
        what = trigger.get("topic") or str(trigger.get("kind", ""))
        trace_id = record.get("traceId")
        return self._line(
            handled.step,
            f"{what}  {outcome}{again}",
            record.get("durationMs"),
            None if trace_id is None else str(trace_id),
        )

    def _logged(self, logged: Logged) -> str:
        level = self._paint(logged.level.upper(), _LEVEL_COLOURS[logged.level])
        stack = logged.fields.get("stack")
        if logged.level == "error" and isinstance(stack, str):
            fields = {name: value for name, value in logged.fields.items() if name not in _ERROR_FIELDS}
            error = f"{logged.fields.get('errorType')}: {logged.fields.get('errorMessage')}"
            self._last_errors[logged.step] = error
            head = self._line(logged.step, f"{level} {logged.message}{self._fields(fields)}")
            return "\n".join([head, *self._below(readable_frames(stack))])
        return self._line(logged.step, f"{level} {logged.message}{self._fields(logged.fields)}")

    def _printed(self, printed: Printed) -> str | None:
        report = _lambda_error(printed.text)
        if report is None:
            return self._line(printed.step, self._paint("│ ", dim=True) + printed.text)
        error = f"{report['errorType']}: {report['errorMessage']}"
        if self._last_errors.get(printed.step) == error:
            return None  # the adapter has told it, with a better stack
        stack = "".join(str(frame) for frame in report["stackTrace"] or ())
        head = self._line(printed.step, self._paint(f"ERROR {error}", "red"))
        return "\n".join([head, *self._below(readable_frames(stack))])

    def _fields(self, fields: Mapping[str, Any]) -> str:
        return "".join(f"  {self._paint(name, dim=True)}={_short(value)}" for name, value in fields.items())

    def _below(self, lines: Iterable[str]) -> list[str]:
        """Lines that belong to the one above, under its text."""
        margin = " " * (len("HH:MM:SS") + 2 + self._step_width + 2)
        return [f"{margin}{self._paint('│', dim=True)} {line}" for line in lines]

    def _line(self, step: str, text: str, duration_ms: float | None = None, trace_id: str | None = None) -> str:
        now = self._paint(time.strftime("%H:%M:%S"), dim=True)
        self._step_width = max(self._step_width, min(len(step), _STEP_WIDTH_LIMIT))
        name = self._paint(f"{step:<{self._step_width}}", "cyan")
        took = self._paint(f"  {duration_ms:.0f} ms", dim=True) if duration_ms is not None else ""
        trace = self._paint(f"  {trace_id}", dim=True) if trace_id else ""
        return f"{now}  {name}  {text}{took}{trace}"

    # the blocks

    def _ready(self, ready: Ready) -> str:
        arrow = self._paint("→", dim=True)
        lines = [self._paint(f"Treadle is ready ({ready.seconds:.1f} s)", "green", bold=True), ""]
        pairs = (*ready.routes, *ready.subscriptions)
        width = max((len(left) for left, _ in pairs), default=0)
        self._step_width = min(max((len(step) for _, step in pairs), default=0), _STEP_WIDTH_LIMIT)
        if ready.routes:
            lines.append(f"  HTTP    {self._paint(ready.http_url, bold=True)}")
            lines += [
                f"          {route:<{width}}  {arrow} {self._paint(step, 'cyan')}" for route, step in ready.routes
            ]
        if ready.subscriptions:
            lines.append("  Topics")
            lines += [
                f"          {topic:<{width}}  {arrow} {self._paint(step, 'cyan')}"
                for topic, step in ready.subscriptions
            ]
        if not ready.routes and not ready.subscriptions:
            lines.append("  No step yet: save one under steps/ and it runs. `treadle new NAME` shows how one looks.")
        if ready.clock == "manual":
            lines.append(f"  Clock   manual: POST {ready.aws_url}/__treadle/clock " + '{"advance_seconds": n}')
        lines += ["", f"  Try     {ready.curl}"] if ready.curl else [""]
        lines += [
            "  AWS     "
            f"export AWS_ENDPOINT_URL={ready.aws_url} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local "
            "AWS_DEFAULT_REGION=us-east-1",
            "  Stop    Ctrl-C",
        ]
        return "\n".join(lines)

    def _found(self, found: Found) -> str:
        texts = [terminal.finding_text(finding, on=self._on) for finding in found.findings]
        if found.kept_running:
            texts.append(self._paint("The version before this edit keeps running.", bold=True))
        return "\n\n".join(texts)

    def _resource_failed(self, failed: ResourceFailed) -> str:
        head = f"{self._paint('error[deploy-failed]', 'red', bold=True)}: {failed.resource_type}: {failed.reason}"
        origin = failed.source or failed.logical_id
        return f"{head}\n  {self._paint('-->', 'blue')} {origin}{f' (step {failed.step})' if failed.step else ''}"

    def _reloaded(self, reloaded: Reloaded) -> str:
        parts = [", ".join(reloaded.steps)] if reloaded.steps else []
        parts += [f"removed {', '.join(reloaded.removed)}"] if reloaded.removed else []
        return self._line(
            "", self._paint(f"reloaded {'; '.join(parts) or 'settings'}", "green"), reloaded.seconds * 1000
        )

    def _paint(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        return terminal.paint(text, colour, bold=bold, dim=dim, on=self._on)


def _lambda_error(text: str) -> Mapping[str, Any] | None:
    """The line with which Lambda's runtime client logs an error that left the handler; None for any other line."""
    if not text.startswith("{") or '"stackTrace"' not in text:
        return None
    try:
        value: Any = json.loads(text)
    except ValueError:
        return None
    return value if {"errorType", "errorMessage", "stackTrace"} <= value.keys() else None


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else f"{text[:117]}…"

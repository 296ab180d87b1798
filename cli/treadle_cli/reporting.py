"""How `treadle dev` tells what happens: a line per request and message for people, an object a line for programs."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from typing import Any, assert_never

from treadle_cli import terminal
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

_STEP_WIDTH = 18
_RESULT_COLOURS = {"ok": "green", "retry": "yellow", "dead-letter": "red", "error": "red"}
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

    def tell(self, happening: Happening) -> None:
        text = self._text(happening)
        if text is not None:
            print(text, flush=True)  # noqa: T201

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
                return self._line(happening.step, self._paint("│ ", dim=True) + happening.text)
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
        result = str(record.get("result", ""))
        if trigger.get("kind") == "api":
            return self._failure(handled.step, record) if result == "error" else None
        attempt = trigger.get("attempt", 1)
        what = trigger.get("topic") or str(trigger.get("kind", ""))
        outcome = self._paint(_outcome(result, record), _RESULT_COLOURS.get(result), bold=True)
        again = f" (attempt {attempt})" if attempt != 1 else ""
        line = self._line(
            handled.step, f"{what}  {outcome}{again}", record.get("durationMs"), _text_or_none(record.get("traceId"))
        )
        failure = self._failure(handled.step, record)
        return f"{line}\n{failure}" if failure else line

    def _failure(self, step: str, record: Mapping[str, Any]) -> str | None:
        error = record.get("error")
        if not error:
            return None
        return self._line(step, self._paint(f"{error.get('type')}: {error.get('message')}", "red"))

    def _logged(self, logged: Logged) -> str:
        level = self._paint(logged.level.upper(), _LEVEL_COLOURS[logged.level])
        fields = "  ".join(f"{self._paint(name, dim=True)}={_short(value)}" for name, value in logged.fields.items())
        return self._line(logged.step, f"{level} {logged.message}{'  ' if fields else ''}{fields}")

    def _line(self, step: str, text: str, duration_ms: float | None = None, trace_id: str | None = None) -> str:
        now = self._paint(time.strftime("%H:%M:%S"), dim=True)
        name = self._paint(f"{step:<{_STEP_WIDTH}}", "cyan")
        took = self._paint(f"  {duration_ms:.0f} ms", dim=True) if duration_ms is not None else ""
        trace = self._paint(f"  {trace_id}", dim=True) if trace_id else ""
        return f"{now}  {name}  {text}{took}{trace}"

    # the blocks

    def _ready(self, ready: Ready) -> str:
        arrow = self._paint("→", dim=True)
        lines = ["", self._paint(f"Treadle is ready ({ready.seconds:.1f} s)", "green", bold=True), ""]
        width = max((len(left) for left, _ in (*ready.routes, *ready.subscriptions)), default=0)
        if ready.routes:
            lines.append(f"  HTTP    {self._paint(ready.http_url, bold=True)}")
            lines += [
                f"          {route:<{width}}  {arrow} {self._paint(step, 'cyan')}" for route, step in ready.routes
            ]
        if ready.subscriptions:
            lines.append("  Topics")
            pairs = ready.subscriptions
            lines += [f"          {topic:<{width}}  {arrow} {self._paint(step, 'cyan')}" for topic, step in pairs]
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
            "",
        ]
        return "\n".join(lines)

    def _found(self, found: Found) -> str:
        texts = [terminal.finding_text(finding, on=self._on) for finding in found.findings]
        if found.kept_running:
            texts.append(self._paint("The version before this edit keeps running.", bold=True))
        return "\n" + "\n\n".join(texts) + "\n"

    def _resource_failed(self, failed: ResourceFailed) -> str:
        head = f"{self._paint('error[deploy-failed]', 'red', bold=True)}: {failed.resource_type}: {failed.reason}"
        origin = failed.source or failed.logical_id
        return f"\n{head}\n  {self._paint('-->', 'blue')} {origin}{f' (step {failed.step})' if failed.step else ''}\n"

    def _reloaded(self, reloaded: Reloaded) -> str:
        parts = [", ".join(reloaded.steps)] if reloaded.steps else []
        parts += [f"removed {', '.join(reloaded.removed)}"] if reloaded.removed else []
        return self._line(
            "", self._paint(f"reloaded {'; '.join(parts) or 'settings'}", "green"), reloaded.seconds * 1000
        )

    def _paint(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        return terminal.paint(text, colour, bold=bold, dim=dim, on=self._on)


def _outcome(result: str, record: Mapping[str, Any]) -> str:
    match result:
        case "retry":
            return f"will retry in {record.get('retryInSeconds', '?')} s"
        case "dead-letter":
            return "dead-lettered"
        case _:
            return result


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else f"{text[:117]}…"

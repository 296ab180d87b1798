"""How `treadle dev` tells what happens: a line per request and message for people, an object a line for programs."""

from __future__ import annotations

import dataclasses
import re
import time
from datetime import datetime
from typing import Any, assert_never

from treadle_cli import terminal
from treadle_cli.log_lines import LogLines
from treadle_cli.moments import moment
from treadle_cli.permissions_view import permissions_text
from treadle_local.dev.happenings import (
    Announced,
    Connected,
    Denied,
    Disconnected,
    Fired,
    Found,
    Handled,
    Happening,
    Inspected,
    Logged,
    Mended,
    Permissions,
    PlannedFiring,
    Printed,
    Progress,
    Ready,
    Rejected,
    Reloaded,
    Requested,
    ResourceFailed,
    Trouble,
)
from treadle_local.observe.permissions import as_json as permissions_json

_CALL_DETAILS = re.compile(r" \(Service: [^;()]*; Status Code: \d+; Error Code: [^;()]*\)")
"""What CloudFormation adds of the call that a service refused, for programs."""


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
            case Permissions():
                value = {"event": "permissions", **permissions_json(happening.report)}
            case _:
                value = {"event": _event_name(happening), **dataclasses.asdict(happening)}
        print(terminal.json_line(value, _json_text), flush=True)  # noqa: T201


def _json_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _event_name(happening: Happening) -> str:
    name = type(happening).__name__
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


class TextReporter:
    """Lines for people."""

    def __init__(self, *, colour: bool) -> None:
        self._on = colour
        self._lines = LogLines(colour=colour)
        self._after_blank = False

    def tell(self, happening: Happening) -> None:
        text = self._text(happening)
        if text is None:
            return
        is_block = isinstance(happening, Found | ResourceFailed | Ready | Permissions)
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
            case Inspected():
                where = self._paint(f"127.0.0.1:{happening.port}", "green")
                return self._line(happening.step, f"waits for a debugger on {where}, its timeout is off")
            case Reloaded():
                return self._reloaded(happening)
            case Mended():
                errors = f"{happening.errors} error{'s' * (happening.errors != 1)}"
                left = f", {happening.left} left" if happening.left else ""
                return self._line("", self._paint(f"mended {errors}{left}", "green"))
            case Requested():
                return self._requested(happening)
            case Handled():
                return self._handled(happening)
            case Logged():
                return self._lines.said(_now(), happening.step, happening.level, happening.message, happening.fields)
            case Printed():
                return self._lines.printed(_now(), happening.step, happening.text)
            case Fired():
                return self._line(happening.step, f"cron  {self._paint('fired', bold=True)}")
            case Connected() | Disconnected() | Rejected():
                return self._connection(happening)
            case Announced():
                return self._announced(happening)
            case Denied():
                return self._trouble(happening.step, "AccessDenied", "red", happening.message)
            case Permissions():
                return permissions_text(happening.report, on=self._on)
            case Trouble():
                return self._trouble(happening.step or "", "trouble", "yellow", happening.text)
            case _:
                assert_never(happening)

    # the lines

    def _requested(self, request: Requested) -> str:
        colour = "green" if request.status < 400 else "yellow" if request.status < 500 else "red"
        status = self._paint(str(request.status), colour, bold=True)
        what = terminal.visible(f"{request.method} {request.path}")
        return self._line(request.step or "", f"{what}  {status}", request.duration_ms, request.trace_id)

    def _handled(self, handled: Handled) -> str | None:
        if handled.record.get("trigger", {}).get("kind") == "api":
            return None  # its request has a line of its own
        return self._lines.record(_now(), handled.step, handled.record)

    def _connection(self, told: Connected | Disconnected | Rejected) -> str:
        match told:
            case Connected():
                path = terminal.visible(told.path)
                text = f"{self._paint('connected', 'green')} {path}  {self._paint(told.connection_id, dim=True)}"
            case Disconnected():
                why = f" {terminal.visible(told.reason)}" if told.reason else ""
                ended = f"disconnected ({told.code}{why}) after {told.seconds:.0f} s"
                text = self._paint(f"{ended}  {told.connection_id}", dim=True)
            case Rejected():
                refused = self._paint(f"refused {told.status}", "yellow", bold=True)
                text = f"{refused} {terminal.visible(f'{told.path}  {told.reason}')}"
        return self._line("", f"websocket {text}")

    def _announced(self, told: Announced) -> str:
        where = f"{told.group}/{told.id}" if told.id is not None else told.group
        receivers = f"{told.delivered} connection{'s' * (told.delivered != 1)}"
        trace = f"  {told.trace_id}" if told.trace_id else ""
        text = terminal.visible(f"stream {told.stream}  {told.change} {where} → {receivers}{trace}")
        return self._line("", self._paint(text, dim=True))

    def _trouble(self, step: str, kind: str, colour: str, text: str) -> str:
        return self._lines.labelled(_now(), step, self._paint(kind, colour, bold=True), text)

    def _line(self, step: str, text: str, duration_ms: float | None = None, trace_id: str | None = None) -> str:
        return self._lines.line(_now(), step, text, duration_ms, trace_id)

    # the blocks

    def _ready(self, ready: Ready) -> str:
        arrow = self._paint("→", dim=True)
        lines = [self._paint(f"Treadle is ready ({ready.seconds:.1f} s)", "green", bold=True), ""]
        crons = [(planned.expression, planned.step) for planned in ready.schedules]
        pairs = (*ready.routes, *ready.subscriptions, *crons)
        width = max((len(left) for left, _ in pairs), default=0)
        self._lines.widen(step for _, step in pairs)

        def row(left: str, step: str) -> str:
            return f"          {left:<{width}}  {arrow} {self._paint(step, 'cyan')}"

        if ready.routes:
            lines.append(f"  HTTP    {self._paint(ready.http_url, bold=True)}")
            lines += [row(*route) for route in ready.routes]
        if ready.streams:
            lines += [f"  Streams {self._paint(ready.ws_url, bold=True)}", f"          {', '.join(ready.streams)}"]
        if ready.subscriptions:
            lines.append("  Topics")
            lines += [row(*subscription) for subscription in ready.subscriptions]
        if ready.schedules:
            lines.append("  Cron")
            lines += [
                f"{row(planned.expression, planned.step)}  {self._paint(_next_time(planned), dim=True)}"
                for planned in ready.schedules
            ]
        if not pairs:
            lines.append("  No step yet: save one under steps/ and it runs. `treadle new NAME` shows how one looks.")
        if ready.clock == "manual":
            lines.append(
                f"  Clock   manual: curl -X POST {ready.aws_url}/__treadle/clock "
                """-H 'content-type: application/json' -d '{"advance_seconds": 60}'"""
            )
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
        reason = "\n  ".join(terminal.visible_lines(_CALL_DETAILS.sub("", failed.reason)))
        head = f"{self._paint('error[deploy-failed]', 'red', bold=True)}: {failed.resource_type}: {reason}"
        origin = failed.source or failed.logical_id
        hint = f"\n{self._paint('hint', 'cyan')}: {failed.hint}" if failed.hint is not None else ""
        return f"{head}\n  {self._paint('-->', 'blue')} {origin}{f' (step {failed.step})' if failed.step else ''}{hint}"

    def _reloaded(self, reloaded: Reloaded) -> str:
        changed = (*reloaded.steps, *reloaded.parts)
        parts = [", ".join(changed)] if changed else []
        parts += [f"removed {', '.join(reloaded.removed)}"] if reloaded.removed else []
        return self._line(
            "", self._paint(f"reloaded {'; '.join(parts) or 'settings'}", "green"), reloaded.seconds * 1000
        )

    def _paint(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        return terminal.paint(text, colour, bold=bold, dim=dim, on=self._on)


def _now() -> str:
    return time.strftime("%H:%M:%S")


def _next_time(planned: PlannedFiring) -> str:
    return "never again" if planned.next is None else f"next {moment(planned.next, planned.timezone)}"

"""From what the emulator's parts report to what a person sees: functions become steps, log lines become records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from treadle_local.aws.identity import Denial
from treadle_local.cloudformation.events import StackEvent
from treadle_local.dev.happenings import (
    Denied,
    Handled,
    Level,
    Logged,
    Printed,
    Requested,
    ResourceFailed,
    Tell,
    Trouble,
)
from treadle_local.emulator import Watcher
from treadle_local.functions.logs import LogLine
from treadle_local.functions.pollers import Batch
from treadle_local.gateway.http_api import Exchange

_OWN_FIELDS = frozenset({"level", "time", "msg", "traceId", "step", "flows", "requestId"})
_LEVELS: Mapping[str, Level] = {"debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error"}


class Translator:
    """Tells happenings; `steps` maps names of functions to steps, `origins` logical ids to where they come from."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.steps: Mapping[str, str] = {}
        self.origins: Mapping[str, Mapping[str, str]] = {}

    def watcher(self) -> Watcher:
        return Watcher(
            stack_event=self._stack_event,
            exchange=self._exchange,
            batch=self._batch,
            log=self._log,
            denied=self._denied,
            undelivered=self._undelivered,
            dropped=self._dropped,
        )

    def _step(self, function: str) -> str:
        return self.steps.get(function, function)

    def _stack_event(self, event: StackEvent) -> None:
        if not event.is_failure or event.is_of_stack:
            return
        origin = self.origins.get(event.logical_id, {})
        reason = event.reason or "no reason given"
        self._tell(ResourceFailed(event.logical_id, event.type, reason, origin.get("Step"), origin.get("Source")))

    def _exchange(self, exchange: Exchange) -> None:
        step = None
        if exchange.function is not None:
            step = self._step(_function_name(exchange.function))
        self._tell(
            Requested(exchange.method, exchange.path, exchange.status, exchange.duration_ms, step, exchange.trace_id)
        )

    def _batch(self, batch: Batch) -> None:
        if batch.problem is not None:
            text = f"{batch.size} message(s) go back to the queue: {batch.problem}"
            self._tell(Trouble(self._step(batch.function), text))

    def _log(self, line: LogLine) -> None:
        step = self._step(line.function)
        record = _object(line.text)
        if record is None:
            self._tell(Printed(step, line.text))
        elif record.get("treadle") == "invocation":
            self._tell(Handled(step, record))
        elif record.get("type") == "platform.report":
            return
        elif "msg" in record and isinstance(record.get("level"), str) and record["level"] in _LEVELS:
            fields = {name: value for name, value in record.items() if name not in _OWN_FIELDS}
            level = _LEVELS[str(record["level"])]
            trace_id = record.get("traceId")
            self._tell(Logged(step, level, str(record["msg"]), None if trace_id is None else str(trace_id), fields))
        elif "errorType" in record and "errorMessage" in record:  # the runtime client's own report of an error
            self._tell(Logged(step, "error", f"{record['errorType']}: {record['errorMessage']}", None, {}))
        else:
            self._tell(Printed(step, line.text))

    def _denied(self, denial: Denial) -> None:
        step = self._step(denial.caller.role or denial.caller.session)
        self._tell(Denied(step, denial.action, denial.resource, denial.message))

    def _undelivered(self, topic_arn: str, subscription_arn: str, reason: str) -> None:
        topic = topic_arn.rsplit(":", 1)[-1]
        self._tell(Trouble(None, f"a message of topic {topic} was not delivered to {subscription_arn}: {reason}"))

    def _dropped(self, function: str, reason: str) -> None:
        self._tell(Trouble(self._step(function), f"an asynchronous invocation was given up: {reason}"))


def _function_name(arn: str) -> str:
    # arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]
    parts = arn.split(":")
    return parts[6] if len(parts) > 6 else arn


def _object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None

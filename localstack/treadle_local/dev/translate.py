"""From what the emulator's parts report to what a person sees: functions become steps, log lines become records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any, assert_never

from treadle.names import BROADCAST
from treadle_local.aws.identity import Denial
from treadle_local.cloudformation.events import StackEvent
from treadle_local.dev.happenings import (
    Announced,
    Connected,
    Denied,
    Disconnected,
    Fired,
    Handled,
    Logged,
    Permissions,
    Printed,
    Rejected,
    Requested,
    ResourceFailed,
    Tell,
    Trouble,
)
from treadle_local.emulator import Watcher
from treadle_local.functions.logs import LogLine
from treadle_local.functions.pollers import Batch
from treadle_local.gateway import happenings
from treadle_local.gateway.happenings import SocketHappening
from treadle_local.gateway.http_api import Exchange
from treadle_local.observe.lines import Platform, Raised, Recorded, Reported, Said, Text, is_system, parse_line
from treadle_local.observe.permissions import PermissionsReport
from treadle_local.schedules.happenings import Firing, Missed, ScheduleHappening, Undelivered


class Translator:
    """Tells happenings of the project whose stacks are `stacks`.

    `steps` maps names of functions to steps, `origins` logical ids to where they come from.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.steps: Mapping[str, str] = {}
        self.origins: Mapping[str, Mapping[str, str]] = {}
        self.stacks: Collection[str] = ()

    def watcher(self) -> Watcher:
        return Watcher(
            stack_event=self._stack_event,
            exchange=self._exchange,
            batch=self._batch,
            log=self._log,
            denied=self._denied,
            undelivered=self._undelivered,
            dropped=self._dropped,
            schedule=self._schedule,
            socket=self._socket,
        )

    def _step(self, function: str) -> str:
        return self.steps.get(function, function)

    def _stack_event(self, event: StackEvent) -> None:
        if event.stack_name not in self.stacks or not event.is_failure or event.is_of_stack:
            return  # other stacks have their own deployers, who tell of them
        origin = self.origins.get(event.logical_id, {})
        reason = event.reason or "no reason given"
        step, source = origin.get("Step"), origin.get("Source")
        self._tell(ResourceFailed(event.logical_id, event.type, reason, step, source, _hint(event.type, reason)))

    def _exchange(self, exchange: Exchange) -> None:
        step = self._step_of(exchange.function)
        self._tell(
            Requested(exchange.method, exchange.path, exchange.status, exchange.duration_ms, step, exchange.trace_id)
        )

    def _batch(self, batch: Batch) -> None:
        if batch.problem is not None:
            where = "queue" if ":sqs:" in batch.source_arn else "stream"
            text = f"{batch.size} message(s) go back to the {where}: {batch.problem}"
            self._tell(Trouble(self._step(batch.function), text))

    def _log(self, line: LogLine) -> None:
        step = self._step(line.function)
        parsed = parse_line(line.text)
        match parsed:
            case Said():
                if not is_system(step) or parsed.level in ("warn", "error"):
                    self._tell(Logged(step, parsed.level, parsed.message, parsed.trace_id, parsed.fields))
            case Recorded():
                self._recorded(step, parsed.record)
            case Raised():
                self._tell(Logged(step, "error", parsed.headline, None, parsed.fields))
            case Text():
                self._tell(Printed(step, line.text))
            case Reported():
                if parsed.is_end_of_process:
                    self._tell(Logged(step, "error", parsed.reason(), None, {}))
            case Platform():
                return
            case _:
                assert_never(parsed)

    def _recorded(self, step: str, record: Mapping[str, Any]) -> None:
        """Treadle's own functions are no steps: what they do is told where somebody got something, or it failed."""
        if not is_system(step) or record.get("result") in ("error", "dead-letter"):
            self._tell(Handled(step, record))
        elif step == BROADCAST and (delivered := record.get("delivered")):
            trigger, trace_id = record.get("trigger", {}), record.get("traceId")
            item = trigger.get("id")
            self._tell(
                Announced(
                    stream=str(trigger.get("stream", "")),
                    group=str(trigger.get("group", "")),
                    id=None if item is None else str(item),
                    change=str(trigger.get("event", "")),
                    delivered=int(delivered),
                    trace_id=None if trace_id is None else str(trace_id),
                )
            )

    def _schedule(self, happening: ScheduleHappening) -> None:
        step = self._step(_function_name(happening.target_arn)) if not isinstance(happening, Missed) else None
        match happening:
            case Firing():
                self._tell(Fired(str(step), happening.name, happening.time))
            case Undelivered():
                self._tell(Trouble(step, f"a firing of {happening.name} was given up: {happening.reason}"))
            case Missed(name, _, count):
                first, last = (f"{moment.astimezone(UTC):%d %b %H:%M}" for moment in (happening.first, happening.last))
                span = f"at {first}" if count == 1 else f"from {first} to {last}"
                self._tell(Trouble(None, f"{name} missed {count} firing{'s' * (count != 1)} {span} UTC"))
            case _:
                assert_never(happening)

    def _socket(self, happening: SocketHappening) -> None:
        match happening:
            case happenings.Connected():
                self._tell(Connected(happening.connection_id, happening.path))
            case happenings.Refused():
                self._tell(Rejected(happening.path, happening.status, happening.reason))
            case happenings.Received():
                if happening.problem is not None:
                    what = f"a WebSocket message for {happening.route_key or 'no route'} came to nothing"
                    self._tell(Trouble(self._step_of(happening.function), f"{what}: {happening.problem}"))
            case happenings.Disconnected():
                ended = happening
                self._tell(Disconnected(ended.connection_id, ended.code, ended.reason, ended.seconds))
            case _:
                assert_never(happening)

    def _step_of(self, function_arn: str | None) -> str | None:
        return None if function_arn is None else self._step(_function_name(function_arn))

    def permissions(self, found: PermissionsReport) -> Permissions:
        """The report with the steps whose roles they are."""
        return Permissions(
            replace(found, roles=tuple(replace(role, step=self.steps.get(role.name)) for role in found.roles))
        )

    def _denied(self, denial: Denial) -> None:
        step = self._step(denial.caller.role or denial.caller.session)
        self._tell(Denied(step, denial.action, denial.resource, denial.message))

    def _undelivered(self, topic_arn: str, subscription_arn: str, reason: str) -> None:
        topic = topic_arn.rsplit(":", 1)[-1]
        self._tell(Trouble(None, f"a message of topic {topic} was not delivered to {subscription_arn}: {reason}"))

    def _dropped(self, function: str, reason: str) -> None:
        self._tell(Trouble(self._step(function), reason))


def _hint(resource_type: str, reason: str) -> str | None:
    """How a resource's failure is mended, where that is known."""
    if "already exists" in reason:
        return "something that is not of this project has this name: delete it, or stop and start `treadle dev`"
    if "not in Treadle's emulator yet" in reason:
        return "AWS may well have it; the emulator refuses what it does not have rather than pretend"
    if resource_type in ("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        return "look at the step's `cron` and `timezone`: AWS takes fewer expressions than cron does"
    return None


def _function_name(arn: str) -> str:
    # arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]
    parts = arn.split(":")
    return parts[6] if len(parts) > 6 else arn

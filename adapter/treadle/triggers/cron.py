"""Serves a firing of a schedule: one run of the handler, unless the schedule leaves this day out.

A failure is raised: Lambda calls the function again, and at last gives the event to the step's dead-letter queue.
Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

from treadle.errors import HandlerStopped, UnroutableEvent
from treadle.invocation import Invocation
from treadle.json_values import object_or_none
from treadle.message import Origin
from treadle.trace import trace_of_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.process import StepProcess
    from treadle.record import Result
    from treadle.shapes import Event, LambdaContext

KEY = "treadle.cron"


class Firing:
    """One firing of the schedule of this name. `event_id` is the same for every attempt at it.

    `manual`: a person asked for it, so that it runs on any day.
    """

    __slots__ = ("event_id", "manual", "schedule", "time")

    def __init__(self, schedule: str, time: str, event_id: str, *, manual: bool = False) -> None:
        self.schedule = schedule
        self.time = time
        self.event_id = event_id
        self.manual = manual


def serve_firing(process: StepProcess, event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
    """`{"traceId", "result": "ok" | "skipped"}`, which only `treadle cron run` sees. A handler's error is raised.

    The handler gets `{"time", "schedule"}` and the context, or the context alone.
    Raises: UnroutableEvent, HandlerStopped, and what the handler raises.
    """
    firing = _firing(event)
    schedules = process.schedules(lambda_context)
    cron = schedules.get(firing.schedule)
    if cron is None:
        known = ", ".join(sorted(schedules))
        raise UnroutableEvent(f"step {process.manifest.step} has no schedule `{firing.schedule}` (schedules: {known})")
    admitted = firing.manual or cron.guard is None or cron.guard.admits(firing.time)
    origin = Origin(trace_of_event(firing.event_id))
    invocation = Invocation(process, lambda_context, _trigger(firing), origin, process.handler_seconds(lambda_context))
    if not admitted:
        invocation.record.write("skipped")
        return {"traceId": origin.trace_id, "result": "skipped"}
    try:
        invocation.run({"time": firing.time, "schedule": firing.schedule}, scheduled=True, cause=cron)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        invocation.logger.failure(f"{process.manifest.step} failed on the schedule {firing.schedule}", error)
        invocation.record.write("error")
        if isinstance(error, Exception):
            raise
        raise HandlerStopped(f"{type(error).__name__}: {error}") from error
    result: Result = "skipped" if invocation.skipped else "ok"
    invocation.record.write(result)
    return {"traceId": origin.trace_id, "result": result}


def _trigger(firing: Firing) -> dict[str, object]:
    trigger: dict[str, object] = {"kind": "cron", "schedule": firing.schedule, "time": firing.time}
    if firing.manual:
        trigger["manual"] = True
    return trigger


def _firing(event: Event) -> Firing:
    """The firing in a rule's plain event, or in the input that a schedule gives: `{"treadle.cron": {...}}`."""
    if KEY not in event:
        rule = str(event["resources"][0]).rpartition("/")[2]
        return Firing(rule, str(event["time"]), str(event["id"]))
    given = object_or_none(event[KEY])
    if given is None or not {"schedule", "time", "id"} <= given.keys():
        raise UnroutableEvent(f'"{KEY}" must be {{"schedule": ..., "time": ..., "id": ...}}')
    return Firing(str(given["schedule"]), str(given["time"]), str(given["id"]), manual=given.get("manual") is True)

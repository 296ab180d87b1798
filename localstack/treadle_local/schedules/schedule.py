"""EventBridge Scheduler's schedules as values: what may be asked for, and what is shown of them.

Source: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from treadle_local.schedules.errands import RetryPolicy
from treadle_local.schedules.expressions import Once, Rate, ScheduleExpression, TimezoneError, parse_schedule
from treadle_local.schedules.post import SERVICES, service_of
from treadle_local.schedules.refusals import invalid, not_here
from treadle_local.schedules.timetable import Plan

DEFAULT_GROUP = "default"
_EARLIEST_START = timedelta(minutes=5)
_KNOWN_MEMBERS = frozenset({"Arn", "DeadLetterConfig", "Input", "RetryPolicy", "RoleArn"})
_SHOWN = ("Description", "EndDate", "FlexibleTimeWindow", "KmsKeyArn", "ScheduleExpression", "StartDate")
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it was asked for; `token` is the one of the call that made it.

    `settings` are in AWS's shape: `{"ScheduleExpression": "rate(1 hour)", "StartDate": datetime, "Target": {...}}`.
    """

    arn: str
    name: str
    group: str
    settings: Mapping[str, Any]
    created: datetime
    modified: datetime
    token: str | None = None

    @property
    def enabled(self) -> bool:
        return self.settings.get("State") != "DISABLED"

    @property
    def deletes_itself(self) -> bool:
        return self.settings.get("ActionAfterCompletion") == "DELETE"

    @property
    def target(self) -> Mapping[str, Any]:
        target: Mapping[str, Any] = self.settings["Target"]
        return target

    @property
    def dead_letter_arn(self) -> str | None:
        return (self.target.get("DeadLetterConfig") or _NOTHING).get("Arn")

    @property
    def retry(self) -> RetryPolicy:
        return RetryPolicy.of(self.target.get("RetryPolicy"))

    def plan(self) -> Plan:
        """When it fires. A window is as good as off: it fires at its start. One-time schedules know no start or end."""
        expression = _expression(self.settings)
        if isinstance(expression, Once):
            return Plan(expression)
        at_once = isinstance(expression, Rate)
        return Plan(expression, self.settings.get("StartDate"), self.settings.get("EndDate"), at_once=at_once)

    def describe(self) -> dict[str, Any]:
        """The answer of GetSchedule."""
        return {
            **{name: self.settings[name] for name in _SHOWN if name in self.settings},
            "ActionAfterCompletion": self.settings.get("ActionAfterCompletion", "NONE"),
            "Arn": self.arn,
            "CreationDate": self.created,
            "GroupName": self.group,
            "LastModificationDate": self.modified,
            "Name": self.name,
            "ScheduleExpressionTimezone": _timezone(self.settings),
            "State": self.settings.get("State", "ENABLED"),
            "Target": {
                **self.target,
                "RetryPolicy": {
                    "MaximumEventAgeInSeconds": self.retry.age_seconds,
                    "MaximumRetryAttempts": self.retry.attempts,
                },
            },
        }

    def summarize(self) -> dict[str, Any]:
        """An entry of ListSchedules."""
        shown = ("Arn", "CreationDate", "GroupName", "LastModificationDate", "Name", "State")
        whole = self.describe()
        return {**{name: whole[name] for name in shown}, "Target": {"Arn": self.target["Arn"]}}


def check_schedule(settings: Mapping[str, Any], now: datetime, *, any_start: bool = False) -> None:
    """Returns when a schedule may be as asked for, its role aside. Raises: AwsError ValidationException."""
    try:
        expression = _expression(settings)
    except TimezoneError as error:
        raise invalid(str(error)) from error
    except ValueError as error:
        raise invalid(f"Invalid Schedule Expression {settings['ScheduleExpression']}.") from error
    _check_window(settings["FlexibleTimeWindow"])
    if not isinstance(expression, Once):
        _check_dates(None if any_start else settings.get("StartDate"), settings.get("EndDate"), now)
    _check_target(settings["Target"])


def _check_dates(start: datetime | None, end: datetime | None, now: datetime) -> None:
    if start is not None and start < now - _EARLIEST_START:
        raise invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if end is not None and end <= max(now, start or now):
        raise invalid("The EndDate you specify must be in the future and come after the StartDate.")


def _check_window(window: Mapping[str, Any]) -> None:
    minutes = window.get("MaximumWindowInMinutes")
    if (window["Mode"] == "FLEXIBLE") != (minutes is not None):
        raise invalid("MaximumWindowInMinutes is for a FlexibleTimeWindow of mode FLEXIBLE, which must have it.")


def _check_target(target: Mapping[str, Any]) -> None:
    arn = target["Arn"]
    if not arn.startswith("arn:") or arn.count(":") < 5:
        raise invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
    service = service_of(arn)
    if service is None or arn.endswith(".fifo"):
        raise not_here(f"The target {arn} of a schedule, which is none of {', '.join(SERVICES)},")
    for member in target:
        if member not in _KNOWN_MEMBERS:
            raise not_here(f"{member} of a schedule's target")
    if service == "lambda" and "Input" in target:
        try:
            json.loads(target["Input"])
        except (ValueError, RecursionError) as error:
            raise invalid("The Input of a target of AWS Lambda must be a well-formed JSON.") from error


def _expression(settings: Mapping[str, Any]) -> ScheduleExpression:
    return parse_schedule(settings["ScheduleExpression"], _timezone(settings))


def _timezone(settings: Mapping[str, Any]) -> str:
    return str(settings.get("ScheduleExpressionTimezone", "UTC"))

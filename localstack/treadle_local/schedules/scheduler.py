"""Amazon EventBridge Scheduler in the emulator: its control plane and what it sends, both ours."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from treadle_local.aws.authorization import actions
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.functions.constraints import check
from treadle_local.schedules.errands import DeadLetterQueue, Errand, Errands, Failure
from treadle_local.schedules.groups import Group, Groups
from treadle_local.schedules.happenings import Firing, Missed, Tell
from treadle_local.schedules.moments import moment_of, written
from treadle_local.schedules.post import Sender, Trusts
from treadle_local.schedules.refusals import conflict, invalid
from treadle_local.schedules.schedule import Schedule, check_schedule
from treadle_local.schedules.timetable import Timetable

_PRINCIPAL = "scheduler.amazonaws.com"
_LARGEST_PAGE = 100
_OWN_MEMBERS = ("ClientToken", "GroupName", "Name")
_DATES = ("StartDate", "EndDate")


class Scheduler:
    """Schedules in groups. Schedules fire with the rights of their role, which must trust Scheduler."""

    def __init__(self, region: Region, clock: Clock, trusts: Trusts, errands: Errands, tell: Tell) -> None:
        self._region = region
        self._clock = clock
        self._trusts = trusts
        self._errands = errands
        self._tell = tell
        self._groups = Groups(region)
        self.timetable = Timetable(clock, self._on_due, self._on_missed)
        self._operations: Mapping[str, Callable[[Params], Result]] = {
            "CreateSchedule": self._create,
            "CreateScheduleGroup": self._create_group,
            "DeleteSchedule": self._delete,
            "DeleteScheduleGroup": self._delete_group,
            "GetSchedule": lambda params: self._groups.at(params.get("GroupName")).at(params["Name"]).describe(),
            "GetScheduleGroup": lambda params: self._groups.at(params["Name"]).describe(),
            "ListScheduleGroups": self._list_groups,
            "ListSchedules": self._list,
            "ListTagsForResource": self._list_tags,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "UpdateSchedule": self._update,
        }

    # the Service protocol

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        """See `Service`; everything is done at once."""
        do = self._operations.get(operation)
        if do is None:
            raise AwsError("UnknownOperationException", f"{operation} is no operation of scheduler.", status=404)
        check(operation, params, "scheduler")
        return do(params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """See `Service`."""
        return actions.targets(self._region, "scheduler", operation, params)

    # schedules

    def find(self, arn: str) -> Schedule | None:
        """The schedule with this ARN."""
        return self._groups.find(arn)

    def _create(self, params: Params) -> Result:
        group, name, token = self._groups.at(params.get("GroupName")), params["Name"], params.get("ClientToken")
        known = group.schedules.get(name)
        if known is not None:
            if token is not None and token == known.token:
                return {"ScheduleArn": known.arn}
            raise conflict(f"Schedule {name} already exists.")
        now = self._now()
        arn = self._region.arn("scheduler", f"schedule/{group.name}/{name}")
        return self._put(group, Schedule(arn, name, group.name, self._settings(params, now), now, now, token))

    def _update(self, params: Params) -> Result:
        """What is not given goes back to its default."""
        group, name = self._groups.at(params.get("GroupName")), params["Name"]
        known, now = group.at(name), self._now()
        settings = self._settings(params, now, known)
        return self._put(group, Schedule(known.arn, name, group.name, settings, known.created, now, known.token))

    def _settings(self, params: Params, now: datetime, known: Schedule | None = None) -> Params:
        """What was asked for, when it may be; a start that stays may have passed.

        Raises: AwsError ValidationException.
        """
        settings = {name: value for name, value in params.items() if name not in _OWN_MEMBERS and value is not None}
        settings |= {name: moment_of(settings[name]) for name in _DATES if name in settings}
        starts_as_before = known is not None and settings.get("StartDate") == known.settings.get("StartDate")
        check_schedule(settings, now, any_start=starts_as_before)
        group = self._region.arn("scheduler", f"schedule-group/{params.get('GroupName') or 'default'}")
        if not self._trusts(settings["Target"]["RoleArn"], _PRINCIPAL, group):
            raise invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
        return settings

    def _put(self, group: Group, schedule: Schedule) -> Result:
        group.schedules[schedule.name] = schedule
        if schedule.enabled:
            self.timetable.put(schedule.arn, schedule.plan())
        else:
            self.timetable.drop(schedule.arn)
        return {"ScheduleArn": schedule.arn}

    def _delete(self, params: Params) -> Result:
        group = self._groups.at(params.get("GroupName"))
        self.timetable.drop(group.at(params["Name"]).arn)
        del group.schedules[params["Name"]]
        return {}

    def _list(self, params: Params) -> Result:
        groups = [self._groups.at(params["GroupName"])] if params.get("GroupName") else self._groups
        prefix, state = params.get("NamePrefix") or "", params.get("State")
        found = [
            (schedule.arn, schedule.summarize())
            for group in groups
            for name, schedule in sorted(group.schedules.items())
            if name.startswith(prefix) and state in (None, "ENABLED" if schedule.enabled else "DISABLED")
        ]
        return _page("Schedules", found, params)

    # groups

    def _create_group(self, params: Params) -> Result:
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}
        group = self._groups.add(params["Name"], params.get("ClientToken"), self._now(), tags)
        return {"ScheduleGroupArn": group.arn}

    def _delete_group(self, params: Params) -> Result:
        for schedule in self._groups.remove(params["Name"]).schedules.values():
            self.timetable.drop(schedule.arn)
        return {}

    def _list_groups(self, params: Params) -> Result:
        prefix = params.get("NamePrefix") or ""
        found = [(group.arn, group.describe()) for group in self._groups if group.name.startswith(prefix)]
        return _page("ScheduleGroups", found, params)

    def _list_tags(self, params: Params) -> Result:
        tags = self._groups.at_arn(params["ResourceArn"]).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _tag(self, params: Params) -> Result:
        group = self._groups.at_arn(params["ResourceArn"])
        group.tags.update({tag["Key"]: tag["Value"] for tag in params["Tags"]})
        return {}

    def _untag(self, params: Params) -> Result:
        group = self._groups.at_arn(params["ResourceArn"])
        for key in params["TagKeys"]:
            group.tags.pop(key, None)
        return {}

    # firing

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def _on_due(self, arn: str, moment: datetime, last: bool) -> None:
        schedule = self.find(arn)
        if schedule is None:
            return
        self._tell(Firing(schedule.name, arn, schedule.target["Arn"], moment))
        self._send(schedule, moment)
        if last and schedule.deletes_itself:
            del self._groups.at(schedule.group).schedules[schedule.name]
            self.timetable.drop(arn)

    def _on_missed(self, arn: str, count: int, first: datetime, last: datetime) -> None:
        schedule = self.find(arn)
        self._tell(Missed(schedule.name if schedule is not None else arn, arn, count, first, last))

    def _send(self, schedule: Schedule, moment: datetime) -> None:
        execution_id = secrets.token_hex(8)
        text = schedule.target.get("Input") or self._notification(schedule, moment)
        sender = Sender(schedule.arn, _PRINCIPAL, schedule.target["RoleArn"])

        def body(attempt: int) -> str:
            return _with_context(text, schedule.arn, moment, execution_id, attempt)

        def letter(failure: Failure) -> tuple[str, Mapping[str, str]]:
            return body(failure.retries + 1), _letter_attributes(schedule, moment, execution_id, failure)

        queue = schedule.dead_letter_arn
        dead_letter_queue = None if queue is None else DeadLetterQueue(queue, sender, letter)
        self._errands.run(
            Errand(schedule.name, sender, schedule.target["Arn"], body, schedule.retry, dead_letter_queue)
        )

    def _notification(self, schedule: Schedule, moment: datetime) -> str:
        """What a target gets that was given no input."""
        event = {
            "version": "0",
            "id": "<aws.scheduler.execution-id>",
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": self._region.account,
            "time": written(moment),
            "region": self._region.name,
            "resources": [schedule.arn],
            "detail": "{}",
        }
        return json.dumps(event, separators=(",", ":"))


def _with_context(text: str, arn: str, moment: datetime, execution_id: str, attempt: int) -> str:
    """Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""
    for name, value in (
        ("schedule-arn", arn),
        ("scheduled-time", written(moment)),
        ("execution-id", execution_id),
        ("attempt-number", str(attempt)),
    ):
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _letter_attributes(schedule: Schedule, moment: datetime, execution_id: str, failure: Failure) -> dict[str, str]:
    """Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html"""
    attributes = {
        "ERROR_CODE": failure.error.code,
        "ERROR_MESSAGE": failure.error.message,
        "EXECUTION_ID": execution_id,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(failure.retries),
        "SCHEDULED_TIME": written(moment),
        "SCHEDULE_ARN": schedule.arn,
        "TARGET_ARN": schedule.target["Arn"],
    }
    if failure.exhausted is not None:
        attributes["EXHAUSTED_RETRY_CONDITION"] = failure.exhausted
    return attributes


def _page(member: str, found: Sequence[tuple[str, dict[str, Any]]], params: Params) -> Result:
    """One page of a list in order of ARNs; the token is the last ARN of the page before."""
    token, most = params.get("NextToken") or "", params.get("MaxResults") or _LARGEST_PAGE
    rest = [entry for entry in sorted(found, key=lambda entry: entry[0]) if entry[0] > token]
    some = rest[:most]
    return {
        member: [shown for _, shown in some],
        **({"NextToken": some[-1][0]} if len(rest) > len(some) else {}),
    }

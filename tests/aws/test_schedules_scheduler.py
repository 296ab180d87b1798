"""EventBridge Scheduler: zones, what goes to targets, roles, dates, groups, and what becomes of failures."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev, wait_until
from support.lambda_account import Account, make_queue
from support.scheduled import (
    advance_to,
    attributes,
    bodies,
    drain,
    function_arn,
    now,
    schedule,
    scheduler_role,
    written,
)

BERLIN = ZoneInfo("Europe/Berlin")
TIME = json.dumps({"time": "<aws.scheduler.scheduled-time>"})


def queue_target(emulator: Dev, text: str = TIME, **more: Any) -> tuple[str, dict[str, Any]]:
    """The URL of a queue, and a target that sends to it what schedules send."""
    url, arn = make_queue(emulator)
    return url, {"Arn": arn, "RoleArn": scheduler_role(emulator, "sqs:SendMessage"), "Input": text, **more}


def times(emulator: Dev, url: str) -> list[str]:
    return [body["time"] for body in bodies(emulator, url)]


def next_clock_change(after: datetime, *, forward: bool) -> datetime:
    """The next moment at which Berlin's clocks are set forward, or back."""
    moment = after.replace(minute=0, second=0, microsecond=0)
    while True:
        before, moment = moment, moment + timedelta(hours=1)
        change = moment.astimezone(BERLIN).utcoffset() - before.astimezone(BERLIN).utcoffset()  # type: ignore[operator]
        if change and (change > timedelta(0)) == forward:
            return moment


@pytest.mark.parametrize("forward", [True, False])
def test_a_zone_whose_clocks_change(emulator: Dev, forward: bool) -> None:
    """At half past two on that night: skipped where there is none, once where there are two."""
    change = next_clock_change(now(emulator), forward=forward)
    advance_to(emulator, change - timedelta(days=1, hours=6))
    url, target = queue_target(emulator)
    zone = {"ScheduleExpressionTimezone": "Europe/Berlin"}
    with schedule(emulator, "cron(30 2 * * ? *)", target, **zone):
        emulator.advance(3 * 86_400)
        seen = [datetime.fromisoformat(time) for time in times(emulator, url)]
    nights = [(change + timedelta(days=day)).astimezone(BERLIN).date() for day in (-1, 0, 1)]
    walls = [moment.astimezone(BERLIN) for moment in seen]
    assert [wall.date() for wall in walls] == ([nights[0], nights[2]] if forward else nights)
    assert {(wall.hour, wall.minute, wall.fold) for wall in walls} == {(2, 30, 0)}


def test_the_input_tells_of_the_firing(emulator: Dev) -> None:
    names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    url, target = queue_target(emulator, json.dumps({name: f"<aws.scheduler.{name}>" for name in names}))
    with schedule(emulator, "cron(0/5 * * * ? *)", target) as arn:
        first = now(emulator).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        advance_to(emulator, first - timedelta(seconds=1))
        drain(emulator, url)
        emulator.advance(1 + 300)
        found = bodies(emulator, url)
    assert [body["scheduled-time"] for body in found] == [written(first), written(first + timedelta(minutes=5))]
    assert {(body["schedule-arn"], body["attempt-number"]) for body in found} == {(arn, "1")}
    assert len({body["execution-id"] for body in found}) == 2


def test_a_target_without_input_gets_a_notification(emulator: Dev) -> None:
    url, target = queue_target(emulator)
    del target["Input"]
    with schedule(emulator, "cron(* * * * ? *)", target) as arn:
        emulator.advance(60)
        (event,) = bodies(emulator, url)
    assert (event["source"], event["detail-type"], event["resources"]) == ("aws.scheduler", "Scheduled Event", [arn])


def test_a_function_is_invoked_with_the_schedules_role(account: Account, tmp_path: Path) -> None:
    emulator, runs = account.emulator, tmp_path / "runs"
    source = """
import json, os

def handler(event, context):
    with open(os.environ["RUNS"], "a") as runs:
        runs.write(json.dumps(event))
"""
    name = account.make(source, Environment={"Variables": {"RUNS": str(runs)}})
    target = {"Arn": function_arn(name), "RoleArn": scheduler_role(emulator, "lambda:InvokeFunction"), "Input": TIME}
    hour = now(emulator).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    with schedule(emulator, "cron(0 * * * ? *)", target):
        advance_to(emulator, hour)
        text = wait_until("a run", lambda: runs.read_text() if runs.exists() else None)
    assert json.loads(text) == {"time": written(hour)}


def test_a_role_that_may_not_is_a_dead_letter_with_the_reason(account: Account) -> None:
    emulator, name = account.emulator, account.make()
    url, queue = make_queue(emulator)
    role = scheduler_role(emulator, "sqs:SendMessage")
    target = {"Arn": function_arn(name), "RoleArn": role, "Input": TIME, "DeadLetterConfig": {"Arn": queue}}
    with schedule(emulator, "cron(0 * * * ? *)", target) as arn:
        hour = now(emulator).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        advance_to(emulator, hour)
        (letter,) = drain(emulator, url)
    assert json.loads(letter["Body"]) == {"time": written(hour)}
    found = attributes(letter)
    assert len(found.pop("EXECUTION_ID")) == 16
    assert "lambda:InvokeFunction" in found.pop("ERROR_MESSAGE")
    assert found == {
        "ERROR_CODE": "AccessDeniedException",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": written(hour),
        "SCHEDULE_ARN": arn,
        "TARGET_ARN": function_arn(name),
    }


def test_a_rate_fires_at_once_and_then_at_its_interval(emulator: Dev) -> None:
    made = now(emulator).replace(microsecond=0)
    url, target = queue_target(emulator)
    with schedule(emulator, "rate(10 minutes)", target):
        assert wait_until("the first", lambda: times(emulator, url)) == [written(made)]
        emulator.advance(1200)
        assert times(emulator, url) == [written(made + timedelta(minutes=minutes)) for minutes in (10, 20)]


def test_a_schedule_fires_between_its_dates_only(emulator: Dev) -> None:
    hour = now(emulator).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    url, target = queue_target(emulator)
    dates = {"StartDate": hour + timedelta(hours=2), "EndDate": hour + timedelta(hours=4)}
    with schedule(emulator, "cron(0 * * * ? *)", target, **dates):
        emulator.advance(8 * 3600)
        assert times(emulator, url) == [written(hour + timedelta(hours=hours)) for hours in (2, 3, 4)]


def test_one_time_schedules_fire_once_and_delete_themselves_where_that_is_wanted(emulator: Dev) -> None:
    scheduler = emulator.client("scheduler")
    moment = (now(emulator) + timedelta(hours=3)).replace(microsecond=0)
    wall = moment.astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M:%S")
    url, target = queue_target(emulator)
    more = {"ScheduleExpressionTimezone": "Europe/Berlin", "ActionAfterCompletion": "DELETE"}
    with (
        schedule(emulator, f"at({wall})", target, **more) as kept,
        schedule(emulator, f"at({wall})", target, **more) as gone,
    ):
        scheduler.update_schedule(
            Name=kept.rsplit("/", 1)[1],
            ScheduleExpression=f"at({wall})",
            ScheduleExpressionTimezone="Europe/Berlin",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
        )
        emulator.advance(86_400)
        assert times(emulator, url) == [written(moment)] * 2
        assert scheduler.get_schedule(Name=kept.rsplit("/", 1)[1])["ActionAfterCompletion"] == "NONE"
        assert refusal(scheduler.get_schedule, Name=gone.rsplit("/", 1)[1])[0] == "ResourceNotFoundException"


def test_a_disabled_schedule_does_not_fire_and_an_update_sets_all_anew(emulator: Dev) -> None:
    scheduler = emulator.client("scheduler")
    url, target = queue_target(emulator)
    with schedule(emulator, "cron(0 * * * ? *)", target, State="DISABLED", Description="before") as arn:
        emulator.advance(7200)
        assert times(emulator, url) == []
        name, window = arn.rsplit("/", 1)[1], {"Mode": "OFF"}
        scheduler.update_schedule(
            Name=name, ScheduleExpression="cron(0/30 * * * ? *)", FlexibleTimeWindow=window, Target=target
        )
        emulator.advance(7200)
        assert len(times(emulator, url)) == 4
        shown = scheduler.get_schedule(Name=name)
    assert (shown["State"], shown.get("Description"), shown["ScheduleExpressionTimezone"]) == ("ENABLED", None, "UTC")
    assert shown["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    assert isinstance(shown["CreationDate"], datetime)


def test_groups_hold_schedules_and_take_them_along(emulator: Dev) -> None:
    scheduler, group = emulator.client("scheduler"), unique("group")
    group_arn = scheduler.create_schedule_group(Name=group, Tags=[{"Key": "a", "Value": "1"}])["ScheduleGroupArn"]
    scheduler.tag_resource(ResourceArn=group_arn, Tags=[{"Key": "b", "Value": "2"}])
    scheduler.untag_resource(ResourceArn=group_arn, TagKeys=["a"])
    assert scheduler.list_tags_for_resource(ResourceArn=group_arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    url, target = queue_target(emulator)
    with schedule(emulator, "cron(0 * * * ? *)", target, GroupName=group) as arn:
        assert arn == f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/{group}/{arn.rsplit('/', 1)[1]}"
        (listed,) = scheduler.list_schedules(GroupName=group)["Schedules"]
        assert (listed["Arn"], listed["Target"]) == (arn, {"Arn": target["Arn"]})
        scheduler.delete_schedule_group(Name=group)
        emulator.advance(3600)
        assert times(emulator, url) == []
        assert refusal(scheduler.get_schedule, Name="any", GroupName=group)[0] == "ResourceNotFoundException"


def test_schedules_are_listed_in_pages(emulator: Dev) -> None:
    scheduler, prefix = emulator.client("scheduler"), unique("page")
    _, target = queue_target(emulator)
    names = [f"{prefix}-{number}" for number in range(5)]
    window = {"Mode": "OFF"}
    for name in names:
        scheduler.create_schedule(
            Name=name, ScheduleExpression="cron(0 0 1 1 ? *)", FlexibleTimeWindow=window, Target=target
        )
    pages = scheduler.get_paginator("list_schedules").paginate(NamePrefix=prefix, PaginationConfig={"PageSize": 2})
    assert [[one["Name"] for one in page["Schedules"]] for page in pages] == [names[:2], names[2:4], names[4:]]
    for name in names:
        scheduler.delete_schedule(Name=name)


def test_a_missing_zone_is_utc(emulator: Dev) -> None:
    url, target = queue_target(emulator)
    noon = now(emulator).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    with schedule(emulator, "cron(0 12 * * ? *)", target):
        advance_to(emulator, noon)
        assert times(emulator, url)[-1] == written(noon.astimezone(UTC))

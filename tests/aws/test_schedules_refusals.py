"""What EventBridge and its scheduler refuse, in AWS's codes and words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev, wait_until
from support.lambda_account import make_role
from support.scheduled import function_arn, now, put_target, rule, schedule, scheduler_role

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:any"


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (
            {"ScheduleExpression": "cron(0 25 * * ? *)"},
            "ValidationException",
            "Parameter ScheduleExpression is not valid.",
        ),
        ({"ScheduleExpression": "rate(1 hours)"}, "ValidationException", "Parameter ScheduleExpression is not valid."),
        (
            {"ScheduleExpression": "at(2030-01-01T00:00:00)"},
            "ValidationException",
            "Parameter ScheduleExpression is not valid.",
        ),
        ({}, "ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified."),
        (
            {"ScheduleExpression": "rate(1 hour)", "EventBusName": "another"},
            "ValidationException",
            "ScheduleExpression is supported only on the default event bus.",
        ),
        ({"EventPattern": "{"}, "InvalidEventPatternException", "Event pattern is not valid. Reason: "),
        ({"EventPattern": '{"source": "shop"}'}, "InvalidEventPatternException", "Event pattern is not valid. Reason"),
        ({"ScheduleExpression": "rate(1 hour)", "State": "OFF"}, "ValidationException", "1 validation error detected"),
    ],
)
def test_rules_that_cannot_be(emulator: Dev, settings: dict[str, Any], code: str, message: str) -> None:
    found = refusal(emulator.client("events").put_rule, Name=unique("rule"), **settings)
    assert (found[0], found[1][: len(message)]) == (code, message)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"Arn": "nowhere"}, "Parameter nowhere is not valid. Reason: Provided Arn is not in correct format."),
        ({"Arn": QUEUE, "Input": "{", "Id": "x"}, "JSON syntax error in input for target x."),
        (
            {"Arn": QUEUE, "Input": "{}", "InputPath": "$", "Id": "x"},
            "Only one of Input, InputPath, or InputTransformer must be provided for target x.",
        ),
        ({"Arn": QUEUE, "InputPath": "$..all", "Id": "x"}, "Invalid InputPath for target x."),
        ({"Arn": QUEUE, "RetryPolicy": {"MaximumRetryAttempts": 186}}, "1 validation error detected: Value '186'"),
        (
            {"Arn": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m"},
            f"The target arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m of a rule, "
            "which is none of lambda, sqs, sns, is not in Treadle's emulator yet",
        ),
    ],
)
def test_targets_that_cannot_be(emulator: Dev, target: dict[str, Any], message: str) -> None:
    with rule(emulator, "rate(1 day)") as name:
        code, found = refusal(emulator.client("events").put_targets, Rule=name, Targets=[{"Id": "t", **target}])
    assert (code, found[: len(message)]) == ("ValidationException", message)


def test_a_rule_has_five_targets_at_most_and_goes_without_any_only(emulator: Dev) -> None:
    events = emulator.client("events")
    with rule(emulator, "rate(1 day)") as name:
        events.put_targets(Rule=name, Targets=[{"Id": str(number), "Arn": QUEUE} for number in range(5)])
        events.put_targets(Rule=name, Targets=[{"Id": "0", "Arn": QUEUE}])
        refused = refusal(events.put_targets, Rule=name, Targets=[{"Id": "5", "Arn": QUEUE}])
        assert refused == ("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
        assert refusal(events.delete_rule, Name=name)[1] == "Rule can't be deleted since it has targets."
    assert refusal(events.put_targets, Rule=name, Targets=[{"Id": "5", "Arn": QUEUE}])[0] == "ResourceNotFoundException"


def test_archives_are_not_here_yet(emulator: Dev) -> None:
    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    code, message = refusal(emulator.client("events").create_archive, ArchiveName="a", EventSourceArn=bus)
    assert (code, message) == ("ValidationException", "events CreateArchive is not in Treadle's emulator yet")


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (
            {"ScheduleExpression": "cron(0 9 * * * *)"},
            "ValidationException",
            "Invalid Schedule Expression cron(0 9 * * * *).",
        ),
        (
            {"ScheduleExpressionTimezone": "Mars/Olympus"},
            "ValidationException",
            "Invalid Schedule Expression Timezone Mars/Olympus.",
        ),
        ({"GroupName": "nobody"}, "ResourceNotFoundException", "Schedule group nobody does not exist."),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "ValidationException", "MaximumWindowInMinutes"),
        ({"FlexibleTimeWindow": {"Mode": "NEVER"}}, "ValidationException", "1 validation error detected"),
        ({"Name": "no spaces here"}, "ValidationException", "1 validation error detected"),
    ],
)
def test_schedules_that_cannot_be(emulator: Dev, settings: dict[str, Any], code: str, message: str) -> None:
    found = refusal(emulator.client("scheduler").create_schedule, **(usual(emulator) | settings))
    assert (found[0], found[1][: len(message)]) == (code, message)


def usual(emulator: Dev, **target: Any) -> dict[str, Any]:
    return {
        "Name": unique("schedule"),
        "ScheduleExpression": "cron(0 9 * * ? *)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": QUEUE, "RoleArn": scheduler_role(emulator), **target},
    }


def test_a_role_must_be_there_and_trust_scheduler(emulator: Dev) -> None:
    create = emulator.client("scheduler").create_schedule
    wanted = (
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    )
    assert refusal(create, **usual(emulator, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{unique('nobody')}")) == wanted
    assert refusal(create, **usual(emulator, RoleArn=make_role(emulator))) == wanted


def test_what_a_target_of_a_schedule_cannot_be(emulator: Dev) -> None:
    create = emulator.client("scheduler").create_schedule
    function = function_arn("any")
    assert "well-formed JSON" in refusal(create, **usual(emulator, Arn=function, Input="not json"))[1]
    fifo = {"Arn": f"{QUEUE}.fifo"}
    assert (
        "'target.deadLetterConfig.arn' failed to satisfy"
        in refusal(create, **usual(emulator, DeadLetterConfig=fifo))[1]
    )
    universal = "arn:aws:scheduler:::aws-sdk:lambda:invoke"
    assert "is not in Treadle's emulator yet" in refusal(create, **usual(emulator, Arn=universal))[1]


def test_dates_that_cannot_be(emulator: Dev) -> None:
    create, today = emulator.client("scheduler").create_schedule, now(emulator)
    early = refusal(create, **usual(emulator), StartDate=today - timedelta(minutes=6))
    assert early == ("ValidationException", "The StartDate you specify cannot be earlier than 5 minutes ago.")
    assert refusal(create, **usual(emulator), EndDate=today - timedelta(minutes=6))[0] == "ValidationException"


def test_names_are_taken_once_and_a_repeated_call_is_the_same_call(emulator: Dev) -> None:
    scheduler = emulator.client("scheduler")
    wanted = usual(emulator)
    arn = scheduler.create_schedule(**wanted, ClientToken="one")["ScheduleArn"]
    assert scheduler.create_schedule(**wanted, ClientToken="one")["ScheduleArn"] == arn
    name = wanted["Name"]
    assert refusal(scheduler.create_schedule, **wanted) == ("ConflictException", f"Schedule {name} already exists.")
    scheduler.delete_schedule(Name=name)
    gone = ("ResourceNotFoundException", f"Schedule {name} does not exist.")
    assert refusal(scheduler.delete_schedule, Name=name) == gone
    assert refusal(scheduler.update_schedule, **wanted) == gone


def test_patterns_can_be_tried(emulator: Dev) -> None:
    events = emulator.client("events")
    event = json.dumps({"source": "shop", "detail": {"state": "paid"}})
    assert events.test_event_pattern(EventPattern='{"detail": {"state": [{"prefix": "pa"}]}}', Event=event)["Result"]
    assert not events.test_event_pattern(EventPattern='{"source": [{"exists": false}]}', Event=event)["Result"]


def test_what_nobody_takes_is_told(emulator: Dev) -> None:
    """Without a dead-letter queue an event that cannot be delivered is gone, but not in silence."""
    function, queue = function_arn(unique("nobody")), f"{QUEUE}-{unique('nobody')}"
    with rule(emulator, "cron(* * * * ? *)") as name:
        put_target(emulator, name, function)
        emulator.advance(60)
    with schedule(emulator, "cron(* * * * ? *)", {"Arn": queue, "RoleArn": scheduler_role(emulator)}):
        emulator.advance(60)
    wait_until("both to be told", lambda: function in emulator.text() and queue in emulator.text())

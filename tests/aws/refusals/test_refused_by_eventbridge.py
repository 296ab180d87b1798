"""Bounds of EventBridge and its scheduler: rules, targets, events and schedules, each at n and n + 1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.bounds import check_bound, unchecked
from support.dev import Dev
from support.scheduled import rule, scheduler_role

VALIDATION = "ValidationException"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:any"
EVENTS_BYTES = 1_048_576


def named(size: int) -> str:
    return unique("n").ljust(size, "x")


# rules


@pytest.mark.parametrize(("member", "limit"), [("Name", 64), ("Description", 512)])
def test_the_texts_of_a_rule_have_lengths(emulator: Dev, member: str, limit: int) -> None:
    """Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html"""
    usual = {"Name": unique("rule"), "ScheduleExpression": "rate(1 day)", "State": "DISABLED"}
    put = emulator.client("events").put_rule
    check_bound(put, usual | {member: named(limit)}, usual | {member: named(limit + 1)}, VALIDATION, str(limit))


@pytest.mark.parametrize(
    ("taken", "beyond", "words"),
    [
        ({"Input": json.dumps("x" * 8190)}, {"Input": json.dumps("x" * 8191)}, "less than or equal to 8192"),
        ({"Id": "i" * 64}, {"Id": "i" * 65}, "less than or equal to 64"),
        ({"DeadLetterConfig": {"Arn": QUEUE}}, {"DeadLetterConfig": {"Arn": f"{QUEUE}.fifo"}}, "is not valid"),
        (
            {"RetryPolicy": {"MaximumRetryAttempts": 185}},
            {"RetryPolicy": {"MaximumRetryAttempts": 186}},
            "less than or equal to 185",
        ),
        (
            {"RetryPolicy": {"MaximumEventAgeInSeconds": 60}},
            {"RetryPolicy": {"MaximumEventAgeInSeconds": 59}},
            "greater than or equal to 60",
        ),
        (
            {"RetryPolicy": {"MaximumEventAgeInSeconds": 86_400}},
            {"RetryPolicy": {"MaximumEventAgeInSeconds": 86_401}},
            "less than or equal to 86400",
        ),
    ],
)
def test_a_target_of_a_rule_has_bounds(
    emulator: Dev, taken: dict[str, Any], beyond: dict[str, Any], words: str
) -> None:
    """Sources: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html,
    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html,
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    with rule(emulator, "rate(1 day)", State="DISABLED") as name, unchecked(emulator, "events") as client:

        def put(**settings: Any) -> object:
            client.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": QUEUE, **settings}])
            return client.remove_targets(Rule=name, Ids=[settings.get("Id", "t")])

        check_bound(put, taken, beyond, VALIDATION, words)


# events


def entry(size: int) -> dict[str, str]:
    """An entry of that many bytes, as EventBridge counts them."""
    bare = len("shop") + len("order") + len('{"a":""}')
    return {"Source": "shop", "DetailType": "order", "Detail": json.dumps({"a": "x" * (size - bare)}).replace(" ", "")}


@pytest.mark.parametrize("parts", [1, 4])
def test_the_events_of_a_call_have_1_mb_together(emulator: Dev, parts: int) -> None:
    """Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""
    part = EVENTS_BYTES // parts
    taken = [entry(part) for _ in range(parts)]
    beyond = [*taken[1:], entry(part + 1)]
    words = "Total size of the entries in the request is over the limit."
    check_bound(emulator.client("events").put_events, {"Entries": taken}, {"Entries": beyond}, VALIDATION, words)


def test_a_call_has_ten_events_at_most(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""
    put = emulator.client("events").put_events
    check_bound(put, {"Entries": [entry(64)] * 10}, {"Entries": [entry(64)] * 11}, VALIDATION, "at 'entries'")


# schedules


def schedule(emulator: Dev, **target: Any) -> dict[str, Any]:
    return {
        "Name": unique("schedule"),
        "ScheduleExpression": "cron(0 9 * * ? *)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "DISABLED",
        "Target": {"Arn": QUEUE, "RoleArn": scheduler_role(emulator), **target},
    }


def flexible(minutes: int) -> dict[str, Any]:
    return {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes}}


@pytest.mark.parametrize(
    ("taken", "beyond", "words"),
    [
        ({"Name": named(64)}, {"Name": named(65)}, "less than or equal to 64"),
        ({"Description": "d" * 512}, {"Description": "d" * 513}, "less than or equal to 512"),
        (flexible(1), flexible(0), "greater than or equal to 1"),
        (flexible(1440), flexible(1441), "less than or equal to 1440"),
        ({"ScheduleExpression": "rate(1 minute)"}, {"ScheduleExpression": "rate(0 minutes)"}, "Invalid Schedule"),
        ({"ScheduleExpression": "cron(59 9 * * ? *)"}, {"ScheduleExpression": "cron(60 9 * * ? *)"}, "Invalid"),
    ],
)
def test_a_schedule_has_bounds(emulator: Dev, taken: dict[str, Any], beyond: dict[str, Any], words: str) -> None:
    """Sources: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html,
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
    """
    usual, other = schedule(emulator), schedule(emulator)
    with unchecked(emulator, "scheduler") as client:
        check_bound(client.create_schedule, usual | taken, other | beyond, VALIDATION, words)


@pytest.mark.parametrize(
    ("taken", "beyond", "words"),
    [
        (
            {"RetryPolicy": {"MaximumRetryAttempts": 185}},
            {"RetryPolicy": {"MaximumRetryAttempts": 186}},
            "less than or equal to 185",
        ),
        (
            {"RetryPolicy": {"MaximumEventAgeInSeconds": 60}},
            {"RetryPolicy": {"MaximumEventAgeInSeconds": 59}},
            "greater than or equal to 60",
        ),
        (
            {"RetryPolicy": {"MaximumEventAgeInSeconds": 86_400}},
            {"RetryPolicy": {"MaximumEventAgeInSeconds": 86_401}},
            "less than or equal to 86400",
        ),
        (
            {"DeadLetterConfig": {"Arn": QUEUE}},
            {"DeadLetterConfig": {"Arn": f"{QUEUE}.fifo"}},
            "'target.deadLetterConfig.arn' failed to satisfy",
        ),
    ],
)
def test_the_target_of_a_schedule_has_bounds(
    emulator: Dev, taken: dict[str, Any], beyond: dict[str, Any], words: str
) -> None:
    """Sources: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html,
    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeadLetterConfig.html
    """
    with unchecked(emulator, "scheduler") as client:
        check_bound(
            client.create_schedule, schedule(emulator, **taken), schedule(emulator, **beyond), VALIDATION, words
        )


def test_a_target_that_is_no_fifo_queue_here_is_refused_by_name(emulator: Dev) -> None:
    """AWS takes FIFO queues with a message group; the emulator says that it does not.

    Source: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_SqsParameters.html
    """
    wanted = schedule(emulator, Arn=f"{QUEUE}.fifo", SqsParameters={"MessageGroupId": "group"})
    assert "is not in Treadle's emulator yet" in refusal(emulator.client("scheduler").create_schedule, **wanted)[1]

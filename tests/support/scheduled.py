"""Rules and schedules of tests, their queues, and the emulator's time."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

from support.aws import ACCOUNT, unique
from support.dev import Dev
from support.lambda_account import make_queue, make_role
from support.policies import document

EVENTS = "events.amazonaws.com"
SCHEDULER = "scheduler.amazonaws.com"


def rule_arn(name: str) -> str:
    return f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{name}"


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


def now(emulator: Dev) -> datetime:
    """The emulator's time."""
    answer = emulator.request(emulator.endpoint, "POST", "/__treadle/clock", {"advance_seconds": 0}, None)
    return datetime.fromtimestamp(json.loads(answer.body)["now"], UTC)


def advance_to(emulator: Dev, moment: datetime) -> None:
    emulator.advance((moment - now(emulator)).total_seconds())


def open_queue(emulator: Dev, source_arn: str, service: str = EVENTS) -> tuple[str, str]:
    """URL and ARN of a queue that a service may send to on behalf of something."""
    url, arn = make_queue(emulator)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}},
    }
    policy = json.dumps(document(statement))
    emulator.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


def drain(emulator: Dev, url: str) -> list[dict[str, Any]]:
    """All messages that are in a queue now, in order; they are deleted."""
    sqs = emulator.client("sqs")
    found: list[dict[str, Any]] = []
    while some := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        for message in some:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found += some
    return found


def bodies(emulator: Dev, url: str) -> list[Any]:
    return [json.loads(message["Body"]) for message in drain(emulator, url)]


def times(emulator: Dev, url: str) -> list[str]:
    """The times of the scheduled events in a queue."""
    return [body["time"] for body in bodies(emulator, url)]


def attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def put_target(emulator: Dev, rule: str, arn: str, **more: Any) -> None:
    answer = emulator.client("events").put_targets(Rule=rule, Targets=[{"Id": unique("t")[:60], "Arn": arn, **more}])
    assert answer["FailedEntryCount"] == 0


@contextlib.contextmanager
def rule(emulator: Dev, expression: str | None, **more: Any) -> Generator[str]:
    """The name of a rule, which is gone afterwards."""
    events, name = emulator.client("events"), unique("rule")
    events.put_rule(Name=name, **({"ScheduleExpression": expression} if expression else {}), **more)
    try:
        yield name
    finally:
        if ids := [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]:
            events.remove_targets(Rule=name, Ids=ids)
        events.delete_rule(Name=name)


@contextlib.contextmanager
def queue_rule(emulator: Dev, expression: str, **more: Any) -> Generator[tuple[str, str]]:
    """The name of a rule, and the URL of the queue that it sends to."""
    with rule(emulator, expression, **more) as name:
        url, arn = open_queue(emulator, rule_arn(name))
        put_target(emulator, name, arn)
        yield name, url


def scheduler_role(emulator: Dev, *actions: str) -> str:
    return make_role(emulator, SCHEDULER, actions)


@contextlib.contextmanager
def schedule(emulator: Dev, expression: str, target: dict[str, Any], **more: Any) -> Generator[str]:
    """The ARN of a schedule, which is gone afterwards."""
    scheduler, name = emulator.client("scheduler"), unique("schedule")
    settings = {"FlexibleTimeWindow": {"Mode": "OFF"}, "ScheduleExpression": expression, "Target": target, **more}
    arn: str = scheduler.create_schedule(Name=name, **settings)["ScheduleArn"]
    try:
        yield arn
    finally:
        with contextlib.suppress(scheduler.exceptions.ResourceNotFoundException):
            scheduler.delete_schedule(Name=name, GroupName=arn.split("/")[1])

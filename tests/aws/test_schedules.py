"""Rules fire when the clock says so, at each of their times, and hand their targets what these want."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.aws import ACCOUNT, unique
from support.dev import Dev, wait_until
from support.lambda_account import Account, make_queue
from support.scheduled import (
    EVENTS,
    advance_to,
    attributes,
    bodies,
    drain,
    function_arn,
    now,
    open_queue,
    put_target,
    queue_rule,
    rule,
    rule_arn,
    times,
    written,
)

RECORDING = """
import json, os

def handler(event, context):
    with open(os.environ["RUNS"], "a") as runs:
        runs.write(json.dumps([context.invoked_function_arn, event]) + "\\n")
    if os.environ.get("FAIL"):
        raise ValueError("no luck")
"""


def next_hour(emulator: Dev) -> datetime:
    return now(emulator).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def recorded(runs: Path) -> list[tuple[str, Any]]:
    return [tuple(json.loads(line)) for line in runs.read_text().splitlines()] if runs.exists() else []


def test_a_rule_fires_at_exactly_its_times(emulator: Dev) -> None:
    start = next_hour(emulator)
    advance_to(emulator, start - timedelta(seconds=1))
    with queue_rule(emulator, "cron(0/20 * * * ? *)") as (_, url):
        assert times(emulator, url) == []
        emulator.advance(1)
        assert times(emulator, url) == [written(start)]
        emulator.advance(1199)
        assert times(emulator, url) == []
        emulator.advance(1 + 2 * 1200)
        assert times(emulator, url) == [written(start + timedelta(minutes=minutes)) for minutes in (20, 40, 60)]


def test_a_day_of_an_hourly_rule_is_24_firings_in_order(emulator: Dev) -> None:
    start = next_hour(emulator)
    advance_to(emulator, start)
    with queue_rule(emulator, "cron(30 * * * ? *)") as (_, url):
        emulator.advance(86_400)
        assert times(emulator, url) == [written(start + timedelta(hours=hour, minutes=30)) for hour in range(24)]


def test_one_advance_fires_all_rules_in_order_of_time(emulator: Dev) -> None:
    advance_to(emulator, next_hour(emulator))
    url, arn = make_queue(emulator)
    statement = {"Effect": "Allow", "Principal": {"Service": EVENTS}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    emulator.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    with rule(emulator, "cron(0/7 * * * ? *)") as sevens, rule(emulator, "cron(3/11 * * * ? *)") as elevens:
        put_target(emulator, sevens, arn)
        put_target(emulator, elevens, arn)
        emulator.advance(3 * 3600)
        seen = times(emulator, url)
    assert len(seen) == 3 * (9 + 6)
    assert seen == sorted(seen)


def test_the_event_is_a_scheduled_event_of_the_rule(emulator: Dev) -> None:
    with queue_rule(emulator, "cron(0 * * * ? *)") as (name, url):
        hour = next_hour(emulator)
        advance_to(emulator, hour)
        (event,) = bodies(emulator, url)
    assert event.pop("id").count("-") == 4
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": written(hour),
        "region": "us-east-1",
        "resources": [rule_arn(name)],
        "detail": {},
    }


def test_a_rate_counts_from_the_making_of_the_rule(emulator: Dev) -> None:
    made = now(emulator).replace(microsecond=0)
    with queue_rule(emulator, "rate(5 minutes)") as (_, url):
        emulator.advance(11 * 60)
        assert times(emulator, url) == [written(made + timedelta(minutes=5)), written(made + timedelta(minutes=10))]


def test_a_disabled_rule_does_not_fire_until_it_is_enabled(emulator: Dev) -> None:
    events = emulator.client("events")
    with queue_rule(emulator, "cron(0 * * * ? *)", State="DISABLED") as (name, url):
        emulator.advance(7200)
        assert times(emulator, url) == []
        events.enable_rule(Name=name)
        emulator.advance(3600)
        assert len(times(emulator, url)) == 1
        events.disable_rule(Name=name)
        emulator.advance(7200)
        assert times(emulator, url) == []


def test_a_rule_with_another_schedule_fires_by_that_one(emulator: Dev) -> None:
    start = next_hour(emulator)
    advance_to(emulator, start)
    with queue_rule(emulator, "cron(10 * * * ? *)") as (name, url):
        emulator.client("events").put_rule(Name=name, ScheduleExpression="cron(50 * * * ? *)")
        emulator.advance(3600)
        assert times(emulator, url) == [written(start + timedelta(minutes=50))]


def test_a_removed_target_gets_nothing(emulator: Dev) -> None:
    events = emulator.client("events")
    with queue_rule(emulator, "cron(* * * * ? *)") as (name, url):
        events.remove_targets(Rule=name, Ids=[events.list_targets_by_rule(Rule=name)["Targets"][0]["Id"]])
        emulator.advance(120)
        assert times(emulator, url) == []


def test_a_function_is_invoked_by_its_alias_when_its_policy_lets_the_rule(account: Account, tmp_path: Path) -> None:
    emulator, runs = account.emulator, tmp_path / "runs"
    name = account.make(RECORDING, Environment={"Variables": {"RUNS": str(runs)}})
    version = account.client.publish_version(FunctionName=name)["Version"]
    account.client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    with rule(emulator, "cron(0 * * * ? *)") as of_rule:
        permit(account, name, of_rule, Qualifier="live")
        put_target(emulator, of_rule, f"{function_arn(name)}:live")
        hour = next_hour(emulator)
        advance_to(emulator, hour)
        ((invoked, event),) = wait_until("a run", lambda: recorded(runs))
    assert invoked == f"{function_arn(name)}:live"
    assert (event["time"], event["resources"]) == (written(hour), [rule_arn(of_rule)])


def permit(account: Account, function: str, rule_name: str, **more: str) -> None:
    account.client.add_permission(
        FunctionName=function,
        StatementId=unique("rule"),
        Action="lambda:InvokeFunction",
        Principal=EVENTS,
        SourceArn=rule_arn(rule_name),
        **more,
    )


def test_without_a_permission_the_event_is_dead_lettered_with_the_reason(account: Account) -> None:
    emulator, name = account.emulator, account.make(RECORDING)
    with rule(emulator, "cron(0 * * * ? *)") as of_rule:
        permit(account, name, unique("another-rule"))
        url, queue = open_queue(emulator, rule_arn(of_rule))
        put_target(emulator, of_rule, function_arn(name), DeadLetterConfig={"Arn": queue})
        hour = next_hour(emulator)
        advance_to(emulator, hour)
        (letter,) = drain(emulator, url)
    assert json.loads(letter["Body"])["time"] == written(hour)
    found = attributes(letter)
    assert "lambda:InvokeFunction" in found.pop("ERROR_MESSAGE")
    assert found == {
        "RULE_ARN": rule_arn(of_rule),
        "TARGET_ARN": function_arn(name),
        "ERROR_CODE": "NO_PERMISSIONS",
        "RETRY_ATTEMPTS": "0",
    }


def test_a_function_that_is_gone_is_no_resource(account: Account) -> None:
    emulator = account.emulator
    with rule(emulator, "cron(0 * * * ? *)") as of_rule:
        url, queue = open_queue(emulator, rule_arn(of_rule))
        put_target(emulator, of_rule, function_arn(unique("nobody")), DeadLetterConfig={"Arn": queue})
        advance_to(emulator, next_hour(emulator))
        (letter,) = drain(emulator, url)
    assert attributes(letter)["ERROR_CODE"] == "NO_RESOURCE"


def test_a_failing_function_is_run_three_times_and_then_recorded_at_its_destination(
    account: Account, tmp_path: Path
) -> None:
    emulator, runs = account.emulator, tmp_path / "runs"
    name = account.make(RECORDING, Environment={"Variables": {"RUNS": str(runs), "FAIL": "yes"}})
    url, queue = make_queue(emulator)
    account.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": queue}}
    )
    with rule(emulator, "cron(0 0 * * ? *)") as of_rule:
        permit(account, name, of_rule)
        put_target(emulator, of_rule, function_arn(name))
        midnight = next_hour(emulator).replace(hour=0) + timedelta(days=1)
        advance_to(emulator, midnight)

        def records() -> list[Any]:
            emulator.advance(20)
            return bodies(emulator, url)

        (record,) = wait_until("a record", records)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestPayload"]["time"] == written(midnight)
    assert [event["id"] for _, event in recorded(runs)] == [record["requestPayload"]["id"]] * 3


def test_a_topic_gets_the_event_when_its_policy_lets_the_rule(emulator: Dev) -> None:
    sns, sqs = emulator.client("sns"), emulator.client("sqs")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    url, queue = make_queue(emulator)
    subscribe = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**subscribe, "Resource": queue}]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    with rule(emulator, "cron(* * * * ? *)") as of_rule:
        put_target(emulator, of_rule, topic)
        emulator.advance(60)
        assert times(emulator, url) == []
        publish = {"Effect": "Allow", "Principal": {"Service": EVENTS}, "Action": "sns:Publish", "Resource": topic}
        allowed = json.dumps({"Version": "2012-10-17", "Statement": [publish]})
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=allowed)
        emulator.advance(60)
        assert len(times(emulator, url)) == 1


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ({"Input": '{"constant": [1, 2]}'}, {"constant": [1, 2]}),
        ({"InputPath": "$.detail-type"}, "Scheduled Event"),
        ({"InputPath": "$.resources[0]"}, "RULE"),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"kind": "$.detail-type", "all": "$.resources", "none": "$.detail.none"},
                    "InputTemplate": '{"said": "a <kind> of <aws.events.rule-name>", "all": <all>, "none": "<none>"}',
                }
            },
            {"said": "a Scheduled Event of NAME", "all": ["RULE"], "none": ""},
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"kind": "$.source"}, "InputTemplate": '"from <kind>"'}},
            "from aws.events",
        ),
    ],
)
def test_a_target_gets_what_it_wants(emulator: Dev, shape: dict[str, Any], wanted: object) -> None:
    with rule(emulator, "cron(* * * * ? *)") as name:
        url, arn = open_queue(emulator, rule_arn(name))
        put_target(emulator, name, arn, **shape)
        emulator.advance(60)
        (found,) = bodies(emulator, url)
    text = json.dumps(wanted).replace("RULE", rule_arn(name)).replace("NAME", name)
    assert found == json.loads(text)


def test_events_of_a_program_reach_the_rules_whose_patterns_fit(emulator: Dev) -> None:
    pattern = {"source": ["shop"], "detail": {"total": [{"numeric": [">", 10]}], "state": [{"anything-but": "void"}]}}
    with rule(emulator, None, EventPattern=json.dumps(pattern)) as name:
        url, arn = open_queue(emulator, rule_arn(name))
        put_target(emulator, name, arn, InputPath="$.detail.total")
        entries = [
            {"Source": "shop", "DetailType": "order", "Detail": json.dumps({"total": total, "state": state})}
            for total, state in ((11, "paid"), (9, "paid"), (12, "void"), (13, "new"))
        ]
        bad = {"Source": "shop", "DetailType": "order", "Detail": "[]"}
        answer = emulator.client("events").put_events(Entries=[*entries, bad])
        assert (answer["FailedEntryCount"], answer["Entries"][-1]["ErrorCode"]) == (1, "MalformedDetail")
        assert bodies(emulator, url) == [11, 13]

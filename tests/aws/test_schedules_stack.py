"""Rules and schedules of a CloudFormation stack: what a template says is what fires, before an update and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from support.aws import refusal, unique
from support.dev import Dev
from support.policies import allow, document, trust
from support.scheduled import EVENTS, SCHEDULER, bodies, now, rule_arn
from support.stacks import create, delete, update


def template(rule: Mapping[str, Any], schedule: Mapping[str, Any]) -> str:
    queue = {"Fn::GetAtt": ["Queue", "Arn"]}
    opened = {**allow("sqs:SendMessage", queue), "Principal": {"Service": EVENTS}}  # type: ignore[arg-type]
    granted = {"PolicyName": "send", "PolicyDocument": document(allow("sqs:SendMessage"))}
    role = {"AssumeRolePolicyDocument": trust(SCHEDULER), "Policies": [granted]}
    retry = {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600}
    target = {"Arn": queue, "RetryPolicy": retry, "DeadLetterConfig": {"Arn": queue}}
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Policy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": document(opened)},
        },
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {"Targets": [{**target, "Id": "queue", "Input": '{"by": "rule"}'}], **rule},
        },
        "Schedule": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {**target, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "Input": '{"by": "schedule"}'},
                **schedule,
            },
        },
    }
    outputs = {
        "QueueUrl": {"Value": {"Ref": "Queue"}},
        "RuleArn": {"Value": {"Fn::GetAtt": ["Rule", "Arn"]}},
        "Rule": {"Value": {"Ref": "Rule"}},
        "Schedule": {"Value": {"Ref": "Schedule"}},
    }
    return json.dumps({"Resources": resources, "Outputs": outputs})


def outputs_of(emulator: Dev, stack: str) -> dict[str, str]:
    (found,) = emulator.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def test_a_stack_of_a_rule_and_a_schedule_from_beginning_to_end(emulator: Dev) -> None:
    cloudformation, stack = emulator.client("cloudformation"), unique("schedules")
    emulator.advance(3600 - now(emulator).timestamp() % 3600)
    start = now(emulator)
    rule: dict[str, Any] = {"ScheduleExpression": "cron(10 * * * ? *)", "Name": f"{stack}-rule"}
    schedule: dict[str, Any] = {
        "ScheduleExpression": "cron(40 * * * ? *)",
        "ScheduleExpressionTimezone": "Asia/Kolkata",
        "StartDate": (start + timedelta(minutes=30)).isoformat(),
    }
    assert create(cloudformation, stack, template(rule, schedule)) == "CREATE_COMPLETE"
    made = outputs_of(emulator, stack)
    assert (made["Rule"], made["RuleArn"]) == (f"{stack}-rule", rule_arn(f"{stack}-rule"))
    url = made["QueueUrl"]
    emulator.advance(7200)
    assert sorted(body["by"] for body in bodies(emulator, url)) == ["rule", "rule", "schedule"]

    rule |= {"State": "DISABLED"}
    schedule |= {"ScheduleExpression": "cron(0/15 * * * ? *)", "ScheduleExpressionTimezone": "UTC"}
    assert update(cloudformation, stack, template(rule, schedule)) == "UPDATE_COMPLETE"
    assert outputs_of(emulator, stack)["Schedule"] == made["Schedule"]
    emulator.advance(3600)
    assert bodies(emulator, url) == [{"by": "schedule"}] * 4

    bad = {**schedule, "ScheduleExpression": "cron(never)"}
    assert update(cloudformation, stack, template({**rule, "State": "ENABLED"}, bad)) == "UPDATE_ROLLBACK_COMPLETE"
    emulator.advance(3600)
    assert bodies(emulator, url) == [{"by": "schedule"}] * 4

    renamed = {**rule, "Name": f"{stack}-renamed", "State": "ENABLED"}
    assert update(cloudformation, stack, template(renamed, schedule)) == "UPDATE_COMPLETE"
    events, scheduler = emulator.client("events"), emulator.client("scheduler")
    assert refusal(events.describe_rule, Name=f"{stack}-rule")[0] == "ResourceNotFoundException"
    assert (
        events.list_targets_by_rule(Rule=f"{stack}-renamed")["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"] == 3
    )
    assert delete(cloudformation, stack) == "GONE"
    assert refusal(events.describe_rule, Name=f"{stack}-renamed")[0] == "ResourceNotFoundException"
    assert refusal(scheduler.get_schedule, Name=made["Schedule"])[0] == "ResourceNotFoundException"

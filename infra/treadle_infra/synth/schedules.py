"""What runs at set times: rules, schedules, and what becomes of an invocation that nobody waits for."""

from __future__ import annotations

import json

from treadle_infra.app.model import Json
from treadle_infra.synth.entries import Object, entry
from treadle_infra.synth.intrinsics import get_att, logical_id_of, ref
from treadle_infra.topology.model import AsynchronousSettings, Rule, RulePermission, Schedule, SchedulerRole

DELIVERY_ATTEMPTS = 24
"""How often EventBridge tries to hand an event to Lambda within its age limit: not how often the handler is tried."""
DELIVERY_AGE_SECONDS = 3_600


def rule_entry(rule: Rule) -> Object:
    target: Json = {
        "Id": "live",
        "Arn": ref(rule.alias),
        "RetryPolicy": _retry_policy(),
        "DeadLetterConfig": {"Arn": get_att(rule.dead_letter_queue, "Arn")},
    }
    properties: Object = {
        "Name": rule.name,
        "ScheduleExpression": rule.expression,
        "State": "ENABLED",
        "Targets": [target],
    }
    return entry("AWS::Events::Rule", rule.origin, properties)


def rule_permission_entry(permission: RulePermission) -> Object:
    properties: Object = {
        "FunctionName": ref(permission.alias),
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": get_att(permission.rule, "Arn"),
    }
    return entry("AWS::Lambda::Permission", permission.origin, properties)


def schedule_entry(schedule: Schedule) -> Object:
    """The input is ours, with the words that Scheduler fills in.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    firing = {
        "schedule": schedule.name,
        "time": "<aws.scheduler.scheduled-time>",
        "id": "<aws.scheduler.execution-id>",
    }
    target: Json = {
        "Arn": ref(schedule.alias),
        "RoleArn": get_att(schedule.role, "Arn"),
        "Input": json.dumps({"treadle.cron": firing}, separators=(",", ":")),
        "RetryPolicy": _retry_policy(),
        "DeadLetterConfig": {"Arn": get_att(schedule.dead_letter_queue, "Arn")},
    }
    properties: Object = {
        "Name": schedule.name,
        "ScheduleExpression": schedule.expression,
        "ScheduleExpressionTimezone": schedule.timezone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": target,
    }
    return entry("AWS::Scheduler::Schedule", schedule.origin, properties)


def scheduler_policy(role: SchedulerRole) -> Object:
    statements: list[Json] = [
        {
            "Sid": "Invoke",
            "Effect": "Allow",
            "Action": ["lambda:InvokeFunction"],
            "Resource": [ref(alias) for alias in role.aliases],
        },
        {
            "Sid": "DeadLetterQueues",
            "Effect": "Allow",
            "Action": ["sqs:SendMessage"],
            "Resource": [get_att(queue, "Arn") for queue in role.dead_letter_queues],
        },
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def asynchronous_settings_entry(settings: AsynchronousSettings) -> Object:
    properties: Object = {
        "FunctionName": ref(settings.function),
        "Qualifier": settings.alias_name,
        "MaximumRetryAttempts": settings.retries,
        "MaximumEventAgeInSeconds": settings.maximum_age_seconds,
        "DestinationConfig": {"OnFailure": {"Destination": get_att(settings.dead_letter_queue, "Arn")}},
    }
    # the qualifier is a plain text: nothing else says that the alias must be there first
    return entry(
        "AWS::Lambda::EventInvokeConfig",
        settings.origin,
        properties,
        attributes={"DependsOn": [logical_id_of(settings.alias)]},
    )


def _retry_policy() -> Json:
    return {"MaximumRetryAttempts": DELIVERY_ATTEMPTS, "MaximumEventAgeInSeconds": DELIVERY_AGE_SECONDS}

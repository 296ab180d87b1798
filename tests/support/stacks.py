"""CloudFormation stacks of tests: made and followed to their end, and all that is there beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from support.dev import Dev, wait_until

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


CAPABILITIES: list[Any] = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


def statuses(cloudformation: CloudFormationClient, name: str) -> list[str]:
    try:
        return [each["StackStatus"] for each in cloudformation.describe_stacks(StackName=name)["Stacks"]]
    except ClientError:
        return []


def id_of(cloudformation: CloudFormationClient, name: str) -> str:
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("StackId", "")


def settled(cloudformation: CloudFormationClient, name: str) -> str:
    """The stack's status once nothing works on it; `GONE` where it is deleted."""

    def look() -> str | None:
        found = statuses(cloudformation, name)
        if not found:
            return "GONE"
        return None if found[0].endswith("_IN_PROGRESS") else found[0]

    return wait_until(f"{name} settles", look)


def create(cloudformation: CloudFormationClient, name: str, body: str, **options: Any) -> str:
    call = cast("Callable[..., object]", cloudformation.create_stack)
    call(StackName=name, TemplateBody=body, **{"Capabilities": CAPABILITIES, **options})
    return settled(cloudformation, name)


def update(cloudformation: CloudFormationClient, name: str, body: str, **options: Any) -> str:
    call = cast("Callable[..., object]", cloudformation.update_stack)
    call(StackName=name, TemplateBody=body, **{"Capabilities": CAPABILITIES, **options})
    return settled(cloudformation, name)


def delete(cloudformation: CloudFormationClient, name: str) -> str:
    cloudformation.delete_stack(StackName=name)
    return settled(cloudformation, name)


def outputs(cloudformation: CloudFormationClient, name: str) -> dict[str, str]:
    found = cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    return {each.get("OutputKey", ""): each.get("OutputValue", "") for each in found}


def physical_ids(cloudformation: CloudFormationClient, name: str) -> dict[str, str]:
    found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in found}


def history(cloudformation: CloudFormationClient, name: str) -> list[tuple[str, str, str]]:
    """(logical id, status, reason) of all events, the oldest first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"]]
    return [
        (each.get("LogicalResourceId", ""), each.get("ResourceStatus", ""), each.get("ResourceStatusReason", ""))
        for each in reversed(events)
    ]


def reasons(cloudformation: CloudFormationClient, name: str) -> dict[str, str]:
    """The reason of each resource that has failed."""
    return {
        logical: reason
        for logical, status, reason in history(cloudformation, name)
        if status.endswith("_FAILED") and logical != name
    }


def inventory(emulator: Dev) -> dict[str, list[str]]:
    """All that exists in any service, by what names it."""

    def listed(service: str, operation: str, member: str, key: str | None) -> list[str]:
        client = emulator.client(service)
        if client.can_paginate(operation):
            answer = client.get_paginator(operation).paginate().build_full_result()
        else:
            answer = getattr(client, operation)()
        return sorted(each if key is None else each[key] for each in answer.get(member, []))

    found = {
        "queues": listed("sqs", "list_queues", "QueueUrls", None),
        "topics": listed("sns", "list_topics", "Topics", "TopicArn"),
        "subscriptions": listed("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
        "functions": listed("lambda", "list_functions", "Functions", "FunctionName"),
        "layers": listed("lambda", "list_layers", "Layers", "LayerArn"),
        "mappings": listed("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
        "roles": listed("iam", "list_roles", "Roles", "RoleName"),
        "tables": listed("dynamodb", "list_tables", "TableNames", None),
        "log groups": listed("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "apis": listed("apigatewayv2", "get_apis", "Items", "ApiId"),
        "rules": listed("events", "list_rules", "Rules", "Name"),
        "schedules": listed("scheduler", "list_schedules", "Schedules", "Name"),
        "alarms": listed("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "buckets": listed("s3", "list_buckets", "Buckets", "Name"),
        "groups": listed("scheduler", "list_schedule_groups", "ScheduleGroups", "Name"),
        "secrets": listed("secretsmanager", "list_secrets", "SecretList", "ARN"),
        "parameters": listed("ssm", "describe_parameters", "Parameters", "Name"),
    }
    policies = emulator.client("iam").list_policies(Scope="Local")["Policies"]
    found["policies"] = sorted(each["Arn"] for each in policies)
    apis = emulator.client("apigatewayv2")
    for member in ("routes", "integrations", "stages"):
        found[member] = sorted(
            json.dumps(each, default=str, sort_keys=True)
            for api in found["apis"]
            for each in getattr(apis, f"get_{member}")(ApiId=api)["Items"]
        )
    return found

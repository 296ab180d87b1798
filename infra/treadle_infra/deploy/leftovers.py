"""What is still there of an app's stage after its stack is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from treadle_infra.deploy.account import Account
from treadle_infra.deploy.aws_errors import error_code
from treadle_infra.deploy.losses import LOG_GROUP, QUEUE, TABLE
from treadle_infra.deploy.stacks import StackResource

_PARALLEL = 8
_AWS_WAIT_SECONDS = 75
"""SQS takes 60 seconds to delete a queue, and the tags of what is deleted are still found for a while.
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html"""
_LOCAL_WAIT_SECONDS = 5
_MISSING = ("NotFound", "NonExistent", "NoSuchEntity", "DoesNotExist", "404")

FUNCTION = "AWS::Lambda::Function"
MAPPING = "AWS::Lambda::EventSourceMapping"
TOPIC = "AWS::SNS::Topic"
ROLE = "AWS::IAM::Role"
API = "AWS::ApiGatewayV2::Api"
RULE = "AWS::Events::Rule"
SCHEDULE = "AWS::Scheduler::Schedule"
_UNTAGGED = (ROLE, SCHEDULE)
"""What the tagging API does not tell of."""


@dataclass(frozen=True, slots=True, order=True)
class Leftover:
    """Something that should be gone; `type` is the name of its kind in CloudFormation, or its service's."""

    type: str
    id: str


def find_leftovers(
    account: Account, app: str, stage: str, former: Iterable[StackResource], kept: Iterable[str]
) -> list[Leftover]:
    """What is left of the stage, tables excepted that are kept; waits for what AWS is still deleting.

    `former`: what the stack held; `kept`: names of tables.
    """
    expected = {(TABLE, name) for name in kept}
    held = [Leftover(resource.type, resource.physical_id) for resource in former if resource.physical_id]
    tagged = _tagged(account, app, stage)
    if tagged is None:
        candidates = {one for one in held if one.type in _LOOKS}
    else:
        candidates = {*tagged, *(one for one in held if one.type in _UNTAGGED)}
    candidates = {one for one in candidates if (one.type, one.id) not in expected}
    for service in sorted({_SERVICES[one.type] for one in candidates if one.type in _SERVICES}):
        account.client(service)  # clients are not to be made by several threads at once
    end = time.monotonic() + (_AWS_WAIT_SECONDS if account.endpoint_url is None else _LOCAL_WAIT_SECONDS)
    while candidates := _still_there(account, candidates):
        if time.monotonic() > end:
            break
        time.sleep(account.poll_seconds)
    return sorted(candidates)


def log_groups_of(account: Account, app: str, stage: str) -> list[str]:
    """The names of the log groups of the stage's functions, in a stack or not: Lambda makes one that it misses."""
    names: list[str] = []
    for page in account.logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=f"/aws/lambda/{app}--{stage}--"
    ):
        names += [group["logGroupName"] for group in page["logGroups"] if "logGroupName" in group]
    return names


def delete_log_groups(account: Account, app: str, stage: str) -> None:
    """Deletes the log groups of the stage's functions that the stack has left."""
    for name in log_groups_of(account, app, stage):
        try:
            account.logs.delete_log_group(logGroupName=name)
        except ClientError as problem:
            if not any(word in error_code(problem) for word in _MISSING):
                raise


def _tagged(account: Account, app: str, stage: str) -> set[Leftover] | None:
    """What carries the tags of the stage; None where nobody can say.

    Source: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    filters = [{"Key": "treadle:app", "Values": [app]}, {"Key": "treadle:stage", "Values": [stage]}]
    found: set[Leftover] = set()
    try:
        for page in (
            account.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=filters)
        ):
            found |= {_of_arn(entry["ResourceARN"]) for entry in page["ResourceTagMappingList"]}
    except ClientError:
        return None
    return {one for one in found if one.type != "cloudformation"}


def _of_arn(arn: str) -> Leftover:
    # arn:aws:lambda:<region>:<account>:function:<name>
    _, _, service, _, _, resource = arn.split(":", 5)
    match service, resource.replace(":", "/").split("/"):
        case "lambda", ["function", name, *_]:
            return Leftover(FUNCTION, name)
        case "lambda", ["event-source-mapping", identifier]:
            return Leftover(MAPPING, identifier)
        case "sqs", [name]:
            return Leftover(QUEUE, name)
        case "sns", [_]:
            return Leftover(TOPIC, arn)
        case "dynamodb", ["table", name, *_]:
            return Leftover(TABLE, name)
        case "logs", ["log-group", *_]:
            return Leftover(LOG_GROUP, resource.removeprefix("log-group:").removesuffix(":*"))
        case "apigateway", ["", "apis", api, *_]:
            return Leftover(API, api)
        case "events", ["rule", *_, name]:
            return Leftover(RULE, name)
        case "iam", ["role", *_, name]:
            return Leftover(ROLE, name)
        case _:
            return Leftover(service, arn)


def _still_there(account: Account, candidates: set[Leftover]) -> set[Leftover]:
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="look") as pool:
        ordered = sorted(candidates)
        there = pool.map(partial(_exists, account), ordered)
        return {one for one, is_there in zip(ordered, there, strict=True) if is_there}


def _exists(account: Account, one: Leftover) -> bool:
    """Whether it is there; what nobody here can look at counts as there, since something says so."""
    look = _LOOKS.get(one.type)
    if look is None:
        return True
    try:
        return look(account.client(_SERVICES[one.type]), one.id)
    except ClientError as problem:
        if any(word in error_code(problem) for word in _MISSING):
            return False
        raise


def _found(answer: object) -> bool:
    return answer is not None


def _queue_exists(client: Any, name_or_url: str) -> bool:
    return _found(client.get_queue_url(QueueName=name_or_url.rsplit("/", 1)[-1]))


def _log_group_exists(client: Any, name: str) -> bool:
    groups = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(group["logGroupName"] == name for group in groups)


def _mapping_exists(client: Any, identifier: str) -> bool:
    return bool(client.get_event_source_mapping(UUID=identifier).get("State") != "Deleting")


_LOOKS: Mapping[str, Callable[[Any, str], bool]] = {
    FUNCTION: lambda client, name: _found(client.get_function(FunctionName=name)),
    MAPPING: _mapping_exists,
    QUEUE: _queue_exists,
    TOPIC: lambda client, arn: _found(client.get_topic_attributes(TopicArn=arn)),
    TABLE: lambda client, name: client.describe_table(TableName=name)["Table"]["TableStatus"] != "DELETING",
    LOG_GROUP: _log_group_exists,
    ROLE: lambda client, name: _found(client.get_role(RoleName=name)),
    API: lambda client, api: _found(client.get_api(ApiId=api)),
    RULE: lambda client, name: _found(client.describe_rule(Name=name)),
    SCHEDULE: lambda client, name: _found(client.get_schedule(Name=name.rsplit("|", 1)[-1])),
}
_SERVICES: Mapping[str, str] = {
    FUNCTION: "lambda",
    MAPPING: "lambda",
    QUEUE: "sqs",
    TOPIC: "sns",
    TABLE: "dynamodb",
    LOG_GROUP: "logs",
    ROLE: "iam",
    API: "apigatewayv2",
    RULE: "events",
    SCHEDULE: "scheduler",
}

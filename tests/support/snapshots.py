"""All that exists in any service, with all that its service tells of it: what a rollback must leave as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from botocore.exceptions import ClientError

from support.dev import Dev
from support.stacks import inventory

# What a change and the way back leave different, on AWS as well: when, how often, and which revision.
_PASSING = frozenset(
    {
        "AlarmConfigurationUpdatedTimestamp",
        "CreationDate",
        "LastChangedDate",
        "LastModificationDate",
        "LastModified",
        "LastModifiedDate",
        "LastModifiedTimestamp",
        "LastUpdatedDate",
        "ResponseMetadata",
        "RevisionId",
        "StateUpdatedTimestamp",
        "UpdateDate",
        "Version",
        "VersionId",
        "VersionIdsToStages",
        "lastModified",
    }
)


def snapshot(emulator: Dev) -> dict[str, str]:
    """Each thing in the emulator by a name of its own, as text: two of them are compared with `==`."""
    found = {name: json.dumps(listed) for name, listed in inventory(emulator).items()}
    found |= {name: json.dumps(_lasting(told), default=str, sort_keys=True) for name, told in _told(emulator)}
    return found


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """What differs, for a failing test to show."""
    names = sorted(before.keys() | after.keys())
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        # an empty text is what a service keeps where a text is taken away
        return {name: _lasting(member) for name, member in members.items() if name not in _PASSING and member != ""}
    if isinstance(value, list):
        items = [_lasting(item) for item in listed(value)]
        return sorted(items, key=lambda item: json.dumps(item, default=str, sort_keys=True))
    return value


def listed(value: Any) -> list[Any]:
    return list(value)


def _told(emulator: Dev) -> Iterator[tuple[str, Any]]:
    yield from _messaging(emulator)
    yield from _compute(emulator)
    yield from _storage(emulator)
    yield from _the_rest(emulator)


def _messaging(emulator: Dev) -> Iterator[tuple[str, Any]]:
    sqs, sns = emulator.client("sqs"), emulator.client("sns")
    for url in sqs.list_queues().get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        attributes.pop("LastModifiedTimestamp", None)
        yield f"queue {url}", [_documents(attributes), sqs.list_queue_tags(QueueUrl=url).get("Tags")]
    for topic in sns.list_topics()["Topics"]:
        arn = topic["TopicArn"]
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        tags = sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
        yield f"topic {arn}", [_documents(attributes), tags]
    for subscription in sns.list_subscriptions()["Subscriptions"]:
        arn = subscription["SubscriptionArn"]
        yield f"subscription {arn}", sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


def _compute(emulator: Dev) -> Iterator[tuple[str, Any]]:
    functions, iam = emulator.client("lambda"), emulator.client("iam")
    for function in functions.list_functions()["Functions"]:
        name = function["FunctionName"]
        yield f"function {name}", functions.get_function(FunctionName=name)["Configuration"]
        yield f"aliases of {name}", functions.list_aliases(FunctionName=name)["Aliases"]
        configs = functions.list_function_event_invoke_configs(FunctionName=name)
        yield f"retries of {name}", configs["FunctionEventInvokeConfigs"]
        for alias in ("live", None):
            qualifier = {} if alias is None else {"Qualifier": alias}
            yield f"policy of {name} {alias}", _if_there(functions, "get_policy", FunctionName=name, **qualifier)
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        yield f"mapping {mapping['UUID']}", mapping
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        yield f"role {name}", iam.get_role(RoleName=name)["Role"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            yield f"policy {policy} of {name}", iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        yield f"attached to {name}", iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]


def _storage(emulator: Dev) -> Iterator[tuple[str, Any]]:
    dynamodb, s3 = emulator.client("dynamodb"), emulator.client("s3")
    for name in dynamodb.list_tables()["TableNames"]:
        table = dynamodb.describe_table(TableName=name)["Table"]
        yield f"table {name}", table
        yield f"times to live of {name}", dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        yield f"tags of {name}", dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        yield f"bucket {name}", _if_there(s3, "get_bucket_versioning", Bucket=name).get("Status")
        yield f"policy of {name}", _if_there(s3, "get_bucket_policy", Bucket=name).get("Policy")
        yield f"tags of {name}", _if_there(s3, "get_bucket_tagging", Bucket=name).get("TagSet")


def _the_rest(emulator: Dev) -> Iterator[tuple[str, Any]]:
    events, ssm = emulator.client("events"), emulator.client("ssm")
    for rule in events.list_rules()["Rules"]:
        yield f"rule {rule['Name']}", [rule, events.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
    for schedule in emulator.client("scheduler").list_schedules()["Schedules"]:
        scheduler = emulator.client("scheduler")
        yield f"schedule {schedule['Name']}", scheduler.get_schedule(Name=schedule["Name"])
    for group in emulator.client("logs").describe_log_groups()["logGroups"]:
        yield f"log group {group['logGroupName']}", group
    for alarm in emulator.client("cloudwatch").describe_alarms()["MetricAlarms"]:
        yield f"alarm {alarm['AlarmName']}", alarm
    for parameter in ssm.describe_parameters()["Parameters"]:
        value = ssm.get_parameter(Name=parameter["Name"])["Parameter"]["Value"]
        yield f"parameter {parameter['Name']}", [parameter, value]
    for secret in emulator.client("secretsmanager").list_secrets()["SecretList"]:
        yield f"secret {secret['Name']}", secret


def _if_there(client: Any, operation: str, **params: Any) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", getattr(client, operation)(**params))
    except ClientError:
        return {}


def _documents(attributes: dict[str, str]) -> dict[str, Any]:
    """Attributes whose texts are JSON as values: the order of their members says nothing."""
    return {name: json.loads(text) if text.startswith("{") else text for name, text in attributes.items()}

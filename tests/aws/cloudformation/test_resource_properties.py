"""Every mutable property of every type: set in place, taken back to its default, and replaced where AWS replaces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from support.aws import unique
from support.dev import Dev
from support.policies import allow, document
from support.stacks import create, delete, physical_ids, reasons, update
from support.templates import Json, att, everything, ref, resource, sub, template
from treadle_local.cloudformation.providers.registry import PROVIDERS

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

Ids = dict[str, str]
TAGS = [{"Key": "team", "Value": "blue"}]

# What is added to the resources of `everything()`, or set anew there.
CHANGES: dict[str, Json] = {
    "Logs": {"RetentionInDays": 30, "Tags": TAGS},
    "Table": {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "by")],
        "BillingMode": "PROVISIONED",
        "DeletionProtectionEnabled": True,
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-time",
                "KeySchema": [{"AttributeName": "by", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            }
        ],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "ProvisionedThroughput": {"ReadCapacityUnits": 2, "WriteCapacityUnits": 3},
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        "Tags": TAGS,
    },
    "Bucket": {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "old",
                    "Prefix": "logs/",
                    "Status": "Enabled",
                    "ExpirationInDays": 9,
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
                }
            ]
        },
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": True},
        "VersioningConfiguration": {"Status": "Suspended"},
        "Tags": TAGS,
    },
    "Queue": {
        "DelaySeconds": 4,
        "MaximumMessageSize": 2048,
        "MessageRetentionPeriod": 120,
        "ReceiveMessageWaitTimeSeconds": 7,
        "RedriveAllowPolicy": {"redrivePermission": "denyAll"},
        "RedrivePolicy": {"deadLetterTargetArn": att("DeadLetters"), "maxReceiveCount": 9},
        "VisibilityTimeout": 61,
        "Tags": TAGS,
    },
    "QueuePolicy": {"PolicyDocument": document(allow("sqs:ReceiveMessage", Principal="*"))},
    "Topic": {"DisplayName": "bills", "SignatureVersion": "2", "Tags": TAGS},
    "TopicPolicy": {"PolicyDocument": document({**allow("sns:Subscribe", Principal="*"), "Resource": ref("Topic")})},
    "Subscription": {
        "FilterPolicy": {"kind": ["a"]},
        "FilterPolicyScope": "MessageBody",
        "RawMessageDelivery": False,
        "RedrivePolicy": {"deadLetterTargetArn": att("DeadLetters")},
    },
    "Role": {"Description": "runs", "MaxSessionDuration": 7200, "Tags": TAGS},
    "Function": {
        "Description": "does",
        "Environment": {"Variables": {"MORE": "1"}},
        "EphemeralStorage": {"Size": 1024},
        "LoggingConfig": {"LogFormat": "JSON"},
        "MemorySize": 256,
        "ReservedConcurrentExecutions": 2,
        "Timeout": 9,
        "TracingConfig": {"Mode": "Active"},
        "Tags": TAGS,
    },
    "Alias": {"Description": "live"},
    "InvokeConfig": {"MaximumEventAgeInSeconds": 120, "MaximumRetryAttempts": 0},
    "Mapping": {
        "BatchSize": 5,
        "Enabled": False,
        "FilterCriteria": {"Filters": [{"Pattern": '{"body": {"kind": ["a"]}}'}]},
        "FunctionResponseTypes": [],
        "MaximumBatchingWindowInSeconds": 3,
        "ScalingConfig": {"MaximumConcurrency": 4},
        "Tags": TAGS,
    },
    "Api": {
        "CorsConfiguration": {"AllowOrigins": ["https://a.example"], "MaxAge": 10},
        "Description": "an API",
        "DisableExecuteApiEndpoint": True,
        "Version": "2",
        "Tags": {"team": "blue"},
    },
    "Integration": {"Description": "to the function", "TimeoutInMillis": 1000},
    "Route": {"OperationName": "getX", "RouteKey": "GET /y"},
    "Stage": {
        "DefaultRouteSettings": {"ThrottlingBurstLimit": 5, "ThrottlingRateLimit": 2.5},
        "Description": "all",
        "RouteSettings": {"GET /y": {"ThrottlingBurstLimit": 1}},
        "StageVariables": {"one": "1"},
        "Tags": {"team": "blue"},
    },
    "Deployment": {"Description": "first"},
    "Rule": {
        "Description": "daily",
        "ScheduleExpression": "rate(2 days)",
        "Targets": [{"Arn": ref("Alias"), "Id": "f", "Input": "{}"}, {"Arn": att("Queue"), "Id": "q"}],
        "Tags": TAGS,
    },
    "Schedule": {
        "Description": "daily",
        "EndDate": "2040-01-01T00:00:00Z",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        "ScheduleExpression": "cron(0 8 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Paris",
        "StartDate": "2039-01-01T00:00:00Z",
        "Target": {
            "Arn": ref("Alias"),
            "RoleArn": att("Role"),
            "Input": "{}",
            "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60},
        },
    },
    "Group": {"Tags": TAGS},
    "Parameter": {"Value": "a", "AllowedPattern": "[a-z]", "Description": "a letter", "Tags": {"team": "blue"}},
    "Secret": {"Description": "secret", "Tags": TAGS},
    "RolePolicy": {"PolicyDocument": document(allow("s3:PutObjectAcl"))},
    "ManagedPolicy": {"PolicyDocument": document(allow("s3:ListAllMyBuckets")), "Roles": [ref("Role")]},
    "BucketPolicy": {
        "PolicyDocument": document({**allow("s3:GetObject", Principal="*"), "Resource": sub("${Bucket.Arn}/*")})
    },
    "InboxPolicy": {"PolicyDocument": document(allow("sqs:ReceiveMessage", Principal="*"))},
    "NewsPolicy": {"PolicyDocument": document({**allow("sns:Subscribe", Principal="*"), "Resource": ref("News")})},
    "Alarm": {
        "ActionsEnabled": False,
        "AlarmActions": [ref("Topic")],
        "AlarmDescription": "too many",
        "ComparisonOperator": "LessThanThreshold",
        "DatapointsToAlarm": 2,
        "EvaluationPeriods": 3,
        "InsufficientDataActions": [ref("Topic")],
        "OKActions": [ref("Topic")],
        "Period": 120,
        "Statistic": "Average",
        "Threshold": 2.5,
        "TreatMissingData": "breaching",
        "Unit": "Count",
        "Tags": TAGS,
    },
}
# A change of these makes a new resource. The names of other types cannot be changed without their dependents.
REPLACEMENTS: dict[str, Json] = {
    "Bucket": {"BucketName": "renamed"},
    "Queue": {"QueueName": "renamed"},
    "Topic": {"TopicName": "renamed"},
    "Table": {"TableName": "renamed"},
    "Logs": {"LogGroupName": "renamed"},
    "Role": {"RoleName": "renamed"},
    "Function": {"FunctionName": "renamed"},
    "Api": {"ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"},
    "Alarm": {"AlarmName": "renamed"},
    "Rule": {"Name": "renamed"},
    "Schedule": {"Name": "renamed"},
    "Group": {"Name": "renamed"},
    "Parameter": {"Name": "renamed"},
    "Secret": {"Name": "renamed"},
    "ManagedPolicy": {"ManagedPolicyName": "renamed"},
    "Permission": {"Principal": "sns.amazonaws.com"},
}


def _call(service: str, operation: str, **params: Any) -> Callable[[Dev, Ids], object]:
    """One call that describes; `{Queue}` in a parameter stands for the physical id of the queue."""

    def call(emulator: Dev, ids: Ids) -> object:
        given: Json = {
            name: [str(each).format(**ids) for each in cast("list[str]", value)]
            if isinstance(value, list)
            else str(value).format(**ids)
            for name, value in params.items()
        }
        try:
            answer: Mapping[str, Any] = getattr(emulator.client(service), operation)(**given)
        except ClientError as error:
            return error.response.get("Error", {}).get("Code")
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    return call


DESCRIPTIONS: dict[str, list[Callable[[Dev, Ids], object]]] = {
    "Logs": [_call("logs", "describe_log_groups", logGroupNamePrefix="{Logs}")],
    "Table": [
        _call("dynamodb", "describe_table", TableName="{Table}"),
        _call("dynamodb", "describe_continuous_backups", TableName="{Table}"),
    ],
    "Bucket": [
        _call("s3", f"get_{part}", Bucket="{Bucket}")
        for part in ("bucket_encryption", "bucket_lifecycle_configuration", "bucket_versioning", "public_access_block")
    ],
    "Queue": [_call("sqs", "get_queue_attributes", QueueUrl="{Queue}", AttributeNames=["All"])],
    "Topic": [_call("sns", "get_topic_attributes", TopicArn="{Topic}")],
    "Subscription": [_call("sns", "get_subscription_attributes", SubscriptionArn="{Subscription}")],
    "Role": [_call("iam", "get_role", RoleName="{Role}")],
    "Function": [
        _call("lambda", "get_function_configuration", FunctionName="{Function}"),
        _call("lambda", "get_function_concurrency", FunctionName="{Function}"),
    ],
    "Alias": [_call("lambda", "get_alias", FunctionName="{Function}", Name="live")],
    "InvokeConfig": [_call("lambda", "get_function_event_invoke_config", FunctionName="{Function}", Qualifier="live")],
    "Mapping": [_call("lambda", "get_event_source_mapping", UUID="{Mapping}")],
    "Api": [_call("apigatewayv2", "get_api", ApiId="{Api}")],
    "Integration": [_call("apigatewayv2", "get_integration", ApiId="{Api}", IntegrationId="{Integration}")],
    "Route": [_call("apigatewayv2", "get_route", ApiId="{Api}", RouteId="{Route}")],
    "Stage": [_call("apigatewayv2", "get_stage", ApiId="{Api}", StageName="$default")],
    "Rule": [
        _call("events", "describe_rule", Name="{Rule}"),
        _call("events", "list_targets_by_rule", Rule="{Rule}"),
    ],
    "Schedule": [_call("scheduler", "get_schedule", Name="{Schedule}")],
    "Parameter": [_call("ssm", "get_parameter", Name="{Parameter}")],
    "Alarm": [_call("cloudwatch", "describe_alarms", AlarmNames=["{Alarm}"])],
}
# What every change moves, or what no template sets.
MOVING = (
    *("AlarmConfigurationUpdatedTimestamp", "CreatedTimestamp", "DeploymentId", "LastDeploymentStatusMessage"),
    *("LastModificationDate", "LastModified", "LastModifiedDate", "LastModifiedTimestamp", "LastUpdatedDate"),
    *("LatestStreamArn", "LatestStreamLabel", "RevisionId", "StateTransitionedTimestamp", "StateUpdatedTimestamp"),
    *("Version", "BillingModeSummary", "NumberOfDecreasesToday", "LastIncreaseDateTime", "LastDecreaseDateTime"),
    *("TableClassSummary", "EarliestRestorableDateTime", "LatestRestorableDateTime", "RecoveryPeriodInDays"),
    *("ProvisionedThroughput", "SignatureVersion"),  # told once they were set, and compared by drift detection
    *("StateReason", "StateReasonData", "StateValue", "StateTransitionReason", "State", "Tags", "Status"),
)


def _steady(value: Any) -> Any:
    """A description without what moves by itself."""
    match value:
        case dict():
            members = cast("Json", value).items()
            return {
                name: _steady(each) for name, each in members if name not in MOVING and each not in (None, {}, [], "")
            }
        case list():
            return [_steady(each) for each in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            return value


def _lines(value: Any) -> set[str]:
    return set(json.dumps(value, indent=1, default=str, sort_keys=True).splitlines())


def _snapshot(emulator: Dev, ids: Ids) -> dict[str, Any]:
    return {name: [_steady(each(emulator, ids)) for each in calls] for name, calls in DESCRIPTIONS.items()}


def _changed(changes: Mapping[str, Json]) -> dict[str, Json]:
    resources = everything()
    for logical_id, properties in changes.items():
        resources[logical_id].setdefault("Properties", {}).update(properties)
    return resources


def _out_of_sync(cloudformation: CloudFormationClient, name: str) -> dict[str, Any]:
    cloudformation.detect_stack_drift(StackName=name)
    drifts = cloudformation.describe_stack_resource_drifts(StackName=name)["StackResourceDrifts"]
    return {
        each["LogicalResourceId"]: each.get("PropertyDifferences") or each
        for each in drifts
        if each["StackResourceDriftStatus"] != "IN_SYNC"
    }


@pytest.fixture(scope="module")
def made(emulator: Dev) -> Iterator[str]:
    cloudformation = cast("CloudFormationClient", emulator.client("cloudformation"))
    name = unique("properties")
    assert create(cloudformation, name, template(everything())) == "CREATE_COMPLETE", reasons(cloudformation, name)
    yield name
    delete(cloudformation, name)


def test_properties_are_set_in_place_and_go_back_to_what_they_were_without_them(
    emulator: Dev, cloudformation: CloudFormationClient, made: str
) -> None:
    ids, before = physical_ids(cloudformation, made), _snapshot(emulator, physical_ids(cloudformation, made))
    assert update(cloudformation, made, template(_changed(CHANGES))) == "UPDATE_COMPLETE", reasons(cloudformation, made)
    assert physical_ids(cloudformation, made) == ids
    assert _out_of_sync(cloudformation, made) == {}
    after = _snapshot(emulator, ids)
    assert [name for name in DESCRIPTIONS if after[name] == before[name]] == []
    assert update(cloudformation, made, template(everything())) == "UPDATE_COMPLETE", reasons(cloudformation, made)
    assert physical_ids(cloudformation, made) == ids
    back = _snapshot(emulator, ids)
    assert [_lines(back[name]) - _lines(before[name]) for name in DESCRIPTIONS if back[name] != before[name]] == []
    assert _out_of_sync(cloudformation, made) == {}


@pytest.mark.parametrize("logical_id", REPLACEMENTS)
def test_a_change_that_aws_makes_by_replacing_makes_a_new_resource(
    cloudformation: CloudFormationClient, stack: str, logical_id: str
) -> None:
    properties = {
        name: f"{unique('renamed')}" if value == "renamed" else value
        for name, value in REPLACEMENTS[logical_id].items()
    }
    needed = _needed(logical_id)
    chosen = {name: each for name, each in everything().items() if name in needed}
    assert create(cloudformation, stack, template(chosen)) == "CREATE_COMPLETE", reasons(cloudformation, stack)
    before = physical_ids(cloudformation, stack)
    changed = {**chosen, logical_id: _changed({logical_id: properties})[logical_id]}
    assert update(cloudformation, stack, template(changed)) == "UPDATE_COMPLETE", reasons(cloudformation, stack)
    after = physical_ids(cloudformation, stack)
    assert after[logical_id] != before[logical_id]
    assert set(properties) & PROVIDERS[chosen[logical_id]["Type"]].schema.create_only
    assert _out_of_sync(cloudformation, stack) == {}


def _needed(logical_id: str) -> set[str]:
    """A resource and all that it needs."""
    needs = {
        "Function": {"Role", "Logs", "Queue", "DeadLetters", "Table"},
        "Role": {"Logs", "Queue", "DeadLetters"},
        "Rule": {"Alias", "Function"},
        "Alias": {"Function"},
        "Schedule": {"Alias", "Role"},
        "Permission": {"Alias", "Function"},
        "Version": {"Function"},
        "Alarm": {"Function"},
        "Parameter": {"Topic"},
        "Queue": {"DeadLetters"},
        "ManagedPolicy": {"Helper"},
    }
    found, rest = {logical_id}, [logical_id]
    while rest:
        for name in needs.get(rest.pop(), set()) - found:
            found.add(name)
            rest.append(name)
    return found


def test_a_version_is_not_published_twice(cloudformation: CloudFormationClient, stack: str) -> None:
    """PublishVersion answers with the version that is there: replaced by itself, it would be deleted in the end."""
    chosen = {name: each for name, each in everything().items() if name in _needed("Version")}
    create(cloudformation, stack, template(chosen))
    before = physical_ids(cloudformation, stack)
    changed = {**chosen, "Version": _changed({"Version": {"Description": "another"}})["Version"]}
    assert update(cloudformation, stack, template(changed)) == "UPDATE_ROLLBACK_COMPLETE"
    message = "A version for this Lambda function exists ( 1 ). Modify the function to create a new version."
    assert reasons(cloudformation, stack)["Version"] == message
    assert physical_ids(cloudformation, stack) == before


def test_all_attributes_have_values(cloudformation: CloudFormationClient, stack: str) -> None:
    resources = everything()
    resources["Table"]["Properties"]["StreamSpecification"] = {"StreamViewType": "NEW_IMAGE"}
    wanted = {
        f"{name}{attribute}": att(name, attribute)
        for name, each in resources.items()
        for attribute in PROVIDERS[each["Type"]].schema.attributes
    }
    outputs = {name: {"Value": value} for name, value in wanted.items()}
    status = create(cloudformation, stack, template(resources, Outputs=outputs))
    assert status == "CREATE_COMPLETE", reasons(cloudformation, stack)
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    assert {each.get("OutputKey") for each in found if each.get("OutputValue")} == set(wanted)


def test_what_is_gone_already_is_deleted_all_the_same(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    chosen = {name: each for name, each in everything().items() if name in _needed("Alarm") | _needed("Secret")}
    chosen["Api"], chosen["Group"] = everything()["Api"], resource("Scheduler::ScheduleGroup", {})
    create(cloudformation, stack, template(chosen))
    ids = physical_ids(cloudformation, stack)
    emulator.client("lambda").delete_function(FunctionName=ids["Function"])
    emulator.client("dynamodb").delete_table(TableName=ids["Table"])
    emulator.client("sqs").delete_queue(QueueUrl=ids["Queue"])
    emulator.client("logs").delete_log_group(logGroupName=ids["Logs"])
    emulator.client("cloudwatch").delete_alarms(AlarmNames=[ids["Alarm"]])
    emulator.client("apigatewayv2").delete_api(ApiId=ids["Api"])
    emulator.client("scheduler").delete_schedule_group(Name=ids["Group"])
    emulator.client("secretsmanager").delete_secret(SecretId=ids["Secret"], ForceDeleteWithoutRecovery=True)
    cloudformation.detect_stack_drift(StackName=stack)
    drifts = cloudformation.describe_stack_resource_drifts(
        StackName=stack, StackResourceDriftStatusFilters=["DELETED"]
    )["StackResourceDrifts"]
    gone = {"Function", "Table", "Queue", "Logs", "Alarm", "Api", "Group", "Secret"}
    assert {each["LogicalResourceId"] for each in drifts} == gone
    assert delete(cloudformation, stack) == "GONE"

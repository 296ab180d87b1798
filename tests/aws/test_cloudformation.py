"""CloudFormation of the emulator, as any AWS client sees it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, WaiterError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.dev import Dev, wait_until
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.cloudformation import CloudFormation, StackEvent
from treadle_local.cloudformation.providers.registry import PROVIDERS

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

ACCOUNT = "000000000000"
CAPABILITIES: list[Any] = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
Json = dict[str, Any]

LAMBDA_TRUST: Json = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
SOURCE = "def handler(event, context):\n    return 1\n"


@pytest.fixture
def cloudformation(emulator: Dev) -> CloudFormationClient:
    return cast("CloudFormationClient", emulator.client("cloudformation"))


@pytest.fixture
def stack(cloudformation: CloudFormationClient) -> Iterator[str]:
    """A stack name of the test's own; what stands under it is deleted at the end."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    yield name
    for found in statuses(cloudformation, name):
        if found != "DELETE_COMPLETE":
            cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
            cloudformation.delete_stack(StackName=name)
            settled(cloudformation, name)


def ref(name: str) -> Json:
    return {"Ref": name}


def att(name: str, attribute: str = "Arn") -> Json:
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str) -> Json:
    return {"Fn::Sub": text}


def resource(kind: str, properties: Mapping[str, Any] | None = None, **attributes: Any) -> Json:
    return {"Type": f"AWS::{kind}", **({} if properties is None else {"Properties": properties}), **attributes}


def template(resources: Mapping[str, Any], **sections: Any) -> str:
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, **sections})


def parameters(**values: str) -> list[Any]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]


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


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """The code and the message by which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response.get("Error", {})
    return error.get("Code", ""), error.get("Message", "")


def inventory(emulator: Dev) -> dict[str, list[str]]:
    """All that exists in any service, by what names it."""

    def listed(service: str, operation: str, member: str, key: str | None) -> list[str]:
        found = getattr(emulator.client(service), operation)().get(member, [])
        return sorted(each if key is None else each[key] for each in found)

    found = {
        "queues": listed("sqs", "list_queues", "QueueUrls", None),
        "topics": listed("sns", "list_topics", "Topics", "TopicArn"),
        "subscriptions": listed("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
        "functions": listed("lambda", "list_functions", "Functions", "FunctionName"),
        "mappings": listed("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
        "roles": listed("iam", "list_roles", "Roles", "RoleName"),
        "tables": listed("dynamodb", "list_tables", "TableNames", None),
        "log groups": listed("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "apis": listed("apigatewayv2", "get_apis", "Items", "ApiId"),
        "rules": listed("events", "list_rules", "Rules", "Name"),
        "schedules": listed("scheduler", "list_schedules", "Schedules", "Name"),
        "alarms": listed("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "buckets": listed("s3", "list_buckets", "Buckets", "Name"),
        "parameters": listed("ssm", "describe_parameters", "Parameters", "Name"),
    }
    apis = emulator.client("apigatewayv2")
    for member in ("routes", "integrations", "stages"):
        found[member] = sorted(
            json.dumps(each, default=str, sort_keys=True)
            for api in found["apis"]
            for each in getattr(apis, f"get_{member}")(ApiId=api)["Items"]
        )
    return found


def everything() -> dict[str, Json]:
    """A resource of every type, each bound to others; logical ids in an order in which they can be made."""
    role = {"AssumeRolePolicyDocument": LAMBDA_TRUST, "Policies": [_policy("logs:PutLogEvents", att("Logs"))]}
    queue = {
        "VisibilityTimeout": "60",
        "RedrivePolicy": {"deadLetterTargetArn": att("DeadLetters"), "maxReceiveCount": 4},
    }
    return {
        "Logs": resource(
            "Logs::LogGroup", {"LogGroupName": sub("/aws/lambda/${AWS::StackName}"), "RetentionInDays": 7}
        ),
        "Table": resource("DynamoDB::Table", _table(TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})),
        "Bucket": resource("S3::Bucket", {"VersioningConfiguration": {"Status": "Enabled"}}),
        "DeadLetters": resource("SQS::Queue", {"MessageRetentionPeriod": 1209600}),
        "Queue": resource("SQS::Queue", queue),
        "Topic": resource("SNS::Topic", {"DisplayName": "orders"}),
        "QueuePolicy": resource("SQS::QueuePolicy", {"Queues": [ref("Queue")], "PolicyDocument": _queue_policy()}),
        "TopicPolicy": resource("SNS::TopicPolicy", {"Topics": [ref("Topic")], "PolicyDocument": _topic_policy()}),
        "Subscription": resource(
            "SNS::Subscription",
            {"TopicArn": ref("Topic"), "Protocol": "sqs", "Endpoint": att("Queue"), "RawMessageDelivery": True},
            DependsOn="QueuePolicy",
        ),
        "Role": resource("IAM::Role", {**role, "Policies": [*role["Policies"], _policy("sqs:*", att("Queue"))]}),
        "Function": resource("Lambda::Function", _function(Environment={"Variables": {"TABLE": ref("Table")}})),
        "Version": resource("Lambda::Version", {"FunctionName": ref("Function")}),
        "Alias": resource(
            "Lambda::Alias", {"FunctionName": ref("Function"), "FunctionVersion": "$LATEST", "Name": "live"}
        ),
        "Permission": resource(
            "Lambda::Permission",
            {"FunctionName": ref("Alias"), "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"},
        ),
        "InvokeConfig": resource(
            "Lambda::EventInvokeConfig",
            {"FunctionName": ref("Function"), "Qualifier": "live", "MaximumRetryAttempts": 1},
            DependsOn="Alias",
        ),
        "Mapping": resource(
            "Lambda::EventSourceMapping",
            {
                "FunctionName": ref("Alias"),
                "EventSourceArn": att("Queue"),
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            },
        ),
        "Api": resource("ApiGatewayV2::Api", {"Name": sub("${AWS::StackName}-api"), "ProtocolType": "HTTP"}),
        "Integration": resource(
            "ApiGatewayV2::Integration",
            {
                "ApiId": ref("Api"),
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": ref("Alias"),
                "PayloadFormatVersion": "2.0",
            },
        ),
        "Route": resource(
            "ApiGatewayV2::Route",
            {"ApiId": ref("Api"), "RouteKey": "GET /x", "Target": sub("integrations/${Integration}")},
        ),
        "Stage": resource("ApiGatewayV2::Stage", {"ApiId": ref("Api"), "StageName": "$default", "AutoDeploy": True}),
        "Rule": resource(
            "Events::Rule",
            {"ScheduleExpression": "rate(1 day)", "State": "DISABLED", "Targets": [{"Arn": ref("Alias"), "Id": "f"}]},
        ),
        "Schedule": resource(
            "Scheduler::Schedule",
            {
                "ScheduleExpression": "rate(1 day)",
                "State": "DISABLED",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": ref("Alias"), "RoleArn": att("Role")},
            },
        ),
        "Parameter": resource("SSM::Parameter", {"Type": "String", "Value": ref("Topic")}),
        "Alarm": resource(
            "CloudWatch::Alarm",
            {
                "Namespace": "AWS/Lambda",
                "MetricName": "Errors",
                "Dimensions": [{"Name": "FunctionName", "Value": ref("Function")}],
                "Statistic": "Sum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            },
        ),
    }


def _policy(action: str, target: Any) -> Json:
    statement = {"Effect": "Allow", "Action": action, "Resource": target}
    name = action.replace(":", "-").replace("*", "all")
    return {"PolicyName": name, "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


def _queue_policy() -> Json:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": att("Queue"),
        "Condition": {"ArnEquals": {"aws:SourceArn": ref("Topic")}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _topic_policy() -> Json:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": ref("Topic"),
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _table(**properties: Any) -> Json:
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        **properties,
    }


def _function(**properties: Any) -> Json:
    return {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": att("Role"),
        "Code": {"ZipFile": SOURCE},
        **properties,
    }


class TestCreate:
    def test_every_type_is_made_and_leaves_nothing_when_it_is_deleted(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        before = inventory(emulator)
        assert {each["Type"] for each in everything().values()} == set(PROVIDERS)
        assert create(cloudformation, stack, template(everything())) == "CREATE_COMPLETE", reasons(
            cloudformation, stack
        )
        assert len(physical_ids(cloudformation, stack)) == len(everything())
        assert delete(cloudformation, stack) == "GONE"
        assert inventory(emulator) == before

    def test_waiters_outputs_and_attributes_are_as_on_aws(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template(
            {"Queue": resource("SQS::Queue"), "Topic": resource("SNS::Topic", {"TopicName": f"{stack}-named"})},
            Description="two things",
            Outputs={
                "Url": {"Value": ref("Queue"), "Description": "where to send"},
                "Arn": {"Value": att("Queue")},
                "Name": {"Value": {"Fn::GetAtt": "Queue.QueueName"}},
                "Topic": {"Value": ref("Topic")},
            },
        )
        stack_id = cloudformation.create_stack(StackName=stack, TemplateBody=body)["StackId"]
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        described = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        assert (described["StackStatus"], described.get("Description")) == ("CREATE_COMPLETE", "two things")
        assert stack_id.startswith(f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{stack}/")
        found = outputs(cloudformation, stack)
        assert found["Topic"] == f"arn:aws:sns:us-east-1:{ACCOUNT}:{stack}-named"
        assert found["Name"].startswith(f"{stack}-Queue-")
        assert found["Arn"] == f"arn:aws:sqs:us-east-1:{ACCOUNT}:{found['Name']}"
        assert emulator.client("sqs").get_queue_url(QueueName=found["Name"])["QueueUrl"] == found["Url"]
        assert {each.get("Description") for each in described.get("Outputs", [])} == {"where to send", None}

    def test_events_tell_each_resource_after_what_it_depends_on(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template(
            {
                "First": resource("SQS::Queue", DependsOn=["Last"]),
                "Middle": resource("SSM::Parameter", {"Type": "String", "Value": sub("${First.Arn}")}),
                "Last": resource("SNS::Topic"),
            }
        )
        create(cloudformation, stack, body)
        assert history(cloudformation, stack) == [
            (stack, "CREATE_IN_PROGRESS", "User Initiated"),
            *(
                (name, status, reason)
                for name in ("Last", "First", "Middle")
                for status, reason in (
                    ("CREATE_IN_PROGRESS", ""),
                    ("CREATE_IN_PROGRESS", "Resource creation Initiated"),
                    ("CREATE_COMPLETE", ""),
                )
            ),
            (stack, "CREATE_COMPLETE", ""),
        ]

    def test_tags_of_the_stack_and_of_cloudformation_reach_its_resources(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template(
            {
                "Queue": resource("SQS::Queue", {"Tags": [{"Key": "own", "Value": "1"}]}),
                "Table": resource("DynamoDB::Table", _table()),
                "Parameter": resource("SSM::Parameter", {"Type": "String", "Value": "x", "Tags": {"own": "2"}}),
            }
        )
        create(cloudformation, stack, body, Tags=[{"Key": "team", "Value": "blue"}])
        ids = physical_ids(cloudformation, stack)
        queue = emulator.client("sqs").list_queue_tags(QueueUrl=ids["Queue"])["Tags"]
        assert (queue["own"], queue["team"]) == ("1", "blue")
        ssm = emulator.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=ids["Parameter"])
        assert {"Key": "own", "Value": "2"} in ssm["TagList"]
        arn = emulator.client("dynamodb").describe_table(TableName=ids["Table"])["Table"]["TableArn"]
        table = {
            each["Key"]: each["Value"]
            for each in emulator.client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"]
        }
        assert table["team"] == "blue"
        assert table.get("aws:cloudformation:logical-id", "Table") == "Table"

    def test_a_template_whose_last_resource_fails_leaves_nothing(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        before = inventory(emulator)
        broken = {
            **everything(),
            "Zz": resource("SQS::Queue", {"QueueName": "no good!"}, DependsOn=list(everything())),
        }
        assert create(cloudformation, stack, template(broken)) == "ROLLBACK_COMPLETE"
        assert inventory(emulator) == before
        assert list(reasons(cloudformation, stack)) == ["Zz"]
        with pytest.raises(WaiterError):
            cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        listed = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        assert {each["ResourceStatus"] for each in listed} == {"DELETE_COMPLETE"}
        _, message = refusal(lambda: update(cloudformation, stack, template(everything())))
        assert "is in ROLLBACK_COMPLETE state and can not be updated" in message

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(position=st.integers(0, len(everything()) - 1), by_service=st.booleans())
    def test_wherever_it_fails_nothing_is_left(self, emulator: Dev, position: int, by_service: bool) -> None:
        """One resource at any place has a property that CloudFormation, or the service itself, refuses."""
        cloudformation = cast("CloudFormationClient", emulator.client("cloudformation"))
        name = f"failing-{uuid.uuid4().hex[:10]}"
        before = inventory(emulator)
        resources = everything()
        victim = list(resources)[position]
        if by_service:
            resources["Broken"] = resource("SQS::Queue", {"QueueName": "no good!"}, DependsOn=[victim])
        else:
            resources[victim]["Properties"]["NoSuchProperty"] = 1
        assert create(cloudformation, name, template(resources)) == "ROLLBACK_COMPLETE"
        assert inventory(emulator) == before
        assert list(reasons(cloudformation, name)) == ["Broken" if by_service else victim]
        delete(cloudformation, name)

    def test_a_property_that_no_one_knows_is_named_with_its_path(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        properties = {"VisibilityTimeout": "soon", "Nonsense": 1, "Tags": [{"Key": "a", "Vallue": "b"}]}
        assert (
            create(cloudformation, stack, template({"Queue": resource("SQS::Queue", properties)}))
            == "ROLLBACK_COMPLETE"
        )
        assert reasons(cloudformation, stack)["Queue"].splitlines() == [
            "Properties validation failed for resource Queue with message:",
            "#/VisibilityTimeout: expected type: Integer, found: String",
            "#: extraneous key [Nonsense] is not permitted",
            "#/Tags/0: extraneous key [Vallue] is not permitted",
            "#/Tags/0: required key [Value] not found",
        ]

    def test_a_property_that_only_aws_has_is_refused_by_name(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        create(cloudformation, stack, template({"Bucket": resource("S3::Bucket", {"WebsiteConfiguration": {}})}))
        assert "WebsiteConfiguration is not in Treadle's emulator yet" in reasons(cloudformation, stack)["Bucket"]

    def test_a_name_that_is_taken_fails_and_its_owner_is_left_alone(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        named = {
            "Queue": resource("SQS::Queue", {"QueueName": f"{stack}-q"}),
            "Topic": resource("SNS::Topic", {"TopicName": f"{stack}-t"}),
            "Role": resource("IAM::Role", {"RoleName": f"{stack}-r", "AssumeRolePolicyDocument": LAMBDA_TRUST}),
            "Table": resource("DynamoDB::Table", _table(TableName=f"{stack}-d")),
            "Logs": resource("Logs::LogGroup", {"LogGroupName": f"{stack}-l"}),
            "Rule": resource("Events::Rule", {"Name": f"{stack}-e", "ScheduleExpression": "rate(1 day)"}),
            "Parameter": resource("SSM::Parameter", {"Name": f"{stack}-p", "Type": "String", "Value": "1"}),
            "Bucket": resource("S3::Bucket", {"BucketName": f"{stack}-b"}),
        }
        create(cloudformation, stack, template(named))
        first = id_of(cloudformation, stack)
        before = inventory(emulator)
        for logical, declaration in named.items():
            other = f"{stack}-{logical}"
            assert create(cloudformation, other, template({logical: declaration})) == "ROLLBACK_COMPLETE"
            assert f"already exists in stack {first}" in reasons(cloudformation, other)[logical]
            delete(cloudformation, other)
        assert inventory(emulator) == before

    def test_on_failure_decides_what_becomes_of_a_failed_stack(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template(
            {"Good": resource("SNS::Topic"), "Bad": resource("SQS::Queue", {"Nonsense": 1}, DependsOn="Good")}
        )
        assert create(cloudformation, stack, body, OnFailure="DELETE") == "GONE"
        assert create(cloudformation, stack, body, DisableRollback=True) == "CREATE_FAILED"
        assert physical_ids(cloudformation, stack)["Good"] in inventory(emulator)["topics"]
        assert delete(cloudformation, stack) == "GONE"
        code, _ = refusal(lambda: create(cloudformation, stack, body, DisableRollback=True, OnFailure="DELETE"))
        assert code == "ValidationError"

    def test_a_stack_of_that_name_may_exist_only_once(self, cloudformation: CloudFormationClient, stack: str) -> None:
        body = template({"Topic": resource("SNS::Topic")})
        create(cloudformation, stack, body)
        assert refusal(lambda: create(cloudformation, stack, body)) == (
            "AlreadyExistsException",
            f"Stack [{stack}] already exists",
        )

    def test_roles_need_the_capability_that_aws_asks_for(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        role = {"AssumeRolePolicyDocument": LAMBDA_TRUST}
        named = template({"Role": resource("IAM::Role", {**role, "RoleName": stack})})
        anonymous = template({"Role": resource("IAM::Role", role)})
        for body, given_ones, missing in (
            (named, [], "CAPABILITY_NAMED_IAM"),
            (named, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
            (anonymous, [], "CAPABILITY_IAM"),
        ):
            assert refusal(lambda: create(cloudformation, stack, body, Capabilities=given_ones)) == (  # noqa: B023
                "InsufficientCapabilitiesException",
                f"Requires capabilities : [{missing}]",
            )
        assert create(cloudformation, stack, anonymous, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"


class TestUpdate:
    def test_properties_change_in_place_and_removed_ones_go_back_to_their_defaults(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        def body(queue: Json, function: Json, policies: list[Json], days: Json) -> str:
            role = {"AssumeRolePolicyDocument": LAMBDA_TRUST, "Policies": policies}
            return template(
                {
                    "Queue": resource("SQS::Queue", queue),
                    "Role": resource("IAM::Role", role),
                    "Function": resource("Lambda::Function", _function(**function)),
                    "Logs": resource("Logs::LogGroup", days),
                    "Table": resource("DynamoDB::Table", _table()),
                }
            )

        status = create(
            cloudformation,
            stack,
            body(
                {"VisibilityTimeout": 90, "DelaySeconds": 5},
                {"Timeout": 30, "MemorySize": 512, "Environment": {"Variables": {"KEY": "1"}}},
                [_policy("sqs:SendMessage", "*"), _policy("sns:Publish", "*")],
                {"RetentionInDays": 7},
            ),
        )
        assert status == "CREATE_COMPLETE", reasons(cloudformation, stack)
        before = physical_ids(cloudformation, stack)
        status = update(
            cloudformation,
            stack,
            body(
                {"VisibilityTimeout": 45},
                {"MemorySize": 256, "Code": {"ZipFile": SOURCE + "# changed\n"}},
                [_policy("sns:Publish", "*"), _policy("sqs:ReceiveMessage", "*")],
                {},
            ),
        )
        assert status == "UPDATE_COMPLETE", reasons(cloudformation, stack)
        assert physical_ids(cloudformation, stack) == before
        attributes = emulator.client("sqs").get_queue_attributes(QueueUrl=before["Queue"], AttributeNames=["All"])
        assert attributes["Attributes"]["VisibilityTimeout"] == "45"
        assert attributes["Attributes"]["DelaySeconds"] == "0"
        configuration = emulator.client("lambda").get_function_configuration(FunctionName=before["Function"])
        assert (configuration["Timeout"], configuration["MemorySize"]) == (3, 256)
        assert configuration.get("Environment", {}).get("Variables", {}) == {}
        names = emulator.client("iam").list_role_policies(RoleName=before["Role"])["PolicyNames"]
        assert sorted(names) == ["sns-Publish", "sqs-ReceiveMessage"]
        groups = emulator.client("logs").describe_log_groups(logGroupNamePrefix=before["Logs"])["logGroups"]
        assert "retentionInDays" not in groups[0]
        touched = {logical for logical, change, _ in history(cloudformation, stack) if change == "UPDATE_IN_PROGRESS"}
        assert touched == {stack, "Queue", "Role", "Function", "Logs"}

    def test_a_replacement_is_made_first_then_dependents_switch_then_the_old_one_goes(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        def body(suffix: str) -> str:
            return template(
                {
                    "Queue": resource("SQS::Queue", {"QueueName": f"{stack}-{suffix}"}),
                    "Topic": resource("SNS::Topic"),
                    "QueuePolicy": resource(
                        "SQS::QueuePolicy", {"Queues": [ref("Queue")], "PolicyDocument": _queue_policy()}
                    ),
                    "Subscription": resource(
                        "SNS::Subscription",
                        {"TopicArn": ref("Topic"), "Protocol": "sqs", "Endpoint": att("Queue")},
                        DependsOn="QueuePolicy",
                    ),
                    "Parameter": resource("SSM::Parameter", {"Type": "String", "Value": ref("Queue")}),
                }
            )

        create(cloudformation, stack, body("old"))
        ids = physical_ids(cloudformation, stack)
        told = len(history(cloudformation, stack))
        assert update(cloudformation, stack, body("new")) == "UPDATE_COMPLETE", reasons(cloudformation, stack)
        after = physical_ids(cloudformation, stack)
        assert after["Queue"].endswith(f"{stack}-new")
        assert after["Parameter"] == ids["Parameter"]
        assert after["Subscription"] != ids["Subscription"]
        value = emulator.client("ssm").get_parameter(Name=after["Parameter"])["Parameter"]["Value"]
        assert value == after["Queue"]
        assert ids["Queue"] not in inventory(emulator)["queues"]
        assert ids["Subscription"] not in inventory(emulator)["subscriptions"]
        steps = [(logical, status) for logical, status, _ in history(cloudformation, stack)[told:]]
        assert steps.index(("Queue", "UPDATE_COMPLETE")) < steps.index(("Parameter", "UPDATE_IN_PROGRESS"))
        assert steps.index((stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")) < steps.index(
            ("Queue", "DELETE_IN_PROGRESS")
        )
        assert steps.index(("Subscription", "DELETE_COMPLETE")) < steps.index(("Queue", "DELETE_IN_PROGRESS"))

    def test_a_failed_update_undoes_every_change(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        def body(seconds: int, name: str, more: Mapping[str, Any]) -> str:
            return template(
                {
                    "Changed": resource("SQS::Queue", {"VisibilityTimeout": seconds}),
                    "Replaced": resource("SQS::Queue", {"QueueName": f"{stack}-{name}"}),
                    "Dependent": resource("SSM::Parameter", {"Type": "String", "Value": ref("Replaced")}),
                    **more,
                }
            )

        create(cloudformation, stack, body(40, "a", {"Removed": resource("SNS::Topic")}))
        ids, before = physical_ids(cloudformation, stack), inventory(emulator)
        body_before = cloudformation.get_template(StackName=stack)["TemplateBody"]
        added = {
            "Added": resource("SNS::Topic", DependsOn="Dependent"),
            "Bad": resource("SQS::Queue", {"QueueName": "no good!"}, DependsOn=["Added", "Changed"]),
        }
        assert update(cloudformation, stack, body(50, "b", added)) == "UPDATE_ROLLBACK_COMPLETE"
        assert inventory(emulator) == before
        assert physical_ids(cloudformation, stack) == ids
        assert cloudformation.get_template(StackName=stack)["TemplateBody"] == body_before
        attributes = emulator.client("sqs").get_queue_attributes(QueueUrl=ids["Changed"], AttributeNames=["All"])
        assert attributes["Attributes"]["VisibilityTimeout"] == "40"
        value = emulator.client("ssm").get_parameter(Name=ids["Dependent"])["Parameter"]["Value"]
        assert value == ids["Replaced"]
        assert list(reasons(cloudformation, stack)) == ["Bad"]
        assert update(cloudformation, stack, body(50, "b", {})) == "UPDATE_COMPLETE"

    def test_an_update_without_a_change_is_refused(self, cloudformation: CloudFormationClient, stack: str) -> None:
        body = template(everything())
        create(cloudformation, stack, body, Tags=[{"Key": "a", "Value": "1"}])
        for again in (body, json.dumps(json.loads(body), indent=3)):
            assert refusal(lambda: update(cloudformation, stack, again)) == (  # noqa: B023
                "ValidationError",
                "No updates are to be performed.",
            )
        assert statuses(cloudformation, stack) == ["CREATE_COMPLETE"]

    def test_outputs_and_tags_alone_are_a_change(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        resources = {"Queue": resource("SQS::Queue")}
        create(cloudformation, stack, template(resources), Tags=[{"Key": "a", "Value": "1"}])
        changed = template(resources, Outputs={"Name": {"Value": att("Queue", "QueueName")}})
        assert update(cloudformation, stack, changed) == "UPDATE_COMPLETE"
        assert "Name" in outputs(cloudformation, stack)
        assert update(cloudformation, stack, changed, Tags=[{"Key": "b", "Value": "2"}]) == "UPDATE_COMPLETE"
        url = physical_ids(cloudformation, stack)["Queue"]
        tags = emulator.client("sqs").list_queue_tags(QueueUrl=url)["Tags"]
        assert (tags.get("a"), tags.get("b")) == (None, "2")

    def test_the_previous_template_and_values_can_be_used_again(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template(
            {"Queue": resource("SQS::Queue", {"DelaySeconds": ref("Delay"), "VisibilityTimeout": ref("Visibility")})},
            Parameters={"Delay": {"Type": "Number"}, "Visibility": {"Type": "Number", "Default": 30}},
        )
        create(cloudformation, stack, body, Parameters=parameters(Delay="3", Visibility="60"))
        cloudformation.update_stack(
            StackName=stack,
            UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": "Delay", "UsePreviousValue": True}, *parameters(Visibility="70")],
        )
        assert settled(cloudformation, stack) == "UPDATE_COMPLETE"
        url = physical_ids(cloudformation, stack)["Queue"]
        found = emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert (found["DelaySeconds"], found["VisibilityTimeout"]) == ("3", "70")

    def test_a_resource_of_a_fixed_name_cannot_be_replaced(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        def body(key: str) -> str:
            properties = _table(
                TableName=f"{stack}-t",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            )
            return template({"Table": resource("DynamoDB::Table", properties)})

        create(cloudformation, stack, body("id"))
        assert update(cloudformation, stack, body("key")) == "UPDATE_ROLLBACK_COMPLETE"
        assert f"Rename {stack}-t and update the stack again." in reasons(cloudformation, stack)["Table"]

    def test_a_table_changes_its_stream_indexes_and_times_to_live(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "by")]
        index = {
            "IndexName": "by",
            "KeySchema": [{"AttributeName": "by", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        create(cloudformation, stack, template({"Table": resource("DynamoDB::Table", _table())}))
        changed = _table(
            AttributeDefinitions=attributes,
            GlobalSecondaryIndexes=[index],
            StreamSpecification={"StreamViewType": "NEW_IMAGE"},
            TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True},
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        body = template(
            {"Table": resource("DynamoDB::Table", changed)}, Outputs={"Stream": {"Value": att("Table", "StreamArn")}}
        )
        assert update(cloudformation, stack, body) == "UPDATE_COMPLETE", reasons(cloudformation, stack)
        dynamodb, name = emulator.client("dynamodb"), physical_ids(cloudformation, stack)["Table"]
        table = dynamodb.describe_table(TableName=name)["Table"]
        assert [each["IndexName"] for each in table["GlobalSecondaryIndexes"]] == ["by"]
        assert outputs(cloudformation, stack)["Stream"] == table["LatestStreamArn"]
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "ttl")
        assert update(cloudformation, stack, template({"Table": resource("DynamoDB::Table", _table())})) == (
            "UPDATE_COMPLETE"
        )
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        assert ttl["TimeToLiveStatus"] == "DISABLED"


class TestRetention:
    def test_retain_outlives_the_stack_and_its_removal_from_the_template(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        kept = {name: resource("SNS::Topic", DeletionPolicy="Retain") for name in ("First", "Second")}
        create(cloudformation, stack, template(kept))
        ids = physical_ids(cloudformation, stack)
        assert update(cloudformation, stack, template({"Second": kept["Second"]})) == "UPDATE_COMPLETE"
        stack_id = id_of(cloudformation, stack)
        assert delete(cloudformation, stack) == "GONE"
        topics = inventory(emulator)["topics"]
        assert {ids["First"], ids["Second"]} <= set(topics)
        told = history(cloudformation, stack_id)
        assert [logical for logical, status, _ in told if status == "DELETE_SKIPPED"] == ["First", "Second"]
        for arn in ids.values():
            emulator.client("sns").delete_topic(TopicArn=arn)

    def test_retain_except_on_create_goes_with_a_failed_creation_only(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        bad = resource("SQS::Queue", {"Nonsense": 1}, DependsOn="Topic")
        topic = resource("SNS::Topic", DeletionPolicy="RetainExceptOnCreate")
        before = inventory(emulator)
        assert create(cloudformation, stack, template({"Topic": topic, "Bad": bad})) == "ROLLBACK_COMPLETE"
        assert inventory(emulator) == before
        delete(cloudformation, stack)
        create(cloudformation, stack, template({"Topic": topic}))
        arn = physical_ids(cloudformation, stack)["Topic"]
        delete(cloudformation, stack)
        assert arn in inventory(emulator)["topics"]
        emulator.client("sns").delete_topic(TopicArn=arn)

    def test_retain_outlives_even_a_failed_creation_unless_the_call_says_otherwise(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template(
            {
                "Topic": resource("SNS::Topic", {"TopicName": f"{stack}-t"}, DeletionPolicy="Retain"),
                "Bad": resource("SQS::Queue", {"Nonsense": 1}, DependsOn="Topic"),
            }
        )
        arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:{stack}-t"
        assert create(cloudformation, stack, body, RetainExceptOnCreate=True) == "ROLLBACK_COMPLETE"
        assert arn not in inventory(emulator)["topics"]
        delete(cloudformation, stack)
        assert create(cloudformation, stack, body) == "ROLLBACK_COMPLETE"
        assert arn in inventory(emulator)["topics"]
        emulator.client("sns").delete_topic(TopicArn=arn)

    def test_update_replace_policy_keeps_what_is_replaced(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        def body(name: str) -> str:
            topic = resource("SNS::Topic", {"TopicName": f"{stack}-{name}"}, UpdateReplacePolicy="Retain")
            return template({"Topic": topic})

        create(cloudformation, stack, body("a"))
        assert update(cloudformation, stack, body("b")) == "UPDATE_COMPLETE"
        old = f"arn:aws:sns:us-east-1:{ACCOUNT}:{stack}-a"
        assert old in inventory(emulator)["topics"]
        emulator.client("sns").delete_topic(TopicArn=old)


class TestDelete:
    def test_dependents_go_first(self, cloudformation: CloudFormationClient, stack: str) -> None:
        resources = everything()
        create(cloudformation, stack, template(resources))
        stack_id = id_of(cloudformation, stack)
        delete(cloudformation, stack)
        gone = [logical for logical, status, _ in history(cloudformation, stack_id) if status == "DELETE_COMPLETE"]
        place = {logical: index for index, logical in enumerate(gone)}
        for first, then in (
            ("Mapping", "Alias"),
            ("Alias", "Function"),
            ("Function", "Role"),
            ("Route", "Integration"),
            ("Integration", "Api"),
            ("Subscription", "QueuePolicy"),
            ("QueuePolicy", "Queue"),
            ("Queue", "DeadLetters"),
            ("Role", "Logs"),
        ):
            assert place[first] < place[then], (first, then)

    def test_a_deleted_stack_is_found_by_its_id_only(self, cloudformation: CloudFormationClient, stack: str) -> None:
        create(cloudformation, stack, template({"Topic": resource("SNS::Topic")}))
        stack_id = id_of(cloudformation, stack)
        cloudformation.delete_stack(StackName=stack)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        assert refusal(lambda: cloudformation.describe_stacks(StackName=stack)) == (
            "ValidationError",
            f"Stack with id {stack} does not exist",
        )
        assert statuses(cloudformation, stack_id) == ["DELETE_COMPLETE"]
        assert stack_id not in [each.get("StackId") for each in cloudformation.describe_stacks()["Stacks"]]
        listed = cloudformation.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
        assert stack_id in [each.get("StackId") for each in listed]
        cloudformation.delete_stack(StackName=stack)

    def test_a_failed_deletion_can_be_tried_again(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template(
            {
                "Bucket": resource("S3::Bucket"),
                "Topic": resource("SNS::Topic", {"DisplayName": ref("Bucket")}),
                "Queue": resource("SQS::Queue"),
            }
        )
        create(cloudformation, stack, body)
        bucket, s3 = physical_ids(cloudformation, stack)["Bucket"], emulator.client("s3")
        s3.put_object(Bucket=bucket, Key="held", Body=b"x")
        assert delete(cloudformation, stack) == "DELETE_FAILED"
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        assert described.get("StackStatusReason") == "The following resource(s) failed to delete: [Bucket]. "
        assert physical_ids(cloudformation, stack)["Bucket"] == bucket
        s3.delete_object(Bucket=bucket, Key="held")
        assert delete(cloudformation, stack) == "GONE"

    def test_what_failed_to_go_can_be_left_behind(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        create(cloudformation, stack, template({"Bucket": resource("S3::Bucket")}))
        bucket, s3 = physical_ids(cloudformation, stack)["Bucket"], emulator.client("s3")
        s3.put_object(Bucket=bucket, Key="held", Body=b"x")
        _, message = refusal(lambda: cloudformation.delete_stack(StackName=stack, RetainResources=["Bucket"]))
        assert "only when the stack is in the DELETE_FAILED state" in message
        assert delete(cloudformation, stack) == "DELETE_FAILED"
        cloudformation.delete_stack(StackName=stack, RetainResources=["Bucket"])
        assert settled(cloudformation, stack) == "GONE"
        s3.delete_object(Bucket=bucket, Key="held")
        s3.delete_bucket(Bucket=bucket)

    def test_a_protected_stack_is_not_deleted(self, cloudformation: CloudFormationClient, stack: str) -> None:
        body = template({"Topic": resource("SNS::Topic")})
        create(cloudformation, stack, body, EnableTerminationProtection=True)
        assert refusal(lambda: cloudformation.delete_stack(StackName=stack)) == (
            "ValidationError",
            f"Stack [{stack}] cannot be deleted while TerminationProtection is enabled",
        )
        cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
        assert delete(cloudformation, stack) == "GONE"


class TestTemplates:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("{", "Template format error: JSON not well-formed. (line 1, column 2)"),
            ("[]", "Template format error: unsupported structure."),
            ('{"Resources": {}}', "Template format error: At least one Resources member must be defined."),
            (
                template(
                    {"A": resource("SQS::Queue", DependsOn="B"), "B": resource("SNS::Topic", {"DisplayName": att("A")})}
                ),
                "Circular dependency between resources: [A, B]",
            ),
            (
                template({"Q": resource("Foo::Bar")}),
                "Template format error: Unrecognized resource types: [AWS::Foo::Bar] (at /Resources/Q/Type)",
            ),
            (
                template({"Q": resource("SQS::Queue")}, Extra={}),
                "Template format error: Invalid template property or properties [Extra]",
            ),
            (
                template({"Q": resource("SQS::Queue", Extra=1)}),
                "Invalid template resource property 'Extra' (at /Resources/Q/Extra)",
            ),
            (
                template({"Q": resource("SQS::Queue", {"QueueName": ref("Missing")})}),
                "Template format error: Unresolved resource dependencies [Missing] in the Resources block "
                "of the template",
            ),
            (
                template({"Q": resource("SQS::Queue")}, Outputs={"O": {"Value": ref("Missing")}}),
                "Template format error: Unresolved resource dependencies [Missing] in the Outputs block "
                "of the template",
            ),
            (
                template({"Q": resource("SQS::Queue")}, Outputs={"O": {"Value": att("Q", "Colour")}}),
                "Template error: resource Q does not support attribute type Colour in Fn::GetAtt",
            ),
            (
                template({"Q": resource("SQS::Queue", {"QueueName": sub("${Missing.Arn}")})}),
                "Template error: instance of Fn::GetAtt references undefined resource Missing",
            ),
            (
                template({"no-good": resource("SQS::Queue")}),
                "Template format error: Resource name no-good is non alphanumeric.",
            ),
            (
                template({f"Q{index}": resource("SQS::Queue") for index in range(501)}),
                "Template format error: Number of resources, 501, is greater than maximum allowed, 500",
            ),
            (
                template({"Q": resource("SQS::Queue", {"QueueName": {"Fn::Cidr": ["a", 1, 2]}})}),
                "Fn::Cidr (at /Resources/Q/Properties/QueueName) is not in Treadle's emulator yet",
            ),
            (
                template({"Q": resource("SQS::Queue")}, Transform="AWS::Serverless-2016-10-31"),
                "The transform AWS::Serverless-2016-10-31 (at /Transform) is not in Treadle's emulator yet",
            ),
            (
                template({"Q": resource("SQS::Queue")}, Outputs={"O": {"Value": "1", "Export": {"Name": "x"}}}),
                "Export (at /Outputs/O/Export) is not in Treadle's emulator yet",
            ),
            (
                template(
                    {"Q": resource("SQS::Queue")}, Parameters={"P": {"Type": "AWS::SSM::Parameter::Value<String>"}}
                ),
                "The parameter type AWS::SSM::Parameter::Value<String> (at /Parameters/P/Type) "
                "is not in Treadle's emulator yet",
            ),
            (
                template({"Q": resource("SQS::Queue", {"QueueName": {"Fn::ToJsonString": {}}})}),
                "Template error: Fn::ToJsonString at /Resources/Q/Properties/QueueName "
                "needs the transform AWS::LanguageExtensions",
            ),
            (
                template({"Q": resource("SQS::Queue", {"QueueName": "{{resolve:ssm:name}}"})}),
                "The dynamic reference at /Resources/Q/Properties/QueueName is not in Treadle's emulator yet",
            ),
        ],
        ids=[
            "malformed JSON",
            "no object",
            "no resources",
            "circle",
            "unknown type",
            "unknown section",
            "unknown attribute of a resource",
            "unresolved reference",
            "unresolved reference in an output",
            "unknown attribute in GetAtt",
            "GetAtt of nothing",
            "name of a resource",
            "too many resources",
            "function of AWS only",
            "transform",
            "export",
            "parameter type of AWS only",
            "function that needs a transform",
            "dynamic reference",
        ],
    )
    def test_what_aws_refuses_before_it_begins_is_refused_in_its_words(
        self, cloudformation: CloudFormationClient, stack: str, body: str, message: str
    ) -> None:
        assert refusal(lambda: cloudformation.create_stack(StackName=stack, TemplateBody=body)) == (
            "ValidationError",
            message,
        )
        assert statuses(cloudformation, stack) == []

    def test_a_body_over_the_inline_limit_is_taken_from_s3_only(
        self, emulator: Dev, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template({"Topic": resource("SNS::Topic", Metadata={"filler": "x" * 51_200})})
        _, message = refusal(lambda: cloudformation.create_stack(StackName=stack, TemplateBody=body))
        assert "Member must have length less than or equal to 51200" in message
        s3 = emulator.client("s3")
        s3.create_bucket(Bucket=stack)
        s3.put_object(Bucket=stack, Key="a/template.json", Body=body.encode())
        url = f"https://{stack}.s3.us-east-1.amazonaws.com/a/template.json"
        cloudformation.create_stack(StackName=stack, TemplateURL=url)
        assert settled(cloudformation, stack) == "CREATE_COMPLETE"
        _, message = refusal(
            lambda: cloudformation.validate_template(TemplateURL=f"{emulator.endpoint}/{stack}/none.json")
        )
        assert message.startswith("S3 error:")
        s3.delete_object(Bucket=stack, Key="a/template.json")
        s3.delete_bucket(Bucket=stack)

    def test_functions_conditions_and_mappings_come_to_their_values(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        expressions: dict[str, tuple[Any, str]] = {
            "Join": ({"Fn::Join": ["-", ["a", ref("Word"), 1, True]]}, "a-word-1-true"),
            "Select": ({"Fn::Select": ["1", ref("List")]}, "y"),
            "Split": ({"Fn::Select": [2, {"Fn::Split": [":", "a:b:c"]}]}, "c"),
            "Sub": (
                sub("${Word}/${AWS::Region}/${!Literal}/${Topic.TopicName}"),
                f"word/us-east-1/${{Literal}}/{stack}-t",
            ),
            "SubMap": ({"Fn::Sub": ["${a}-${Word}", {"a": {"Fn::Join": ["", ["1", "2"]]}}]}, "12-word"),
            "Map": ({"Fn::FindInMap": ["Sizes", ref("Word"), "small"]}, "7"),
            "If": ({"Fn::If": ["Is", "yes", ref("AWS::NoValue")]}, "yes"),
            "IfNot": ({"Fn::If": ["IsNot", "yes", "no"]}, "no"),
            "Base64": ({"Fn::Base64": "abc"}, "YWJj"),
            "Json": (
                {"Fn::ToJsonString": {"a": ref("Word"), "b": {"Fn::If": ["Is", ref("AWS::NoValue"), 1]}}},
                '{"a":"word"}',
            ),
            "Length": ({"Fn::Length": ref("List")}, "3"),
            "Account": (ref("AWS::AccountId"), ACCOUNT),
            "Stack": (ref("AWS::StackName"), stack),
        }
        body = template(
            {
                "Topic": resource("SNS::Topic", {"TopicName": sub("${AWS::StackName}-t")}),
                "Never": resource("SQS::Queue", Condition="IsNot"),
            },
            Transform="AWS::LanguageExtensions",
            Parameters={
                "Word": {"Type": "String", "Default": "word"},
                "List": {"Type": "CommaDelimitedList", "Default": "x, y,z"},
            },
            Mappings={"Sizes": {"word": {"small": 7}}},
            Conditions={
                "Is": {"Fn::And": [{"Fn::Equals": [ref("Word"), "word"]}, {"Fn::Not": [{"Condition": "IsNot"}]}]},
                "IsNot": {"Fn::Or": [{"Fn::Equals": [ref("Word"), "other"]}, {"Fn::Equals": [1, 2]}]},
            },
            Outputs={
                **{name: {"Value": expression} for name, (expression, _) in expressions.items()},
                "Never": {"Value": "x", "Condition": "IsNot"},
            },
        )
        assert create(cloudformation, stack, body) == "CREATE_COMPLETE", reasons(cloudformation, stack)
        assert outputs(cloudformation, stack) == {name: value for name, (_, value) in expressions.items()}
        assert list(physical_ids(cloudformation, stack)) == ["Topic"]

    def test_yaml_is_read_with_its_short_forms(self, cloudformation: CloudFormationClient, stack: str) -> None:
        body = """
AWSTemplateFormatVersion: 2010-09-09
Conditions:
  Always: !Equals [a, a]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${AWS::StackName}-q"
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: !If [Always, !GetAtt Queue.QueueName, !Ref AWS::NoValue]
Outputs:
  Joined:
    Value: !Join ["/", [!Select [0, !Split [",", "a,b"]], !Ref Queue]]
"""
        assert create(cloudformation, stack, body) == "CREATE_COMPLETE", reasons(cloudformation, stack)
        assert outputs(cloudformation, stack)["Joined"].startswith("a/http")
        _, message = refusal(lambda: cloudformation.validate_template(TemplateBody="Resources: ["))
        assert message.startswith("Template format error: YAML not well-formed.")

    @pytest.mark.parametrize(
        ("declaration", "given_value", "message"),
        [
            ({"Type": "String"}, None, "Parameters: [P] must have values"),
            ({"Type": "Number"}, "x", "Parameter 'P' must be a number"),
            ({"Type": "Number", "MinValue": 3}, "2", "Parameter 'P' must be a number not less than 3"),
            ({"Type": "Number", "MaxValue": 3}, "4", "Parameter 'P' must be a number not greater than 3"),
            ({"Type": "List<Number>"}, "1,b", "Parameter 'P' must be a number"),
            ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues [a, b]"),
            ({"Type": "String", "AllowedPattern": "[a-z]+"}, "a1", "Parameter 'P' must match pattern [a-z]+"),
            ({"Type": "String", "MinLength": "2"}, "a", "Parameter 'P' must contain at least 2 characters"),
            ({"Type": "String", "MaxLength": 2}, "abc", "Parameter 'P' must contain at most 2 characters"),
            (
                {"Type": "String", "AllowedPattern": "[a-z]", "ConstraintDescription": "one letter"},
                "1",
                "Parameter P failed to satisfy constraint: one letter",
            ),
        ],
    )
    def test_parameters_are_held_to_their_declaration(
        self, cloudformation: CloudFormationClient, stack: str, declaration: Json, given_value: str | None, message: str
    ) -> None:
        body = template({"Topic": resource("SNS::Topic")}, Parameters={"P": declaration})
        given_ones = [] if given_value is None else parameters(P=given_value)
        _, said = refusal(lambda: create(cloudformation, stack, body, Parameters=given_ones))
        assert said == message

    def test_unknown_parameters_are_refused_and_secret_ones_hidden(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template({"Topic": resource("SNS::Topic")}, Parameters={"P": {"Type": "String", "NoEcho": True}})
        _, message = refusal(lambda: create(cloudformation, stack, body, Parameters=parameters(P="x", Q="y")))
        assert message == "Parameters: [Q] do not exist in the template"
        create(cloudformation, stack, body, Parameters=parameters(P="secret"))
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Parameters")
        assert described == [{"ParameterKey": "P", "ParameterValue": "****"}]

    def test_a_template_can_be_validated_summarised_and_read_back(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        body = template(
            {
                "Role": resource("IAM::Role", {"RoleName": f"{stack}-r", "AssumeRolePolicyDocument": LAMBDA_TRUST}),
                "Topic": resource("SNS::Topic"),
            },
            Description="what it is",
            Parameters={"P": {"Type": "String", "Default": "d", "AllowedValues": ["d", "e"], "Description": "why"}},
        )
        validated = cloudformation.validate_template(TemplateBody=body)
        assert validated.get("Capabilities") == ["CAPABILITY_NAMED_IAM"]
        assert validated.get("Parameters") == [
            {"ParameterKey": "P", "DefaultValue": "d", "NoEcho": False, "Description": "why"}
        ]
        summary = cloudformation.get_template_summary(TemplateBody=body)
        assert summary.get("ResourceTypes") == ["AWS::IAM::Role", "AWS::SNS::Topic"]
        assert summary.get("Parameters", [{}])[0].get("ParameterConstraints") == {"AllowedValues": ["d", "e"]}
        create(cloudformation, stack, body)
        assert cloudformation.get_template(StackName=stack)["TemplateBody"] == json.loads(body)
        assert cloudformation.get_template_summary(StackName=stack).get("Description") == "what it is"


class TestReading:
    def test_events_and_resources_come_in_pages_newest_event_first(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        create(cloudformation, stack, template({f"T{index}": resource("SNS::Topic") for index in range(50)}))
        first = cloudformation.describe_stack_events(StackName=stack)
        assert len(first["StackEvents"]) == 100
        assert first["StackEvents"][0].get("ResourceStatus") == "CREATE_COMPLETE"
        assert first["StackEvents"][0].get("LogicalResourceId") == stack
        assert len(history(cloudformation, stack)) == 2 + 3 * 50
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        assert len([each for page in pages for each in page["StackResourceSummaries"]]) == 50

    def test_one_resource_is_described_with_its_metadata(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        create(cloudformation, stack, template({"Topic": resource("SNS::Topic", Metadata={"a": 1})}))
        detail = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId="Topic")[
            "StackResourceDetail"
        ]
        assert detail.get("Metadata") == '{"a":1}'
        found = cloudformation.describe_stack_resources(PhysicalResourceId=detail.get("PhysicalResourceId", ""))
        assert [each["LogicalResourceId"] for each in found["StackResources"]] == ["Topic"]
        _, message = refusal(lambda: cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId="Other"))
        assert message == f"Resource Other does not exist for stack {stack}"

    def test_operations_of_later_work_are_refused_by_name(
        self, cloudformation: CloudFormationClient, stack: str
    ) -> None:
        _, message = refusal(lambda: cloudformation.create_change_set(StackName=stack, ChangeSetName="c"))
        assert message == "CreateChangeSet is not in Treadle's emulator yet"
        body = template({"Topic": resource("SNS::Topic")})
        _, message = refusal(lambda: create(cloudformation, stack, body, TimeoutInMinutes=1))
        assert message == "CreateStack with TimeoutInMinutes is not in Treadle's emulator yet"


class Account:
    """A fake of the services behind the engine: topics only, each with its display name.

    Calls wait at the gate and fail where a test says so; `fail_at` counts the calls that make or change a topic.
    """

    def __init__(self) -> None:
        self.topics: dict[str, str] = {}
        self.calls: list[str] = []
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()
        self.failing: set[tuple[str, str]] = set()
        self.fail_at = -1

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> Json:
        self.calls.append(operation)
        name: str = params.get("Name") or params.get("TopicArn", "").rsplit(":", 1)[-1]
        if operation == "CreateTopic":
            self.asked.set()
            if self.gate is not None:
                await self.gate.wait()
        if operation in ("CreateTopic", "SetTopicAttributes"):
            self._refuse_reserved_tags(params)
            self.fail_at -= 1
            if self.fail_at == 0 or (operation, name) in self.failing:
                raise AwsError("Throttled", "too many calls")
        match operation:
            case "CreateTopic":
                self.topics[name] = params["Attributes"].get("DisplayName", "")
                return {"TopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"}
            case "SetTopicAttributes":
                self.topics[name] = params["AttributeValue"]
            case "DeleteTopic":
                self.topics.pop(name, None)
            case "GetTopicAttributes" if name not in self.topics:
                raise AwsError("NotFound", "Topic does not exist")
            case _:
                pass
        return {}

    def _refuse_reserved_tags(self, params: Mapping[str, Any]) -> None:
        if any(tag["Key"].startswith("aws:") for tag in params.get("Tags", [])):
            raise AwsError("InvalidParameter", "tag keys cannot start with aws:")


def topics(*names: str, display: str = "") -> str:
    return template({name: resource("SNS::Topic", {"TopicName": name, "DisplayName": display}) for name in names})


Variant = tuple[str, str]
LOGICAL = st.sampled_from(["A", "B", "C", "D"])
VARIANT = st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["", "red", "blue"]))


def of_variants(variants: dict[str, Variant]) -> str:
    """One topic a variant, whose name is new for each logical id; every topic after those before it."""
    return template(
        {
            logical: resource(
                "SNS::Topic",
                {"TopicName": f"{logical}-{name}", "DisplayName": display},
                DependsOn=[other for other in variants if other < logical],
            )
            for logical, (name, display) in variants.items()
        }
    )


def topics_of(variants: dict[str, Variant]) -> dict[str, str]:
    return {f"{logical}-{name}": display for logical, (name, display) in variants.items()}


class TestEngine:
    """The engine in process, where a test needs a service that waits or fails at a moment of its choice."""

    def test_deploy_creates_updates_leaves_alone_and_starts_over(self) -> None:
        async def run() -> None:
            account, told = Account(), list[StackEvent]()
            engine = CloudFormation(Region(), ManualClock(), account, told.append)
            made = await engine.deploy("app", topics("A"))
            assert (made.status, set(account.topics)) == ("CREATE_COMPLETE", {"A"})
            calls = len(account.calls)
            assert await engine.deploy("app", topics("A")) is made
            assert len(account.calls) == calls
            assert (await engine.deploy("app", topics("A", "B"))).status == "UPDATE_COMPLETE"
            account.failing.add(("CreateTopic", "C"))
            other = await engine.deploy("other", topics("C"))
            assert other.status == "ROLLBACK_COMPLETE"
            assert [each.reason for each in other.failures] == [
                "too many calls (Service: sns; Status Code: 400; Error Code: Throttled)"
            ]
            account.failing.clear()
            assert (await engine.deploy("other", topics("C"))).succeeded
            assert set(account.topics) == {"A", "B", "C"}
            await engine.remove("other")
            await engine.remove("app")
            assert account.topics == {}
            assert told[-1].status == "DELETE_COMPLETE"

        asyncio.run(run())

    def test_a_stack_that_is_being_created_can_be_deleted(self) -> None:
        async def run() -> None:
            account = Account()
            account.gate = asyncio.Event()
            engine = CloudFormation(Region(), ManualClock(), account)
            body = topics(*(f"T{index}" for index in range(5)))
            answer = engine.handle("CreateStack", {"StackName": "app", "TemplateBody": body}, ROOT)
            assert not isinstance(answer, dict)
            stack_id = (await answer)["StackId"]
            await account.asked.wait()
            engine.handle("DeleteStack", {"StackName": "app"}, ROOT)
            account.gate.set()
            await engine.remove("app")
            described = engine.handle("DescribeStacks", {"StackName": stack_id}, ROOT)
            assert isinstance(described, dict)
            assert described["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
            assert account.topics == {}
            assert account.calls.count("CreateTopic") <= 2

        asyncio.run(run())

    def test_stopping_leaves_no_task(self) -> None:
        async def run() -> None:
            account = Account()
            account.gate = asyncio.Event()
            engine = CloudFormation(Region(), ManualClock(), account)
            waiting = asyncio.ensure_future(engine.deploy("app", topics("A")))
            await account.asked.wait()
            await engine.stop()
            await waiting
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(run())

    def test_an_update_that_cannot_be_undone_waits_and_can_be_continued(self) -> None:
        async def run() -> None:
            account = Account()
            engine = CloudFormation(Region(), ManualClock(), account)
            await engine.deploy("app", topics("A"))
            account.failing |= {("SetTopicAttributes", "A")}
            failed = await engine.deploy("app", topics("A", "B", display="new"))
            assert failed.status == "UPDATE_ROLLBACK_FAILED"
            account.failing.clear()
            engine.handle("ContinueUpdateRollback", {"StackName": "app"}, ROOT)
            await engine.settled("app")
            assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
            assert account.topics == {"A": ""}
            await engine.remove("app")

        asyncio.run(run())

    @settings(deadline=None)
    @given(
        first=st.dictionaries(LOGICAL, VARIANT, min_size=1),
        then=st.dictionaries(LOGICAL, VARIANT, min_size=1),
        fail_at=st.integers(1, 8),
    )
    def test_an_update_that_fails_at_any_call_leaves_all_as_it_was(
        self, first: dict[str, Variant], then: dict[str, Variant], fail_at: int
    ) -> None:
        """From any set of topics to any other: made, changed, replaced and removed, with one call that fails."""

        async def run() -> None:
            account = Account()
            engine = CloudFormation(Region(), ManualClock(), account)
            assert (await engine.deploy("app", of_variants(first))).status == "CREATE_COMPLETE"
            before = dict(account.topics)
            assert before == topics_of(first)
            account.fail_at = fail_at
            stack = await engine.deploy("app", of_variants(then))
            wanted = topics_of(then)
            failed = account.fail_at <= 0
            assert (stack.status == "UPDATE_ROLLBACK_COMPLETE") is failed
            assert account.topics == (before if failed else wanted)
            assert {record.physical_id.rsplit(":", 1)[-1] for record in stack.resources.values()} == set(account.topics)
            account.fail_at = -1
            assert (await engine.deploy("app", of_variants(then))).succeeded
            assert account.topics == wanted
            await engine.remove("app")
            assert account.topics == {}

        asyncio.run(run())


@pytest.mark.parametrize("kind", sorted(PROVIDERS))
def test_properties_are_those_of_aws_and_replace_where_aws_replaces(kind: str) -> None:
    """Held against the resource schemas that AWS publishes, as cfn-lint carries them."""
    found = find_spec("cfnlint")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "data" / "schemas"
    file = json.loads((folder / "providers" / "us-east-1.json").read_text())[kind]
    published: Json = json.loads((folder / "resources" / f"{file}.json").read_text())

    def names(member: str) -> set[str]:
        return {path.removeprefix("/properties/") for path in published.get(member, [])}

    schema = PROVIDERS[kind].schema
    known: set[str] = (
        set(schema.properties.members) | schema.properties.elsewhere | ({"Tags"} if schema.tags else set())
    )
    assert known == set(published["properties"]) - names("readOnlyProperties")
    assert names("createOnlyProperties") & set(schema.properties.members) <= schema.create_only
    assert set(schema.properties.required) >= set(published.get("required", []))

"""Custom names that are taken: by a call, and by a resource of a stack, whose owner is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import refusal, unique
from support.dev import Dev
from support.lambda_account import make_queue, make_role, zipped
from support.policies import allow, document, trust
from support.scheduled import scheduler_role
from support.stacks import create, delete, reasons
from support.templates import resource, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

Settings = dict[str, Any]
TABLE: Settings = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
ALARM: Settings = {
    "MetricName": "m",
    "Namespace": "n",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
}
TRUST = trust("lambda.amazonaws.com")
GRANT = document(allow(["sqs:SendMessage"]))
PERMANENT: Settings = {"ScheduleExpression": "rate(1 day)", "State": "DISABLED"}


def function(emulator: Dev) -> Settings:
    return {
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "Role": make_role(emulator),
        "Code": {"ZipFile": zipped("def handler(event, context): ...\n")},
    }


def stacked_function(emulator: Dev) -> Settings:
    return function(emulator) | {"Handler": "index.handler", "Code": {"ZipFile": "def handler(event, context): ..."}}


def schedule(emulator: Dev) -> Settings:
    target = {"Arn": make_queue(emulator)[1], "RoleArn": scheduler_role(emulator)}
    return PERMANENT | {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}


@dataclass(frozen=True, slots=True)
class Named:
    """A kind of resource with a name of the user's: how it is made by a call and by a stack, and what says no.

    `code` is None where the call that makes it changes what is there.
    """

    type: str
    service: str
    operation: str
    member: str
    property: str
    code: str | None
    settings: Settings | Callable[[Dev], Settings]
    properties: Settings | Callable[[Dev], Settings] | None = None
    other: Settings | None = None

    def make(self, emulator: Dev, name: str, changes: Mapping[str, Any] | None = None) -> object:
        settings = self.settings(emulator) if callable(self.settings) else self.settings
        call = getattr(emulator.client(self.service), self.operation)
        return call(**{self.member: name}, **settings | dict(changes or {}))

    def declare(self, emulator: Dev, name: str) -> Any:
        found = self.settings if self.properties is None else self.properties
        properties = found(emulator) if callable(found) else found
        return resource(self.type, {self.property: name} | properties)


KINDS = {
    "queue": Named(
        "SQS::Queue",
        "sqs",
        "create_queue",
        "QueueName",
        "QueueName",
        "QueueAlreadyExists",
        {},
        other={"Attributes": {"VisibilityTimeout": "77"}},
    ),
    "topic": Named(
        "SNS::Topic",
        "sns",
        "create_topic",
        "Name",
        "TopicName",
        "InvalidParameter",
        {},
        other={"Attributes": {"DisplayName": "other"}},
    ),
    "function": Named(
        "Lambda::Function",
        "lambda",
        "create_function",
        "FunctionName",
        "FunctionName",
        "ResourceConflictException",
        function,
        stacked_function,
    ),
    "role": Named(
        "IAM::Role",
        "iam",
        "create_role",
        "RoleName",
        "RoleName",
        "EntityAlreadyExists",
        {"AssumeRolePolicyDocument": json.dumps(TRUST)},
        {"AssumeRolePolicyDocument": TRUST},
    ),
    "managed policy": Named(
        "IAM::ManagedPolicy",
        "iam",
        "create_policy",
        "PolicyName",
        "ManagedPolicyName",
        "EntityAlreadyExists",
        {"PolicyDocument": json.dumps(GRANT)},
        {"PolicyDocument": GRANT},
    ),
    "table": Named(
        "DynamoDB::Table", "dynamodb", "create_table", "TableName", "TableName", "ResourceInUseException", TABLE
    ),
    "log group": Named(
        "Logs::LogGroup",
        "logs",
        "create_log_group",
        "logGroupName",
        "LogGroupName",
        "ResourceAlreadyExistsException",
        {},
    ),
    "schedule": Named(
        "Scheduler::Schedule", "scheduler", "create_schedule", "Name", "Name", "ConflictException", schedule
    ),
    "schedule group": Named(
        "Scheduler::ScheduleGroup", "scheduler", "create_schedule_group", "Name", "Name", "ConflictException", {}
    ),
    "rule": Named("Events::Rule", "events", "put_rule", "Name", "Name", None, PERMANENT),
    "bucket": Named("S3::Bucket", "s3", "create_bucket", "Bucket", "BucketName", None, {}),
    "parameter": Named(
        "SSM::Parameter",
        "ssm",
        "put_parameter",
        "Name",
        "Name",
        "ParameterAlreadyExists",
        {"Type": "String", "Value": "1"},
    ),
    "secret": Named(
        "SecretsManager::Secret",
        "secretsmanager",
        "create_secret",
        "Name",
        "Name",
        "ResourceExistsException",
        {"SecretString": "x"},
    ),
    "alarm": Named("CloudWatch::Alarm", "cloudwatch", "put_metric_alarm", "AlarmName", "AlarmName", None, ALARM),
}


@pytest.mark.parametrize("kind", [kind for kind, named in KINDS.items() if named.code is not None])
def test_a_name_that_is_taken_is_refused(emulator: Dev, kind: str) -> None:
    """A queue and a topic are refused with other attributes only: with the same ones, the call finds them.

    Sources: the Errors of CreateQueue, CreateTopic, CreateFunction, CreateRole, CreatePolicy, CreateTable,
    CreateLogGroup, CreateSchedule, CreateScheduleGroup, PutParameter and CreateSecret in AWS's API references, as
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    """
    named, name = KINDS[kind], unique("name")
    named.make(emulator, name)
    assert refusal(named.make, emulator, name, named.other)[0] == named.code
    if named.other is not None:
        named.make(emulator, name)


@pytest.mark.parametrize("kind", [kind for kind, named in KINDS.items() if named.code is None])
def test_a_name_that_is_taken_is_no_refusal_where_the_call_is_a_put(emulator: Dev, kind: str) -> None:
    """Also a bucket of one's own in us-east-1, where it is what it was.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html (BucketAlreadyOwnedByYou)
    """
    named, name = KINDS[kind], unique("name")
    named.make(emulator, name)
    named.make(emulator, name)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_stack_does_not_take_what_has_its_name(emulator: Dev, kind: str) -> None:
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html (already exists)"""
    cloudformation = cast("CloudFormationClient", emulator.client("cloudformation"))
    named, name, stack = KINDS[kind], unique("name"), unique("stack")
    named.make(emulator, name)
    declared = template({"Taken": named.declare(emulator, name)})
    assert create(cloudformation, stack, declared) == "ROLLBACK_COMPLETE"
    assert "already exists" in reasons(cloudformation, stack)["Taken"]
    delete(cloudformation, stack)
    if named.code is not None:
        assert refusal(named.make, emulator, name, named.other)[0] == named.code, "it is gone"


def test_an_alias_of_that_name_is_not_taken_either(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html"""
    cloudformation = cast("CloudFormationClient", emulator.client("cloudformation"))
    client, name, stack = emulator.client("lambda"), unique("function"), unique("stack")
    client.create_function(FunctionName=name, Publish=True, **function(emulator))
    alias = {"FunctionName": name, "Name": "live", "FunctionVersion": "1"}
    client.create_alias(**alias)
    assert refusal(client.create_alias, **alias)[0] == "ResourceConflictException"
    declared = template({"Taken": resource("Lambda::Alias", alias)})
    assert create(cloudformation, stack, declared) == "ROLLBACK_COMPLETE"
    assert "already exists" in reasons(cloudformation, stack)["Taken"]
    assert client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "1"


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (
            resource("Lambda::EventSourceMapping", {"EventSourceArn": "QUEUE", "FunctionName": "no-such-function"}),
            "Function does not exist",
        ),
        (
            resource(
                "Lambda::Permission",
                {"FunctionName": "none", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"},
            ),
            "Function not found",
        ),
        (resource("Logs::LogGroup", {"RetentionInDays": 2}), "/RetentionInDays: 2 is not a valid enum value"),
        (
            resource("SQS::QueuePolicy", {"Queues": ["URL-none"], "PolicyDocument": {"Statement": []}}),
            "queue does not exist",
        ),
    ],
)
def test_a_stack_fails_where_a_call_would(emulator: Dev, declared: Any, words: str) -> None:
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html"""
    cloudformation = cast("CloudFormationClient", emulator.client("cloudformation"))
    url, arn = make_queue(emulator)
    body = (
        template({"Wrong": declared}).replace('"QUEUE"', json.dumps(arn)).replace('"URL-none"', json.dumps(f"{url}x"))
    )
    stack = unique("stack")
    assert create(cloudformation, stack, body) == "ROLLBACK_COMPLETE"
    assert words in reasons(cloudformation, stack)["Wrong"]

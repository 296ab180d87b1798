"""The actions and resources that calls are decided on, by AWS's Service Authorization Reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from support.aws import ACCOUNT
from support.policies import QUEUE, TABLE
from treadle_local.aws.authorization import actions
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Region

_LOGS = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group"
_FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/step"
_EVENTS = f"arn:aws:events:us-east-1:{ACCOUNT}"
_SCHEDULER = f"arn:aws:scheduler:us-east-1:{ACCOUNT}"
_SSM = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter"
_SECRETS = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret"
_ALARMS = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm"

_CALLS: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("s3", "GetObject", {"Bucket": "b", "Key": "k"}, [("s3:GetObject", "arn:aws:s3:::b/k")]),
    (
        "s3",
        "GetObject",
        {"Bucket": "b", "Key": "k", "VersionId": "1"},
        [("s3:GetObjectVersion", "arn:aws:s3:::b/k")],
    ),
    ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, [("s3:GetObject", "arn:aws:s3:::b/k")]),
    ("s3", "ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", "HeadBucket", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", "ListBuckets", {}, [("s3:ListAllMyBuckets", "*")]),
    (
        "s3",
        "PutObject",
        {"Bucket": "b", "Key": "k", "Tagging": "a=b"},
        [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:PutObjectTagging", "arn:aws:s3:::b/k")],
    ),
    ("s3", "UploadPart", {"Bucket": "b", "Key": "k"}, [("s3:PutObject", "arn:aws:s3:::b/k")]),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": "/o/a%20b?versionId=3"},
        [("s3:GetObjectVersion", "arn:aws:s3:::o/a b"), ("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y", "VersionId": "1"}]}},
        [("s3:DeleteObject", "arn:aws:s3:::b/x"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/y")],
    ),
    (
        "s3",
        "PutBucketLifecycleConfiguration",
        {"Bucket": "b"},
        [("s3:PutLifecycleConfiguration", "arn:aws:s3:::b")],
    ),
    ("lambda", "Invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", f"{_FUNCTION}:f")]),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "f", "Qualifier": "live"},
        [("lambda:InvokeFunction", f"{_FUNCTION}:f:live")],
    ),
    ("lambda", "Invoke", {"FunctionName": "f:live"}, [("lambda:InvokeFunction", f"{_FUNCTION}:f:live")]),
    (
        "lambda",
        "GetFunction",
        {"FunctionName": f"{ACCOUNT}:function:f"},
        [("lambda:GetFunction", f"{_FUNCTION}:f")],
    ),
    (
        "lambda",
        "GetFunction",
        {"FunctionName": f"{_FUNCTION}:f:1", "Qualifier": "1"},
        [("lambda:GetFunction", f"{_FUNCTION}:f:1")],
    ),
    (
        "lambda",
        "CreateFunction",
        {"FunctionName": "f", "Role": _ROLE},
        [("lambda:CreateFunction", f"{_FUNCTION}:f"), ("iam:PassRole", _ROLE)],
    ),
    ("lambda", "ListFunctions", {}, [("lambda:ListFunctions", "*")]),
    (
        "lambda",
        "DeleteEventSourceMapping",
        {"UUID": "u"},
        [("lambda:DeleteEventSourceMapping", f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:u")],
    ),
    ("logs", "CreateLogGroup", {"logGroupName": "/g"}, [("logs:CreateLogGroup", f"{_LOGS}:/g:log-stream:")]),
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "/g", "logStreamName": "s"},
        [("logs:PutLogEvents", f"{_LOGS}:/g:log-stream:s")],
    ),
    (
        "logs",
        "FilterLogEvents",
        {"logGroupIdentifier": f"{_LOGS}:/g:*"},
        [("logs:FilterLogEvents", f"{_LOGS}:/g:log-stream:")],
    ),
    ("logs", "DescribeLogGroups", {}, [("logs:DescribeLogGroups", f"{_LOGS}::log-stream:")]),
    ("logs", "TagResource", {"resourceArn": f"{_LOGS}:/g"}, [("logs:TagResource", f"{_LOGS}:/g")]),
    ("logs", "GetQueryResults", {"queryId": "q"}, [("logs:GetQueryResults", "*")]),
    (
        "events",
        "PutEvents",
        {"Entries": [{"Source": "a"}, {"EventBusName": "own"}]},
        [("events:PutEvents", f"{_EVENTS}:event-bus/default"), ("events:PutEvents", f"{_EVENTS}:event-bus/own")],
    ),
    ("events", "PutRule", {"Name": "r"}, [("events:PutRule", f"{_EVENTS}:rule/r")]),
    (
        "events",
        "PutTargets",
        {"Rule": "r", "EventBusName": "own", "Targets": [{"Id": "1", "Arn": QUEUE, "RoleArn": _ROLE}]},
        [("events:PutTargets", f"{_EVENTS}:rule/own/r"), ("iam:PassRole", _ROLE)],
    ),
    ("events", "ListRules", {}, [("events:ListRules", "*")]),
    (
        "scheduler",
        "CreateSchedule",
        {"Name": "s", "Target": {"Arn": QUEUE, "RoleArn": _ROLE}},
        [("scheduler:CreateSchedule", f"{_SCHEDULER}:schedule/default/s"), ("iam:PassRole", _ROLE)],
    ),
    (
        "scheduler",
        "GetScheduleGroup",
        {"Name": "g"},
        [("scheduler:GetScheduleGroup", f"{_SCHEDULER}:schedule-group/g")],
    ),
    ("scheduler", "ListSchedules", {}, [("scheduler:ListSchedules", "*")]),
    ("iam", "GetRole", {"RoleName": "step"}, [("iam:GetRole", _ROLE)]),
    (
        "iam",
        "CreateRole",
        {"RoleName": "step", "Path": "/app/"},
        [("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/app/step")],
    ),
    (
        "iam",
        "AttachRolePolicy",
        {"RoleName": "step", "PolicyArn": "arn:aws:iam::aws:policy/X"},
        [("iam:AttachRolePolicy", _ROLE)],
    ),
    ("iam", "ListRoles", {}, [("iam:ListRoles", "*")]),
    ("sts", "GetCallerIdentity", {}, []),
    ("sts", "AssumeRole", {"RoleArn": _ROLE}, [("sts:AssumeRole", _ROLE)]),
    ("ssm", "GetParameter", {"Name": "/app/key:3"}, [("ssm:GetParameter", f"{_SSM}/app/key")]),
    (
        "ssm",
        "GetParameters",
        {"Names": ["a", f"{_SSM}/b"]},
        [("ssm:GetParameters", f"{_SSM}/a"), ("ssm:GetParameters", f"{_SSM}/b")],
    ),
    ("ssm", "GetParametersByPath", {"Path": "/app/"}, [("ssm:GetParametersByPath", f"{_SSM}/app/")]),
    ("ssm", "DescribeParameters", {}, [("ssm:DescribeParameters", "*")]),
    (
        "secretsmanager",
        "GetSecretValue",
        {"SecretId": "token"},
        [("secretsmanager:GetSecretValue", f"{_SECRETS}:token-000000")],
    ),
    (
        "secretsmanager",
        "GetSecretValue",
        {"SecretId": f"{_SECRETS}:token-AbCdEf"},
        [("secretsmanager:GetSecretValue", f"{_SECRETS}:token-AbCdEf")],
    ),
    ("cloudwatch", "PutMetricData", {"Namespace": "n"}, [("cloudwatch:PutMetricData", "*")]),
    (
        "cloudwatch",
        "DeleteAlarms",
        {"AlarmNames": ["a", "b"]},
        [("cloudwatch:DeleteAlarms", f"{_ALARMS}:a"), ("cloudwatch:DeleteAlarms", f"{_ALARMS}:b")],
    ),
    ("cloudwatch", "DescribeAlarms", {}, [("cloudwatch:DescribeAlarms", f"{_ALARMS}:*")]),
    ("kms", "Encrypt", {"KeyId": "1-2"}, [("kms:Encrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1-2")]),
    ("kms", "Encrypt", {"KeyId": "alias/a"}, [("kms:Encrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/a")]),
    (
        "cloudformation",
        "DescribeStacks",
        {"StackName": "s"},
        [("cloudformation:DescribeStacks", f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/s/*")],
    ),
    ("dynamodb", "DescribeTable", {"TableName": "orders"}, [("dynamodb:DescribeTable", TABLE)]),
    ("dynamodb", "TagResource", {"ResourceArn": TABLE}, [("dynamodb:TagResource", TABLE)]),
    ("dynamodb", "ListTables", {}, [("dynamodb:ListTables", "*")]),
    (
        "dynamodbstreams",
        "GetRecords",
        {"ShardIterator": f"{TABLE}/stream/2026|1|abc"},
        [("dynamodb:GetRecords", f"{TABLE}/stream/2026")],
    ),
    (
        "apigatewayv2",
        "CreateIntegration",
        {"ApiId": "a1", "CredentialsArn": _ROLE},
        [("apigateway:POST", "arn:aws:apigateway:us-east-1::/apis/a1/integrations"), ("iam:PassRole", _ROLE)],
    ),
    (
        "apigateway",
        "GetResource",
        {"restApiId": "r1", "resourceId": "x"},
        [("apigateway:GET", "arn:aws:apigateway:us-east-1::/restapis/r1/resources/x")],
    ),
    ("stepfunctions", "ListStateMachines", {}, [("states:ListStateMachines", "*")]),
    ("xray", "PutTraceSegments", {}, [("xray:PutTraceSegments", "*")]),
]


@pytest.mark.parametrize(("service", "operation", "params", "expected"), _CALLS)
def test_a_call_is_decided_on_the_actions_and_arns_of_the_reference(
    service: str, operation: str, params: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    wanted = actions.targets(Region(), service, operation, params)
    assert [(target.action, target.resource) for target in wanted] == expected


def test_calls_bring_the_condition_keys_of_their_service() -> None:
    def context_of(service: str, operation: str, params: dict[str, Any]) -> list[Mapping[str, str | Sequence[str]]]:
        return [dict(target.context) for target in actions.targets(Region("eu-west-1"), service, operation, params)]

    assert context_of("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "p/"}) == [{"s3:prefix": "p/"}]
    assert context_of("cloudwatch", "PutMetricData", {"Namespace": "n"}) == [{"cloudwatch:namespace": "n"}]
    assert context_of("events", "PutEvents", {"Entries": [{"Source": "a", "DetailType": "d"}]}) == [
        {"events:source": "a", "events:detail-type": "d"}
    ]
    passed = context_of("lambda", "CreateFunction", {"FunctionName": "f", "Role": _ROLE})[1]
    assert passed == {"iam:PassedToService": "lambda.amazonaws.com"}
    mapped = context_of("lambda", "CreateEventSourceMapping", {"FunctionName": "f"})
    assert mapped == [{"lambda:FunctionArn": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"}]


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("events", "PutEvents", {}),
        ("events", "PutEvents", {"Entries": [5]}),
        ("scheduler", "CreateSchedule", {"Name": "n", "Target": "x"}),
        ("s3", "DeleteObjects", {"Bucket": "b"}),
    ],
)
def test_a_call_that_lacks_what_it_is_decided_on_is_invalid(
    service: str, operation: str, params: dict[str, Any]
) -> None:
    with pytest.raises(AwsError, match="ValidationException"):
        actions.targets(Region(), service, operation, params)

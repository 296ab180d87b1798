"""Calls with a role's credentials, in boto3 against the running emulator."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from support.aws import ACCOUNT, refusal
from support.dev import Dev
from support.policies import TOPIC, allow, deny, document


def credentials_of(emulator: Dev, role: str, statements: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Credentials of a new role that has one policy, as boto3's arguments."""
    iam, sts = emulator.client("iam"), emulator.client("sts")
    trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(document(*statements)))
    issued = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["SessionToken"],
    }


_REFUSED_CALLS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "1"}}}, "AccessDeniedException", "dynamodb:GetItem"),
    ("dynamodb", "describe_table", {"TableName": "t"}, "AccessDeniedException", "dynamodb:DescribeTable"),
    ("sqs", "list_queues", {}, "AccessDenied", "sqs:ListQueues"),
    ("sns", "publish", {"TopicArn": TOPIC, "Message": "m"}, "AuthorizationError", "sns:Publish"),
    ("s3", "get_object", {"Bucket": "bucket", "Key": "k"}, "AccessDenied", "s3:GetObject"),
    ("s3", "list_objects_v2", {"Bucket": "bucket"}, "AccessDenied", "s3:ListBucket"),
    ("lambda", "invoke", {"FunctionName": "f"}, "AccessDeniedException", "lambda:InvokeFunction"),
    ("iam", "list_roles", {}, "AccessDenied", "iam:ListRoles"),
    ("cloudformation", "list_stacks", {}, "AccessDenied", "cloudformation:ListStacks"),
    ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "AccessDenied", "cloudwatch:PutMetricData"),
    ("logs", "describe_log_groups", {}, "AccessDeniedException", "logs:DescribeLogGroups"),
    ("events", "list_rules", {}, "AccessDeniedException", "events:ListRules"),
    ("scheduler", "list_schedules", {}, "AccessDeniedException", "scheduler:ListSchedules"),
    ("ssm", "get_parameter", {"Name": "/a"}, "AccessDeniedException", "ssm:GetParameter"),
    ("secretsmanager", "get_secret_value", {"SecretId": "s"}, "AccessDeniedException", "secretsmanager:GetSecretValue"),
    ("kms", "list_keys", {}, "AccessDeniedException", "kms:ListKeys"),
    ("apigatewayv2", "get_apis", {}, "AccessDeniedException", "apigateway:GET"),
]


def test_a_role_without_permissions_is_refused_everywhere_in_each_protocol(emulator: Dev) -> None:
    credentials = credentials_of(emulator, "powerless", [deny("*", "arn:aws:none:::nothing")])
    seen: list[tuple[str, str, str]] = []
    for service, method, params, _, _ in _REFUSED_CALLS:
        code, message = refusal(getattr(emulator.client(service, credentials), method), **params)
        words = re.match(r"User: \S+/powerless/test is not authorized to perform: (\S+) on resource: ", message)
        seen.append((service, code, words[1] if words else message))
    assert seen == [(service, code, action) for service, _, _, code, action in _REFUSED_CALLS]


def test_a_role_may_do_what_its_policy_says_until_that_is_changed(emulator: Dev) -> None:
    emulator.client("s3").create_bucket(Bucket="of-the-role")
    mine = allow("s3:*Object", "arn:aws:s3:::of-the-role/mine/*")
    credentials = credentials_of(emulator, "writer", [mine])
    s3 = emulator.client("s3", credentials)
    s3.put_object(Bucket="of-the-role", Key="mine/a b", Body=b"hello")
    assert s3.get_object(Bucket="of-the-role", Key="mine/a b")["Body"].read() == b"hello"
    # Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html: without s3:ListBucket, 403 and not 404
    code, message = refusal(s3.get_object, Bucket="of-the-role", Key="mine/missing")
    assert code == "AccessDenied"
    assert message.endswith("because no identity-based policy allows the s3:ListBucket action")
    assert refusal(s3.head_object, Bucket="of-the-role", Key="mine/missing")[0] == "403"
    # of a bucket that is not there everybody may know
    elsewhere = credentials_of(emulator, "reader", [allow("s3:GetObject", "arn:aws:s3:::nowhere-at-all/*")])
    reader = emulator.client("s3", elsewhere)
    assert refusal(reader.head_object, Bucket="nowhere-at-all", Key="x")[0] == "404"
    assert refusal(reader.get_object, Bucket="nowhere-at-all", Key="x")[0] == "NoSuchBucket"
    code, message = refusal(s3.put_object, Bucket="of-the-role", Key="other", Body=b"hello")
    assert (code, message.split(" because ")[1]) == (
        "AccessDenied",
        "no identity-based policy allows the s3:PutObject action",
    )
    changed = json.dumps(document(mine, deny("s3:Get*")))
    emulator.client("iam").put_role_policy(RoleName="writer", PolicyName="p", PolicyDocument=changed)
    _, message = refusal(s3.get_object, Bucket="of-the-role", Key="mine/a b")
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_a_role_may_always_ask_who_it_is(emulator: Dev) -> None:
    credentials = credentials_of(emulator, "anonymous", [deny("*")])
    answer = emulator.client("sts", credentials).get_caller_identity()
    assert answer["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/anonymous/test"

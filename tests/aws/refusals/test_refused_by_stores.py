"""Bounds of S3, CloudWatch and its logs, Secrets Manager, roles, topic policies and stacks, each at n and n + 1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.bounds import check_bound
from support.dev import Dev
from support.policies import trust

RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
BATCH_BYTES = 1_048_576
EVENT_BYTES = 26
DAY_MILLISECONDS = 86_400_000
TOPICS = [f"arn:aws:sns:us-east-1:{ACCOUNT}:topic-{number}" for number in range(6)]


def name_of(size: int) -> str:
    return unique("n").ljust(size, "x")


# S3


def test_an_object_has_a_key_of_1024_bytes_and_2_kb_of_metadata(emulator: Dev) -> None:
    """Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html,
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
    """
    s3, bucket = emulator.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    usual: dict[str, Any] = {"Bucket": bucket, "Key": "k", "Body": b""}
    long, longer = {"Key": "é" * 512}, {"Key": "é" * 512 + "x"}
    check_bound(s3.put_object, usual | long, usual | longer, "KeyTooLongError", "Your key is too long")
    check_bound(
        s3.create_multipart_upload, {"Bucket": bucket} | long, {"Bucket": bucket} | longer, "KeyTooLongError", ""
    )
    full, fuller = {"Metadata": {"ab": "x" * 2046}}, {"Metadata": {"ab": "x" * 2047}}
    check_bound(s3.put_object, usual | full, usual | fuller, "MetadataTooLarge", "maximum allowed metadata size")


def test_a_bucket_has_a_name_of_63_characters(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
    create = emulator.client("s3").create_bucket
    check_bound(create, {"Bucket": name_of(63)}, {"Bucket": name_of(64)}, "InvalidBucketName", "not valid")


# CloudWatch Logs


@pytest.mark.parametrize("days", [0, 2, 4, 31, 366, 3654])
def test_logs_are_kept_for_a_number_of_days_that_aws_has(emulator: Dev, days: int) -> None:
    """Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
    logs, group = emulator.client("logs"), unique("group")
    logs.create_log_group(logGroupName=group)
    for allowed in RETENTION_DAYS:
        logs.put_retention_policy(logGroupName=group, retentionInDays=allowed)
    refused = refusal(logs.put_retention_policy, logGroupName=group, retentionInDays=days)
    assert (refused[0], "at 'retentionInDays'" in refused[1]) == ("InvalidParameterException", True)


def test_a_log_group_has_a_name_of_512_characters(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html"""
    create = emulator.client("logs").create_log_group
    taken, beyond = {"logGroupName": name_of(512)}, {"logGroupName": name_of(513)}
    check_bound(create, taken, beyond, "InvalidParameterException", "at 'logGroupName'")


def test_a_batch_of_log_events_has_bounds(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"""
    logs, group, now = emulator.client("logs"), unique("group"), int(emulator.now() * 1000)
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")

    def put(*events: tuple[int, int]) -> object:
        given = [{"timestamp": now + offset, "message": "x" * size} for offset, size in events]
        return logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=given)

    half = BATCH_BYTES // 2 - EVENT_BYTES
    put((0, half), (0, half))
    code, message = refusal(put, (0, half), (0, half + 1))
    assert (code, message) == (
        "InvalidParameterException",
        f"Upload too large: {BATCH_BYTES + 1} bytes exceeds limit of {BATCH_BYTES}",
    )
    put(*[(0, 1)] * 10_000)
    assert refusal(put, *[(0, 1)] * 10_001)[0] == "InvalidParameterException"
    put((-DAY_MILLISECONDS, 1), (0, 1))
    assert "cannot span more than 24 hours" in refusal(put, (-DAY_MILLISECONDS - 1, 1), (0, 1))[1]
    assert "must be in chronological order" in refusal(put, (0, 1), (-1, 1))[1]


# CloudWatch


def test_metrics_have_bounds(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""
    put = emulator.client("cloudwatch").put_metric_data

    def data(count: int, dimensions: int = 0) -> dict[str, Any]:
        named = [{"Name": f"d{number}", "Value": "v"} for number in range(dimensions)]
        return {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.0, "Dimensions": named}] * count}

    check_bound(put, data(1000), data(1001), "ValidationError", "size greater than 1000")
    check_bound(put, data(1, 30), data(1, 31), "InvalidParameterValue", "size greater than 30")


@pytest.mark.parametrize(
    ("taken", "beyond"),
    [
        ({"AlarmName": name_of(255)}, {"AlarmName": name_of(256)}),
        ({"DatapointsToAlarm": 1}, {"DatapointsToAlarm": 2}),
        ({"AlarmActions": TOPICS[:5]}, {"AlarmActions": TOPICS[:6]}),
    ],
)
def test_an_alarm_has_bounds(emulator: Dev, taken: dict[str, Any], beyond: dict[str, Any]) -> None:
    """Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    usual: dict[str, Any] = {
        "AlarmName": unique("alarm"),
        "MetricName": "m",
        "Namespace": "n",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    check_bound(emulator.client("cloudwatch").put_metric_alarm, usual | taken, usual | beyond, "ValidationError", "")


# secrets and parameters


def test_a_secret_has_64_kb(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html"""
    create = emulator.client("secretsmanager").create_secret
    taken = {"Name": unique("secret"), "SecretString": "é" * 32_768}
    beyond = {"Name": unique("secret"), "SecretString": "é" * 32_768 + "x"}
    check_bound(create, taken, beyond, "InvalidParameterException", "65536")


# roles


@pytest.mark.parametrize(("member", "limit"), [("RoleName", 64), ("Description", 1000)])
def test_the_texts_of_a_role_have_lengths(emulator: Dev, member: str, limit: int) -> None:
    """Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html"""
    policy = json.dumps(trust("lambda.amazonaws.com"))

    def settings(size: int) -> dict[str, Any]:
        return {"RoleName": unique("role"), "AssumeRolePolicyDocument": policy} | {member: name_of(size)}

    create = emulator.client("iam").create_role
    check_bound(create, settings(limit), settings(limit + 1), "ValidationError", f"less than or equal to {limit}")


# topics


def test_the_policy_of_a_topic_has_30_kb_and_100_statements(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html"""
    sns, name = emulator.client("sns"), unique("topic")
    topic = sns.create_topic(Name=name)["TopicArn"]
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sns:Publish", "Resource": topic}

    def policy(size: int, count: int = 1) -> dict[str, str]:
        document = {"Version": "2012-10-17", "Id": "", "Statement": [statement] * count}
        document["Id"] = "x" * max(0, size - len(json.dumps(document)))
        return {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": json.dumps(document)}

    put = sns.set_topic_attributes
    check_bound(put, policy(30_720), policy(30_721), "InvalidParameter", "30720 bytes")
    check_bound(put, policy(0, 100), policy(0, 101), "InvalidParameter", "100 statements")


# stacks


def test_a_stack_has_a_name_of_128_characters(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""
    body = json.dumps({"Resources": {"Handle": {"Type": "AWS::SNS::Topic"}}})
    taken = {"StackName": name_of(128), "TemplateBody": body}
    beyond = {"StackName": name_of(129), "TemplateBody": body}
    check_bound(emulator.client("cloudformation").create_stack, taken, beyond, "ValidationError", "'stackName'")

"""The policies that AWS manages, as far as serverless backends use them.

Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from treadle_local.aws.service import Result
from treadle_local.iam.store import ManagedPolicy, PolicyText, Version

_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_ROLES_OF_SERVICES = "/service-role/"

# Actions on all resources, by path and name.
_ACTIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    (_ROLES_OF_SERVICES, "AWSLambdaBasicExecutionRole"): _LOGS,
    (_ROLES_OF_SERVICES, "AWSLambdaSQSQueueExecutionRole"): (
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        *_LOGS,
    ),
    (_ROLES_OF_SERVICES, "AWSLambdaDynamoDBExecutionRole"): (
        *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
        *_LOGS,
    ),
    (_ROLES_OF_SERVICES, "AWSLambdaKinesisExecutionRole"): (
        *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords"),
        *("kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:ListStreams", "kinesis:SubscribeToShard"),
        *_LOGS,
    ),
    (_ROLES_OF_SERVICES, "AWSLambdaVPCAccessExecutionRole"): (
        *_LOGS,
        *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
        *("ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
    ),
    (_ROLES_OF_SERVICES, "AWSLambdaRole"): ("lambda:InvokeFunction",),
    (_ROLES_OF_SERVICES, "AmazonAPIGatewayPushToCloudWatchLogs"): (
        *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams"),
        *("logs:PutLogEvents", "logs:GetLogEvents", "logs:FilterLogEvents"),
    ),
    ("/", "AWSXRayDaemonWriteAccess"): (
        *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules"),
        *("xray:GetSamplingTargets", "xray:GetSamplingStatisticSummaries"),
    ),
    ("/", "AdministratorAccess"): ("*",),
    ("/", "AmazonSQSFullAccess"): ("sqs:*",),
    ("/", "AmazonS3FullAccess"): ("s3:*", "s3-object-lambda:*"),
    ("/", "AmazonS3ReadOnlyAccess"): (
        *("s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"),
    ),
}


def aws_managed_policies(created: datetime) -> Iterator[ManagedPolicy]:
    """Each as a policy that nobody can change."""
    for number, ((path, name), actions) in enumerate(_ACTIONS.items(), 1):
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        value: Result = {"Version": "2012-10-17", "Statement": [statement]}
        text = PolicyText(json.dumps(value, separators=(",", ":")), value)
        yield ManagedPolicy(
            name=name,
            path=path,
            arn=f"arn:aws:iam::aws:policy{path}{name}",
            id=f"ANPAAWS{number:014d}",
            created=created,
            updated=created,
            versions={"v1": Version("v1", text, created)},
        )

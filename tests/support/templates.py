"""CloudFormation templates of tests: their parts, and one with a resource of every type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from support.policies import allow, document, topic_may_send, trust

Json = dict[str, Any]

LAMBDA_TRUST: Json = trust("lambda.amazonaws.com")
# where `everything()` expects a layer's zip: there is no way to give one in a template
LAYER_ARCHIVE: Json = {"S3Bucket": "layer-archives", "S3Key": "layer.zip"}
SOURCE = "def handler(event, context):\n    return 1\n"


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


def everything() -> dict[str, Json]:
    """A resource of every type, each bound to others; logical ids in an order in which they can be made."""
    role = {
        "AssumeRolePolicyDocument": trust(["lambda.amazonaws.com", "scheduler.amazonaws.com"]),
        "Policies": [inline_policy("logs:PutLogEvents", att("Logs"))],
    }
    queue = {
        "VisibilityTimeout": "60",
        "RedrivePolicy": {"deadLetterTargetArn": att("DeadLetters"), "maxReceiveCount": 4},
    }
    return {
        "Logs": resource(
            "Logs::LogGroup", {"LogGroupName": sub("/aws/lambda/${AWS::StackName}"), "RetentionInDays": 7}
        ),
        "Table": resource(
            "DynamoDB::Table", table_properties(TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})
        ),
        "Bucket": resource("S3::Bucket", {"VersioningConfiguration": {"Status": "Enabled"}}),
        "DeadLetters": resource("SQS::Queue", {"MessageRetentionPeriod": 1209600}),
        "Queue": resource("SQS::Queue", queue),
        "Topic": resource("SNS::Topic", {"DisplayName": "orders"}),
        "QueuePolicy": resource("SQS::QueuePolicy", {"Queues": [ref("Queue")], "PolicyDocument": queue_policy()}),
        "TopicPolicy": resource("SNS::TopicPolicy", {"Topics": [ref("Topic")], "PolicyDocument": topic_policy()}),
        "Subscription": resource(
            "SNS::Subscription",
            {"TopicArn": ref("Topic"), "Protocol": "sqs", "Endpoint": att("Queue"), "RawMessageDelivery": True},
            DependsOn="QueuePolicy",
        ),
        "Role": resource("IAM::Role", {**role, "Policies": [*role["Policies"], inline_policy("sqs:*", att("Queue"))]}),
        "Layer": resource("Lambda::LayerVersion", {"Content": LAYER_ARCHIVE}),
        "LayerPermission": resource(
            "Lambda::LayerVersionPermission",
            {"Action": "lambda:GetLayerVersion", "LayerVersionArn": ref("Layer"), "Principal": "210987654321"},
        ),
        "Function": resource(
            "Lambda::Function", function_properties(Environment={"Variables": {"TABLE": ref("Table")}})
        ),
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
        "Deployment": resource("ApiGatewayV2::Deployment", {"ApiId": ref("Api")}, DependsOn="Route"),
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
        "Group": resource("Scheduler::ScheduleGroup", {}),
        "Parameter": resource("SSM::Parameter", {"Type": "String", "Value": ref("Topic")}),
        "Secret": resource("SecretsManager::Secret", {"GenerateSecretString": {"PasswordLength": 20}}),
        "Helper": resource("IAM::Role", {"AssumeRolePolicyDocument": LAMBDA_TRUST}),
        "Policy": resource("IAM::Policy", {**inline_policy("s3:GetObject", "*"), "Roles": [ref("Helper")]}),
        "RolePolicy": resource("IAM::RolePolicy", {**inline_policy("s3:PutObject", "*"), "RoleName": ref("Helper")}),
        "ManagedPolicy": resource(
            "IAM::ManagedPolicy", {"PolicyDocument": document(allow("s3:ListBucket")), "Roles": [ref("Helper")]}
        ),
        "BucketPolicy": resource(
            "S3::BucketPolicy", {"Bucket": ref("Bucket"), "PolicyDocument": bucket_policy(att("Bucket"))}
        ),
        "Inbox": resource("SQS::Queue", {}),
        "InboxPolicy": resource(
            "SQS::QueueInlinePolicy",
            {"Queue": ref("Inbox"), "PolicyDocument": document(topic_may_send(att("Inbox"), ref("News")))},
        ),
        "News": resource("SNS::Topic", {}),
        "NewsPolicy": resource(
            "SNS::TopicInlinePolicy", {"TopicArn": ref("News"), "PolicyDocument": topic_policy("News")}
        ),
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


def inline_policy(action: str, target: Any) -> Json:
    name = action.replace(":", "-").replace("*", "all")
    return {"PolicyName": name, "PolicyDocument": document(allow(action, target))}


def queue_policy() -> Json:
    return document(topic_may_send(att("Queue"), ref("Topic")))


def topic_policy(topic: str = "Topic") -> Json:
    statement = allow("sns:Publish", Principal={"Service": "events.amazonaws.com"})
    return document({**statement, "Resource": ref(topic)})


def bucket_policy(bucket: Any) -> Json:
    return document({**allow("s3:ListBucket", Principal={"Service": "logs.amazonaws.com"}), "Resource": bucket})


def table_properties(**properties: Any) -> Json:
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        **properties,
    }


def function_properties(**properties: Any) -> Json:
    return {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": att("Role"),
        "Code": {"ZipFile": SOURCE},
        **properties,
    }

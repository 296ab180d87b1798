"""The resource types that the engine knows: the one table from type name to provider."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from treadle_local.cloudformation.providers import (
    apigatewayv2,
    cloudwatch,
    dynamodb,
    events,
    iam,
    iam_policies,
    lambda_functions,
    lambda_invocations,
    lambda_layers,
    lambda_versions,
    logs,
    s3,
    scheduler,
    secretsmanager,
    sns,
    sqs,
    ssm,
)
from treadle_local.cloudformation.providers.base import Provider

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "AWS::ApiGatewayV2::Api": apigatewayv2.Api(),
        "AWS::ApiGatewayV2::Deployment": apigatewayv2.Deployment(),
        "AWS::ApiGatewayV2::Integration": apigatewayv2.Integration(),
        "AWS::ApiGatewayV2::Route": apigatewayv2.Route(),
        "AWS::ApiGatewayV2::Stage": apigatewayv2.Stage(),
        "AWS::CloudWatch::Alarm": cloudwatch.Alarm(),
        "AWS::DynamoDB::Table": dynamodb.Table(),
        "AWS::Events::Rule": events.Rule(),
        "AWS::IAM::ManagedPolicy": iam_policies.ManagedPolicy(),
        "AWS::IAM::Policy": iam_policies.Policy(),
        "AWS::IAM::Role": iam.Role(),
        "AWS::IAM::RolePolicy": iam_policies.RolePolicy(),
        "AWS::Lambda::Alias": lambda_versions.Alias(),
        "AWS::Lambda::EventInvokeConfig": lambda_invocations.EventInvokeConfig(),
        "AWS::Lambda::EventSourceMapping": lambda_invocations.EventSourceMapping(),
        "AWS::Lambda::Function": lambda_functions.Function(),
        "AWS::Lambda::LayerVersion": lambda_layers.LayerVersion(),
        "AWS::Lambda::LayerVersionPermission": lambda_layers.LayerVersionPermission(),
        "AWS::Lambda::Permission": lambda_versions.Permission(),
        "AWS::Lambda::Version": lambda_versions.Version(),
        "AWS::Logs::LogGroup": logs.LogGroup(),
        "AWS::S3::Bucket": s3.Bucket(),
        "AWS::S3::BucketPolicy": s3.bucket_policy(),
        "AWS::SNS::Subscription": sns.Subscription(),
        "AWS::SNS::Topic": sns.Topic(),
        "AWS::SNS::TopicInlinePolicy": sns.topic_inline_policy(),
        "AWS::SNS::TopicPolicy": sns.topic_policy(),
        "AWS::SQS::Queue": sqs.Queue(),
        "AWS::SQS::QueueInlinePolicy": sqs.queue_inline_policy(),
        "AWS::SQS::QueuePolicy": sqs.queue_policy(),
        "AWS::SSM::Parameter": ssm.Parameter(),
        "AWS::Scheduler::Schedule": scheduler.Schedule(),
        "AWS::Scheduler::ScheduleGroup": scheduler.ScheduleGroup(),
        "AWS::SecretsManager::Secret": secretsmanager.Secret(),
    }
)

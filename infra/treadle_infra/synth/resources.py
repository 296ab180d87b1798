"""Resource -> its entry in the template: type, properties, tags, and where in the project it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from treadle.names import Names, tag_value
from treadle_infra.app.model import Json
from treadle_infra.synth.intrinsics import arn_sub, get_att, logical_id_of, ref, sub
from treadle_infra.topology.grants import policy_document
from treadle_infra.topology.model import (
    Alias,
    AnyTopic,
    DeadLetterQueue,
    DeadLetterQueueRef,
    EventSourceMapping,
    ForeignResource,
    Function,
    GatewayRole,
    GrantTarget,
    HttpApi,
    HttpStage,
    Integration,
    LogGroup,
    LogStreams,
    Origin,
    Queue,
    QueuePolicy,
    QueuePolicyRef,
    QueueRef,
    Resource,
    Role,
    Route,
    StateTable,
    StateTableRef,
    StreamTable,
    StreamTableRef,
    Subscription,
    Topic,
    TopicRef,
)

ARTIFACT_BUCKET_PARAMETER = "ArtifactBucket"

Object = dict[str, Json]


class ResourceBuilder:
    """Builds the template's entry for each resource of one stack."""

    def __init__(self, app: str, stage: str, code_keys: Mapping[str, str]) -> None:
        """`code_keys`: the S3 key of each step's zip."""
        self._app = app
        self._stage = stage
        self._code_keys = code_keys

    def build(self, resource: Resource) -> Object:
        """The entry under the resource's logical id.

        Example: {"Type": "AWS::SNS::Topic", "Metadata": {...}, "Properties": {...}}
        """
        match resource:
            case Function():
                return self._function(resource)
            case Alias():
                return _entry(
                    "AWS::Lambda::Alias",
                    resource.origin,
                    {
                        "Name": resource.name,
                        "FunctionName": ref(resource.function),
                        "FunctionVersion": "$LATEST",
                    },
                )
            case Role():
                return self._role(resource)
            case LogGroup():
                return _entry(
                    "AWS::Logs::LogGroup",
                    resource.origin,
                    {
                        "LogGroupName": resource.name,
                        "RetentionInDays": resource.retention_days,
                        "Tags": self._tags(resource.origin),
                    },
                )
            case Queue():
                return self._queue(resource)
            case DeadLetterQueue():
                return _entry(
                    "AWS::SQS::Queue",
                    resource.origin,
                    {
                        "QueueName": resource.name,
                        "MessageRetentionPeriod": resource.retention_seconds,
                        "SqsManagedSseEnabled": True,
                        "Tags": self._tags(resource.origin),
                    },
                )
            case QueuePolicy():
                return _queue_policy(resource)
            case Topic():
                return _entry(
                    "AWS::SNS::Topic",
                    resource.origin,
                    {"TopicName": resource.name, "Tags": self._tags(resource.origin)},
                    note={"Topic": resource.ref.topic},
                )
            case Subscription():
                return _subscription(resource)
            case EventSourceMapping():
                return self._event_source_mapping(resource)
            case HttpApi():
                return _entry(
                    "AWS::ApiGatewayV2::Api",
                    resource.origin,
                    {"Name": resource.name, "ProtocolType": "HTTP", "Tags": self._tag_map(resource.origin)},
                )
            case HttpStage():
                return _entry(
                    "AWS::ApiGatewayV2::Stage",
                    resource.origin,
                    {
                        "ApiId": ref(resource.api),
                        "StageName": resource.name,
                        "AutoDeploy": True,
                        "Tags": self._tag_map(resource.origin),
                    },
                )
            case GatewayRole():
                return self._gateway_role(resource)
            case Integration():
                return _integration(resource)
            case Route():
                return _entry(
                    "AWS::ApiGatewayV2::Route",
                    resource.origin,
                    {
                        "ApiId": ref(resource.api),
                        "RouteKey": resource.key,
                        "Target": sub(f"integrations/${{{logical_id_of(resource.integration)}}}"),
                    },
                )
            case StateTable():
                return self._table(resource, ("group", "key"), {})
            case StreamTable():
                return self._table(resource, ("group", "id"), {"Stream": resource.ref.stream})
            case _:
                assert_never(resource)

    def _function(self, function: Function) -> Object:
        return _entry(
            "AWS::Lambda::Function",
            function.origin,
            {
                "FunctionName": function.name,
                "Runtime": function.runtime,
                "Architectures": [function.architecture],
                "Handler": function.handler,
                "Code": {
                    "S3Bucket": {"Ref": ARTIFACT_BUCKET_PARAMETER},
                    "S3Key": self._code_keys[function.ref.step],
                },
                "MemorySize": function.memory_mb,
                "Timeout": function.timeout_seconds,
                "Environment": {"Variables": dict[str, Json](function.environment)},
                "Role": get_att(function.role, "Arn"),
                "LoggingConfig": {"LogFormat": "JSON", "LogGroup": ref(function.log_group)},
                "Tags": self._tags(function.origin),
            },
        )

    def _role(self, role: Role) -> Object:
        return self._any_role(role, "lambda.amazonaws.com", "step", policy_document(role.grants, self._arn))

    def _gateway_role(self, role: GatewayRole) -> Object:
        invoke: Json = {
            "Sid": "Invoke",
            "Effect": "Allow",
            "Action": ["lambda:InvokeFunction"],
            "Resource": [arn_sub("lambda", f"function:{role.function_prefix}*:{role.alias}")],
        }
        document: Object = {"Version": "2012-10-17", "Statement": [invoke]}
        return self._any_role(role, "apigateway.amazonaws.com", "invoke", document)

    def _any_role(self, role: Role | GatewayRole, service: str, policy_name: str, document: Object) -> Object:
        trust: Json = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        return _entry(
            "AWS::IAM::Role",
            role.origin,
            {
                "RoleName": role.name,
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [{"PolicyName": policy_name, "PolicyDocument": document}],
                "Tags": self._tags(role.origin),
            },
        )

    def _queue(self, queue: Queue) -> Object:
        return _entry(
            "AWS::SQS::Queue",
            queue.origin,
            {
                "QueueName": queue.name,
                "VisibilityTimeout": queue.visibility_timeout_seconds,
                "DelaySeconds": queue.delay_seconds,
                "MessageRetentionPeriod": queue.retention_seconds,
                "RedrivePolicy": {
                    "deadLetterTargetArn": get_att(queue.dead_letter_queue, "Arn"),
                    "maxReceiveCount": queue.max_receive_count,
                },
                "SqsManagedSseEnabled": True,
                "Tags": self._tags(queue.origin),
            },
        )

    def _event_source_mapping(self, mapping: EventSourceMapping) -> Object:
        properties: Object = {
            "EventSourceArn": get_att(mapping.queue, "Arn"),
            "FunctionName": ref(mapping.alias),
            "BatchSize": mapping.batch_size,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
        if mapping.maximum_concurrency is not None:
            properties["ScalingConfig"] = {"MaximumConcurrency": mapping.maximum_concurrency}
        properties["Tags"] = self._tags(mapping.origin)
        return _entry("AWS::Lambda::EventSourceMapping", mapping.origin, properties)

    def _table(self, table: StateTable | StreamTable, keys: tuple[str, str], note: Object) -> Object:
        partition_key, sort_key = keys
        properties: Object = {
            "TableName": table.name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
            "KeySchema": [
                {"AttributeName": partition_key, "KeyType": "HASH"},
                {"AttributeName": sort_key, "KeyType": "RANGE"},
            ],
            "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
        }
        if table.keeps_data:
            properties["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": True}
        properties["Tags"] = self._tags(table.origin)
        policies: Object = {
            "DeletionPolicy": "RetainExceptOnCreate" if table.keeps_data else "Delete",
            "UpdateReplacePolicy": "Retain" if table.keeps_data else "Delete",
        }
        return _entry("AWS::DynamoDB::Table", table.origin, properties, note=note, attributes=policies)

    def _arn(self, target: GrantTarget) -> Json:
        match target:
            case TopicRef():
                return ref(target)
            case AnyTopic():
                return arn_sub("sns", f"{Names(self._app, self._stage).topic_prefix()}*")
            case QueueRef() | DeadLetterQueueRef() | StateTableRef() | StreamTableRef():
                return get_att(target, "Arn")
            case LogStreams(log_group):
                return get_att(log_group, "Arn")  # ends in `:*` in CloudFormation
            case ForeignResource(arn):
                return arn
            case _:
                assert_never(target)

    def _tag_map(self, origin: Origin) -> Object:
        tags: Object = {"treadle:app": self._app, "treadle:stage": self._stage}
        if origin.step is not None:
            tags["treadle:step"] = tag_value(origin.step)
        return tags

    def _tags(self, origin: Origin) -> Json:
        return [{"Key": key, "Value": value} for key, value in self._tag_map(origin).items()]


def _entry(
    kind: str, origin: Origin, properties: Object, *, note: Object | None = None, attributes: Object | None = None
) -> Object:
    """`note` says what the resource stands for where no step owns it; `attributes` stand beside the properties."""
    metadata: Object = {**(note or {})}
    if origin.step is not None:
        metadata["Step"] = origin.step
    if origin.where is not None:
        metadata["Source"] = str(origin.where)
    entry: Object = {"Type": kind, **(attributes or {})}
    if metadata:
        entry["Metadata"] = {"Treadle": metadata}
    entry["Properties"] = properties
    return entry


def _queue_policy(policy: QueuePolicy) -> Object:
    queue = policy.ref.queue
    statement: Json = {
        "Sid": "Topics",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": get_att(queue, "Arn"),
        "Condition": {"ArnEquals": {"aws:SourceArn": [ref(topic) for topic in policy.topics]}},
    }
    document: Json = {"Version": "2012-10-17", "Statement": [statement]}
    return _entry("AWS::SQS::QueuePolicy", policy.origin, {"Queues": [ref(queue)], "PolicyDocument": document})


def _subscription(subscription: Subscription) -> Object:
    """Raw delivery; behind both queue policies, since SNS drops in silence what it may not deliver."""
    policies: Json = [
        logical_id_of(QueuePolicyRef(queue)) for queue in (subscription.queue, subscription.dead_letter_queue)
    ]
    return _entry(
        "AWS::SNS::Subscription",
        subscription.origin,
        {
            "TopicArn": ref(subscription.topic),
            "Protocol": "sqs",
            "Endpoint": get_att(subscription.queue, "Arn"),
            "RawMessageDelivery": True,
            "RedrivePolicy": {"deadLetterTargetArn": get_att(subscription.dead_letter_queue, "Arn")},
        },
        attributes={"DependsOn": policies},
    )


def _integration(integration: Integration) -> Object:
    return _entry(
        "AWS::ApiGatewayV2::Integration",
        integration.origin,
        {
            "ApiId": ref(integration.api),
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": ref(integration.alias),
            "CredentialsArn": get_att(integration.role, "Arn"),
            "PayloadFormatVersion": "2.0",
            "TimeoutInMillis": integration.timeout_milliseconds,
        },
    )

"""Resource -> its entry in the template: type, properties, tags, and where in the project it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from treadle.names import Names, tag_value
from treadle_infra.app.model import Cors, Json
from treadle_infra.synth.entries import Object, entry
from treadle_infra.synth.intrinsics import arn_sub, get_att, logical_id_of, ref, sub
from treadle_infra.synth.schedules import (
    asynchronous_settings_entry,
    rule_entry,
    rule_permission_entry,
    schedule_entry,
    scheduler_policy,
)
from treadle_infra.synth.web_socket import connections_url, web_socket_entry
from treadle_infra.topology.grants import policy_document
from treadle_infra.topology.model import (
    Alias,
    AsynchronousSettings,
    ConnectionsTable,
    DeadLetterQueue,
    EventSourceMapping,
    Function,
    GatewayRole,
    HttpApi,
    HttpStage,
    Integration,
    Layer,
    LogGroup,
    Origin,
    Queue,
    QueuePolicy,
    Resource,
    Role,
    Route,
    Rule,
    RulePermission,
    Schedule,
    SchedulerRole,
    StateTable,
    StreamMapping,
    StreamTable,
    Subscription,
    Topic,
    WebSocketApi,
    WebSocketIntegration,
    WebSocketRoute,
    WebSocketStage,
)
from treadle_infra.topology.references import (
    AnyChangeStream,
    AnyTopic,
    ChangeStream,
    Connections,
    ConnectionsTableRef,
    DeadLetterQueueRef,
    ForeignResource,
    GrantTarget,
    LogStreams,
    QueuePolicyRef,
    QueueRef,
    SecretParameter,
    StateTableRef,
    StreamTableRef,
    TopicRef,
)

ARTIFACT_BUCKET_PARAMETER = "ArtifactBucket"
_DESCRIPTION_LIMIT = 256
"""Source: https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html"""

_FIFO_TOPIC: Object = {"FifoTopic": True, "FifoThroughputScope": "MessageGroup"}
_FIFO_QUEUE: Object = {
    "FifoQueue": True,
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
}
"""High throughput: groups do not wait for each other.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html,
https://docs.aws.amazon.com/sns/latest/dg/fifo-high-throughput.html
"""


class ResourceBuilder:
    """Builds the template's entry for each resource of one stack."""

    def __init__(
        self, app: str, stage: str, code_keys: Mapping[str, str], tags: Iterable[tuple[str, str]] = ()
    ) -> None:
        """`code_keys`: the S3 key of each step's zip, and of each layer's by the layer's own key."""
        self._own_tags = dict[str, Json](tags)
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
            case Layer():
                return self._layer(resource)
            case Alias():
                return _alias(resource)
            case Role():
                return self._role(resource)
            case LogGroup():
                return self._log_group(resource)
            case Queue():
                return self._queue(resource)
            case DeadLetterQueue():
                return self._dead_letter_queue(resource)
            case QueuePolicy():
                return _queue_policy(resource)
            case Topic():
                return self._topic(resource)
            case Subscription():
                return _subscription(resource)
            case EventSourceMapping():
                return self._event_source_mapping(resource)
            case HttpApi():
                return self._http_api(resource)
            case HttpStage():
                return self._http_stage(resource)
            case GatewayRole():
                return self._gateway_role(resource)
            case Integration():
                return _integration(resource)
            case Route():
                return _route(resource)
            case StateTable():
                return self._table(resource, ("group", "key"), {})
            case StreamTable():
                return self._table(resource, ("group", "id"), {"Stream": resource.ref.stream})
            case ConnectionsTable():
                return self._table(resource, ("room", "member"), {})
            case StreamMapping():
                return self._stream_mapping(resource)
            case WebSocketApi() | WebSocketStage() | WebSocketIntegration() | WebSocketRoute():
                return web_socket_entry(resource, self._tag_map(resource.origin))
            case Rule():
                return rule_entry(resource)
            case RulePermission():
                return rule_permission_entry(resource)
            case Schedule():
                return schedule_entry(resource)
            case SchedulerRole():
                return self._scheduler_role(resource)
            case AsynchronousSettings():
                return asynchronous_settings_entry(resource)
            case _:
                assert_never(resource)

    def _function(self, function: Function) -> Object:
        variables = dict[str, Json](function.environment)
        if function.connections is not None:
            variables["TREADLE_WS_ENDPOINT"] = connections_url(self._stage, "https")
        layers: Object = {"Layers": [ref(layer) for layer in function.layers]} if function.layers else {}
        return entry(
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
                **layers,
                "MemorySize": function.memory_mb,
                "Timeout": function.timeout_seconds,
                "Environment": {"Variables": variables},
                "Role": get_att(function.role, "Arn"),
                "LoggingConfig": {"LogFormat": "JSON", "LogGroup": ref(function.log_group)},
                "Tags": self._tags(function.origin),
            },
        )

    def _layer(self, layer: Layer) -> Object:
        """No `DeletionPolicy`: a version of a function that has a layer keeps it when the layer is deleted.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
        """
        return entry(
            "AWS::Lambda::LayerVersion",
            layer.origin,
            {
                "LayerName": layer.name,
                "Description": _shortened(", ".join(layer.packages)),
                "CompatibleRuntimes": [layer.runtime],
                "CompatibleArchitectures": [layer.architecture],
                "Content": {
                    "S3Bucket": {"Ref": ARTIFACT_BUCKET_PARAMETER},
                    "S3Key": self._code_keys[layer.ref.key],
                },
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

    def _scheduler_role(self, role: SchedulerRole) -> Object:
        condition: Object = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        return self._any_role(role, "scheduler.amazonaws.com", "deliver", scheduler_policy(role), condition)

    def _any_role(
        self,
        role: Role | GatewayRole | SchedulerRole,
        service: str,
        policy_name: str,
        document: Object,
        trust_condition: Object | None = None,
    ) -> Object:
        trust: Object = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        if trust_condition is not None:
            trust["Condition"] = trust_condition
        return entry(
            "AWS::IAM::Role",
            role.origin,
            {
                "RoleName": role.name,
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [{"PolicyName": policy_name, "PolicyDocument": document}],
                "Tags": self._tags(role.origin),
            },
        )

    def _log_group(self, group: LogGroup) -> Object:
        return entry(
            "AWS::Logs::LogGroup",
            group.origin,
            {"LogGroupName": group.name, "RetentionInDays": group.retention_days, "Tags": self._tags(group.origin)},
        )

    def _topic(self, topic: Topic) -> Object:
        properties: Object = {"TopicName": topic.name, **(_FIFO_TOPIC if topic.is_fifo else {})}
        properties["Tags"] = self._tags(topic.origin)
        return entry("AWS::SNS::Topic", topic.origin, properties, note={"Topic": topic.ref.topic})

    def _http_api(self, api: HttpApi) -> Object:
        return entry(
            "AWS::ApiGatewayV2::Api",
            api.origin,
            {
                "Name": api.name,
                "ProtocolType": "HTTP",
                **({} if api.cors is None else {"CorsConfiguration": _cors_configuration(api.cors)}),
                "Tags": self._tag_map(api.origin),
            },
        )

    def _http_stage(self, stage: HttpStage) -> Object:
        return entry(
            "AWS::ApiGatewayV2::Stage",
            stage.origin,
            {
                "ApiId": ref(stage.api),
                "StageName": stage.name,
                "AutoDeploy": True,
                "Tags": self._tag_map(stage.origin),
            },
        )

    def _dead_letter_queue(self, queue: DeadLetterQueue) -> Object:
        return entry(
            "AWS::SQS::Queue",
            queue.origin,
            {
                "QueueName": queue.name,
                **(_FIFO_QUEUE if queue.is_fifo else {}),
                "MessageRetentionPeriod": queue.retention_seconds,
                "SqsManagedSseEnabled": True,
                "Tags": self._tags(queue.origin),
            },
        )

    def _queue(self, queue: Queue) -> Object:
        return entry(
            "AWS::SQS::Queue",
            queue.origin,
            {
                "QueueName": queue.name,
                **(_FIFO_QUEUE if queue.is_fifo else {}),
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
        return entry("AWS::Lambda::EventSourceMapping", mapping.origin, properties)

    def _stream_mapping(self, mapping: StreamMapping) -> Object:
        """From the oldest change on, as a rule: what was written while the mapping came up is told too."""
        properties: Object = {
            "EventSourceArn": get_att(mapping.table, "StreamArn"),
            "FunctionName": ref(mapping.alias),
            "StartingPosition": "LATEST" if mapping.begins_with_latest else "TRIM_HORIZON",
            "BatchSize": mapping.batch_size,
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": mapping.retries,
            "MaximumRecordAgeInSeconds": mapping.maximum_age_seconds,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Destination": get_att(mapping.dead_letter_queue, "Arn")}},
            "Tags": self._tags(mapping.origin),
        }
        return entry("AWS::Lambda::EventSourceMapping", mapping.origin, properties)

    def _table(self, table: StateTable | StreamTable | ConnectionsTable, keys: tuple[str, str], note: Object) -> Object:
        keeps_data = not isinstance(table, ConnectionsTable) and table.keeps_data
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
        if isinstance(table, StreamTable) or (isinstance(table, StateTable) and table.has_changes):
            properties["StreamSpecification"] = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
        if keeps_data:
            properties["DeletionProtectionEnabled"] = True
            properties["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": True}
        properties["Tags"] = self._tags(table.origin)
        policies: Object = {
            "DeletionPolicy": "Retain" if keeps_data else "Delete",
            "UpdateReplacePolicy": "Retain" if keeps_data else "Delete",
        }
        return entry("AWS::DynamoDB::Table", table.origin, properties, note=note, attributes=policies)

    def _arn(self, target: GrantTarget) -> Json:
        match target:
            case TopicRef():
                return ref(target)
            case AnyTopic():
                return arn_sub("sns", f"{Names(self._app, self._stage).topic_prefix()}*")
            case QueueRef() | DeadLetterQueueRef() | StateTableRef() | StreamTableRef() | ConnectionsTableRef():
                return get_att(target, "Arn")
            case ChangeStream(table):
                return get_att(table, "StreamArn")
            case AnyChangeStream(table):
                return sub(f"${{{logical_id_of(table)}.Arn}}/stream/*")
            case Connections(api, stage, method):
                return arn_sub("execute-api", f"${{{logical_id_of(api)}}}/{stage}/{method}/@connections/*")
            case LogStreams(log_group):
                return get_att(log_group, "Arn")  # ends in `:*` in CloudFormation
            case SecretParameter(secret):
                return arn_sub("ssm", f"parameter{Names(self._app, self._stage).secret(secret)}")
            case ForeignResource(arn):
                return arn
            case _:
                assert_never(target)

    def _tag_map(self, origin: Origin) -> Object:
        tags: Object = {"treadle:app": self._app, "treadle:stage": self._stage}
        if origin.step is not None:
            tags["treadle:step"] = tag_value(origin.step)
        return {**tags, **self._own_tags}

    def _tags(self, origin: Origin) -> Json:
        return [{"Key": key, "Value": value} for key, value in self._tag_map(origin).items()]


def _queue_policy(policy: QueuePolicy) -> Object:
    queue = policy.ref.queue
    topics: list[Json] = [ref(topic) for topic in policy.topics]
    rules: list[Json] = [get_att(rule, "Arn") for rule in policy.rules]
    statements: list[Json] = [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": get_att(queue, "Arn"),
            "Condition": {"ArnEquals": {"aws:SourceArn": sources}},
        }
        for sid, service, sources in (("Topics", "sns.amazonaws.com", topics), ("Rules", "events.amazonaws.com", rules))
        if sources
    ]
    document: Json = {"Version": "2012-10-17", "Statement": statements}
    return entry("AWS::SQS::QueuePolicy", policy.origin, {"Queues": [ref(queue)], "PolicyDocument": document})


def _subscription(subscription: Subscription) -> Object:
    """Raw delivery; behind both queue policies, since SNS drops in silence what it may not deliver."""
    policies: Json = [
        logical_id_of(QueuePolicyRef(queue)) for queue in (subscription.queue, subscription.dead_letter_queue)
    ]
    return entry(
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


def _alias(alias: Alias) -> Object:
    return entry(
        "AWS::Lambda::Alias",
        alias.origin,
        {"Name": alias.name, "FunctionName": ref(alias.function), "FunctionVersion": "$LATEST"},
    )


def _route(route: Route) -> Object:
    return entry(
        "AWS::ApiGatewayV2::Route",
        route.origin,
        {
            "ApiId": ref(route.api),
            "RouteKey": route.key,
            "Target": sub(f"integrations/${{{logical_id_of(route.integration)}}}"),
        },
    )


def _integration(integration: Integration) -> Object:
    return entry(
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


def _cors_configuration(cors: Cors) -> Object:
    """Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html"""
    lists = {
        "AllowOrigins": cors.allow_origins,
        "AllowMethods": cors.allow_methods,
        "AllowHeaders": cors.allow_headers,
        "ExposeHeaders": cors.expose_headers,
    }
    configuration: Object = {name: list[Json](values) for name, values in lists.items() if values}
    if cors.allow_credentials:
        configuration["AllowCredentials"] = True
    configuration["MaxAge"] = cors.max_age_seconds
    return configuration


def _shortened(text: str) -> str:
    return text if len(text) <= _DESCRIPTION_LIMIT else f"{text[: _DESCRIPTION_LIMIT - 3]}..."

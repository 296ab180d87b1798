"""AWS::Lambda::EventSourceMapping and AWS::Lambda::EventInvokeConfig."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.properties import FLAG, NUMBER, TEXT, ListOf, Record, Text, Whole
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Properties,
    Schema,
    TagForm,
    pick,
    removed_keys,
)

_DESTINATION = Record({"Destination": TEXT}, required=("Destination",))

# What a removed property goes back to, where that is the same for queues and streams.
# Source: https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
_MAPPING_DEFAULTS: dict[str, Any] = {
    "BatchSize": None,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {}},
    "Enabled": True,
    "FilterCriteria": {},
    "FunctionName": None,
    "FunctionResponseTypes": [],
    "KMSKeyArn": "",
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "MetricsConfig": {},
    "ParallelizationFactor": 1,
    "ScalingConfig": {},
    "TumblingWindowInSeconds": 0,
}
_QUEUE_BATCH_SIZE = 10
_STREAM_BATCH_SIZE = 100


class EventSourceMapping:
    schema = Schema(
        properties=Record(
            {
                "BatchSize": Whole(1, 10000),
                "BisectBatchOnFunctionError": FLAG,
                "DestinationConfig": Record({"OnFailure": Record({"Destination": TEXT})}),
                "Enabled": FLAG,
                "EventSourceArn": TEXT,
                "FilterCriteria": Record({"Filters": ListOf(Record({"Pattern": TEXT}))}),
                "FunctionName": TEXT,
                "FunctionResponseTypes": ListOf(Text(("ReportBatchItemFailures",))),
                "KmsKeyArn": TEXT,
                "MaximumBatchingWindowInSeconds": Whole(0, 300),
                "MaximumRecordAgeInSeconds": Whole(-1, 604800),
                "MaximumRetryAttempts": Whole(-1, 10000),
                "MetricsConfig": Record({"Metrics": ListOf(Text(("EventCount", "ErrorCount")))}),
                "ParallelizationFactor": Whole(1, 10),
                "ScalingConfig": Record({"MaximumConcurrency": Whole(2, 1000)}),
                "StartingPosition": Text(("LATEST", "TRIM_HORIZON", "AT_TIMESTAMP")),
                "StartingPositionTimestamp": NUMBER,
                "TumblingWindowInSeconds": Whole(0, 900),
            },
            required=("FunctionName",),
            elsewhere=frozenset(
                {
                    "AmazonManagedKafkaEventSourceConfig",
                    "DocumentDBEventSourceConfig",
                    "LoggingConfig",
                    "ProvisionedPollerConfig",
                    "Queues",
                    "SelfManagedEventSource",
                    "SelfManagedKafkaEventSourceConfig",
                    "SourceAccessConfigurations",
                    "Topics",
                }
            ),
        ),
        create_only=frozenset({"EventSourceArn", "StartingPosition", "StartingPositionTimestamp"}),
        attributes=frozenset({"EventSourceMappingArn", "Id"}),
        tags=TagForm.PAIRS,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        created = await context.call_tagged(
            "lambda",
            "CreateEventSourceMapping",
            TagForm.MAP,
            model.tags,
            **_mapping(model.properties),
            **pick(model.properties, "EventSourceArn", "StartingPosition", "StartingPositionTimestamp"),
        )
        context.initiated(created["UUID"])
        return self._attributes(context)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        old, new = _mapping(before.properties), _mapping(after.properties)
        from_queue = ":sqs:" in after.properties.get("EventSourceArn", "")
        defaults = _MAPPING_DEFAULTS | {"BatchSize": _QUEUE_BATCH_SIZE if from_queue else _STREAM_BATCH_SIZE}
        changes = {name: new.get(name, default) for name, default in defaults.items() if old.get(name) != new.get(name)}
        if changes:
            await context.call("lambda", "UpdateEventSourceMapping", UUID=context.physical_id, **changes)
        attributes = self._attributes(context)
        if before.tags != after.tags:
            arn = attributes["EventSourceMappingArn"]
            if removed := removed_keys(before, after):
                await context.call("lambda", "UntagResource", Resource=arn, TagKeys=removed)
            await context.tag("lambda", "TagResource", TagForm.MAP, after.tags, Resource=arn)
        return attributes

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("lambda", "DeleteEventSourceMapping", UUID=context.physical_id)

    def _attributes(self, context: Context) -> Attributes:
        arn = context.region.arn("lambda", f"event-source-mapping:{context.physical_id}")
        return {"EventSourceMappingArn": arn, "Id": context.physical_id}


class EventInvokeConfig:
    schema = Schema(
        properties=Record(
            {
                "DestinationConfig": Record({"OnFailure": _DESTINATION, "OnSuccess": _DESTINATION}),
                "FunctionName": TEXT,
                "MaximumEventAgeInSeconds": Whole(60, 21600),
                "MaximumRetryAttempts": Whole(0, 2),
                "Qualifier": TEXT,
            },
            required=("FunctionName", "Qualifier"),
        ),
        create_only=frozenset({"FunctionName", "Qualifier"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        await context.call("lambda", "PutFunctionEventInvokeConfig", **model.properties)
        context.initiated(context.generated_name(255))
        return {}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        await context.call("lambda", "PutFunctionEventInvokeConfig", **after.properties)
        return {}

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there(
            "lambda", "DeleteFunctionEventInvokeConfig", **pick(model.properties, "FunctionName", "Qualifier")
        )


def _mapping(properties: Properties) -> dict[str, Any]:
    """The members that CreateEventSourceMapping and UpdateEventSourceMapping have in common."""
    settings = {name: properties[name] for name in _MAPPING_DEFAULTS if name in properties}
    if "KmsKeyArn" in properties:
        settings["KMSKeyArn"] = properties["KmsKeyArn"]
    return settings

"""AWS::Lambda::EventSourceMapping and AWS::Lambda::EventInvokeConfig."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Properties,
    Schema,
    TagForm,
    pick,
    removed_keys,
    tags_of,
)

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
        "AWS::Lambda::EventSourceMapping",
        implemented=(
            *("BatchSize", "BisectBatchOnFunctionError", "DestinationConfig", "Enabled", "EventSourceArn"),
            *("FilterCriteria", "FunctionName", "FunctionResponseTypes", "KmsKeyArn"),
            *("MaximumBatchingWindowInSeconds", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts", "MetricsConfig"),
            *("ParallelizationFactor", "ScalingConfig", "StartingPosition", "StartingPositionTimestamp"),
            "TumblingWindowInSeconds",
        ),
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

    async def read(self, context: Context, model: Model) -> Model | None:
        found = await context.call_if_there("lambda", "GetEventSourceMapping", UUID=context.physical_id)
        if found is None or found["State"] == "Deleting":
            return None
        arn = self._attributes(context)["EventSourceMappingArn"]
        tags = await context.call("lambda", "ListTags", Resource=arn)
        properties = self.schema.observed(
            found,
            Enabled=found["State"] in ("Enabled", "Enabling", "Creating"),
            FunctionName=_as_written(model.properties["FunctionName"], found["FunctionArn"]),
            KmsKeyArn=found.get("KMSKeyArn"),
        )
        return Model(properties, tags_of(tags.get("Tags")))

    def _attributes(self, context: Context) -> Attributes:
        arn = context.region.arn("lambda", f"event-source-mapping:{context.physical_id}")
        return {"EventSourceMappingArn": arn, "Id": context.physical_id}


class EventInvokeConfig:
    schema = Schema(
        "AWS::Lambda::EventInvokeConfig",
        implemented=(
            *("DestinationConfig", "FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "Qualifier"),
        ),
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

    async def read(self, context: Context, model: Model) -> Model | None:
        place = pick(model.properties, "FunctionName", "Qualifier")
        found = await context.call_if_there("lambda", "GetFunctionEventInvokeConfig", **place)
        return None if found is None else Model(self.schema.observed(found | place))


def _as_written(function: str, arn: str) -> str:
    """A function's ARN in the form in which the template has it, if that is the same function."""
    return function if arn == function or arn.endswith(f":function:{function}") else arn


def _mapping(properties: Properties) -> dict[str, Any]:
    """The members that CreateEventSourceMapping and UpdateEventSourceMapping have in common."""
    settings = {name: properties[name] for name in _MAPPING_DEFAULTS if name in properties}
    if "KmsKeyArn" in properties:
        settings["KMSKeyArn"] = properties["KmsKeyArn"]
    return settings

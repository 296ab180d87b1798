"""AWS::SQS::Queue and AWS::SQS::QueuePolicy."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.errors import AlreadyExistsError
from treadle_local.cloudformation.evaluation import scalar_text
from treadle_local.cloudformation.properties import json_text
from treadle_local.cloudformation.providers.attached_policies import AttachedPolicy, InlinePolicy
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Properties,
    Schema,
    TagForm,
    removed_keys,
    tags_of,
)

# What a removed property goes back to. Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "DelaySeconds": "0",
    "FifoThroughputLimit": "perQueue",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}


class Queue:
    schema = Schema(
        "AWS::SQS::Queue",
        implemented=("FifoQueue", "QueueName", *_DEFAULTS),
        attributes=frozenset({"Arn", "QueueName", "QueueUrl"}),
        name_property="QueueName",
        tags=TagForm.PAIRS,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        fifo = properties.get("FifoQueue", False)
        name = properties.get("QueueName") or context.generated_name(80, ".fifo" if fifo else "")
        if await context.call_if_there("sqs", "GetQueueUrl", QueueName=name) is not None:
            raise AlreadyExistsError(name)
        attributes = _attributes(properties) | ({"FifoQueue": "true"} if fifo else {})
        created = await context.call_tagged(
            "sqs", "CreateQueue", TagForm.MAP, model.tags, member="tags", QueueName=name, Attributes=attributes
        )
        context.initiated(created["QueueUrl"])
        return self._named(context, name)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        url = context.physical_id
        old, new = _attributes(before.properties), _attributes(after.properties)
        changes = {name: text for name, text in new.items() if old.get(name) != text}
        changes |= {name: _DEFAULTS[name] for name in old if name not in new}
        if changes:
            await context.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes=changes)
        if before.tags != after.tags:
            if removed := removed_keys(before, after):
                await context.call("sqs", "UntagQueue", QueueUrl=url, TagKeys=removed)
            await context.tag("sqs", "TagQueue", TagForm.MAP, after.tags, QueueUrl=url)
        return self._named(context, url.rsplit("/", 1)[-1])

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("sqs", "DeleteQueue", QueueUrl=context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        url = context.physical_id
        found = await context.call_if_there("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
        if found is None:
            return None
        tags = await context.call("sqs", "ListQueueTags", QueueUrl=url)
        properties = self.schema.observed(found["Attributes"], QueueName=url.rsplit("/", 1)[-1])
        return Model(properties, tags_of(tags.get("Tags")))

    def _named(self, context: Context, name: str) -> Attributes:
        return {"Arn": context.region.arn("sqs", name), "QueueName": name, "QueueUrl": context.physical_id}


class _QueuePolicies:
    """How a policy comes onto a queue and off it."""

    async def attach(self, context: Context, target: str, policy: str) -> None:
        await context.call("sqs", "SetQueueAttributes", QueueUrl=target, Attributes={"Policy": policy})

    async def detach(self, context: Context, target: str) -> None:
        await context.call_if_there("sqs", "SetQueueAttributes", QueueUrl=target, Attributes={"Policy": ""})

    async def attached(self, context: Context, target: str) -> str | None:
        found = await context.call_if_there("sqs", "GetQueueAttributes", QueueUrl=target, AttributeNames=["Policy"])
        return None if found is None else found.get("Attributes", {}).get("Policy")


def queue_policy() -> AttachedPolicy:
    return AttachedPolicy("AWS::SQS::QueuePolicy", "Queues", _QueuePolicies())


def queue_inline_policy() -> InlinePolicy:
    return InlinePolicy("AWS::SQS::QueueInlinePolicy", "Queue", _QueuePolicies())


def _attributes(properties: Properties) -> dict[str, str]:
    """The queue's attributes as SQS takes them: all as text."""
    return {name: _attribute(properties[name]) for name in _DEFAULTS if name in properties}


def _attribute(value: Any) -> str:
    return scalar_text(value) if isinstance(value, bool | int) else json_text(value)

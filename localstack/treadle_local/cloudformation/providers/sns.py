"""AWS::SNS::Topic, AWS::SNS::TopicPolicy and AWS::SNS::Subscription."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from treadle_local.cloudformation.errors import AlreadyExistsError
from treadle_local.cloudformation.evaluation import scalar_text
from treadle_local.cloudformation.properties import json_text, parsed
from treadle_local.cloudformation.providers.attached_policies import AttachedPolicy, InlinePolicy
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

# What a removed property goes back to. Source: https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
_TOPIC_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DisplayName": "",
    "FifoThroughputScope": "Topic",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "262144",
    "SignatureVersion": "1",
    "TracingConfig": "PassThrough",
}
# Source: https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
_SUBSCRIPTION_DEFAULTS = {
    "DeliveryPolicy": "",
    "FilterPolicy": "{}",
    "FilterPolicyScope": "MessageAttributes",
    "RawMessageDelivery": "false",
    "RedrivePolicy": "",
}


class Topic:
    schema = Schema(
        "AWS::SNS::Topic",
        implemented=("FifoTopic", "Subscription", "TopicName", *_TOPIC_DEFAULTS),
        attributes=frozenset({"TopicArn", "TopicName"}),
        name_property="TopicName",
        tags=TagForm.PAIRS,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        fifo = properties.get("FifoTopic", False)
        name = properties.get("TopicName") or context.generated_name(256, ".fifo" if fifo else "")
        arn = context.region.arn("sns", name)
        if await context.call_if_there("sns", "GetTopicAttributes", TopicArn=arn) is not None:
            raise AlreadyExistsError(name)
        attributes = _attributes(properties, _TOPIC_DEFAULTS) | ({"FifoTopic": "true"} if fifo else {})
        created = await context.call_tagged(
            "sns", "CreateTopic", TagForm.PAIRS, model.tags, Name=name, Attributes=attributes
        )
        context.initiated(created["TopicArn"])
        await self._subscribe(context, properties.get("Subscription", ()))
        return {"TopicArn": arn, "TopicName": name}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        arn = context.physical_id
        old, new = _attributes(before.properties, _TOPIC_DEFAULTS), _attributes(after.properties, _TOPIC_DEFAULTS)
        for name, text in {**{name: _TOPIC_DEFAULTS[name] for name in old}, **new}.items():
            if old.get(name) != text:
                await context.call("sns", "SetTopicAttributes", TopicArn=arn, AttributeName=name, AttributeValue=text)
        was, wanted = before.properties.get("Subscription", ()), after.properties.get("Subscription", ())
        await self._subscribe(context, [one for one in wanted if one not in was])
        await self._unsubscribe(context, [one for one in was if one not in wanted])
        if before.tags != after.tags:
            if removed := removed_keys(before, after):
                await context.call("sns", "UntagResource", ResourceArn=arn, TagKeys=removed)
            await context.tag("sns", "TagResource", TagForm.PAIRS, after.tags, ResourceArn=arn)
        return {"TopicArn": arn, "TopicName": arn.rsplit(":", 1)[-1]}

    async def delete(self, context: Context, model: Model) -> None:
        await self._unsubscribe(context, model.properties.get("Subscription", ()))
        await context.call_if_there("sns", "DeleteTopic", TopicArn=context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        arn = context.physical_id
        found = await context.call_if_there("sns", "GetTopicAttributes", TopicArn=arn)
        if found is None:
            return None
        tags = await context.call("sns", "ListTagsForResource", ResourceArn=arn)
        listed = [pick(each, "Endpoint", "Protocol") async for each in _subscriptions_of(context)]
        properties = self.schema.observed(found["Attributes"], TopicName=arn.rsplit(":", 1)[-1], Subscription=listed)
        return Model(properties, tags_of(tags.get("Tags")))

    async def _subscribe(self, context: Context, subscriptions: Any) -> None:
        for subscription in subscriptions:
            await context.call("sns", "Subscribe", TopicArn=context.physical_id, **subscription)

    async def _unsubscribe(self, context: Context, subscriptions: Any) -> None:
        if not subscriptions:
            return
        gone = {(subscription["Protocol"], subscription["Endpoint"]) for subscription in subscriptions}
        found = [each async for each in _subscriptions_of(context) if (each["Protocol"], each["Endpoint"]) in gone]
        for each in found:
            await context.call_if_there("sns", "Unsubscribe", SubscriptionArn=each["SubscriptionArn"])


class _TopicPolicies:
    """How a policy comes onto a topic and off it: there is always one."""

    async def attach(self, context: Context, target: str, policy: str) -> None:
        await context.call("sns", "SetTopicAttributes", TopicArn=target, AttributeName="Policy", AttributeValue=policy)

    async def detach(self, context: Context, target: str) -> None:
        policy = _default_policy(target, context.region.account)
        changed = {"TopicArn": target, "AttributeName": "Policy", "AttributeValue": policy}
        await context.call_if_there("sns", "SetTopicAttributes", **changed)

    async def attached(self, context: Context, target: str) -> str | None:
        found = await context.call_if_there("sns", "GetTopicAttributes", TopicArn=target)
        policy: str | None = None if found is None else found["Attributes"].get("Policy")
        if policy is None or parsed(policy) == parsed(_default_policy(target, context.region.account)):
            return None
        return policy


def topic_policy() -> AttachedPolicy:
    return AttachedPolicy("AWS::SNS::TopicPolicy", "Topics", _TopicPolicies())


def topic_inline_policy() -> InlinePolicy:
    return InlinePolicy("AWS::SNS::TopicInlinePolicy", "TopicArn", _TopicPolicies())


class Subscription:
    schema = Schema(
        "AWS::SNS::Subscription",
        implemented=("Endpoint", "Protocol", "TopicArn", *_SUBSCRIPTION_DEFAULTS),
        attributes=frozenset({"Arn"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        subscribed = await context.call(
            "sns",
            "Subscribe",
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties.get("Endpoint"),
            Attributes=_attributes(properties, _SUBSCRIPTION_DEFAULTS),
            ReturnSubscriptionArn=True,
        )
        context.initiated(subscribed["SubscriptionArn"])
        return {"Arn": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        old = _attributes(before.properties, _SUBSCRIPTION_DEFAULTS)
        new = _attributes(after.properties, _SUBSCRIPTION_DEFAULTS)
        if "FilterPolicy" in old and old.get("FilterPolicyScope") != new.get("FilterPolicyScope"):
            # A policy that one scope allows may be malformed in the other: between the two there is none.
            await self._set(context, "FilterPolicy", _SUBSCRIPTION_DEFAULTS["FilterPolicy"])
            del old["FilterPolicy"]
        for name, text in {**{name: _SUBSCRIPTION_DEFAULTS[name] for name in old}, **new}.items():
            if old.get(name) != text:
                await self._set(context, name, text)
        return {"Arn": context.physical_id}

    async def _set(self, context: Context, name: str, text: str) -> None:
        await context.call(
            "sns",
            "SetSubscriptionAttributes",
            SubscriptionArn=context.physical_id,
            AttributeName=name,
            AttributeValue=text,
        )

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("sns", "Unsubscribe", SubscriptionArn=context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        found = await context.call_if_there("sns", "GetSubscriptionAttributes", SubscriptionArn=context.physical_id)
        return None if found is None else Model(self.schema.observed(found["Attributes"]))


async def _subscriptions_of(context: Context) -> AsyncIterator[dict[str, Any]]:
    """All subscriptions of the topic at hand; none where it is gone."""
    token: str | None = None
    while True:
        page = await context.call_if_there(
            "sns", "ListSubscriptionsByTopic", TopicArn=context.physical_id, NextToken=token
        )
        if page is None:
            return
        for found in page["Subscriptions"]:
            yield found
        token = page.get("NextToken")
        if not token:
            return


def _attributes(properties: Properties, known: dict[str, str]) -> dict[str, str]:
    """The attributes as SNS takes them: all as text, the scope of a filter before the filter."""
    names = sorted((name for name in known if name in properties), reverse=True)
    return {
        name: scalar_text(properties[name]) if isinstance(properties[name], bool | int) else json_text(properties[name])
        for name in names
    }


def _default_policy(topic: str, account: str) -> str:
    """The policy that a topic has from its creation: its owner's account may do everything with it."""
    actions = (
        "Publish",
        "Subscribe",
        "GetTopicAttributes",
        "SetTopicAttributes",
        "DeleteTopic",
        "ListSubscriptionsByTopic",
    )
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in (*actions, "AddPermission", "RemovePermission")],
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})

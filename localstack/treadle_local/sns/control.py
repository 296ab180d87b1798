"""The control plane of SNS: topics, subscriptions, their attributes and tags."""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.service import Caller, Params, Result
from treadle_local.sns.attributes import (
    subscription_attributes,
    topic_attributes,
    with_subscription_attributes,
    with_topic_attributes,
)
from treadle_local.sns.errors import (
    invalid,
    invalid_because,
    not_in_the_emulator,
    resource_does_not_exist,
    subscription_limit,
    tag_limit,
)
from treadle_local.sns.topics import (
    DEFAULT_MESSAGE_BYTES,
    Subscription,
    SubscriptionSettings,
    Topic,
    Topics,
    TopicSettings,
    check_arn,
)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_TAGS_LIMIT = 50
_PAGE = 100
_LARGE_MESSAGE_SUBSCRIPTIONS_LIMIT = 100
_PROTOCOLS_NOT_BUILT = frozenset({"application", "email", "email-json", "firehose", "http", "https", "lambda", "sms"})


class TopicOperations:
    """The operations on topics and subscriptions; each takes and returns AWS's shapes.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_Operations.html
    """

    def __init__(self, topics: Topics, on_topic_deleted: Callable[[str], None]) -> None:
        self._topics = topics
        self._on_topic_deleted = on_topic_deleted

    def create_topic(self, params: Params, caller: Caller) -> Result:
        name: str = params.get("Name") or ""
        if name.endswith(".fifo"):
            raise not_in_the_emulator("FIFO topics are")
        if not _NAME.fullmatch(name):
            raise invalid("Topic Name")
        if params.get("DataProtectionPolicy"):
            raise not_in_the_emulator("DataProtectionPolicy is")
        attributes: Mapping[str, str] = params.get("Attributes") or {}
        tags = _tags(params.get("Tags") or ())
        arn = self._topics.region.arn("sns", name)
        existing = self._topics.find(arn)
        if existing is None:
            self._topics.add(Topic(arn, with_topic_attributes(TopicSettings(), attributes), tags))
        elif with_topic_attributes(existing.settings, attributes) != existing.settings:
            raise invalid_because("Attributes", "Topic already exists with different attributes")
        elif tags and tags != existing.tags:
            raise invalid_because("Tags", "Topic already exists with different tags")
        return {"TopicArn": arn}

    def delete_topic(self, params: Params, caller: Caller) -> Result:
        arn = params.get("TopicArn")
        check_arn(arn, "TopicArn")
        self._topics.remove(str(arn))
        self._on_topic_deleted(str(arn))
        return {}

    def list_topics(self, params: Params, caller: Caller) -> Result:
        arns, token = _page([topic.arn for topic in self._topics], params.get("NextToken"))
        return {"Topics": [{"TopicArn": arn} for arn in arns], **token}

    def get_topic_attributes(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        return {"Attributes": topic_attributes(topic, self._topics.region)}

    def set_topic_attributes(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        name = params.get("AttributeName") or ""
        if name in ("FifoTopic", "ContentBasedDeduplication"):
            raise invalid("AttributeName")
        settings = with_topic_attributes(topic.settings, {name: params.get("AttributeValue") or ""})
        _check_subscriptions(settings, len(topic.subscriptions))
        topic.settings = settings
        return {}

    def subscribe(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        protocol: str = params.get("Protocol") or ""
        endpoint: str = params.get("Endpoint") or ""
        attributes: Mapping[str, str] = params.get("Attributes") or {}
        if protocol in _PROTOCOLS_NOT_BUILT:
            raise not_in_the_emulator(f"Subscriptions of protocol {protocol} are")
        if protocol != "sqs":
            raise invalid_because("Amazon SNS does not support this protocol string", protocol)
        _check_queue_arn(endpoint)
        subscription = topic.subscriptions.get((protocol, endpoint))
        if subscription is None:
            settings = with_subscription_attributes(SubscriptionSettings(), attributes)
            _check_subscriptions(topic.settings, len(topic.subscriptions) + 1)
            subscription = self._topics.subscribe(topic, protocol, endpoint, settings)
        elif with_subscription_attributes(subscription.settings, attributes) != subscription.settings:
            raise invalid_because("Attributes", "Subscription already exists with different attributes")
        return {"SubscriptionArn": subscription.arn}

    def unsubscribe(self, params: Params, caller: Caller) -> Result:
        arn = params.get("SubscriptionArn")
        check_arn(arn, "SubscriptionArn")
        self._topics.unsubscribe(str(arn))
        return {}

    def list_subscriptions(self, params: Params, caller: Caller) -> Result:
        return self._page_of_subscriptions(self._topics.subscriptions(), params)

    def list_subscriptions_by_topic(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        subscriptions = sorted(topic.subscriptions.values(), key=lambda subscription: subscription.arn)
        return self._page_of_subscriptions(subscriptions, params)

    def get_subscription_attributes(self, params: Params, caller: Caller) -> Result:
        subscription = self._topics.subscription(params.get("SubscriptionArn"))
        return {"Attributes": subscription_attributes(subscription, self._topics.region)}

    def set_subscription_attributes(self, params: Params, caller: Caller) -> Result:
        subscription = self._topics.subscription(params.get("SubscriptionArn"))
        change = {params.get("AttributeName") or "": params.get("AttributeValue") or ""}
        subscription.settings = with_subscription_attributes(subscription.settings, change)
        return {}

    def tag_resource(self, params: Params, caller: Caller) -> Result:
        topic = self._tagged(params)
        tags = topic.tags | _tags(params.get("Tags") or ())
        if len(tags) > _TAGS_LIMIT:
            raise tag_limit()
        topic.tags = tags
        return {}

    def untag_resource(self, params: Params, caller: Caller) -> Result:
        topic = self._tagged(params)
        for key in params.get("TagKeys") or ():
            topic.tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, params: Params, caller: Caller) -> Result:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tagged(params).tags.items()]}

    def _tagged(self, params: Params) -> Topic:
        topic = self._topics.find(params.get("ResourceArn") or "")
        if topic is None:
            raise resource_does_not_exist()
        return topic

    def _page_of_subscriptions(self, subscriptions: Sequence[Subscription], params: Params) -> Result:
        by_arn = {subscription.arn: subscription for subscription in subscriptions}
        arns, token = _page(list(by_arn), params.get("NextToken"))
        found = [
            {
                "SubscriptionArn": arn,
                "Owner": self._topics.region.account,
                "Protocol": by_arn[arn].protocol,
                "Endpoint": by_arn[arn].endpoint,
                "TopicArn": by_arn[arn].topic_arn,
            }
            for arn in arns
        ]
        return {"Subscriptions": found, **token}


def _check_queue_arn(endpoint: str) -> None:
    parts = endpoint.split(":")
    if len(parts) != 6 or parts[:3] != ["arn", "aws", "sqs"] or not parts[5]:
        raise invalid("SQS endpoint ARN")
    if parts[5].endswith(".fifo"):
        raise invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
        )


def _check_subscriptions(settings: TopicSettings, count: int) -> None:
    """Source: https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html"""
    if settings.message_limit_bytes > DEFAULT_MESSAGE_BYTES and count > _LARGE_MESSAGE_SUBSCRIPTIONS_LIMIT:
        raise subscription_limit(_LARGE_MESSAGE_SUBSCRIPTIONS_LIMIT)


def _tags(given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    tags = {str(tag.get("Key") or ""): str(tag.get("Value") or "") for tag in given}
    if len(tags) != len(given):
        raise invalid_because("Tags", "Duplicated keys are not allowed.")
    if not all(1 <= len(key) <= 128 and len(value) <= 256 for key, value in tags.items()):
        raise invalid_because("Tags", "A key has 1 to 128 characters, a value up to 256.")
    if len(tags) > _TAGS_LIMIT:
        raise tag_limit()
    return tags


def _page(arns: Sequence[str], token: str | None) -> tuple[Sequence[str], dict[str, str]]:
    """A hundred ARNs of a sorted list after the token's one, and the token of the next page."""
    start = 0
    if token:
        try:
            start = bisect_right(arns, base64.b64decode(token, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            raise invalid("NextToken") from None
    some = arns[start : start + _PAGE]
    if start + len(some) >= len(arns):
        return some, {}
    return some, {"NextToken": base64.b64encode(some[-1].encode()).decode()}

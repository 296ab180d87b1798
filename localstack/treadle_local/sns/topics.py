"""Topics and subscriptions: what exists, and the settings of each as values."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from treadle_local.aws.service import Region
from treadle_local.sns.arns import check_arn, check_subscription_arn
from treadle_local.sns.errors import subscription_does_not_exist, topic_does_not_exist
from treadle_local.sns.fifo_log import FifoLog
from treadle_local.sns.filter_policy import FilterPolicy, Scope

DEFAULT_MESSAGE_BYTES = 262_144
"""Source: https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html"""

Protocol = Literal["sqs", "lambda"]
"""Where a subscription delivers to, of those that the emulator has."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON attribute; `text` is as it was given, which AWS gives back byte for byte."""

    value: Mapping[str, Any]
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """What a topic's owner sets on it; None where AWS's default holds and is not shown."""

    fifo: bool = False
    content_based_deduplication: bool = False
    throughput_scope: Literal["Topic", "MessageGroup"] | None = None
    display_name: str = ""
    maximum_message_bytes: int | None = None
    policy: Document | None = None
    signature_version: str | None = None
    tracing: str | None = None
    kms_key_id: str | None = None

    @property
    def message_limit_bytes(self) -> int:
        return self.maximum_message_bytes or DEFAULT_MESSAGE_BYTES

    @property
    def has_large_messages(self) -> bool:
        return self.message_limit_bytes > DEFAULT_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class SubscriptionSettings:
    """What a subscription's owner sets on it."""

    raw_delivery: bool = False
    filter_text: str = ""
    filter_scope: Scope = "MessageAttributes"
    filter_policy: FilterPolicy | None = field(default=None, compare=False)
    dead_letter: Document | None = None

    @property
    def dead_letter_arn(self) -> str | None:
        return str(self.dead_letter.value["deadLetterTargetArn"]) if self.dead_letter else None


class Subscription:
    """A queue or a function (`endpoint` is its ARN) that wants a topic's messages."""

    __slots__ = ("arn", "endpoint", "protocol", "settings", "topic_arn")

    def __init__(
        self, arn: str, topic_arn: str, protocol: Protocol, endpoint: str, settings: SubscriptionSettings
    ) -> None:
        self.arn = arn
        self.topic_arn = topic_arn
        self.protocol: Protocol = protocol
        self.endpoint = endpoint
        self.settings = settings


class Topic:
    """A topic with its subscriptions by protocol and endpoint, in the order in which they were made.

    `fifo_log` is what only a FIFO topic has: the numbers of its messages and which of them were there before.
    """

    __slots__ = ("arn", "fifo_log", "settings", "subscriptions", "subscriptions_deleted", "tags")

    def __init__(self, arn: str, settings: TopicSettings, tags: dict[str, str]) -> None:
        self.arn = arn
        self.settings = settings
        self.tags = tags
        self.fifo_log = FifoLog()
        self.subscriptions: dict[tuple[str, str], Subscription] = {}
        self.subscriptions_deleted = 0


class Topics:
    """All topics and subscriptions of the account and region, by ARN."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._topics: dict[str, Topic] = {}
        self._subscriptions: dict[str, Subscription] = {}

    def __iter__(self) -> Iterator[Topic]:
        """All topics in order of their ARNs."""
        return iter([self._topics[arn] for arn in sorted(self._topics)])

    def find(self, arn: str) -> Topic | None:
        return self._topics.get(arn)

    def at(self, arn: str | None, parameter: str = "TopicArn") -> Topic:
        """The topic with this ARN. Raises: `NotFound`; `InvalidParameter` for what is no topic's ARN of this region."""
        topic = self._topics.get(arn) if arn else None
        if topic is None:
            check_arn(arn, parameter, self.region)
            raise topic_does_not_exist()
        return topic

    def add(self, topic: Topic) -> None:
        self._topics[topic.arn] = topic

    def remove(self, arn: str) -> None:
        """Removes the topic, if it is there, with all its subscriptions.

        Source: https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html
        """
        topic = self._topics.pop(arn, None)
        if topic is not None:
            for subscription in topic.subscriptions.values():
                del self._subscriptions[subscription.arn]

    def subscribe(
        self, topic: Topic, protocol: Protocol, endpoint: str, settings: SubscriptionSettings
    ) -> Subscription:
        arn = f"{topic.arn}:{uuid.uuid4()}"
        subscription = Subscription(arn, topic.arn, protocol, endpoint, settings)
        topic.subscriptions[protocol, endpoint] = subscription
        self._subscriptions[arn] = subscription
        return subscription

    def unsubscribe(self, arn: str) -> None:
        """Removes the subscription, if it is there."""
        subscription = self._subscriptions.pop(arn, None)
        if subscription is not None:
            topic = self._topics[subscription.topic_arn]
            del topic.subscriptions[subscription.protocol, subscription.endpoint]
            topic.subscriptions_deleted += 1

    def subscription(self, arn: str | None) -> Subscription:
        """The subscription with this ARN. Raises: `NotFound`; `InvalidParameter` for what is no subscription's ARN."""
        subscription = self._subscriptions.get(arn) if arn else None
        if subscription is None:
            check_subscription_arn(arn, self.region)
            raise subscription_does_not_exist()
        return subscription

    def subscriptions(self) -> list[Subscription]:
        """All subscriptions in order of their ARNs."""
        return [self._subscriptions[arn] for arn in sorted(self._subscriptions)]

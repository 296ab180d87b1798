"""Delivery of a published message to the queues that are subscribed, and to dead-letter queues where that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from treadle_local.aws.errors import AwsError
from treadle_local.clock import Clock
from treadle_local.sns.contents import Publication
from treadle_local.sns.envelope import envelope, timestamp
from treadle_local.sns.topics import Subscription, Topic
from treadle_local.sqs.contents import MESSAGE_ATTRIBUTES_LIMIT, has_forbidden_characters
from treadle_local.sqs.message import Message, attributes_bytes, attributes_md5, md5, new_message_id
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.service import Sqs
from treadle_local.sqs.settings import QueuePolicy

SERVICE_PRINCIPAL = "sns.amazonaws.com"
SENDER_ID = "AIDATREADLESNS"
"""What `SenderId` says of messages from SNS; on AWS it is an opaque id of the service too."""


class QueueAccepts(Protocol):
    """Decides whether a queue's policy lets a service act on it for the resource `source_arn`."""

    def __call__(
        self, policy: dict[str, Any], action: str, resource: str, service_principal: str, source_arn: str, /
    ) -> bool: ...


OnUndelivered = Callable[[str, str, str], None]
"""Called with topic ARN, subscription ARN and the reason, for a message that not even a dead-letter queue took."""


class Delivery:
    """Hands publications to queues, within the call that published them."""

    def __init__(self, clock: Clock, sqs: Sqs, queue_accepts: QueueAccepts, on_undelivered: OnUndelivered) -> None:
        self._clock = clock
        self._sqs = sqs
        self._queue_accepts = queue_accepts
        self._on_undelivered = on_undelivered
        self._decisions: dict[tuple[str, str], tuple[QueuePolicy, bool]] = {}

    def forget(self, topic_arn: str) -> None:
        """Drops what was decided for a topic that is gone."""
        for key in [key for key in self._decisions if key[0] == topic_arn]:
            del self._decisions[key]

    def deliver(self, topic: Topic, publication: Publication) -> None:
        """Delivers to every subscription whose filter lets the message pass; one that fails affects no other.

        Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
        """
        now = self._clock.now()
        raw: Message | None = None
        for subscription in topic.subscriptions.values():
            settings = subscription.settings
            if settings.filter_policy and not settings.filter_policy.wants(publication.body, publication.attributes):
                continue
            if not settings.raw_delivery:
                self._to_subscription(topic, subscription, self._wrapped(publication, subscription, now))
            else:
                raw = raw or _raw(publication, now)
                self._to_subscription(topic, subscription, raw)

    def _to_subscription(self, topic: Topic, subscription: Subscription, message: Message) -> None:
        reason = self._send(topic, subscription.endpoint, message, MESSAGE_ATTRIBUTES_LIMIT)
        if reason is None:
            return
        dead_letter_arn = subscription.settings.dead_letter_arn
        if dead_letter_arn is not None:
            dead_letter_reason = self._send(topic, dead_letter_arn, message, None)
            if dead_letter_reason is None:
                return
            reason = f"{reason}; dead-letter queue: {dead_letter_reason}"
        self._on_undelivered(topic.arn, subscription.arn, reason)

    def _send(self, topic: Topic, queue_arn: str, message: Message, attributes_limit: int | None) -> str | None:
        """Sends, or says why not. A dead-letter queue takes any number of attributes, so that none is lost."""
        queue = self._sqs.resolve(queue_arn)
        if queue is None:
            return f"the queue {queue_arn} does not exist"
        if not self._accepted(topic.arn, queue):
            return (
                f"the policy of the queue {queue_arn} does not allow {SERVICE_PRINCIPAL} to sqs:SendMessage "
                f"for the topic {topic.arn}"
            )
        if attributes_limit is not None and len(message.attributes) > attributes_limit:
            return f"raw delivery of {len(message.attributes)} message attributes; a queue takes {attributes_limit}"
        limit_bytes = queue.settings.maximum_message_bytes
        if len(message.body.encode()) + attributes_bytes(message.attributes) > limit_bytes:
            return f"the message is longer than the {limit_bytes} bytes that the queue {queue_arn} takes"
        if has_forbidden_characters(message.body):
            return "the message has characters that a queue does not carry"
        queue.send(replace(message, message_id=new_message_id()))
        return None

    def _accepted(self, topic_arn: str, queue: Queue) -> bool:
        policy = queue.settings.policy
        if policy is None:
            return False
        decided = self._decisions.get((topic_arn, queue.arn))
        if decided is not None and decided[0] is policy:
            return decided[1]
        try:
            accepted = self._queue_accepts(policy.document, "sqs:SendMessage", queue.arn, SERVICE_PRINCIPAL, topic_arn)
        except AwsError:
            accepted = False
        self._decisions[topic_arn, queue.arn] = (policy, accepted)
        return accepted

    def _wrapped(self, publication: Publication, subscription: Subscription, now: float) -> Message:
        body = envelope(publication, subscription.topic_arn, subscription.arn, timestamp(now), self._sqs.base_url)
        return Message(
            message_id="",
            body=body,
            body_md5=md5(body.encode()),
            sent_at=now,
            sender_id=SENDER_ID,
            group_id=publication.group_id,
        )


def _raw(publication: Publication, now: float) -> Message:
    return Message(
        message_id="",
        body=publication.body,
        body_md5=md5(publication.body.encode()),
        sent_at=now,
        sender_id=SENDER_ID,
        attributes=publication.attributes,
        attributes_md5=attributes_md5(publication.attributes),
        group_id=publication.group_id,
    )

"""Delivery of a published message to its subscribers, and to dead-letter queues where that fails."""

from __future__ import annotations

from collections.abc import Callable

from treadle_local.clock import Clock
from treadle_local.sns.contents import Publication
from treadle_local.sns.copies import Copies
from treadle_local.sns.endpoints import FunctionEndpoints, QueueEndpoints
from treadle_local.sns.fifo_log import Published
from treadle_local.sns.topics import Subscription, Topic
from treadle_local.sqs.message import new_message_id

OnUndelivered = Callable[[str, str, str], None]
"""Called with topic ARN, subscription ARN and the reason, for a message that not even a dead-letter queue took."""


class Delivery:
    """Hands publications out within the call that published them, so that those of a topic keep their order."""

    def __init__(
        self,
        clock: Clock,
        queues: QueueEndpoints,
        functions: FunctionEndpoints,
        base_url: Callable[[], str],
        on_undelivered: OnUndelivered,
    ) -> None:
        self._clock = clock
        self._queues = queues
        self._functions = functions
        self._base_url = base_url
        self._on_undelivered = on_undelivered

    def publish(self, topic: Topic, publication: Publication) -> Published:
        """What the publisher is told, after everything was delivered.

        A FIFO topic's duplicate is told the same as the first of its kind, and goes to nobody.
        Source: https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html
        """
        now = self._clock.now()
        message_id = new_message_id()
        if publication.deduplication_id is None:
            published = Published(message_id, None)
        else:
            log = topic.fifo_log
            scope = publication.group_id if topic.settings.throughput_scope == "MessageGroup" else None
            before = log.find(scope, publication.deduplication_id, now)
            if before is not None:
                return before
            published = log.add(scope, publication.deduplication_id, message_id, now)
        self._deliver(Copies(topic, publication, published, now, self._base_url))
        return published

    def forget(self, topic_arn: str) -> None:
        """Drops what is remembered of a topic that is gone."""
        self._queues.forget(topic_arn)

    def _deliver(self, copies: Copies) -> None:
        """Delivers to every subscription whose filter lets the message pass; one that fails affects no other.

        Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
        """
        for subscription in copies.topic.subscriptions.values():
            policy = subscription.settings.filter_policy
            if policy is not None and not policy.wants(copies.filterable(subscription.protocol)):
                continue
            reason = self._hand_over(subscription, copies)
            if reason is not None:
                self._bury(subscription, copies, reason)

    def _hand_over(self, subscription: Subscription, copies: Copies) -> str | None:
        match subscription.protocol:
            case "sqs":
                return self._queues.send(subscription.endpoint, copies.letter(subscription), copies)
            case "lambda":
                return self._functions.invoke(copies.topic, subscription.endpoint, copies.event(subscription))

    def _bury(self, subscription: Subscription, copies: Copies, reason: str) -> None:
        """Source: https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html"""
        dead_letter_arn = subscription.settings.dead_letter_arn
        if dead_letter_arn is not None:
            refused = self._queues.send(dead_letter_arn, copies.letter(subscription), copies, dead=True)
            if refused is None:
                return
            reason = f"{reason}; dead-letter queue: {refused}"
        self._on_undelivered(copies.topic.arn, subscription.arn, reason)

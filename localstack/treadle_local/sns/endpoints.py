"""What a topic delivers to: queues and functions, each where its own policy lets the topic in."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Caller, Params, Result
from treadle_local.sns.copies import Copies, Letter
from treadle_local.sns.topics import Topic
from treadle_local.sqs.contents import MESSAGE_ATTRIBUTES_LIMIT
from treadle_local.sqs.message import Message, new_message_id
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.service import Sqs
from treadle_local.sqs.settings import QueuePolicy

SERVICE_PRINCIPAL = "sns.amazonaws.com"
SENDER_ID = "AIDATREADLESNS"
"""What `SenderId` says of messages from SNS; on AWS it is an opaque id of the service too."""


class Accepts(Protocol):
    """Decides whether a resource's policy lets a service act on it for the resource `source_arn`."""

    def __call__(
        self, policy: dict[str, Any], action: str, resource: str, service_principal: str, source_arn: str, /
    ) -> bool: ...


class Functions(Protocol):
    """What of the Lambda service deliveries need."""

    def resolve(self, function_name_or_arn: str, qualifier: str | None = None) -> tuple[object, str]:
        """The version that would run, and the ARN it is invoked by. Raises ResourceNotFoundException."""
        ...

    def resource_policy(self, function: str) -> dict[str, Any] | None:
        """The policy document of a function, version or alias; None where it has none."""
        ...

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        """See `Service`."""
        ...


class QueueEndpoints:
    """Queues, as subscribers and as dead-letter queues of subscriptions."""

    def __init__(self, sqs: Sqs, accepts: Accepts) -> None:
        self._sqs = sqs
        self._accepts = accepts
        self._decisions: dict[tuple[str, str], tuple[QueuePolicy, bool]] = {}

    def forget(self, topic_arn: str) -> None:
        """Drops what was decided for a topic that is gone."""
        for key in [key for key in self._decisions if key[0] == topic_arn]:
            del self._decisions[key]

    def send(self, queue_arn: str, letter: Letter, copies: Copies, *, dead: bool = False) -> str | None:
        """Sends, or says why not.

        Raw delivery of more attributes than a queue takes is a failure; a dead-letter queue takes them all the same, so
        that none is lost.
        Source: https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html
        """
        queue = self._sqs.resolve(queue_arn)
        if queue is None:
            return f"the queue {queue_arn} does not exist"
        if not self._let_in(copies.topic.arn, queue):
            return (
                f"the policy of the queue {queue_arn} does not allow {SERVICE_PRINCIPAL} to sqs:SendMessage "
                f"for the topic {copies.topic.arn}"
            )
        if len(letter.attributes) > MESSAGE_ATTRIBUTES_LIMIT and not dead:
            return f"raw delivery of {len(letter.attributes)} attributes; a queue takes {MESSAGE_ATTRIBUTES_LIMIT}"
        if letter.size_bytes > queue.settings.maximum_message_bytes:
            limit_bytes = queue.settings.maximum_message_bytes
            return f"the message is longer than the {limit_bytes} bytes that the queue {queue_arn} takes"
        if letter.forbidden:
            return "the message has characters that a queue does not carry"
        queue.send(_message(letter, copies, queue))
        return None

    def _let_in(self, topic_arn: str, queue: Queue) -> bool:
        policy = queue.settings.policy
        if policy is None:
            return False
        decided = self._decisions.get((topic_arn, queue.arn))
        if decided is not None and decided[0] is policy:
            return decided[1]
        try:
            accepted = self._accepts(policy.document, "sqs:SendMessage", queue.arn, SERVICE_PRINCIPAL, topic_arn)
        except AwsError:
            accepted = False
        self._decisions[topic_arn, queue.arn] = (policy, accepted)
        return accepted


class FunctionEndpoints:
    """Functions, invoked asynchronously: what becomes of an accepted event is Lambda's affair.

    What is refused is refused for good, since only errors of the service are worth a retry.
    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
    """

    def __init__(self, functions: Functions, accepts: Accepts) -> None:
        self._functions = functions
        self._accepts = accepts

    def invoke(self, topic: Topic, function_arn: str, event: Mapping[str, Any]) -> str | None:
        """Hands the event over, or says why not."""
        payload = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            _, invoked_arn = self._functions.resolve(function_arn)
            policy = self._functions.resource_policy(function_arn)
            if policy is None or not self._accepts(
                policy, "lambda:InvokeFunction", invoked_arn, SERVICE_PRINCIPAL, topic.arn
            ):
                return (
                    f"the policy of the function {function_arn} does not allow {SERVICE_PRINCIPAL} to "
                    f"lambda:InvokeFunction for the topic {topic.arn}"
                )
            request = {"FunctionName": function_arn, "InvocationType": "Event", "Payload": payload}
            self._functions.handle("Invoke", request, ROOT)
        except AwsError as error:
            return f"the function {function_arn} did not take the event: {error}"
        return None


def _message(letter: Letter, copies: Copies, queue: Queue) -> Message:
    """A FIFO topic's groups and de-duplication ids are for FIFO queues; a standard topic's groups for fair queues.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    publication = copies.publication
    same_kind = queue.settings.fifo == copies.topic.settings.fifo
    return Message(
        message_id=new_message_id(),
        body=letter.body,
        body_md5=letter.body_md5,
        sent_at=copies.now,
        sender_id=SENDER_ID,
        attributes=letter.attributes,
        attributes_md5=letter.attributes_md5,
        group_id=publication.group_id if same_kind else None,
        deduplication_id=publication.deduplication_id if same_kind else None,
    )

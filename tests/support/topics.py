"""Topics of tests, and the queues that subscribe to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from support.aws import ACCOUNT, unique
from support.policies import document, topic_may_send

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef


def create_topic(sns: SNSClient, **attributes: str) -> str:
    return sns.create_topic(Name=unique("topic"), Attributes=attributes)["TopicArn"]


def create_fifo_topic(sns: SNSClient, **attributes: str) -> str:
    return sns.create_topic(Name=f"{unique('topic')}.fifo", Attributes={"FifoTopic": "true", **attributes})["TopicArn"]


def policy_for(queue_arn: str, topic_arn: str) -> str:
    """The policy that lets a topic send to a queue."""
    return json.dumps(document(topic_may_send(queue_arn, topic_arn)))


@dataclass(frozen=True, slots=True)
class TestQueue:
    """A queue of a test; `arn` is what topics know it by."""

    __test__ = False
    sqs: SQSClient
    url: str
    arn: str

    def receive(self) -> list[MessageTypeDef]:
        """All that is in the queue, which is empty afterwards."""
        found: list[MessageTypeDef] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            VisibilityTimeout=43_200,
        ).get("Messages"):
            found += messages
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message.get("ReceiptHandle", ""))
        return found

    def bodies(self) -> list[str]:
        return [message.get("Body", "") for message in self.receive()]


def create_fifo_queue(sqs: SQSClient, topic_arn: str | None = None, **attributes: str) -> TestQueue:
    return create_queue(sqs, topic_arn, f"{unique('queue')}.fifo", FifoQueue="true", **attributes)


def create_queue(sqs: SQSClient, topic_arn: str | None = None, name: str | None = None, **attributes: str) -> TestQueue:
    """A queue; one that accepts messages of a topic, if one is given."""
    name = name or unique("queue")
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    if topic_arn is not None:
        attributes["Policy"] = policy_for(arn, topic_arn)
    return TestQueue(sqs, sqs.create_queue(QueueName=name, Attributes=cast("Any", attributes))["QueueUrl"], arn)


def subscribe(sns: SNSClient, topic_arn: str, queue: TestQueue, **attributes: str) -> str:
    return sns.subscribe(
        TopicArn=topic_arn, Protocol="sqs", Endpoint=queue.arn, Attributes=attributes, ReturnSubscriptionArn=True
    )["SubscriptionArn"]


def raw_subscriber(sns: SNSClient, sqs: SQSClient, topic_arn: str, **attributes: str) -> TestQueue:
    queue = create_queue(sqs, topic_arn)
    subscribe(sns, topic_arn, queue, RawMessageDelivery="true", **attributes)
    return queue

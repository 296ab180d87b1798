"""Deliveries of Amazon SNS to queues, and what becomes of those that fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from support.aws import refusal
from support.dev import Dev
from support.topics import create_queue, create_topic, policy_for, raw_subscriber, subscribe
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Caller, Params, Region, Result
from treadle_local.clock import ManualClock
from treadle_local.sns.service import Sns
from treadle_local.sqs.service import Sqs

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


class NoFunctions:
    """A Lambda service without functions."""

    def resolve(self, function_name_or_arn: str, qualifier: str | None = None) -> tuple[object, str]:
        raise AwsError("ResourceNotFoundException", f"Function not found: {function_name_or_arn}", status=404)

    def resource_policy(self, function: str) -> dict[str, Any] | None:
        return None

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        raise AssertionError(operation)


def test_raw_delivery_gives_the_body_and_the_attributes_as_they_were_published(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    attributes: Any = {
        "text": {"DataType": "String", "StringValue": "grüße & <so>"},
        "list": {"DataType": "String.Array", "StringValue": '["a", 1]'},
        "number": {"DataType": "Number", "StringValue": "1.50"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sns.publish(TopicArn=topic, Message='{"ä": "\n𝄞"}', MessageAttributes=attributes, Subject="left out")
    (message,) = queue.receive()
    assert message.get("Body") == '{"ä": "\n𝄞"}'
    assert message.get("MessageAttributes") == attributes


def test_delivery_that_is_not_raw_wraps_the_message(sns: SNSClient, sqs: SQSClient, emulator: Dev) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs, topic)
    subscription = subscribe(sns, topic, queue)
    published = sns.publish(
        TopicArn=topic,
        Message="grüße",
        Subject="Hello",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "v"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    (message,) = queue.receive()
    assert "MessageAttributes" not in message
    assert message.get("MessageId") != published["MessageId"]
    document = json.loads(message.get("Body", ""))
    assert document.pop("Timestamp").endswith("Z")
    assert document.pop("Signature")
    assert document.pop("SigningCertURL").startswith("https://")
    assert document == {
        "Type": "Notification",
        "MessageId": published["MessageId"],
        "TopicArn": topic,
        "Subject": "Hello",
        "Message": "grüße",
        "SignatureVersion": "1",
        "UnsubscribeURL": f"{emulator.endpoint}/?Action=Unsubscribe&SubscriptionArn={subscription}",
        "MessageAttributes": {
            "text": {"Type": "String", "Value": "v"},
            "blob": {"Type": "Binary", "Value": "AP8="},
        },
    }


def test_each_of_many_subscriptions_gets_the_message_once(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queues = [raw_subscriber(sns, sqs, topic) for _ in range(120)]
    sns.publish(TopicArn=topic, Message="m")
    assert [queue.bodies() for queue in queues] == [["m"]] * 120


def test_a_message_can_have_a_body_for_each_protocol(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)

    def publish(**bodies: object) -> object:
        return sns.publish(TopicArn=topic, Message=json.dumps(bodies), MessageStructure="json")

    publish(default="d", sqs="for queues", nonsense="for nobody")
    publish(default="d", email="for people", sqs=1)
    assert queue.bodies() == ["for queues", "d"]
    for bodies in ({"sqs": "for queues"}, {"default": 1}):
        _, text = refusal(lambda: publish(**bodies))  # noqa: B023
        assert text == "Invalid parameter: Message Structure - No default entry in JSON message body"
    with pytest.raises(ClientError, match="JSON message body failed to parse"):
        sns.publish(TopicArn=topic, Message="nonsense", MessageStructure="json")


def test_the_group_of_a_message_reaches_the_queue(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    sns.publish(TopicArn=topic, Message="m", MessageGroupId="tenant")
    found = sqs.receive_message(QueueUrl=queue.url, MessageSystemAttributeNames=["MessageGroupId"])["Messages"]
    assert found[0].get("Attributes") == {"MessageGroupId": "tenant"}


def test_a_queue_whose_policy_does_not_allow_the_topic_gets_nothing(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    closed, other = create_queue(sqs), create_queue(sqs, create_topic(sns))
    open_queue = raw_subscriber(sns, sqs, topic)
    for queue in (closed, other):
        subscribe(sns, topic, queue, RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="refused")
    sqs.set_queue_attributes(QueueUrl=closed.url, Attributes={"Policy": policy_for(closed.arn, topic)})
    sns.publish(TopicArn=topic, Message="accepted")
    sqs.set_queue_attributes(QueueUrl=closed.url, Attributes={"Policy": ""})
    sqs.set_queue_attributes(QueueUrl=other.url, Attributes={"Policy": policy_for(other.arn, topic)})
    sns.publish(TopicArn=topic, Message="refused again")
    assert closed.bodies() == ["accepted"]
    assert other.bodies() == ["refused again"]
    assert open_queue.bodies() == ["refused", "accepted", "refused again"]


def test_what_a_queue_cannot_take_goes_to_the_dead_letter_queue_of_its_subscription(
    sns: SNSClient, sqs: SQSClient
) -> None:
    topic = create_topic(sns)
    dead_letters = create_queue(sqs, topic)
    redrive = json.dumps({"deadLetterTargetArn": dead_letters.arn})
    gone = raw_subscriber(sns, sqs, topic, RedrivePolicy=redrive)
    closed = create_queue(sqs)
    subscribe(sns, topic, closed, RawMessageDelivery="true", RedrivePolicy=redrive)
    short = create_queue(sqs, topic, MaximumMessageSize="1024")
    subscribe(sns, topic, short, RawMessageDelivery="true", RedrivePolicy=redrive)
    sqs.delete_queue(QueueUrl=gone.url)
    sns.publish(TopicArn=topic, Message="short")
    assert dead_letters.bodies() == ["short", "short"]
    assert short.bodies() == ["short"]
    sns.publish(TopicArn=topic, Message="x" * 1025)
    assert len(dead_letters.bodies()) == 3
    assert short.bodies() == []


def test_raw_delivery_refuses_more_than_ten_attributes(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    dead_letters = create_queue(sqs, topic)
    wrapped = create_queue(sqs, topic)
    subscribe(sns, topic, wrapped)
    raw = raw_subscriber(sns, sqs, topic, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_letters.arn}))
    attributes: Any = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(11)}
    sns.publish(TopicArn=topic, Message="m", MessageAttributes=attributes)
    assert raw.bodies() == []
    assert len(json.loads(wrapped.bodies()[0])["MessageAttributes"]) == 11
    (dead,) = dead_letters.receive()
    assert dead.get("MessageAttributes") == attributes


def test_a_message_that_nobody_took_is_reported() -> None:
    reported: list[tuple[str, str, str]] = []
    clock = ManualClock()
    sqs = Sqs(Region(), clock)

    def accepts(policy: dict[str, Any], action: str, resource: str, service_principal: str, source_arn: str) -> bool:
        assert (action, service_principal) == ("sqs:SendMessage", "sns.amazonaws.com")
        return bool(policy["Statement"][0]["Effect"] == "Allow")

    def report(topic_arn: str, subscription_arn: str, reason: str) -> None:
        reported.append((topic_arn, subscription_arn, reason))

    sns = Sns(Region(), clock, sqs, NoFunctions(), accepts, report)
    topic = sns.handle("CreateTopic", {"Name": "t"}, ROOT)["TopicArn"]

    def subscribe_queue(name: str, **attributes: str) -> str:
        endpoint = Region().arn("sqs", name)
        params = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": endpoint, "Attributes": attributes}
        return str(sns.handle("Subscribe", params, ROOT)["SubscriptionArn"])

    for name, effect in (("without", None), ("closed", "Deny"), ("open", "Allow")):
        statement = {"Effect": effect, "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}) if effect else ""
        sqs.handle("CreateQueue", {"QueueName": name, "Attributes": {"Policy": policy}}, ROOT)
    redrive = json.dumps({"deadLetterTargetArn": Region().arn("sqs", "closed")})
    arns = [
        subscribe_queue("missing", RedrivePolicy=redrive),
        subscribe_queue("without"),
        subscribe_queue("closed"),
        subscribe_queue("open", RawMessageDelivery="true"),
    ]
    sns.handle("Publish", {"TopicArn": topic, "Message": "\x00"}, ROOT)
    assert [(topic_arn, subscription) for topic_arn, subscription, _ in reported] == [(topic, arn) for arn in arns]
    missing, without, closed, forbidden = [reason for _, _, reason in reported]
    assert "missing does not exist; dead-letter queue: the policy of the queue" in missing
    assert "does not allow sns.amazonaws.com to sqs:SendMessage" in without
    assert "does not allow sns.amazonaws.com to sqs:SendMessage" in closed
    assert "characters" in forbidden

"""Subscriptions of Amazon SNS as any AWS client makes, changes and ends them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.aws import ACCOUNT, refusal
from support.topics import create_queue, create_topic, subscribe

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


def test_a_subscription_has_the_attributes_of_aws(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue, dead_letters = create_queue(sqs), create_queue(sqs)
    redrive = json.dumps({"deadLetterTargetArn": dead_letters.arn})
    arn = subscribe(sns, topic, queue, FilterPolicy='{"a":  ["b"]}', RedrivePolicy=redrive)
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"] == {
        "SubscriptionArn": arn,
        "TopicArn": topic,
        "Owner": ACCOUNT,
        "Protocol": "sqs",
        "Endpoint": queue.arn,
        "SubscriptionPrincipal": f"arn:aws:iam::{ACCOUNT}:root",
        "ConfirmationWasAuthenticated": "true",
        "PendingConfirmation": "false",
        "RawMessageDelivery": "false",
        "FilterPolicy": '{"a":  ["b"]}',
        "FilterPolicyScope": "MessageAttributes",
        "RedrivePolicy": redrive,
    }
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed == {
        "SubscriptionArn": arn,
        "Owner": ACCOUNT,
        "Protocol": "sqs",
        "Endpoint": queue.arn,
        "TopicArn": topic,
    }
    pages = sns.get_paginator("list_subscriptions").paginate()
    assert listed in [subscription for page in pages for subscription in page["Subscriptions"]]


def test_subscribing_again_needs_the_same_attributes(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs, topic)
    arn = subscribe(sns, topic, queue, RawMessageDelivery="true")
    assert subscribe(sns, topic, queue) == subscribe(sns, topic, queue, RawMessageDelivery="true") == arn
    _, text = refusal(lambda: subscribe(sns, topic, queue, RawMessageDelivery="false"))
    assert "already exists with different attributes" in text
    sns.publish(TopicArn=topic, Message="m")
    assert queue.bodies() == ["m"]


def test_who_unsubscribed_gets_nothing_more(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs, topic)
    arn = subscribe(sns, topic, queue)
    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)
    sns.publish(TopicArn=topic, Message="m")
    assert queue.bodies() == []
    assert subscribe(sns, topic, queue) != arn


def test_raw_delivery_can_be_switched_off(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs, topic)
    arn = subscribe(sns, topic, queue, RawMessageDelivery="true")
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="false")
    sns.publish(TopicArn=topic, Message="m")
    assert json.loads(queue.bodies()[0])["Message"] == "m"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("RawMessageDelivery", "perhaps", "Must be true or false"),
        ("FilterPolicyScope", "Nonsense", "Please use either MessageBody or MessageAttributes"),
        ("RedrivePolicy", "nonsense", "must be a JSON object"),
        ("RedrivePolicy", '{"deadLetterTargetArn": "nonsense"}', "must be the ARN of an SQS queue"),
        ("Nonsense", "x", "AttributeName"),
        ("DeliveryPolicy", "{}", "not in Treadle's emulator yet"),
    ],
)
def test_a_subscription_attribute_is_checked(
    sns: SNSClient, sqs: SQSClient, name: str, value: str, reason: str
) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs)
    code, text = refusal(lambda: subscribe(sns, topic, queue, **{name: value}))
    assert code == "InvalidParameter"
    assert reason in text
    arn = subscribe(sns, topic, queue)
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)


@pytest.mark.parametrize(
    ("protocol", "endpoint", "reason"),
    [
        ("lambda", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f", "protocol lambda are not in Treadle's emulator"),
        ("email", "somebody@example.com", "protocol email are not in Treadle's emulator"),
        ("pigeon", "x", "does not support this protocol string"),
        ("sqs", "nonsense", "SQS endpoint ARN"),
        ("sqs", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo", "FIFO SQS Queues can not be subscribed"),
    ],
)
def test_only_standard_queues_can_be_subscribed(sns: SNSClient, protocol: str, endpoint: str, reason: str) -> None:
    topic = create_topic(sns)
    code, text = refusal(lambda: sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint))
    assert code == "InvalidParameter"
    assert reason in text

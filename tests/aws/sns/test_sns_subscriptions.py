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
        ("RawMessageDelivery", "", "RawMessageDelivery: Invalid value []. Must be true or false."),
        ("RedrivePolicy", "nonsense", "RedrivePolicy: failed to parse JSON."),
        (
            "RedrivePolicy",
            '{"deadLetterTargetArn": "nonsense"}',
            "RedrivePolicy: deadLetterTargetArn is an invalid arn",
        ),
        ("RedrivePolicy", '{"deadLetterTargetArn": 1}', "RedrivePolicy: deadLetterTargetArn is an invalid arn"),
        ("RedrivePolicy", f'{{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:{ACCOUNT}:q"}}', "account and region"),
        ("RedrivePolicy", f'{{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo"}}', "standard queue"),
        ("Nonsense", "x", "AttributeName"),
        ("DeliveryPolicy", '{"healthyRetryPolicy": {"numRetries": 1}}', "not in Treadle's emulator yet"),
        ("SubscriptionRoleArn", "x", "not in Treadle's emulator yet"),
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


NOT_BUILT = ("application", "email", "email-json", "firehose", "http", "https", "sms")


@pytest.mark.parametrize(
    ("protocol", "endpoint", "reason"),
    [
        *((name, "x", f"protocol {name} are not in Treadle's emulator") for name in NOT_BUILT),
        ("lambda", "nonsense", "Lambda endpoint ARN"),
        ("pigeon", "x", "does not support this protocol string"),
        ("sqs", "nonsense", "SQS endpoint ARN"),
        ("sqs", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo", "FIFO SQS Queues can not be subscribed"),
    ],
)
def test_what_cannot_be_subscribed_is_refused(sns: SNSClient, protocol: str, endpoint: str, reason: str) -> None:
    topic = create_topic(sns)
    code, text = refusal(lambda: sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint))
    assert code == "InvalidParameter"
    assert reason in text


def test_a_refusal_on_subscribing_says_that_it_is_about_an_attribute(sns: SNSClient, sqs: SQSClient) -> None:
    topic, queue = create_topic(sns), create_queue(sqs)
    assert refusal(lambda: subscribe(sns, topic, queue, RawMessageDelivery="wrongvalue")) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [wrongvalue]. Must be true or false.",
    )


@pytest.mark.parametrize(
    ("arn", "text"),
    [
        ("randomstring", "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"),
        ("arn:aws:sns:us-east-1:random", "SubscriptionArn Reason: An ARN must have at least 6 elements, not 5"),
        (f"arn:aws:sns:us-east-1:{ACCOUNT}:topic", "SubscriptionId"),
        ("", "SubscriptionArn Reason: no value for required parameter"),
    ],
)
def test_unsubscribing_needs_the_arn_of_a_subscription(sns: SNSClient, arn: str, text: str) -> None:
    assert refusal(lambda: sns.unsubscribe(SubscriptionArn=arn)) == ("InvalidParameter", f"Invalid parameter: {text}")


def test_who_never_subscribed_can_unsubscribe(sns: SNSClient) -> None:
    arn = f"{create_topic(sns)}:00000000-0000-0000-0000-000000000000"
    sns.unsubscribe(SubscriptionArn=arn)
    assert refusal(lambda: sns.get_subscription_attributes(SubscriptionArn=arn)) == (
        "NotFound",
        "Subscription does not exist",
    )


def test_subscriptions_of_a_topic_are_listed_in_pages_of_a_hundred(sns: SNSClient) -> None:
    topic = create_topic(sns)
    made = {
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:q{number}")[
            "SubscriptionArn"
        ]
        for number in range(101)
    }
    pages = list(sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic))
    assert [len(page["Subscriptions"]) for page in pages] == [100, 1]
    assert {one.get("SubscriptionArn") for page in pages for one in page["Subscriptions"]} == made
    sns.delete_topic(TopicArn=topic)


def test_no_token_confirms_a_subscription(sns: SNSClient) -> None:
    topic = create_topic(sns)
    assert refusal(lambda: sns.confirm_subscription(TopicArn=topic, Token="randomtoken")) == (
        "InvalidParameter",
        "Invalid parameter: Token",
    )

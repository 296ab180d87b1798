"""Limits of Amazon SNS, each at its last value that is taken and at the first that is not.

Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html,
https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.topics import create_fifo_topic, create_topic, raw_subscriber

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

KIB = 1024


@pytest.mark.parametrize("limit", [1024, 256 * KIB, 1024 * KIB])
def test_message_and_attributes_together_are_counted(sns: SNSClient, sqs: SQSClient, limit: int) -> None:
    topic = create_topic(sns, MaximumMessageSize=str(limit))
    queue = raw_subscriber(sns, sqs, topic)
    attributes: Any = {
        "number": {"DataType": "Number.int", "StringValue": "17"},  # 6 + 10 + 2
        "blob": {"DataType": "Binary", "BinaryValue": b"\xff" * 5},  # 4 + 6 + 5
    }
    body = "é" * ((limit - 33) // 2) + "x" * ((limit - 33) % 2)
    sns.publish(TopicArn=topic, Message=body, MessageAttributes=attributes, Subject="s" * 100)
    assert refusal(lambda: sns.publish(TopicArn=topic, Message=f"{body}x", MessageAttributes=attributes)) == (
        "InvalidParameter",
        "Invalid parameter: Message too long",
    )
    assert queue.bodies() == [body]


def test_the_messages_of_a_batch_are_counted_together(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    attributes: Any = {"a": {"DataType": "String", "StringValue": "vvv"}}  # 1 + 6 + 3
    sizes = [26_214] * 9 + [26_218]
    entries: Any = [
        {"Id": str(n), "Message": "x" * (size - 10), "MessageAttributes": attributes} for n, size in enumerate(sizes)
    ]
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert len(queue.bodies()) == 10
    entries[0]["Message"] += "x"
    assert refusal(lambda: sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)) == (
        "BatchRequestTooLong",
        "The length of all the messages put together is more than the limit.",
    )


@pytest.mark.parametrize(("size", "taken"), [(1023, False), (1024, True), (1_048_576, True), (1_048_577, False)])
def test_the_limit_itself_has_limits(sns: SNSClient, size: int, taken: bool) -> None:
    if taken:
        topic = create_topic(sns, MaximumMessageSize=str(size))
        assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["MaximumMessageSize"] == str(size)
    else:
        assert refusal(lambda: create_topic(sns, MaximumMessageSize=str(size)))[0] == "InvalidParameter"


@pytest.mark.parametrize(
    ("subject", "taken"),
    [
        ("s" * 100, True),
        ("s" * 101, False),
        ("", False),
        ("!ok ~", True),
        (" blank", False),
        ("tab\tin it", False),
        ("ü", False),
    ],
)
def test_a_subject_is_up_to_a_hundred_printable_ascii_characters(sns: SNSClient, subject: str, taken: bool) -> None:
    topic = create_topic(sns)
    if taken:
        sns.publish(TopicArn=topic, Message="m", Subject=subject)
    else:
        assert refusal(lambda: sns.publish(TopicArn=topic, Message="m", Subject=subject)) == (
            "InvalidParameter",
            "Invalid parameter: Subject",
        )


NAMES = [
    ("a" * 256, None),
    ("a" * 257, "Length of message attribute name must be less than 256 bytes."),
    ("A-z_0.9", None),
    (
        "a^b",
        "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. "
        "Can only include alphanumeric characters, hyphens, underscores, or dots.",
    ),
    (".a", "Invalid message attribute name starting with character '.' was found."),
    ("a.", "Invalid message attribute name ending with character '.' was found."),
    ("a..b", "Message attribute name can not have successive '.' character."),
    ("AWS.a", "The message attribute name 'AWS.a' is invalid: it begins with AWS. or Amazon."),
    ("amazon.a", "The message attribute name 'amazon.a' is invalid: it begins with AWS. or Amazon."),
]


@pytest.mark.parametrize(("name", "reason"), NAMES)
def test_names_of_attributes_are_checked(sns: SNSClient, name: str, reason: str | None) -> None:
    topic = create_topic(sns)
    attributes: Any = {name: {"DataType": "String", "StringValue": "v"}}
    if reason is None:
        sns.publish(TopicArn=topic, Message="m", MessageAttributes=attributes)
        return
    entry: Any = {"Id": "a", "Message": "m", "MessageAttributes": attributes}
    assert refusal(lambda: sns.publish(TopicArn=topic, Message="m", MessageAttributes=attributes)) == (
        "ParameterValueInvalid",
        reason,
    )
    assert refusal(lambda: sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[entry]))[1] == reason


EMPTY = "The message attribute 'a' must contain non-empty message attribute value for message attribute type '{}'."
VALUES: list[tuple[Any, str]] = [
    ({"DataType": "String", "StringValue": ""}, EMPTY.format("String")),
    ({"DataType": "String"}, EMPTY.format("String")),
    ({"DataType": "Binary", "BinaryValue": b""}, EMPTY.format("Binary")),
    (
        {"DataType": "String", "BinaryValue": b"x"},
        "The message attribute 'a' with type 'String' must use field 'String'.",
    ),
    (
        {"DataType": "Number", "BinaryValue": b"x"},
        "The message attribute 'a' with type 'Number' must use field 'String'.",
    ),
    (
        {"DataType": "Binary", "StringValue": "x"},
        "The message attribute 'a' with type 'Binary' must use field 'Binary'.",
    ),
    (
        {"DataType": "InvalidType", "StringValue": "x"},
        "The message attribute 'a' has an invalid message attribute type, "
        "the set of supported type prefixes is Binary, Number, and String.",
    ),
    ({"DataType": "Number", "StringValue": "12a"}, "Could not cast message attribute 'a' value to number."),
]


@pytest.mark.parametrize(("value", "reason"), VALUES)
def test_types_and_values_of_attributes_are_checked(sns: SNSClient, value: Any, reason: str) -> None:
    topic = create_topic(sns)
    assert refusal(lambda: sns.publish(TopicArn=topic, Message="m", MessageAttributes={"a": value})) == (
        "ParameterValueInvalid",
        reason,
    )


def test_a_topic_with_large_messages_has_up_to_100_subscriptions_and_so_has_a_fifo_topic(sns: SNSClient) -> None:
    def fill(topic: str) -> None:
        for number in range(100):
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:nobody-{number}")

    def one_more(topic: str) -> object:
        return sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:one-more")

    large, fifo = create_topic(sns, MaximumMessageSize="262145"), create_fifo_topic(sns)
    for topic in (large, fifo):
        fill(topic)
    assert refusal(lambda: one_more(large))[0] == "InvalidParameter"
    assert refusal(lambda: one_more(fifo))[0] == "SubscriptionLimitExceeded"
    sns.set_topic_attributes(TopicArn=large, AttributeName="MaximumMessageSize", AttributeValue="262144")
    one_more(large)
    assert refusal(
        lambda: sns.set_topic_attributes(TopicArn=large, AttributeName="MaximumMessageSize", AttributeValue="262145")
    )[0] == ("InvalidParameter")
    for topic in (large, fifo):
        sns.delete_topic(TopicArn=topic)


def test_a_topic_name_has_up_to_256_characters(sns: SNSClient) -> None:
    name = unique("topic").ljust(256, "x")
    arn = sns.create_topic(Name=name)["TopicArn"]
    assert arn.endswith(name)
    sns.delete_topic(TopicArn=arn)
    assert refusal(lambda: sns.create_topic(Name=f"{name}x")) == ("InvalidParameter", "Invalid parameter: Topic Name")


@pytest.mark.parametrize(("length", "taken"), [(100, True), (101, False)])
def test_a_display_name_has_up_to_100_characters(sns: SNSClient, length: int, taken: bool) -> None:
    if taken:
        create_topic(sns, DisplayName="x" * length)
    else:
        assert refusal(lambda: create_topic(sns, DisplayName="x" * length))[0] == "InvalidParameter"

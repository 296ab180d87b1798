"""Publications of Amazon SNS, one by one and in batches: what is taken and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.topics import create_topic, raw_subscriber

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


KIB = 1024
V: Any = {"a": {"DataType": "String", "StringValue": "v"}}


def test_a_message_may_have_256_kib_with_its_attributes(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    attributes: Any = {"a": {"DataType": "String", "StringValue": "ö"}}
    exact = "é" * ((256 * KIB - 10) // 2) + "x"
    sns.publish(TopicArn=topic, Message=exact, MessageAttributes=attributes)
    assert refusal(lambda: sns.publish(TopicArn=topic, Message=f"{exact}x", MessageAttributes=attributes)) == (
        "InvalidParameter",
        "Invalid parameter: Message too long",
    )
    assert queue.bodies() == [exact]


def test_a_topic_may_have_another_limit(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns, MaximumMessageSize="1048576")
    queue = raw_subscriber(sns, sqs, topic)
    sns.publish(TopicArn=topic, Message="x" * (1024 * KIB))
    assert len(queue.bodies()[0]) == 1024 * KIB
    sns.set_topic_attributes(TopicArn=topic, AttributeName="MaximumMessageSize", AttributeValue="1024")
    assert refusal(lambda: sns.publish(TopicArn=topic, Message="x" * 1025))[1].endswith("Message too long")
    assert refusal(lambda: create_topic(sns, MaximumMessageSize="1023"))[0] == "InvalidParameter"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"Message": ""}, "InvalidParameter"),
        ({"Subject": "line\nbreak"}, "InvalidParameter"),
        ({"Subject": "x" * 101}, "InvalidParameter"),
        ({"Subject": "ümlaut"}, "InvalidParameter"),
        ({"MessageStructure": "xml"}, "InvalidParameter"),
        ({"MessageDeduplicationId": "x"}, "InvalidParameter"),
        ({"MessageAttributes": {"a": {"DataType": "Text", "StringValue": "x"}}}, "ParameterValueInvalid"),
        ({"MessageAttributes": {"a": {"DataType": "Number", "StringValue": "x"}}}, "ParameterValueInvalid"),
        ({"MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}}, "ParameterValueInvalid"),
        ({"MessageAttributes": {"a b": {"DataType": "String", "StringValue": "x"}}}, "ParameterValueInvalid"),
    ],
)
def test_a_malformed_publication_is_refused(sns: SNSClient, options: Mapping[str, Any], code: str) -> None:
    topic = create_topic(sns)
    params: Any = {"TopicArn": topic, "Message": "m", **options}
    assert refusal(lambda: sns.publish(**params))[0] == code


def test_publishing_needs_a_topic(sns: SNSClient) -> None:
    missing = f"arn:aws:sns:us-east-1:{ACCOUNT}:{unique('missing')}"
    assert refusal(lambda: sns.publish(TopicArn=missing, Message="m")) == ("NotFound", "Topic does not exist")
    code, text = refusal(lambda: sns.publish(TopicArn="nonsense", Message="m"))
    assert (code, "must have at least 6 elements" in text) == ("InvalidParameter", True)
    assert "not in Treadle's emulator yet" in refusal(lambda: sns.publish(PhoneNumber="+1234567", Message="m"))[1]


def test_a_batch_is_published_entry_by_entry(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    entries: Any = [{"Id": f"e{n}", "Message": f"m{n}", "MessageAttributes": V} for n in range(10)]
    result = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry.get("Id") for entry in result["Successful"]] == [f"e{n}" for n in range(10)]
    assert len({entry.get("MessageId") for entry in result["Successful"]}) == 10
    assert not result["Failed"]
    received = queue.receive()
    assert [message.get("Body") for message in received] == [f"m{n}" for n in range(10)]
    assert all(message.get("MessageAttributes") == V for message in received)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": str(number), "Message": "m"} for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "Message": "m"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "Message": "m"}], "InvalidBatchEntryId"),
        ([{"Id": name, "Message": "x" * 128 * KIB + "x"} for name in "ab"], "BatchRequestTooLong"),
        ([{"Id": "a", "Message": "m"}, {"Id": "b", "Message": "m", "Subject": "line\nbreak"}], "InvalidParameter"),
        ([{"Id": "a", "Message": "m"}, {"Id": "b", "Message": "m", "MessageStructure": "json"}], "InvalidParameter"),
        ([{"Id": "a" * 81, "Message": "m"}], "InvalidBatchEntryId"),
    ],
)
def test_a_batch_is_refused_as_a_whole(
    sns: SNSClient, sqs: SQSClient, entries: list[dict[str, str]], code: str
) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    batch = cast("Any", entries)
    assert refusal(lambda: sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch))[0] == code
    assert queue.bodies() == []

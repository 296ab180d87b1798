"""Messages of Amazon SQS as any AWS client sends, receives, hides and deletes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import refusal
from support.dev import Dev
from support.queues import bodies, counts, create_queue, receipt, receive, system_attributes

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def test_a_message_comes_out_as_it_went_in(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="grüße\n\t𝄞",
        MessageAttributes={
            "kind": {"DataType": "String.custom", "StringValue": "höflich"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
        MessageGroupId="tenant",
    )
    (message,) = receive(sqs, url)
    assert message.get("Body") == "grüße\n\t𝄞"
    assert message.get("MessageId") == sent["MessageId"]
    assert message.get("MD5OfBody") == sent["MD5OfMessageBody"]
    assert message.get("MD5OfMessageAttributes") == sent["MD5OfMessageAttributes"]
    assert message.get("MessageAttributes") == {
        "kind": {"DataType": "String.custom", "StringValue": "höflich"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    attributes = system_attributes(message)
    assert attributes["AWSTraceHeader"] == "Root=1-2-3"
    assert attributes["MessageGroupId"] == "tenant"
    assert attributes["ApproximateReceiveCount"] == "1"
    assert attributes["SentTimestamp"] == attributes["ApproximateFirstReceiveTimestamp"]


def test_digests_are_those_that_aws_computes(sqs: SQSClient) -> None:
    sent = sqs.send_message(
        QueueUrl=create_queue(sqs),
        MessageBody="derp",
        MessageAttributes={"timestamp": {"DataType": "Number", "StringValue": "1493147359900"}},
    )
    assert sent["MD5OfMessageBody"] == "58fd9edd83341c29f1aebba81c31e257"
    assert sent["MD5OfMessageAttributes"] == "235c5c510d26fb653d073faed50ae77c"


def test_a_receive_returns_the_attributes_it_asks_for(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    sqs.send_message(
        QueueUrl=url,
        MessageBody="m",
        MessageAttributes={
            name: {"DataType": "String", "StringValue": name} for name in ("trace.id", "trace.hop", "other")
        },
    )

    def names(*asked: str) -> set[str]:
        (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, MessageAttributeNames=asked)["Messages"]
        assert "Attributes" not in message
        return set(message.get("MessageAttributes", {}))

    assert names() == set()
    assert names("other", "missing") == {"other"}
    assert names("trace.*") == {"trace.id", "trace.hop"}
    assert names(".*") == names("All") == {"trace.id", "trace.hop", "other"}
    code, _ = refusal(lambda: sqs.receive_message(QueueUrl=url, AttributeNames=cast("Any", ["Nonsense"])))
    assert code == "InvalidAttributeName"


def test_a_received_message_is_invisible_until_its_timeout(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs, VisibilityTimeout="30")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    assert bodies(receive(sqs, url)) == ["m"]
    assert counts(sqs, url) == (0, 1, 0)
    emulator.advance(29)
    assert receive(sqs, url) == []
    emulator.advance(1)
    (again,) = receive(sqs, url, VisibilityTimeout=5)
    assert system_attributes(again)["ApproximateReceiveCount"] == "2"
    first_received = int(system_attributes(again)["ApproximateFirstReceiveTimestamp"])
    assert first_received == int(system_attributes(again)["SentTimestamp"])
    emulator.advance(5)
    assert counts(sqs, url) == (1, 0, 0)


def test_the_visibility_of_a_message_can_be_changed_either_way(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    (message,) = receive(sqs, url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(message), VisibilityTimeout=100)
    emulator.advance(99)
    assert receive(sqs, url) == []
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(message), VisibilityTimeout=0)
    assert counts(sqs, url) == (1, 0, 0)


def test_a_change_of_visibility_after_its_time_does_nothing(sqs: SQSClient, emulator: Dev) -> None:
    """As AWS answered: https://github.com/localstack/localstack/pull/9632"""
    url = create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    (message,) = receive(sqs, url, VisibilityTimeout=10)

    def change() -> object:
        return sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(message), VisibilityTimeout=100)

    emulator.advance(10)
    change()
    assert counts(sqs, url) == (1, 0, 0)
    (again,) = receive(sqs, url)
    assert system_attributes(again)["ApproximateReceiveCount"] == "2"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(again))
    code, text = refusal(change)
    assert code == "InvalidParameterValue"
    assert "not available for visibility timeout change" in text


def test_a_message_can_be_delayed_by_its_queue_or_by_itself(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs, DelaySeconds="10")
    sqs.send_message(QueueUrl=url, MessageBody="as the queue says")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
    sqs.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)
    assert counts(sqs, url) == (1, 0, 2)
    assert bodies(receive(sqs, url)) == ["now"]
    emulator.advance(10)
    assert bodies(receive(sqs, url, VisibilityTimeout=43_200)) == ["as the queue says"]
    emulator.advance(890)
    assert "later" in bodies(receive(sqs, url))


def test_a_message_is_gone_after_its_retention(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs, MessageRetentionPeriod="60")
    sqs.send_message(QueueUrl=url, MessageBody="visible")
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=50)
    receive(sqs, url, VisibilityTimeout=1000)
    emulator.advance(59)
    assert counts(sqs, url) == (1, 1, 0)
    emulator.advance(1)
    assert counts(sqs, url) == (0, 0, 0)
    sqs.send_message(QueueUrl=url, MessageBody="delayed for longer than it is kept", DelaySeconds=900)
    emulator.advance(60)
    assert counts(sqs, url) == (0, 0, 0)
    emulator.advance(840)
    assert receive(sqs, url) == []


def test_a_deleted_message_never_comes_back(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    (first,) = receive(sqs, url)
    emulator.advance(30)
    (second,) = receive(sqs, url)
    assert receipt(first) != receipt(second)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(first))
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(second))
    emulator.advance(1000)
    assert receive(sqs, url) == []
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.parametrize("handle", ["nonsense", "bm90OmE6aGFuZGxl", "ünï"])
def test_a_receipt_that_was_never_issued_is_refused(sqs: SQSClient, handle: str) -> None:
    url = create_queue(sqs)
    assert refusal(lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle=handle))[0] == "ReceiptHandleIsInvalid"


def test_a_receipt_of_another_queue_is_refused(sqs: SQSClient) -> None:
    url, other = create_queue(sqs), create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    (message,) = receive(sqs, url)
    code, _ = refusal(lambda: sqs.delete_message(QueueUrl=other, ReceiptHandle=receipt(message)))
    assert code == "ReceiptHandleIsInvalid"


def test_a_purge_empties_the_queue_once_a_minute(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="visible")
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=60)
    sqs.purge_queue(QueueUrl=url)
    assert counts(sqs, url) == (0, 0, 0)
    assert refusal(lambda: sqs.purge_queue(QueueUrl=url))[0] == "AWS.SimpleQueueService.PurgeQueueInProgress"
    emulator.advance(60)
    sqs.purge_queue(QueueUrl=url)

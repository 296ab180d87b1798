"""FIFO queues of Amazon SQS as any AWS client sees them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import refusal, unique
from support.dev import Dev
from support.fifo import create_fifo, create_fifo_with_dead_letters, send
from support.queues import (
    arn_of,
    bodies,
    counts,
    create_queue,
    in_background,
    join_while,
    receipt,
    receive,
    system_attributes,
)

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

EXPIRED = "Reason: The receipt handle has expired."
WRONG_TYPE = "The request include parameter that is not valid for this queue type."


def _attributes(sqs: SQSClient, url: str) -> dict[str, str]:
    return cast("dict[str, str]", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])


# the queue


def test_a_fifo_queue_has_the_attributes_of_one(sqs: SQSClient) -> None:
    found = _attributes(sqs, create_fifo(sqs))
    assert {name: found[name] for name in found if "Fifo" in name or "Dedup" in name} == {
        "FifoQueue": "true",
        "ContentBasedDeduplication": "false",
        "DeduplicationScope": "queue",
        "FifoThroughputLimit": "perQueue",
    }


def test_a_fifo_queue_and_its_name_go_together(sqs: SQSClient) -> None:
    code, text = refusal(lambda: create_queue(sqs, unique("queue"), FifoQueue="true"))
    assert (code, "must end with .fifo suffix" in text) == ("InvalidParameterValue", True)
    assert refusal(lambda: create_queue(sqs, f"{unique('queue')}.fifo"))[0] == "InvalidParameterValue"
    create_queue(sqs, unique("x" * 62) + ".fifo", FifoQueue="true")
    assert (
        refusal(lambda: create_queue(sqs, unique("x" * 63) + ".fifo", FifoQueue="true"))[0] == "InvalidParameterValue"
    )


def test_a_queue_keeps_its_kind(sqs: SQSClient) -> None:
    fifo, standard = create_fifo(sqs), create_queue(sqs)
    for name in ("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"):
        changed: Any = {name: "true"}
        assert refusal(sqs.set_queue_attributes, QueueUrl=standard, Attributes=changed) == (
            "InvalidAttributeName",
            f"Unknown Attribute {name}.",
        )
    assert refusal(lambda: sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"FifoQueue": "false"})) == (
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    )


def test_creating_a_fifo_queue_again_needs_the_same_attributes(sqs: SQSClient) -> None:
    name = f"{unique('queue')}.fifo"
    url = create_queue(sqs, name, FifoQueue="true", ContentBasedDeduplication="true")
    assert create_queue(sqs, name, FifoQueue="true", ContentBasedDeduplication="true") == url
    assert refusal(lambda: create_queue(sqs, name, FifoQueue="true", ContentBasedDeduplication="false")) == (
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute ContentBasedDeduplication",
    )


def test_throughput_per_group_needs_deduplication_per_group(sqs: SQSClient) -> None:
    code, _ = refusal(lambda: create_fifo(sqs, FifoThroughputLimit="perMessageGroupId"))
    assert code == "InvalidAttributeValue"
    url = create_fifo(sqs, FifoThroughputLimit="perMessageGroupId", DeduplicationScope="messageGroup")
    code, _ = refusal(lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"DeduplicationScope": "queue"}))
    assert code == "InvalidAttributeValue"
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}
    )
    assert _attributes(sqs, url)["DeduplicationScope"] == "queue"


def test_a_dead_letter_queue_is_of_the_same_kind(sqs: SQSClient) -> None:
    fifo, standard = create_fifo(sqs), create_queue(sqs)
    for source, target in ((fifo, standard), (standard, fifo)):
        redrive = json.dumps({"deadLetterTargetArn": arn_of(target), "maxReceiveCount": 1})
        code, text = refusal(sqs.set_queue_attributes, QueueUrl=source, Attributes={"RedrivePolicy": redrive})
        assert (code, "Dead-letter queue must be same type of queue as the source" in text) == (
            "InvalidParameterValue",
            True,
        )


# sending


def test_a_fifo_message_carries_its_group_its_deduplication_id_and_its_number(sqs: SQSClient) -> None:
    url = create_fifo(sqs)
    sent = [send(sqs, url, body, MessageDeduplicationId=body) for body in ("a1", "b1", "a2")]
    numbers = [one["SequenceNumber"] for one in sent]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 3
    assert {len(number) for number in numbers} == {20}
    received = receive(sqs, url)
    assert [
        (system["MessageGroupId"], system["MessageDeduplicationId"], system["SequenceNumber"])
        for system in map(system_attributes, sorted(received, key=lambda one: system_attributes(one)["SequenceNumber"]))
    ] == [("a", "a1", numbers[0]), ("b", "b1", numbers[1]), ("a", "a2", numbers[2])]


def test_a_fifo_message_needs_a_group_and_a_deduplication_id(sqs: SQSClient) -> None:
    url = create_fifo(sqs)
    code, text = refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody="m", MessageDeduplicationId="d"))
    assert (code, text) == ("MissingParameter", "The request must contain the parameter MessageGroupId.")
    neither = (
        "InvalidParameterValue",
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    )
    assert refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody="m", MessageGroupId="g")) == neither
    # a batch is refused as a whole
    good = {"Id": "1", "MessageBody": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    for missing, words in (("MessageDeduplicationId", neither[1]), ("MessageGroupId", text)):
        bad = {name: value for name, value in good.items() if name != missing} | {"Id": "2"}
        entries: Any = [good, bad]
        assert refusal(sqs.send_message_batch, QueueUrl=url, Entries=entries) == (
            "InvalidParameterValue",
            words,
        )
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.parametrize("name", ["MessageGroupId", "MessageDeduplicationId"])
def test_ids_have_128_characters_of_letters_digits_and_punctuation(sqs: SQSClient, name: str) -> None:
    url = create_fifo(sqs)
    punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    for right in ("x" * 128, f"aZ09{punctuation}"):
        ids: Any = {"MessageGroupId": "g", "MessageDeduplicationId": right[:100], name: right}
        sqs.send_message(QueueUrl=url, MessageBody="m", **ids)
    for wrong in ("x" * 129, "", "with space", "ü"):
        code, text = refusal(
            sqs.send_message, **cast("Any", {"QueueUrl": url, "MessageBody": "m", "MessageGroupId": "g", name: wrong})
        )
        assert (code, "1 to 128 in length" in text) == ("InvalidParameterValue", True), wrong


def test_a_delay_is_the_queue_s_and_not_the_message_s(sqs: SQSClient, emulator: Dev) -> None:
    url = create_fifo(sqs, DelaySeconds="10")
    code, text = refusal(lambda: send(sqs, url, "a1", DelaySeconds=2))
    assert (code, text) == (
        "InvalidParameterValue",
        f"Value 2 for parameter DelaySeconds is invalid. Reason: {WRONG_TYPE}",
    )
    send(sqs, url, "a1", DelaySeconds=0)
    assert counts(sqs, url) == (0, 0, 1)
    emulator.advance(5)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "6"})
    emulator.advance(1)
    assert bodies(receive(sqs, url)) == ["a1"], "another delay applies to what is there already"


def test_a_standard_queue_takes_a_group_and_no_deduplication_id(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    for body in ("1", "2"):
        assert "SequenceNumber" not in sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="tenant")
    received = [receive(sqs, url, 1)[0] for _ in range(2)]
    assert [system_attributes(message)["MessageGroupId"] for message in received] == ["tenant", "tenant"]
    code, text = refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody="m", MessageDeduplicationId="d"))
    assert (code, WRONG_TYPE in text) == ("InvalidParameterValue", True)
    code, text = refusal(lambda: sqs.receive_message(QueueUrl=url, ReceiveRequestAttemptId="a"))
    assert (code, WRONG_TYPE in text) == ("InvalidParameterValue", True)


# de-duplication


def test_a_duplicate_is_answered_as_the_first_and_delivered_once_in_five_minutes(sqs: SQSClient, emulator: Dev) -> None:
    url = create_fifo(sqs)
    first = send(sqs, url, "a1", MessageDeduplicationId="same")
    (message,) = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(message))
    emulator.advance(299)
    again = send(sqs, url, "b other", MessageDeduplicationId="same")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    assert again["MD5OfMessageBody"] == hashlib.md5(b"b other", usedforsecurity=False).hexdigest()
    assert counts(sqs, url) == (0, 0, 0)
    emulator.advance(1)
    third = send(sqs, url, "a1", MessageDeduplicationId="same")
    assert third["MessageId"] != first["MessageId"]
    assert bodies(receive(sqs, url)) == ["a1"]


def test_a_batch_may_hold_duplicates(sqs: SQSClient) -> None:
    url = create_fifo(sqs)
    entries: Any = [
        {"Id": str(number), "MessageBody": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
        for number in range(3)
    ]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["0", "1", "2"]
    assert len({entry["MessageId"] for entry in answer["Successful"]}) == 1
    assert counts(sqs, url) == (1, 0, 0)


def test_the_content_may_tell_duplicates_apart(sqs: SQSClient) -> None:
    url = create_fifo(sqs, ContentBasedDeduplication="true")
    for attribute in ("x", "y"):  # attributes are no content
        value: Any = {"a": {"DataType": "String", "StringValue": attribute}}
        sqs.send_message(QueueUrl=url, MessageBody="m", MessageGroupId="g", MessageAttributes=value)
    digest = hashlib.sha256(b"m").hexdigest()
    send(sqs, url, "other", "g", MessageDeduplicationId=digest)
    send(sqs, url, "m", "g", MessageDeduplicationId="an-id-goes-before-the-content")
    received = receive(sqs, url)
    assert bodies(received) == ["m", "m"]
    assert system_attributes(received[0])["MessageDeduplicationId"] == digest


def test_deduplication_is_of_the_queue_or_of_each_group(sqs: SQSClient) -> None:
    for scope, expected in (("queue", 1), ("messageGroup", 2)):
        url = create_fifo(sqs, DeduplicationScope=scope)
        for group in ("a", "b", "a"):
            send(sqs, url, "m", group, MessageDeduplicationId="d")
        assert counts(sqs, url)[0] == expected


# order


def test_a_group_comes_in_order_and_waits_for_what_is_in_flight(sqs: SQSClient, emulator: Dev) -> None:
    url = create_fifo(sqs)
    for body in ("a1", "a2", "b1", "a3"):
        send(sqs, url, body)
    (first,) = receive(sqs, url, 1)
    assert first.get("Body") == "a1"
    assert bodies(receive(sqs, url)) == ["b1"]
    assert receive(sqs, url) == []
    assert counts(sqs, url) == (2, 2, 0)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(first))
    assert bodies(receive(sqs, url)) == ["a2", "a3"]
    emulator.advance(30)
    assert bodies(receive(sqs, url)) == ["a2", "a3", "b1"]


def test_what_comes_again_comes_in_order(sqs: SQSClient) -> None:
    url = create_fifo(sqs)
    for number in range(6):
        send(sqs, url, f"a{number}")
    batch = receive(sqs, url, 5)
    for index in (3, 1, 4):
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(batch[index]), VisibilityTimeout=0)
    assert receive(sqs, url) == [], "two of the group are still in flight"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(batch[0]))
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(batch[2]), VisibilityTimeout=0)
    assert bodies(receive(sqs, url)) == ["a1", "a2", "a3", "a4", "a5"]


def test_a_receive_waits_for_its_group(sqs: SQSClient) -> None:
    url = create_fifo(sqs)
    send(sqs, url, "a1")
    send(sqs, url, "a2")
    (first,) = receive(sqs, url, 1)
    thread, found = in_background(lambda: receive(sqs, url, WaitTimeSeconds=20))
    join_while(thread, lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(first)))
    assert bodies(found) == ["a2"]


def test_a_receipt_ends_with_the_receive(sqs: SQSClient, emulator: Dev) -> None:
    url = create_fifo(sqs)
    send(sqs, url, "a1")
    (message,) = receive(sqs, url, VisibilityTimeout=10)
    emulator.advance(10)
    code, text = refusal(lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(message)))
    assert (code, text) == (
        "InvalidParameterValue",
        f"Value {receipt(message)} for parameter ReceiptHandle is invalid. {EXPIRED}",
    )
    (again,) = receive(sqs, url)
    assert EXPIRED in refusal(lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(message)))[1]
    entries: Any = [{"Id": "old", "ReceiptHandle": receipt(message)}, {"Id": "new", "ReceiptHandle": receipt(again)}]
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["new"]
    assert EXPIRED in answer["Failed"][0].get("Message", "")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(again))  # twice is no error
    assert counts(sqs, url) == (0, 0, 0)


# receive request attempts


def test_a_receive_may_be_repeated_while_nothing_happened(sqs: SQSClient, emulator: Dev) -> None:
    url = create_fifo(sqs)
    for body in ("a1", "a2", "b1"):
        send(sqs, url, body)
    first = receive(sqs, url, 2, ReceiveRequestAttemptId="try", VisibilityTimeout=10)
    emulator.advance(6)
    assert receive(sqs, url, 2, ReceiveRequestAttemptId="try", VisibilityTimeout=10) == first
    emulator.advance(6)
    assert counts(sqs, url) == (1, 2, 0), "the repetition begins the visibility timeout anew"
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(first[0]), VisibilityTimeout=100)
    assert bodies(receive(sqs, url, 2, ReceiveRequestAttemptId="try")) == ["b1"]


def test_a_repetition_gets_nothing_of_what_was_deleted_and_only_for_five_minutes(sqs: SQSClient, emulator: Dev) -> None:
    url = create_fifo(sqs)
    send(sqs, url, "a1")
    (message,) = receive(sqs, url, ReceiveRequestAttemptId="try", VisibilityTimeout=1000)
    emulator.advance(299)
    assert len(receive(sqs, url, ReceiveRequestAttemptId="try", VisibilityTimeout=1000)) == 1
    emulator.advance(1)
    assert receive(sqs, url, ReceiveRequestAttemptId="try") == []
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(message))
    send(sqs, url, "a2")
    assert bodies(receive(sqs, url, ReceiveRequestAttemptId="other")) == ["a2"]
    assert refusal(lambda: receive(sqs, url, ReceiveRequestAttemptId="x" * 129))[0] == "InvalidParameterValue"


# dead letters


def test_dead_letters_keep_their_order_and_let_their_group_go_on(sqs: SQSClient) -> None:
    url, dead_letters = create_fifo_with_dead_letters(sqs, VisibilityTimeout="0")
    sent = [send(sqs, url, body, MessageDeduplicationId=f"id-{body}") for body in ("a1", "a2", "b1", "a3")]
    assert bodies(receive(sqs, url, 2)) == ["a1", "a2"]
    assert bodies(receive(sqs, url)) == ["a3", "b1"]
    dead = receive(sqs, dead_letters)
    assert bodies(dead) == ["a1", "a2"]
    assert [message.get("MessageId") for message in dead] == [sent[0]["MessageId"], sent[1]["MessageId"]]
    system = system_attributes(dead[0])
    assert system["DeadLetterQueueSourceArn"] == arn_of(url)
    assert system["MessageGroupId"] == "a"
    assert system["MessageDeduplicationId"] == sent[0]["MessageId"], "so that the same id again is no duplicate there"


def test_the_age_of_a_fifo_message_begins_anew_among_the_dead_letters(sqs: SQSClient, emulator: Dev) -> None:
    url, dead_letters = create_fifo_with_dead_letters(sqs, VisibilityTimeout="0")
    sqs.set_queue_attributes(QueueUrl=dead_letters, Attributes={"MessageRetentionPeriod": "60"})
    send(sqs, url, "a1")
    emulator.advance(120)
    assert bodies(receive(sqs, url)) == ["a1"]
    assert receive(sqs, url) == []
    assert bodies(receive(sqs, dead_letters, VisibilityTimeout=0)) == ["a1"]
    emulator.advance(60)
    assert counts(sqs, dead_letters) == (0, 0, 0)

"""Batches and limits of Amazon SQS: what is refused, and how much is just allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from support.aws import refusal
from support.queues import counts, create_queue, receipt, receive

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


MIB = 1_048_576


def test_a_batch_reports_each_entry(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    sent = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "good", "MessageBody": "m"},
            {"Id": "late", "MessageBody": "m", "DelaySeconds": 901},
            {"Id": "odd", "MessageBody": "\x01"},
        ],
    )
    assert [entry["Id"] for entry in sent["Successful"]] == ["good"]
    failed = {entry["Id"]: entry for entry in sent["Failed"]}
    assert {entry_id: entry["Code"] for entry_id, entry in failed.items()} == {
        "late": "InvalidParameterValue",
        "odd": "InvalidMessageContents",
    }
    assert failed["late"]["SenderFault"] is True
    (message,) = receive(sqs, url)
    changed = sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "a", "ReceiptHandle": receipt(message), "VisibilityTimeout": 60},
            {"Id": "b", "ReceiptHandle": "nonsense", "VisibilityTimeout": 60},
        ],
    )
    assert [entry["Id"] for entry in changed["Successful"]] == ["a"]
    assert changed["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": receipt(message)}])
    assert [entry["Id"] for entry in deleted["Successful"]] == ["a"]
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([str(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
        (["same", "same"], "BatchEntryIdsNotDistinct"),
        (["not allowed"], "InvalidBatchEntryId"),
        (["x" * 81], "InvalidBatchEntryId"),
    ],
)
def test_a_batch_is_refused_as_a_whole_for_its_form(sqs: SQSClient, ids: list[str], code: str) -> None:
    url = create_queue(sqs)
    entries = [{"Id": entry_id, "MessageBody": "m"} for entry_id in ids]
    refused, _ = refusal(lambda: sqs.send_message_batch(QueueUrl=url, Entries=cast("Any", entries)))
    assert refused == f"AWS.SimpleQueueService.{code}"
    assert counts(sqs, url) == (0, 0, 0)


def test_a_message_may_have_a_mebibyte_and_not_a_byte_more(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    attributes: Any = {"ä": {"DataType": "String", "StringValue": "ö"}}
    with pytest.raises(ClientError, match="attribute name"):
        sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=attributes)
    attributes = {"a": {"DataType": "String", "StringValue": "ö"}}
    attribute_bytes = 1 + 6 + 2
    exact = "é" * ((MIB - attribute_bytes) // 2) + "x"
    sqs.send_message(QueueUrl=url, MessageBody=exact, MessageAttributes=attributes)
    code, text = refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody=f"{exact}x", MessageAttributes=attributes))
    assert code == "InvalidParameterValue"
    assert "shorter than 1048576 bytes" in text


def test_a_batch_may_have_a_mebibyte_in_all(sqs: SQSClient) -> None:
    url = create_queue(sqs)

    def send(last: str) -> object:
        half = "é" * (MIB // 4)
        return sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half[1:] + last}]
        )

    send("xy")
    assert refusal(lambda: send("xyz"))[0] == "AWS.SimpleQueueService.BatchRequestTooLong"
    assert counts(sqs, url) == (2, 0, 0)


def test_a_queue_may_have_a_lower_limit_of_its_own(sqs: SQSClient) -> None:
    url = create_queue(sqs, MaximumMessageSize="1024")
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1024)
    assert refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody="x" * 1025))[0] == "InvalidParameterValue"


@pytest.mark.parametrize("body", ["\x00", "a\x0bb", "\ufffe", "\x1f", "x\uffff"])
def test_a_body_with_other_characters_is_refused(sqs: SQSClient, body: str) -> None:
    url = create_queue(sqs)
    assert refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody=body))[0] == "InvalidMessageContents"


@pytest.mark.parametrize(
    "attribute",
    [
        {"DataType": "Text", "StringValue": "x"},
        {"DataType": "String", "StringValue": ""},
        {"DataType": "Number", "StringValue": "twelve"},
        {"DataType": "Binary", "StringValue": "x"},
    ],
)
def test_a_malformed_message_attribute_is_refused(sqs: SQSClient, attribute: dict[str, str]) -> None:
    url = create_queue(sqs)
    code, _ = refusal(
        lambda: sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=cast("Any", {"a": attribute}))
    )
    assert code == "InvalidParameterValue"


@pytest.mark.parametrize("name", ["AWS.x", "amazon.x", ".x", "x.", "x..y", "x y", "x" * 257])
def test_a_malformed_attribute_name_is_refused(sqs: SQSClient, name: str) -> None:
    url = create_queue(sqs)
    attributes: Any = {name: {"DataType": "String", "StringValue": "v"}}
    code, _ = refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=attributes))
    assert code == "InvalidParameterValue"


def test_a_message_has_at_most_ten_attributes(sqs: SQSClient) -> None:
    url = create_queue(sqs)

    def send(count: int) -> object:
        attributes: Any = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(count)}
        return sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=attributes)

    send(10)
    assert refusal(lambda: send(11))[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    "options",
    [
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"WaitTimeSeconds": 21},
        {"WaitTimeSeconds": -1},
        {"VisibilityTimeout": 43_201},
    ],
)
def test_a_receive_beyond_the_limits_is_refused(sqs: SQSClient, options: dict[str, int]) -> None:
    url = create_queue(sqs)
    code, text = refusal(lambda: sqs.receive_message(QueueUrl=url, **cast("Any", options)))
    assert code == "InvalidParameterValue"
    assert "Reason: Must be" in text

"""Batches and limits of Amazon SQS: what is refused, and how much is just allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from support.aws import refusal
from support.dev import Answer, Dev
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


def test_a_message_is_invisible_for_twelve_hours_at_most(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    (message,) = receive(sqs, url, VisibilityTimeout=43_200)
    emulator.advance(100)

    def change(seconds: int) -> object:
        return sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(message), VisibilityTimeout=seconds)

    change(43_100)
    code, text = refusal(lambda: change(43_101))
    assert code == "InvalidParameterValue"
    assert text.endswith("Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")


@pytest.mark.parametrize(
    ("attribute", "least", "most"),
    [
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1_024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
    ],
)
def test_a_queue_attribute_is_taken_up_to_its_bounds(sqs: SQSClient, attribute: str, least: int, most: int) -> None:
    """Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
    url = create_queue(sqs)

    def set_to(value: int) -> object:
        return sqs.set_queue_attributes(QueueUrl=url, Attributes=cast("Any", {attribute: str(value)}))

    for value in (least, most):
        set_to(value)
        found: Any = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=cast("Any", [attribute]))["Attributes"]
        assert found == {attribute: str(value)}
    for value in (least - 1, most + 1):
        assert refusal(set_to, value) == (
            "InvalidAttributeValue",
            f"Invalid value for the parameter {attribute}.",
        )


def test_what_is_just_allowed_is_allowed(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    entries: Any = [{"Id": f"{number}" + "x" * 79, "MessageBody": "m", "DelaySeconds": 900} for number in range(10)]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 10
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=43_200, WaitTimeSeconds=0)
    body = "\t\n\r \ud7ff\ue000\ufffd\U00010000\U0010ffff"
    sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="x" * 128)
    assert [message.get("Body") for message in receive(sqs, url)] == [body]
    assert refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody="m", MessageGroupId="x" * 129))[0] == (
        "InvalidParameterValue"
    )


def test_a_redrive_allow_policy_names_ten_queues_at_most(sqs: SQSClient) -> None:
    def policy(count: int) -> str:
        arns = [f"arn:aws:sqs:us-east-1:000000000000:q{number}" for number in range(count)]
        return json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": arns})

    create_queue(sqs, RedriveAllowPolicy=policy(10))
    assert refusal(lambda: create_queue(sqs, RedriveAllowPolicy=policy(11)))[0] == "InvalidParameterValue"


def test_one_encryption_at_a_time(sqs: SQSClient) -> None:
    url = create_queue(sqs, KmsMasterKeyId="key", KmsDataKeyReusePeriodSeconds="6000")
    found: Any = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["KmsDataKeyReusePeriodSeconds"], found["SqsManagedSseEnabled"]) == ("6000", "false")
    code, _ = refusal(lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"}))
    assert code == "InvalidAttributeName"


def _wire(emulator: Dev, service_call: Mapping[str, str], body: str) -> Answer:
    headers = {"authorization": "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/sqs/aws4_request", **service_call}
    return emulator.request(emulator.endpoint, "POST", "/", body.encode(), headers)


@pytest.mark.parametrize(
    ("operation", "params", "code", "query_code", "status"),
    [
        ("GetQueueUrl", {"QueueName": "missing"}, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400),
        ("CreateQueue", {"QueueName": "no name"}, "InvalidParameterValueException", "InvalidParameterValue", 400),
        (
            "SendMessage",
            {"QueueUrl": "http://x/000000000000/wire.fifo", "MessageBody": "m"},
            "MissingRequiredParameterException",
            "MissingParameter",
            400,
        ),
        (
            "StartMessageMoveTask",
            {"SourceArn": "arn:aws:sqs:us-east-1:000000000000:missing"},
            "ResourceNotFoundException",
            "ResourceNotFoundException",
            404,
        ),
    ],
)
def test_a_refusal_has_the_code_of_the_older_protocol_in_a_header(
    sqs: SQSClient, emulator: Dev, operation: str, params: dict[str, str], code: str, query_code: str, status: int
) -> None:
    create_queue(sqs, "wire.fifo", FifoQueue="true")
    modern = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
    answer = _wire(emulator, modern, json.dumps(params))
    assert (answer.status, answer.json()["__type"]) == (status, f"com.amazonaws.sqs#{code}")
    older, _, fault = answer.headers["x-amzn-query-error"].rpartition(";")
    assert (older, fault) == (query_code, "Sender")

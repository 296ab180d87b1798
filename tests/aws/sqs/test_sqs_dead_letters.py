"""Dead-letter queues of Amazon SQS as any AWS client sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.queues import arn_of, bodies, counts, create_queue, in_background, join_while, receive, system_attributes

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def test_a_message_that_was_received_too_often_goes_to_the_dead_letter_queue(sqs: SQSClient, emulator: Dev) -> None:
    dead_letters = create_queue(sqs)
    redrive = {"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": 2}
    url = create_queue(sqs, RedrivePolicy=json.dumps(redrive), VisibilityTimeout="5")
    sent = sqs.send_message(
        QueueUrl=url, MessageBody="m", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}}
    )
    emulator.advance(7)
    for _ in range(2):
        assert bodies(receive(sqs, url)) == ["m"]
        emulator.advance(5)
    assert counts(sqs, dead_letters) == (0, 0, 0)
    assert receive(sqs, url) == []
    (dead,) = receive(sqs, dead_letters)
    assert dead.get("MessageId") == sent["MessageId"]
    assert dead.get("MessageAttributes") == {"a": {"DataType": "String", "StringValue": "b"}}
    attributes = system_attributes(dead)
    assert attributes["DeadLetterQueueSourceArn"] == arn_of(url)
    assert attributes["ApproximateReceiveCount"] == "3"
    assert int(attributes["ApproximateFirstReceiveTimestamp"]) - int(attributes["SentTimestamp"]) == 7000
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead_letters)["queueUrls"] == [url]


def test_a_waiting_receive_on_the_dead_letter_queue_gets_what_dies(sqs: SQSClient, emulator: Dev) -> None:
    dead_letters = create_queue(sqs)
    redrive = {"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": "1"}
    url = create_queue(sqs, RedrivePolicy=json.dumps(redrive), VisibilityTimeout="0")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    assert bodies(receive(sqs, url)) == ["m"]
    thread, found = in_background(lambda: receive(sqs, dead_letters, WaitTimeSeconds=20))
    join_while(thread, lambda: receive(sqs, url))
    assert bodies(found) == ["m"]


def test_a_dead_letter_queue_may_have_a_dead_letter_queue_of_its_own(sqs: SQSClient) -> None:
    last = create_queue(sqs)
    redrive = json.dumps({"deadLetterTargetArn": arn_of(last), "maxReceiveCount": 2})
    second = create_queue(sqs, RedrivePolicy=redrive, VisibilityTimeout="0")
    redrive = json.dumps({"deadLetterTargetArn": arn_of(second), "maxReceiveCount": 3})
    url = create_queue(sqs, RedrivePolicy=redrive, VisibilityTimeout="0")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    seen = [[bodies(receive(sqs, each)) for each in (url, second, last)] for _ in range(6)]
    assert [[len(messages) for messages in row] for row in seen] == [
        [1, 0, 0],
        [1, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]


def test_without_its_dead_letter_queue_a_message_is_not_lost(sqs: SQSClient) -> None:
    dead_letters = create_queue(sqs)
    redrive = {"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": 1}
    url = create_queue(sqs, RedrivePolicy=json.dumps(redrive), VisibilityTimeout="0")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    sqs.delete_queue(QueueUrl=dead_letters)
    for _ in range(3):
        assert bodies(receive(sqs, url)) == ["m"]


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("nonsense", "not a valid JSON map"),
        ('{"maxReceiveCount": 3}', "mandatory attribute: deadLetterTargetArn"),
        (
            '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:nowhere"}',
            "mandatory attribute: maxReceiveCount",
        ),
        ('{"deadLetterTargetArn": "x", "maxReceiveCount": 0}', "from 1 to 1000"),
        ('{"deadLetterTargetArn": "x", "maxReceiveCount": 1001}', "from 1 to 1000"),
        (
            '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:nowhere", "maxReceiveCount": 3}',
            "Dead letter target does not exist",
        ),
    ],
)
def test_a_redrive_policy_is_checked(sqs: SQSClient, policy: str, reason: str) -> None:
    code, text = refusal(lambda: create_queue(sqs, RedrivePolicy=policy))
    assert code == "InvalidParameterValue"
    assert reason in text


def test_a_dead_letter_queue_may_choose_its_sources(sqs: SQSClient) -> None:
    allowed = unique("allowed")
    permission = {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [f"arn:aws:sqs:us-east-1:{ACCOUNT}:{allowed}"],
    }
    dead_letters = create_queue(sqs, RedriveAllowPolicy=json.dumps(permission))
    redrive = json.dumps({"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": 3})
    create_queue(sqs, allowed, RedrivePolicy=redrive)
    code, _ = refusal(lambda: create_queue(sqs, RedrivePolicy=redrive))
    assert code == "InvalidParameterValue"

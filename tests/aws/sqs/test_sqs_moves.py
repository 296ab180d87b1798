"""Message move tasks of Amazon SQS: dead letters sent back, or elsewhere."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev, wait_until
from support.fifo import create_fifo, create_fifo_with_dead_letters, send
from support.queues import arn_of, bodies, counts, create_queue, receive, system_attributes

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def _pipe(sqs: SQSClient, messages: int) -> tuple[str, str]:
    """A queue and its dead-letter queue, in which so many messages lie."""
    dead_letters = create_queue(sqs)
    redrive = json.dumps({"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": 1})
    url = create_queue(sqs, RedrivePolicy=redrive, VisibilityTimeout="0")
    for number in range(messages):
        sqs.send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId="tenant")
    for _ in range(2 + messages // 10):
        receive(sqs, url)
        receive(sqs, url)
    assert counts(sqs, dead_letters) == (messages, 0, 0)
    return url, dead_letters


def _start(sqs: SQSClient, dead_letters: str, **options: Any) -> str:
    return sqs.start_message_move_task(SourceArn=arn_of(dead_letters), **options)["TaskHandle"]


def _latest(sqs: SQSClient, dead_letters: str) -> dict[str, Any]:
    (task,) = sqs.list_message_move_tasks(SourceArn=arn_of(dead_letters))["Results"]
    return cast("dict[str, Any]", task)


def _ended(sqs: SQSClient, dead_letters: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        task = _latest(sqs, dead_letters)
        return task if task["Status"] != "RUNNING" else None

    return wait_until("the end of the task", look)


def test_dead_letters_go_back_to_where_they_died(sqs: SQSClient) -> None:
    url, dead_letters = _pipe(sqs, 12)
    _start(sqs, dead_letters)
    task = _ended(sqs, dead_letters)
    assert task.pop("StartedTimestamp") > 10**12
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": arn_of(dead_letters),
        "ApproximateNumberOfMessagesMoved": 12,
        "ApproximateNumberOfMessagesToMove": 12,
    }
    assert (counts(sqs, dead_letters), counts(sqs, url)) == ((0, 0, 0), (12, 0, 0))


def test_a_message_that_is_moved_is_a_new_one(sqs: SQSClient, emulator: Dev) -> None:
    url, dead_letters = _pipe(sqs, 1)
    (dead,) = receive(sqs, dead_letters, VisibilityTimeout=0)
    emulator.advance(5)
    _start(sqs, dead_letters)
    _ended(sqs, dead_letters)
    (moved,) = receive(sqs, url)
    assert moved.get("MessageId") != dead.get("MessageId")
    system = system_attributes(moved)
    assert int(system["SentTimestamp"]) - int(system_attributes(dead)["SentTimestamp"]) == 5000
    assert (system["ApproximateReceiveCount"], system["MessageGroupId"]) == ("1", "tenant")
    assert "DeadLetterQueueSourceArn" not in system


def test_messages_move_at_their_rate_and_a_task_can_be_cancelled(sqs: SQSClient, emulator: Dev) -> None:
    _, dead_letters = _pipe(sqs, 10)
    other = create_queue(sqs)
    handle = _start(sqs, dead_letters, DestinationArn=arn_of(other), MaxNumberOfMessagesPerSecond=2)
    task = _latest(sqs, dead_letters)
    assert (task["Status"], task["TaskHandle"], task["ApproximateNumberOfMessagesMoved"]) == ("RUNNING", handle, 0)
    assert (task["DestinationArn"], task["MaxNumberOfMessagesPerSecond"]) == (arn_of(other), 2)
    for seconds, moved in ((0.4, 0), (0.1, 1), (1, 3)):
        emulator.advance(seconds)
        assert counts(sqs, other)[0] == moved
    assert "There is already a task running." in refusal(lambda: _start(sqs, dead_letters))[1]
    assert sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] == 3
    emulator.advance(10)
    task = _latest(sqs, dead_letters)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"], "TaskHandle" in task) == ("CANCELLED", 3, False)
    assert (counts(sqs, dead_letters), counts(sqs, other)) == ((7, 0, 0), (3, 0, 0))
    assert refusal(lambda: sqs.cancel_message_move_task(TaskHandle=handle)) == (
        "AWS.SimpleQueueService.UnsupportedOperation",
        "Only active tasks can be cancelled.",
    )


def test_fifo_dead_letters_go_back_in_order(sqs: SQSClient) -> None:
    url, dead_letters = create_fifo_with_dead_letters(sqs, VisibilityTimeout="0")
    for body in ("a1", "a2", "b1", "a3"):
        send(sqs, url, body)
    receive(sqs, url)
    assert receive(sqs, url) == []
    _start(sqs, dead_letters)
    assert _ended(sqs, dead_letters)["ApproximateNumberOfMessagesMoved"] == 4
    assert bodies(receive(sqs, url)) == ["a1", "a2", "a3", "b1"]


def test_the_ten_latest_tasks_are_listed(sqs: SQSClient) -> None:
    _, dead_letters = _pipe(sqs, 0)
    for rate in range(1, 13):
        _start(sqs, dead_letters, MaxNumberOfMessagesPerSecond=rate)
        _ended(sqs, dead_letters)

    def rates(most: int) -> list[int | None]:
        found = sqs.list_message_move_tasks(SourceArn=arn_of(dead_letters), MaxResults=most)["Results"]
        return [task.get("MaxNumberOfMessagesPerSecond") for task in found]

    assert rates(10) == list(range(12, 2, -1))
    assert rates(3) == [12, 11, 10]
    for most in (0, 11):
        assert refusal(rates, most)[0] == "InvalidParameterValue"


def test_a_task_fails_where_messages_have_nowhere_to_go(sqs: SQSClient, emulator: Dev) -> None:
    _, dead_letters = _pipe(sqs, 0)
    sqs.send_message(QueueUrl=dead_letters, MessageBody="sent here, never died")
    _start(sqs, dead_letters)
    task = _ended(sqs, dead_letters)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    other = create_queue(sqs)
    _start(sqs, dead_letters, DestinationArn=arn_of(other), MaxNumberOfMessagesPerSecond=1)
    sqs.delete_queue(QueueUrl=other)
    emulator.advance(1)
    task = _ended(sqs, dead_letters)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
    assert counts(sqs, dead_letters) == (1, 0, 0)


def test_a_task_is_refused_in_the_words_of_aws(sqs: SQSClient) -> None:
    url, dead_letters = _pipe(sqs, 1)
    missing = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{unique('missing')}"

    def started(source: str, **options: Any) -> tuple[str, str]:
        return refusal(lambda: sqs.start_message_move_task(SourceArn=source, **options))

    not_there = "The resource that you specified for the {} parameter doesn't exist."
    assert started(arn_of(url)) == (
        "InvalidParameterValue",
        "Source queue must be configured as a Dead Letter Queue.",
    )
    assert started(missing) == ("ResourceNotFoundException", not_there.format("SourceArn"))
    assert started(arn_of(dead_letters), DestinationArn=missing) == (
        "ResourceNotFoundException",
        not_there.format("DestinationArn"),
    )
    for destination in (arn_of(dead_letters), arn_of(create_fifo(sqs))):
        assert started(arn_of(dead_letters), DestinationArn=destination)[0] == "InvalidParameterValue"
    for rate in (0, 501):
        assert started(arn_of(dead_letters), MaxNumberOfMessagesPerSecond=rate)[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("source", "code", "text"),
    [
        (None, "InvalidParameterValue", "Value for parameter TaskHandle is invalid."),
        (
            "missing",
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        ),
        ("there", "ResourceNotFoundException", "Task does not exist."),
    ],
)
def test_an_unknown_task_cannot_be_cancelled(sqs: SQSClient, source: str | None, code: str, text: str) -> None:
    arn = arn_of(create_queue(sqs)) if source == "there" else f"arn:aws:sqs:us-east-1:{ACCOUNT}:{unique('missing')}"
    handle = base64.b64encode(json.dumps({"taskId": "x", "sourceArn": arn}).encode()).decode() if source else "nonsense"
    assert refusal(lambda: sqs.cancel_message_move_task(TaskHandle=handle)) == (code, text)

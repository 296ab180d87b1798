"""Receives of Amazon SQS that wait, as any AWS client sees them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from support.dev import DEADLINE_SECONDS, Dev
from support.queues import bodies, create_queue, in_background, join_while, receive

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def test_a_waiting_receive_gets_a_message_that_is_sent(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    thread, found = in_background(lambda: receive(sqs, url, WaitTimeSeconds=20))
    join_while(thread, lambda: sqs.send_message(QueueUrl=url, MessageBody="m"))
    assert set(bodies(found)) == {"m"}


def test_a_waiting_receive_gets_a_message_that_becomes_visible(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs, ReceiveMessageWaitTimeSeconds="20")
    sqs.send_message(QueueUrl=url, MessageBody="m", DelaySeconds=3)
    thread, found = in_background(lambda: receive(sqs, url))
    join_while(thread, lambda: emulator.advance(0.5))
    assert bodies(found) == ["m"]


def test_a_waiting_receive_ends_empty_after_its_time(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    thread, found = in_background(lambda: receive(sqs, url, WaitTimeSeconds=20))
    join_while(thread, lambda: emulator.advance(5))
    assert found == []


def test_deleting_a_queue_ends_the_receives_that_wait(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    ended: list[str] = []

    def wait() -> None:
        try:
            receive(sqs, url, WaitTimeSeconds=20)
        except sqs.exceptions.QueueDoesNotExist:
            ended.append("refused")
        else:
            ended.append("empty")

    thread = threading.Thread(target=wait)
    thread.start()
    sqs.delete_queue(QueueUrl=url)
    thread.join(DEADLINE_SECONDS)
    assert ended in (["empty"], ["refused"])

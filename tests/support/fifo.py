"""FIFO queues of tests, in boto3's types."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from support.aws import unique
from support.queues import arn_of, create_queue

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_numbers = itertools.count()


def create_fifo(sqs: SQSClient, **attributes: str) -> str:
    return create_queue(sqs, f"{unique('queue')}.fifo", FifoQueue="true", **attributes)


def create_fifo_with_dead_letters(sqs: SQSClient, max_receive_count: int = 1, **attributes: str) -> tuple[str, str]:
    """A queue and its dead-letter queue."""
    dead_letters = create_fifo(sqs)
    redrive = json.dumps({"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": max_receive_count})
    return create_fifo(sqs, RedrivePolicy=redrive, **attributes), dead_letters


def send(sqs: SQSClient, url: str, body: str, group: str | None = None, **options: Any) -> Any:
    """One message with a de-duplication id of its own; its group is the first letter of the body."""
    params: Any = {"MessageGroupId": group or body[0], "MessageDeduplicationId": str(next(_numbers)), **options}
    return sqs.send_message(QueueUrl=url, MessageBody=body, **params)

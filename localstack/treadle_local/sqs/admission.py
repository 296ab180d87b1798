"""What a queue takes, by its kind: groups and de-duplication ids are the matter of FIFO queues."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from treadle_local.sqs.errors import missing_parameter, no_deduplication, wrong_queue_type
from treadle_local.sqs.message import Message
from treadle_local.sqs.settings import QueueSettings

_FIRST_SEQUENCE_NUMBER = 18_800_000_000_000_000_000

DeduplicationKey = tuple[str | None, str | None]


def admit(message: Message, settings: QueueSettings) -> Message:
    """The message as the queue takes it: in a FIFO queue with the de-duplication id that its content may give.

    Raises: `MissingParameter`, `InvalidParameterValue`.
    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    if not settings.fifo:
        if message.deduplication_id is not None:
            raise wrong_queue_type(message.deduplication_id, "MessageDeduplicationId")
        return message
    if message.group_id is None:
        raise missing_parameter("MessageGroupId")
    if message.deduplication_id is not None:
        return message
    if not settings.content_based_deduplication:
        raise no_deduplication()
    return replace(message, deduplication_id=hashlib.sha256(message.body.encode()).hexdigest())


def deduplication_key(message: Message, settings: QueueSettings) -> DeduplicationKey:
    """What two messages share that the queue takes for the same one."""
    group_id = message.group_id if settings.deduplication_scope == "messageGroup" else None
    return group_id, message.deduplication_id


def sequence_number(serial: int) -> str:
    """The sequence number of a FIFO queue's message: 20 digits that grow with the serial number.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    return str(_FIRST_SEQUENCE_NUMBER + serial * 256)

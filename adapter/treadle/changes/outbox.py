"""Puts messages into the queues of steps, ten at a time, and tells which were not taken."""

from __future__ import annotations

from treadle.aws.sqs import send_messages
from treadle.live.parallel import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.aws.client import AwsClient

BATCH_ENTRIES = 10
MESSAGE_BYTES_LIMIT = 1_048_576
"""Of one message, and of a batch of them.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""


class Outgoing:
    """A message for a queue. `number` is that of the change in its batch; `name` tells it from all others.

    `error` says why it was not taken, after `send_all`.
    """

    __slots__ = ("attribute", "body", "error", "name", "number", "place", "queue_url", "size")

    def __init__(
        self, number: int, name: str, queue_url: str, body: str, attribute: str, place: tuple[str, str] | None
    ) -> None:
        self.number = number
        self.name = name
        self.queue_url = queue_url
        self.body = body
        self.attribute = attribute
        self.place = place
        self.size = len(body.encode()) + len(attribute) + len("treadleString")
        self.error: Exception | None = None


class NotTaken(Exception):  # noqa: N818 - stands in dead-lettered messages
    """SQS has refused a message. `is_final`: it would do so again."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


def send_all(client: AwsClient, messages: list[Outgoing]) -> None:
    """Sends the messages, those of a queue in their order; what was not taken has an `error` afterwards."""
    queues: dict[str, list[Outgoing]] = {}
    for message in messages:
        queues.setdefault(message.queue_url, []).append(message)

    def send(queue_url: str) -> None:
        for batch in _batches(queues[queue_url]):
            _send(client, queue_url, batch)

    for_each(send, list(queues))


def _batches(messages: list[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == BATCH_ENTRIES or size + message.size > MESSAGE_BYTES_LIMIT):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += message.size
    yield batch


def _send(client: AwsClient, queue_url: str, batch: list[Outgoing]) -> None:
    try:
        failed = send_messages(client, queue_url, [_entry(index, message) for index, message in enumerate(batch)])
    except Exception as error:
        for message in batch:
            message.error = error
        return
    for identifier, failure in failed.items():
        text = f"{failure.get('Code')}: {failure.get('Message')}"
        batch[int(identifier)].error = NotTaken(text, is_final=failure.get("SenderFault") is True)


def _entry(index: int, message: Outgoing) -> dict[str, object]:
    entry: dict[str, object] = {
        "Id": str(index),
        "MessageBody": message.body,
        "MessageAttributes": {"treadle": {"DataType": "String", "StringValue": message.attribute}},
    }
    if message.place is not None:
        entry["MessageGroupId"], entry["MessageDeduplicationId"] = message.place
    return entry

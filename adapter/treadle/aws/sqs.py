"""The SQS operations that an event step needs: to wait before a retry, and to dead-letter.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.aws.client import AwsClient

_TARGET = "AmazonSQS"


def change_visibility(client: AwsClient, queue_url: str, receipt_handle: str, seconds: int) -> None:
    """Makes a received message visible again in so many seconds from now.

    Raises: AwsCallError.
    """
    payload = {"QueueUrl": queue_url, "ReceiptHandle": receipt_handle, "VisibilityTimeout": seconds}
    client.json_call("sqs", "ChangeMessageVisibility", _TARGET, f"queue {queue_url}", payload)


def send_message(
    client: AwsClient, queue_url: str, body: str, attributes: dict[str, str], place: tuple[str, str] | None = None
) -> None:
    """Sends one message with these text attributes, none of them empty.

    `place`: the group and the de-duplication id in a FIFO queue.

    Raises: AwsCallError.
    """
    payload: dict[str, object] = {
        "QueueUrl": queue_url,
        "MessageBody": body,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
    if place is not None:
        payload["MessageGroupId"], payload["MessageDeduplicationId"] = place
    client.json_call("sqs", "SendMessage", _TARGET, f"queue {queue_url}", payload)


def send_messages(client: AwsClient, queue_url: str, entries: list[dict[str, object]]) -> dict[str, dict[str, Any]]:
    """Sends up to ten messages, and returns what was wrong with those that were not taken, by their `Id`.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
    Raises: AwsCallError where none was taken.
    """
    payload = {"QueueUrl": queue_url, "Entries": entries}
    answer: dict[str, Any] = client.json_call("sqs", "SendMessageBatch", _TARGET, f"queue {queue_url}", payload)
    return {failed["Id"]: failed for failed in answer.get("Failed") or ()}


def attribute_text(text: str) -> str:
    """`text` fit for a message attribute: not empty, without the characters that SQS refuses.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    import re

    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text) or "(none)"

"""Queues of tests, in boto3's types."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from support.aws import ACCOUNT, unique
from support.dev import DEADLINE_SECONDS

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef


def create_queue(sqs: SQSClient, name: str | None = None, **attributes: str) -> str:
    return sqs.create_queue(QueueName=name or unique("queue"), Attributes=cast("Any", attributes))["QueueUrl"]


def arn_of(url: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rsplit('/', 1)[1]}"


def receive(sqs: SQSClient, url: str, most: int = 10, **options: Any) -> list[MessageTypeDef]:
    return sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=most,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
        **options,
    ).get("Messages", [])


def receipt(message: MessageTypeDef) -> str:
    return message.get("ReceiptHandle", "")


def bodies(messages: list[MessageTypeDef]) -> list[str]:
    return [message.get("Body", "") for message in messages]


def system_attributes(message: MessageTypeDef) -> Mapping[str, str]:
    return cast("Mapping[str, str]", message.get("Attributes", {}))


def counts(sqs: SQSClient, url: str) -> tuple[int, int, int]:
    """Visible, in flight, delayed."""
    names: Any = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )
    found = cast("Mapping[str, str]", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"])
    return cast("tuple[int, int, int]", tuple(int(found[name]) for name in names))


def in_background(call: Callable[[], list[MessageTypeDef]]) -> tuple[threading.Thread, list[MessageTypeDef]]:
    found: list[MessageTypeDef] = []
    thread = threading.Thread(target=lambda: found.extend(call()))
    thread.start()
    return thread, found


def join_while(thread: threading.Thread, act: Callable[[], object]) -> None:
    """Acts over and over until the thread ends, since nobody can see from outside that a receive has begun to wait."""
    end = time.monotonic() + DEADLINE_SECONDS
    while thread.is_alive():
        assert time.monotonic() < end
        act()
        thread.join(0.05)

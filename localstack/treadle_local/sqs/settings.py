"""What a queue's owner sets on it, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

MAXIMUM_MESSAGE_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """The policy on a queue; `text` is the JSON as it was given, which AWS gives back byte for byte."""

    document: dict[str, Any]
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Redrive:
    """Messages that were received `max_receive_count` times go to the queue `dead_letter_arn` next."""

    dead_letter_arn: str
    max_receive_count: int
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class RedriveAllow:
    """Which queues may name this one as their dead-letter queue."""

    permission: Literal["allowAll", "denyAll", "byQueue"]
    source_arns: frozenset[str]
    text: str = field(compare=False)

    def permits(self, source_arn: str) -> bool:
        match self.permission:
            case "allowAll":
                return True
            case "denyAll":
                return False
            case "byQueue":
                return source_arn in self.source_arns


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The settings of a queue, with AWS's defaults.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    """

    delay_seconds: int = 0
    maximum_message_bytes: int = MAXIMUM_MESSAGE_BYTES
    retention_seconds: int = 345_600
    receive_wait_seconds: int = 0
    visibility_timeout_seconds: int = 30
    policy: QueuePolicy | None = None
    redrive: Redrive | None = None
    redrive_allow: RedriveAllow | None = None
    sqs_managed_encryption: bool = True
    kms_key_id: str | None = None
    kms_data_key_reuse_seconds: int = 300
    fifo: bool = False
    content_based_deduplication: bool = False
    deduplication_scope: Literal["queue", "messageGroup"] = "queue"
    throughput_limit: Literal["perQueue", "perMessageGroupId"] = "perQueue"

"""Messages of a queue as values, with the digests and sizes that AWS computes from them."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

NO_ATTRIBUTES: Mapping[str, MessageAttribute] = MappingProxyType(dict[str, "MessageAttribute"]())


@dataclass(frozen=True, slots=True)
class MessageAttribute:
    """One message attribute; `value` is text for the types String and Number, bytes for Binary."""

    data_type: str
    value: str | bytes

    @property
    def encoded(self) -> bytes:
        return self.value.encode() if isinstance(self.value, str) else self.value


@dataclass(frozen=True, slots=True)
class Message:
    """What a producer handed over; it stays the same however often it is received, and in a dead-letter queue too.

    `sent_at` is in seconds since the epoch. `trace_header` is the X-Ray header (`AWSTraceHeader`).
    """

    message_id: str
    body: str
    body_md5: str
    sent_at: float
    sender_id: str
    attributes: Mapping[str, MessageAttribute] = field(default_factory=lambda: NO_ATTRIBUTES)
    attributes_md5: str = ""
    trace_header: str | None = None
    group_id: str | None = None
    deduplication_id: str | None = None


class Sent(NamedTuple):
    """What the sender of a message is told; for a duplicate it is what the first of its kind was told.

    `sequence_number` (20 digits) grows within a FIFO queue; None in a standard queue.
    """

    message_id: str
    sequence_number: str | None


class ReceivedMessage(NamedTuple):
    """One delivery of a message: what only this receive knows about it.

    A named tuple, which is made in a third of the time of a frozen dataclass: one is made for every receive.
    `receive_count` counts over all queues that the message has been in, this receive included.
    """

    message: Message
    receipt: str
    receive_count: int
    first_received_at: float
    dead_letter_source_arn: str | None
    sequence_number: str | None = None


def new_message_id() -> str:
    """A random UUID (version 4) as text."""
    digits = bytearray(os.urandom(16))
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def md5(data: bytes) -> str:
    """The hexadecimal MD5 digest: a checksum of the SQS protocol, not a protection."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def attributes_md5(attributes: Mapping[str, MessageAttribute]) -> str:
    """The digest that clients verify: over each attribute in order of name, every part led by its length.

    Empty text without attributes.
    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
    """
    if not attributes:
        return ""
    parts: list[bytes] = []
    for name in sorted(attributes):
        attribute = attributes[name]
        value = attribute.encoded
        encoded_name, data_type = name.encode(), attribute.data_type.encode()
        transport = b"\x01" if isinstance(attribute.value, str) else b"\x02"
        parts += (
            struct.pack(">I", len(encoded_name)),
            encoded_name,
            struct.pack(">I", len(data_type)),
            data_type,
            transport,
            struct.pack(">I", len(value)),
            value,
        )
    return md5(b"".join(parts))


def attributes_bytes(attributes: Mapping[str, MessageAttribute]) -> int:
    """The bytes of all names, types and values, which count towards the size of a message.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
    """
    return sum(
        len(name.encode()) + len(attribute.data_type.encode()) + len(attribute.encoded)
        for name, attribute in attributes.items()
    )

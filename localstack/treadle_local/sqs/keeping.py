"""What a queue tells whoever writes down what it holds, so that it outlives the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from treadle_local.sqs.admission import DeduplicationKey
from treadle_local.sqs.message import Message, Sent


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message with all that a queue knows of it. Times are in seconds since the epoch.

    `visible_at` is None for one that may be received at once; whether a message is in flight is not kept.
    """

    message: Message
    enqueued_at: float
    visible_at: float | None
    receive_count: int
    receives_here: int
    first_received_at: float
    dead_letter_source_arn: str | None


class Keeper(Protocol):
    """Keeps the messages of one queue."""

    def kept(self, serial: int, kept: KeptMessage) -> None:
        """A message came, or was received."""
        ...

    def gone(self, serial: int) -> None:
        """A message was deleted, moved, or became too old."""
        ...

    def emptied(self) -> None:
        """All messages were deleted."""
        ...

    def answered(self, key: DeduplicationKey, sent: Sent, at: float) -> None:
        """A sender was answered; a duplicate is told the same for five minutes."""
        ...

    def closed(self) -> None:
        """The queue was deleted."""
        ...

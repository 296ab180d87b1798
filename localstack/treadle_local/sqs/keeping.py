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


@dataclass(frozen=True, slots=True)
class KeptMove:
    """A message move task that runs, out of one queue.

    `started_at` is in seconds since the epoch, `rate` in messages a second. Without `destination_arn` each message goes
    to where it died.
    """

    handle: str
    destination_arn: str | None
    rate: int | None
    started_at: float
    to_move: int
    moved: int


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

    def moving(self, move: KeptMove | None) -> None:
        """The move task out of this queue began or went on; None when it has ended."""
        ...

    def closed(self) -> None:
        """The queue was deleted."""
        ...

"""What a FIFO topic knows of its messages: their numbers, and which of them were published before."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_SECONDS = 300
"""Source: https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html"""

_FIRST_NUMBER, _STEP = 10**19, 1_000

_Key = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class Published:
    """What a publisher is told; for a duplicate it is what the first of its kind was told.

    `sequence_number` (20 digits) grows within a FIFO topic; None in a standard topic.
    """

    message_id: str
    sequence_number: str | None


class FifoLog:
    """Numbers the messages of one topic, and remembers each de-duplication id for five minutes.

    A duplicate does not prolong the window. Every step costs O(1), taken over many.
    """

    __slots__ = ("_by_age", "_count", "_published")

    def __init__(self) -> None:
        self._count = 0
        self._published: dict[_Key, Published] = {}
        self._by_age: deque[tuple[float, _Key]] = deque()

    def find(self, scope: str | None, deduplication_id: str, now: float) -> Published | None:
        """The message with this id that was published within the window. `scope` is a group, None for the topic."""
        while self._by_age and self._by_age[0][0] <= now - WINDOW_SECONDS:
            del self._published[self._by_age.popleft()[1]]
        return self._published.get((scope, deduplication_id))

    def add(self, scope: str | None, deduplication_id: str, message_id: str, now: float) -> Published:
        """The next number, for a message that `find` has just not found."""
        self._count += 1
        published = Published(message_id, str(_FIRST_NUMBER + self._count * _STEP))
        self._published[scope, deduplication_id] = published
        self._by_age.append((now, (scope, deduplication_id)))
        return published

"""What a FIFO queue remembers for five minutes: answers to senders and to receivers that may ask again."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

WINDOW_SECONDS = 300
"""The window of de-duplication ids and of receive request attempt ids.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
"""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """Values by key, each forgotten five minutes after it was put in. Asking for one does not prolong its time."""

    __slots__ = ("_by_age", "_values")

    def __init__(self) -> None:
        self._values: dict[Key, tuple[float, Value]] = {}
        self._by_age: deque[tuple[float, Key]] = deque()

    def find(self, key: Key, now: float) -> Value | None:
        """The value, if it was put in within the window."""
        by_age = self._by_age
        while by_age and by_age[0][0] <= now:
            until, old = by_age.popleft()
            if (held := self._values.get(old)) is not None and held[0] == until:
                del self._values[old]
        found = self._values.get(key)
        return None if found is None else found[1]

    def put(self, key: Key, value: Value, now: float) -> None:
        until = now + WINDOW_SECONDS
        self._values[key] = (until, value)
        self._by_age.append((until, key))

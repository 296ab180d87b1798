"""What a FIFO queue remembers for five minutes: answers to senders and to receivers that may ask again."""

from __future__ import annotations

from collections import Counter, deque
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

    __slots__ = ("_ends", "_keys", "_renewed", "_values")

    def __init__(self) -> None:
        self._values: dict[Key, Value] = {}
        # side by side, the oldest first: pairs would be as many objects more for the garbage collector to look at
        self._keys: deque[Key] = deque()
        self._ends: deque[float] = deque()
        self._renewed: Counter[Key] = Counter()

    def find(self, key: Key, now: float) -> Value | None:
        """The value, if it was put in within the window."""
        ends = self._ends
        while ends and ends[0] <= now:
            ends.popleft()
            self._forget(self._keys.popleft())
        return self._values.get(key)

    def put(self, key: Key, value: Value, now: float) -> None:
        """Remembers the value from now on; no call has had a later `now`."""
        if key in self._values:
            self._renewed[key] += 1
        self._values[key] = value
        self._keys.append(key)
        self._ends.append(now + WINDOW_SECONDS)

    def _forget(self, key: Key) -> None:
        """The oldest time of the key has ended; it lives on where it was put in again since."""
        if key not in self._renewed:
            del self._values[key]
        elif self._renewed[key] == 1:
            del self._renewed[key]
        else:
            self._renewed[key] -= 1

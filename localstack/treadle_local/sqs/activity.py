"""What has happened in a queue since somebody last looked, for its metrics; at nearly no cost for each message."""

from __future__ import annotations

from collections.abc import Callable


class Activity:
    """Counts of messages. `wake` is called once when something happens while nobody is looking."""

    __slots__ = ("deleted", "is_watched", "received", "sent", "wake")

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0
        self.deleted = 0
        self.is_watched = True
        self.wake: Callable[[], None] = lambda: None

    def take(self) -> tuple[int, int, int]:
        """How many were sent, received and deleted since the last call."""
        counts = self.sent, self.received, self.deleted
        self.sent = self.received = self.deleted = 0
        return counts

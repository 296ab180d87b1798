"""Messages into a queue, and in a FIFO queue each only once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from treadle_local.sqs.activity import Activity
from treadle_local.sqs.admission import DeduplicationKey, deduplication_key, sequence_number
from treadle_local.sqs.message import Message, Sent
from treadle_local.sqs.remembered import Remembered
from treadle_local.sqs.settings import QueueSettings
from treadle_local.sqs.store import Store, Stored

Answered: TypeAlias = tuple[DeduplicationKey, Sent, float]
"""What a sender was told of messages with this key, and when, in seconds since the epoch."""


class Sending:
    """Puts admitted messages into the store, and remembers what senders to a FIFO queue were told."""

    __slots__ = ("_activity", "_answers", "_store")

    def __init__(self, store: Store, activity: Activity) -> None:
        self._store = store
        self._activity = activity
        self._answers: Remembered[DeduplicationKey, Sent] = Remembered()

    def send(self, message: Message, delay_seconds: int | None, settings: QueueSettings, now: float) -> Sent:
        """Takes in the message, unless it is the duplicate of one in the last five minutes: then that one's answer."""
        delay = settings.delay_seconds if delay_seconds is None else delay_seconds
        visible_at = now + delay if delay else None
        if not settings.fifo:
            self._activity.sent += 1
            self._store.put(Stored(message), message.sent_at, visible_at)
            return Sent(message.message_id, None)
        key = deduplication_key(message, settings)
        if (answered := self._answers.find(key, now)) is not None:
            return answered
        serial = self._store.put(Stored(message), message.sent_at, visible_at)
        sent = Sent(message.message_id, sequence_number(serial))
        self._answers.put(key, sent, now)
        if self._store.keeper is not None:
            self._store.keeper.answered(key, sent, now)
        self._activity.sent += 1
        return sent

    def restore(self, answers: Sequence[Answered]) -> None:
        """Takes over what a keeper was told of answers."""
        for key, sent, at in sorted(answers, key=lambda answer: answer[2]):
            self._answers.put(key, sent, at)

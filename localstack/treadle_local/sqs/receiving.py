"""Messages out of a queue: to who receives them, or to the dead-letter queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from treadle_local.sqs.activity import Activity
from treadle_local.sqs.admission import sequence_number
from treadle_local.sqs.message import ReceivedMessage
from treadle_local.sqs.receipts import parse_receipt, receipt_for
from treadle_local.sqs.remembered import Remembered
from treadle_local.sqs.settings import QueueSettings
from treadle_local.sqs.store import Store, Stored

IN_FLIGHT_LIMIT = 120_000
"""Of a queue of either kind.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html,
.../quotas-fifo.html
"""


class DeadLetterQueue(Protocol):
    """Where messages go that were received too often."""

    def adopt(self, dead: Sequence[Stored], source_arn: str, now: float) -> None:
        """Takes over messages that the queue `source_arn` gave up."""
        ...


class Receiving:
    """Hands out what is visible in a store, and remembers what receive requests with an attempt id were given.

    `token` begins all receipts of the queue.
    """

    __slots__ = ("_activity", "_arn", "_attempts", "_resolve", "_store", "token")

    def __init__(
        self,
        arn: str,
        token: str,
        store: Store,
        activity: Activity,
        resolve: Callable[[str], DeadLetterQueue | None],
    ) -> None:
        self.token = token
        self._arn = arn
        self._store = store
        self._activity = activity
        self._resolve = resolve
        self._attempts: Remembered[str, list[ReceivedMessage]] = Remembered()

    def take(
        self, max_messages: int, visibility_timeout_seconds: int | None, settings: QueueSettings, now: float
    ) -> list[ReceivedMessage]:
        """Up to `max_messages` messages, in flight from now on; what was received too often goes aside instead."""
        store = self._store
        visible_at = now + _timeout(visibility_timeout_seconds, settings)
        redrive = settings.redrive
        dead_letter_queue = self._resolve(redrive.dead_letter_arn) if redrive else None
        taken: list[ReceivedMessage] = []
        dead: list[Stored] = []
        room = min(max_messages, IN_FLIGHT_LIMIT - len(store.in_flight))
        group: str | None = None
        while room > 0 and (serials := store.ready.take(room, group)):
            group = store.messages[serials[-1]].message.group_id
            for serial in serials:
                stored = store.messages[serial]
                if redrive and dead_letter_queue and stored.receives_here >= redrive.max_receive_count:
                    dead.append(store.take_out(serial))
                    continue
                store.hand_out(serial, stored, visible_at, now)
                taken.append(self._received(serial, stored, settings))
                room -= 1
        if dead_letter_queue and dead:
            dead_letter_queue.adopt(dead, self._arn, now)
        self._activity.received += len(taken)
        return taken

    def hold(self, attempt_id: str, messages: list[ReceivedMessage], now: float) -> list[ReceivedMessage]:
        """The same messages, noted as those of the attempt."""
        if messages:
            for message in messages:
                self._store.messages[parse_receipt(self.token, message.receipt)[0]].attempt_id = attempt_id
            self._attempts.put(attempt_id, messages, now)
        return messages

    def repeat(
        self, attempt_id: str, visibility_timeout_seconds: int | None, settings: QueueSettings, now: float
    ) -> list[ReceivedMessage]:
        """What the attempt received before, invisible anew; empty unless it still holds all of it.

        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
        """
        store = self._store
        messages = self._attempts.find(attempt_id, now) or []
        receipts = [parse_receipt(self.token, message.receipt) for message in messages]
        if not all(
            store.is_held(*receipt) and store.messages[receipt[0]].attempt_id == attempt_id for receipt in receipts
        ):
            return []
        for serial, _ in receipts:
            store.messages[serial].received_at = now
            store.in_flight.set(serial, now + _timeout(visibility_timeout_seconds, settings))
        return messages

    def give_back(self, messages: Sequence[ReceivedMessage]) -> None:
        """Makes visible again, uncounted, what nobody has got to see."""
        for received in messages:
            self._store.give_back(parse_receipt(self.token, received.receipt)[0])

    def _received(self, serial: int, stored: Stored, settings: QueueSettings) -> ReceivedMessage:
        return ReceivedMessage(
            stored.message,
            receipt_for(self.token, serial, stored.receive_count),
            stored.receive_count,
            stored.first_received_at,
            stored.dead_letter_source_arn,
            sequence_number(serial) if settings.fifo else None,
        )


def _timeout(visibility_timeout_seconds: int | None, settings: QueueSettings) -> int:
    if visibility_timeout_seconds is None:
        return settings.visibility_timeout_seconds
    return visibility_timeout_seconds

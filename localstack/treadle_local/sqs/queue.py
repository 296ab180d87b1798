"""The data plane of one queue: sending, receiving, visibility, dead letters, long polling, on the emulator's clock."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from treadle_local.clock import Clock, Timer
from treadle_local.sqs.activity import Activity
from treadle_local.sqs.admission import DeduplicationKey, admit, deduplication_key, sequence_number
from treadle_local.sqs.deadlines import Deadlines
from treadle_local.sqs.errors import (
    message_not_available,
    queue_does_not_exist,
    receipt_expired,
    visibility_beyond_limit,
)
from treadle_local.sqs.keeping import Keeper, KeptMessage
from treadle_local.sqs.memory import release
from treadle_local.sqs.message import Message, ReceivedMessage, Sent
from treadle_local.sqs.ready import FifoOrder, Order, StandardOrder
from treadle_local.sqs.receipts import parse_receipt, receipt_for
from treadle_local.sqs.remembered import Remembered
from treadle_local.sqs.settings import QueueSettings
from treadle_local.sqs.waiting import Waiter, Waiters

IN_FLIGHT_LIMIT = 120_000
"""Of a queue of either kind.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html,
.../quotas-fifo.html
"""
VISIBILITY_LIMIT_SECONDS = 43_200
"""From the receive on, however often it is prolonged.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
"""


_LONG = 10_000
_SERIALS_PER_SECOND = 1_000_000
"""More than a queue here can take in: numbers that are taken from the time are larger than all before it."""


class _Stored:
    """A message while it is in this queue.

    `receives_here` counts towards this queue's redrive; `attempt_id` is the receive request that holds the message, as
    long as its visibility is what that request made it.
    """

    __slots__ = (
        "attempt_id",
        "dead_letter_source_arn",
        "first_received_at",
        "message",
        "receive_count",
        "received_at",
        "receives_here",
    )

    def __init__(self, message: Message) -> None:
        self.message = message
        self.receive_count = 0
        self.receives_here = 0
        self.first_received_at = 0.0
        self.received_at = 0.0
        self.dead_letter_source_arn: str | None = None
        self.attempt_id: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages are in each state; every message is in exactly one."""

    visible: int
    in_flight: int
    delayed: int


class Queue:
    """A standard or FIFO queue. Every operation costs O(log n) at any depth.

    It lives on the event loop's thread and is used on no other: operations run to their end one after the other,
    which is all the locking there is. A message is visible (in `_ready`), delayed or in flight, and all are in
    `_messages` by serial number. Time is read when something is asked; a timer runs only while a receive waits.
    """

    def __init__(self, arn: str, settings: QueueSettings, clock: Clock, resolve: Callable[[str], Queue | None]) -> None:
        self.arn = arn
        self.settings = settings
        self.closed = False
        self.activity = Activity()
        self._clock = clock
        self._resolve = resolve
        self.keeper: Keeper | None = None
        self.token = secrets.token_hex(8)
        self._serials = itertools.count(1)
        self._empty_at = 0
        self._messages: dict[int, _Stored] = {}
        self._ready: Order = FifoOrder() if settings.fifo else StandardOrder()
        self._delayed = Deadlines()
        self._in_flight = Deadlines()
        self._sent = Deadlines()
        self._answers: Remembered[DeduplicationKey, Sent] = Remembered()
        self._attempts: Remembered[str, list[ReceivedMessage]] = Remembered()
        self._waiters = Waiters()
        self._timer: Timer | None = None
        self._timer_at = 0.0

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]

    @property
    def in_flight_limit_reached(self) -> bool:
        return len(self._in_flight) >= IN_FLIGHT_LIMIT

    def counts(self) -> Counts:
        self._catch_up(self._clock.now())
        return Counts(len(self._ready), len(self._in_flight), len(self._delayed))

    def oldest_sent_at(self) -> float | None:
        """When the oldest message was sent, in seconds since the epoch; None in an empty queue."""
        return self._sent.earliest()

    def has_receivable(self) -> bool:
        """Whether a receive would get a message now; one that waits for its group in a FIFO queue is none."""
        self._catch_up(self._clock.now())
        return bool(self._ready)

    def restore(
        self,
        token: str | None,
        messages: Mapping[int, KeptMessage],
        answers: Sequence[tuple[DeduplicationKey, Sent, float]],
    ) -> None:
        """Takes over what a keeper was told, before anybody knows this queue: in the order of the serial numbers.

        With the old token older receipts stay good. Serial numbers go on behind all that may ever have been given.
        """
        now = self._clock.now()
        self.token = token or self.token
        for serial, kept in sorted(messages.items()):
            stored = _Stored(kept.message)
            stored.receive_count, stored.receives_here = kept.receive_count, kept.receives_here
            stored.first_received_at = stored.received_at = kept.first_received_at
            stored.dead_letter_source_arn = kept.dead_letter_source_arn
            self._serials = itertools.count(serial)
            self._put(stored, kept.enqueued_at, kept.visible_at)
        for key, sent, at in sorted(answers, key=lambda answer: answer[2]):
            self._answers.put(key, sent, at)
        if token is not None:
            self._serials = itertools.count(max(next(self._serials), int(now * _SERIALS_PER_SECOND)))

    # sending

    def admit(self, message: Message) -> Message:
        """The message as this queue takes it, with the de-duplication id that its content gives. Raises: as `send`."""
        return admit(message, self.settings)

    def send(self, message: Message, delay_seconds: int | None = None) -> Sent:
        """Puts a message into the queue; `delay_seconds` goes before the queue's own delay.

        A FIFO queue takes a message that was sent before, and keeps only the first of its kind: the answer is that
        one's. Raises: `MissingParameter`, `InvalidParameterValue` for a message that a FIFO queue does not take
        (without group, or without de-duplication id where the content does not give one).
        """
        now = self._clock.now()
        sent = self._send(admit(message, self.settings), delay_seconds, now)
        if self._waiters:
            self._serve(now)
        return sent

    def send_all(self, messages: Sequence[tuple[Message, int | None]]) -> list[Sent]:
        """Puts admitted messages, each with its delay, into the queue; a waiting receive may get them in one batch."""
        now = self._clock.now()
        sent = [self._send(message, delay_seconds, now) for message, delay_seconds in messages]
        if self._waiters:
            self._serve(now)
        return sent

    # receiving

    def receive_now(
        self, max_messages: int, visibility_timeout_seconds: int | None = None, attempt_id: str | None = None
    ) -> list[ReceivedMessage]:
        """Up to `max_messages` visible messages, which are in flight from now on; empty when there are none.

        A receive with the attempt id of an earlier one gets the same again, as long as nothing happened to it.
        Raises: `QueueDoesNotExist` when the queue was deleted.
        """
        if self.closed:
            raise queue_does_not_exist()
        now = self._clock.now()
        self._catch_up(now)
        if attempt_id is None:
            return self._take(max_messages, visibility_timeout_seconds, now)
        messages = self._repeat(attempt_id, visibility_timeout_seconds, now)
        return messages or self._held(attempt_id, self._take(max_messages, visibility_timeout_seconds, now), now)

    async def receive(
        self,
        max_messages: int,
        wait_seconds: float,
        visibility_timeout_seconds: int | None = None,
        attempt_id: str | None = None,
    ) -> list[ReceivedMessage]:
        """As `receive_now`, but waits up to `wait_seconds` for the first message.

        A receive that is cancelled takes nothing: what was already handed to it is visible again, uncounted.
        """
        messages = self.receive_now(max_messages, visibility_timeout_seconds, attempt_id)
        if messages or wait_seconds <= 0:
            return messages
        waiter, number = Waiter(max_messages, visibility_timeout_seconds), next(self._serials)
        self._waiters.add(number, waiter, self._clock.now() + wait_seconds)
        self._set_timer()
        try:
            messages = await waiter.future
        except asyncio.CancelledError:
            if not waiter.future.cancelled():
                self._give_back(waiter.future.result())
            raise
        finally:
            self._waiters.drop(number)
        return messages if attempt_id is None else self._held(attempt_id, messages, self._clock.now())

    # what was received

    def delete(self, receipt: str) -> None:
        """Removes the message for good; one that is gone already is no error.

        A standard queue takes older receipts of the message too, a FIFO queue only that of the receive which still
        holds it. Raises: `ReceiptHandleIsInvalid`, `InvalidParameterValue`.
        """
        serial, receive_count = parse_receipt(self.token, receipt)
        if self.settings.fifo:
            due = self._in_flight.at(serial)
            expired = due is None or due <= self._clock.now() or not self._holds(serial, receive_count)
            if expired and serial in self._messages:
                raise receipt_expired(receipt)
        self.activity.deleted += serial in self._messages
        self._remove(serial)
        if self._waiters and self._ready:
            self._serve(self._clock.now())

    def change_visibility(self, receipt: str, timeout_seconds: int) -> None:
        """Makes the message visible again `timeout_seconds` from now (0: at once).

        Raises: `ReceiptHandleIsInvalid`; `InvalidParameterValue` when the message is not in flight, or would be for
        more than 12 hours.
        """
        serial, receive_count = parse_receipt(self.token, receipt)
        now = self._clock.now()
        self._catch_up(now)
        if serial not in self._in_flight or (self.settings.fifo and not self._holds(serial, receive_count)):
            raise message_not_available(receipt)
        stored = self._messages[serial]
        if now + timeout_seconds > stored.received_at + VISIBILITY_LIMIT_SECONDS:
            raise visibility_beyond_limit(timeout_seconds, VISIBILITY_LIMIT_SECONDS)
        stored.attempt_id = None
        self._in_flight.set(serial, now + timeout_seconds)
        if self._waiters:
            self._serve(now)

    # the queue as a whole

    def pop(self, may_go: Callable[[str | None], bool]) -> Message | None:
        """Takes out the next visible message, if there is one and `may_go` lets it.

        `may_go` is asked with the ARN of the queue in which the message died, None where it was sent here.
        """
        self._catch_up(self._clock.now())
        for serial in self._ready.take(1):
            stored = self._messages[serial]
            if may_go(stored.dead_letter_source_arn):
                return self._pop_taken(serial).message
            self._ready.give_back(serial, stored.message.group_id)
        return None

    def purge(self) -> None:
        """Removes all messages."""
        if self.keeper is not None:
            self.keeper.emptied()
        self._messages.clear()
        self._ready.clear()
        for deadlines in (self._delayed, self._in_flight, self._sent):
            deadlines.clear()

    def close(self) -> None:
        """Ends the queue: its messages are gone, receives that wait return empty, further ones are refused."""
        self.closed = True
        if self.keeper is not None:
            self.keeper.closed()
            self.keeper = None
        self.purge()
        self._waiters.end_all()
        if self._timer is not None:
            self._timer.cancel()

    def apply(self, settings: QueueSettings) -> None:
        """Changes the settings.

        A shorter retention applies to the messages that are there already, and so does another delay of a FIFO queue.
        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
        """
        if settings.fifo and settings.delay_seconds != self.settings.delay_seconds:
            for serial in self._delayed.serials():
                self._delayed.set(serial, self._messages[serial].message.sent_at + settings.delay_seconds)
        self.settings = settings
        now = self._clock.now()
        self._catch_up(now)
        if self._waiters:
            self._serve(now)

    def _send(self, message: Message, delay_seconds: int | None, now: float) -> Sent:
        settings = self.settings
        delay = settings.delay_seconds if delay_seconds is None else delay_seconds
        visible_at = now + delay if delay else None
        if not settings.fifo:
            self.activity.sent += 1
            self._put(_Stored(message), message.sent_at, visible_at)
            return Sent(message.message_id, None)
        key = deduplication_key(message, settings)
        if (answered := self._answers.find(key, now)) is not None:
            return answered
        sent = Sent(message.message_id, sequence_number(self._put(_Stored(message), message.sent_at, visible_at)))
        self._answers.put(key, sent, now)
        if self.keeper is not None:
            self.keeper.answered(key, sent, now)
        self.activity.sent += 1
        return sent

    def _put(self, stored: _Stored, enqueued_at: float, visible_at: float | None) -> int:
        if not self.activity.is_watched:
            self.activity.wake()
        serial = next(self._serials)
        self._messages[serial] = stored
        self._sent.set(serial, enqueued_at)
        if visible_at is None:
            self._ready.add(serial, stored.message.group_id)
        else:
            self._delayed.set(serial, visible_at)
        if self.keeper is not None:
            self._keep(self.keeper, serial, stored)
        return serial

    def _keep(self, keeper: Keeper, serial: int, stored: _Stored) -> None:
        sent_at, visible_at = self._sent.at(serial), self._delayed.at(serial)
        kept = KeptMessage(
            stored.message,
            stored.message.sent_at if sent_at is None else sent_at,
            visible_at,
            stored.receive_count,
            stored.receives_here,
            stored.first_received_at,
            stored.dead_letter_source_arn,
        )
        keeper.kept(serial, kept)

    def _remove(self, serial: int) -> None:
        stored = self._messages.pop(serial, None)
        if stored is not None:
            if self.keeper is not None:
                self.keeper.gone(serial)
            group = stored.message.group_id
            self._sent.drop(serial)
            if self._in_flight.drop(serial):
                self._ready.finish(group)
            elif not self._delayed.drop(serial):
                self._ready.drop(serial, group)
            if not self._messages:
                self._ran_empty(serial)

    def _ran_empty(self, last_serial: int) -> None:
        """Gives memory back when many messages have gone since the queue was empty last, for it was long then."""
        if last_serial - self._empty_at >= _LONG:
            self.purge()
            release()
        self._empty_at = last_serial

    def _pop_taken(self, serial: int) -> _Stored:
        """Removes a message that was taken from the visible ones."""
        stored = self._messages.pop(serial)
        if self.keeper is not None:
            self.keeper.gone(serial)
        self._sent.drop(serial)
        self._ready.finish(stored.message.group_id)
        return stored

    def _holds(self, serial: int, receive_count: int) -> bool:
        """Whether the message is in flight by this very receive."""
        return serial in self._in_flight and self._messages[serial].receive_count == receive_count

    def _catch_up(self, now: float) -> None:
        """Brings every message to the state that it has at this moment."""
        messages = self._messages
        for serial in self._delayed.pop_due(now):
            self._ready.add(serial, messages[serial].message.group_id)
        for serial in self._in_flight.pop_due(now):
            self._ready.give_back(serial, messages[serial].message.group_id)
        for serial in self._sent.pop_due(now - self.settings.retention_seconds):
            self._remove(serial)

    def _timeout(self, visibility_timeout_seconds: int | None) -> int:
        if visibility_timeout_seconds is None:
            return self.settings.visibility_timeout_seconds
        return visibility_timeout_seconds

    def _take(self, max_messages: int, visibility_timeout_seconds: int | None, now: float) -> list[ReceivedMessage]:
        visible_at = now + self._timeout(visibility_timeout_seconds)
        redrive = self.settings.redrive
        dead_letter_queue = self._resolve(redrive.dead_letter_arn) if redrive else None
        taken: list[ReceivedMessage] = []
        dead: list[_Stored] = []
        room = min(max_messages, IN_FLIGHT_LIMIT - len(self._in_flight))
        group: str | None = None
        while room > 0 and (serials := self._ready.take(room, group)):
            group = self._messages[serials[-1]].message.group_id
            for serial in serials:
                stored = self._messages[serial]
                if redrive and dead_letter_queue and stored.receives_here >= redrive.max_receive_count:
                    dead.append(self._pop_taken(serial))
                    continue
                stored.receive_count += 1
                stored.receives_here += 1
                stored.first_received_at = stored.first_received_at or now
                stored.received_at = now
                stored.attempt_id = None
                self._in_flight.set(serial, visible_at)
                if self.keeper is not None:
                    self._keep(self.keeper, serial, stored)
                taken.append(self._received(serial, stored))
                room -= 1
        if dead_letter_queue and dead:
            dead_letter_queue._adopt(dead, self.arn, now)
        self.activity.received += len(taken)
        return taken

    def _received(self, serial: int, stored: _Stored) -> ReceivedMessage:
        return ReceivedMessage(
            stored.message,
            receipt_for(self.token, serial, stored.receive_count),
            stored.receive_count,
            stored.first_received_at,
            stored.dead_letter_source_arn,
            sequence_number(serial) if self.settings.fifo else None,
        )

    def _held(self, attempt_id: str, messages: list[ReceivedMessage], now: float) -> list[ReceivedMessage]:
        """The same messages, noted as those of the attempt."""
        if messages:
            for message in messages:
                self._messages[parse_receipt(self.token, message.receipt)[0]].attempt_id = attempt_id
            self._attempts.put(attempt_id, messages, now)
        return messages

    def _repeat(self, attempt_id: str, visibility_timeout_seconds: int | None, now: float) -> list[ReceivedMessage]:
        """What the attempt received before, invisible anew; empty unless it still holds all of it.

        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
        """
        messages = self._attempts.find(attempt_id, now) or []
        receipts = [parse_receipt(self.token, message.receipt) for message in messages]
        if not all(
            self._holds(*receipt) and self._messages[receipt[0]].attempt_id == attempt_id for receipt in receipts
        ):
            return []
        for serial, _ in receipts:
            self._messages[serial].received_at = now
            self._in_flight.set(serial, now + self._timeout(visibility_timeout_seconds))
        return messages

    def _adopt(self, dead: list[_Stored], source_arn: str, now: float) -> None:
        """Takes over messages that another queue gave up; the count for this queue starts anew.

        Their age goes on. In a FIFO queue it starts anew too, and a message is told apart by its own id from others
        that were sent with the same de-duplication id.
        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html,
        .../sqs-configure-dead-letter-queue-redrive.html
        """
        for stored in dead:
            stored.receives_here = 0
            stored.dead_letter_source_arn = source_arn
            enqueued_at = stored.message.sent_at
            if self.settings.fifo:
                enqueued_at = now
                stored.message = replace(stored.message, deduplication_id=stored.message.message_id)
            self._put(stored, enqueued_at, None)
        if self._waiters:
            self._serve(now)

    def _give_back(self, messages: list[ReceivedMessage]) -> None:
        now = self._clock.now()
        for received in messages:
            serial, _ = parse_receipt(self.token, received.receipt)
            stored = self._messages.get(serial)
            if stored is not None and self._in_flight.drop(serial):
                stored.receive_count -= 1
                stored.receives_here -= 1
                self._ready.give_back(serial, stored.message.group_id)
                if self.keeper is not None:
                    self._keep(self.keeper, serial, stored)
        if self._waiters:
            self._serve(now)

    def _serve(self, now: float) -> None:
        """Hands visible messages to those who wait, first come first served."""
        self._catch_up(now)
        while self._ready and self._waiters:
            number, waiter = self._waiters.first()
            if not waiter.future.done():
                messages = self._take(waiter.max_messages, waiter.visibility_timeout_seconds, now)
                if not messages:
                    break
                waiter.answer(messages)
            self._waiters.drop(number)
        self._waiters.end_those_out_of_time(now)
        self._set_timer()

    def _set_timer(self) -> None:
        """Makes sure of a call when the next thing happens that a waiting receive must learn of."""
        if not self._waiters:
            return
        moments = (self._delayed.earliest(), self._in_flight.earliest(), self._waiters.earliest_end())
        earliest = min(moment for moment in moments if moment is not None)
        if self._timer is not None:
            if self._timer_at <= earliest:
                return
            self._timer.cancel()
        self._timer_at = earliest
        self._timer = self._clock.call_at(earliest, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._serve(self._clock.now())

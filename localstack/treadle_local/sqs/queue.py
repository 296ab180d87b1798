"""The data plane of one queue: sending, receiving, visibility, dead letters, long polling, on the emulator's clock."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from treadle_local.clock import Clock, Timer
from treadle_local.sqs.activity import Activity
from treadle_local.sqs.admission import admit
from treadle_local.sqs.errors import (
    message_not_available,
    queue_does_not_exist,
    receipt_expired,
    visibility_beyond_limit,
)
from treadle_local.sqs.keeping import Keeper, KeptMessage
from treadle_local.sqs.message import Message, ReceivedMessage, Sent
from treadle_local.sqs.receipts import parse_receipt
from treadle_local.sqs.receiving import IN_FLIGHT_LIMIT, Receiving
from treadle_local.sqs.sending import Answered, Sending
from treadle_local.sqs.settings import QueueSettings
from treadle_local.sqs.store import Counts, Store, Stored
from treadle_local.sqs.waiting import Waiter, Waiters

VISIBILITY_LIMIT_SECONDS = 43_200
"""From the receive on, however often it is prolonged.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
"""


class Queue:
    """A standard or FIFO queue. Every operation costs O(log n) at any depth.

    It lives on the event loop's thread and is used on no other: operations run to their end one after the other,
    which is all the locking there is. Time is read when something is asked; a timer runs only while a receive waits.
    """

    def __init__(self, arn: str, settings: QueueSettings, clock: Clock, resolve: Callable[[str], Queue | None]) -> None:
        self.arn = arn
        self.settings = settings
        self.closed = False
        self.activity = Activity()
        self._clock = clock
        self._store = Store(fifo=settings.fifo, activity=self.activity)
        self._sending = Sending(self._store, self.activity)
        self._receiving = Receiving(arn, secrets.token_hex(8), self._store, self.activity, resolve)
        self._waiters = Waiters()
        self._timer: Timer | None = None
        self._timer_at = 0.0

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]

    @property
    def token(self) -> str:
        """What all receipts of this queue begin with."""
        return self._receiving.token

    @property
    def in_flight_limit_reached(self) -> bool:
        return len(self._store.in_flight) >= IN_FLIGHT_LIMIT

    def counts(self) -> Counts:
        self._catch_up(self._clock.now())
        return self._store.counts()

    def oldest_sent_at(self) -> float | None:
        """When the oldest message was sent, in seconds since the epoch; None in an empty queue."""
        return self._store.sent.earliest()

    def has_receivable(self) -> bool:
        """Whether a receive would get a message now; one that waits for its group in a FIFO queue is none."""
        self._catch_up(self._clock.now())
        return bool(self._store.ready)

    # what outlives the process

    def restore(self, token: str | None, messages: Mapping[int, KeptMessage], answers: Sequence[Answered]) -> None:
        """Takes over what a keeper was told, before anybody knows this queue.

        With the old token, which is None for a queue that was not kept, older receipts stay good.
        """
        self._store.restore(messages)
        self._sending.restore(answers)
        if token is not None:
            self._receiving.token = token
            self._store.number_anew(self._clock.now())

    @property
    def keeper(self) -> Keeper | None:
        """Who is told what this queue holds."""
        return self._store.keeper

    @keeper.setter
    def keeper(self, keeper: Keeper | None) -> None:
        self._store.keeper = keeper

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
        sent = self._sending.send(admit(message, self.settings), delay_seconds, self.settings, now)
        if self._waiters:
            self._serve(now)
        return sent

    def send_all(self, messages: Sequence[tuple[Message, int | None]]) -> list[Sent]:
        """Puts admitted messages, each with its delay, into the queue; a waiting receive may get them in one batch."""
        now = self._clock.now()
        sent = [self._sending.send(message, delay_seconds, self.settings, now) for message, delay_seconds in messages]
        if self._waiters:
            self._serve(now)
        return sent

    def adopt(self, dead: Sequence[Stored], source_arn: str, now: float) -> None:
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
            self._store.put(stored, enqueued_at, None)
        if self._waiters:
            self._serve(now)

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
        receiving, settings = self._receiving, self.settings
        if attempt_id is None:
            return receiving.take(max_messages, visibility_timeout_seconds, settings, now)
        messages = receiving.repeat(attempt_id, visibility_timeout_seconds, settings, now)
        if messages:
            return messages
        return receiving.hold(attempt_id, receiving.take(max_messages, visibility_timeout_seconds, settings, now), now)

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
        waiter = Waiter(max_messages, visibility_timeout_seconds)
        number = self._waiters.add(waiter, self._clock.now() + wait_seconds)
        self._set_timer()
        try:
            messages = await waiter.future
        except asyncio.CancelledError:
            if not waiter.future.cancelled():
                self._receiving.give_back(waiter.future.result())
                if self._waiters:
                    self._serve(self._clock.now())
            raise
        finally:
            self._waiters.drop(number)
        return messages if attempt_id is None else self._receiving.hold(attempt_id, messages, self._clock.now())

    # what was received

    def delete(self, receipt: str) -> None:
        """Removes the message for good; one that is gone already is no error.

        A standard queue takes older receipts of the message too, a FIFO queue only that of the receive which still
        holds it. Raises: `ReceiptHandleIsInvalid`, `InvalidParameterValue`.
        """
        serial, receive_count = parse_receipt(self.token, receipt)
        store = self._store
        if self.settings.fifo and (stored := store.messages.get(serial)) is not None:
            due = store.in_flight.at(serial)
            if due is None or due <= self._clock.now() or stored.receive_count != receive_count:
                raise receipt_expired(receipt)
        self.activity.deleted += store.remove(serial)
        if self._waiters and store.ready:
            self._serve(self._clock.now())

    def change_visibility(self, receipt: str, timeout_seconds: int) -> None:
        """Makes the message visible again `timeout_seconds` from now (0: at once).

        Nothing happens to a message of a standard queue that is visible again already.
        Raises: `ReceiptHandleIsInvalid`; `InvalidParameterValue` when the message is gone, is in flight by another
        receive of a FIFO queue or by none, or would be in flight for more than 12 hours.
        """
        serial, receive_count = parse_receipt(self.token, receipt)
        now = self._clock.now()
        self._catch_up(now)
        store, fifo = self._store, self.settings.fifo
        stored = store.messages.get(serial)
        if stored is None or (fifo and not store.is_held(serial, receive_count)):
            raise message_not_available(receipt)
        if serial not in store.in_flight:
            return
        if now + timeout_seconds > stored.received_at + VISIBILITY_LIMIT_SECONDS:
            raise visibility_beyond_limit(timeout_seconds, VISIBILITY_LIMIT_SECONDS)
        stored.attempt_id = None
        store.in_flight.set(serial, now + timeout_seconds)
        if self._waiters:
            self._serve(now)

    # the queue as a whole

    def pop(self, may_go: Callable[[str | None], bool]) -> Message | None:
        """Takes out the next visible message, if there is one and `may_go` lets it.

        `may_go` is asked with the ARN of the queue in which the message died, None where it was sent here.
        """
        self._catch_up(self._clock.now())
        store = self._store
        for serial in store.ready.take(1):
            stored = store.messages[serial]
            if may_go(stored.dead_letter_source_arn):
                return store.take_out(serial).message
            store.ready.give_back(serial, stored.message.group_id)
        return None

    def purge(self) -> None:
        """Removes all messages."""
        self._store.clear()

    def close(self) -> None:
        """Ends the queue: its messages are gone, receives that wait return empty, further ones are refused."""
        self.closed = True
        if self.keeper is not None:
            self.keeper.closed()
            self.keeper = None
        self._store.clear()
        self._waiters.end_all()
        if self._timer is not None:
            self._timer.cancel()

    def apply(self, settings: QueueSettings) -> None:
        """Changes the settings.

        A shorter retention applies to the messages that are there already, and so does another delay of a FIFO queue.
        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
        """
        store = self._store
        if settings.fifo and settings.delay_seconds != self.settings.delay_seconds:
            for serial in store.delayed.serials():
                store.delay(serial, store.messages[serial].message.sent_at + settings.delay_seconds)
        self.settings = settings
        now = self._clock.now()
        self._catch_up(now)
        if self._waiters:
            self._serve(now)

    def _catch_up(self, now: float) -> None:
        self._store.catch_up(now, self.settings.retention_seconds)

    # receives that wait

    def _serve(self, now: float) -> None:
        """Hands visible messages to those who wait, first come first served."""
        self._catch_up(now)
        while self._store.ready and self._waiters:
            number, waiter = self._waiters.first()
            if not waiter.future.done():
                messages = self._receiving.take(
                    waiter.max_messages, waiter.visibility_timeout_seconds, self.settings, now
                )
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
        store = self._store
        moments = (store.delayed.earliest(), store.in_flight.earliest(), self._waiters.earliest_end())
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

"""The data plane of one queue: sending, receiving, visibility, dead letters, long polling, on the emulator's clock."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from treadle_local.clock import Clock, Timer
from treadle_local.sqs.deadlines import Deadlines
from treadle_local.sqs.errors import message_not_available, queue_does_not_exist
from treadle_local.sqs.message import Message, ReceivedMessage
from treadle_local.sqs.ready import StandardOrder
from treadle_local.sqs.receipts import receipt_for, serial_of
from treadle_local.sqs.settings import QueueSettings

IN_FLIGHT_LIMIT = 120_000
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html"""


class _Stored:
    """A message while it is in this queue. `receives_here` counts towards this queue's redrive."""

    __slots__ = ("dead_letter_source_arn", "first_received_at", "message", "receive_count", "receives_here")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.receive_count = 0
        self.receives_here = 0
        self.first_received_at = 0.0
        self.dead_letter_source_arn: str | None = None


class _Waiter:
    """A receive that waits for messages."""

    __slots__ = ("future", "max_messages", "visibility_timeout_seconds")

    def __init__(
        self,
        max_messages: int,
        visibility_timeout_seconds: int | None,
        future: asyncio.Future[list[ReceivedMessage]],
    ) -> None:
        self.max_messages = max_messages
        self.visibility_timeout_seconds = visibility_timeout_seconds
        self.future = future


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages are in each state; every message is in exactly one."""

    visible: int
    in_flight: int
    delayed: int


class Queue:
    """A standard queue. Every operation costs O(log n) at any depth; used on the event loop's thread only.

    A message is visible (in `_ready`), delayed or in flight, and all are in `_messages` by serial number. Time is
    read when something is asked; a timer runs only while a receive waits.
    """

    def __init__(self, arn: str, settings: QueueSettings, clock: Clock, resolve: Callable[[str], Queue | None]) -> None:
        self.arn = arn
        self.settings = settings
        self.closed = False
        self._clock = clock
        self._resolve = resolve
        self._token = secrets.token_hex(8)
        self._serials = itertools.count(1)
        self._messages: dict[int, _Stored] = {}
        self._ready = StandardOrder()
        self._delayed = Deadlines()
        self._in_flight = Deadlines()
        self._sent = Deadlines()
        self._waiters: OrderedDict[int, _Waiter] = OrderedDict()
        self._waiting = Deadlines()
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

    def send(self, message: Message, delay_seconds: int | None = None) -> None:
        """Puts a message into the queue; `delay_seconds` goes before the queue's own delay."""
        self.send_all([(message, delay_seconds)])

    def send_all(self, messages: Sequence[tuple[Message, int | None]]) -> None:
        """Puts messages, each with its delay, into the queue; a waiting receive may get them in one batch."""
        now = self._clock.now()
        for message, delay_seconds in messages:
            delay = self.settings.delay_seconds if delay_seconds is None else delay_seconds
            self._put(_Stored(message), now + delay if delay else None)
        if self._waiters:
            self._serve(now)

    def receive_now(self, max_messages: int, visibility_timeout_seconds: int | None = None) -> list[ReceivedMessage]:
        """Up to `max_messages` visible messages, which are in flight from now on; empty when there are none.

        Raises: `QueueDoesNotExist` when the queue was deleted.
        """
        if self.closed:
            raise queue_does_not_exist()
        now = self._clock.now()
        self._catch_up(now)
        return self._take(max_messages, visibility_timeout_seconds, now) if self._ready else []

    async def receive(
        self, max_messages: int, wait_seconds: float, visibility_timeout_seconds: int | None = None
    ) -> list[ReceivedMessage]:
        """As `receive_now`, but waits up to `wait_seconds` for the first message.

        A receive that is cancelled takes nothing: what was already handed to it is visible again, uncounted.
        """
        messages = self.receive_now(max_messages, visibility_timeout_seconds)
        if messages or wait_seconds <= 0:
            return messages
        future: asyncio.Future[list[ReceivedMessage]] = asyncio.get_running_loop().create_future()
        number = next(self._serials)
        self._waiters[number] = _Waiter(max_messages, visibility_timeout_seconds, future)
        self._waiting.set(number, self._clock.now() + wait_seconds)
        self._set_timer()
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled():
                self._give_back(future.result())
            raise
        finally:
            self._waiters.pop(number, None)
            self._waiting.drop(number)

    def delete(self, receipt: str) -> None:
        """Removes the message for good; one that is gone already is no error, and an older receipt will do.

        Raises: `ReceiptHandleIsInvalid`.
        """
        self._remove(serial_of(self._token, receipt))
        if self._waiters and self._ready:
            self._serve(self._clock.now())

    def change_visibility(self, receipt: str, timeout_seconds: int) -> None:
        """Makes the message visible again `timeout_seconds` from now (0: at once).

        Raises: `ReceiptHandleIsInvalid`; `InvalidParameterValue` when the message is not in flight.
        """
        serial = serial_of(self._token, receipt)
        now = self._clock.now()
        self._catch_up(now)
        if serial not in self._in_flight:
            raise message_not_available(receipt)
        self._in_flight.set(serial, now + timeout_seconds)
        if self._waiters:
            self._serve(now)

    def purge(self) -> None:
        """Removes all messages."""
        self._messages.clear()
        self._ready.clear()
        for deadlines in (self._delayed, self._in_flight, self._sent):
            deadlines.clear()

    def close(self) -> None:
        """Ends the queue: its messages are gone, receives that wait return empty, further ones are refused."""
        self.closed = True
        self.purge()
        for waiter in self._waiters.values():
            _answer(waiter, [])
        self._waiters.clear()
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def apply(self, settings: QueueSettings) -> None:
        """Changes the settings; a shorter retention applies to the messages that are there already."""
        self.settings = settings
        self._catch_up(self._clock.now())

    def _put(self, stored: _Stored, visible_at: float | None) -> None:
        serial = next(self._serials)
        self._messages[serial] = stored
        self._sent.set(serial, stored.message.sent_at)
        if visible_at is None:
            self._ready.add(serial)
        else:
            self._delayed.set(serial, visible_at)

    def _remove(self, serial: int) -> None:
        if self._messages.pop(serial, None) is not None:
            self._sent.drop(serial)
            if not self._in_flight.drop(serial) and not self._delayed.drop(serial):
                self._ready.drop(serial)

    def _catch_up(self, now: float) -> None:
        """Brings every message to the state that it has at this moment."""
        for serial in self._delayed.pop_due(now):
            self._ready.add(serial)
        for serial in self._in_flight.pop_due(now):
            self._ready.add(serial)
        for serial in self._sent.pop_due(now - self.settings.retention_seconds):
            self._remove(serial)

    def _take(self, max_messages: int, visibility_timeout_seconds: int | None, now: float) -> list[ReceivedMessage]:
        settings = self.settings
        timeout = (
            settings.visibility_timeout_seconds if visibility_timeout_seconds is None else visibility_timeout_seconds
        )
        redrive = settings.redrive
        dead_letter_queue = self._resolve(redrive.dead_letter_arn) if redrive else None
        taken: list[ReceivedMessage] = []
        dead: list[_Stored] = []
        while len(taken) < max_messages and self._ready and not self.in_flight_limit_reached:
            serial = self._ready.take()
            stored = self._messages[serial]
            if redrive and dead_letter_queue and stored.receives_here >= redrive.max_receive_count:
                del self._messages[serial]
                self._sent.drop(serial)
                dead.append(stored)
                continue
            stored.receive_count += 1
            stored.receives_here += 1
            stored.first_received_at = stored.first_received_at or now
            self._in_flight.set(serial, now + timeout)
            taken.append(
                ReceivedMessage(
                    message=stored.message,
                    receipt=receipt_for(self._token, serial, stored.receive_count),
                    receive_count=stored.receive_count,
                    first_received_at=stored.first_received_at,
                    dead_letter_source_arn=stored.dead_letter_source_arn,
                )
            )
        if dead_letter_queue and dead:
            dead_letter_queue._adopt(dead, self.arn, now)
        return taken

    def _adopt(self, dead: list[_Stored], source_arn: str, now: float) -> None:
        """Takes over messages that another queue gave up; their age goes on, the count for this queue starts anew."""
        for stored in dead:
            stored.receives_here = 0
            stored.dead_letter_source_arn = source_arn
            self._put(stored, None)
        if self._waiters:
            self._serve(now)

    def _give_back(self, messages: list[ReceivedMessage]) -> None:
        now = self._clock.now()
        for received in messages:
            serial = serial_of(self._token, received.receipt)
            stored = self._messages.get(serial)
            if stored is not None and self._in_flight.drop(serial):
                stored.receive_count -= 1
                stored.receives_here -= 1
                self._ready.add(serial)
        if self._waiters:
            self._serve(now)

    def _serve(self, now: float) -> None:
        """Hands visible messages to those who wait, first come first served."""
        self._catch_up(now)
        while self._ready and self._waiters:
            number, waiter = next(iter(self._waiters.items()))
            if not waiter.future.done():
                messages = self._take(waiter.max_messages, waiter.visibility_timeout_seconds, now)
                if not messages:
                    break
                _answer(waiter, messages)
            self._waiters.pop(number, None)
            self._waiting.drop(number)
        for number in self._waiting.pop_due(now):
            if (waiter_out_of_time := self._waiters.pop(number, None)) is not None:
                _answer(waiter_out_of_time, [])
        self._set_timer()

    def _set_timer(self) -> None:
        """Makes sure of a call when the next thing happens that a waiting receive must learn of."""
        if not self._waiters:
            return
        moments = (self._delayed.earliest(), self._in_flight.earliest(), self._waiting.earliest())
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


def _answer(waiter: _Waiter, messages: list[ReceivedMessage]) -> None:
    if not waiter.future.done():
        waiter.future.set_result(messages)

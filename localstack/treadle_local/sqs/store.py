"""What a queue holds: its messages, the state of each, and when that state ends."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from treadle_local.sqs.activity import Activity
from treadle_local.sqs.deadlines import Deadlines
from treadle_local.sqs.keeping import Keeper, KeptMessage
from treadle_local.sqs.memory import release
from treadle_local.sqs.message import Message
from treadle_local.sqs.ready import FifoOrder, Order, StandardOrder

_LONG = 10_000
_SERIALS_PER_SECOND = 1_000_000
"""More than a queue here can take in: numbers that are taken from the time are larger than all before it."""


class Stored:
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


class Store:
    """A message is visible (in `ready`), delayed or in flight, and all are in `messages` by serial number.

    Every change of what outlives the process is told to the keeper here, and nowhere else. Whether a message is in
    flight does not outlive it.
    """

    __slots__ = ("_activity", "_empty_at", "_serials", "delayed", "in_flight", "keeper", "messages", "ready", "sent")

    def __init__(self, *, fifo: bool, activity: Activity) -> None:
        self._activity = activity
        self._empty_at = 0
        self._serials = itertools.count(1)
        self.keeper: Keeper | None = None
        self.messages: dict[int, Stored] = {}
        self.ready: Order = FifoOrder() if fifo else StandardOrder()
        self.delayed = Deadlines()
        self.in_flight = Deadlines()
        self.sent = Deadlines()

    def counts(self) -> Counts:
        return Counts(len(self.ready), len(self.in_flight), len(self.delayed))

    def is_held(self, serial: int, receive_count: int) -> bool:
        """Whether the message is in flight by this very receive."""
        return serial in self.in_flight and self.messages[serial].receive_count == receive_count

    def catch_up(self, now: float, retention_seconds: int) -> None:
        """Brings every message to the state that it has at this moment."""
        messages, ready = self.messages, self.ready
        for serial in self.delayed.pop_due(now):
            ready.add(serial, messages[serial].message.group_id)
        for serial in self.in_flight.pop_due(now):
            ready.give_back(serial, messages[serial].message.group_id)
        for serial in self.sent.pop_due(now - retention_seconds):
            self.remove(serial)

    def put(self, stored: Stored, enqueued_at: float, visible_at: float | None) -> int:
        """Takes in a message, visible at once or delayed until `visible_at`; its serial number."""
        if not self._activity.is_watched:
            self._activity.wake()
        serial = next(self._serials)
        self.messages[serial] = stored
        self.sent.set(serial, enqueued_at)
        if visible_at is None:
            self.ready.add(serial, stored.message.group_id)
        else:
            self.delayed.set(serial, visible_at)
        if self.keeper is not None:
            self._keep(self.keeper, serial, stored)
        return serial

    def delay(self, serial: int, visible_at: float) -> None:
        """Makes a delayed message visible at another time."""
        self.delayed.set(serial, visible_at)
        if self.keeper is not None:
            self._keep(self.keeper, serial, self.messages[serial])

    def hand_out(self, serial: int, stored: Stored, visible_at: float, now: float) -> None:
        """Puts in flight a message that was taken from `ready`: one receive more."""
        stored.receive_count += 1
        stored.receives_here += 1
        stored.first_received_at = stored.first_received_at or now
        stored.received_at = now
        stored.attempt_id = None
        self.in_flight.set(serial, visible_at)
        if self.keeper is not None:
            self._keep(self.keeper, serial, stored)

    def give_back(self, serial: int) -> None:
        """Undoes `hand_out` for a message that is still in flight by it."""
        stored = self.messages.get(serial)
        if stored is None or not self.in_flight.drop(serial):
            return
        stored.receive_count -= 1
        stored.receives_here -= 1
        if not stored.receive_count:
            stored.first_received_at = 0.0
        self.ready.give_back(serial, stored.message.group_id)
        if self.keeper is not None:
            self._keep(self.keeper, serial, stored)

    def take_out(self, serial: int) -> Stored:
        """Removes a message that was taken from `ready` and not handed out."""
        stored = self.messages.pop(serial)
        if self.keeper is not None:
            self.keeper.gone(serial)
        self.sent.drop(serial)
        self.ready.finish(stored.message.group_id)
        return stored

    def remove(self, serial: int) -> bool:
        """Removes a message in whatever state it is; False where it is not there."""
        stored = self.messages.pop(serial, None)
        if stored is None:
            return False
        if self.keeper is not None:
            self.keeper.gone(serial)
        group = stored.message.group_id
        self.sent.drop(serial)
        if self.in_flight.drop(serial):
            self.ready.finish(group)
        elif not self.delayed.drop(serial):
            self.ready.drop(serial, group)
        if not self.messages:
            self._ran_empty(serial)
        return True

    def clear(self) -> None:
        """Removes all messages."""
        if self.keeper is not None:
            self.keeper.emptied()
        self.messages.clear()
        self.ready.clear()
        for deadlines in (self.delayed, self.in_flight, self.sent):
            deadlines.clear()

    def restore(self, messages: Mapping[int, KeptMessage]) -> None:
        """Takes over what a keeper was told, in the order of the serial numbers."""
        for serial, kept in sorted(messages.items()):
            stored = Stored(kept.message)
            stored.receive_count, stored.receives_here = kept.receive_count, kept.receives_here
            stored.first_received_at = stored.received_at = kept.first_received_at
            stored.dead_letter_source_arn = kept.dead_letter_source_arn
            self._serials = itertools.count(serial)
            self.put(stored, kept.enqueued_at, kept.visible_at)

    def number_anew(self, now: float) -> None:
        """Has serial numbers go on behind all that may ever have been given."""
        first = max(next(self._serials), int(now * _SERIALS_PER_SECOND))
        self._serials = itertools.count(first)
        self._empty_at = first - 1 - len(self.messages)

    def _keep(self, keeper: Keeper, serial: int, stored: Stored) -> None:
        enqueued_at = self.sent.at(serial)
        kept = KeptMessage(
            stored.message,
            stored.message.sent_at if enqueued_at is None else enqueued_at,
            self.delayed.at(serial),
            stored.receive_count,
            stored.receives_here,
            stored.first_received_at,
            stored.dead_letter_source_arn,
        )
        keeper.kept(serial, kept)

    def _ran_empty(self, last_serial: int) -> None:
        """Gives memory back when many messages have gone since the queue was empty last, for it was long then."""
        if last_serial - self._empty_at >= _LONG:
            self.clear()
            release()
        self._empty_at = last_serial

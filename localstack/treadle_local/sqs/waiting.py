"""Receives that wait for messages, first come first served."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict

from treadle_local.sqs.deadlines import Deadlines
from treadle_local.sqs.message import ReceivedMessage


class Waiter:
    """A receive that waits."""

    __slots__ = ("future", "max_messages", "visibility_timeout_seconds")

    def __init__(self, max_messages: int, visibility_timeout_seconds: int | None) -> None:
        self.max_messages = max_messages
        self.visibility_timeout_seconds = visibility_timeout_seconds
        self.future: asyncio.Future[list[ReceivedMessage]] = asyncio.get_running_loop().create_future()

    def answer(self, messages: list[ReceivedMessage]) -> None:
        if not self.future.done():
            self.future.set_result(messages)


class Waiters:
    """The waiting receives of a queue, each by its number and with the time at which it gives up."""

    __slots__ = ("_by_number", "_ends", "_numbers")

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._by_number: OrderedDict[int, Waiter] = OrderedDict()
        self._ends = Deadlines()

    def __bool__(self) -> bool:
        return bool(self._by_number)

    def add(self, waiter: Waiter, until: float) -> int:
        """Its number."""
        number = next(self._numbers)
        self._by_number[number] = waiter
        self._ends.set(number, until)
        return number

    def first(self) -> tuple[int, Waiter]:
        """Who waits longest. There must be one."""
        return next(iter(self._by_number.items()))

    def drop(self, number: int) -> None:
        self._by_number.pop(number, None)
        self._ends.drop(number)

    def end_those_out_of_time(self, now: float) -> None:
        """Answers those with nothing whose time is over."""
        for number in self._ends.pop_due(now):
            if (waiter := self._by_number.pop(number, None)) is not None:
                waiter.answer([])

    def end_all(self) -> None:
        """Answers everybody with nothing."""
        for waiter in self._by_number.values():
            waiter.answer([])
        self._by_number.clear()
        self._ends.clear()

    def earliest_end(self) -> float | None:
        return self._ends.earliest()

"""Time of the emulator: every timer of every service reads this clock, so that tests and demos can turn it by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

_LONGEST_ADVANCE_SECONDS = 100 * 366 * 86_400


class Clock(Protocol):
    """Seconds since the epoch, and callbacks at a moment of that time. Used on the event loop's thread only."""

    kind: str

    def now(self) -> float:
        """Seconds since the epoch on this clock; never goes back."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Calls back once when the clock has reached `when` (never from within this call)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds` on this clock."""
        ...


class Timer:
    """A pending callback; `cancel` is idempotent."""

    __slots__ = ("_handle", "callback", "cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False
        self._handle: asyncio.TimerHandle | None = None

    def bind(self, handle: asyncio.TimerHandle) -> None:
        self._handle = handle

    def cancel(self) -> None:
        self.cancelled = True
        if self._handle is not None:
            self._handle.cancel()


class RealClock:
    """The machine's time."""

    kind = "real"

    def now(self) -> float:
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        timer.bind(asyncio.get_running_loop().call_later(max(0.0, when - time.time()), callback))
        return timer

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """Time that moves only when `advance` is called; starts at the machine's time."""

    kind = "manual"

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else start
        self._timers: list[tuple[float, int, Timer]] = []
        self._serial = itertools.count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        if when <= self._now:
            timer.bind(asyncio.get_running_loop().call_later(0, callback))
        else:
            heapq.heappush(self._timers, (when, next(self._serial), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        timer = self.call_at(self._now + seconds, lambda: None if done.done() else done.set_result(None))
        try:
            await done
        finally:
            timer.cancel()

    def advance(self, seconds: float) -> None:
        """Moves time forward and calls back everything that is then due, in order of its time.

        Each callback sees `now()` at its own moment, so that a timer set by a callback and due within the
        same advance fires too.
        """
        if not 0 <= seconds <= _LONGEST_ADVANCE_SECONDS:
            raise ValueError("the clock goes forward, by a century at most")
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if not timer.cancelled:
                timer.callback()
        self._now = end

"""Time of the emulator: every timer of every service reads this clock, so that tests and demos can turn it by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Callable
from typing import Protocol

LONGEST_ADVANCE_SECONDS = 100 * 366 * 86_400
_LONGEST_WAIT_SECONDS = 60.0
_FEW_TIMERS = 64
# Seconds since the epoch are exact to a fifth of a microsecond as floats: sums of them are only with rounding.
_DECIMALS = 6

_log = logging.getLogger("treadle.clock")


_ALL = 10**9


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
        self._arm(timer, when)
        return timer

    def _arm(self, timer: Timer, when: float) -> None:
        """Waits a minute at most at a time: the loop's own clock stands still while the machine sleeps, and the
        machine's may be set."""
        left_seconds = when - time.time()
        loop = asyncio.get_running_loop()
        if left_seconds <= _LONGEST_WAIT_SECONDS:
            timer.bind(loop.call_later(max(0.0, left_seconds), self._ring, timer, when))
        else:
            timer.bind(loop.call_later(_LONGEST_WAIT_SECONDS, self._arm, timer, when))

    def _ring(self, timer: Timer, when: float) -> None:
        if time.time() < when:  # the two clocks differ by a little, or the machine's has been set back
            self._arm(timer, when)
        else:
            timer.callback()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """Time that moves only when `advance` is called; starts at the machine's time."""

    kind = "manual"

    def __init__(self, start: float | None = None) -> None:
        self._now = round(time.time() if start is None else start, _DECIMALS)
        self._timers: list[tuple[float, int, Timer, float]] = []
        self._room = _FEW_TIMERS
        self._serial = itertools.count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        if when <= self._now:
            timer.bind(asyncio.get_running_loop().call_later(0, callback))
        else:
            heapq.heappush(self._timers, (round(when, _DECIMALS), next(self._serial), timer, when))
            if len(self._timers) > self._room:
                self._drop_cancelled()
        return timer

    def _drop_cancelled(self) -> None:
        """Forgets cancelled timers, which else would stay for as long as the clock stands still."""
        self._timers = [entry for entry in self._timers if not entry[2].cancelled]
        heapq.heapify(self._timers)
        self._room = max(_FEW_TIMERS, 2 * len(self._timers))

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
        same advance fires too. One that fails is logged and keeps no other from its turn. Tasks that callbacks wake
        run when all this is done.
        """
        end = self.end_of(seconds)
        while not self.advance_towards(end, _ALL):
            pass

    def end_of(self, seconds: float) -> float:
        """The time that an advance ends at. Raises ValueError where there is no such advance."""
        if not 0 <= seconds <= LONGEST_ADVANCE_SECONDS:
            raise ValueError("the clock goes forward, by a century at most")
        return round(self._now + seconds, _DECIMALS)

    def advance_towards(self, end: float, most: int) -> bool:
        """Part of an advance: up to `most` callbacks. True when the time is `end` and nothing more is due."""
        while most > 0 and self._timers and self._timers[0][0] <= end:
            _, _, timer, when = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            most -= 1
            if not timer.cancelled:
                try:
                    timer.callback()
                except Exception:
                    _log.exception("a timer failed")
        if self._timers and self._timers[0][0] <= end:
            return False
        self._now = max(self._now, end)
        return True

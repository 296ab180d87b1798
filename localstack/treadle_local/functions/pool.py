"""The environments of one function version: reused when idle, started when all are busy longer than a start takes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable

from treadle_local.functions.environment import Environment

PATIENCE_SECONDS = 0.05
"""How long an event waits for a busy environment before another one is started: about what starting one takes."""
IDLE_SECONDS = 60.0
"""How long an environment beyond the eager ones may have nothing to do before it is ended."""


class Pool:
    """Hands out environments, one event at a time each. `limit` bounds how many live at once; events wait in order.

    `kept` are replaced at once when they die, whether an event waits for them or not.
    """

    def __init__(
        self, name: str, start: Callable[[], Awaitable[Environment]], eager: int, limit: int, kept: int = 0
    ) -> None:
        self.name = name
        self._kept = kept
        self._start = start
        self._eager = eager
        self._limit = limit
        self._idle: deque[tuple[float, Environment]] = deque()
        self._busy: set[Environment] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._waiting: deque[asyncio.Future[Environment]] = deque()
        self._stopping: set[asyncio.Task[None]] = set()
        self._reaping: asyncio.TimerHandle | None = None
        self._retired = False

    async def acquire(self) -> Environment:
        """An environment that works for nobody else until `release`. Raises what kept one from being started."""
        while self._idle:
            _, environment = self._idle.pop()
            if not environment.dead:
                self._busy.add(environment)
                return environment
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Environment] = loop.create_future()
        self._waiting.append(turn)
        timer = None
        if self._living() < self._eager:
            self._grow()
        else:
            timer = loop.call_later(PATIENCE_SECONDS, self._lose_patience, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiting.remove(turn)
            elif turn.exception() is None:
                self.release(turn.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def release(self, environment: Environment) -> None:
        """Takes an environment back, for whoever waits longest; a retired pool ends what nobody waits for."""
        self._busy.discard(environment)
        if environment.dead:
            self._stop(environment)
            wanted = max(len(self._waiting), self._kept if not self._retired else 0)
            if len(self._starting) < wanted and self._living() < self._limit:
                self._grow()
        else:
            self._offer(environment)

    def is_empty(self) -> bool:
        """True when it holds no environment, working, idle or ending, and nobody waits for one."""
        return not (self._idle or self._busy or self._starting or self._stopping or self._waiting)

    def retire(self) -> None:
        """Ends the idle environments now and the busy ones when they come back."""
        self._retired = True
        if self._reaping is not None:
            self._reaping.cancel()
            self._reaping = None
        while self._idle:
            self._stop(self._idle.pop()[1])

    async def close(self) -> None:
        """Kills every environment; returns when no process is left."""
        self.retire()
        for turn in self._waiting:
            turn.cancel()
        for start in self._starting:
            start.cancel()
        for environment in self._busy:
            self._stop(environment)
        while ending := self._starting | self._stopping:
            await asyncio.wait(ending)

    # inside

    def _living(self) -> int:
        return len(self._busy) + len(self._starting)

    def _lose_patience(self, turn: asyncio.Future[Environment]) -> None:
        if not turn.done() and self._living() < self._limit:
            self._grow()

    def _grow(self) -> None:
        # a task of its own: when the event that asked for it is given up, the next one finds it
        start = asyncio.get_running_loop().create_task(self._start_one())
        self._starting.add(start)
        start.add_done_callback(self._starting.discard)

    async def _start_one(self) -> None:
        try:
            environment = await self._start()
        except Exception as problem:
            if (turn := self._next_turn()) is not None:
                turn.set_exception(problem)
            return
        self._offer(environment)

    def _offer(self, environment: Environment) -> None:
        turn = self._next_turn()
        if turn is not None:  # one that died while it started too: its first event is told how
            self._busy.add(environment)
            turn.set_result(environment)
        elif environment.dead or self._retired:
            self._stop(environment)
        else:
            self._idle.append((time.monotonic(), environment))
            self._reap_later()

    def _reap_later(self) -> None:
        if len(self._idle) > self._eager and self._reaping is None:
            left_seconds = self._idle[0][0] + IDLE_SECONDS - time.monotonic()
            self._reaping = asyncio.get_running_loop().call_later(left_seconds, self._reap)

    def _reap(self) -> None:
        """Ends who has had nothing to do for long; the longest idle ones come first."""
        self._reaping = None
        latest = time.monotonic() - IDLE_SECONDS
        while len(self._idle) > self._eager and self._idle[0][0] <= latest:
            self._stop(self._idle.popleft()[1])
        self._reap_later()

    def _next_turn(self) -> asyncio.Future[Environment] | None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                return turn
        return None

    def _stop(self, environment: Environment) -> None:
        task = asyncio.get_running_loop().create_task(environment.stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

"""The environments of one function version: reused when idle, started when all are busy longer than a start takes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from treadle_local.functions.environment import Environment

PATIENCE_SECONDS = 0.05
"""How long an event waits for a busy environment before another one is started: about what starting one takes."""


class Pool:
    """Hands out environments, one event at a time each. `limit` bounds how many live at once; events wait in order."""

    def __init__(self, start: Callable[[], Awaitable[Environment]], eager: int, limit: int) -> None:
        self._start = start
        self._eager = eager
        self._limit = limit
        self._idle: list[Environment] = []
        self._busy: set[Environment] = set()
        self._starting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._stopping: set[asyncio.Task[None]] = set()
        self.retired = False

    async def acquire(self) -> Environment:
        """An environment that works for nobody else until `release`."""
        patient = True
        while True:
            while self._idle:
                environment = self._idle.pop()
                if not environment.dead:
                    self._busy.add(environment)
                    return environment
            living = len(self._busy) + self._starting
            if living < self._eager or (not patient and living < self._limit):
                return await self._grow()
            patient = await self._wait(PATIENCE_SECONDS if patient and living < self._limit else None)

    async def _grow(self) -> Environment:
        self._starting += 1
        try:
            environment = await self._start()
        finally:
            self._starting -= 1
        self._busy.add(environment)
        return environment

    async def _wait(self, seconds: float | None) -> bool:
        """True when woken by a release, False when patience ran out."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait_for(turn, seconds)
        except TimeoutError:
            return False
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
        return True

    def release(self, environment: Environment) -> None:
        """Takes an environment back; a retired pool ends it."""
        self._busy.discard(environment)
        if environment.dead or self.retired:
            self._stop(environment)
        else:
            self._idle.append(environment)
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break

    def is_empty(self) -> bool:
        """True when it holds no environment, working, idle or ending."""
        return not (self._idle or self._busy or self._starting or self._stopping)

    def retire(self) -> None:
        """Ends the idle environments now and the busy ones when they come back."""
        self.retired = True
        idle, self._idle = self._idle, []
        for environment in idle:
            self._stop(environment)

    async def close(self) -> None:
        """Kills every environment; returns when no process is left."""
        self.retire()
        for environment in tuple(self._busy):
            self._stop(environment)
        while self._stopping:
            await asyncio.wait(self._stopping)

    def _stop(self, environment: Environment) -> None:
        task = asyncio.get_running_loop().create_task(environment.stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

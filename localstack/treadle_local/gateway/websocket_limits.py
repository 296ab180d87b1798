"""How long a WebSocket connection may last and be silent.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from treadle_local.clock import Clock, Timer

IDLE_SECONDS = 600.0
DURATION_SECONDS = 7200.0
_PATIENCE_SECONDS = 10.0
_GLANCE_SECONDS = 0.01


class Limited(Protocol):
    """A connection, as far as its limits go. Times are the clock's."""

    @property
    def connected_at(self) -> float: ...

    @property
    def last_active_at(self) -> float: ...

    def expire(self) -> None:
        """Closes it."""
        ...


class Limits:
    """Closes connections that reach a limit; one timer for all of them.

    Time turned by hand may jump over both limits at once. What it sets off (a schedule that sends to a connection)
    comes first: connections are judged when `quiet` says that all is done, after ten real seconds at the latest.
    """

    def __init__(self, clock: Clock, connections: Callable[[], Iterable[Limited]], quiet: Callable[[], bool]) -> None:
        self._clock = clock
        self._connections = connections
        self._quiet = quiet
        self._timer: Timer | None = None
        self._sweep: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Called for every new connection. A timer that is set is early enough: none is younger than it."""
        if self._timer is None and self._sweep is None:
            self._timer = self._clock.call_at(self._clock.now() + IDLE_SECONDS, self._due)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sweep is not None:
            self._sweep.cancel()
            await asyncio.gather(self._sweep, return_exceptions=True)

    def _due(self) -> None:
        self._timer = None
        self._sweep = asyncio.get_running_loop().create_task(self._judge())

    async def _judge(self) -> None:
        if self._clock.kind == "manual":
            await self._until_quiet()
        now = self._clock.now()
        for connection in tuple(self._connections()):
            if _deadline(connection) <= now:
                connection.expire()
        self._sweep = None
        deadlines = [_deadline(connection) for connection in self._connections()]
        if deadlines:
            self._timer = self._clock.call_at(min(deadlines), self._due)

    async def _until_quiet(self) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        await asyncio.sleep(0)  # what the same turn of the clock woke comes first
        while not self._quiet() and time.monotonic() < end:  # noqa: ASYNC110 - to be quiet is no event of anybody's
            await asyncio.sleep(_GLANCE_SECONDS)


def _deadline(connection: Limited) -> float:
    return min(connection.last_active_at + IDLE_SECONDS, connection.connected_at + DURATION_SECONDS)

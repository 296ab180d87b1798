"""The process's one event loop, made when the first handler needs it. No other module of ours imports asyncio."""

from __future__ import annotations

import asyncio
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Generator
    from typing import Any

    from treadle.logger import Logger

_CANCEL_SECONDS = 1.0
_kept: set[asyncio.Task[Any]] = set()


@lru_cache(maxsize=1)
def event_loop() -> asyncio.AbstractEventLoop:
    """The process's loop; it stays, so that what user code keeps between invocations stays usable."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def complete(awaitable: Awaitable[object], logger: Logger) -> object:
    """The awaitable's result. Tasks that it leaves running are cancelled: Lambda freezes the process after a run."""
    loop = event_loop()
    try:
        return loop.run_until_complete(awaitable if asyncio.isfuture(awaitable) else _coroutine(awaitable))
    finally:
        _cancel_rest(loop, logger)


def keep_running_tasks() -> None:
    """Those that are under way now go on between runs, this one aside: an application's own, from its start."""
    _kept.update(asyncio.all_tasks() - {asyncio.current_task()})


async def _coroutine(awaitable: Awaitable[object]) -> object:
    return await awaitable


def _cancel_rest(loop: asyncio.AbstractEventLoop, logger: Logger) -> None:
    tasks = [task for task in asyncio.all_tasks(loop) if not task.done() and task not in _kept]
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_SECONDS))
    names = sorted(str(getattr(task.get_coro(), "__qualname__", task.get_name())) for task in tasks)
    logger.warn(f"{len(tasks)} task(s) still ran when the handler returned, and were cancelled", {"tasks": names})
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            logger.failure("A task raised while it was cancelled", error)


class TakenOver:
    """A coroutine that became a task while it was being driven by hand: from here on, a loop runs as far as it can see.

    Uses what asyncio has for implementers of other loops.
    Source: https://docs.python.org/3/library/asyncio-extending.html#task-lifetime-support
    """

    def __init__(self, coroutine: Coroutine[Any, Any, object]) -> None:
        self._coroutine = coroutine
        self._yielded: object = None
        self._suspended = False
        self._task = event_loop().create_task(self._rest())
        asyncio._set_running_loop(event_loop())  # pyright: ignore[reportPrivateUsage]
        asyncio._enter_task(event_loop(), self._task)  # pyright: ignore[reportPrivateUsage]

    def leave(self, yielded: object, *, suspended: bool) -> None:
        """The drive by hand is over: the coroutine has `yielded`, or has ended."""
        asyncio._leave_task(event_loop(), self._task)  # pyright: ignore[reportPrivateUsage]
        asyncio._set_running_loop(None)  # pyright: ignore[reportPrivateUsage]
        self._yielded, self._suspended = yielded, suspended

    def complete(self, logger: Logger) -> object:
        """The result of what the coroutine has left to do, None where it has ended."""
        return complete(self._task, logger)

    async def _rest(self) -> object:
        return await Resumed(self._coroutine, self._yielded) if self._suspended else None


class Resumed:
    """Awaits the rest of a coroutine that has been driven up to what it `yielded`."""

    def __init__(self, coroutine: Coroutine[Any, Any, object], yielded: object) -> None:
        self._coroutine = coroutine
        self._yielded = yielded

    def __await__(self) -> Generator[object, object, object]:
        yielded = self._yielded
        while True:
            try:
                try:
                    sent = yield yielded
                except BaseException as error:
                    yielded = self._coroutine.throw(error)
                else:
                    yielded = self._coroutine.send(sent)
            except StopIteration as stop:
                return stop.value

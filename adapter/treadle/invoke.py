"""Runs a step's handler, sync or async, without paying for an event loop that it does not use.

Importing asyncio costs more than all of the adapter, and most handlers never suspend: what they await are our own
calls. So a coroutine is first driven by hand. Where asyncio has been imported already, or gets imported while the
handler runs (a library imported inside a function), it runs as a task on one loop that lives as long as the process.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from treadle.event_loop import TakenOver
    from treadle.logger import Logger
    from treadle.shapes import UserHandler

_TAKES_ANY_NUMBER = 0x04
"""CO_VARARGS. Source: https://docs.python.org/3/library/inspect.html#code-objects-bit-flags"""


def call_handler(handler: UserHandler, arguments: tuple[object, ...], logger: Logger) -> object:
    """Calls the handler with as many of `arguments` as it takes, and returns its result, awaited where it is awaitable.

    Tasks that it leaves running are cancelled, which `logger` gets to know.
    """
    result: Any = handler(*arguments[: positional_parameters(handler, len(arguments))])
    if not hasattr(result, "__await__"):
        return result
    if "asyncio" in sys.modules:
        from treadle.event_loop import complete

        return complete(result, logger)
    return _drive(result if hasattr(result, "send") else _coroutine(result), logger)


def positional_parameters(handler: UserHandler, most: int, untold: int | None = None) -> int:
    """How many of `most` positional arguments the handler takes; `untold` (or else `most`) where that cannot be told.

    A decorated handler takes what the function takes that `functools.wraps` names.
    """
    names = _parameter_names(handler)
    if names is None:
        return most if untold is None else untold
    return min(most, len(names))


def takes_context_alone(handler: UserHandler) -> bool:
    """Whether the handler takes a single argument, and calls it the context."""
    names = _parameter_names(handler)
    return names is not None and len(names) == 1 and any(word in names[0].lower() for word in ("ctx", "context"))


def _parameter_names(handler: UserHandler) -> tuple[str, ...] | None:
    """Those of the positional parameters; None where they cannot be told."""
    function: Any = handler if hasattr(handler, "__code__") else getattr(handler, "__call__", None)  # noqa: B004
    code = getattr(function, "__code__", None)
    while code is not None and code.co_flags & _TAKES_ANY_NUMBER:
        function = getattr(function, "__wrapped__", None)
        code = getattr(function, "__code__", None)
    if code is None:
        return None
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return names[hasattr(function, "__self__") :]


async def _coroutine(awaitable: Awaitable[object]) -> object:
    return await awaitable


def _drive(coroutine: Coroutine[Any, Any, object], logger: Logger) -> object:
    """The coroutine's result; an event loop takes over in the middle where one turns out to be needed."""
    watch = _AsyncioWatch(coroutine)
    sys.meta_path.insert(0, watch)
    yielded: object = None
    result: object = None
    suspended = False
    try:
        yielded = coroutine.send(None)
        suspended = True
    except StopIteration as stop:
        result = stop.value
    finally:
        watch.stop()
        taken_over = watch.taken_over
        if taken_over is not None:
            taken_over.leave(yielded, suspended=suspended)
    if taken_over is not None:
        rest = taken_over.complete(logger)
        return rest if suspended else result
    if not suspended:
        return result
    from treadle.event_loop import Resumed, complete

    return complete(Resumed(coroutine, yielded), logger)


class _AsyncioWatch:
    """Import hook that turns the running coroutine into a task of a running loop in the moment asyncio is imported."""

    __slots__ = ("_coroutine", "taken_over")

    def __init__(self, coroutine: Coroutine[Any, Any, object]) -> None:
        self._coroutine = coroutine
        self.taken_over: TakenOver | None = None

    def stop(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "asyncio":
            return None
        self.stop()
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute: Callable[[ModuleType], None] = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                from treadle.event_loop import TakenOver

                self.taken_over = TakenOver(self._coroutine)

            loader.exec_module = exec_module
        return spec

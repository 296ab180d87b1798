"""What a config's `middleware` puts around a step's handler; loaded only by steps that have some."""

from __future__ import annotations

from treadle.errors import MiddlewareMissing
from treadle.invoke import positional_parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any

    from treadle.context import Context
    from treadle.shapes import UserHandler

    Next = Callable[..., Awaitable[object]]


def middleware_of(config: Any, keys: Sequence[str | int]) -> tuple[UserHandler, ...]:
    """The functions that stand in a step's config under these keys: `("middleware",)`, `("triggers", 0, "middleware")`.

    The config may be made of dicts, or of objects that have the keys as attributes. Read when the step runs, so that
    a list that depends on the environment is the one of the environment in which the step runs.
    Raises: MiddlewareMissing for what cannot be called.
    """
    value: Any = config
    for key in keys:
        value = value[key] if isinstance(key, int) else member(value, key)
    if value is None:
        return ()
    functions: list[Any] = list(value) if isinstance(value, (list, tuple)) else [value]  # pyright: ignore[reportUnknownArgumentType]
    for function in functions:
        if not callable(function):
            raise MiddlewareMissing(f"`middleware` has a {type(function).__qualname__} in it, which is no function")
    return tuple(functions)


def through(middleware: Sequence[UserHandler], handler: UserHandler) -> UserHandler:
    """A handler that runs the middleware, the first outermost, around `handler`.

    Each gets the request, the context and a function that awaits what comes next. What that function is given in place
    of the request is for the next middleware alone: the handler has the request itself, as Motia has it.
    """
    takes = positional_parameters(handler, 2)

    async def handle(request: object, context: Context) -> object:
        async def innermost(replacement: object = None) -> object:
            if replacement is not None and replacement is not request:
                context.logger.warn(
                    "the handler gets the request as it came, not the one that `next` was called with; "
                    "change the request in place"
                )
            return await _awaited(handler(*(request, context)[:takes]))

        following: Next = innermost
        for function in reversed(middleware):
            following = _around(function, request, context, following)
        return await following()

    return handle


def _around(function: UserHandler, request: object, context: Context, following: Next) -> Next:
    async def call(replacement: object = None) -> object:
        given = request if replacement is None else replacement
        return await _awaited(function(given, context, following))

    return call


async def _awaited(result: Any) -> object:
    return await result if hasattr(result, "__await__") else result


def member(value: Any, key: str) -> Any:
    """`value[key]` of a dict, else the attribute; None where there is none."""
    if hasattr(value, "keys"):
        return value.get(key)
    return getattr(value, key, None)

"""Whether a step's `handler` can be called as it will be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from treadle_infra.app.findings import Finding, error
from treadle_infra.discovery.places import ConfigPlaces

_PARAMETERS = 2
"""The request or the event's data, and the context."""


def check_handler(handler: Mapping[str, Any] | None, places: ConfigPlaces) -> Iterator[Finding]:
    """What is wrong with the handler, as the child process has described it."""
    where = places.handler
    if handler is None:
        hint = "write `async def handler(input, context):`"
        yield error("handler-missing", f"No 'handler' found in module {places.path}", places.config, hint)
    elif not handler["callable"]:
        message = f"`handler` must be a function; it is a {handler['type']}"
        yield error("handler-not-callable", message, where)
    elif handler["generator"]:
        hint = "answer with `return`; nothing takes what is yielded"
        yield error("handler-is-generator", "`handler` has a `yield` in it, so it never answers", where, hint)
    else:
        yield from _check_parameters(handler, places)


def _check_parameters(handler: Mapping[str, Any], places: ConfigPlaces) -> Iterator[Finding]:
    required: int = handler["required"]
    most: int | None = handler["most"]
    keywords: list[str] = handler["keywords"]
    hint = "write `async def handler(input, context):`"
    if required > _PARAMETERS:
        message = f"`handler` must take 1 or 2 positional arguments (the input and the context); it takes {required}"
        yield error("handler-arity", message, places.handler, hint)
    elif most == 0:
        message = "`handler` must take 1 or 2 positional arguments (the input and the context); it takes none"
        yield error("handler-arity", message, places.handler, hint)
    elif keywords:
        message = f"`handler` is called with positional arguments, but it needs the keyword `{keywords[0]}`"
        yield error("handler-arity", message, places.handler, hint)

"""Whether the project's functions can be called as they will be: a step's `handler`, `canAccess`, `authenticate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from treadle_infra.app.findings import Finding, SourceLocation, error
from treadle_infra.discovery.places import ConfigPlaces

_PARAMETERS = 2
"""The request or the event's data, and the context."""


def check_handler(
    handler: Mapping[str, Any] | None, places: ConfigPlaces, *, is_only_scheduled: bool = False
) -> Iterator[Finding]:
    """What is wrong with a step's handler, as the child process has described it."""
    where = places.handler
    parameters = "context" if is_only_scheduled else "input, context"
    hint = f"write `async def handler({parameters}):`"
    if handler is None:
        yield error("handler-missing", f"No 'handler' found in module {places.path}", places.config, hint)
    elif not handler["callable"]:
        message = f"`handler` must be a function; it is a {handler['type']}"
        yield error("handler-not-callable", message, where)
    elif handler["generator"]:
        told = "answer with `return`; nothing takes what is yielded"
        yield error("handler-is-generator", "`handler` has a `yield` in it, so it never answers", where, told)
    else:
        problem = _arity_problem(handler)
        if problem is not None:
            yield error("handler-arity", problem, where, hint)


def _arity_problem(handler: Mapping[str, Any]) -> str | None:
    required: int = handler["required"]
    most: int | None = handler["most"]
    keywords: list[str] = handler["keywords"]
    wanted = "`handler` must take 1 or 2 positional arguments (the input and the context)"
    if required > _PARAMETERS:
        return f"{wanted}; it takes {required}"
    if most == 0:
        return f"{wanted}; it takes none"
    if keywords:
        return f"`handler` is called with positional arguments, but it needs the keyword `{keywords[0]}`"
    return None


def check_function(
    facts: Mapping[str, Any],
    name: str,
    parameters: tuple[str, ...],
    code: str,
    where: SourceLocation,
    example: str | None = None,
) -> Iterator[Finding]:
    """What keeps a function from being called with exactly these positional arguments, as a finding of this code.

    `name` says where it stands; `example` is what a hint calls it where that is no name.
    """
    hint = f"write `async def {example or name}({', '.join(parameters)}):`"
    if not facts["callable"]:
        yield error(code, f"`{name}` must be a function; it is a {facts['type']}", where, hint)
    elif facts["generator"]:
        yield error(code, f"`{name}` has a `yield` in it, so it never answers", where, "answer with `return`")
    elif facts["keywords"]:
        message = f"`{name}` is called with positional arguments, but it needs the keyword `{facts['keywords'][0]}`"
        yield error(code, message, where, hint)
    elif not _takes(facts, len(parameters)):
        least: int = facts["required"]
        most: int | None = facts["most"]
        taken = f"{least} or more" if most is None else str(least) if least == most else f"{least} to {most}"
        message = f"`{name}` is called with {_number(len(parameters))} ({', '.join(parameters)}); it takes {taken}"
        yield error(code, message, where, hint)


def _takes(facts: Mapping[str, Any], number: int) -> bool:
    most: int | None = facts["most"]
    return facts["required"] <= number and (most is None or most >= number)


def _number(arguments: int) -> str:
    return "1 argument" if arguments == 1 else f"{arguments} arguments"

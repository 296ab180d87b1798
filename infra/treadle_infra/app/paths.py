"""Paths of HTTP routes: what of Express's syntax is understood, and the same path as API Gateway writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from treadle_infra.app.path_segments import composed_segment, segment_template

GREEDY_PARAMETER = "proxy"
"""The name under which API Gateway hands over what a trailing `*` stands for."""

_OPTIONAL = re.compile(r":[A-Za-z0-9_]+(?:\([^()]*\))?\?\Z")
_OPTIONAL_LIMIT = 4
"""Each doubles the number of routes."""
_WILDCARD = re.compile(r"\*(?P<name>[A-Za-z0-9_]*)\Z|:(?P<parameter>[A-Za-z0-9_]+)\(\.[*+]\)\Z")
"""What reaches over slashes: `*`, `*path`, `:path(.*)`."""
_PARAMETER = re.compile(r":[A-Za-z0-9_]+\Z")
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+\Z")


@dataclass(frozen=True, slots=True)
class PathProblem:
    """Why a path cannot be a route. `code` is a finding's code."""

    code: str
    message: str
    hint: str | None = None


def without_optional(path: str) -> tuple[str, ...]:
    """The paths that one with optional parameters stands for: `/orders/:id?` -> `/orders/:id`, `/orders`.

    The longest comes first; a path without any stands for itself.
    """
    forms: list[list[str]] = [[]]
    for segment in _segments(path):
        if _OPTIONAL.match(segment):
            forms = [form for base in forms for form in ([*base, segment[:-1]], base)]
        else:
            forms = [[*base, segment] for base in forms]
    ends = "/" if path != "/" and path.endswith("/") else ""
    return tuple(dict.fromkeys("/" + "/".join(form) + (ends if form else "") for form in forms))


def gateway_path(path: str) -> str:
    """The path of a route as API Gateway writes it: `/orders/:id` -> `/orders/{id}`, `/files/*` -> `/files/{proxy+}`.

    A wildcard with a name keeps it: `/files/*path` -> `/files/{path+}`. No parameter in `path` is optional. A segment
    that is put together is one parameter: `/:from-:to` -> `/{from_to}`, of which `segment_patterns` tells the parts.
    A slash at the end is dropped: to Express it makes no difference.
    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    """
    return "/" + "/".join(_gateway_segment(segment) for segment in _segments(path))


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A path with its parameters in braces: `/files/{0}`, of which those in `greedy` reach over slashes.

    They have the names by which the handler finds them; `expressions` are those of parameters that have one.
    """

    text: str
    parameters: tuple[str, ...] = ()
    expressions: Mapping[str, str] = field(default_factory=dict[str, str])
    greedy: frozenset[str] = frozenset()


def path_template(path: str) -> PathTemplate:
    """The template of a path without optional parameters; a slash at its end is dropped, as everywhere."""
    parts: list[str] = []
    parameters: dict[str, str | None] = {}
    greedy: set[str] = set()
    for segment in _segments(path):
        wildcard = _wildcard_name(segment)
        if wildcard is not None:
            name = "0" if segment == "*" else wildcard
            greedy.add(name)
            parameters[name] = None
            parts.append(f"{{{name}}}")
        else:
            text, expressions = segment_template(segment)
            parameters |= expressions
            parts.append(text)
    found = {name: expression for name, expression in parameters.items() if expression is not None}
    return PathTemplate("/" + "/".join(parts), tuple(parameters), found, frozenset(greedy))


def segment_patterns(path: str) -> dict[str, str]:
    """For each parameter of the route that the step takes apart, the pattern whose groups are the path's parameters."""
    composed = [composed_segment(segment) for segment in _segments(path) if not _is_simple(segment)]
    return {one.parameter: one.pattern for one in composed if one is not None}


def route_shape(path: str) -> str:
    """The same for all paths that catch the same requests: parameters lose their names."""
    return re.sub(r"\{[^}+]*(\+?)\}", r"{\1}", gateway_path(path))


def path_problems(path: str) -> Iterator[PathProblem]:
    """Everything that keeps `path` from becoming a route of an HTTP API; nothing where it can."""
    if not path.startswith("/"):
        yield PathProblem("path-invalid", f"the path `{path}` must begin with `/`", f"write `/{path}`")
        return
    segments = _segments(without_braces(path))
    for position, segment in enumerate(segments):
        problem = _segment_problem(segment, position == len(segments) - 1)
        if problem is not None:
            yield problem
    if len([segment for segment in segments if _OPTIONAL.match(segment)]) > _OPTIONAL_LIMIT:
        message = f"the path `{path}` has more than {_OPTIONAL_LIMIT} optional parameters"
        yield PathProblem("path-not-supported", message, "make a step for each form of the path")
    names = [name for segment in segments for name in _parameter_names(segment)]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield PathProblem("path-invalid", f"the path `{path}` has two parameters named `{name}`", "rename one of them")


def _segments(path: str) -> list[str]:
    inner = path.removeprefix("/").removesuffix("/")
    return inner.split("/") if inner else []


def _gateway_segment(segment: str) -> str:
    if _PLAIN.match(segment):
        return segment
    wildcard = _wildcard_name(segment)
    if wildcard is not None:
        return f"{{{wildcard}+}}"
    composed = None if _PARAMETER.match(segment) else composed_segment(segment)
    return f"{{{segment[1:] if composed is None else composed.parameter}}}"


def _parameter_names(segment: str) -> Iterator[str]:
    """The names of a segment's parameters, and the one that API Gateway has for it."""
    whole = segment.removesuffix("?")
    wildcard = _wildcard_name(whole)
    composed = None if _is_simple(whole) else composed_segment(whole)
    if wildcard is not None:
        yield wildcard
    elif composed is not None:
        yield from {composed.parameter, *re.compile(composed.pattern).groupindex}
    elif whole.startswith(":"):
        yield whole[1:]


def _is_simple(segment: str) -> bool:
    return bool(_PARAMETER.match(segment) or _PLAIN.match(segment) or _WILDCARD.match(segment))


def _wildcard_name(segment: str) -> str | None:
    """What API Gateway calls that for which a wildcard stands; None for a segment that is none."""
    found = _WILDCARD.match(segment)
    return None if found is None else found["parameter"] or found["name"] or GREEDY_PARAMETER


def without_braces(path: str) -> str:
    """The path with `{name}` and `{name+}`, which are API Gateway's, as Express has them: `:name` and `*name`."""
    return re.sub(r"(?<=/)\{(\w+)(\+?)\}(?=/|$)", lambda found: f"{'*' if found[2] else ':'}{found[1]}", path)


def _segment_problem(segment: str, is_last: bool) -> PathProblem | None:
    whole = segment[:-1] if _OPTIONAL.match(segment) else segment
    is_wildcard = _WILDCARD.match(whole) is not None
    if _PARAMETER.match(whole) or _PLAIN.match(whole) or (is_last and is_wildcard):
        return None
    if ":" in whole and not is_wildcard and composed_segment(whole) is not None:
        return None
    reason, hint = _reason(segment)
    return PathProblem("path-not-supported", f"`{segment}` in a path is not supported: {reason}", hint)


def _reason(segment: str) -> tuple[str, str | None]:
    """What is wrong with a segment that is no route's, and the remedy."""
    if not segment:
        return "a segment is empty", "write one slash"
    if _WILDCARD.match(segment):
        return "what reaches over slashes can only be the whole last segment", "take a `:name` for each segment"
    if "(" in segment or ")" in segment:
        return (
            "a regular expression stands behind the name of a parameter, as `:id(\\d+)`, without groups in it",
            "take a plain `:name` and check its value in the handler",
        )
    if "*" in segment:
        return "`*` can only be the whole last segment", "end the path with `/*`, or take a `:name` for each segment"
    if "?" in segment or "+" in segment:
        return (
            "of a path only a whole `:name?` can be optional, and nothing repeated",
            "make a step for each form of it",
        )
    if segment.startswith("{"):
        return "parameters are written as in Express", f"write `:{segment.strip('{}+') or 'name'}`"
    if ":" in segment:
        return (
            "a parameter's name has letters, digits and `_`, and no two of a segment are the same",
            "write `:name` between two slashes and take it apart in the handler",
        )
    return "a segment has letters, digits, `.`, `_`, `~` and `-`", None

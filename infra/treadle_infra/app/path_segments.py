"""Segments of Express's paths that are more than a name or a text: `:from-:to`, `@:user`, `:id(\\d+)`.

API Gateway has only whole parameters; such a segment is one to it, which the step takes apart by a pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_PARAMETER = re.compile(r":(?P<name>[A-Za-z_]\w*)(?:\((?P<expression>(?:[^()\\]|\\.|\(\?:[^()]*\))+)\))?", re.ASCII)
_LITERAL = re.compile(r"[\w.~@$!,;='-]+", re.ASCII)
_ANYTHING = "[^/]+?"
"""What Express takes for a parameter without an expression: as little as fits."""


@dataclass(frozen=True, slots=True)
class ComposedSegment:
    """`parameter` is what API Gateway calls the segment; the groups of `pattern`, a whole match, are its parts."""

    parameter: str
    pattern: str


@lru_cache(maxsize=4096)
def composed_segment(segment: str) -> ComposedSegment | None:
    """The segment taken apart; None for one without a parameter, and for what no pattern can be made of."""
    names: list[str] = []
    pattern = ""
    at = 0
    while at < len(segment):
        parameter = _PARAMETER.match(segment, at)
        literal = _LITERAL.match(segment, at)
        if parameter is not None:
            names.append(parameter["name"])
            pattern += f"(?P<{parameter['name']}>{parameter['expression'] or _ANYTHING})"
            at = parameter.end()
        elif literal is not None:
            pattern += re.escape(literal[0])
            at = literal.end()
        else:
            return None
    if not names or not _is_pattern(pattern):
        return None
    return ComposedSegment("_".join(names), pattern)


def segment_template(segment: str) -> tuple[str, dict[str, str | None]]:
    """The segment with its parameters in braces, `{from}-{to}`, and the expression of each that has one."""
    expressions: dict[str, str | None] = {}

    def braces(parameter: re.Match[str]) -> str:
        expressions[parameter["name"]] = parameter["expression"]
        return f"{{{parameter['name']}}}"

    return _PARAMETER.sub(braces, segment), expressions


def _is_pattern(pattern: str) -> bool:
    try:
        re.compile(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError):
        return False
    return True

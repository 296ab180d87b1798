"""Wildcard patterns of policy documents, compiled once to functions that decide one text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

Matcher = Callable[[str], bool]

_ARN_SEGMENTS = 6
# `${*}`, `${?}` and `${$}` are those characters themselves.
_TOKEN = re.compile(r"\$\{(?P<escaped>[*?$])\}|(?P<wildcard>[*?])|(?P<literal>[^*?$]+|\$)")
_SPECIAL = frozenset("*?$")
_ANY_CHARACTER, _WITHIN_SEGMENT = ".", "[^:]"


def globs(patterns: Iterable[str], *, ignore_case: bool = False) -> Matcher:
    """Decides whether a text matches one of the patterns: `*` is any run of characters, `?` any one character.

    With `ignore_case` the caller asks with texts in lower case.
    """
    folded = [pattern.lower() for pattern in patterns] if ignore_case else list(patterns)
    return _compile(folded, lambda pattern: _glob(pattern, _ANY_CHARACTER))


def resources(patterns: Sequence[str]) -> Matcher:
    """Decides whether an ARN matches one of the patterns of a Resource element.

    A wildcard stays within its colon-separated segment, except that a `*` at a segment's end reaches beyond it.
    A pattern of fewer than six segments is completed with wildcards.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    missing = (_ARN_SEGMENTS - 1 - pattern.count(":") if pattern != "*" else 0 for pattern in patterns)
    whole = [pattern + ":*" * count for pattern, count in zip(patterns, missing, strict=True)]
    return _compile(whole, _resource)


def arns(patterns: Iterable[str]) -> Matcher:
    """Decides whether an ARN matches one of the patterns of ArnLike: each of the six parts is compared alone.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    return _compile([pattern for pattern in patterns if pattern.count(":") >= _ARN_SEGMENTS - 1], _arn)


def _compile(patterns: list[str], expression_of: Callable[[str], str]) -> Matcher:
    if "*" in patterns:
        return _anything
    exact = frozenset(pattern for pattern in patterns if _SPECIAL.isdisjoint(pattern))
    expressions = [expression_of(pattern) for pattern in patterns if pattern not in exact]
    if not expressions:
        return exact.__contains__
    matches = re.compile("|".join(f"(?:{expression})" for expression in expressions), re.DOTALL).fullmatch
    return lambda text: text in exact or matches(text) is not None


def _anything(_text: str) -> bool:
    return True


def _glob(pattern: str, character: str) -> str:
    """The regular expression of a pattern whose wildcards stand for the given class of characters."""
    pieces = [""]
    for token in _TOKEN.finditer(pattern):
        match token.lastgroup, token[0]:
            case "wildcard", "*":
                pieces.append("")
            case "wildcard", _:
                pieces[-1] += character
            case "escaped", _:
                pieces[-1] += re.escape(token["escaped"])
            case _:
                pieces[-1] += re.escape(token[0])
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    # The leftmost place for a middle piece is as good as any other: without backtracking no pattern is slow.
    return first + "".join(f"(?>{character}*?{piece})" for piece in middle) + f"{character}*{last}"


def _resource(pattern: str) -> str:
    *segments, resource = pattern.split(":", _ARN_SEGMENTS - 1)
    return ":".join([*(_resource_segment(segment) for segment in segments), _glob(resource, _ANY_CHARACTER)])


def _resource_segment(segment: str) -> str:
    if segment.endswith("*"):
        return _glob(segment[:-1], _WITHIN_SEGMENT) + ".*"
    return _glob(segment, _WITHIN_SEGMENT)


def _arn(pattern: str) -> str:
    *segments, resource = pattern.split(":", _ARN_SEGMENTS - 1)
    return ":".join([*(_glob(segment, _WITHIN_SEGMENT) for segment in segments), _glob(resource, _ANY_CHARACTER)])

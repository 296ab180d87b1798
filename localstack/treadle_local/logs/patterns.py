"""Filter patterns of CloudWatch Logs as predicates over messages: terms, phrases, regular expressions, JSON.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator

from treadle_local.aws.errors import AwsError
from treadle_local.logs.json_patterns import parse_json_pattern

Matches = Callable[[str], bool]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|(%)(.*?)%|([^\s"]+))(?=\s|$)', re.DOTALL)


def invalid_pattern(reason: str) -> AwsError:
    """The refusal of a pattern that cannot be read."""
    return AwsError("InvalidParameterException", f"Invalid filter pattern: {reason}")


@functools.lru_cache(maxsize=256)
def parse_pattern(pattern: str) -> Matches | None:
    """Whether a message matches; None for the empty pattern, which all do.

    Raises: AwsError InvalidParameterException; UnknownOperationException for patterns of columns (`[a, b]`).
    """
    text = pattern.strip()
    if not text:
        return None
    if text.startswith("{"):
        try:
            return parse_json_pattern(text)
        except ValueError as problem:
            raise invalid_pattern(str(problem)) from None
    if text.startswith("["):
        message = "Filter patterns over columns, `[a, b, ...]`, are not in Treadle's emulator yet"
        raise AwsError("UnknownOperationException", message)
    return _parse_terms(text)


def _parse_terms(text: str) -> Matches:
    """All plain terms, none with a minus; of those with a question mark one suffices, and none of it matters where a
    plain term stands beside them.
    """
    required: list[Matches] = []
    optional: list[Matches] = []
    excluded: list[Matches] = []
    for sign, term in _terms(text):
        {"": required, "?": optional, "-": excluded}[sign].append(term)
    some = () if required else tuple(optional)

    def matches(message: str) -> bool:
        return (
            all(term(message) for term in required)
            and not any(term(message) for term in excluded)
            and (not some or any(term(message) for term in some))
        )

    return required[0] if len(required) == 1 and not (excluded or some) else matches


def _terms(text: str) -> Iterator[tuple[str, Matches]]:
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise invalid_pattern(f"it breaks at `{text[position:].strip()[:40]}`")
        sign, phrase, is_expression, expression, word = found.groups()
        if is_expression:
            yield sign, _expression(expression)
        else:
            yield sign, _containing(re.sub(r"\\(.)", r"\1", phrase, flags=re.DOTALL) if phrase is not None else word)
        position = found.end()


def _containing(term: str) -> Matches:
    return lambda message: term in message


def _expression(expression: str) -> Matches:
    if "(" in expression or ")" in expression:
        raise invalid_pattern("a regular expression has no parentheses here")
    try:
        compiled = re.compile(expression)
    except re.error as problem:
        raise invalid_pattern(f"`{expression}` is no regular expression: {problem}") from None
    return lambda message: compiled.search(message) is not None

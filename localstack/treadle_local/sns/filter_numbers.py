"""The numeric operator of filter policies: one comparison, or a range of two.

Source: https://docs.aws.amazon.com/sns/latest/dg/numeric-value-matching.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.sns.errors import invalid

Compare = Callable[[Any, Any], bool]

_LIMIT = 1_000_000_000
"""Source: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html"""

_LOWER: Mapping[str, Compare] = {">": operator.gt, ">=": operator.ge}
_UPPER: Mapping[str, Compare] = {"<": operator.lt, "<=": operator.le}
_NOTHING = object()


def is_number(value: object) -> bool:
    """True for numbers as JSON knows them: not for true and false."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def numeric_test(operand: object) -> Callable[[object], bool]:
    """Whether a value is a number within what `[">", 0, "<=", 150]` says. Raises: `InvalidParameter`."""
    if not isinstance(operand, list):
        raise _malformed("Value of numeric must be an array.")
    parts = iter(cast("list[object]", operand))
    word = next(parts, "]")
    if not isinstance(word, str) or word == "]":
        raise _malformed(f"Invalid member in numeric match: {word}")
    if word == "=":
        wanted = _bound("equals", parts)
        _check_end(parts, "Too many elements in numeric expression")
        return lambda value: is_number(value) and value == wanted
    if word in _UPPER:
        top, below = _bound(word, parts), _UPPER[word]
        _check_end(parts, "Too many elements in numeric expression")
        return lambda value: is_number(value) and below(value, top)
    if word not in _LOWER:
        raise _malformed(f"Unrecognized numeric range operator: {word}")
    return _from_below(_LOWER[word], _bound(word, parts), parts)


def _from_below(above: Compare, bottom: float, parts: Iterator[object]) -> Callable[[object], bool]:
    word = next(parts, _NOTHING)
    if word is _NOTHING:
        return lambda value: is_number(value) and above(value, bottom)
    if not isinstance(word, str):
        raise _malformed(f"Bad value in numeric range: {word}")
    if word not in _UPPER:
        raise _malformed(f"Bad numeric range operator: {word}")
    top, below = _bound(word, parts), _UPPER[word]
    if bottom >= top:
        raise _malformed("Bottom must be less than top")
    _check_end(parts, "Too many terms in numeric range expression")
    return lambda value: is_number(value) and above(value, bottom) and below(value, top)


def _bound(word: str, parts: Iterator[object]) -> float:
    value = next(parts, _NOTHING)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _malformed(f"Value of {word} must be numeric")
    if abs(value) > _LIMIT:
        raise _malformed(f"Value of {word} must be between -{_LIMIT} and {_LIMIT}, inclusive")
    return value


def _check_end(parts: Iterator[object], reason: str) -> None:
    if next(parts, _NOTHING) is not _NOTHING:
        raise _malformed(reason)


def _malformed(reason: str) -> AwsError:
    return invalid(f"FilterPolicy: {reason}")

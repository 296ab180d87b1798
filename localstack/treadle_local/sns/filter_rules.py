"""The operators of a filter policy: each becomes a test over the values that a message has for one property.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import ipaddress
import itertools
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.sns.errors import invalid

Scalar = str | int | float | bool | None
Rule = Callable[[Sequence[Scalar] | None], bool]
"""Says whether the property fits; None stands for a property that the message does not have."""

Test = Callable[[Scalar], bool]

RESERVED_WORDS = frozenset(
    {"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}
)
_NUMERIC_LIMIT = 1_000_000_000
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_rule(element: object) -> Rule:
    """The rule for one element of a property's array: a plain value or `{operator: operand}`.

    Raises: `InvalidParameter`.
    """
    if not isinstance(element, dict):
        if isinstance(element, list):
            raise _malformed("Match value must be String, number, true, false, or null")
        return _any_value(_equals(cast("Scalar", element)))
    if len(cast("dict[str, object]", element)) != 1:
        raise _malformed("Only one key allowed in match expression")
    ((word, operand),) = cast("dict[str, object]", element).items()
    if word == "exists":
        return _exists(operand)
    return _any_value(_test(word, operand))


def _malformed(reason: str) -> AwsError:
    return invalid(f"FilterPolicy: {reason}")


def _test(word: str, operand: object) -> Test:
    match word:
        case "prefix":
            prefix = _text(word, operand)
            return lambda value: isinstance(value, str) and value.startswith(prefix)
        case "suffix":
            suffix = _text(word, operand)
            return lambda value: isinstance(value, str) and value.endswith(suffix)
        case "equals-ignore-case":
            lowered = _text(word, operand).lower()
            return lambda value: isinstance(value, str) and value.lower() == lowered
        case "wildcard":
            return _wildcard(_text(word, operand))
        case "cidr":
            return _cidr(_text(word, operand))
        case "numeric":
            return _numeric(operand)
        case "anything-but":
            return _anything_but(operand)
        case _:
            raise _malformed(f"Unrecognized match type {word}")


def _any_value(test: Test) -> Rule:
    return lambda values: values is not None and any(test(value) for value in values)


def _exists(operand: object) -> Rule:
    if not isinstance(operand, bool):
        raise _malformed("exists match pattern must be either true or false.")
    return lambda values: (values is not None) is operand


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equals(wanted: Scalar) -> Test:
    if isinstance(wanted, bool) or wanted is None:
        return lambda value: value is wanted
    if _is_number(wanted):
        return lambda value: _is_number(value) and value == wanted
    return lambda value: isinstance(value, str) and value == wanted


def _text(word: str, operand: object) -> str:
    if not isinstance(operand, str) or not operand:
        raise _malformed(f"{word} match pattern must be a non-empty string")
    return operand


def _anything_but(operand: object) -> Test:
    if isinstance(operand, dict):
        if len(cast("dict[str, object]", operand)) != 1:
            raise _malformed("Only one key allowed in match expression")
        ((word, pattern),) = cast("dict[str, object]", operand).items()
        if word not in ("prefix", "suffix"):
            raise _malformed(f"Unsupported anything-but pattern: {word}")
        unwanted_form = _test(word, pattern)
        return lambda value: not unwanted_form(value)
    unwanted = cast("list[object]", operand) if isinstance(operand, list) else [operand]
    if not unwanted or not all(isinstance(value, str) or _is_number(value) for value in unwanted):
        raise _malformed("anything-but list must hold strings or numbers, and at least one")
    tests = tuple(_equals(cast("Scalar", value)) for value in unwanted)
    return lambda value: not any(test(value) for test in tests)


def _numeric(operand: object) -> Test:
    parts = cast("list[object]", operand) if isinstance(operand, list) else []
    if len(parts) not in (2, 4):
        raise _malformed("Value of numeric must be an array of one or two comparisons")
    comparisons: list[tuple[Callable[[Any, Any], bool], float]] = []
    for word, bound in zip(parts[::2], parts[1::2], strict=True):
        if not isinstance(word, str) or word not in _COMPARISONS:
            raise _malformed(f"Unrecognized numeric range operator: {word}")
        if not isinstance(bound, int | float) or isinstance(bound, bool) or abs(bound) > _NUMERIC_LIMIT:
            raise _malformed(f"Value of {word} must be numeric, between -1000000000 and 1000000000")
        comparisons.append((_COMPARISONS[word], bound))
    if len(parts) == 4:
        (lower_word, low), (upper_word, high) = (parts[0], parts[1]), (parts[2], parts[3])
        if lower_word not in (">", ">=") or upper_word not in ("<", "<=") or comparisons[0][1] >= comparisons[1][1]:
            raise _malformed(f"Bad numeric range: {lower_word} {low} {upper_word} {high}")
    return lambda value: _is_number(value) and all(compare(value, bound) for compare, bound in comparisons)


def _cidr(text: str) -> Test:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise _malformed("Malformed CIDR, one '/' required") from None

    def contains(value: Scalar) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return contains


def _wildcard(pattern: str) -> Test:
    r"""`*` stands for any characters, `\*` and `\\` for themselves; the cost is linear in the value's length."""
    parts = re.findall(r"\\[*\\]|\\|\*|[^\\*]+", pattern)
    if "\\" in parts:
        raise _malformed("Invalid escape character in wildcard pattern")
    if any(first == second == "*" for first, second in itertools.pairwise(parts)):
        raise _malformed("Consecutive wildcard characters are not allowed")
    pieces = [""]
    for part in parts:
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += part[1] if part.startswith("\\") else part
    first, *middle = pieces
    if not middle:
        return lambda value: value == first
    last = middle.pop()

    def fits(value: Scalar) -> bool:
        if not isinstance(value, str) or len(value) < len(first) + len(last):
            return False
        if not value.startswith(first) or not value.endswith(last):
            return False
        start, end = len(first), len(value) - len(last)
        for piece in middle:
            found = value.find(piece, start, end)
            if found < 0:
                return False
            start = found + len(piece)
        return True

    return fits

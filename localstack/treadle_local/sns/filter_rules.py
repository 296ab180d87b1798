"""The operators of a filter policy: each becomes a test over the values that a message has for one property.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Literal, cast

from treadle_local.aws.errors import AwsError
from treadle_local.sns.errors import invalid
from treadle_local.sns.filter_numbers import is_number, numeric_test

Scalar = str | int | float | bool | None
Rule = Callable[[Sequence[Scalar] | None], bool]
"""Says whether the property fits; None stands for a property that the message does not have."""

Test = Callable[[Scalar], bool]

Dialect = Literal["attributes", "body", "eventbridge"]
"""Whose patterns: of a subscription over attributes or over the body, or those of EventBridge and of event source
mappings, which have more operators."""

RESERVED_WORDS = frozenset(
    {"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}
)
_NOT_IN_SNS = frozenset({"wildcard"})
_ANYTHING_BUT_IN_SNS = frozenset({"prefix"})
_ANYTHING_BUT = frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"})
"""Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html"""


def compile_rule(element: object, dialect: Dialect) -> Rule:
    """The rule for one element of a property's array: a plain value or `{operator: operand}`.

    Over attributes, null is wanted where the attribute is missing.

    Raises: `InvalidParameter`.
    """
    if not isinstance(element, dict):
        if isinstance(element, list):
            raise _malformed("Match value must be String, number, true, false, or null")
        rule = _any_value(_equals(cast("Scalar", element)))
        if element is None and dialect == "attributes":
            return lambda values: values is None or rule(values)
        return rule
    if len(cast("dict[str, object]", element)) != 1:
        raise _malformed("Only one key allowed in match expression")
    ((word, operand),) = cast("dict[str, object]", element).items()
    if word == "exists":
        return _exists(operand, dialect)
    return _any_value(_test(word, operand, dialect))


def _malformed(reason: str) -> AwsError:
    return invalid(f"FilterPolicy: {reason}")


def _test(word: str, operand: object, dialect: Dialect) -> Test:
    if dialect != "eventbridge" and word in _NOT_IN_SNS:
        raise _malformed(f"Unrecognized match type {word}")
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
            return numeric_test(operand)
        case "anything-but":
            return _anything_but(operand, dialect)
        case _:
            raise _malformed(f"Unrecognized match type {word}")


def _any_value(test: Test) -> Rule:
    return lambda values: values is not None and any(test(value) for value in values)


def _exists(operand: object, dialect: Dialect) -> Rule:
    """SNS wants a value that is neither null nor empty; EventBridge takes any.

    Source: https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html
    """
    if not isinstance(operand, bool):
        raise _malformed("exists match pattern must be either true or false.")
    if operand and dialect != "eventbridge":
        return _any_value(lambda value: value is not None and value != "")
    return lambda values: (values is not None) is operand


def _equals(wanted: Scalar) -> Test:
    if isinstance(wanted, bool) or wanted is None:
        return lambda value: value is wanted
    if is_number(wanted):
        return lambda value: is_number(value) and value == wanted
    return lambda value: isinstance(value, str) and value == wanted


def _text(word: str, operand: object) -> str:
    if not isinstance(operand, str):
        raise _malformed(f"{word} match pattern must be a string")
    return operand


def _anything_but(operand: object, dialect: Dialect) -> Test:
    if isinstance(operand, dict):
        return _anything_of_another_form(cast("dict[str, object]", operand), dialect)
    unwanted = cast("list[object]", operand) if isinstance(operand, list) else [operand]
    if not unwanted or not all(isinstance(value, str) or is_number(value) for value in unwanted):
        raise _malformed("Inside anything-but list, start|null|boolean is not supported.")
    tests = tuple(_equals(cast("Scalar", value)) for value in unwanted)
    return lambda value: not any(test(value) for test in tests)


def _anything_of_another_form(operand: dict[str, object], dialect: Dialect) -> Test:
    if len(operand) != 1:
        raise _malformed("Only one key allowed in match expression")
    ((word, given),) = operand.items()
    if word not in (_ANYTHING_BUT if dialect == "eventbridge" else _ANYTHING_BUT_IN_SNS):
        raise _malformed(f"Unsupported anything-but pattern: {word}")
    patterns: list[object] = [given]
    if isinstance(given, list) and dialect == "eventbridge":
        patterns = cast("list[object]", given)
    tests = tuple(_test(word, pattern, dialect) for pattern in patterns)
    return lambda value: not any(test(value) for test in tests)


def _cidr(text: str) -> Test:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise _malformed(f"Malformed CIDR: {text}") from None
    if "/" not in text:
        raise _malformed("Malformed CIDR, one '/' required")

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

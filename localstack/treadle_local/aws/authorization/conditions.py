"""The Condition element of a policy statement, compiled to tests of the request's context.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
and reference_policies_condition-single-vs-multi-valued-context-keys.html (the set operators).
"""

from __future__ import annotations

import base64
import binascii
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Protocol, TypeVar

from treadle_local.aws.authorization.elements import malformed, mapping, scalars
from treadle_local.aws.authorization.variables import Context, fill, has_variables, without_variables
from treadle_local.aws.authorization.wildcards import Matcher, arns, globs

_IF_EXISTS = "IfExists"
_REMEMBERED_VALUES = 64
# Operators whose values may have policy variables.
# Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
_OF_TEXTS = ("String", "Arn")


class Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


_Value = TypeVar("_Value")
_OrderedValue = TypeVar("_OrderedValue", bound=Ordered)


class Quantifier(Enum):
    """Which of a key's values a condition asks about."""

    SINGLE = auto()
    ALL = auto()
    ANY = auto()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operator on one key; `matches` decides a value against all of the policy's values."""

    key: str
    matches: Matcher
    negated: bool
    if_exists: bool
    quantifier: Quantifier

    def holds(self, context: Context) -> bool:
        """Whether the context meets the condition.

        A key that is absent, or has no value, fails what asks for a match and meets what asks for none.
        Where a key with several values meets an operator for one, any of them counts as the match.
        """
        values = context.get(self.key)
        if not values:
            return self._holds_without_values()
        if self.quantifier is Quantifier.ALL:
            return all(self.matches(value) is not self.negated for value in values)
        if self.quantifier is Quantifier.ANY:
            return any(self.matches(value) is not self.negated for value in values)
        return any(map(self.matches, values)) is not self.negated

    def _holds_without_values(self) -> bool:
        match self.quantifier:
            case Quantifier.SINGLE:
                return self.negated or self.if_exists
            case Quantifier.ALL:
                return True
            case Quantifier.ANY:
                return self.if_exists


@dataclass(frozen=True, slots=True)
class Filled:
    """A comparison with values that have variables, filled in for each call; one that cannot be filled in is none."""

    values: tuple[str, ...]
    comparison: Callable[[tuple[str, ...]], Comparison]

    def holds(self, context: Context) -> bool:
        """Whether the context meets the condition with the values that it fills in."""
        filled = (fill(value, context) for value in self.values)
        return self.comparison(tuple(value for value in filled if value is not None)).holds(context)


@dataclass(frozen=True, slots=True)
class Presence:
    """The Null operator: whether a key is absent."""

    key: str
    must_be_absent: bool

    def holds(self, context: Context) -> bool:
        """Whether the key is absent where it must be, and there where it must be."""
        return (not context.get(self.key)) is self.must_be_absent


Condition = Comparison | Filled | Presence


def compile_conditions(block: Any, *, variables: bool = True) -> tuple[Condition, ...]:
    """The conditions of a Condition element, all of which must hold; without `variables` a `$` is a dollar sign.

    Raises: AwsError MalformedPolicyDocument for an operator that IAM does not know or a value that it cannot compare.
    """
    return tuple(
        _compile_condition(operator_name, key.lower(), scalars(values), variables=variables)
        for operator_name, keys in mapping(block).items()
        for key, values in mapping(keys).items()
    )


def context_of(*sources: Mapping[str, str | Sequence[str]]) -> Context:
    """The context that conditions are decided in; later sources win."""
    context: dict[str, Sequence[str]] = {}
    for source in sources:
        context.update({key.lower(): (value,) if isinstance(value, str) else value for key, value in source.items()})
    return context


def _compile_condition(name: str, key: str, values: Sequence[str], *, variables: bool) -> Condition:
    written = values if variables else [without_variables(value) for value in values]
    try:
        return _comparison(name, key, written) if name != "Null" else Presence(key, must_be_absent=_truth(values[0]))
    except (ValueError, InvalidOperation) as error:
        raise malformed(f"The condition {name} on {key} has a value that it cannot compare: {error}.") from error


def _comparison(name: str, key: str, values: Sequence[str]) -> Comparison | Filled:
    prefix, colon, rest = name.rpartition(":")
    base = rest.removesuffix(_IF_EXISTS)
    quantifier = _QUANTIFIERS.get(prefix + colon)
    known = _OPERATORS.get(base)
    if quantifier is None or known is None:
        raise malformed(f"Invalid Condition type : {name}.")
    build, negated = known
    if base.startswith(_OF_TEXTS) and any(map(has_variables, values)):

        @lru_cache(_REMEMBERED_VALUES)
        def comparison(filled: tuple[str, ...]) -> Comparison:
            return Comparison(key, build(filled), negated, rest != base, quantifier)

        return Filled(tuple(values), comparison)
    return Comparison(key, build(values), negated, rest != base, quantifier)


def _parsed_equal(parse: Callable[[str], _Value]) -> Callable[[Sequence[str]], Matcher]:
    """An operator that compares parsed values; a request's value that does not parse is equal to none."""

    def build(values: Sequence[str]) -> Matcher:
        wanted = [parse(value) for value in values]
        return _guarded(lambda text: parse(text) in wanted)

    return build


def _parsed_order(
    parse: Callable[[str], _OrderedValue], compare: Callable[[_OrderedValue, _OrderedValue], bool]
) -> Callable[[Sequence[str]], Matcher]:
    def build(values: Sequence[str]) -> Matcher:
        bounds = [parse(value) for value in values]
        return _guarded(lambda text: any(compare(parse(text), bound) for bound in bounds))

    return build


def _guarded(matches: Matcher) -> Matcher:
    def guarded(text: str) -> bool:
        try:
            return matches(text)
        except (ValueError, InvalidOperation):
            return False

    return guarded


def _equal(values: Sequence[str]) -> Matcher:
    return frozenset(map(_unescaped, values)).__contains__


def _equal_ignoring_case(values: Sequence[str]) -> Matcher:
    wanted = frozenset(_unescaped(value).lower() for value in values)
    return lambda text: text.lower() in wanted


def _within_network(values: Sequence[str]) -> Matcher:
    networks = [ip_network(value, strict=False) for value in values]
    return _guarded(lambda text: any(ip_address(text) in network for network in networks))


def _unescaped(text: str) -> str:
    return text.replace("${*}", "*").replace("${?}", "?").replace("${$}", "$")


def _number(text: str) -> Decimal:
    number = Decimal(text.strip())
    if not number.is_finite():
        raise ValueError(f"{text} is no number")
    return number


def _date(text: str) -> datetime:
    """The moment of an ISO 8601 date, in UTC unless it says otherwise, or of a count of seconds since 1970."""
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{text} is out of range") from error
    except ValueError:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"{text} is neither true nor false")
    return text.lower() == "true"


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{text} is not base64") from error


_QUANTIFIERS = {"": Quantifier.SINGLE, "ForAllValues:": Quantifier.ALL, "ForAnyValue:": Quantifier.ANY}

# Each operator's way to compare, and whether it holds when nothing is equal.
_OPERATORS: Mapping[str, tuple[Callable[[Sequence[str]], Matcher], bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equal_ignoring_case, True),
    "StringLike": (globs, False),
    "StringNotLike": (globs, True),
    "NumericEquals": (_parsed_equal(_number), False),
    "NumericNotEquals": (_parsed_equal(_number), True),
    "NumericLessThan": (_parsed_order(_number, operator.lt), False),
    "NumericLessThanEquals": (_parsed_order(_number, operator.le), False),
    "NumericGreaterThan": (_parsed_order(_number, operator.gt), False),
    "NumericGreaterThanEquals": (_parsed_order(_number, operator.ge), False),
    "DateEquals": (_parsed_equal(_date), False),
    "DateNotEquals": (_parsed_equal(_date), True),
    "DateLessThan": (_parsed_order(_date, operator.lt), False),
    "DateLessThanEquals": (_parsed_order(_date, operator.le), False),
    "DateGreaterThan": (_parsed_order(_date, operator.gt), False),
    "DateGreaterThanEquals": (_parsed_order(_date, operator.ge), False),
    "Bool": (_parsed_equal(_truth), False),
    "BinaryEquals": (_parsed_equal(_bytes), False),
    "IpAddress": (_within_network, False),
    "NotIpAddress": (_within_network, True),
    "ArnEquals": (arns, False),
    "ArnLike": (arns, False),
    "ArnNotEquals": (arns, True),
    "ArnNotLike": (arns, True),
}

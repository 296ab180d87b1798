"""The expressions of one request, parsed and joined with its names and values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params
from treadle_local.dynamodb.errors import invalid, malformed
from treadle_local.dynamodb.legacy import LegacyReader, legacy_members
from treadle_local.dynamodb.parse import Names, parse_condition, parse_projection, parse_update
from treadle_local.dynamodb.syntax import Condition, ExpressionKind, OperandCheck, Parsed, Projection, Update
from treadle_local.dynamodb.values import Value, checked, comparable, type_of

EXPRESSION_KINDS: tuple[ExpressionKind, ...] = (
    "KeyConditionExpression",
    "UpdateExpression",
    "ConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
)
_PLACEHOLDERS = ("ExpressionAttributeNames", "ExpressionAttributeValues")

_NAME = re.compile(r"#[A-Za-z0-9_]+", re.ASCII)
_VALUE = re.compile(r":[A-Za-z0-9_]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a request's expressions say; None for each that it does not have."""

    condition: Parsed[Condition] | None = None
    update: Parsed[Update] | None = None
    key_condition: Parsed[Condition] | None = None
    filter: Parsed[Condition] | None = None
    projection: Parsed[Projection] | None = None
    checks: tuple[tuple[ExpressionKind, OperandCheck], ...] = ()
    ranges: tuple[tuple[ExpressionKind, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Expressions:
    """The expressions of one request with its values."""

    parts: Parts
    values: Mapping[str, Value]

    @property
    def condition(self) -> Parsed[Condition] | None:
        return self.parts.condition

    @property
    def update(self) -> Parsed[Update] | None:
        return self.parts.update

    @property
    def key_condition(self) -> Parsed[Condition] | None:
        return self.parts.key_condition

    @property
    def filter(self) -> Parsed[Condition] | None:
        return self.parts.filter

    @property
    def projection(self) -> Parsed[Projection] | None:
        return self.parts.projection


NO_EXPRESSIONS = Expressions(Parts(), {})


def expressions_of(params: Params, allowed: tuple[ExpressionKind, ...]) -> Expressions:
    """The expressions of a request that may have the allowed ones.

    Raises: ValidationException for syntax, for names and values that are undefined, unused or wrong.
    """
    legacy = legacy_members(params)
    if legacy:
        return _translated(params, legacy)
    texts = tuple([(kind, _text(kind, params[kind])) for kind in allowed if params.get(kind) is not None])
    raw_names, raw_values = params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues")
    if not texts:
        if raw_names is None and raw_values is None:
            return NO_EXPRESSIONS
        raise _nothing_to_use_them(allowed, names=raw_names is not None)
    names = () if raw_names is None else _names(raw_names)
    values = {} if raw_values is None else _values(raw_values)
    parts = _parts(texts, names, tuple(values))
    for kind, check in parts.checks:
        problem = check.problem(values)
        if problem is not None:
            raise invalid(f"Invalid {kind}: {problem}")
    for kind, lower, upper in parts.ranges:
        _check_range(kind, values[lower], values[upper])
    return Expressions(parts, values)


def _translated(params: Params, legacy: Sequence[str]) -> Expressions:
    """The expressions that the legacy members stand for. Raises ValidationException where there are both."""
    given = [name for name in (*EXPRESSION_KINDS, *_PLACEHOLDERS) if params.get(name) is not None]
    if given:
        raise invalid(
            "Can not use both expression and non-expression parameters in the same request: Non-expression "
            f"parameters: {{{', '.join(legacy)}}} Expression parameters: {{{', '.join(given)}}}"
        )
    reader = LegacyReader(params)
    trees = reader.trees()
    parts = Parts(
        trees.get("ConditionExpression"),
        trees.get("UpdateExpression"),
        trees.get("KeyConditionExpression"),
        trees.get("FilterExpression"),
        trees.get("ProjectionExpression"),
    )
    return Expressions(parts, reader.values)


@lru_cache(2048)
def _parts(texts: tuple[tuple[ExpressionKind, str], ...], names: Names, value_names: tuple[str, ...]) -> Parts:
    """The expressions parsed, once every placeholder is well formed, defined and used.

    Remembered, as calls differ in their values only. Raises: ValidationException.
    """
    _check_placeholders(names, value_names)
    if value_names and all(kind == "ProjectionExpression" for kind, _ in texts):
        raise _nothing_to_use_them((), names=False)
    conditions: dict[ExpressionKind, Parsed[Condition]] = {}
    update: Parsed[Update] | None = None
    projection: Parsed[Projection] | None = None
    parsed: list[tuple[ExpressionKind, Parsed[Any]]] = []
    for kind, text in texts:
        if kind == "UpdateExpression":
            update = parse_update(text, names)
            parsed.append((kind, update))
        elif kind == "ProjectionExpression":
            projection = parse_projection(text, names)
            parsed.append((kind, projection))
        else:
            conditions[kind] = parse_condition(kind, text, names)
            parsed.append((kind, conditions[kind]))
    _check_all_defined(parsed, value_names)
    _check_all_used(parsed, names, value_names)
    return Parts(
        conditions.get("ConditionExpression"),
        update,
        conditions.get("KeyConditionExpression"),
        conditions.get("FilterExpression"),
        projection,
        tuple((kind, check) for kind, expression in parsed for check in expression.checks),
        tuple((kind, lower, upper) for kind, expression in parsed for lower, upper in expression.ranges),
    )


def _text(kind: str, text: object) -> str:
    if not isinstance(text, str):
        raise malformed(f"Unexpected value type in payload: {kind}")
    return text


def _nothing_to_use_them(allowed: tuple[ExpressionKind, ...], *, names: bool) -> AwsError:
    if names:
        return invalid("ExpressionAttributeNames can only be specified when using expressions")
    users = [kind for kind in allowed if kind != "ProjectionExpression"] or ["FilterExpression"]
    return invalid(
        "ExpressionAttributeValues can only be specified when using expressions: "
        f"{' and '.join(users)} {'is' if len(users) == 1 else 'are'} null"
    )


def _names(raw: object) -> Names:
    if not isinstance(raw, dict):
        raise malformed("Unexpected value type in payload: ExpressionAttributeNames")
    if not raw:
        raise invalid("ExpressionAttributeNames must not be empty")
    names = cast("dict[str, Any]", raw)
    if not all(isinstance(name, str) for name in names.values()):
        raise malformed("Unexpected value type in payload: ExpressionAttributeNames")
    return tuple(names.items())


def _values(raw: object) -> dict[str, Value]:
    if not isinstance(raw, dict):
        raise malformed("Unexpected value type in payload: ExpressionAttributeValues")
    if not raw:
        raise invalid("ExpressionAttributeValues must not be empty")
    values: dict[str, Value] = {}
    for placeholder, value in cast("dict[str, Any]", raw).items():
        try:
            values[placeholder] = checked(value)
        except AwsError as error:
            if error.code != "ValidationException":
                raise
            raise invalid(
                f"ExpressionAttributeValues contains invalid value: {error.message} for key {placeholder}"
            ) from None
    return values


def _check_placeholders(names: Names, value_names: tuple[str, ...]) -> None:
    for placeholder, _ in names:
        if not _NAME.fullmatch(placeholder):
            raise invalid(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{placeholder}"')
    for placeholder in value_names:
        if not _VALUE.fullmatch(placeholder):
            raise invalid(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{placeholder}"')


def _check_all_defined(parsed: Iterable[tuple[str, Parsed[Any]]], value_names: tuple[str, ...]) -> None:
    for kind, expression in parsed:
        for name in expression.values:
            if name not in value_names:
                raise invalid(
                    f"Invalid {kind}: An expression attribute value used in expression is not defined; "
                    f"attribute value: {name}"
                )


def _check_all_used(parsed: Sequence[tuple[str, Parsed[Any]]], names: Names, value_names: tuple[str, ...]) -> None:
    used = {name for _, expression in parsed for name in (*expression.names, *expression.values)}
    unused_names = [name for name, _ in names if name not in used]
    if unused_names:
        raise _unused("ExpressionAttributeNames", unused_names)
    unused_values = [name for name in value_names if name not in used]
    if unused_values:
        raise _unused("ExpressionAttributeValues", unused_values)


def _unused(placeholders: str, keys: list[str]) -> AwsError:
    return invalid(f"Value provided in {placeholders} unused in expressions: keys: {{{', '.join(keys)}}}")


def _check_range(kind: str, lower: Value, upper: Value) -> None:
    if type_of(lower) != type_of(upper):
        rule = "requires same data type for lower and upper bounds"
    elif comparable(lower) > comparable(upper):  # type: ignore[operator] # of one type, so of one Python type
        rule = "requires upper bound to be greater than or equal to lower bound"
    else:
        return
    raise invalid(
        f"Invalid {kind}: The BETWEEN operator {rule}; "
        f"lower bound operand: {_shown(lower)}, upper bound operand: {_shown(upper)}"
    )


def _shown(value: Value) -> str:
    ((kind, content),) = value.items()
    return f"AttributeValue: {{{kind}:{content}}}"

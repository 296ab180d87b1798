"""The expressions of one request, parsed and joined with its names and values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params
from treadle_local.dynamodb.errors import invalid, malformed
from treadle_local.dynamodb.parse import Names, parse_condition, parse_projection, parse_update
from treadle_local.dynamodb.syntax import Condition, ExpressionKind, Parsed, Projection, Update
from treadle_local.dynamodb.values import Value, checked, comparable, type_of

_NAME = re.compile(r"#[A-Za-z0-9_]+", re.ASCII)
_VALUE = re.compile(r":[A-Za-z0-9_]+", re.ASCII)

_NO_VALUES: Mapping[str, Value] = {}


@dataclass(frozen=True, slots=True)
class Expressions:
    """What a request's expressions say; None for each that it does not have."""

    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    condition: Parsed[Condition] | None = None
    update: Parsed[Update] | None = None
    key_condition: Parsed[Condition] | None = None
    filter: Parsed[Condition] | None = None
    projection: Parsed[Projection] | None = None


NO_EXPRESSIONS = Expressions()


def expressions_of(params: Params, allowed: tuple[ExpressionKind, ...]) -> Expressions:
    """The expressions of a request that may have the allowed ones.

    Raises: ValidationException for syntax, for names and values that are undefined, unused or wrong.
    """
    texts = {kind: _text(kind, params[kind]) for kind in allowed if params.get(kind) is not None}
    raw_names, raw_values = params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues")
    if not texts:
        if raw_names is None and raw_values is None:
            return NO_EXPRESSIONS
        raise _nothing_to_use_them(allowed, names=raw_names is not None)
    names = () if raw_names is None else _names(raw_names)
    values = _NO_VALUES if raw_values is None else _values(raw_values)
    if values and texts.keys() == {"ProjectionExpression"}:
        raise _nothing_to_use_them(allowed, names=False)

    conditions: dict[str, Parsed[Condition]] = {}
    update: Parsed[Update] | None = None
    projection: Parsed[Projection] | None = None
    parsed: list[tuple[str, Parsed[Any]]] = []
    for kind, text in texts.items():
        if kind == "UpdateExpression":
            update = parse_update(text, names)
            parsed.append((kind, update))
        elif kind == "ProjectionExpression":
            projection = parse_projection(text, names)
            parsed.append((kind, projection))
        else:
            conditions[kind] = parse_condition(kind, text, names)
            parsed.append((kind, conditions[kind]))
    _check_values(parsed, values)
    _check_all_used(parsed, names, values)
    return Expressions(
        values,
        conditions.get("ConditionExpression"),
        update,
        conditions.get("KeyConditionExpression"),
        conditions.get("FilterExpression"),
        projection,
    )


def _text(kind: str, text: object) -> str:
    if not isinstance(text, str):
        raise malformed(f"Unexpected value type in payload: {kind}")
    return text


def _nothing_to_use_them(allowed: tuple[ExpressionKind, ...], *, names: bool) -> AwsError:
    if names:
        return invalid("ExpressionAttributeNames can only be specified when using expressions")
    users = [kind for kind in allowed if kind != "ProjectionExpression"]
    return invalid(
        "ExpressionAttributeValues can only be specified when using expressions: "
        f"{' and '.join(users)} {'is' if len(users) == 1 else 'are'} null"
    )


def _names(raw: object) -> Names:
    if not isinstance(raw, dict):
        raise malformed("Unexpected value type in payload: ExpressionAttributeNames")
    if not raw:
        raise invalid("ExpressionAttributeNames must not be empty")
    names: Names = tuple(cast("dict[str, str]", raw).items())
    try:
        _check_names(names)
    except TypeError:  # of a name that is no text and cannot be remembered
        raise malformed("Unexpected value type in payload: ExpressionAttributeNames") from None
    return names


@lru_cache(2048)
def _check_names(names: Names) -> None:
    for placeholder, name in names:
        if not _NAME.fullmatch(placeholder):
            raise invalid(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{placeholder}"')
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(name)


def _values(raw: object) -> Mapping[str, Value]:
    if not isinstance(raw, dict):
        raise malformed("Unexpected value type in payload: ExpressionAttributeValues")
    if not raw:
        raise invalid("ExpressionAttributeValues must not be empty")
    values: dict[str, Value] = {}
    for placeholder, value in cast("dict[str, Any]", raw).items():
        if not _VALUE.fullmatch(placeholder):
            raise invalid(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{placeholder}"')
        try:
            values[placeholder] = checked(value)
        except AwsError as error:
            if error.code != "ValidationException":
                raise
            raise invalid(
                f"ExpressionAttributeValues contains invalid value: {error.message} for key {placeholder}"
            ) from None
    return values


def _check_values(parsed: Iterable[tuple[str, Parsed[Any]]], values: Mapping[str, Value]) -> None:
    """Passes when every `:value` that is used is defined and of a type that its place takes."""
    for kind, expression in parsed:
        for name in expression.values:
            if name not in values:
                raise invalid(
                    f"Invalid {kind}: An expression attribute value used in expression is not defined; "
                    f"attribute value: {name}"
                )
        for check in expression.checks:
            problem = check.problem(values)
            if problem is not None:
                raise invalid(f"Invalid {kind}: {problem}")
        for lower, upper in expression.ranges:
            _check_range(kind, values[lower], values[upper])


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


def _check_all_used(parsed: list[tuple[str, Parsed[Any]]], names: Names, values: Mapping[str, Value]) -> None:
    if names:
        used = {name for _, expression in parsed for name in expression.names}
        if len(used) != len(names):
            raise _unused("ExpressionAttributeNames", [name for name, _ in names if name not in used])
    if values:
        mentioned = {name for _, expression in parsed for name in expression.values}
        if len(mentioned) != len(values):
            raise _unused("ExpressionAttributeValues", [name for name in values if name not in mentioned])


def _unused(member: str, keys: list[str]) -> AwsError:
    return invalid(f"Value provided in {member} unused in expressions: keys: {{{', '.join(keys)}}}")

"""What an expression comes to, and which names it needs for that."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, Protocol, assert_never

from treadle_local.cloudformation.errors import ResourceError
from treadle_local.cloudformation.expressions import (
    AllOf,
    AnyOf,
    Array,
    Attribute,
    Choice,
    Encoded,
    Equals,
    Expression,
    Imported,
    Join,
    JsonText,
    Length,
    Literal,
    Lookup,
    NamedCondition,
    Negation,
    Object,
    Reference,
    Select,
    Split,
    Substitution,
    children,
)
from treadle_local.cloudformation.json_values import is_list


class NoValue:
    """`AWS::NoValue`: the member or item that has it is left out."""


NO_VALUE = NoValue()


class Conditions(Protocol):
    """What decides an `Fn::If`."""

    def condition(self, name: str) -> bool: ...


class Scope(Conditions, Protocol):
    """Where names are looked up."""

    def reference(self, name: str) -> Any:
        """The value of `Ref`. Raises NotYetKnownError for a resource that is not there."""
        ...

    def attribute(self, resource: str, name: str) -> Any:
        """The value of `Fn::GetAtt`. Raises NotYetKnownError for a resource that is not there."""
        ...

    def lookup(self, mapping: str, first_key: str, second_key: str) -> Any: ...

    def imported(self, name: str) -> Any:
        """The value that another stack exports under this name."""
        ...


def evaluate(expression: Expression, scope: Scope) -> Any:
    """The JSON value that an expression comes to, or `NO_VALUE`.

    Raises: ResourceError where values do not fit a function, NotYetKnownError.
    """
    match expression:
        case Literal(value):
            return value
        case Object(members):
            values = {name: evaluate(member, scope) for name, member in members.items()}
            return {name: value for name, value in values.items() if value is not NO_VALUE}
        case Array(items):
            return [value for value in (evaluate(item, scope) for item in items) if value is not NO_VALUE]
        case Reference(name):
            return NO_VALUE if name == "AWS::NoValue" else scope.reference(name)
        case Attribute(resource, name):
            return scope.attribute(resource, name)
        case Substitution(parts):
            return "".join(_text(evaluate(part, scope), "Fn::Sub") for part in parts)
        case Join(delimiter, items):
            return delimiter.join(_text(item, "Fn::Join") for item in _list(items, scope, "Fn::Join"))
        case Select(index, items):
            return _select(evaluate(index, scope), _list(items, scope, "Fn::Select"))
        case Split(delimiter, source):
            return _text(evaluate(source, scope), "Fn::Split").split(delimiter)
        case Choice(condition, then, otherwise):
            return evaluate(then if scope.condition(condition) else otherwise, scope)
        case Lookup(mapping, first_key, second_key):
            first = _text(evaluate(first_key, scope), "Fn::FindInMap")
            return scope.lookup(mapping, first, _text(evaluate(second_key, scope), "Fn::FindInMap"))
        case Encoded(source):
            return base64.b64encode(_text(evaluate(source, scope), "Fn::Base64").encode()).decode()
        case JsonText(value):
            return json.dumps(evaluate(value, scope), separators=(",", ":"), ensure_ascii=False)
        case Length(items):
            return len(_list(items, scope, "Fn::Length"))
        case Imported(name):
            return scope.imported(_text(evaluate(name, scope), "Fn::ImportValue"))
        case _:
            return _decide(expression, scope)


def _decide(
    expression: Equals | AllOf | AnyOf | Negation | NamedCondition,
    scope: Scope,
) -> bool:
    match expression:
        case Equals(left, right):
            return bool(_comparable(evaluate(left, scope)) == _comparable(evaluate(right, scope)))
        case AllOf(conditions):
            return all(bool(evaluate(condition, scope)) for condition in conditions)
        case AnyOf(conditions):
            return any(bool(evaluate(condition, scope)) for condition in conditions)
        case Negation(condition):
            return not evaluate(condition, scope)
        case NamedCondition(name):
            return scope.condition(name)
        case _:
            assert_never(expression)


def scalar_text(value: str | float | bool) -> str:
    """A scalar as CloudFormation writes it in a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def needed(expression: Expression, conditions: Conditions | None = None) -> Iterator[Reference | Attribute]:
    """The references that an expression makes.

    With conditions, only the chosen branch of each `Fn::If` counts; without, both do.
    """
    match expression:
        case Literal():
            return
        case Reference() | Attribute():
            yield expression
        case Choice(condition, then, otherwise) if conditions is not None:
            yield from needed(then if conditions.condition(condition) else otherwise, conditions)
        case _:
            for child in children(expression):
                yield from needed(child, conditions)


def named_conditions(expression: Expression) -> Iterator[str]:
    """The names of all conditions that an expression asks for."""
    match expression:
        case Choice(name, _, _) | NamedCondition(name):
            yield name
        case _:
            pass
    for child in children(expression):
        yield from named_conditions(child)


def imports(expression: Expression) -> Iterator[Expression]:
    """The names of all exports that an expression imports, each to be evaluated."""
    match expression:
        case Imported(name):
            yield name
        case _:
            pass
    for child in children(expression):
        yield from imports(child)


def named_mappings(expression: Expression) -> Iterator[str]:
    """The names of all mappings that an expression looks into."""
    match expression:
        case Lookup(name, _, _):
            yield name
        case _:
            pass
    for child in children(expression):
        yield from named_mappings(child)


def _text(value: Any, function: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return scalar_text(value)
    raise ResourceError(f"Template error: every value of {function} must be a string")


def _list(expression: Expression, scope: Scope, function: str) -> list[Any]:
    value = evaluate(expression, scope)
    if not is_list(value):
        raise ResourceError(f"Template error: {function} requires a list")
    return value


def _select(index: Any, items: list[Any]) -> Any:
    try:
        position = int(index)
    except (TypeError, ValueError):
        raise ResourceError("Template error: Fn::Select requires the index to be an integer") from None
    if not 0 <= position < len(items):
        raise ResourceError(f"Template error: Fn::Select cannot select nonexistent value at index {position}")
    return items[position]


def _comparable(value: Any) -> Any:
    return scalar_text(value) if isinstance(value, bool | int | float) else value

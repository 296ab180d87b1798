"""What a value in a template can be: a literal or an intrinsic function, as one closed union.

`parsing` makes them, `evaluation` and `references` interpret them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A JSON value without any function in it."""

    value: Any


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Object:
    members: Mapping[str, Expression]


@dataclass(frozen=True, slots=True)
class Reference:
    """`Ref`: a parameter, a pseudo parameter or a resource."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """`Fn::GetAtt`."""

    resource: str
    name: str


@dataclass(frozen=True, slots=True)
class Substitution:
    """`Fn::Sub`: its parts, to be joined."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Join:
    delimiter: str
    items: Expression


@dataclass(frozen=True, slots=True)
class Select:
    index: Expression
    items: Expression


@dataclass(frozen=True, slots=True)
class Split:
    delimiter: str
    source: Expression


@dataclass(frozen=True, slots=True)
class Choice:
    """`Fn::If`."""

    condition: str
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Lookup:
    """`Fn::FindInMap`."""

    mapping: str
    first_key: Expression
    second_key: Expression


@dataclass(frozen=True, slots=True)
class Encoded:
    """`Fn::Base64`."""

    source: Expression


@dataclass(frozen=True, slots=True)
class JsonText:
    """`Fn::ToJsonString`."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Length:
    items: Expression


@dataclass(frozen=True, slots=True)
class Imported:
    """`Fn::ImportValue`."""

    name: Expression


@dataclass(frozen=True, slots=True)
class Equals:
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class AllOf:
    """`Fn::And`."""

    conditions: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`Fn::Or`."""

    conditions: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """`Fn::Not`."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class NamedCondition:
    """`{"Condition": name}` within another condition."""

    name: str


Expression: TypeAlias = (
    Literal
    | Array
    | Object
    | Reference
    | Attribute
    | Substitution
    | Join
    | Select
    | Split
    | Choice
    | Lookup
    | Encoded
    | JsonText
    | Length
    | Imported
    | Equals
    | AllOf
    | AnyOf
    | Negation
    | NamedCondition
)

NOTHING = Literal({})

PSEUDO_PARAMETERS = frozenset(
    {
        "AWS::AccountId",
        "AWS::NoValue",
        "AWS::NotificationARNs",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    }
)


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly within this one, in the order of the template."""
    match expression:
        case Literal() | Reference() | Attribute() | NamedCondition():
            return ()
        case Array(items):
            return items
        case Object(members):
            return tuple(members.values())
        case Substitution(parts):
            return parts
        case Join(_, inner) | Split(_, inner) | Encoded(inner) | JsonText(inner) | Length(inner) | Negation(inner):
            return (inner,)
        case Imported(inner):
            return (inner,)
        case Select(first, second) | Lookup(_, first, second) | Equals(first, second) | Choice(_, first, second):
            return (first, second)
        case AllOf(conditions) | AnyOf(conditions):
            return conditions

"""Decides whether an item meets a condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any, assert_never

from treadle_local.dynamodb.paths import lookup
from treadle_local.dynamodb.syntax import (
    And,
    BeginsWith,
    Between,
    Comparator,
    Comparison,
    Condition,
    Contains,
    Exists,
    HasType,
    Membership,
    Not,
    Operand,
    Or,
    PathOperand,
    SizeOperand,
    ValueOperand,
)
from treadle_local.dynamodb.values import ORDERED_TYPES, SET_TYPES, Item, Value, binary_length, comparable, type_of

Values = Mapping[str, Value]

_ORDERINGS: dict[Comparator, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def holds(condition: Condition, item: Item, values: Values) -> bool:
    """Whether the item meets the condition; `{}` stands for an item that is not there.

    What compares with something missing, or with another type, does not hold, except `<>`.
    """
    match condition:
        case Comparison(comparator, left, right):
            return _compares(comparator, _value(left, item, values), _value(right, item, values))
        case And(left, right):
            return holds(left, item, values) and holds(right, item, values)
        case Exists(path, wanted):
            return (lookup(item, path) is not None) is wanted
        case Or(left, right):
            return holds(left, item, values) or holds(right, item, values)
        case Not(inner):
            return not holds(inner, item, values)
        case Between(operand, lower, upper):
            value = _value(operand, item, values)
            return _compares(">=", value, _value(lower, item, values)) and _compares(
                "<=", value, _value(upper, item, values)
            )
        case Membership(operand, candidates):
            value = _value(operand, item, values)
            return value is not None and any(_value(candidate, item, values) == value for candidate in candidates)
        case HasType(path, type_name):
            found = lookup(item, path)
            return found is not None and values[type_name]["S"] in found
        case BeginsWith(operand, prefix):
            return _begins_with(_value(operand, item, values), _value(prefix, item, values))
        case Contains(operand, part):
            return _contains(_value(operand, item, values), _value(part, item, values))
        case _:
            assert_never(condition)


def _value(operand: Operand, item: Item, values: Values) -> Value | None:
    match operand:
        case PathOperand(path):
            return lookup(item, path)
        case ValueOperand(name):
            return values[name]
        case SizeOperand(of):
            return _size(_value(of, item, values))
        case _:
            assert_never(operand)


def _size(value: Value | None) -> Value | None:
    """The size as a number; None for what has none.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
    """
    if value is None:
        return None
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"N": str(binary_length(content))}
        case "N" | "BOOL" | "NULL":
            return None
        case _:
            return {"N": str(len(content))}


def _compares(comparator: Comparator, left: Value | None, right: Value | None) -> bool:
    if comparator == "=":
        return left is not None and left == right
    if comparator == "<>":
        return left != right
    if left is None or right is None:
        return False
    kind = type_of(left)
    if kind not in ORDERED_TYPES or kind not in right:
        return False
    return _ORDERINGS[comparator](comparable(left), comparable(right))


def _begins_with(value: Value | None, prefix: Value | None) -> bool:
    if value is None or prefix is None:
        return False
    kind = type_of(prefix)
    if kind not in value or kind not in ("S", "B"):
        return False
    whole, start = comparable(value), comparable(prefix)
    if isinstance(whole, str) and isinstance(start, str):
        return whole.startswith(start)
    return isinstance(whole, bytes) and isinstance(start, bytes) and whole.startswith(start)


def _contains(value: Value | None, part: Value | None) -> bool:
    if value is None or part is None:
        return False
    ((kind, content),) = value.items()
    if kind == "L":
        return part in content
    if kind in SET_TYPES:
        return part.get(kind[0]) in content
    if kind not in part:
        return False
    if kind == "S":
        return part["S"] in content
    if kind == "B":
        whole, piece = comparable(value), comparable(part)
        return isinstance(whole, bytes) and isinstance(piece, bytes) and piece in whole
    return False

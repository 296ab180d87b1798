"""Applies a parsed update to an item, giving a new one that shares what did not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.numbers import add, subtract
from treadle_local.dynamodb.paths import lookup, no_such_place, removed, replaced
from treadle_local.dynamodb.syntax import (
    AddAction,
    Arithmetic,
    DeleteAction,
    DocumentPath,
    IfNotExists,
    ListAppend,
    NewValue,
    PathOperand,
    Update,
    ValueOperand,
)
from treadle_local.dynamodb.values import Item, Value, canonical_set, check_depth, type_of

Values = Mapping[str, Value]


def updated(item: Item, update: Update, values: Values) -> Item:
    """The item after the update; all its operands are read from the item as it was.

    Raises: ValidationException.
    """
    changes: list[tuple[DocumentPath, Value]] = [
        (action.path, _evaluated(action.value, item, values)) for action in update.sets
    ]
    changes += [(action.path, _sum(action, item, values)) for action in update.additions]
    removals = [path for path in update.removals if _is_there(item, path)]
    for action in update.deletions:
        if _is_there(item, action.path):
            remaining = _difference(action, item, values)
            if remaining is None:
                removals.append(action.path)
            else:
                changes.append((action.path, remaining))

    new = dict(item)
    # In order of index, so that elements set past a list's end are appended in that order.
    for path, value in sorted(changes, key=_path_of):
        name = str(path[0])
        if len(path) == 1:
            new[name] = value
        else:
            check_depth(value, len(path) - 1)
            new[name] = replaced(new.get(name), path[1:], value)
    # From the highest index down, so that removing one element does not move the next.
    for path in sorted(removals, reverse=True):
        name = str(path[0])
        if len(path) == 1:
            del new[name]
        else:
            new[name] = removed(new[name], path[1:])
    return new


def _path_of(change: tuple[DocumentPath, Value]) -> DocumentPath:
    return change[0]


def _is_there(item: Item, path: DocumentPath) -> bool:
    """Whether the path leads to something.

    Raises: ValidationException when not even its last step's container is there.
    """
    if len(path) == 1:
        return path[0] in item
    container = lookup(item, path[:-1])
    if container is None or ("L" if isinstance(path[-1], int) else "M") not in container:
        raise no_such_place()
    return lookup(item, path) is not None


def _evaluated(value: NewValue, item: Item, values: Values) -> Value:
    match value:
        case ValueOperand(name):
            return values[name]
        case PathOperand(path):
            found = lookup(item, path)
            if found is None:
                raise invalid("The provided expression refers to an attribute that does not exist in the item")
            return found
        case Arithmetic(operator, left, right):
            numbers = [_content(_evaluated(operand, item, values), "N") for operand in (left, right)]
            return {"N": add(*numbers) if operator == "+" else subtract(*numbers)}
        case IfNotExists(path, otherwise):
            found = lookup(item, path)
            return _evaluated(otherwise, item, values) if found is None else found
        case ListAppend(left, right):
            start, end = (_evaluated(operand, item, values) for operand in (left, right))
            if "L" not in start or "L" not in end:
                raise _wrong_type()
            return {"L": [*start["L"], *end["L"]]}
        case _:
            assert_never(value)


def _sum(action: AddAction, item: Item, values: Values) -> Value:
    """The number or set at the path with the operand added; the operand alone where there is nothing yet."""
    operand = values[action.value]
    present = lookup(item, action.path)
    if present is None:
        return operand
    kind = type_of(operand)
    if kind not in present:
        raise _wrong_type()
    if kind == "N":
        return {"N": add(present["N"], operand["N"])}
    return canonical_set(kind, {*present[kind], *operand[kind]})


def _difference(action: DeleteAction, item: Item, values: Values) -> Value | None:
    """The set at the path without the operand's members, None when none is left."""
    operand = values[action.value]
    kind = type_of(operand)
    present = lookup(item, action.path)
    if present is None or kind not in present:
        raise _wrong_type()
    remaining = {*present[kind]} - {*operand[kind]}
    return canonical_set(kind, remaining) if remaining else None


def _content(value: Value, kind: str) -> str:
    if kind not in value:
        raise _wrong_type()
    content: str = value[kind]
    return content


def _wrong_type() -> AwsError:
    return invalid("An operand in the update expression has an incorrect data type")

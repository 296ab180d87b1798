"""A key condition expression as what it selects: one partition, and a half-open range of keys in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid, invalid_parameter
from treadle_local.dynamodb.ordered import TOP, Key
from treadle_local.dynamodb.schema import KeyAttribute, KeySchema
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
from treadle_local.dynamodb.values import Value, comparable

_MIRRORED: dict[Comparator, Comparator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class KeyTest:
    """One condition on one key attribute: an operator and its `:values`."""

    operator: str
    values: tuple[str, ...]


def key_tests(condition: Condition) -> dict[str, KeyTest]:
    """The tests of a key condition by attribute.

    Raises: ValidationException for what only filters may say.
    """
    tests: dict[str, KeyTest] = {}
    _collect(condition, tests)
    return tests


def key_range(schema: KeySchema, tests: Mapping[str, KeyTest], values: Mapping[str, Value]) -> tuple[Key, Key]:
    """The bounds of the keys that meet the tests.

    Raises: ValidationException when the tests do not fit the schema.
    """
    names = [key.name for key in schema.attributes]
    missing = [name for name in names if name not in tests]
    if schema.partition.name in missing or (missing and len(tests) == len(names)):
        raise invalid(f"Query condition missed key schema element: {missing[0]}")
    if len(tests) > len(names) or tests[schema.partition.name].operator != "=":
        raise invalid("Query key condition not supported")
    for key in schema.attributes:
        for name in tests[key.name].values if key.name in tests else ():
            _check_operand(key, values[name])
    partition = values[tests[schema.partition.name].values[0]]
    prefix = KeySchema(schema.partition).key_of({schema.partition.name: partition})
    if schema.sort is None or schema.sort.name not in tests:
        return prefix, (*prefix, TOP)
    return _sort_range(prefix, tests[schema.sort.name], values)


def _sort_range(prefix: Key, test: KeyTest, values: Mapping[str, Value]) -> tuple[Key, Key]:
    bounds = [comparable(values[name]) for name in test.values]
    at, after = (*prefix, bounds[0]), (*prefix, bounds[0], TOP)
    match test.operator:
        case "=":
            return at, after
        case "<":
            return prefix, at
        case "<=":
            return prefix, after
        case ">":
            return after, (*prefix, TOP)
        case ">=":
            return at, (*prefix, TOP)
        case "BETWEEN":
            return at, (*prefix, bounds[1], TOP)
        case _:
            return at, (*prefix, _after_prefix(bounds[0]))


def _after_prefix(start: object) -> object:
    """The least value that sorts after everything that begins with `start`."""
    if isinstance(start, bytes):
        octets = start.rstrip(b"\xff")
        return octets[:-1] + bytes((octets[-1] + 1,)) if octets else TOP
    letters = str(start).rstrip("\U0010ffff")
    return letters[:-1] + chr(ord(letters[-1]) + 1) if letters else TOP


def _check_operand(key: KeyAttribute, value: Value) -> None:
    if key.type not in value:
        raise invalid_parameter("Condition parameter type does not match schema type")
    if not value[key.type]:
        raise invalid(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {'binary' if key.type == 'B' else 'string'} value. Key: {key.name}"
        )


def _collect(condition: Condition, tests: dict[str, KeyTest]) -> None:
    match condition:
        case And(left, right):
            _collect(left, tests)
            _collect(right, tests)
        case Comparison("<>"):
            raise _bad_operator("<>")
        case Comparison(comparator, PathOperand(), right):
            _add(tests, comparator, condition.left, right)
        case Comparison(comparator, left, right):
            _add(tests, _MIRRORED[comparator], right, left)
        case Between(operand, lower, upper):
            _add(tests, "BETWEEN", operand, lower, upper)
        case BeginsWith(operand, prefix):
            _add(tests, "begins_with", operand, prefix)
        case Or():
            raise _bad_operator("OR")
        case Not():
            raise _bad_operator("NOT")
        case Membership():
            raise _bad_operator("IN")
        case Exists(wanted=wanted):
            raise _bad_operator("attribute_exists" if wanted else "attribute_not_exists")
        case HasType():
            raise _bad_operator("attribute_type")
        case Contains():
            raise _bad_operator("contains")
        case _:
            assert_never(condition)


def _add(tests: dict[str, KeyTest], operator: str, operand: Operand, *others: Operand) -> None:
    if any(isinstance(part, SizeOperand) for part in (operand, *others)):
        raise _refused("KeyConditionExpressions cannot contain nested operations")
    names = [other.name for other in others if isinstance(other, ValueOperand)]
    if not isinstance(operand, PathOperand):
        if operator in ("BETWEEN", "begins_with"):
            raise invalid(
                f"Invalid condition in KeyConditionExpression: {operator} operator must have the key attribute as its "
                "first operand"
            )
        raise invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
    if len(names) != len(others):
        raise invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
    attribute, *nested = map(str, operand.path)
    if nested:
        raise _refused("KeyConditionExpressions cannot have conditions on nested attributes")
    if attribute in tests:
        raise _refused("KeyConditionExpressions must only contain one condition per key")
    tests[attribute] = KeyTest(operator, tuple(names))


def _bad_operator(operator: str) -> AwsError:
    return _refused(f"Invalid operator used in KeyConditionExpression: {operator}")


def _refused(detail: str) -> AwsError:
    return invalid(f"Invalid KeyConditionExpression: {detail}")

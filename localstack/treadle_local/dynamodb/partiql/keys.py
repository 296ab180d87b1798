"""Finds the keys that a WHERE clause fixes: what makes a SELECT a query, and names the item of a write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.key_conditions import KeyTest, key_range, key_tests
from treadle_local.dynamodb.ordered import Key
from treadle_local.dynamodb.schema import KeySchema, TableSchema
from treadle_local.dynamodb.syntax import (
    And,
    BeginsWith,
    Between,
    Comparison,
    Condition,
    Membership,
    Or,
    PathOperand,
    ValueOperand,
)
from treadle_local.dynamodb.values import Item, Value

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-operators.html
MAXIMUM_PARTITIONS = 50

Range = tuple[Key, Key]


def conjuncts(condition: Condition | None) -> Iterator[Condition]:
    """The conditions that AND joins, in their order."""
    if isinstance(condition, And):
        yield from conjuncts(condition.left)
        yield from conjuncts(condition.right)
    elif condition is not None:
        yield condition


def partitions(condition: Condition | None, name: str) -> tuple[str, ...] | None:
    """The `:values` of which the partition key must be one, None when the condition leaves it open.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.select.html
    """
    match condition:
        case And(left, right):
            found = partitions(left, name)
            return found if found is not None else partitions(right, name)
        case Or(left, right):
            first, second = partitions(left, name), partitions(right, name)
            return None if first is None or second is None else first + second
        case Membership(PathOperand(path), candidates) if path == (name,):
            names = tuple(candidate.name for candidate in candidates if isinstance(candidate, ValueOperand))
            return names if len(names) == len(candidates) else None
        case Comparison("=", left, right):
            return next(
                (
                    (other.name,)
                    for one, other in ((left, right), (right, left))
                    if isinstance(one, PathOperand) and one.path == (name,) and isinstance(other, ValueOperand)
                ),
                None,
            )
        case _:
            return None


def ranges(condition: Condition | None, schema: KeySchema, values: Mapping[str, Value]) -> list[Range] | None:
    """The ranges of keys in which to look, one for each partition in the order named; None to look through all.

    Raises: ValidationException for a value that is not of the key's type.
    """
    named = partitions(condition, schema.partition.name)
    if named is None:
        return None
    distinct = list({repr(values[name]): name for name in reversed(named)}.values())[::-1]
    if len(distinct) > MAXIMUM_PARTITIONS:
        raise invalid(f"The IN operator is provided with too many operands; number of operands: {len(distinct)}")
    sort_tests = [] if schema.sort is None else list(_tests(condition, schema.sort.name))
    found: list[Range] = []
    for name in distinct:
        partition = {schema.partition.name: KeyTest("=", (name,))}
        options = [partition | {schema.sort.name: test} for test in sort_tests] if schema.sort else []
        bounds = [key_range(schema, tests, values) for tests in options or [partition]]
        found.append(reduce(lambda one, other: (max(one[0], other[0]), min(one[1], other[1])), bounds))
    return found


def _tests(condition: Condition | None, name: str) -> Iterator[KeyTest]:
    """The tests of a sort key that narrow what is read."""
    for part in conjuncts(condition):
        if isinstance(part, Comparison | Between | BeginsWith):
            with suppress(AwsError):
                test = key_tests(part).get(name)
                if test is not None:
                    yield test


def exact_key(condition: Condition | None, schema: TableSchema, values: Mapping[str, Value]) -> Item | None:
    """The key of the one item that the condition is about, None when it does not equate every key attribute."""
    fixed = _fixed(condition, schema)
    return None if fixed is None else {name: values[value] for name, (value, _) in fixed.items()}


def beyond_key(condition: Condition | None, schema: TableSchema) -> Condition | None:
    """What the condition asks beside the equalities of the key."""
    used = [id(part) for _, part in (_fixed(condition, schema) or {}).values()]
    rest = [part for part in conjuncts(condition) if id(part) not in used]
    return joined(rest)


def joined(conditions: Sequence[Condition]) -> Condition | None:
    """All of the conditions, None for none."""
    return reduce(And, conditions) if conditions else None


def _fixed(condition: Condition | None, schema: TableSchema) -> dict[str, tuple[str, Condition]] | None:
    """For each key attribute its `:value` and the equality that says so."""
    found: dict[str, tuple[str, Condition]] = {}
    for part in conjuncts(condition):
        if isinstance(part, Comparison):
            for attribute in schema.key.attributes:
                named = partitions(part, attribute.name)
                if named is not None:
                    found.setdefault(attribute.name, (named[0], part))
    return found if len(found) == len(schema.key.attributes) else None

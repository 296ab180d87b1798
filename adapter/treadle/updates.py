"""`update`: changes to fields of a stored value, done in one step, so that none is lost where many write at once.

What an update expression can say is one conditional UpdateItem. The rest is read, changed here, and written on the
condition that the value has stayed what it was.
"""

from __future__ import annotations

import os
import time

from treadle.aws.dynamodb import ConditionFailed, consumed_units
from treadle.aws.expressions import Expressions
from treadle.errors import InvalidValue, WriteContention
from treadle.expiry import absent, live
from treadle.operations import applied
from treadle.table import has_expired
from treadle.values import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.operations import Operation
    from treadle.shapes import AttributeValue, Json
    from treadle.table import Item, Table

_ATTEMPTS = 12
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.2
_FIELDS_LIMIT = 40
"""More would make a condition of more than 4 KB.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""


def update(table: Table, group: str, key: str, operations: list[Operation]) -> tuple[Json, Json]:
    """Does the operations on a value, and returns what it was (None where there was none) and what it is now.

    Raises: InvalidValue where the operations need fields and the value has none; WriteContention.
    """
    read_units = 0.0
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_pause_seconds(attempt))
        item: Item | None = None
        in_place = _in_place(operations)
        if in_place is not None:
            try:
                answer = table.write(group, key, in_place, "ALL_OLD")
            except ConditionFailed as failed:
                item = failed.item
            else:
                old: AttributeValue | None = answer["Attributes"]["value"]
                break
        if item is None:
            item, units = table.read(group, key)
            read_units += units
        old = None if item is None or has_expired(item, time.time()) else item["value"]
        try:
            answer = table.write(group, key, _replacing(old, _applied(group, key, old, operations)))
        except ConditionFailed:
            continue
        break
    else:
        raise WriteContention(f"`{key}` of group `{group}` was changed by others before each of {_ATTEMPTS} attempts")
    table.count("update", read_units=read_units, write_units=consumed_units(answer))
    return None if old is None else decode(old), decode(_applied(group, key, old, operations))


def _applied(group: str, key: str, old: AttributeValue | None, operations: list[Operation]) -> AttributeValue:
    try:
        return applied(old, operations)
    except InvalidValue as error:
        raise error.within(f"`{key}` of group `{group}`") from None


def _in_place(operations: list[Operation]) -> Expressions | None:
    """The operations as clauses on the fields of a value that is there; None where clauses cannot say them.

    An expression may name a field once, and knows no "where it is not a number": then it does not apply.
    """
    fields = {operation.field for operation in operations}
    if len(fields) < len(operations) or len(fields) > _FIELDS_LIMIT or not all(fields):
        return None
    expressions = Expressions()
    value = expressions.name("value")
    expressions.demand(f"attribute_type({value}, {expressions.value('map', {'S': 'M'})})")
    expressions.demand(live(expressions))
    for index, operation in enumerate(operations):
        path = f"{value}.{expressions.name(operation.field, f'field{index}')}"
        if operation.kind == "remove":
            expressions.remove(path)
            continue
        operand = expressions.value(f"operand{index}", operation.operand)
        if operation.kind == "add":
            number = expressions.value("number", {"S": "N"})
            expressions.demand(f"(attribute_not_exists({path}) OR attribute_type({path}, {number}))")
            operand = f"if_not_exists({path}, {expressions.value('zero', {'N': '0'})}) + {operand}"
        expressions.set(path, operand)
    expressions.add_one("version")
    return expressions


def _replacing(old: AttributeValue | None, new: AttributeValue) -> Expressions:
    """The expressions that put `new` in the place of `old`, and of nothing else; a time to live stays."""
    expressions = Expressions()
    expressions.assign("value", new)
    if old is None:
        expressions.demand(absent(expressions, "value"))
        expressions.remove(expressions.name("ttl"))
    else:
        expressions.demand(f"{expressions.name('value')} = {expressions.value('old', old)}")
    expressions.add_one("version")
    return expressions


def _pause_seconds(attempt: int) -> float:
    """Half of the time and up to all of it, at random, so that those who met once do not meet again."""
    longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0**attempt)
    return longest * (0.5 + os.urandom(1)[0] / 510)

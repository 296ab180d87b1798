"""INSERT, UPDATE, DELETE and EXISTS as the writes of the item operations."""

from __future__ import annotations

from collections.abc import Mapping

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb import syntax
from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.expressions import Expressions, Parts
from treadle_local.dynamodb.partiql.keys import beyond_key, exact_key
from treadle_local.dynamodb.partiql.syntax import Delete, Exists, Insert, Update
from treadle_local.dynamodb.syntax import And, Condition, Or, Parsed
from treadle_local.dynamodb.table import Table
from treadle_local.dynamodb.values import Item, Value, checked_item
from treadle_local.dynamodb.writes import ChangeByKey, Check, Plan, Put, Write, plan
from treadle_local.dynamodb.writes import Delete as DeleteByKey


def write_of(
    statement: Insert | Update | Delete | Exists, table: Table, values: Mapping[str, Value], *, shows_old: bool
) -> Write:
    """The write that the statement asks for.

    An UPDATE changes only what is there, and a DELETE asks its condition only of what is there.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.update.html, .delete.html
    Raises: ValidationException.
    """
    name = statement.table
    there: Condition = syntax.Exists((table.schema.key.partition.name,), True)
    absent: Condition = syntax.Exists((table.schema.key.partition.name,), False)
    match statement:
        case Insert():
            item = checked_item(values[statement.item]["M"])
            return Put(name, item, _expressions(absent, values), shows_old)
        case Update(where=where, changes=changes):
            rest = beyond_key(where, table.schema)
            condition = there if rest is None else And(there, rest)
            expressions = _expressions(condition, values, changes)
            return ChangeByKey(name, _key(where, table, values), expressions, shows_old)
        case Delete(where=where):
            rest = beyond_key(where, table.schema)
            expressions = _expressions(None if rest is None else Or(absent, rest), values)
            return DeleteByKey(name, _key(where, table, values), expressions, shows_old)
        case Exists(select=select):
            key = exact_key(select.where, table.schema, values)
            rest = beyond_key(select.where, table.schema)
            if key is None or rest is None or select.index is not None:
                raise invalid("EXISTS() must contain a single item read with additional condition")
            return Check(name, key, _expressions(And(there, rest), values), shows_old)


def planned(write: Write, table: Table) -> Plan:
    """What the write of a statement does to the table as it is now.

    Raises: ValidationException, ConditionalCheckFailedException, DuplicateItemException.
    """
    try:
        return plan(write, table)
    except AwsError as error:
        if isinstance(write, Put) and error.code == "ConditionalCheckFailedException":
            raise AwsError("DuplicateItemException", "Duplicate primary key exists in table") from None
        raise


def _key(where: Condition | None, table: Table, values: Mapping[str, Value]) -> Item:
    key = exact_key(where, table.schema, values)
    if key is None:
        raise invalid("Where clause does not contain a mandatory equality on all key attributes")
    return key


def _expressions(
    condition: Condition | None, values: Mapping[str, Value], changes: syntax.Update | None = None
) -> Expressions:
    return Expressions(
        Parts(
            condition=None if condition is None else Parsed(condition, frozenset(), (), frozenset(), ()),
            update=None if changes is None else Parsed(changes, frozenset(), (), changes.attributes, ()),
        ),
        values,
    )

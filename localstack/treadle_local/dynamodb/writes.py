"""Writes in two stages: a request is prepared (all that needs no table), then planned against the stored item.

A plan changes nothing; whoever holds it applies it. A transaction plans all its writes before it applies the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

from treadle_local.aws.service import Params
from treadle_local.dynamodb.conditions import holds
from treadle_local.dynamodb.errors import condition_failed, invalid, invalid_parameter
from treadle_local.dynamodb.expressions import Expressions, expressions_of
from treadle_local.dynamodb.ordered import Key
from treadle_local.dynamodb.parameters import mapping, member, returns_old_on_failure, table_name
from treadle_local.dynamodb.paths import project_paths
from treadle_local.dynamodb.syntax import DocumentPath, Update
from treadle_local.dynamodb.table import Record, Table, record_after, record_of
from treadle_local.dynamodb.updates import updated
from treadle_local.dynamodb.values import MAXIMUM_ITEM_BYTES, Item, checked_item


@dataclass(frozen=True, slots=True)
class Put:
    table_name: str
    item: Item
    expressions: Expressions
    shows_old_on_failure: bool


@dataclass(frozen=True, slots=True)
class ChangeByKey:
    """UpdateItem; without an update expression it only makes sure that the item is there."""

    table_name: str
    key: Item
    expressions: Expressions
    shows_old_on_failure: bool


@dataclass(frozen=True, slots=True)
class Delete:
    table_name: str
    key: Item
    expressions: Expressions
    shows_old_on_failure: bool


@dataclass(frozen=True, slots=True)
class Check:
    """A transaction's ConditionCheck: a write of nothing."""

    table_name: str
    key: Item
    expressions: Expressions
    shows_old_on_failure: bool


Write: TypeAlias = Put | ChangeByKey | Delete | Check


@dataclass(frozen=True, slots=True)
class Plan:
    """What a write will do to one record; `old` and `new` are the same for a check."""

    table: Table
    key: Key
    old: Record | None
    new: Record | None

    def apply(self) -> None:
        if self.new is not self.old:
            self.table.replace(self.key, self.old, self.new)


def prepare_put(params: Params) -> Put:
    """The checked PutItem, or Put of a transaction.

    Raises: ValidationException.
    """
    name = table_name(params)
    item = checked_item(mapping(params, "Item"))
    expressions = expressions_of(params, ("ConditionExpression",))
    return Put(name, item, expressions, returns_old_on_failure(params))


def prepare_update(params: Params) -> ChangeByKey:
    """The checked UpdateItem, or Update of a transaction."""
    name, key = _table_and_key(params)
    expressions = expressions_of(params, ("UpdateExpression", "ConditionExpression"))
    return ChangeByKey(name, key, expressions, returns_old_on_failure(params))


def prepare_delete(params: Params) -> Delete:
    """The checked DeleteItem, or Delete of a transaction."""
    name, key = _table_and_key(params)
    return Delete(name, key, expressions_of(params, ("ConditionExpression",)), returns_old_on_failure(params))


def prepare_check(params: Params) -> Check:
    """The checked ConditionCheck of a transaction."""
    name, key = _table_and_key(params)
    member(params, "ConditionExpression")
    return Check(name, key, expressions_of(params, ("ConditionExpression",)), returns_old_on_failure(params))


def _table_and_key(params: Params) -> tuple[str, Item]:
    return table_name(params), checked_item(mapping(params, "Key"))


def key_of(write: Write, table: Table) -> Key:
    """The key of the record that the write is about.

    Raises: ValidationException when it does not fit the table's schema.
    """
    return table.schema.written_key(write.item) if isinstance(write, Put) else table.schema.exact_key(write.key)


def plan(write: Write, table: Table) -> Plan:
    """What the write does to the table as it is now.

    Raises: ValidationException, ConditionalCheckFailedException.
    """
    key = key_of(write, table)
    match write:
        case Put(item=item):
            table.schema.check_index_keys(item)
            new = _within_limit(record_of(item), "Item size has exceeded the maximum allowed size")
            return Plan(table, key, _met(write, table, key), new)
        case ChangeByKey(expressions=expressions):
            update = expressions.update.tree if expressions.update is not None else None
            if update is not None:
                _check_keys_unchanged(update, table)
            old = _met(write, table, key)
            return Plan(table, key, old, _changed(write, table, old, update))
        case Delete():
            return Plan(table, key, _met(write, table, key), None)
        case Check():
            old = _met(write, table, key)
            return Plan(table, key, old, old)
        case _:
            assert_never(write)


def _met(write: Write, table: Table, key: Key) -> Record | None:
    """The record at the key, once it meets the write's condition."""
    record = table.records.get(key)
    condition = write.expressions.condition
    if condition is not None:
        item: Item = record.item if record is not None else {}
        if not holds(condition.tree, item, write.expressions.values):
            raise condition_failed(item if item and write.shows_old_on_failure else None)
    return record


def _changed(write: ChangeByKey, table: Table, old: Record | None, update: Update | None) -> Record:
    before = old if old is not None else record_of(write.key)
    if update is None:
        return before
    item = updated(before.item, update, write.expressions.values)
    table.schema.check_index_keys(item, before.item)
    after = record_after(before, item, update.attributes)
    return _within_limit(after, "Item size to update has exceeded the maximum allowed size")


def _check_keys_unchanged(update: Update, table: Table) -> None:
    changed = update.attributes & table.schema.key_names
    if changed:
        raise invalid_parameter(
            f"Cannot update attribute {min(changed)}. This attribute is part of the key",
        )


def _within_limit(record: Record, problem: str) -> Record:
    if record.size > MAXIMUM_ITEM_BYTES:
        raise invalid(problem)
    return record


def changed_attributes(item: Item | None, update: Update | None, *, old: bool) -> Item:
    """What UPDATED_OLD and UPDATED_NEW answer: the item at the paths that the update names."""
    if item is None or update is None:
        return {}
    paths: list[DocumentPath] = [action.path for action in update.sets]
    paths += [action.path for action in update.additions]
    paths += [action.path for action in update.deletions]
    if old:
        paths += update.removals
    return project_paths(item, tuple(paths)) if paths else {}


def returned(mode: str, write_plan: Plan, update: Update | None = None) -> dict[str, Any]:
    """The Attributes member of the answer under a ReturnValues mode, `{}` when there is nothing to show."""
    old = write_plan.old.item if write_plan.old is not None else None
    new = write_plan.new.item if write_plan.new is not None else None
    match mode:
        case "ALL_OLD":
            attributes = old
        case "ALL_NEW":
            attributes = new
        case "UPDATED_OLD":
            attributes = changed_attributes(old, update, old=True)
        case "UPDATED_NEW":
            attributes = changed_attributes(new, update, old=False)
        case _:
            attributes = None
    return {"Attributes": attributes} if attributes else {}

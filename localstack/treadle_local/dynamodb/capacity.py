"""Capacity units as DynamoDB charges them.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from treadle_local.dynamodb.schema import IndexSchema
from treadle_local.dynamodb.table import Record, Table

READ_UNIT_BYTES = 4096
WRITE_UNIT_BYTES = 1024

Detail: TypeAlias = Literal["NONE", "TOTAL", "INDEXES"]


@dataclass(slots=True)
class Usage:
    """Units that a call used on one table; `named` is the table as the caller named it."""

    named: str
    kind: Literal["Read", "Write"]
    table: float = 0.0
    indexes: dict[IndexSchema, float] = field(default_factory=dict[IndexSchema, float])

    def plus(self, other: Usage) -> Usage:
        indexes = dict(self.indexes)
        for index, units in other.indexes.items():
            indexes[index] = indexes.get(index, 0.0) + units
        return Usage(self.named, self.kind, self.table + other.table, indexes)

    def doubled(self) -> Usage:
        """The same in a transaction."""
        return Usage(self.named, self.kind, self.table * 2, {index: units * 2 for index, units in self.indexes.items()})

    def shape(self, detail: Detail, *, transactional: bool = False) -> dict[str, Any]:
        """The ConsumedCapacity shape; only transactions also say which kind of unit it was."""
        shape: dict[str, Any] = {"TableName": self.named}
        shape |= self._units(self.table + sum(self.indexes.values()), transactional)
        if detail != "INDEXES":
            return shape
        shape["Table"] = self._units(self.table, transactional)
        members = (("global", "GlobalSecondaryIndexes"), ("local", "LocalSecondaryIndexes"))
        for kind, member in members:
            units = {
                index.name: self._units(units, transactional)
                for index, units in self.indexes.items()
                if index.kind == kind
            }
            if units:
                shape[member] = units
        return shape

    def _units(self, units: float, transactional: bool) -> dict[str, float]:
        shape = {"CapacityUnits": units}
        if transactional:
            shape[f"{self.kind}CapacityUnits"] = units
        return shape


def total_by_table(usages: Iterable[Usage]) -> list[Usage]:
    """One usage for each name of a table, in order of first mention."""
    totals: dict[str, Usage] = {}
    for usage in usages:
        before = totals.get(usage.named)
        totals[usage.named] = usage if before is None else before.plus(usage)
    return list(totals.values())


def read_units(size: int, *, consistent: bool) -> float:
    """Units of reading that many bytes at once: at least one of 4 KB, half when eventually consistent."""
    units = float(max(1, -(-size // READ_UNIT_BYTES)))
    return units if consistent else units / 2


def write_units(size: int) -> float:
    """Units of writing an item of that many bytes: at least one of 1 KB."""
    return float(max(1, -(-size // WRITE_UNIT_BYTES)))


def write_usage(named: str, table: Table, old: Record | None, new: Record | None) -> Usage:
    """Units of replacing `old` by `new`: the larger of the two, and what that changes in each index."""
    sizes = [record.size for record in (old, new) if record is not None]
    usage = Usage(named, "Write", write_units(max(sizes, default=0)))
    for index in table.indexes.values():
        units = _index_units(table, index.schema.name, old, new)
        if units:
            usage.indexes[index.schema] = units
    return usage


def _index_units(table: Table, name: str, old: Record | None, new: Record | None) -> float:
    """One write to add or drop an entry, one to change it in place, two to move it, none when it stays the same."""
    index = table.indexes[name]
    before = index.projection(old) if old is not None and index.schema.key.has(old.item) else None
    after = index.projection(new) if new is not None and index.schema.key.has(new.item) else None
    if before is None and after is None:
        return 0.0
    if before is None or after is None:
        return write_units((after or before or Record({}, 0)).size)
    if before.item == after.item:
        return 0.0
    if index.schema.key.key_of(before.item) != index.schema.key.key_of(after.item):
        return write_units(before.size) + write_units(after.size)
    return write_units(max(before.size, after.size))

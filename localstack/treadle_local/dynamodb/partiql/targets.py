"""What a caller must be allowed to do for the statements of a call.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Target
from treadle_local.dynamodb.partiql.keys import partitions
from treadle_local.dynamodb.partiql.parser import prepared
from treadle_local.dynamodb.partiql.syntax import Exists, Insert, Prepared, Select
from treadle_local.dynamodb.partiql.values import bound
from treadle_local.dynamodb.schema import KeySchema, key_text
from treadle_local.dynamodb.table import Table
from treadle_local.dynamodb.values import Value

_MEMBERS = {"BatchExecuteStatement": "Statements", "ExecuteTransaction": "TransactStatements"}


@dataclass(frozen=True, slots=True)
class StatementTargets:
    """Reads statements that are not checked yet: one that cannot be read is passed over and refused when it is done."""

    arn_of: Callable[[str], str]
    table: Callable[[str], Table | None]

    def targets(self, operation: str, params: Params) -> Iterator[Target]:
        """One target for each statement."""
        if operation not in _MEMBERS:
            yield from self._statement(params, None)
            return
        entries: object = params.get(_MEMBERS[operation])
        for entry in cast("list[object]", entries) if isinstance(entries, list) else []:
            if isinstance(entry, dict):
                yield from self._statement(cast("dict[str, Any]", entry), operation)

    def _statement(self, entry: Params, enclosing: str | None) -> Iterator[Target]:
        text, parameters = entry.get("Statement"), entry.get("Parameters")
        try:
            said = prepared(text) if isinstance(text, str) else None
        except AwsError:
            said = None
        if said is None:
            return
        statement = said.statement
        # Reading the item of a check is what its SELECT would need.
        read = statement.select if isinstance(statement, Exists) else statement
        arn = self.arn_of(read.table)
        if isinstance(read, Select) and read.index is not None:
            arn += f"/index/{read.index}"
        context: dict[str, Any] = {}
        if enclosing is not None:
            context["dynamodb:EnclosingOperation"] = enclosing
        try:
            values = bound(said, cast("list[object]", parameters) if isinstance(parameters, list) else [])
        except AwsError:
            values = {}
        leading = self._leading_keys(said, values)
        if leading:
            context["dynamodb:LeadingKeys"] = leading
        if isinstance(read, Select):
            context["dynamodb:FullTableScan"] = "true" if leading is None else "false"
        yield Target(f"dynamodb:PartiQL{type(read).__name__}", arn, context)

    def _leading_keys(self, said: Prepared, values: Mapping[str, Value]) -> list[str] | None:
        """The partition keys that the statement names, None when it leaves them open."""
        statement = said.statement.select if isinstance(said.statement, Exists) else said.statement
        table = self.table(statement.table)
        if table is None or not values:
            return None
        key = _key(table, statement.index if isinstance(statement, Select) else None)
        if isinstance(statement, Insert):
            found = values[statement.item].get("M", {}).get(key.partition.name)
            return [] if found is None or key.partition.type not in found else [key_text(found)]
        named = partitions(statement.where, key.partition.name)
        if named is None:
            return None
        return [key_text(values[name]) for name in named if key.partition.type in values[name]]


def _key(table: Table, index: str | None) -> KeySchema:
    found = table.schema.indexes.get(index) if index is not None else None
    return (found or table.schema).key

"""What a caller must be allowed to do for an item operation.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Target
from treadle_local.dynamodb.expressions import expressions_of
from treadle_local.dynamodb.key_conditions import key_tests
from treadle_local.dynamodb.partiql.targets import StatementTargets
from treadle_local.dynamodb.schema import key_text
from treadle_local.dynamodb.table import Table

_TRANSACTION_ACTIONS = {
    "ConditionCheck": "ConditionCheckItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
}


@dataclass(frozen=True, slots=True)
class TargetFinder:
    """Reads requests that are not checked yet: what does not fit is passed over here and refused when it is done."""

    arn_of: Callable[[str], str]
    table: Callable[[str], Table | None]

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        match operation:
            case "BatchGetItem":
                return list(self._batch(params, operation, self._read_keys))
            case "BatchWriteItem":
                return list(self._batch(params, operation, self._written_keys))
            case "TransactGetItems" | "TransactWriteItems":
                return list(self._transaction(operation, params))
            case "BatchExecuteStatement" | "ExecuteStatement" | "ExecuteTransaction":
                return list(StatementTargets(self.arn_of, self.table).targets(operation, params))
            case "Query" | "Scan":
                return [self._search(operation, params)]
            case "PutItem":
                return [self._target(operation, params.get("TableName"), [params.get("Item")])]
            case _:
                return [self._target(operation, params.get("TableName"), [params.get("Key")])]

    def _target(
        self, operation: str, name: object, items: Sequence[object], suffix: str = "", enclosing: str | None = None
    ) -> Target:
        named = name if isinstance(name, str) else ""
        context: dict[str, str | Sequence[str]] = {}
        leading = self._leading_keys(named, items)
        if leading:
            context["dynamodb:LeadingKeys"] = leading
        if enclosing is not None:
            context["dynamodb:EnclosingOperation"] = enclosing
        return Target(f"dynamodb:{operation}", self.arn_of(named) + suffix, context)

    def _leading_keys(self, name: str, items: Sequence[object]) -> list[str]:
        table = self.table(name)
        if table is None:
            return []
        partition = table.schema.key.partition
        keys: list[str] = []
        for item in items:
            value = _mapping(_mapping(item).get(partition.name))
            if isinstance(value.get(partition.type), str):
                keys.append(key_text({partition.type: value[partition.type]}))
        return list(dict.fromkeys(keys))

    def _batch(self, params: Params, operation: str, items_of: Callable[[object], list[object]]) -> Iterator[Target]:
        for name, request in _mapping(params.get("RequestItems")).items():
            yield self._target(operation, name, items_of(request))

    @staticmethod
    def _read_keys(request: object) -> list[object]:
        return _list(_mapping(request).get("Keys"))

    @staticmethod
    def _written_keys(request: object) -> list[object]:
        entries = [_mapping(entry) for entry in _list(request)]
        return [
            _mapping(entry.get("PutRequest")).get("Item") or _mapping(entry.get("DeleteRequest")).get("Key")
            for entry in entries
        ]

    def _transaction(self, operation: str, params: Params) -> Iterator[Target]:
        for entry in _list(params.get("TransactItems")):
            for kind, body in _mapping(entry).items():
                action = "GetItem" if operation == "TransactGetItems" else _TRANSACTION_ACTIONS.get(kind)
                if action is not None:
                    fields = _mapping(body)
                    items = [fields.get("Item") or fields.get("Key")]
                    yield self._target(action, fields.get("TableName"), items, enclosing=operation)

    def _search(self, operation: str, params: Params) -> Target:
        index = params.get("IndexName")
        suffix = f"/index/{index}" if index is not None else ""
        if operation == "Scan":
            return self._target(operation, params.get("TableName"), [], suffix)
        target = self._target(operation, params.get("TableName"), [], suffix)
        leading = self._queried_key(params)
        if leading is None:
            return target
        return Target(target.action, target.resource, {**target.context, "dynamodb:LeadingKeys": [leading]})

    def _queried_key(self, params: Params) -> str | None:
        """The partition key value that a query names; None when it is no valid query."""
        table = self.table(str(params.get("TableName")))
        if table is None:
            return None
        index = table.schema.indexes.get(str(params.get("IndexName")))
        partition = (index or table.schema).key.partition
        try:
            expressions = expressions_of(params, ("KeyConditionExpression", "FilterExpression", "ProjectionExpression"))
            if expressions.key_condition is None:
                return None
            test = key_tests(expressions.key_condition.tree).get(partition.name)
        except AwsError:
            return None
        return key_text(expressions.values[test.values[0]]) if test is not None and test.operator == "=" else None


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []

"""The item operations of the local DynamoDB. Tables themselves are made and described by the control plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock, Timer
from treadle_local.dynamodb import reads
from treadle_local.dynamodb.batches import batch_get, batch_write
from treadle_local.dynamodb.capacity import Usage, read_units, write_usage
from treadle_local.dynamodb.change_streams import ChangeStreams
from treadle_local.dynamodb.errors import invalid, table_not_found
from treadle_local.dynamodb.expressions import expressions_of
from treadle_local.dynamodb.item_collections import metrics, wants_metrics
from treadle_local.dynamodb.parameters import (
    capacity_detail,
    check_table_name,
    choice,
    flag,
    mapping,
    table_name,
)
from treadle_local.dynamodb.partiql.operations import PartiQl
from treadle_local.dynamodb.reads import projected
from treadle_local.dynamodb.table import Table
from treadle_local.dynamodb.targets import TargetFinder
from treadle_local.dynamodb.transactions import Transactions
from treadle_local.dynamodb.values import checked_item
from treadle_local.dynamodb.writes import (
    Write,
    plan,
    prepare_delete,
    prepare_put,
    prepare_update,
    returned,
)

# How often expired items are looked for. AWS deletes them within days, so they may be read until then.
SWEEP_SECONDS = 60.0

_OLD = ("ALL_OLD", "NONE")
_ANY = ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW")


class Keeper(Protocol):
    """Who keeps the items of tables beyond the process."""

    def opened(self, name: str, table: Table) -> None:
        """A table was made; nobody has seen it yet."""
        ...

    def deleted(self, name: str, table: Table) -> None: ...


DescribeTable = Callable[[str], Mapping[str, Any] | None]


class DynamoDbItems:
    """The data plane of one region's tables.

    `describe_table` gives the TableDescription of a table that exists and of which `table_created` was not told.
    """

    def __init__(self, region: Region, clock: Clock, describe_table: DescribeTable) -> None:
        self._clock = clock
        self._describe_table = describe_table
        self.streams = ChangeStreams(region, clock)
        self._arn_prefix = region.arn("dynamodb", "table/")
        self.keeper: Keeper | None = None
        self._tables: dict[str, Table] = {}
        self._sweep: Timer | None = None
        self.transactions = Transactions(clock, self._existing)
        partiql = PartiQl(self._existing, self.transactions)
        self._target_finder = TargetFinder(self._arn, self._find)
        self._operations: dict[str, Callable[[Params], Result]] = {
            "BatchGetItem": lambda params: batch_get(params, self._existing),
            "BatchWriteItem": lambda params: batch_write(params, self._existing),
            "BatchExecuteStatement": partiql.batch,
            "DeleteItem": self._delete_item,
            "ExecuteStatement": partiql.execute,
            "ExecuteTransaction": partiql.transact,
            "GetItem": self._get_item,
            "PutItem": self._put_item,
            "Query": self._query,
            "Scan": self._scan,
            "TransactGetItems": self.transactions.get,
            "TransactWriteItems": self.transactions.write,
            "UpdateItem": self._update_item,
        }
        # answered here; all others are the table operations
        self.operations = frozenset(self._operations)

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        """Does the operation and returns its response shape. Answers share the stored values: do not change them.

        Raises: AwsError.
        """
        do = self._operations.get(operation)
        if do is None:
            raise AwsError("UnknownOperationException", f"{operation} is not built in the local DynamoDB")
        return do(params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """What the caller must be allowed to do for this call."""
        return self._target_finder.targets(operation, params)

    def table_created(self, description: Mapping[str, Any]) -> None:
        """Makes the empty table of a TableDescription."""
        name: str = description["TableName"]
        table = self._tables[name] = Table(description)
        if self.keeper is not None:
            self.keeper.opened(name, table)
        self.streams.follow(table, description)

    def table_updated(self, description: Mapping[str, Any]) -> None:
        """Takes over a table's new indexes, filled at once, drops those that are gone; opens or closes its stream."""
        table = self._existing(description["TableName"])
        table.update_schema(description)
        self.streams.follow(table, description)

    def table_deleted(self, name: str) -> None:
        table = self._tables.pop(name, None)
        if table is not None and self.keeper is not None:
            self.keeper.deleted(name, table)
        self.streams.table_deleted(name)

    def ttl_updated(self, name: str, attribute: str | None) -> None:
        """Makes `attribute` the table's time to live, None for no expiry."""
        self._existing(name).expire_by(attribute)
        if attribute is not None and self._sweep is None:
            self._sweep = self._clock.call_at(self._clock.now() + SWEEP_SECONDS, self._delete_expired)

    def table(self, name: str) -> Table:
        """The store of a table, by name or ARN.

        Raises: ResourceNotFoundException.
        """
        return self._existing(name)

    def counts(self, name: str) -> dict[str | None, tuple[int, int]]:
        """The items and their bytes: of a table (None), and of each of its indexes.

        Raises: ResourceNotFoundException.
        """
        table = self._existing(name)
        counts: dict[str | None, tuple[int, int]] = {None: (len(table.records), table.size_bytes)}
        for index in table.indexes.values():
            counts[index.schema.name] = (len(index.records), index.size_bytes)
        return counts

    def _delete_expired(self) -> None:
        expiring = [table for table in self._tables.values() if table.expires]
        for table in expiring:
            table.delete_expired(self._clock.now())
        self._sweep = None
        if expiring:
            self._sweep = self._clock.call_at(self._clock.now() + SWEEP_SECONDS, self._delete_expired)

    def _arn(self, named: str) -> str:
        return named if named.startswith("arn:") else self._arn_prefix + named

    def _find(self, named: str) -> Table | None:
        """The table by name or ARN, None when there is none."""
        table = self._tables.get(named)
        if table is not None:
            return table
        name = named.removeprefix(self._arn_prefix)
        if name not in self._tables:
            description = self._describe_table(name)
            if description is None:
                return None
            self.table_created(description)
        return self._tables[name]

    def _existing(self, named: str) -> Table:
        table = self._find(named)
        if table is None:
            check_table_name(named.removeprefix(self._arn_prefix))
            raise table_not_found()
        return table

    def _put_item(self, params: Params) -> Result:
        return self._written(params, prepare_put(params), _return_values(params, _OLD))

    def _delete_item(self, params: Params) -> Result:
        return self._written(params, prepare_delete(params), _return_values(params, _OLD))

    def _update_item(self, params: Params) -> Result:
        return self._written(params, prepare_update(params), _return_values(params, _ANY))

    def _written(self, params: Params, write: Write, mode: str) -> Result:
        detail = capacity_detail(params)
        with_metrics = wants_metrics(params)
        table = self._existing(write.table_name)
        done = plan(write, table)
        done.apply()
        update = write.expressions.update
        result = returned(mode, done, update.tree if update is not None else None)
        if detail != "NONE":
            result["ConsumedCapacity"] = write_usage(write.table_name, table, done.old, done.new).shape(detail)
        collection = metrics(table, done.key) if with_metrics else None
        if collection is not None:
            result["ItemCollectionMetrics"] = collection
        return result

    def _get_item(self, params: Params) -> Result:
        named = table_name(params)
        key_item = checked_item(mapping(params, "Key"))
        expressions = expressions_of(params, ("ProjectionExpression",))
        table = self._existing(named)
        record = table.records.get(table.schema.exact_key(key_item))
        result: Result = {} if record is None else {"Item": projected(record.item, expressions.projection)}
        detail = capacity_detail(params)
        if detail != "NONE":
            consistent = flag(params, "ConsistentRead", default=False)
            units = read_units(record.size if record is not None else 0, consistent=consistent)
            result["ConsumedCapacity"] = Usage(named, "Read", units).shape(detail)
        return result

    def _query(self, params: Params) -> Result:
        named = table_name(params)
        expressions = expressions_of(params, ("KeyConditionExpression", "FilterExpression", "ProjectionExpression"))
        return reads.query(params, named, self._existing(named), expressions)

    def _scan(self, params: Params) -> Result:
        named = table_name(params)
        expressions = expressions_of(params, ("FilterExpression", "ProjectionExpression"))
        return reads.scan(params, named, self._existing(named), expressions)


def _return_values(params: Params, allowed: tuple[str, ...]) -> str:
    mode = choice(params, "ReturnValues", _ANY, "NONE")
    if mode not in allowed:
        raise invalid("Return values set to invalid value")
    return mode

"""UpdateTable: what it may change of a definition.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params
from treadle_local.dynamodb.errors import invalid, invalid_parameter, table_not_found
from treadle_local.dynamodb.tables import checks
from treadle_local.dynamodb.tables.creation import encryption_of, index_of, throughput_of
from treadle_local.dynamodb.tables.definition import AttributeType, BillingMode, TableDefinition, Throughput

_CHANGES = (
    "ProvisionedThroughput",
    "BillingMode",
    "StreamSpecification",
    "GlobalSecondaryIndexUpdates",
    "SSESpecification",
    "TableClass",
    "OnDemandThroughput",
    "WarmThroughput",
)


def updated(table: TableDefinition, params: Params, now: float) -> TableDefinition:
    """The definition after the update; the table itself is not touched.

    Raises: ValidationException, LimitExceededException, ResourceNotFoundException.
    """
    checks.refuse_not_built(params)
    if params.get("DeletionProtectionEnabled") is None and not any(params.get(name) is not None for name in _CHANGES):
        raise invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
            "SSESpecification or ReplicaUpdates is required"
        )
    after = replace(table)
    _set_throughput(after, params, now)
    _set_indexes(after, params, now)
    _set_stream(after, params)
    if params.get("SSESpecification") is not None:
        after.encryption = encryption_of(params["SSESpecification"])
    if params.get("TableClass") is not None:
        after.table_class = params["TableClass"]
    if params.get("OnDemandThroughput") is not None:
        after.on_demand = _limited(params["OnDemandThroughput"])
    if params.get("DeletionProtectionEnabled") is not None:
        after.deletion_protected = params["DeletionProtectionEnabled"]
    return after


def _set_throughput(table: TableDefinition, params: Params, now: float) -> None:
    billing: BillingMode = params.get("BillingMode") or table.billing
    given: Mapping[str, Any] | None = params.get("ProvisionedThroughput")
    if billing != table.billing or given is not None:
        checks.check_throughput(billing, given)
    if billing != table.billing:
        table.billing = billing
        table.throughput = throughput_of(given)
        if billing == "PAY_PER_REQUEST":
            table.on_demand_since = now
            table.global_indexes = {
                name: replace(index, throughput=Throughput()) for name, index in table.global_indexes.items()
            }
    elif given is not None:
        before = table.throughput
        if [name for name in _CHANGES if params.get(name) is not None] == ["ProvisionedThroughput"]:
            _check_changes(before, given)
        table.throughput = _changed(before, given, now)


def _check_changes(before: Throughput, given: Mapping[str, Any]) -> None:
    read, write = given["ReadCapacityUnits"], given["WriteCapacityUnits"]
    if (read, write) == (before.read_units, before.write_units):
        raise invalid(
            "The provisioned throughput for the table will not change. The requested value equals the current value. "
            f"Current ReadCapacityUnits provisioned for the table: {read}. Requested ReadCapacityUnits: {read}. "
            f"Current WriteCapacityUnits provisioned for the table: {write}. Requested WriteCapacityUnits: {write}. "
            "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
        )


def _changed(before: Throughput, given: Mapping[str, Any], now: float) -> Throughput:
    after = throughput_of(given)
    steps = (after.read_units - before.read_units, after.write_units - before.write_units)
    after.increased_at = now if max(steps) > 0 else before.increased_at
    after.decreased_at = now if min(steps) < 0 else before.decreased_at
    return after


def _set_indexes(table: TableDefinition, params: Params, now: float) -> None:
    updates: Sequence[Mapping[str, Any]] = params.get("GlobalSecondaryIndexUpdates") or ()
    if not updates:
        return
    if sum(1 for update in updates if update.get("Create") or update.get("Delete")) > 1:
        raise AwsError(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
        )
    types = _merged_types(table, params)
    indexes = dict(table.global_indexes)
    for update in updates:
        match {kind: body for kind, body in update.items() if body}:
            case {"Create": body, **rest} if not rest:
                _check_new(table, body, types)
                indexes[body["IndexName"]] = index_of(body)
            case {"Update": body, **rest} if not rest:
                index = indexes.get(body["IndexName"])
                if index is None:
                    raise table_not_found()
                given = body.get("ProvisionedThroughput")
                if given is not None:
                    checks.check_index_throughput(table.billing, body)
                    index = replace(index, throughput=_changed(index.throughput, given, now))
                if body.get("OnDemandThroughput") is not None:
                    index = replace(index, on_demand=_limited(body["OnDemandThroughput"]))
                indexes[index.name] = index
            case {"Delete": body, **rest} if not rest:
                if indexes.pop(body["IndexName"], None) is None:
                    raise table_not_found()
            case _:
                raise invalid_parameter(
                    "Each GlobalSecondaryIndexUpdate must have exactly one of Create, Update or Delete"
                )
    table.global_indexes = indexes
    used = table.key_names()
    table.attributes = {name: kind for name, kind in types.items() if name in used}


def _check_new(table: TableDefinition, index: Mapping[str, Any], types: Mapping[str, AttributeType]) -> None:
    if index["IndexName"] in {present.name for present in table.indexes()}:
        raise invalid("Attempting to create an index which already exists")
    checks.check_key_schema(index["KeySchema"], list(types))
    checks.check_index(index, list(types))
    checks.check_index_throughput(table.billing, index)
    checks.check_global_count(len(table.global_indexes) + 1)
    checks.check_projected_count([index["Projection"], *(present.projection for present in table.indexes())])


def _merged_types(table: TableDefinition, params: Params) -> dict[str, AttributeType]:
    """The attributes with those that the request defines.

    Raises: ValidationException for one that the table has with another type.
    """
    types = dict(table.attributes)
    for definition in params.get("AttributeDefinitions") or ():
        name, kind = definition["AttributeName"], definition["AttributeType"]
        if types.get(name, kind) != kind:
            raise invalid_parameter(f"Cannot redefine attribute {name}: it is a key of type {types[name]}, not {kind}")
        types[name] = kind
    return types


def _set_stream(table: TableDefinition, params: Params) -> None:
    wanted: Mapping[str, Any] | None = params.get("StreamSpecification")
    if wanted is None:
        return
    checks.check_stream(wanted)
    if wanted["StreamEnabled"] == (table.stream is not None):
        state = "an enabled" if table.stream is not None else "a disabled"
        raise invalid(f"Table already has {state} stream: TableName: {table.name}")
    table.stream = wanted if wanted["StreamEnabled"] else None


def _limited(given: Mapping[str, int]) -> Mapping[str, int] | None:
    """The limits of a table on demand, None where all are lifted (-1)."""
    limits = {name: value for name, value in given.items() if value != -1}
    return limits or None

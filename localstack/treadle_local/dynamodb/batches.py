"""BatchGetItem and BatchWriteItem: many single operations in one call, without conditions and without atomicity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from treadle_local.aws.service import Params, Result
from treadle_local.dynamodb.capacity import Usage, read_units, total_by_table, write_usage
from treadle_local.dynamodb.errors import broken_constraint, invalid, malformed
from treadle_local.dynamodb.expressions import NO_EXPRESSIONS, expressions_of
from treadle_local.dynamodb.item_collections import metrics_by_table, wants_metrics
from treadle_local.dynamodb.ordered import Key
from treadle_local.dynamodb.parameters import capacity_detail, flag, listing, mapping, member
from treadle_local.dynamodb.reads import projected
from treadle_local.dynamodb.table import Table
from treadle_local.dynamodb.values import Item, checked_item
from treadle_local.dynamodb.writes import Delete, Plan, Put, Write, plan

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html, API_BatchGetItem.html
MAXIMUM_WRITES = 25
MAXIMUM_READS = 100
MAXIMUM_RESPONSE_BYTES = 16 * 1024 * 1024

FindTable = Callable[[str], Table]


def batch_write(params: Params, find_table: FindTable) -> Result:
    """The answer to BatchWriteItem; everything is checked before the first write."""
    detail = capacity_detail(params)
    with_metrics = wants_metrics(params)
    requests = mapping(params, "RequestItems")
    writes = [
        _write(name, request)
        for name in requests
        for request in listing(requests, name, minimum=1, maximum=MAXIMUM_WRITES)
    ]
    if not writes:
        raise broken_constraint("{}", "requestItems", "Member must have length greater than or equal to 1")
    if len(writes) > MAXIMUM_WRITES:
        raise invalid("Too many items requested for the BatchWriteItem call")
    tables = {name: find_table(name) for name in requests}
    plans = [(write.table_name, plan(write, tables[write.table_name])) for write in writes]
    _check_distinct([write_plan for _, write_plan in plans])
    for _, write_plan in plans:
        write_plan.apply()
    result: Result = {"UnprocessedItems": {}}
    if with_metrics:
        collections = metrics_by_table((name, write_plan.table, write_plan.key) for name, write_plan in plans)
        result["ItemCollectionMetrics"] = collections
    if detail != "NONE":
        usages = [write_usage(name, write_plan.table, write_plan.old, write_plan.new) for name, write_plan in plans]
        result["ConsumedCapacity"] = [usage.shape(detail) for usage in total_by_table(usages)]
    return result


def _write(table_name: str, request: Mapping[str, Any]) -> Write:
    kinds = [kind for kind in ("PutRequest", "DeleteRequest") if request.get(kind) is not None]
    if len(kinds) != 1:
        problem = "has more than one datatypes set" if kinds else "is empty"
        raise invalid(f"Supplied AttributeValue {problem}, must contain exactly one of the supported datatypes")
    body = mapping(request, kinds[0])
    if kinds[0] == "PutRequest":
        return Put(table_name, checked_item(mapping(body, "Item")), NO_EXPRESSIONS, shows_old_on_failure=False)
    return Delete(table_name, checked_item(mapping(body, "Key")), NO_EXPRESSIONS, shows_old_on_failure=False)


def _check_distinct(plans: list[Plan]) -> None:
    seen: set[tuple[int, Key]] = set()
    for write_plan in plans:
        place = (id(write_plan.table), write_plan.key)
        if place in seen:
            raise invalid("Provided list of item keys contains duplicates")
        seen.add(place)


def batch_get(params: Params, find_table: FindTable) -> Result:
    """The answer to BatchGetItem; what would exceed the answer's size comes back in UnprocessedKeys."""
    detail = capacity_detail(params)
    requests = mapping(params, "RequestItems")
    if not requests:
        raise broken_constraint("{}", "requestItems", "Member must have length greater than or equal to 1")
    if sum(len(_raw_keys(mapping(requests, name))) for name in requests) > MAXIMUM_READS:
        raise invalid("Too many items requested for the BatchGetItem call")
    responses: dict[str, list[Item]] = {}
    unprocessed: dict[str, dict[str, Any]] = {}
    usages: list[Usage] = []
    room = MAXIMUM_RESPONSE_BYTES
    for name in requests:
        request = mapping(requests, name)
        fetched = _fetch(request, find_table(name), room)
        room -= fetched.size
        responses[name] = fetched.items
        usages.append(Usage(name, "Read", fetched.units))
        if fetched.left:
            unprocessed[name] = {**request, "Keys": fetched.left}
    result: Result = {"Responses": responses, "UnprocessedKeys": unprocessed}
    if detail != "NONE":
        result["ConsumedCapacity"] = [usage.shape(detail) for usage in usages]
    return result


@dataclass(slots=True)
class _Fetched:
    """What was read of one table, and the keys for which there was no room."""

    items: list[Item]
    left: list[Item]
    size: int = 0
    units: float = 0.0


def _fetch(request: Mapping[str, Any], table: Table, room: int) -> _Fetched:
    projection = expressions_of(request, ("ProjectionExpression",)).projection
    consistent = flag(request, "ConsistentRead", default=False)
    fetched = _Fetched([], [])
    for key, key_item in _distinct_keys(request, table):
        record = table.records.get(key)
        size = record.size if record is not None else 0
        if fetched.size + size > room:
            fetched.left.append(key_item)
            continue
        fetched.size += size
        fetched.units += read_units(size, consistent=consistent)
        if record is not None:
            fetched.items.append(projected(record.item, projection))
    return fetched


def _raw_keys(request: Mapping[str, Any]) -> list[object]:
    keys = member(request, "Keys")
    if not isinstance(keys, list):
        raise malformed("Unexpected value type in payload: Keys")
    return cast("list[object]", keys)


def _distinct_keys(request: Mapping[str, Any], table: Table) -> list[tuple[Key, Item]]:
    keys: list[tuple[Key, Item]] = []
    for raw in _raw_keys(request):
        item = checked_item(raw)
        keys.append((table.schema.exact_key(item), item))
    if not keys:
        raise broken_constraint("[]", "requestItems.member.keys", "Member must have length greater than or equal to 1")
    if len({key for key, _ in keys}) != len(keys):
        raise invalid("Provided list of item keys contains duplicates")
    return keys

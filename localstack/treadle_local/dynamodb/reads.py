"""GetItem, Query and Scan over one table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from treadle_local.aws.service import Params, Result
from treadle_local.dynamodb.capacity import Usage, read_units
from treadle_local.dynamodb.conditions import holds
from treadle_local.dynamodb.errors import invalid, invalid_parameter
from treadle_local.dynamodb.expressions import Expressions
from treadle_local.dynamodb.key_conditions import key_range, key_tests
from treadle_local.dynamodb.ordered import TOP, Key
from treadle_local.dynamodb.parameters import capacity_detail, choice, flag, index_name, integer
from treadle_local.dynamodb.paths import project
from treadle_local.dynamodb.schema import HASH_SPACE, IndexSchema, KeySchema
from treadle_local.dynamodb.syntax import Parsed, Projection
from treadle_local.dynamodb.table import Record, Records, Table
from treadle_local.dynamodb.values import Item, checked_item

# A page of a query or scan ends before it exceeds this.
# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
MAXIMUM_PAGE_BYTES = 1024 * 1024
MAXIMUM_SEGMENTS = 1_000_000

_SELECTIONS = ("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")


@dataclass(frozen=True, slots=True)
class View:
    """What a query or scan reads: the table itself or one of its indexes.

    `fetches` says that items of a local index are completed from the table.
    """

    table: Table
    index: IndexSchema | None
    fetches: bool

    @property
    def records(self) -> Records:
        return self.table.records if self.index is None else self.table.indexes[self.index.name].records

    @property
    def key(self) -> KeySchema:
        return self.table.schema.key if self.index is None else self.index.key

    def fetched(self, record: Record) -> Record:
        """The table's own record for an entry of the index."""
        return self.table.records.get(self.table.schema.key.key_of(record.item)) or record


def projected(item: Item, projection: Parsed[Projection] | None) -> Item:
    return item if projection is None else project(item, projection.tree)


def query(params: Params, named: str, table: Table, expressions: Expressions) -> Result:
    """The answer to Query."""
    if expressions.key_condition is None:
        raise invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
    view = _view(params, table, expressions)
    tests = key_tests(expressions.key_condition.tree)
    lower, upper = key_range(view.key, tests, expressions.values)
    if expressions.filter is not None:
        in_key = expressions.filter.attributes & {key.name for key in view.key.attributes}
        if in_key:
            raise invalid(
                f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {min(in_key)}"
            )
    start = start_key(params, view)
    forward = flag(params, "ScanIndexForward", default=True)
    if start is not None:
        if not lower <= start < upper:
            raise invalid(
                "The provided starting key does not match the range key predicate"
                if start[:2] == lower[:2]
                else "The provided starting key is outside query boundaries based on provided conditions"
            )
        lower, upper = ((*start, TOP), upper) if forward else (lower, start)
    return page(params, named, view, expressions, view.records.between(lower, upper, forward=forward))


def scan(params: Params, named: str, table: Table, expressions: Expressions) -> Result:
    """The answer to Scan."""
    view = _view(params, table, expressions)
    lower, upper = _segment(params)
    start = start_key(params, view)
    if start is not None:
        if not lower <= start < upper:
            raise invalid(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
                f"correct Segment. TotalSegments: {params['TotalSegments']} Segment: {params['Segment']}"
            )
        lower = (*start, TOP)
    return page(params, named, view, expressions, view.records.between(lower, upper))


def _segment(params: Params) -> tuple[Key, Key]:
    """The keys of the segment of a parallel scan; all keys when it is not parallel."""
    total = integer(params, "TotalSegments", 1, MAXIMUM_SEGMENTS)
    segment = integer(params, "Segment", 0, MAXIMUM_SEGMENTS - 1)
    if total is None and segment is None:
        return (), (TOP,)
    if total is None:
        raise invalid(
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present"
        )
    if segment is None:
        raise invalid(
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present"
        )
    if segment >= total:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    return (HASH_SPACE * segment // total,), (HASH_SPACE * (segment + 1) // total,)


def _view(params: Params, table: Table, expressions: Expressions) -> View:
    """What to read, once Select and the projection fit it.

    Raises: ValidationException.
    """
    selection = choice(params, "Select", _SELECTIONS, "")
    has_projection = expressions.projection is not None
    if has_projection and selection not in ("", "SPECIFIC_ATTRIBUTES"):
        shown = "only the Count" if selection == "COUNT" else selection
        raise invalid(f"Cannot specify the ProjectionExpression when choosing to get {shown}")
    if selection == "SPECIFIC_ATTRIBUTES" and not has_projection:
        raise invalid(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )
    name = index_name(params)
    if name is None:
        if selection == "ALL_PROJECTED_ATTRIBUTES":
            raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
        return View(table, None, fetches=False)
    index = table.schema.indexes.get(name)
    if index is None:
        raise invalid(f"The table does not have the specified index: {name}")
    if index.kind == "global" and flag(params, "ConsistentRead", default=False):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    beyond = _beyond(index, expressions)
    if index.kind == "global" and index.projected is not None:
        if selection == "ALL_ATTRIBUTES":
            raise invalid_parameter(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index {name} "
                "because its projection type is not ALL"
            )
        if beyond:
            raise invalid_parameter(f"Global secondary index {name} does not project [{', '.join(sorted(beyond))}]")
    return View(table, index, fetches=bool(beyond) or (selection == "ALL_ATTRIBUTES" and index.projected is not None))


def _beyond(index: IndexSchema, expressions: Expressions) -> frozenset[str]:
    """Top-level attributes that the projection expression names and the index does not keep."""
    if index.projected is None or expressions.projection is None:
        return frozenset()
    return expressions.projection.attributes - index.projected


def start_key(params: Params, view: View) -> Key | None:
    """The key of ExclusiveStartKey in the view.

    Raises: ValidationException when it is not a key of the view.
    """
    raw = params.get("ExclusiveStartKey")
    if raw is None:
        return None
    start = checked_item(raw)
    schemas = [view.key] if view.index is None else [view.key, view.table.schema.key]
    names = {key.name for schema in schemas for key in schema.attributes}
    if start.keys() != names or not all(schema.has(start) for schema in schemas):
        raise invalid("The provided starting key is invalid: The provided key element does not match the schema")
    key = view.key.key_of(start)
    return key if view.index is None else key + view.table.schema.key.key_of(start)[1:]


@dataclass(slots=True)
class _Page:
    """What was read so far: `size` counts what is filtered out too, `fetched_units` what a local index had to fetch."""

    items: list[Item]
    read: int = 0
    size: int = 0
    fetched_units: float = 0.0
    last: Record | None = None  # where the next page begins, once this one is full


def page(
    params: Params, named: str, view: View, expressions: Expressions, found: Iterable[tuple[Key, Record]]
) -> Result:
    """The answer with one page of what is found; Limit and the page's bytes count what is filtered out too."""
    limit = integer(params, "Limit", 1)
    consistent = flag(params, "ConsistentRead", default=False)
    filled = _filled(view, expressions, found, limit, consistent)
    result: Result = {"Count": len(filled.items), "ScannedCount": filled.read}
    if params.get("Select") != "COUNT":
        projection = expressions.projection
        result["Items"] = [projected(item, projection) for item in filled.items]
    if filled.last is not None:
        result["LastEvaluatedKey"] = view.table.schema.key_item(filled.last.item, view.index)
    detail = capacity_detail(params)
    if detail != "NONE":
        units = read_units(filled.size, consistent=consistent)
        usage = Usage(named, "Read", units)
        if view.index is not None:
            usage = Usage(named, "Read", filled.fetched_units, {view.index: units})
        result["ConsumedCapacity"] = usage.shape(detail)
    return result


def _filled(
    view: View, expressions: Expressions, found: Iterable[tuple[Key, Record]], limit: int | None, consistent: bool
) -> _Page:
    condition = expressions.filter.tree if expressions.filter is not None else None
    values = expressions.values
    page = _Page([])
    previous: Record | None = None
    for _, record in found:
        if page.size + record.size > MAXIMUM_PAGE_BYTES:
            page.last = previous
            break
        page.size += record.size
        page.read += 1
        previous = record
        item = record.item
        if view.fetches:
            whole = view.fetched(record)
            item = whole.item
            page.fetched_units += read_units(whole.size, consistent=consistent)
        if condition is None or holds(condition, item, values):
            page.items.append(item)
        if page.read == limit:
            page.last = record
            break
    return page

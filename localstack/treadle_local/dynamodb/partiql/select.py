"""SELECT: as a read of one item, as a query of the partitions that WHERE fixes, or as a scan."""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.dynamodb.capacity import Usage, read_units
from treadle_local.dynamodb.conditions import holds
from treadle_local.dynamodb.errors import invalid, invalid_parameter
from treadle_local.dynamodb.expressions import Expressions, Parts
from treadle_local.dynamodb.ordered import TOP, Key
from treadle_local.dynamodb.parameters import capacity_detail, flag
from treadle_local.dynamodb.partiql.keys import Range, exact_key, ranges
from treadle_local.dynamodb.partiql.syntax import Select
from treadle_local.dynamodb.paths import lookup
from treadle_local.dynamodb.reads import View, page, start_key
from treadle_local.dynamodb.schema import IndexSchema
from treadle_local.dynamodb.syntax import DocumentPath, Parsed
from treadle_local.dynamodb.table import Record, Table
from treadle_local.dynamodb.values import Item, Value

Found = Iterable[tuple[Key, Record]]


@dataclass(frozen=True, slots=True)
class Selection:
    """A SELECT over the table that it names."""

    select: Select
    table: Table
    values: Mapping[str, Value]

    def key(self) -> Item | None:
        """The key of the only item that it can find, None when it may find several."""
        if self.select.index is not None:
            return None
        return exact_key(self.select.where, self.table.schema, self.values)

    def shown(self, record: Record | None) -> Item | None:
        """What it shows of a record, None for one that it does not select."""
        if record is None:
            return None
        where = self.select.where
        if where is not None and not holds(where, record.item, self.values):
            return None
        return _columns(record.item, self.select.paths)

    def get(self, params: Params) -> Result:
        """The answer with the item of its key.

        Raises: ValidationException.
        """
        record = self.table.records.get(self.table.schema.exact_key(self.key() or {}))
        item = self.shown(record)
        result: Result = {"Items": [] if item is None else [item]}
        detail = capacity_detail(params)
        if detail != "NONE":
            consistent = flag(params, "ConsistentRead", default=False)
            units = read_units(record.size if record is not None else 0, consistent=consistent)
            result["ConsumedCapacity"] = Usage(self.select.table, "Read", units).shape(detail)
        return result

    def read(self, params: Params) -> Result:
        """One page of what it finds, with a NextToken when there may be more.

        Raises: ValidationException.
        """
        select = self.select
        view = self._view(params)
        bounds = ranges(select.where, view.key, self.values)
        self._check_order(view, bounds)
        if bounds is not None and view.index is not None:
            _check_filter(view.index, select)
        if self.key() is not None:
            return self.get(params)
        binding = _binding(self)
        start = _start(params, view, binding)
        where = None if select.where is None else Parsed(select.where, frozenset(), (), select.attributes, ())
        expressions = Expressions(Parts(filter=where), self.values)
        result = page(params, select.table, view, expressions, self._found(view, bounds, start))
        del result["Count"], result["ScannedCount"]
        result["Items"] = [_columns(item, select.paths) for item in result["Items"]]
        if "LastEvaluatedKey" in result:
            token = {"statement": binding, "key": result["LastEvaluatedKey"]}
            result["NextToken"] = base64.b64encode(json.dumps(token).encode()).decode()
        return result

    def _view(self, params: Params) -> View:
        name = self.select.index
        if name is None:
            return View(self.table, None, fetches=False)
        index = self.table.schema.indexes.get(name)
        if index is None:
            raise invalid("The table does not have the specified index")
        if index.kind == "global" and flag(params, "ConsistentRead", default=False):
            raise invalid("Strongly consistent read is not supported on Global Secondary Indexes")
        beyond = _unprojected(index, frozenset(str(path[0]) for path in self.select.paths or ()))
        if beyond and index.kind == "global":
            raise invalid_parameter(f"Global secondary index {name} does not project [{', '.join(beyond)}]")
        return View(self.table, index, fetches=bool(beyond))

    def _check_order(self, view: View, bounds: list[Range] | None) -> None:
        orders = self.select.orders
        if not orders:
            return
        if self.select.where is None:
            raise invalid("Must have WHERE clause in the statement when using ORDER BY clause.")
        if bounds is None:
            raise invalid(
                "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
            )
        names = [attribute.name for attribute in view.key.attributes]
        for order in orders:
            if order.name not in names:
                raise invalid(f"Variable reference {order.name} in ORDER BY clause must be part of the primary key")

    def _found(self, view: View, bounds: list[Range] | None, start: Key | None) -> Found:
        """The records in the order asked for, after the start."""
        if bounds is None:
            return view.records.between(() if start is None else (*start, TOP), (TOP,))
        directions = {order.name: order.ascending for order in self.select.orders}
        partition, sort = view.key.partition.name, view.key.sort
        forward = sort is None or directions.get(sort.name, True)
        if partition in directions:
            bounds = sorted(bounds, key=lambda bound: bound[0][1:2], reverse=not directions[partition])
        if len(bounds) > 1 and self.select.orders and self.select.orders[0].name != partition:
            return _merged(view, bounds, start, forward=forward)
        return _chained(view, bounds, start, forward=forward)


def _chained(view: View, bounds: list[Range], start: Key | None, *, forward: bool) -> Found:
    """One partition after the other."""
    if start is not None:
        while bounds and bounds[0][0][:2] != start[:2]:
            bounds = bounds[1:]
        if not bounds:
            raise _bad_token()
        (lower, upper), *rest = bounds
        bounds = [(max(lower, (*start, TOP)), upper) if forward else (lower, min(upper, start)), *rest]
    for lower, upper in bounds:
        yield from view.records.between(lower, upper, forward=forward)


def _merged(view: View, bounds: list[Range], start: Key | None, *, forward: bool) -> Iterator[tuple[Key, Record]]:
    """All partitions by their sort key."""

    def order(found: tuple[Key, Record]) -> Key:
        return _by_sort(found[0])

    runs = [view.records.between(lower, upper, forward=forward) for lower, upper in bounds]
    merged = heapq.merge(*runs, key=order, reverse=not forward)
    if start is None:
        return merged
    last = _by_sort(start)
    return dropwhile(lambda found: order(found) <= last if forward else order(found) >= last, merged)


def _by_sort(key: Key) -> Key:
    return (*key[2:], *key[:2])


def _columns(item: Item, paths: tuple[DocumentPath, ...] | None) -> Item:
    """The values at the paths, each under the last name of its path: `a.b[0]` is `b`."""
    if paths is None:
        return item
    found = ((_column(path), lookup(item, path)) for path in paths)
    return {name: value for name, value in found if value is not None}


def _column(path: DocumentPath) -> str:
    return next(step for step in reversed(path) if isinstance(step, str))


def _unprojected(index: IndexSchema, names: frozenset[str]) -> list[str]:
    return [] if index.projected is None else sorted(names - index.projected)


def _check_filter(index: IndexSchema, select: Select) -> None:
    beyond = _unprojected(index, select.attributes)
    if beyond:
        raise invalid_parameter(
            f"Secondary index {index.name} does not project one or more filter attributes: [{', '.join(beyond)}]"
        )


def _binding(selection: Selection) -> str:
    """What a token is good for: this statement with these values."""
    text = repr((selection.select, sorted(selection.values.items())))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _start(params: Params, view: View, binding: str) -> Key | None:
    token = params.get("NextToken")
    if token is None:
        return None
    try:
        content: Any = json.loads(base64.b64decode(str(token), validate=True))
        same = content["statement"] == binding
        key = content["key"]
    except (ValueError, TypeError, KeyError):
        raise _bad_token() from None
    if not same:
        raise _bad_token()
    return start_key({"ExclusiveStartKey": key}, view)


def _bad_token() -> AwsError:
    return invalid("The provided NextToken is invalid")

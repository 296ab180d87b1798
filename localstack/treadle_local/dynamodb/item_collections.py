"""Sizes of item collections: what a partition key value has in a table and its local indexes.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html#LSI.ItemCollections
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from treadle_local.aws.service import Params
from treadle_local.dynamodb.ordered import TOP, Key
from treadle_local.dynamodb.parameters import choice
from treadle_local.dynamodb.schema import key_value
from treadle_local.dynamodb.table import Table

_GIGABYTE = 1024**3


def wants_metrics(params: Params) -> bool:
    """Whether ReturnItemCollectionMetrics asks for sizes."""
    return choice(params, "ReturnItemCollectionMetrics", ("SIZE", "NONE"), "NONE") == "SIZE"


def metrics(table: Table, key: Key) -> dict[str, Any] | None:
    """The ItemCollectionMetrics shape of the collection of a written key; None for a table without local indexes.

    The bounds are whole gigabytes. Source: .../APIReference/API_ItemCollectionMetrics.html
    """
    stores = [index.records for index in table.indexes.values() if index.schema.kind == "local"]
    if not stores:
        return None
    start, end = key[:2], (*key[:2], TOP)
    size = sum(record.size for store in (table.records, *stores) for _, record in store.between(start, end))
    lower = size // _GIGABYTE
    partition = table.schema.key.partition
    return {
        "ItemCollectionKey": {partition.name: key_value(partition, key[1])},
        "SizeEstimateRangeGB": [float(lower), float(lower + 1)],
    }


def metrics_by_table(written: Iterable[tuple[str, Table, Key]]) -> dict[str, list[dict[str, Any]]]:
    """The metrics of each collection that was written to, once each, by the table's name as the caller gave it."""
    found: dict[str, dict[Key, dict[str, Any]]] = {}
    for named, table, key in written:
        shape = metrics(table, key)
        if shape is not None:
            found.setdefault(named, {}).setdefault(key[:2], shape)
    return {named: list(shapes.values()) for named, shapes in found.items()}

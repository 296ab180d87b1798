"""What is known of a table beside its items: plain values, changed by the table operations only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

AttributeType: TypeAlias = Literal["S", "N", "B"]
BillingMode: TypeAlias = Literal["PROVISIONED", "PAY_PER_REQUEST"]
KeyElements: TypeAlias = Sequence[Mapping[str, str]]
"""`[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]`"""


@dataclass(slots=True)
class Throughput:
    """Provisioned units a second; 0 for a table on demand. Times are in seconds since the epoch."""

    read_units: int = 0
    write_units: int = 0
    increased_at: float | None = None
    decreased_at: float | None = None


@dataclass(slots=True)
class IndexDefinition:
    """A secondary index; local ones have no throughput of their own."""

    name: str
    key_schema: KeyElements
    projection: Mapping[str, Any]
    throughput: Throughput = field(default_factory=Throughput)
    on_demand: Mapping[str, int] | None = None


@dataclass(slots=True)
class Recovery:
    """Point-in-time recovery as it was asked for; there is nothing to recover from."""

    enabled_at: float | None = None
    period_days: int = 35


@dataclass(slots=True)
class TableDefinition:
    """One table. `stream` is the StreamSpecification of a stream that is on, `latest_stream` the label of the last."""

    name: str
    arn: str
    id: str
    created_at: float
    attributes: dict[str, AttributeType]
    key_schema: KeyElements
    billing: BillingMode
    throughput: Throughput
    on_demand_since: float | None = None
    global_indexes: dict[str, IndexDefinition] = field(default_factory=dict[str, IndexDefinition])
    local_indexes: dict[str, IndexDefinition] = field(default_factory=dict[str, IndexDefinition])
    stream: Mapping[str, Any] | None = None
    latest_stream: str | None = None
    encryption: Mapping[str, Any] | None = None
    table_class: str | None = None
    on_demand: Mapping[str, int] | None = None
    deletion_protected: bool = False
    time_to_live: str | None = None
    recovery: Recovery = field(default_factory=Recovery)
    tags: dict[str, str] = field(default_factory=dict[str, str])

    def indexes(self) -> Iterator[IndexDefinition]:
        yield from self.local_indexes.values()
        yield from self.global_indexes.values()

    def key_names(self) -> frozenset[str]:
        """Every attribute that is a key of the table or of an index."""
        return key_names([self.key_schema, *(index.key_schema for index in self.indexes())])


def key_names(schemas: Iterable[KeyElements]) -> frozenset[str]:
    """The attributes of key schemas."""
    return frozenset(element["AttributeName"] for schema in schemas for element in schema)

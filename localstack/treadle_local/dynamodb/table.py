"""The store: every table's items and index entries, sorted by key and kept in step on each write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from treadle_local.dynamodb.ordered import TOP, Key, SortedKeys
from treadle_local.dynamodb.schema import IndexSchema, TableSchema, table_schema
from treadle_local.dynamodb.values import Item, item_size

EventName: TypeAlias = Literal["INSERT", "MODIFY", "REMOVE"]

# TTL spares items whose time is further past, taking it for a mistake.
# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
OLDEST_EXPIRY_SECONDS = 5 * 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Record:
    """A stored item, never changed in place, and its bytes."""

    item: Item
    size: int


# Told of each write that changes something: the event, the record before and after, whether its time to live was over.
ChangeHook: TypeAlias = Callable[[EventName, Record | None, Record | None, bool], None]

# Told of each write, before anybody else is: the record before and after.
StoredHook: TypeAlias = Callable[[Record | None, Record | None], None]


def record_of(item: Item) -> Record:
    return Record(item, item_size(item))


def record_after(before: Record, item: Item, changed: Iterable[str]) -> Record:
    """The record of `item`, which differs from `before` in the changed attributes only; measures no others."""
    old = {name: before.item[name] for name in changed if name in before.item}
    new = {name: item[name] for name in changed if name in item}
    return Record(item, before.size - item_size(old) + item_size(new))


class Records:
    """Records by key, in key order."""

    __slots__ = ("_by_key", "_keys")

    def __init__(self) -> None:
        self._by_key: dict[Key, Record] = {}
        self._keys = SortedKeys()

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: Key) -> Record | None:
        return self._by_key.get(key)

    def put(self, key: Key, record: Record) -> None:
        if key not in self._by_key:
            self._keys.add(key)
        self._by_key[key] = record

    def remove(self, key: Key) -> None:
        """Removes a key that is there."""
        del self._by_key[key]
        self._keys.remove(key)

    def between(self, lower: Key, upper: Key, *, forward: bool = True) -> Iterator[tuple[Key, Record]]:
        """The records from `lower` to before `upper`, or those backward. Nothing may be written meanwhile."""
        by_key = self._by_key
        for key in self._keys.between(lower, upper, forward=forward):
            yield key, by_key[key]


class SecondaryIndex:
    """The projections of those items that have the index's key attributes."""

    __slots__ = ("records", "schema", "size_bytes")

    def __init__(self, schema: IndexSchema) -> None:
        self.schema = schema
        self.records = Records()
        self.size_bytes = 0

    def key_of(self, key: Key, record: Record | None) -> Key | None:
        """The index key of the table's record at `key`, None when it has no place here."""
        if record is None or not self.schema.key.has(record.item):
            return None
        return self.schema.key.key_of(record.item) + key[1:]

    def projection(self, record: Record) -> Record:
        """What the index keeps of the record."""
        projected = self.schema.projected
        if projected is None:
            return record
        return record_of({name: value for name, value in record.item.items() if name in projected})

    def replace(self, key: Key, old: Record | None, new: Record | None) -> None:
        old_key, new_key = self.key_of(key, old), self.key_of(key, new)
        if old_key is not None:
            present = self.records.get(old_key)
            self.size_bytes -= present.size if present is not None else 0
            if old_key != new_key:
                self.records.remove(old_key)
        if new_key is not None and new is not None:
            projection = self.projection(new)
            self.size_bytes += projection.size
            self.records.put(new_key, projection)


class Table:
    """One table. Its writes are the only place where anything stored changes."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.schema: TableSchema = table_schema(description)
        self.records = Records()
        self.indexes: dict[str, SecondaryIndex] = {
            name: SecondaryIndex(schema) for name, schema in self.schema.indexes.items()
        }
        self.size_bytes = 0
        self.on_change: ChangeHook | None = None
        self.on_stored: StoredHook | None = None
        self._expiry_attribute: str | None = None
        self._expiries = SortedKeys()  # (seconds since the epoch, *key)

    def replace(self, key: Key, old: Record | None, new: Record | None, *, expired: bool = False) -> None:
        """Stores `new` at the key in place of `old`, the record that is there now; None for no record."""
        if new is not None:
            self.records.put(key, new)
            self.size_bytes += new.size
        elif old is not None:
            self.records.remove(key)
        if old is not None:
            self.size_bytes -= old.size
        for index in self.indexes.values():
            index.replace(key, old, new)
        if self._expiry_attribute is not None:
            self._replace_expiry(key, old, new)
        if self.on_stored is not None:
            self.on_stored(old, new)
        if self.on_change is not None:
            _tell(self.on_change, old, new, expired)

    def update_schema(self, description: Mapping[str, Any]) -> None:
        """Takes over the indexes of the description: new ones are filled, absent ones dropped."""
        self.schema = table_schema(description)
        kept = self.indexes
        self.indexes = {}
        for name, schema in self.schema.indexes.items():
            present = kept.get(name)
            self.indexes[name] = present if present is not None and present.schema == schema else self._filled(schema)

    @property
    def expires(self) -> bool:
        """Whether the table has a time-to-live attribute."""
        return self._expiry_attribute is not None

    def expire_by(self, attribute: str | None) -> None:
        """Makes `attribute` the time after which an item is deleted; None for no expiry."""
        self._expiry_attribute = attribute
        self._expiries = SortedKeys()
        if attribute is not None:
            for key, record in self.records.between((), (TOP,)):
                self._replace_expiry(key, None, record)

    def delete_expired(self, now: float) -> int:
        """Deletes the items whose time is past and returns how many those were."""
        moment = Decimal(now)
        due = list(self._expiries.between((moment - OLDEST_EXPIRY_SECONDS,), (moment,)))
        for _, *key in due:
            self.replace(tuple(key), self.records.get(tuple(key)), None, expired=True)
        return len(due)

    def _filled(self, schema: IndexSchema) -> SecondaryIndex:
        index = SecondaryIndex(schema)
        for key, record in self.records.between((), (TOP,)):
            index.replace(key, None, record)
        return index

    def _expiry(self, record: Record | None) -> Decimal | None:
        if record is None or self._expiry_attribute is None:
            return None
        value = record.item.get(self._expiry_attribute)
        return None if value is None or "N" not in value else Decimal(value["N"])

    def _replace_expiry(self, key: Key, old: Record | None, new: Record | None) -> None:
        before, after = self._expiry(old), self._expiry(new)
        if before == after:
            return
        if before is not None:
            self._expiries.remove((before, *key))
        if after is not None:
            self._expiries.add((after, *key))


def _tell(hook: ChangeHook, old: Record | None, new: Record | None, expired: bool) -> None:
    if old is None:
        hook("INSERT", None, new, expired)
    elif new is None:
        hook("REMOVE", old, None, expired)
    elif old.item != new.item:
        hook("MODIFY", old, new, expired)

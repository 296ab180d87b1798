"""A table of values by group and key: what state and streams have in common. Reads are strongly consistent.

A step that starts milliseconds after a write must see it.
"""

from __future__ import annotations

import time

from treadle.aws import dynamodb
from treadle.aws.expressions import Expressions
from treadle.errors import InvalidValue
from treadle.record import count
from treadle.values import ITEM_BYTES_LIMIT, decode, encode, value_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from treadle.record import Counts
    from treadle.resources import Resources
    from treadle.shapes import AttributeValue, Json

Item = dict[str, "AttributeValue"]
KEY_BYTES_LIMIT = {"group": 2048, "key": 1024}
"""Partition and sort key. Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""
_TTL_BYTES = len("ttl") + 6


class Table:
    """Operations on one table; each one is counted in `counts`, the invocation record's."""

    __slots__ = ("_counts", "_key", "_resources", "name")

    first_key: str | None = None
    """What the keys begin with that are values: those below are something else."""

    def __init__(self, resources: Resources, name: str, key: str, counts: Counts) -> None:
        self._resources = resources
        self.name = name
        self._key = key
        self._counts = counts

    def encoded(
        self, group: str, key: str, value: object, root: str, *, expires: bool = False
    ) -> tuple[AttributeValue, int]:
        """`value` ready to be stored, and the bytes of its item.

        Raises: InvalidValue, also where the item would be larger than a table takes.
        """
        attribute = encode(value, root)
        size = _item_bytes(group, key, self._key, attribute) + self.extra_bytes() + (_TTL_BYTES if expires else 0)
        if size > ITEM_BYTES_LIMIT:
            raise InvalidValue(f"makes an item of {size:,} bytes; a table takes {ITEM_BYTES_LIMIT:,} (400 KB)").within(
                root
            )
        return attribute, size

    def extra_bytes(self) -> int:
        """The bytes of attributes that every item has beside its key, its value and its version."""
        return 0

    def get(self, group: str, key: str) -> Item | None:
        """The item, None where there is none or it has expired."""
        item, units = self.read(group, key)
        self.count("get", read_units=units)
        return None if item is None or has_expired(item, time.time()) else item

    def read(self, group: str, key: str) -> tuple[Item | None, float]:
        """The item as it stands in the table, expired or not, and the read units; not counted."""
        answer = dynamodb.get_item(self._resources.client, self.name, self.item_key(group, key))
        return answer.get("Item"), dynamodb.consumed_units(answer)

    def write(
        self, group: str, key: str, expressions: Expressions, returns: Literal["NONE", "ALL_OLD"] = "NONE"
    ) -> dict[str, Any]:
        """The answer to one update of an item; not counted.

        Raises: ConditionFailed.
        """
        return dynamodb.update_item(self._resources.client, self.name, self.item_key(group, key), expressions, returns)

    def set(self, group: str, key: str, expressions: Expressions) -> None:
        """Writes what `value_written` has put together, and counts it.

        Raises: ConditionFailed.
        """
        answer = self.write(group, key, expressions)
        self.count("set", write_units=dynamodb.consumed_units(answer))

    def delete(self, group: str, key: str, condition: Expressions | None = None) -> Item | None:
        """Deletes an item and returns what it was, None where there was none or it had expired.

        Raises: ConditionFailed.
        """
        answer = self.remove(self.item_key(group, key), condition)
        self.count("delete", write_units=dynamodb.consumed_units(answer))
        item: Item | None = answer.get("Attributes")
        return None if not item or has_expired(item, time.time()) else item

    def remove(self, key: Item, condition: Expressions | None = None) -> dict[str, Any]:
        """The answer to one deletion, with the old item as `Attributes`; not counted.

        Raises: ConditionFailed.
        """
        return dynamodb.delete_item(self._resources.client, self.name, key, condition)

    def get_group(self, group: str) -> list[Item]:
        """The items of a group that have not expired, in the order of their keys."""
        items, units = self._query(group)
        self.count("get_group", read_units=units)
        now = time.time()
        return [item for item in items if not has_expired(item, now)]

    def clear(self, group: str) -> None:
        """Deletes all items of a group that are there when it is called."""
        keys, read_units = self._query(group, only=("group", self._key))
        write_units = sum(dynamodb.consumed_units(self.remove(key)) for key in keys)
        self.count("clear", read_units=read_units, write_units=write_units)

    def list_groups(self) -> list[str]:
        """The groups that have an item, sorted. It reads the whole table."""
        items, units = dynamodb.scan_all(self._resources.client, self.name, ("group", self._key, "ttl"))
        self.count("list_groups", read_units=units)
        now = time.time()
        first = self.first_key or ""
        return sorted(
            {item["group"]["S"] for item in items if item[self._key]["S"] >= first and not has_expired(item, now)}
        )

    def count(self, operation: str, *, read_units: float = 0.0, write_units: float = 0.0) -> None:
        """Notes an operation in the invocation record."""
        count(self._counts, operation, read_units=read_units, write_units=write_units)

    def item_key(self, group: str, key: str) -> Item:
        return {"group": {"S": group}, self._key: {"S": key}}

    def _query(self, group: str, only: tuple[str, ...] = ()) -> tuple[list[Item], float]:
        least = None if self.first_key is None else (self._key, self.first_key)
        return dynamodb.query_all(self._resources.client, self.name, "group", {"S": group}, only, least)


def value_written(
    value: AttributeValue, ttl_seconds: float | None = None, expressions: Expressions | None = None
) -> Expressions:
    """The expressions that store a value, let it expire where `ttl_seconds` is given, and do what `expressions` do."""
    expressions = expressions or Expressions()
    expressions.assign("value", value)
    if ttl_seconds is None:
        expressions.remove(expressions.name("ttl"))
    else:
        from treadle.expiry import expiry

        expressions.assign("ttl", expiry(ttl_seconds))
    expressions.add_one("version")
    return expressions


def value_of(item: Item) -> Json:
    """The JSON value that an item holds."""
    return decode(item["value"])


def has_expired(item: Item, now_seconds: float) -> bool:
    """True where an item's time to live is over: DynamoDB deletes such items late, up to days.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
    """
    ttl = item.get("ttl")
    return ttl is not None and float(ttl.get("N", "inf")) <= now_seconds


def key_text(method: str, name: str, value: object, limit_bytes: int) -> str:
    """`value` as a group or a key: a text, or a whole number turned into one.

    Raises: TypeError, ValueError, which name the method and the argument.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, str):
        raise TypeError(f"{method}: `{name}` must be a text, not {type(value).__qualname__}")
    text = str.__str__(value)
    if not text:
        raise ValueError(f"{method}: `{name}` must not be empty")
    if len(text) * 4 > limit_bytes and len(text.encode("utf-8", "replace")) > limit_bytes:
        raise ValueError(f"{method}: `{name}` is longer than {limit_bytes} bytes")
    return text


def _item_bytes(group: str, key: str, key_name: str, value: AttributeValue) -> int:
    names = len("group") + len(key_name) + len("value") + len("version")
    version = value_bytes({"N": "1"})
    return (
        names
        + len(group.encode("utf-8", "replace"))
        + len(key.encode("utf-8", "replace"))
        + value_bytes(value)
        + version
    )

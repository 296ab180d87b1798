"""A table of values by group and key: what state and streams have in common. Reads are strongly consistent.

A step that starts milliseconds after a write must see it.
"""

from __future__ import annotations

from treadle.aws import dynamodb
from treadle.errors import InvalidValue
from treadle.record import count
from treadle.values import ITEM_BYTES_LIMIT, decode, encode, value_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.record import Counts
    from treadle.resources import Resources
    from treadle.shapes import AttributeValue, Json

Item = dict[str, "AttributeValue"]
KEY_BYTES_LIMIT = {"group": 2048, "key": 1024}
"""Partition and sort key. Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


class Table:
    """Operations on one table; each one is counted in `counts`, the invocation record's."""

    __slots__ = ("_counts", "_key", "_name", "_resources")

    def __init__(self, resources: Resources, name: str, key: str, counts: Counts) -> None:
        self._resources = resources
        self._name = name
        self._key = key
        self._counts = counts

    def encoded(self, group: str, key: str, value: object, root: str) -> AttributeValue:
        """`value` ready to be stored.

        Raises: InvalidValue, also where the item would be larger than a table takes.
        """
        attribute = encode(value, root)
        size = _item_bytes(group, key, self._key, attribute)
        if size > ITEM_BYTES_LIMIT:
            raise InvalidValue(f"makes an item of {size:,} bytes; a table takes {ITEM_BYTES_LIMIT:,} (400 KB)").within(
                root
            )
        return attribute

    def get(self, group: str, key: str) -> Item | None:
        answer = dynamodb.get_item(self._resources.client, self._name, self._item_key(group, key))
        count(self._counts, "get", read_units=dynamodb.consumed_units(answer))
        return answer.get("Item")

    def set(self, group: str, key: str, value: AttributeValue) -> None:
        answer = dynamodb.update_item(
            self._resources.client,
            self._name,
            self._item_key(group, key),
            "SET #value = :value REMOVE #ttl ADD #version :one",
            {"#value": "value", "#ttl": "ttl", "#version": "version"},
            {":value": value, ":one": {"N": "1"}},
        )
        count(self._counts, "set", write_units=dynamodb.consumed_units(answer))

    def delete(self, group: str, key: str) -> Item | None:
        """Deletes an item and returns what it was."""
        answer = dynamodb.delete_item(self._resources.client, self._name, self._item_key(group, key))
        count(self._counts, "delete", write_units=dynamodb.consumed_units(answer))
        return answer.get("Attributes") or None

    def get_group(self, group: str) -> list[Item]:
        """All items of a group, in the order of their keys."""
        items, units = dynamodb.query_all(self._resources.client, self._name, "group", {"S": group})
        count(self._counts, "get_group", read_units=units)
        return items

    def clear(self, group: str) -> None:
        """Deletes all items of a group that are there when it is called."""
        client = self._resources.client
        keys, read_units = dynamodb.query_all(client, self._name, "group", {"S": group}, only=("group", self._key))
        answers = [dynamodb.delete_item(client, self._name, key) for key in keys]
        write_units = sum(map(dynamodb.consumed_units, answers))
        count(self._counts, "clear", read_units=read_units, write_units=write_units)

    def _item_key(self, group: str, key: str) -> Item:
        return {"group": {"S": group}, self._key: {"S": key}}


def value_of(item: Item) -> Json:
    """The JSON value that an item holds."""
    return decode(item["value"])


def has_expired(item: Item, now_seconds: float) -> bool:
    """True where an item's time to live is over: DynamoDB deletes such items late, up to days.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
    """
    ttl = item.get("ttl")
    return ttl is not None and float(ttl.get("N", "inf")) <= now_seconds


def key_text(name: str, value: object, limit_bytes: int) -> str:
    """`value` as a group or a key: a text, or a whole number turned into one.

    Raises: TypeError, ValueError, which name the argument.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a text, not {type(value).__qualname__}")
    text = str.__str__(value)
    if not text:
        raise ValueError(f"`{name}` must not be empty")
    if len(text) * 4 > limit_bytes and len(text.encode("utf-8", "replace")) > limit_bytes:
        raise ValueError(f"`{name}` is longer than {limit_bytes} bytes")
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

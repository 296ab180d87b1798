"""The shape of a table: its keys and indexes, and how items become the tuples by which they are found.

An entry's key is `(hash, partition value[, sort value])`, and in an index that followed by the same of the table. The
hash spreads partitions over a scan's order and its segments, as DynamoDB's own does.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

from treadle_local.dynamodb.errors import invalid, invalid_parameter
from treadle_local.dynamodb.numbers import number_text
from treadle_local.dynamodb.ordered import Key
from treadle_local.dynamodb.values import Item, Value, binary_length, binary_text, comparable, type_of

HASH_SPACE = 1 << 32

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
MAXIMUM_PARTITION_BYTES = 2048
MAXIMUM_SORT_BYTES = 1024
_MAXIMUM_BYTES = (MAXIMUM_PARTITION_BYTES, MAXIMUM_SORT_BYTES)


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    name: str
    type: Literal["S", "N", "B"]


@dataclass(frozen=True, slots=True)
class KeySchema:
    partition: KeyAttribute
    sort: KeyAttribute | None = None

    @property
    def attributes(self) -> tuple[KeyAttribute, ...]:
        return (self.partition,) if self.sort is None else (self.partition, self.sort)

    def key_of(self, item: Item) -> Key:
        """The tuple of an item that has these attributes, of their types."""
        value = item[self.partition.name]
        content: str = value[self.partition.type]
        hashed = crc32(content.encode("utf-8", "surrogatepass"))
        partition = content if self.partition.type == "S" else comparable(value)
        if self.sort is None:
            return (hashed, partition)
        return (hashed, partition, comparable(item[self.sort.name]))

    def has(self, item: Item) -> bool:
        """Whether the item has these attributes, of their types and not empty."""
        value = item.get(self.partition.name)
        if value is None or not value.get(self.partition.type):
            return False
        if self.sort is None:
            return True
        value = item.get(self.sort.name)
        return value is not None and bool(value.get(self.sort.type))


@dataclass(frozen=True, slots=True)
class IndexSchema:
    """A secondary index; `projected` is None when it keeps every attribute."""

    name: str
    kind: Literal["global", "local"]
    key: KeySchema
    projected: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class TableSchema:
    name: str
    arn: str
    key: KeySchema
    indexes: Mapping[str, IndexSchema]
    key_names: frozenset[str]

    def written_key(self, item: Item) -> Key:
        """The key of an item about to be put.

        Raises: ValidationException when a key attribute is missing, of the wrong type, empty or too long.
        """
        for key in self.key.attributes:
            value = item.get(key.name)
            if value is None:
                raise invalid_parameter(f"Missing the key {key.name} in the item")
            if key.type not in value:
                raise invalid_parameter(
                    f"Type mismatch for key {key.name} expected: {key.type} actual: {type_of(value)}"
                )
        self._check_key_sizes(item)
        return self.key.key_of(item)

    def exact_key(self, key: Item) -> Key:
        """The key named by a request's Key member.

        Raises: ValidationException when its attributes or their types are not the schema's.
        """
        attributes = self.key.attributes
        if len(key) != len(attributes) or not all(part.type in key.get(part.name, ()) for part in attributes):
            raise invalid("The provided key element does not match the schema")
        self._check_key_sizes(key)
        return self.key.key_of(key)

    def check_index_keys(self, item: Item, old: Item | None = None) -> None:
        """Passes when every index key attribute that is there and new has the index's type and content.

        Raises: ValidationException.
        """
        for index in self.indexes.values():
            for key, maximum in zip(index.key.attributes, _MAXIMUM_BYTES, strict=False):
                value = item.get(key.name)
                if value is None or (old is not None and old.get(key.name) is value):
                    continue
                if key.type not in value:
                    raise invalid_parameter(
                        f"Type mismatch for Index Key {key.name} Expected: {key.type} Actual: {type_of(value)} "
                        f"IndexName: {index.name}"
                    )
                if value[key.type] == "":
                    raise invalid(
                        "One or more parameter values are not valid. A value specified for a secondary index key is "
                        "not supported. The AttributeValue for a key attribute cannot contain an empty "
                        f"{_kind(key)} value. IndexName: {index.name}, IndexKey: {key.name}"
                    )
                _check_size(key, value, maximum)

    def key_item(self, item: Item, index: IndexSchema | None = None) -> Item:
        """The item's key attributes, with those of the index if one is given."""
        keys = self.key.attributes if index is None else self.key.attributes + index.key.attributes
        return {key.name: item[key.name] for key in keys}

    def _check_key_sizes(self, item: Item) -> None:
        for key, maximum in zip(self.key.attributes, _MAXIMUM_BYTES, strict=False):
            value = item[key.name]
            if not value[key.type]:
                raise invalid(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
                    f"an empty {_kind(key)} value. Key: {key.name}"
                )
            _check_size(key, value, maximum)


def _check_size(key: KeyAttribute, value: Value, maximum: int) -> None:
    content: str = value[key.type]
    if key.type == "N" or len(content) * 4 <= maximum:
        return
    size = binary_length(content) if key.type == "B" else len(content.encode("utf-8", "surrogatepass"))
    if size > maximum:
        raise invalid_parameter(
            f"Size of hashkey has exceeded the maximum size limit of{maximum} bytes"
            if maximum == MAXIMUM_PARTITION_BYTES
            else f"Aggregated size of all range keys has exceeded the size limit of {maximum} bytes"
        )


def table_schema(description: Mapping[str, Any]) -> TableSchema:
    """The schema in a TableDescription.

    Raises: ValidationException for an index over several attributes, which is not built here.
    """
    types: dict[str, Literal["S", "N", "B"]] = {
        definition["AttributeName"]: definition["AttributeType"] for definition in description["AttributeDefinitions"]
    }
    key = _key_schema(description["KeySchema"], types)
    indexes: dict[str, IndexSchema] = {}
    kinds: tuple[tuple[Literal["global", "local"], str], ...] = (
        ("global", "GlobalSecondaryIndexes"),
        ("local", "LocalSecondaryIndexes"),
    )
    for kind, member in kinds:
        for index in description.get(member) or ():
            index_key = _key_schema(index["KeySchema"], types)
            name: str = index["IndexName"]
            indexes[name] = IndexSchema(name, kind, index_key, _projected(index["Projection"], key, index_key))
    names = frozenset(attribute.name for attribute in key.attributes)
    return TableSchema(description["TableName"], description["TableArn"], key, indexes, names)


def _key_schema(elements: list[Mapping[str, str]], types: Mapping[str, Literal["S", "N", "B"]]) -> KeySchema:
    partition = [element["AttributeName"] for element in elements if element["KeyType"] == "HASH"]
    sort = [element["AttributeName"] for element in elements if element["KeyType"] == "RANGE"]
    if len(partition) != 1 or len(sort) > 1:
        raise invalid("Keys of several partition or sort attributes are not built in the local DynamoDB")
    attributes = [KeyAttribute(name, types[name]) for name in partition + sort]
    return KeySchema(*attributes)


def _projected(projection: Mapping[str, Any], key: KeySchema, index_key: KeySchema) -> frozenset[str] | None:
    if projection.get("ProjectionType", "ALL") == "ALL":
        return None
    keys = (attribute.name for attribute in key.attributes + index_key.attributes)
    return frozenset((*keys, *(projection.get("NonKeyAttributes") or ())))


def _kind(key: KeyAttribute) -> str:
    return "binary" if key.type == "B" else "string"


def key_value(key: KeyAttribute, content: Any) -> Value:
    """The value whose content a key tuple has."""
    match key.type:
        case "S":
            return {"S": content}
        case "N":
            return {"N": number_text(content)}
        case "B":
            return {"B": binary_text(content)}


def key_text(value: Value) -> str:
    """A key value as IAM's condition keys show it."""
    ((kind, content),) = value.items()
    if kind == "B":
        return base64.b64decode(content).decode("latin-1")
    text: str = content
    return text

"""Fixtures of DynamoDB's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.dev import Dev
from support.dynamodb import GLOBAL_INDEX, INDEXED_ATTRIBUTES, LOCAL_INDEX, create, key, number, put


@pytest.fixture
def db(emulator: Dev) -> Any:
    return emulator.client("dynamodb")


@pytest.fixture
def table(db: Any) -> Iterator[str]:
    """A table with a text partition key `pk` and a text sort key `sk`."""
    name = create(db, {"pk": "S", "sk": "S"})
    yield name
    db.delete_table(TableName=name)


@pytest.fixture
def indexed(db: Any) -> Iterator[str]:
    """As `table`, with a global and a local index."""
    name = create(db, INDEXED_ATTRIBUTES, GlobalSecondaryIndexes=[GLOBAL_INDEX], LocalSecondaryIndexes=[LOCAL_INDEX])
    yield name
    db.delete_table(TableName=name)


@pytest.fixture
def ten(db: Any, table: str) -> str:
    """`table` with ten items in group a and five in group b, put out of order."""
    for number_ in (3, 7, 1, 9, 0, 5, 2, 8, 4, 6):
        put(db, table, {**key("a", f"s{number_}"), "n": number(number_)})
    for number_ in range(5):
        put(db, table, key("b", f"s{number_}"))
    return table

"""Tables whose items outlive the emulator: written down with each write, and back when the table is made again."""

from __future__ import annotations

import json
from typing import Any

from treadle_local.dynamodb.schema import KeySchema
from treadle_local.dynamodb.service import DynamoDbItems
from treadle_local.dynamodb.table import Record, Table, record_of
from treadle_local.dynamodb.values import Item
from treadle_local.persist.journal import Journal, Notice
from treadle_local.persist.rollbacks import TABLE, Rollbacks


class KeptTables:
    """Watches the tables of a store. Items are rows by table and key; a table that is deleted takes its rows along.

    Items whose table does not come back stay: a step that is left out for a while must not cost its state, and neither
    must a deployment that fails and is rolled back.
    """

    def __init__(self, journal: Journal, items: DynamoDbItems, rollbacks: Rollbacks, notice: Notice) -> None:
        self._journal = journal
        self._rollbacks = rollbacks
        self._returned: set[str] = set()
        self._notice = notice
        items.keeper = self
        items.transactions.keeper = self
        for token, done in sorted(journal.rows("transaction", ""), key=lambda row: row[1]["until"]):
            items.transactions.remember(token, done)

    def opened(self, name: str, table: Table) -> None:
        """Fills a new table with what was kept of it, and keeps what is written from now on."""
        keys = _keys_of(table.schema.key)
        for _, kept in self._journal.rows("table", name):
            self._returned.add(name)
            if kept != keys:
                self._notice(name, f"its items are kept, but not used: their keys were {kept}, and are now {keys}")
                self._journal.rename("item", name, f"{name} {json.dumps(kept)}")
        self._journal.put("table", name, "", keys)
        for _, item in self._journal.rows("item", name):
            table.replace(table.schema.key.key_of(item), None, record_of(item))
        table.on_stored = lambda old, new: self._stored(name, table.schema.key, old, new)

    def deleted(self, name: str, table: Table) -> None:
        """Forgets the table with its items, but where it had come back and the deployment that made it failed."""
        table.on_stored = None
        if name in self._returned and self._rollbacks.delete(TABLE, name):
            return
        self._returned.discard(name)
        self._journal.drop_all("item", name)
        self._journal.drop_all("table", name)

    def committed(self, token: str, done: Any) -> None:
        """Notes a transaction that was done under a client's token."""
        self._journal.put("transaction", "", token, done)

    def expired(self, token: str) -> None:
        """Forgets a token whose ten minutes are over."""
        self._journal.drop("transaction", "", token)

    def _stored(self, name: str, schema: KeySchema, old: Record | None, new: Record | None) -> None:
        if new is not None:
            self._journal.put("item", name, _row_key(schema, new.item), new.item)
        elif old is not None:
            self._journal.drop("item", name, _row_key(schema, old.item))


def _keys_of(schema: KeySchema) -> list[list[str]]:
    return [[attribute.name, attribute.type] for attribute in schema.attributes]


def _row_key(schema: KeySchema, item: Item) -> str:
    """The key attributes of an item as text."""
    return json.dumps([item[attribute.name] for attribute in schema.attributes], separators=(",", ":"))

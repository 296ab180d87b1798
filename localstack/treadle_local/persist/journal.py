"""What outlives the emulator (`--persist`): rows in one SQLite file, written before the answer that tells of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

from treadle_infra.app.findings import TreadleError
from treadle_local.aws.errors import AwsError

FORMAT = 1

Kind: TypeAlias = Literal[
    "call", "clock", "item", "message", "move task", "queue", "seen message", "table", "transaction"
]

Notice: TypeAlias = Callable[[str, str], None]
"""Is told what somebody should know of a table or a queue: its name, and the text."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    kind TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, owner, key)
) WITHOUT ROWID
"""
_DROP_OLDER = "DELETE FROM rows WHERE kind = ? AND owner = ? AND json_extract(value, '$.at') < ?"
_PUT = "INSERT INTO rows VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"


class Journal:
    """Rows by kind, owner (a table, a queue) and key; values are JSON values.

    Changes are gathered and written by `commit`, all or none: a unit is whatever one operation does. What could not
    be written (the disk is full) is owed: each later `commit` tries it first, so that nobody is answered until it is
    there, and neither is who repeats a call that is done by then. The operating system has written units, so that they
    survive the death of this process, but not that of the machine: nothing is flushed to the disk, which would cost a
    hundred times as much.
    """

    def __init__(self, file: Path, when_open: Callable[[Callable[[], None]], object]) -> None:
        """`when_open` is given at the first change of each unit what commits it, to call it soon at the latest.

        Raises: TreadleError `data-unreadable`.
        """
        self._when_open = when_open
        self._unwritten: list[tuple[str, tuple[str | float, ...]]] = []
        self._open = False
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(file, isolation_level=None)
            self._prepare()
        except sqlite3.DatabaseError as problem:
            raise _unreadable(file, str(problem)) from None
        found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found != FORMAT:
            self._database.close()
            raise _unreadable(file, f"its format is {found}; this version of Treadle reads {FORMAT}")

    def _prepare(self) -> None:
        database = self._database
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            database.execute(f"PRAGMA user_version = {FORMAT}")
        database.execute(_SCHEMA)

    def put(self, kind: Kind, owner: str, key: str, value: Any) -> None:
        """Writes a row, in place of the one that is there."""
        self._change(_PUT, kind, owner, key, json.dumps(value, separators=(",", ":")))

    def drop(self, kind: Kind, owner: str, key: str) -> None:
        """Removes a row; one that is not there is no error."""
        self._change("DELETE FROM rows WHERE kind = ? AND owner = ? AND key = ?", kind, owner, key)

    def drop_all(self, kind: Kind, owner: str) -> None:
        """Removes all rows of an owner."""
        self._change("DELETE FROM rows WHERE kind = ? AND owner = ?", kind, owner)

    def drop_older(self, kind: Kind, owner: str, moment: float) -> None:
        """Removes the rows of an owner whose member `at` is before a moment, in seconds since the epoch."""
        self._change(_DROP_OLDER, kind, owner, moment)

    def rename(self, kind: Kind, owner: str, new_owner: str) -> None:
        """Gives the rows of an owner to another, whose rows of the same keys they replace."""
        self._change("UPDATE OR REPLACE rows SET owner = ? WHERE kind = ? AND owner = ?", new_owner, kind, owner)

    def rows(self, kind: Kind, owner: str) -> Iterator[tuple[str, Any]]:
        """The rows of an owner, in the order of their keys."""
        found = self._database.execute("SELECT key, value FROM rows WHERE kind = ? AND owner = ?", (kind, owner))
        for key, value in found.fetchall():
            yield key, json.loads(value)

    def owners(self, kind: Kind) -> list[str]:
        """Who has rows of a kind."""
        found = self._database.execute("SELECT DISTINCT owner FROM rows WHERE kind = ?", (kind,))
        return [owner for (owner,) in found.fetchall()]

    def _change(self, statement: str, *values: str | float) -> None:
        """Makes the change in the database where nothing is owed; a commit does what cannot be done now."""
        if not self._unwritten:
            self._when_open(self._commit_soon)
            self._begin()
        self._unwritten.append((statement, values))
        if self._open:
            try:
                self._database.execute(statement, values)
            except sqlite3.Error:
                self._roll_back()

    def _begin(self) -> None:
        with suppress(sqlite3.Error):
            self._database.execute("BEGIN")
            self._open = True

    def _roll_back(self) -> None:
        self._open = False
        if self._database.in_transaction:  # some failures have ended it themselves
            self._database.execute("ROLLBACK")

    def _commit_soon(self) -> None:
        with suppress(AwsError):  # it is owed; whoever is to be answered next is told
            self.commit()

    def commit(self) -> None:
        """Writes the unit that is open, if one is, and what is owed.

        Raises: AwsError InternalFailure where it cannot be written (the disk is full): nobody may be told of it then.
        """
        if not self._unwritten:
            return
        try:
            if not self._open:
                self._database.execute("BEGIN")
                for statement, values in self._unwritten:
                    self._database.execute(statement, values)
            self._database.execute("COMMIT")
        except sqlite3.Error as problem:
            self._roll_back()
            text = f"what --persist keeps could not be written: {problem}"
            raise AwsError("InternalFailure", text, status=500) from None
        self._open = False
        self._unwritten.clear()

    def close(self) -> None:
        self.commit()
        self._database.close()


def _unreadable(file: Path, reason: str) -> TreadleError:
    return TreadleError(
        "data-unreadable",
        f"the data that `--persist` keeps cannot be read: {file}: {reason}",
        hint="move the folder away, or delete it to start with nothing",
    )

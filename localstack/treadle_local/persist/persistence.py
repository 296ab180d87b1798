"""`treadle dev --persist` put together: one journal, and who writes into it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from treadle_local.aws.service import Params
from treadle_local.dynamodb.service import DynamoDbItems
from treadle_local.persist.calls import Call, RememberedCalls
from treadle_local.persist.journal import Journal, Notice
from treadle_local.persist.queues import KeptQueues
from treadle_local.persist.rollbacks import Rollbacks
from treadle_local.persist.tables import KeptTables
from treadle_local.sqs.service import Sqs

DATA_FILE = "emulator.sqlite"
_STACK_TAG = "aws:cloudformation:stack-name"

FindTags = Callable[[str, str], Mapping[str, str]]


class Persistence:
    """What outlives the emulator: tables with their items, queues with their messages, the time of a manual clock."""

    def __init__(self, folder: Path, notice: Notice) -> None:
        """Opens the data in `folder`, made where it is missing. Raises: TreadleError `data-unreadable`."""
        self._journal = Journal(folder / DATA_FILE, asyncio.get_running_loop().call_soon)
        self._notice = notice
        self._calls: RememberedCalls | None = None
        self.rollbacks = Rollbacks()

    def clock(self) -> float | None:
        """What a manual clock showed last, in seconds since the epoch; None at the first time."""
        return next((now for _, now in self._journal.rows("clock", "")), None)

    def keep_clock(self, now: float) -> None:
        self._journal.put("clock", "", "", now)

    async def attach(self, items: DynamoDbItems, sqs: Sqs, tags: FindTags, call: Call) -> None:
        """Keeps what the services hold from now on, and makes the tables and queues again that no stack makes.

        Call it before the services have anything, and before anybody may call them. `tags` finds the tags of a
        service's resource, which tell whether a stack has made it.
        """
        KeptTables(self._journal, items, self.rollbacks, self._notice)
        sqs.on_queue(KeptQueues(self._journal, self.rollbacks, sqs.restore_move).opened)
        calls = RememberedCalls(
            self._journal, lambda service, name: _STACK_TAG in tags(service, name), sqs.calls_that_make, self._notice
        )
        await calls.replay(call)
        self._calls = calls

    def after(self, service: str, operation: str, params: Params) -> None:
        """Notes a call from outside that has succeeded."""
        if self._calls is not None:
            self._calls.after(service, operation, params)

    def settle(self) -> None:
        """Writes what has changed; called before anybody is told of it."""
        self._journal.commit()

    def close(self) -> None:
        self._journal.close()

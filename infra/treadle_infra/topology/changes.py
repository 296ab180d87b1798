"""What hands changes of state and streams on to the steps that have triggers on them.

One function reads the change streams of all tables concerned, not one for each step: a change stream serves two
readers, and the announcements to clients are the other.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

from collections.abc import Iterator

from treadle.names import CHANGES, Names
from treadle_infra.app.model import App
from treadle_infra.topology.grants import changes_grants, triggering_tables
from treadle_infra.topology.model import SHARED, DeadLetterQueue, Resource, StreamMapping
from treadle_infra.topology.references import (
    AliasRef,
    DeadLetterQueueRef,
    StateTableRef,
    StreamTableRef,
    TriggerMappingRef,
)
from treadle_infra.topology.settings import DEAD_LETTER_RETENTION_SECONDS
from treadle_infra.topology.system import system_function

BATCH_SIZE = 100
UNLIMITED_RETRIES = -1
"""What cannot be put into a queue now can be later: a record is given up when it leaves the change stream."""
MAXIMUM_AGE_SECONDS = 24 * 3600
"""As long as a change stream keeps its records.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""
TIMEOUT_SECONDS = 60
MEMORY_MB = 512


def change_resources(app: App, names: Names) -> Iterator[Resource]:
    """Nothing where no step has such a trigger."""
    tables = triggering_tables(app)
    if not tables:
        return
    yield from system_function(app, CHANGES, TIMEOUT_SECONDS, MEMORY_MB, changes_grants(app), names)
    dead_letter_queue = DeadLetterQueueRef(CHANGES)
    yield DeadLetterQueue(dead_letter_queue, names.dead_letter_queue(CHANGES), DEAD_LETTER_RETENTION_SECONDS, SHARED)
    yield from (_mapping(table, dead_letter_queue) for table in tables)


def _mapping(table: StateTableRef | StreamTableRef, dead_letter_queue: DeadLetterQueueRef) -> StreamMapping:
    """State's change stream comes into being with its first trigger, and is read from its beginning.

    A stream's has been there for its clients: a step that is new is not told of what was written the day before.
    """
    return StreamMapping(
        ref=TriggerMappingRef(None if isinstance(table, StateTableRef) else table.stream),
        table=table,
        alias=AliasRef(CHANGES),
        batch_size=BATCH_SIZE,
        retries=UNLIMITED_RETRIES,
        maximum_age_seconds=MAXIMUM_AGE_SECONDS,
        dead_letter_queue=dead_letter_queue,
        origin=SHARED,
        begins_with_latest=isinstance(table, StreamTableRef),
    )

"""A table's change stream: what was written, in order, for a day.

A stream here has one shard for its whole life, where AWS begins a new one every few hours.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, Literal, NamedTuple
from zlib import crc32

from treadle_local.clock import Clock
from treadle_local.dynamodb.schema import TableSchema
from treadle_local.dynamodb.table import EventName, Record
from treadle_local.dynamodb.values import item_size

ViewType = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]

RETENTION_SECONDS = 24 * 3600
"""Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.DataRetention"""

MOST_KEPT = 100_000
"""A laptop's bound on the records of a stream; the oldest of more are trimmed before their day is over."""
_FORGOTTEN_AT_ONCE = 1_000
_SMALLEST_NUMBER = 10**20  # a sequence number has 21 digits at least
_time_of = attrgetter("time")


class Change(NamedTuple):
    """One write. `time` is in seconds since the epoch; `expired` says that time to live deleted the item."""

    event: EventName
    old: Record | None
    new: Record | None
    time: float
    expired: bool

    @property
    def record(self) -> Record:
        """The record after the write, or before its deletion."""
        found = self.new if self.new is not None else self.old
        assert found is not None  # noqa: S101 - a write that changes something has one of them
        return found


class ChangeStream:
    """The changes of one table from the moment that its stream was turned on. Numbers are their places in it."""

    def __init__(self, arn: str, view: ViewType, schema: TableSchema, region: str, clock: Clock) -> None:
        self.arn = arn
        self.view: ViewType = view
        self.schema = schema
        self.region = region
        self.created_at = clock.now()
        self.closed_at: float | None = None
        self.starting_number = _SMALLEST_NUMBER + int(self.created_at * 1000) * 1_000_000
        """Before the first change's."""
        self._clock = clock
        self._changes: list[Change] = []
        self._first = self.starting_number + 1  # of what is still in the list
        self._listeners: list[Callable[[], None]] = []

    @property
    def label(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def shard_id(self) -> str:
        return f"shardId-{int(self.created_at * 1000):020d}-{crc32(self.arn.encode()):08x}"

    def listen(self, callback: Callable[[], None]) -> None:
        """Calls back after every change, from within the write: to be quick about it."""
        self._listeners.append(callback)

    def unlisten(self, callback: Callable[[], None]) -> None:
        if callback in self._listeners:
            self._listeners.remove(callback)

    def add(self, event: EventName, old: Record | None, new: Record | None, expired: bool) -> None:
        """Takes in one write (a table's `on_change`)."""
        now = self._clock.now()
        changes = self._changes
        changes.append(Change(event, old, new, now, expired))
        if len(changes) > _FORGOTTEN_AT_ONCE:
            self._forget(now - RETENTION_SECONDS)
        for callback in self._listeners:
            callback()

    def close(self) -> None:
        """Takes in no more; what is there can be read for as long as it would have been."""
        self.closed_at = self._clock.now()

    @property
    def next_number(self) -> int:
        """The number that the next change will have."""
        return self._first + len(self._changes)

    def oldest_number(self) -> int:
        """The number of the oldest change that is not trimmed; the next change's where there is none."""
        past = bisect_right(self._changes, self._clock.now() - RETENTION_SECONDS, key=_time_of)
        return self._first + past

    def number_at(self, moment: float) -> int:
        """The number of the first change of that second or later."""
        return self._first + bisect_left(self._changes, int(moment), key=lambda change: int(change.time))

    def between(self, start: int, end: int) -> Iterator[tuple[int, Change]]:
        """The changes from one number to before another, oldest first; `start` must not be trimmed."""
        offset = self._first
        for place in range(start - offset, min(end - offset, len(self._changes))):
            yield offset + place, self._changes[place]

    def _forget(self, horizon: float) -> None:
        """Makes room, but only for many at once: the rest of the list moves up for it."""
        if len(self._changes) > MOST_KEPT or self._changes[_FORGOTTEN_AT_ONCE].time <= horizon:
            past = max(_FORGOTTEN_AT_ONCE, bisect_right(self._changes, horizon, key=_time_of))
            del self._changes[:past]
            self._first += past

    def record(self, number: int, change: Change) -> dict[str, Any]:
        """The change as GetRecords gives it, all but who made it.

        Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
        """
        images: dict[str, Any] = {}
        keys = self.schema.key_item(change.record.item)
        if change.new is not None and self.view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["NewImage"] = change.new.item
        if change.old is not None and self.view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["OldImage"] = change.old.item
        return {
            "eventID": uuid.uuid5(uuid.NAMESPACE_URL, f"{self.arn}#{number}").hex,
            "eventName": change.event,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self.region,
            "dynamodb": {
                "ApproximateCreationDateTime": int(change.time),
                "Keys": keys,
                **images,
                "SequenceNumber": str(number),
                "SizeBytes": sum(map(item_size, (keys, *images.values()))),
                "StreamViewType": self.view,
            },
        }

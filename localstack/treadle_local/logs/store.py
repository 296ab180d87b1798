"""What the local CloudWatch Logs keeps: events of a group and of each of its streams, in order, within a bound."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

GROUP_LIMIT_BYTES = 50_000_000
"""About the memory that a group's events may take; the oldest go when there are more."""
_EVENT_MEMORY_BYTES = 250
"""What an event takes in memory besides its text."""
_DAY_MS = 86_400_000

Key = tuple[int, int]
"""Where an event stands: its time in ms and its number, which is unique."""


class Event(NamedTuple):
    """One log event. Events are in order by time, those of one time in the order in which they came."""

    timestamp: int
    """Milliseconds since the epoch, as its writer says"""
    number: int
    """Counts all events of the emulator"""
    ingested: int
    """Milliseconds since the epoch"""
    stream: str
    message: str
    dated: int
    """When retention counts from, in milliseconds since the epoch: the time on the emulator's clock"""

    @property
    def key(self) -> Key:
        return self.timestamp, self.number


class Timeline:
    """Events in order. They come in at the end, mostly, and go at the beginning."""

    __slots__ = ("_events", "_start")

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._start = 0

    def __len__(self) -> int:
        return len(self._events) - self._start

    def add(self, event: Event) -> None:
        events = self._events
        if not events or events[-1] <= event:
            events.append(event)
        else:
            insort(events, event, self._start)

    def first(self) -> Event | None:
        return self._events[self._start] if self else None

    def last(self) -> Event | None:
        return self._events[-1] if self else None

    def drop_first(self) -> Event:
        """Takes out the oldest event. There must be one."""
        event = self._events[self._start]
        self._start += 1
        if self._start > 1000 and self._start * 2 > len(self._events):
            del self._events[: self._start]
            self._start = 0
        return event

    def after(self, key: Key, limit: int) -> list[Event]:
        """The first `limit` events behind `key`."""
        start = bisect_left(self._events, (key[0], key[1] + 1), self._start)
        return self._events[start : start + limit]

    def before(self, key: Key, limit: int) -> list[Event]:
        """The last `limit` events ahead of `key`, in order."""
        end = bisect_left(self._events, key, self._start)
        return self._events[max(self._start, end - limit) : end]


class LogStream:
    """A stream's name, its times in ms and its events."""

    __slots__ = ("created", "events", "last_ingested", "name")

    def __init__(self, name: str, created: int) -> None:
        self.name = name
        self.created = created
        self.last_ingested: int | None = None
        self.events = Timeline()


class MetricFilter(Protocol):
    """What makes metrics of a group's events."""

    def observe(self, event: Event) -> None: ...

    def shown(self) -> dict[str, Any]:
        """As DescribeMetricFilters shows it."""
        ...


class LogGroup:
    """A group's streams by name, and the events of all of them in one order."""

    __slots__ = (
        "_memory_bytes",
        "created",
        "events",
        "filters",
        "key_id",
        "limit_bytes",
        "log_class",
        "name",
        "retention_days",
        "streams",
        "tags",
    )

    def __init__(self, name: str, limit_bytes: int = GROUP_LIMIT_BYTES, created: int = 0) -> None:
        self.name = name
        self.limit_bytes = limit_bytes
        self.created = created
        self.log_class = "STANDARD"
        self.key_id: str | None = None
        self.tags: dict[str, str] = {}
        self.filters: dict[str, MetricFilter] = {}
        self.retention_days: int | None = None
        self.streams: dict[str, LogStream] = {}
        self.events = Timeline()
        self._memory_bytes = 0

    @property
    def stored_bytes(self) -> int:
        """As AWS counts them.

        Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
        """
        return self._memory_bytes - (_EVENT_MEMORY_BYTES - 26) * len(self.events)

    def add_stream(self, name: str, now: int) -> LogStream:
        stream = self.streams[name] = LogStream(name, now)
        return stream

    def add(self, stream: LogStream, event: Event) -> None:
        """Keeps an event; drops the oldest ones where there is no room for it."""
        stream.events.add(event)
        stream.last_ingested = event.ingested
        self.events.add(event)
        self._memory_bytes += _size(event.message) + _EVENT_MEMORY_BYTES
        for one in self.filters.values():
            one.observe(event)
        while self._memory_bytes > self.limit_bytes and len(self.events) > 1:
            self._drop_first()

    def expire(self, now: int) -> None:
        """Drops what is older than the group's retention."""
        if self.retention_days is None:
            return
        oldest = now - self.retention_days * _DAY_MS
        while (first := self.events.first()) is not None and first.dated < oldest:
            self._drop_first()

    def remove_stream(self, name: str) -> None:
        """Takes out a stream and its events. It must be there."""
        gone = self.streams.pop(name)
        if not gone.events:
            return
        kept = Timeline()
        for event in iterate(self.events):
            if event.stream == name:
                self._memory_bytes -= _size(event.message) + _EVENT_MEMORY_BYTES
            else:
                kept.add(event)
        self.events = kept

    def _drop_first(self) -> None:
        # the oldest of the group is the oldest of its stream
        event = self.events.drop_first()
        self._memory_bytes -= _size(event.message) + _EVENT_MEMORY_BYTES
        self.streams[event.stream].events.drop_first()


def iterate(events: Timeline, page: int = 10_000) -> Iterator[Event]:
    """All events, in order."""
    key = (-1, -1)
    while found := events.after(key, page):
        yield from found
        key = found[-1].key


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))

"""When things are next to happen: one timer on the emulator's clock for all schedules together."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from treadle_local.clock import Clock, Timer
from treadle_local.schedules.expressions import ScheduleExpression

LATEST_SECONDS = 60.0
"""How late a firing may be where the machine slept; AWS's own precision is a minute."""

_INSTANT = timedelta(microseconds=1)
_FEW = 64

_log = logging.getLogger("treadle.schedules")


@dataclass(frozen=True, slots=True)
class Plan:
    """When a thing is to happen: from `start` until `end`, both included; a thing without a start begins as planned.

    `at_once`: a rate's first firing is its start, not one interval later.
    """

    expression: ScheduleExpression
    start: datetime | None = None
    end: datetime | None = None
    at_once: bool = False


OnDue = Callable[[str, datetime, bool], None]
"""Called with the key, the moment planned, and whether that was the last time."""
OnMissed = Callable[[str, int, datetime, datetime], None]
"""Called with the key, how many firings were too late to happen, and the first and last of them."""


class _Entry:
    __slots__ = ("anchor", "key", "plan", "upcoming")

    def __init__(self, key: str, plan: Plan, anchor: datetime) -> None:
        self.key = key
        self.plan = plan
        self.anchor = anchor
        self.upcoming: datetime | None = None

    def after(self, moment: datetime) -> datetime | None:
        found = self.plan.expression.next_after(moment, self.anchor)
        return None if found is None or (self.plan.end is not None and found > self.plan.end) else found


class Timetable:
    """Calls `on_due` for every planned moment in order of time; costs nothing while nothing is due."""

    def __init__(self, clock: Clock, on_due: OnDue, on_missed: OnMissed) -> None:
        self._clock = clock
        self._on_due = on_due
        self._on_missed = on_missed
        self._entries: dict[str, _Entry] = {}
        self._heap: list[tuple[datetime, int, _Entry]] = []
        self._serial = itertools.count()
        self._timer: Timer | None = None
        self._armed: datetime | None = None

    def put(self, key: str, plan: Plan) -> None:
        """Plans a thing, in place of what was planned under this key; the same plan again changes nothing."""
        known = self._entries.get(key)
        if known is not None and known.plan == plan:
            return
        now = self._now()
        entry = _Entry(key, plan, plan.start or now.replace(microsecond=0))
        self._entries[key] = entry
        first = entry.anchor - _INSTANT if plan.at_once else now
        entry.upcoming = entry.after(first if plan.start is None else max(now, plan.start - _INSTANT))
        self._push(entry)
        self._arm()

    def drop(self, key: str) -> None:
        """Forgets a thing, planned or not."""
        if self._entries.pop(key, None) is not None:
            self._arm()

    def upcoming(self) -> tuple[str, datetime] | None:
        """What happens next, and when; None where nothing is planned."""
        self._drop_stale()
        return (self._heap[0][2].key, self._heap[0][0]) if self._heap else None

    def is_due(self) -> bool:
        """Whether anything should have happened by now."""
        upcoming = self.upcoming()
        return upcoming is not None and upcoming[1] <= self._now()

    def close(self) -> None:
        """Nothing happens any more."""
        self._entries.clear()
        self._arm()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def _push(self, entry: _Entry) -> None:
        if entry.upcoming is not None:
            heapq.heappush(self._heap, (entry.upcoming, next(self._serial), entry))
            if len(self._heap) > 2 * len(self._entries) + _FEW:
                self._heap = [item for item in self._heap if self._entries.get(item[2].key) is item[2]]
                heapq.heapify(self._heap)

    def _drop_stale(self) -> None:
        while self._heap and self._entries.get(self._heap[0][2].key) is not self._heap[0][2]:
            heapq.heappop(self._heap)

    def _arm(self) -> None:
        self._drop_stale()
        wanted = self._heap[0][0] if self._heap else None
        if wanted == self._armed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed = wanted
        self._timer = None if wanted is None else self._clock.call_at(wanted.timestamp(), self._ring)

    def _ring(self) -> None:
        self._armed = self._timer = None
        now = self._now()
        self._drop_stale()
        while self._heap and self._heap[0][0] <= now:
            _, _, entry = heapq.heappop(self._heap)
            self._happen(entry, now)
            self._drop_stale()
        self._arm()

    def _happen(self, entry: _Entry, now: datetime) -> None:
        due = self._skip_missed(entry, now)
        if due is None or due > now:
            entry.upcoming = due
            self._push(entry)
            return
        entry.upcoming = entry.after(due)
        self._push(entry)
        try:
            self._on_due(entry.key, due, entry.upcoming is None)
        except Exception:
            _log.exception("%s failed inside the emulator", entry.key)

    def _skip_missed(self, entry: _Entry, now: datetime) -> datetime | None:
        """What is due, or will be, when everything that is too late has been reported."""
        too_late = now - timedelta(seconds=LATEST_SECONDS)
        first = moment = entry.upcoming
        last, count = first, 0
        while moment is not None and moment <= too_late:
            last, count = moment, count + 1
            moment = entry.after(moment)
        if first is not None and last is not None and count:
            self._on_missed(entry.key, count, first, last)
        return moment

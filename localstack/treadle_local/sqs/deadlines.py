"""Numbered things that are due at a time: the timers of a queue, cheap however many were set and dropped."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence

STALE_ENTRIES_TOLERATED = 64


class Deadlines:
    """A set of serial numbers, each with its moment in seconds; the earliest is found at once.

    Most come in the order in which they are due, and stand in a line; the others are in a heap. A deadline that is
    dropped or moved leaves its old entry there, which goes when it is the first of the line. When such entries are
    the majority, the line is made anew, so that its size follows the number of live deadlines.
    """

    __slots__ = ("_heap", "_line", "_moments")

    def __init__(self) -> None:
        self._moments: dict[int, float] = {}
        self._line: deque[tuple[float, int]] = deque()
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._moments)

    def __contains__(self, serial: int) -> bool:
        return serial in self._moments

    def at(self, serial: int) -> float | None:
        """The moment at which `serial` is due, or None."""
        return self._moments.get(serial)

    def serials(self) -> Sequence[int]:
        """All numbers that are due at some time, in no order."""
        return tuple(self._moments)

    def set(self, serial: int, moment: float) -> None:
        """Makes `serial` due at `moment`, instead of when it was due before."""
        self._moments[serial] = moment
        line = self._line
        if not line or line[-1][0] <= moment:
            line.append((moment, serial))
        else:
            heapq.heappush(self._heap, (moment, serial))
        if len(line) + len(self._heap) > 2 * len(self._moments) + STALE_ENTRIES_TOLERATED:
            self._rebuild()

    def drop(self, serial: int) -> bool:
        """Forgets `serial`; False if it was not there."""
        moments, line = self._moments, self._line
        if moments.pop(serial, None) is None:
            return False
        while line and line[0][1] not in moments:
            line.popleft()
        return True

    def pop_due(self, now: float) -> Sequence[int]:
        """Takes out all that is due by `now`, earliest first."""
        line, heap, moments = self._line, self._heap, self._moments
        if not (line and line[0][0] <= now) and not (heap and heap[0][0] <= now):
            return ()
        entries: list[tuple[float, int]] = []
        while line and line[0][0] <= now:
            entries.append(line.popleft())
        while heap and heap[0][0] <= now:
            entries.append(heapq.heappop(heap))
        entries.sort()
        due: list[int] = []
        for moment, serial in entries:
            if moments.get(serial) == moment:
                del moments[serial]
                due.append(serial)
        return due

    def earliest(self) -> float | None:
        """The moment of the first deadline, or None without any."""
        line, heap, moments = self._line, self._heap, self._moments
        while line and moments.get(line[0][1]) != line[0][0]:
            line.popleft()
        while heap and moments.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return min((entries[0][0] for entries in (line, heap) if entries), default=None)

    def clear(self) -> None:
        self._moments.clear()
        self._line.clear()
        self._heap.clear()

    def _rebuild(self) -> None:
        self._line = deque(sorted((moment, serial) for serial, moment in self._moments.items()))
        self._heap = []

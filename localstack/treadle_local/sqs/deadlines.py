"""Numbered things that are due at a time: the timers of a queue, cheap however many were set and dropped."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

STALE_ENTRIES_TOLERATED = 64


class Deadlines:
    """A set of serial numbers, each with its moment in seconds; the earliest is found at once.

    A deadline that is dropped or moved leaves its old entry in the heap; the heap is rebuilt when such entries are
    the majority, so its size follows the number of live deadlines.
    """

    __slots__ = ("_heap", "_moments")

    def __init__(self) -> None:
        self._moments: dict[int, float] = {}
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
        heapq.heappush(self._heap, (moment, serial))
        if len(self._heap) > 2 * len(self._moments) + STALE_ENTRIES_TOLERATED:
            self._rebuild()

    def drop(self, serial: int) -> bool:
        """Forgets `serial`; False if it was not there."""
        if self._moments.pop(serial, None) is None:
            return False
        if len(self._heap) > 2 * len(self._moments) + STALE_ENTRIES_TOLERATED:
            self._rebuild()
        return True

    def pop_due(self, now: float) -> Sequence[int]:
        """Takes out all that is due by `now`, earliest first."""
        heap = self._heap
        if not heap or heap[0][0] > now:
            return ()
        due: list[int] = []
        while heap and heap[0][0] <= now:
            moment, serial = heapq.heappop(heap)
            if self._moments.get(serial) == moment:
                del self._moments[serial]
                due.append(serial)
        return due

    def earliest(self) -> float | None:
        """The moment of the first deadline, or None without any."""
        heap = self._heap
        while heap and self._moments.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def clear(self) -> None:
        self._moments.clear()
        self._heap.clear()

    def _rebuild(self) -> None:
        self._heap = [(moment, serial) for serial, moment in self._moments.items()]
        heapq.heapify(self._heap)

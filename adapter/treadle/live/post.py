"""Delivers the frames of a batch: to one connection strictly in order, to different ones side by side.

Whoever has got the fewest is served next. When the time runs short, all are brought to where the furthest one is, or
are parted with, so that what has been delivered is the batch up to a certain change, to everybody: the rest can come
again, and nobody gets anything twice.
"""

from __future__ import annotations

import heapq
from threading import Lock

from treadle.live.parallel import work_together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.live.frames import Frame

WORKERS = 32


class Lane:
    """What one connection is to get: frames, each with the number of its change, in their order."""

    __slots__ = ("connection_id", "done", "frames")

    def __init__(self, connection_id: str) -> None:
        self.connection_id = connection_id
        self.frames: list[tuple[int, Frame]] = []
        self.done = 0


class Delivery:
    """One batch on its way.

    `delivered` counts the connections that have got the frame of each change. `cut` is the number of the first change
    that not everybody has got, or been parted with for: it, and all behind it, is to be delivered again. None: all is
    done.
    """

    __slots__ = ("_furthest", "_heap", "_lock", "_part", "_post", "_time_is_short", "_until", "cut", "delivered")

    def __init__(
        self,
        changes: int,
        post: Callable[[str, Frame], None],
        part: Callable[[str, int, Exception], bool],
        time_is_short: Callable[[], bool],
    ) -> None:
        """`part` gives up a connection to which the frame of a change could not be sent; False where that failed."""
        self._post = post
        self._part = part
        self._time_is_short = time_is_short
        self._lock = Lock()
        self._heap: list[tuple[int, int, Lane]] = []
        self._furthest = -1
        self._until: int | None = None
        self.delivered = [0] * changes
        self.cut: int | None = None

    def run(self, lanes: list[Lane]) -> None:
        """Delivers all that there is time for; each lane has a frame at least."""
        self._heap = [(lane.frames[0][0], serial, lane) for serial, lane in enumerate(lanes)]
        heapq.heapify(self._heap)
        if lanes:
            work_together(min(WORKERS, len(lanes)), self._work)
        if self._heap:
            self._cut_at(self._heap[0][0])

    def _work(self) -> None:
        taken = self._take()
        while taken is not None:
            change, serial, lane = taken
            try:
                self._post(lane.connection_id, lane.frames[lane.done][1])
            except Exception as error:
                if not self._part(lane.connection_id, change, error):
                    self._give_up(change)
                taken = self._take()
            else:
                lane.done += 1
                taken = self._take_after(change, serial, lane)

    def _take_after(self, change: int, serial: int, lane: Lane) -> tuple[int, int, Lane] | None:
        """What is to be sent next, now that a connection has got the frame of a change."""
        with self._lock:
            self.delivered[change] += 1
            if lane.done < len(lane.frames):
                heapq.heappush(self._heap, (lane.frames[lane.done][0], serial, lane))
            return self._next()

    def _take(self) -> tuple[int, int, Lane] | None:
        with self._lock:
            return self._next()

    def _next(self) -> tuple[int, int, Lane] | None:
        """The lane that has come the least far; None where there is none left, or none that there is time for."""
        if not self._heap:
            return None
        if self._until is None and self._time_is_short():
            self._until = self._furthest
        change = self._heap[0][0]
        if self._until is not None and change > self._until:
            return None
        self._furthest = max(self._furthest, change)
        return heapq.heappop(self._heap)

    def _give_up(self, change: int) -> None:
        """Ends the delivery as soon as all have what the furthest has got: the change is to be delivered again."""
        with self._lock:
            self._cut_at(change)
            if self._until is None:
                self._until = self._furthest

    def _cut_at(self, change: int) -> None:
        self.cut = change if self.cut is None else min(self.cut, change)

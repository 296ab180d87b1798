"""The times of stream items, in ms since the epoch: for one item each is larger than the one before.

Clients take an item's event for old news where its time is not larger than that of the last one. Between processes the
table sees to it, by a condition on what is stored. What it cannot know is remembered here, for each process: when an
item was deleted, since nothing of it is stored then.
"""

from __future__ import annotations

import time
from _thread import allocate_lock  # as `threading` would, which costs more to load

TYPE_CHECKING = False
if TYPE_CHECKING:
    Place = tuple[str, str, str]
    """Table, group and id of an item."""

_REMEMBERED_LIMIT = 1024
_latest: dict[Place, int] = {}
_lock = allocate_lock()


def next_timestamp(place: Place) -> int:
    """The present time, or where this process has given that out for the item already, the next one that is free."""
    with _lock:
        timestamp = max(_now_ms(), _latest.get(place, 0) + 1)
        _remember(place, timestamp)
    return timestamp


def deleted(place: Place, timestamp: int | None) -> None:
    """Notes that an item with this timestamp is deleted, which clients are told with a time that is larger by one."""
    with _lock:
        _remember(place, max(_now_ms(), 0 if timestamp is None else timestamp + 1, _latest.get(place, 0)))


def _now_ms() -> int:
    return int(time.time() * 1000)


def _remember(place: Place, timestamp: int) -> None:
    """Keeps the time; where there are many, that of the item which has been left alone for longest is forgotten."""
    _latest.pop(place, None)
    _latest[place] = timestamp
    if len(_latest) > _REMEMBERED_LIMIT:
        del _latest[next(iter(_latest))]

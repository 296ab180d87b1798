"""A timezone as the list of its clocks' changes, so that a function needs no tz database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 2025, 2045
"""Years whose changes a function knows. Fixed, so that a build makes the same of the same project."""

_DAY_SECONDS = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=64)
def utc_offsets(timezone: str) -> tuple[tuple[int, int], ...]:
    """By how many seconds the timezone's clocks are ahead of UTC: (from this Unix time on, seconds), ascending.

    From the beginning of `FIRST_YEAR` to the end of `LAST_YEAR`; what holds last holds on.
    """
    zone = ZoneInfo(timezone)
    start, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (FIRST_YEAR, LAST_YEAR + 1))
    offsets = [(start, _offset_seconds(zone, start))]
    for before in range(start, end, _DAY_SECONDS):
        seconds = _offset_seconds(zone, before + _DAY_SECONDS)
        if seconds != offsets[-1][1]:
            offsets.append((_change(zone, before, before + _DAY_SECONDS), seconds))
    return tuple(offsets)


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second at which the offset is no longer that of `before`."""
    old = _offset_seconds(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset_seconds(zone, middle) == old else (before, middle)
    return after


def _offset_seconds(zone: ZoneInfo, unix_time: int) -> int:
    offset = (_EPOCH + timedelta(seconds=unix_time)).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())

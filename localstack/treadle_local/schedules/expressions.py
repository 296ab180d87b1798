"""Schedule expressions as AWS evaluates them: `cron(...)`, `rate(...)` and `at(...)`; knows no clock.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html,
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from treadle_local.schedules.days import Days, days_in, parse_days
from treadle_local.schedules.fields import HOURS, MINUTES, MONTHS, YEARS, ExpressionError

_EXPRESSION = re.compile(r"(cron|rate|at)\((.+)\)", re.ASCII)
_RATE = re.compile(r"([1-9]\d{0,8})\s+(minute|hour|day)(s?)", re.ASCII)
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_INSTANT = timedelta(microseconds=1)
_FIRST_MINUTE = (0, 0)


class Recurrence(ABC):
    """What all expressions can be asked. Moments are aware; those that are returned are in UTC."""

    __slots__ = ()

    @abstractmethod
    def next_after(self, moment: datetime, start: datetime | None = None) -> datetime | None:
        """The first firing later than `moment`, or None where there is none any more.

        A rate counts from `start`, which is a firing itself; from `moment` where no start is given.
        """

    def firings(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """All firings from `start` on and before `end`, in order; a rate's first is at `start`."""
        moment = self.next_after(start - _INSTANT, start)
        while moment is not None and moment < end:
            yield moment
            moment = self.next_after(moment, start)


@dataclass(frozen=True, slots=True)
class Cron(Recurrence):
    """`cron(minutes hours day-of-month month day-of-week year)` on the wall clocks of a zone.

    Where clocks go forward, what falls into the gap is skipped; where they go back, the repeated hour fires once: the
    first time.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]
    zone: tzinfo = UTC

    def next_after(self, moment: datetime, start: datetime | None = None) -> datetime | None:
        for wall in self._walls(moment.astimezone(self.zone).replace(tzinfo=None)):
            if self.zone is UTC:
                found = wall.replace(tzinfo=UTC)
            else:
                found = wall.replace(tzinfo=self.zone).astimezone(UTC)
                if found.astimezone(self.zone).replace(tzinfo=None) != wall:
                    continue
            if found > moment:
                return found
        return None

    def _walls(self, start: datetime) -> Iterator[datetime]:
        """The wall clock times that the fields allow, from the minute of `start` on."""
        for year in self.years[bisect_left(self.years, start.year) :]:
            least_month = start.month if year == start.year else 1
            for month in self.months[bisect_left(self.months, least_month) :]:
                today = start.day if (year, month) == (start.year, start.month) else 0
                for day in days_in(self.days, year, month):
                    if day >= today:
                        least = (start.hour, start.minute) if day == today else _FIRST_MINUTE
                        yield from self._times(year, month, day, least)

    def _times(self, year: int, month: int, day: int, least: tuple[int, int]) -> Iterator[datetime]:
        for hour in self.hours[bisect_left(self.hours, least[0]) :]:
            least_minute = least[1] if hour == least[0] else 0
            for minute in self.minutes[bisect_left(self.minutes, least_minute) :]:
                yield datetime(year, month, day, hour, minute)


@dataclass(frozen=True, slots=True)
class Rate(Recurrence):
    """`rate(value unit)`; a day is 24 hours, whatever the clocks do."""

    interval: timedelta

    def next_after(self, moment: datetime, start: datetime | None = None) -> datetime | None:
        first = moment if start is None else start
        if first > moment:
            return first.astimezone(UTC)
        try:
            return (first + ((moment - first) // self.interval + 1) * self.interval).astimezone(UTC)
        except OverflowError:  # after the last day that there is
            return None


@dataclass(frozen=True, slots=True)
class Once(Recurrence):
    """`at(yyyy-mm-ddThh:mm:ss)`."""

    moment: datetime

    def next_after(self, moment: datetime, start: datetime | None = None) -> datetime | None:
        return self.moment if self.moment > moment else None


ScheduleExpression: TypeAlias = Cron | Rate | Once


@lru_cache(maxsize=1024)
def parse_schedule(text: str, timezone: str | None = None) -> ScheduleExpression:
    """The expression, of a rule where no timezone is given, else of EventBridge Scheduler.

    A rule has no `at(...)`, and is strict about singular and plural.
    Raises: ExpressionError, and TimezoneError for a zone that is not in the tz database.
    """
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise ExpressionError("neither cron(...) nor rate(...)" + ("" if timezone is None else " nor at(...)"))
    zone = UTC if timezone is None else zone_of(timezone)
    kind, inner = match.groups()
    if kind == "cron":
        return _cron(inner, zone)
    if kind == "rate":
        return _rate(inner, strict=timezone is None)
    if timezone is None:
        raise ExpressionError("at(...) is for EventBridge Scheduler only")
    return _at(inner, zone)


class TimezoneError(ValueError):
    """A name that is not in the tz database, in AWS's words."""


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The zone of a tz database name. Raises: TimezoneError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TimezoneError(f"Invalid Schedule Expression Timezone {name}.") from error


def _cron(inner: str, zone: tzinfo) -> Cron:
    fields = inner.split()
    if len(fields) != 6:
        raise ExpressionError(f"cron(...) has six fields, not {len(fields)}")
    minutes, hours, of_month, months, of_week, years = fields
    return Cron(
        MINUTES.values(minutes),
        HOURS.values(hours),
        parse_days(of_month, of_week),
        MONTHS.values(months),
        YEARS.values(years),
        zone,
    )


def _rate(inner: str, *, strict: bool) -> Rate:
    match = _RATE.fullmatch(inner)
    if match is None:
        raise ExpressionError("rate(...) is a whole number and minutes, hours or days")
    number = int(match[1])
    if strict and (number == 1) == bool(match[3]):
        raise ExpressionError("the unit of rate(...) is singular after 1 and plural after all else")
    try:
        return Rate(number * _UNITS[match[2]])
    except OverflowError as error:
        raise ExpressionError("the interval of rate(...) is too long") from error


def _at(inner: str, zone: tzinfo) -> Once:
    try:
        if _AT.fullmatch(inner):
            return Once(datetime.fromisoformat(inner).replace(tzinfo=zone).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f"at({inner}) is no moment") from error
    raise ExpressionError("at(...) is a date and a time, yyyy-mm-ddThh:mm:ss")

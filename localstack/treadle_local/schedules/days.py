"""The two day fields of a cron expression together: which days of a month they allow.

Days of the week are AWS's: 1 is Sunday.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, assert_never

from treadle_local.schedules.fields import DAYS_OF_MONTH, DAYS_OF_WEEK, ExpressionError

_SUNDAY, _SATURDAY = 1, 7
_NEAREST = re.compile(r"(\d{1,2})W", re.ASCII)
_LAST = re.compile(r"(\w+)L", re.ASCII)
_NTH = re.compile(r"(\w+)#([1-5])", re.ASCII)


@dataclass(frozen=True, slots=True)
class OfMonth:
    days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OfWeek:
    weekdays: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LastOfMonth:
    """`L`, or `LW`: the last Monday to Friday."""

    working_day: bool = False


@dataclass(frozen=True, slots=True)
class NearestWorkingDay:
    """`15W`: the Monday to Friday of the same month that is nearest to the day."""

    day: int


@dataclass(frozen=True, slots=True)
class LastWeekday:
    """`6L`: the month's last Friday."""

    weekday: int


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """`3#2`: the month's second Tuesday."""

    weekday: int
    number: int


Days: TypeAlias = OfMonth | OfWeek | LastOfMonth | NearestWorkingDay | LastWeekday | NthWeekday


def parse_days(of_month: str, of_week: str) -> Days:
    """What the two day fields say together. Raises: ExpressionError."""
    if (of_month == "?") == (of_week == "?"):
        raise ExpressionError("exactly one of day of month and day of week must be `?`")
    return _parse_of_week(of_week.upper()) if of_month == "?" else _parse_of_month(of_month.upper())


def _parse_of_month(text: str) -> Days:
    if text in ("L", "LW"):
        return LastOfMonth(text == "LW")
    if match := _NEAREST.fullmatch(text):
        return NearestWorkingDay(DAYS_OF_MONTH.number(match[1]))
    return OfMonth(DAYS_OF_MONTH.values(text))


def _parse_of_week(text: str) -> Days:
    if text == "L":
        return OfWeek((_SATURDAY,))
    if match := _LAST.fullmatch(text):
        return LastWeekday(DAYS_OF_WEEK.number(match[1]))
    if match := _NTH.fullmatch(text):
        return NthWeekday(DAYS_OF_WEEK.number(match[1]), int(match[2]))
    return OfWeek(DAYS_OF_WEEK.values(text))


@lru_cache(maxsize=4096)
def days_in(days: Days, year: int, month: int) -> tuple[int, ...]:
    """The allowed days of that month in ascending order; there may be none."""
    monday_based, length = calendar.monthrange(year, month)
    first = (monday_based + 1) % 7 + 1
    match days:
        case OfMonth(wanted):
            return tuple(day for day in wanted if day <= length)
        case OfWeek(weekdays):
            return tuple(day for day in range(1, length + 1) if _weekday(day, first) in weekdays)
        case LastOfMonth(working_day):
            return (_nearest(length, first, length) if working_day else length,)
        case NearestWorkingDay(day):
            return (_nearest(day, first, length),) if day <= length else ()
        case LastWeekday(weekday):
            return _all(weekday, first, length)[-1:]
        case NthWeekday(weekday, number):
            return _all(weekday, first, length)[number - 1 : number]
        case _:
            assert_never(days)


def _weekday(day: int, first: int) -> int:
    """The day of the week, in a month that begins with the day of the week `first`."""
    return (first + day - 2) % 7 + 1


def _all(weekday: int, first: int, length: int) -> tuple[int, ...]:
    return tuple(range(1 + (weekday - first) % 7, length + 1, 7))


def _nearest(day: int, first: int, length: int) -> int:
    """The nearest Monday to Friday, which never lies in another month."""
    match _weekday(day, first):
        case 7:
            return day - 1 if day > 1 else day + 2
        case 1:
            return day + 1 if day < length else day - 2
        case _:
            return day

"""Cron expressions as people write them -> the times that they mean, or what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import product

from treadle_infra.app.cron_fields import (
    AMBIGUOUS_CODE,
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    FIELDS,
    INVALID_CODE,
    MONTH_NAMES,
    YEAR,
    CronProblem,
    in_words,
)
from treadle_infra.app.model import CronDialect

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FORM = "write five fields: minute, hour, day of the month, month, day of the week"
_ONLY_THE_FIRST_SECOND = re.compile(r"0+|(?:\*|0-59)/(?:[6-9]\d|[1-9]\d{2,3})", re.ASCII)
_NEVER_CODE = "cron-never-fires"
_LEAP_YEAR = 2000


@dataclass(frozen=True, slots=True)
class CronExpression:
    """The times that an expression means, on whatever clock it is read: each field as the set of its values.

    Days of the week count from Sunday, which is 0. A day is meant that is in both sets of days, or with `either` in one
    of them.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: frozenset[int]
    months: frozenset[int]
    days_of_week: frozenset[int]
    years: frozenset[int]
    either: bool = False

    @property
    def restricts_days_of_month(self) -> bool:
        return len(self.days_of_month) < len(DAY_OF_MONTH.everything)

    @property
    def restricts_days_of_week(self) -> bool:
        return len(self.days_of_week) < len(DAY_OF_WEEK.everything)

    @property
    def restricts_years(self) -> bool:
        return len(self.years) < len(YEAR.everything)

    def matches(self, moment: datetime) -> bool:
        """True where `moment`, by its wall clock, lies in a minute that is meant."""
        return moment.minute in self.minutes and moment.hour in self.hours and self.matches_day(moment)

    def matches_day(self, day: date) -> bool:
        """True where the expression means times on this day."""
        if day.month not in self.months or day.year not in self.years:
            return False
        of_month, of_week = day.day in self.days_of_month, day.isoweekday() % 7 in self.days_of_week
        return of_month or of_week if self.either else of_month and of_week


@lru_cache(maxsize=4096)
def parse_cron(text: str, dialect: CronDialect = "and") -> CronExpression:
    """What the expression means by crontab's reading of its fields. Raises: CronProblem.

    Where both fields of days are restricted, a day must be in both; in the dialect `unix` in one of them.
    """
    fields = split_fields(text)
    values = [of.values(of.items(part)) for of, part in zip(FIELDS, fields, strict=True)]
    minutes, hours, days_of_month, months, days_of_week, years = values
    days_of_week = frozenset(day % 7 for day in days_of_week)
    either = dialect == "unix" and "*" not in (fields[2], fields[4])
    expression = CronExpression(minutes, hours, days_of_month, months, days_of_week, years, either)
    if either:
        _refuse_doubtful_days(expression, fields[2], fields[4])
    else:
        _refuse_never(text, expression)
    return expression


def split_fields(text: str) -> tuple[str, ...]:
    """The six fields from minute to year, an open one as `*`. Raises: CronProblem.

    The first of six written fields is the second, and so of seven, of which the last is the year. It must be `0`, or a
    step that leaves no other of the 60: `*/60`.
    """
    given = text.split()
    if text.strip().startswith("@"):
        meant = _MACROS.get(text.strip().lower())
        message = f"`{text.strip()}` is a shorthand of other crons"
        raise CronProblem(INVALID_CODE, message, f"write `{meant}`" if meant else _FORM)
    if not 5 <= len(given) <= 7:
        message = f"a cron expression has five fields, or six with a leading second; `{text}` has {len(given)}"
        raise CronProblem(INVALID_CODE, message, _FORM)
    *seconds, minute, hour, day_of_month, month, day_of_week = given[:6] if len(given) > 5 else given
    years = given[6:] or ["*"]
    if seconds and not _ONLY_THE_FIRST_SECOND.fullmatch(seconds[0]):
        rest = " ".join(given[1:] if len(given) == 6 else ["0", *given[1:]])
        raise CronProblem(
            "cron-seconds-not-possible",
            f"a schedule on AWS has no seconds: the first of {len(given)} fields must be `0`; got `{seconds[0]}`",
            f"did you mean `{rest}`?",
        )
    days = ["*" if day == "?" else day for day in (day_of_month, day_of_week)]
    return minute, hour, days[0], month, days[1], years[0]


def _refuse_doubtful_days(expression: CronExpression, of_month: str, of_week: str) -> None:
    """Crons differ on what a restricted field is: one without a `*`, or one that leaves a day out."""
    for of, part, restricts in (
        (DAY_OF_MONTH, of_month, expression.restricts_days_of_month),
        (DAY_OF_WEEK, of_week, expression.restricts_days_of_week),
    ):
        if "*" in part or not restricts:
            message = f"crons differ on whether `{part}` restricts the {of.name} beside a day of the other kind"
            raise CronProblem(AMBIGUOUS_CODE, message, f"write `{in_words(of, of.values(of.items(part)))}`")


def _refuse_never(text: str, expression: CronExpression) -> None:
    dates = product(sorted(expression.years), sorted(expression.months), sorted(expression.days_of_month))
    if any(_means(expression, *one) for one in dates):
        return
    if not any(_date(_LEAP_YEAR, month, day) for month, day in product(expression.months, expression.days_of_month)):
        months = " or ".join(MONTH_NAMES[month - 1].capitalize() for month in sorted(expression.months))
        days = in_words(DAY_OF_MONTH, expression.days_of_month)
        raise CronProblem(_NEVER_CODE, f"`{text}` never fires: there is no day {days} in {months}")
    raise CronProblem(_NEVER_CODE, f"`{text}` never fires: its years have no such day")


def _means(expression: CronExpression, year: int, month: int, day: int) -> bool:
    found = _date(year, month, day)
    return found is not None and expression.matches_day(found)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None

"""A cron trigger -> AWS's expression for it, and a guard where that names too many days.

AWS's dialect: `cron(minutes hours day-of-month month day-of-week year)`, where one of the two fields of days is `?`.
Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html,
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from treadle_infra.app.cron import CronExpression, parse_cron
from treadle_infra.app.cron_fields import DAY_OF_MONTH, HOUR, MINUTE, MONTH, WEEKDAY_NAMES, YEAR, Field
from treadle_infra.app.model import CronTrigger, Json
from treadle_infra.topology.offsets import utc_offsets

_DAYS_OF_A_MONTH, _DAYS_OF_A_WEEK = 30, 7
_WORTH_A_STEP = 3


@dataclass(frozen=True, slots=True)
class CronGuard:
    """Days that are meant, of those on which AWS fires: in both sets, or with `either` in one; Sunday is 0."""

    days_of_month: frozenset[int]
    days_of_week: frozenset[int]
    either: bool = False


@dataclass(frozen=True, slots=True)
class AwsSchedule:
    """`expression` as AWS takes it. Without a guard, each of its firings is meant."""

    expression: str
    guard: CronGuard | None = None


def aws_schedule(trigger: CronTrigger) -> AwsSchedule:
    """The trigger's expression for AWS, read in its own dialect; the timezone makes no difference."""
    return aws_cron(parse_cron(trigger.expression, trigger.dialect))


def aws_cron(cron: CronExpression) -> AwsSchedule:
    """The same times in AWS's words, or times among which they are, with the guard that tells them apart."""
    of_month, of_week = _list(DAY_OF_MONTH, cron.days_of_month), _weekdays(cron.days_of_week)
    guard = None
    if cron.restricts_days_of_month and cron.restricts_days_of_week:
        guard = CronGuard(cron.days_of_month, cron.days_of_week, cron.either)
        rarer_by_week = len(cron.days_of_week) * _DAYS_OF_A_MONTH < len(cron.days_of_month) * _DAYS_OF_A_WEEK
        days = ("*", "?") if cron.either else ("?", of_week) if rarer_by_week else (of_month, "?")
    elif cron.restricts_days_of_week:
        days = ("?", of_week)
    else:
        days = (of_month, "?")
    minutes, hours = _list(MINUTE, cron.minutes), _list(HOUR, cron.hours)
    months, years = _list(MONTH, cron.months), _list(YEAR, cron.years)
    return AwsSchedule(f"cron({minutes} {hours} {days[0]} {months} {days[1]} {years})", guard)


def guard_manifest(trigger: CronTrigger) -> Json:
    """The guard for the function's manifest, with the UTC offsets of its timezone; None where no guard is needed.

    Example: {"daysOfMonth": [13], "daysOfWeek": [5], "offsets": [[1735689600, 3600], [1743296400, 7200], ...]}
    """
    guard = aws_schedule(trigger).guard
    if guard is None:
        return None
    document: dict[str, Json] = {
        "daysOfMonth": list[Json](sorted(guard.days_of_month)),
        "daysOfWeek": list[Json](sorted(guard.days_of_week)),
    }
    if guard.either:
        document["any"] = True
    if trigger.timezone is not None:
        document["offsets"] = [list[Json](offset) for offset in utc_offsets(trigger.timezone)]
    return document


# AWS's words


def _list(of: Field, values: frozenset[int]) -> str:
    """The values as AWS lists them, in short: `*`, `0/15`, `9-17`, `1,15`."""
    ascending = sorted(values)
    if len(ascending) == len(of.everything):
        return "*"
    step = ascending[1] - ascending[0] if len(ascending) >= _WORTH_A_STEP else 0
    if step > 1 and ascending == list(range(ascending[0], of.most + 1, step)):
        return f"{ascending[0]}/{step}"
    return ",".join(_run(run, str) for run in _runs(ascending))


def _weekdays(values: frozenset[int]) -> str:
    """Days of the week by name, since AWS counts them from 1."""
    return ",".join(_run(run, lambda day: WEEKDAY_NAMES[day][:3].upper()) for run in _runs(sorted(values)))


def _runs(ascending: Sequence[int]) -> Iterator[list[int]]:
    """The values in groups of those that follow each other."""
    run: list[int] = []
    for value in ascending:
        if run and run[-1] != value - 1:
            yield run
            run = []
        run.append(value)
    yield run


def _run(run: list[int], name: Callable[[int], str]) -> str:
    return f"{name(run[0])}-{name(run[-1])}" if len(run) > 2 else ",".join(map(name, run))

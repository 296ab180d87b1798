"""When a cron trigger fires next, for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from treadle_infra.app.cron import CronExpression, parse_cron
from treadle_infra.app.model import CronTrigger

_ONE_DAY = timedelta(days=1)


def next_firings(trigger: CronTrigger, after: datetime, count: int) -> list[datetime]:
    """The next `count` times later than `after` (aware), in the trigger's timezone; fewer where its years end.

    A time that the clocks leave out is left out, and one that comes twice fires once, the first time.
    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
    """
    found: list[datetime] = []
    zone = ZoneInfo(trigger.timezone) if trigger.timezone else UTC
    for wall in _wall_times(parse_cron(trigger.expression, trigger.dialect), after.astimezone(zone).date()):
        if len(found) >= count:
            break
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
        if instant > after and instant.astimezone(zone).replace(tzinfo=None) == wall:
            found.append(instant.astimezone(zone))
    return found


def _wall_times(cron: CronExpression, first_day: date) -> Iterator[datetime]:
    """All times that are meant, without a timezone, in order, from this day on."""
    times = [(hour, minute) for hour in sorted(cron.hours) for minute in sorted(cron.minutes)]
    for day in _days(cron, first_day):
        for hour, minute in times:
            yield datetime(day.year, day.month, day.day, hour, minute)


def _days(cron: CronExpression, first_day: date) -> Iterator[date]:
    last_year = max(cron.years)
    day = first_day
    while day.year <= last_year:
        if cron.matches_day(day):
            yield day
        day += _ONE_DAY

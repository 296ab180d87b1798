"""Thousands of expressions: AWS fires at exactly the times that an evaluator of the source expression finds.

The source is evaluated by croniter, AWS's expression by the emulator's own evaluator and the guard by the code that
runs in the function; none of them shares a line with the conversion. Firings are compared as lists over a leap year.

What croniter does otherwise than crontab is kept out of the comparison: full names (it knows only the first three
letters), ranges of one value (`6-6` is `*` to it) and `*/2` beside another restricted day, which are refused anyway.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import croniter

from treadle.cron_guard import Guard
from treadle_infra.app.cron import parse_cron
from treadle_infra.app.cron_fields import CronProblem
from treadle_infra.app.cron_readings import MotiaVersion, refuse_other_readings
from treadle_infra.app.model import CronDialect, CronTrigger
from treadle_infra.topology.firings import next_firings
from treadle_infra.topology.schedules import aws_schedule, guard_manifest
from treadle_local.schedules.days import days_in
from treadle_local.schedules.expressions import Cron, parse_schedule

NUMBER = 10_000
YEAR = 2028
DAYS = [date(YEAR, 1, 1) + timedelta(days=number) for number in range(366)]
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
CODES = {
    "cron-expression-invalid",
    "cron-expression-ambiguous",
    "cron-seconds-not-possible",
    "cron-never-fires",
}
STEPS = (1, 2, 3, 4, 5, 6, 7, 10, 12, 15, 20, 24, 30, 60)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca")


@dataclass(frozen=True, slots=True)
class Source:
    text: str
    dialect: CronDialect
    version: MotiaVersion

    @property
    def fields(self) -> list[str]:
        """The five fields from minute to day of the week."""
        fields = self.text.split()
        return fields if len(fields) == 5 else fields[1:6]

    @property
    def year(self) -> str:
        fields = self.text.split()
        return fields[6] if len(fields) == 7 else "*"

    def trigger(self, timezone: str | None = None) -> CronTrigger | CronProblem:
        """The trigger that discovery makes of it, or why it makes none."""
        try:
            parse_cron(self.text, self.dialect)
            if self.dialect == "and":
                refuse_other_readings(self.text, self.version)
        except CronProblem as problem:
            return problem
        return CronTrigger(self.text, timezone, self.dialect)


class Generator:
    """Expressions of all forms, the same ones for the same seed. `rare`: those that fire at most a few times a day."""

    def __init__(self, seed: int, *, rare: bool = False) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._rare = rare

    def source(self) -> Source:
        roll = self._random.random()
        fields = [self._field(number) for number in range(5)]
        if roll < 0.55:
            return Source(" ".join(fields), "and", "0.x")
        if roll < 0.8:
            return Source(" ".join(fields), "unix", "0.x")
        second = self._random.choice(["0", "0", "0", "0", "00", "*/60", "30"])
        if roll < 0.9:
            return Source(" ".join([second, *fields]), "and", self._random.choice(["0.x", "1.0"]))
        year = self._random.choice(["*", "*", "2028", "2026-2030", "2028,2031", "2027"])
        return Source(" ".join([second, *fields, year]), "and", "1.0")

    def _field(self, number: int) -> str:
        if self._rare and number < 2:
            values = self._random.sample(range(RANGES[number][1] + 1), self._random.choice((1, 1, 1, 2)))
            return ",".join(map(str, values))
        if self._random.random() < (0.3, 0.3, 0.55, 0.65, 0.55)[number]:
            return "*"
        return ",".join(self._item(number) for _ in range(self._random.choice((1, 1, 1, 1, 2, 3))))

    def _item(self, number: int) -> str:
        least, most = RANGES[number]
        roll = self._random.random()
        if roll < 0.22:
            return f"*/{self._random.choice([step for step in STEPS if step <= most or roll < 0.02])}"
        if roll < 0.65:
            return self._value(number, self._random.randint(least, most))
        if roll < 0.67:
            return self._random.choice((f"{most + 1}", "L", "", "x", f"{most}-{least}", "5-"))
        first, last = sorted(self._random.sample(range(least, most + 1), 2))
        text = f"{self._value(number, first)}-{self._value(number, last)}"
        return f"{text}/{self._random.randint(1, 12)}" if roll < 0.78 else text

    def _value(self, number: int, value: int) -> str:
        names = {3: MONTHS[value % 12 - 1], 4: WEEKDAYS[value % 7]}
        if number in names and value != 7 and self._random.random() < 0.4:
            return self._random.choice((str.lower, str.upper, str.title))(names[number])
        return f"{value:02}" if self._random.random() < 0.05 else str(value)


# the source


@lru_cache(maxsize=2)
def expanded(source: Source) -> list[list[int]]:
    """croniter's values of each field, from minute to day of the week."""
    found, _ = croniter.expand(" ".join(source.fields).replace("?", "*"))
    everything = [list(range(least, most + 1)) for least, most in (*RANGES[:4], (0, 6))]
    return [
        all_values if "*" in values else [value for value in values if isinstance(value, int)]
        for values, all_values in zip(found, everything, strict=True)
    ]


def years(source: Source) -> list[int]:
    if source.year == "*":
        return [YEAR]
    ends = [part.split("-") for part in source.year.split(",")]
    return [year for end in ends for year in range(int(end[0]), int(end[-1]) + 1)]


def source_days(source: Source) -> list[date]:
    """The days of the year on which the source fires."""
    _, _, of_month, months, of_week = expanded(source)
    fields = source.fields
    either = source.dialect == "unix" and "*" not in (fields[2], fields[4])
    if YEAR not in years(source):
        return []
    return [
        day
        for day in DAYS
        if day.month in months and (any if either else all)((day.day in of_month, day.isoweekday() % 7 in of_week))
    ]


def source_times(source: Source) -> list[tuple[int, int]]:
    minutes, hours, *_ = expanded(source)
    return [(hour, minute) for hour in hours for minute in minutes]


def one_by_one(source: Source) -> Iterator[datetime]:
    """The year's firings by croniter's own steps, without a timezone."""
    steps = croniter(
        " ".join(source.fields).replace("?", "*"),
        datetime(YEAR, 1, 1) - timedelta(minutes=1),
        day_or=source.dialect == "unix",
        max_years_between_matches=1,
    )
    for moment in steps.all_next(datetime):
        if moment.year > YEAR:
            return
        yield moment


# AWS


def guard_of(trigger: CronTrigger) -> Guard | None:
    """The guard as the function has it, from its manifest."""
    document = guard_manifest(trigger)
    if not isinstance(document, dict):
        return None
    of_month, of_week, offsets = document["daysOfMonth"], document["daysOfWeek"], document.get("offsets", [])
    assert isinstance(of_month, list)
    assert isinstance(of_week, list)
    assert isinstance(offsets, list)
    pairs = [(int(str(one[0])), int(str(one[1]))) for one in offsets if isinstance(one, list)]
    days = [frozenset(int(str(day)) for day in days) for days in (of_month, of_week)]
    return Guard(days[0], days[1], pairs, either=document.get("any") is True)


def aws_cron(trigger: CronTrigger) -> Cron:
    expression = aws_schedule(trigger).expression
    assert len(expression) <= 256
    found = parse_schedule(expression, trigger.timezone)
    assert isinstance(found, Cron)
    return found


def aws_days(trigger: CronTrigger) -> list[date]:
    """The days of the year on which AWS fires and the guard, if there is one, agrees; the timezone is UTC."""
    cron, guard = aws_cron(trigger), guard_of(trigger)
    found = [
        date(year, month, day)
        for year in cron.years
        if year == YEAR
        for month in cron.months
        for day in days_in(cron.days, YEAR, month)
    ]
    hour, minute = cron.hours[-1], cron.minutes[-1]
    return [day for day in found if guard is None or guard.admits(f"{day}T{hour:02}:{minute:02}:00Z")]


def aws_times(trigger: CronTrigger) -> list[tuple[int, int]]:
    cron = aws_cron(trigger)
    return [(hour, minute) for hour in cron.hours for minute in cron.minutes]


def aws_firings(trigger: CronTrigger) -> list[datetime]:
    """Every firing of the year, by its timezone's clocks, that the guard lets through, in UTC."""
    guard, cron = guard_of(trigger), aws_cron(trigger)
    start, end = (datetime(year, 1, 1, tzinfo=cron.zone) for year in (YEAR, YEAR + 1))
    return [moment for moment in cron.firings(start, end) if guard is None or guard.admits(moment.isoformat())]


# the comparison


def test_ten_thousand_expressions_fire_on_aws_when_they_say_or_are_refused_with_the_reason() -> None:
    generator = Generator(3)
    counts: Counter[str] = Counter()
    for _ in range(NUMBER):
        source = generator.source()
        trigger = source.trigger()
        if isinstance(trigger, CronProblem):
            assert trigger.message
            counts["refused"] += 1
            counts[trigger.code] += 1
            continue
        counts["converted"] += 1
        counts["guarded"] += guard_manifest(trigger) is not None
        assert aws_times(trigger) == source_times(source), source
        assert aws_days(trigger) == source_days(source), source
    assert counts["converted"] > 4_000, counts
    assert counts["refused"] > 2_000, counts
    assert counts["guarded"] > 200, counts
    assert {code for code in counts if "-" in code} == CODES, counts


def rare(seed: int, wanted: int, most: int) -> Iterator[Source]:
    """Expressions that are right and fire at most so often in the year."""
    generator = Generator(seed, rare=True)
    while wanted:
        source = generator.source()
        if source.year == "*" and isinstance(source.trigger(), CronTrigger):
            number = len(source_days(source)) * len(source_times(source))
            if 0 < number <= most:
                wanted -= 1
                yield source


def test_hundreds_of_them_agree_firing_by_firing_and_with_the_times_that_people_are_told() -> None:
    firings = 0
    for source in rare(5, 300, 40):
        trigger = source.trigger()
        assert isinstance(trigger, CronTrigger)
        expected = [moment.replace(tzinfo=UTC) for moment in one_by_one(source)]
        assert aws_firings(trigger) == expected, source
        before = datetime(YEAR, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
        assert next_firings(trigger, before, len(expected)) == expected, source
        firings += len(expected)
    assert firings > 2_000, firings


def test_in_a_timezone_the_guard_goes_by_the_clocks_there() -> None:
    guarded = 0
    for number, source in enumerate(rare(7, 200, 40)):
        zone = ZoneInfo(ZONES[number % len(ZONES)])
        trigger = source.trigger(zone.key)
        assert isinstance(trigger, CronTrigger)
        guarded += guard_manifest(trigger) is not None
        walls = [(wall, wall.replace(tzinfo=zone).astimezone(UTC)) for wall in one_by_one(source)]
        expected = [moment for wall, moment in walls if moment.astimezone(zone).replace(tzinfo=None) == wall]
        assert aws_firings(trigger) == expected, (source, zone)
        before = datetime(YEAR, 1, 1, tzinfo=zone) - timedelta(microseconds=1)
        assert next_firings(trigger, before, len(expected)) == expected, (source, zone)
    assert guarded > 20, guarded

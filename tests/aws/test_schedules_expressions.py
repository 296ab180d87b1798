"""Schedule expressions: AWS's examples, its special letters, clock changes, and agreement with other evaluations."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_local.schedules.expressions import TimezoneError, parse_schedule
from treadle_local.schedules.fields import ExpressionError

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def firings(text: str, count: int, timezone: str | None = None, start: datetime = START) -> list[str]:
    """The first times from `start` on, in UTC, to the minute."""
    found = parse_schedule(text, timezone).firings(start, start + timedelta(days=40_000))
    return [moment.strftime("%Y-%m-%d %H:%M") for moment in itertools.islice(found, count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html (Examples)
        ("cron(0 10 * * ? *)", ["2024-01-01 10:00", "2024-01-02 10:00", "2024-01-03 10:00"]),
        ("cron(15 12 * * ? *)", ["2024-01-01 12:15", "2024-01-02 12:15", "2024-01-03 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", ["2024-01-01 18:00", "2024-01-02 18:00", "2024-01-03 18:00"]),
        ("cron(0 8 1 * ? *)", ["2024-01-01 08:00", "2024-02-01 08:00", "2024-03-01 08:00"]),
        ("cron(0/15 * * * ? *)", ["2024-01-01 00:00", "2024-01-01 00:15", "2024-01-01 00:30"]),
        ("cron(0/10 * ? * MON-FRI *)", ["2024-01-01 00:00", "2024-01-01 00:10", "2024-01-01 00:20"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", ["2024-01-01 08:00", "2024-01-01 08:05", "2024-01-01 08:10"]),
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
        ("cron(15 10 ? * 6L 2024-2025)", ["2024-01-26 10:15", "2024-02-23 10:15", "2024-03-29 10:15"]),
        # and its letters
        ("cron(0 9 ? * 3#2 *)", ["2024-01-09 09:00", "2024-02-13 09:00", "2024-03-12 09:00"]),
        ("cron(0 9 ? * tue#5 *)", ["2024-01-30 09:00", "2024-04-30 09:00", "2024-07-30 09:00"]),
        ("cron(0 9 3W * ? *)", ["2024-01-03 09:00", "2024-02-02 09:00", "2024-03-04 09:00"]),
        ("cron(0 9 1W 6,9 ? *)", ["2024-06-03 09:00", "2024-09-02 09:00", "2025-06-02 09:00"]),
        ("cron(0 9 31W * ? *)", ["2024-01-31 09:00", "2024-03-29 09:00", "2024-05-31 09:00"]),
        ("cron(0 9 L * ? *)", ["2024-01-31 09:00", "2024-02-29 09:00", "2024-03-31 09:00"]),
        ("cron(0 9 LW * ? *)", ["2024-01-31 09:00", "2024-02-29 09:00", "2024-03-29 09:00"]),
        ("cron(0 9 ? * L *)", ["2024-01-06 09:00", "2024-01-13 09:00", "2024-01-20 09:00"]),
        ("cron(0 9 ? * FRIL *)", ["2024-01-26 09:00", "2024-02-23 09:00", "2024-03-29 09:00"]),
        ("cron(1-31/30 1-1 ? * 1,7 *)", ["2024-01-06 01:01", "2024-01-06 01:31", "2024-01-07 01:01"]),
        ("cron(0 0 29 FEB ? *)", ["2024-02-29 00:00", "2028-02-29 00:00", "2032-02-29 00:00"]),
        ("cron(0 0 1 1 ? 2030/10)", ["2030-01-01 00:00", "2040-01-01 00:00", "2050-01-01 00:00"]),
        ("cron(0 0 31 2 ? *)", []),
        ("cron(0 0 1 1 ? 2020)", []),
        ("rate(1 minute)", ["2024-01-01 00:00", "2024-01-01 00:01", "2024-01-01 00:02"]),
        ("rate(5 hours)", ["2024-01-01 00:00", "2024-01-01 05:00", "2024-01-01 10:00"]),
        ("rate(2 days)", ["2024-01-01 00:00", "2024-01-03 00:00", "2024-01-05 00:00"]),
    ],
)
def test_an_expression_fires_when_aws_says(text: str, expected: list[str]) -> None:
    assert firings(text, 3) == expected


@pytest.mark.parametrize(
    "text",
    [
        "every day",
        "cron()",
        "cron(0 10 * * ?)",
        "cron(0 10 * * ? * *)",
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(0 10 1 * 1 *)",
        "cron(60 10 * * ? *)",
        "cron(-1 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 10 0 * ? *)",
        "cron(0 10 32 * ? *)",
        "cron(0 10 * 13 ? *)",
        "cron(0 10 ? * 0 *)",
        "cron(0 10 ? * 8 *)",
        "cron(0 10 ? * MON#6 *)",
        "cron(0 10 ? * 3#1,6#3 *)",
        "cron(0 10 ? * 2/2 *)",
        "cron(0 10 * * ? 1969)",
        "cron(0 10 * * ? 2200)",
        "cron(0 22-2 * * ? *)",
        "cron(0/0 10 * * ? *)",
        "cron(0/60 10 * * ? *)",
        "cron(0 10 * * ? *",
        "cron(0,,5 10 * * ? *)",
        "cron(? 10 * * ? *)",
        "cron(0 10 JAN * ? *)",
        "cron(٣ 10 * * ? *)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(0 minutes)",
        "rate(1.5 hours)",
        "rate(5 weeks)",
        "rate(9999999999 days)",
        "at(2024-01-01T00:00:00)",
    ],
)
def test_garbage_is_refused_in_awss_words(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"^Parameter ScheduleExpression is not valid\.$") as caught:
        parse_schedule(text)
    assert caught.value.reason


def test_scheduler_has_one_time_expressions_and_either_form_of_a_unit() -> None:
    assert firings("at(2024-07-01T09:30:00)", 2, "Europe/Berlin") == ["2024-07-01 07:30"]
    assert firings("at(2023-07-01T09:30:00)", 2, "UTC") == []
    assert firings("rate(1 days)", 2, "UTC") == ["2024-01-01 00:00", "2024-01-02 00:00"]
    assert firings("rate(999999999 days)", 2, "UTC") == ["2024-01-01 00:00"]
    for text in ("at(2024-02-30T00:00:00)", "at(2024-01-01)", "at(2024-01-01T00:00:00Z)", "at(0001-01-01T00:00:00)"):
        with pytest.raises(ExpressionError):
            parse_schedule(text, "Asia/Tokyo")


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "../etc/passwd", "", "europe/berlin\0"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(TimezoneError, match="Invalid Schedule Expression Timezone"):
        parse_schedule("cron(0 0 * * ? *)", name)


def test_a_time_that_clocks_skip_is_skipped_and_one_that_they_repeat_fires_once() -> None:
    spring, autumn = datetime(2024, 3, 30, 12, tzinfo=UTC), datetime(2024, 10, 26, 12, tzinfo=UTC)
    daily = "cron(30 2 * * ? *)"
    assert firings(daily, 2, "Europe/Berlin", spring) == ["2024-04-01 00:30", "2024-04-02 00:30"]
    assert firings(daily, 2, "Europe/Berlin", autumn) == ["2024-10-27 00:30", "2024-10-28 01:30"]
    half_hourly = "cron(0/30 1-3 * * ? *)"
    assert firings(half_hourly, 4, "Europe/Berlin", spring) == [
        *("2024-03-31 00:00", "2024-03-31 00:30", "2024-03-31 01:00", "2024-03-31 01:30")
    ]
    assert firings(half_hourly, 6, "Europe/Berlin", autumn) == [
        *("2024-10-26 23:00", "2024-10-26 23:30", "2024-10-27 00:00", "2024-10-27 00:30"),
        *("2024-10-27 02:00", "2024-10-27 02:30"),
    ]
    assert firings("rate(1 days)", 2, "Europe/Berlin", spring) == ["2024-03-30 12:00", "2024-03-31 12:00"]


@dataclass(frozen=True)
class Written:
    """A field, and the values that it was written for."""

    text: str
    values: frozenset[int]


def field(least: int, most: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[Written]:
    number = st.integers(least, most)

    def shown(value: int) -> str:
        return names[value - least] if names and value % 2 else str(value)

    def span(ends: tuple[int, int]) -> Written:
        low, high = sorted(ends)
        return Written(f"{shown(low)}-{shown(high)}", frozenset(range(low, high + 1)))

    def stepped(parts: tuple[int, int]) -> Written:
        first, step = parts
        return Written(f"{shown(first)}/{step}", frozenset(range(first, most + 1, step)))

    def joined(items: list[Written]) -> Written:
        values = frozenset(value for item in items for value in item.values)
        return Written(",".join(item.text for item in items), values)

    items = [number.map(lambda value: Written(shown(value), frozenset({value}))), st.tuples(number, number).map(span)]
    if names != WEEKDAYS:  # the day of the week has no steps
        items.append(st.tuples(number, st.integers(1, most)).map(stepped))
    everything = st.just(Written("*", frozenset(range(least, most + 1))))
    return everything | st.lists(st.one_of(items), min_size=1, max_size=3).map(joined)


ZONES = st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"))


@settings(max_examples=50)
@given(
    minutes=field(0, 59),
    hours=field(0, 23),
    of_month=st.none() | field(1, 31),
    months=field(1, 12, MONTHS),
    of_week=field(1, 7, WEEKDAYS),
    zone=ZONES,
    start=st.datetimes(datetime(2023, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_firings_are_the_minutes_whose_wall_clock_fits(
    minutes: Written,
    hours: Written,
    of_month: Written | None,
    months: Written,
    of_week: Written,
    zone: str,
    start: datetime,
) -> None:
    """Every minute of three days is looked at; of a repeated hour only the first counts."""
    days = f"{of_month.text} {months.text} ?" if of_month is not None else f"? {months.text} {of_week.text}"
    expression = parse_schedule(f"cron({minutes.text} {hours.text} {days} *)", zone)
    end = start + timedelta(days=3)

    def fits(moment: datetime) -> bool:
        wall = moment.astimezone(ZoneInfo(zone))
        day = wall.day in of_month.values if of_month is not None else wall.isoweekday() % 7 + 1 in of_week.values
        return (
            wall.minute in minutes.values
            and wall.hour in hours.values
            and wall.month in months.values
            and day
            and wall.fold == 0
        )

    first = start.replace(second=0, microsecond=0)
    minute = first if first == start else first + timedelta(minutes=1)
    every = (minute + timedelta(minutes=number) for number in range(3 * 1440))
    assert list(expression.firings(start, end)) == [moment for moment in every if moment < end and fits(moment)]


def test_a_year_of_firings_is_croniters_where_the_grammars_meet() -> None:
    croniter = pytest.importorskip("croniter").croniter
    chance = random.Random(7)  # noqa: S311 - no secret
    for _ in range(200):
        minute, hour, month = chance.randrange(60), chance.randrange(24), chance.choice(("*", "1-6", "2,4,8", "*/5"))
        day, weekday = chance.choice(("1-7", "*/9", "31", "L", "13")), chance.choice(("1-5", "0", "2#3", "L5", "6,0"))
        if chance.random() < 0.5:
            theirs, ours = f"{minute} {hour} {day} {month} *", f"{minute} {hour} {day} {month} ?"
        else:
            theirs, ours = f"{minute} {hour} * {month} {weekday}", f"{minute} {hour} ? {month} {_aws_weekday(weekday)}"
        there = croniter(theirs, START - timedelta(seconds=1))
        found = list(parse_schedule(f"cron({ours} *)").firings(START, START.replace(year=2025)))
        expected = [there.get_next(datetime) for _ in range(len(found) + 1)]
        assert (found, expected[-1].year) == (expected[:-1], 2025), (theirs, ours)


def _aws_weekday(text: str) -> str:
    if text.startswith("L"):
        return f"{int(text[1:]) + 1}L"
    shifted = "".join(str(int(letter) + 1) if letter.isdigit() else letter for letter in text.split("#")[0])
    return "#".join((shifted, *text.split("#")[1:]))


def test_every_firing_follows_from_the_one_before() -> None:
    expression = parse_schedule("cron(*/7 3,4 ? * SUN *)", "America/New_York")
    moments = list(expression.firings(START, START + timedelta(days=366)))
    assert [expression.next_after(moment) for moment in moments[:-1]] == moments[1:]

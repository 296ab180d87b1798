"""Cron expressions: what is read, what is refused and why, and what AWS is told."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from treadle_infra.app.cron import CronExpression, parse_cron
from treadle_infra.app.cron_fields import FIELDS, CronProblem
from treadle_infra.app.cron_readings import MotiaVersion, refuse_other_readings
from treadle_infra.app.model import CronDialect, CronTrigger
from treadle_infra.topology.firings import next_firings
from treadle_infra.topology.offsets import utc_offsets
from treadle_infra.topology.schedules import aws_cron, aws_schedule, guard_manifest

NODE_READINGS: dict[str, dict[str, list[int] | None]] = json.loads(
    Path(__file__).with_name("test_cron_node_readings.json").read_text(encoding="utf-8")
)
"""Fields as node-cron 3.0.3 reads them, by the field's name: the values that it fires at, null where it refuses."""
LONGEST = 256
"""Characters of an expression that AWS takes.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
"""


def judged(text: str, dialect: CronDialect = "and", version: MotiaVersion = "0.x") -> CronExpression | CronProblem:
    """The expression, or why it is refused, as discovery judges it."""
    try:
        expression = parse_cron(text, dialect)
        if dialect == "and":
            refuse_other_readings(text, version)
    except CronProblem as problem:
        return problem
    return expression


def refusal(text: str, dialect: CronDialect = "and", version: MotiaVersion = "0.x") -> CronProblem:
    found = judged(text, dialect, version)
    assert isinstance(found, CronProblem)
    return found


# in AWS's words


@pytest.mark.parametrize(
    ("text", "aws"),
    [
        ("* * * * *", "cron(* * * * ? *)"),
        ("*/5 * * * *", "cron(0/5 * * * ? *)"),
        ("*/15 9-17 * * 1-5", "cron(0/15 9-17 ? * MON-FRI *)"),
        ("0 9 * * *", "cron(0 9 * * ? *)"),
        ("0 */6 * * *", "cron(0 0/6 * * ? *)"),
        ("30 5 * * TUE", "cron(30 5 ? * TUE *)"),
        ("0 2 1,15 * *", "cron(0 2 1,15 * ? *)"),
        ("* * 1 * *", "cron(* * 1 * ? *)"),
        ("0 0 1 January,jul *", "cron(0 0 1 1,7 ? *)"),
        ("0 0 * * 0", "cron(0 0 ? * SUN *)"),
        ("0 0 * * 7", "cron(0 0 ? * SUN *)"),
        ("0 0 * * 5,6,7", "cron(0 0 ? * SUN,FRI,SAT *)"),
        ("0 0 ? * mon", "cron(0 0 ? * MON *)"),
        ("0 0 1 * ?", "cron(0 0 1 * ? *)"),
        ("7-59/10 * * * *", "cron(7/10 * * * ? *)"),
        ("7-50/10 * * * *", "cron(7,17,27,37,47 * * * ? *)"),
        ("1,2,3,7,9,10 * * * *", "cron(1-3,7,9,10 * * * ? *)"),
        ("0 0 29 2 *", "cron(0 0 29 2 ? *)"),
        ("00 09 * * *", "cron(0 9 * * ? *)"),
        ("\t0  9 * * * ", "cron(0 9 * * ? *)"),
        ("0 0 9 * * *", "cron(0 9 * * ? *)"),
        ("0 0 9 * * mon 2030", "cron(0 9 ? * MON 2030)"),
        ("0 0 9 * * * 2030-2032,2040", "cron(0 9 * * ? 2030-2032,2040)"),
        ("0 0 9 1 1 * 1970-2199/2", "cron(0 9 1 1 ? 1970/2)"),
    ],
)
def test_an_expression_is_written_as_aws_takes_it(text: str, aws: str) -> None:
    schedule = aws_cron(parse_cron(text))
    assert (schedule.expression, schedule.guard) == (aws, None)


@pytest.mark.parametrize(
    ("text", "dialect", "aws", "guard"),
    [
        ("0 0 13 * 5", "and", "cron(0 0 13 * ? *)", {"daysOfMonth": [13], "daysOfWeek": [5]}),
        ("0 9 1-7 * mon", "and", "cron(0 9 ? * MON *)", {"daysOfMonth": [1, 2, 3, 4, 5, 6, 7], "daysOfWeek": [1]}),
        ("0 0 13 * 5", "unix", "cron(0 0 * * ? *)", {"daysOfMonth": [13], "daysOfWeek": [5], "any": True}),
        ("0 0 13 * *", "unix", "cron(0 0 13 * ? *)", None),
        ("0 0 * * 5-7", "unix", "cron(0 0 ? * SUN,FRI,SAT *)", None),
        ("0 0 1-31 * *", "unix", "cron(0 0 * * ? *)", None),
    ],
)
def test_two_fields_of_days_are_more_than_aws_knows_and_need_a_guard(
    text: str, dialect: CronDialect, aws: str, guard: object
) -> None:
    trigger = CronTrigger(text, None, dialect)
    assert aws_schedule(trigger).expression == aws
    assert guard_manifest(trigger) == guard


def test_a_guard_in_a_timezone_knows_its_clocks() -> None:
    document = guard_manifest(CronTrigger("0 0 13 * 5", "Europe/Berlin"))
    assert isinstance(document, dict)
    offsets = document["offsets"]
    assert isinstance(offsets, list)
    spring, autumn = datetime(2025, 3, 30, 1, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC)
    assert offsets[:3] == [
        [int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()), 3600],
        [int(spring.timestamp()), 7200],
        [int(autumn.timestamp()), 3600],
    ]
    assert len(offsets) == 1 + 2 * 21
    assert guard_manifest(CronTrigger("0 0 13 * *", "Europe/Berlin")) is None


@pytest.mark.parametrize(
    "timezone",
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Chatham",
        "America/Santiago",
        "Asia/Tehran",
    ],
)
def test_the_offsets_are_those_of_the_database_at_every_hour(timezone: str) -> None:
    offsets = list(utc_offsets(timezone))
    assert [begins for begins, _ in offsets] == sorted({begins for begins, _ in offsets})
    zone, moment, held = ZoneInfo(timezone), datetime(2025, 1, 1, tzinfo=UTC), 0
    while moment.year < 2046:
        while offsets and offsets[0][0] <= moment.timestamp():
            held = offsets.pop(0)[1]
        assert moment.astimezone(zone).utcoffset() == timedelta(seconds=held), moment
        moment += timedelta(minutes=30) if moment.day in (1, 2) else timedelta(hours=7)
    assert offsets == []


# what is refused


@pytest.mark.parametrize("second", ["0", "00", "*/60", "0-59/60", "*/90", "*/3600"])
def test_a_second_that_is_only_the_first_is_none(second: str) -> None:
    assert parse_cron(f"{second} 0 9 * * mon") == parse_cron("0 9 * * mon")


@pytest.mark.parametrize(
    ("text", "code", "says", "hint"),
    [
        ("*/59 * * * * *", "cron-seconds-not-possible", "got `*/59`", "did you mean `* * * * *`?"),
        ("30 0 9 * * *", "cron-seconds-not-possible", "got `30`", "did you mean `0 9 * * *`?"),
        ("* * * * * *", "cron-seconds-not-possible", "no seconds", "did you mean `* * * * *`?"),
        ("5 0 9 * * * 2030", "cron-seconds-not-possible", "7 fields", "did you mean `0 0 9 * * * 2030`?"),
        ("", "cron-expression-invalid", "has 0", "write five fields"),
        ("* * * *", "cron-expression-invalid", "has 4", "write five fields"),
        ("0 0 0 1 1 * * *", "cron-expression-invalid", "has 8", "write five fields"),
        ("@daily", "cron-expression-invalid", "`@daily` is a shorthand", "write `0 0 * * *`"),
        ("@reboot", "cron-expression-invalid", "`@reboot` is a shorthand", "write five fields"),
        ("60 * * * *", "cron-expression-invalid", "the minute must be 0 to 59; got `60`", None),
        ("0 24 * * *", "cron-expression-invalid", "the hour must be 0 to 23; got `24`", None),
        ("0 0 0 * *", "cron-expression-invalid", "the day of the month must be 1 to 31; got `0`", None),
        ("0 0 1 13 *", "cron-expression-invalid", "the month must be 1 to 12, or jan to dec; got `13`", None),
        ("0 0 * * 8", "cron-expression-invalid", "the day of the week must be 0 to 7, or sun to sat; got `8`", None),
        ("0 0 1 janu *", "cron-expression-invalid", "got `janu`", "did you mean `jan`?"),
        ("0 0 * * tues", "cron-expression-invalid", "got `tues`", "did you mean `tue`?"),
        ("0 0 * * jan", "cron-expression-invalid", "day of the week must be", None),
        ("0 0 0 1 1 * 1969", "cron-expression-invalid", "the year must be 1970 to 2199", None),
        ("0 22-2 * * *", "cron-expression-invalid", "ends before it begins", "write `0-2,22,23`"),
        ("0 0 * * fri-mon", "cron-expression-invalid", "ends before it begins", "write `sun,mon,fri,sat`"),
        ("0 0 0 1 1 * 2032-2030", "cron-expression-invalid", "ends before it begins", "write `2030-2032`"),
        ("*/90 * * * *", "cron-expression-invalid", "a step in the minute must be 1 to 60", "write `0`"),
        ("*/0 * * * *", "cron-expression-invalid", "a step in the minute must be 1 to 60", None),
        ("1,,2 * * * *", "cron-expression-invalid", "an entry in the list of the minute is empty", "comma"),
        ("1-2-3 * * * *", "cron-expression-invalid", "`1-2-3` is not a value", "for example"),
        ("*-5 * * * *", "cron-expression-invalid", "`*-5` is not a value", "for example"),
        ("0 0 L * *", "cron-expression-invalid", "`L` in the day of the month is of another dialect", "in the handler"),
        ("0 0 15W * *", "cron-expression-invalid", "of another dialect", "in the handler"),
        ("0 0 * * MON#1", "cron-expression-invalid", "of another dialect", "in the handler"),
        ("\u0663 * * * *", "cron-expression-invalid", "is not a value", "for example"),
        ("0 0 30 2 *", "cron-never-fires", "there is no day 30 in February", None),
        ("0 0 31 apr,jun *", "cron-never-fires", "there is no day 31 in April or June", None),
        ("0 0 0 29 2 * 2030", "cron-never-fires", "its years have no such day", None),
        ("0 0 0 1 1 mon 2030", "cron-never-fires", "its years have no such day", None),
        ("0 0 */2 * *", "cron-expression-ambiguous", "to crontab, but `2,4,6,8,", "or `2,4,6,8,10,12,"),
        (
            "0 9-17/2 * * *",
            "cron-expression-ambiguous",
            "`10,12,14,16` to Motia 0.x",
            "`9,11,13,15,17` or `10,12,14,16`",
        ),
        ("5/15 * * * *", "cron-expression-ambiguous", "nothing to Motia 0.x", "which you mean: `5,20,35,50`"),
        ("0 0 * * 1-7", "cron-expression-ambiguous", "`1-7` as the day of the week means `*`", "`*` or `sun,mon`"),
        ("*/15,20 * * * *", "cron-expression-ambiguous", "`*` to Motia 0.x", "`0,15,20,30,45` or `*`"),
        ("5-5 * * * *", "cron-expression-ambiguous", "a range with one value", "write `5`"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(text: str, code: str, says: str, hint: str | None) -> None:
    found = refusal(text)
    assert (found.code, found.hint is None) == (code, hint is None)
    assert says in found.message
    assert (hint or "") in (found.hint or "")


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("0 0 */2 * 1", "`*/2` restricts the day of the month", "write `1,3,5,"),
        ("0 0 1-31 * 1", "`1-31` restricts", "write `*`"),
        ("0 0 13 * 0-6", "`0-6` restricts the day of the week", "write `*`"),
        ("0 0 * * 1/2", "7 is 0 too", "write `mon,wed,fri`"),
    ],
)
def test_what_crons_differ_on_is_refused_in_the_unix_dialect(text: str, says: str, hint: str) -> None:
    found = refusal(text, "unix")
    assert found.code == "cron-expression-ambiguous"
    assert says in found.message
    assert hint in (found.hint or "")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0 0 9 * * 1", "`mon` or `sun`"),
        ("0 0 9 * * 1-5", "`mon-fri` or `sun-thu`"),
        ("0 0 9 * * 0 2030", "which you mean: `sun`"),
    ],
)
def test_motia_1_counts_days_from_one_so_they_go_by_name(text: str, hint: str) -> None:
    found = refusal(text, version="1.0")
    assert found.code == "cron-expression-ambiguous"
    assert (found.hint or "").endswith(hint)


@pytest.mark.parametrize("text", ["0 9 * * 1", "0 0 9 * * mon-fri", "0 5/15 9-17/2 */2 * *", "0 0 9 ? * sat"])
def test_steps_of_motia_1_are_those_of_crontab(text: str) -> None:
    refuse_other_readings(text, "1.0")


def test_all_that_is_taken_means_the_same_to_node_cron() -> None:
    taken = refused = 0
    for number, field in enumerate(FIELDS[:5]):
        for part, values in NODE_READINGS[field.name].items():
            text = " ".join(part if place == number else "*" for place in range(5))
            found = judged(text)
            if isinstance(found, CronProblem):
                refused += 1
                if "Motia" in found.message:
                    assert values != fields_of(parse_cron(text))[number], part
            elif part != "?":
                taken += 1
                assert fields_of(found)[number] == values, part
    assert taken > 150, f"{taken} taken, {refused} refused"
    assert refused > 400, f"{taken} taken, {refused} refused"


def fields_of(cron: CronExpression) -> list[list[int]]:
    return [sorted(values) for values in (cron.minutes, cron.hours, cron.days_of_month, cron.months, cron.days_of_week)]


@given(st.text(max_size=30))
@example("0 0 1 1 *")
@example("0" * 5000 + " * * * * *")
@example("* * * * " + "9" * 5000)
def test_any_text_is_judged_without_failing(text: str) -> None:
    for found in (judged(text), judged(text, "unix"), judged(text, version="1.0")):
        if isinstance(found, CronProblem):
            assert re.fullmatch(r"cron-[a-z-]+", found.code)
        else:
            assert aws_cron(found).expression.startswith("cron(")


sets = [st.sets(st.sampled_from(list(field.everything)), min_size=1) for field in FIELDS[:5]]


@given(*sets)
def test_no_expression_is_too_long_for_aws(
    minutes: set[int], hours: set[int], days: set[int], months: set[int], weekdays: set[int]
) -> None:
    fields = (",".join(map(str, sorted(values))) for values in (minutes, hours, days, months, weekdays))
    found = judged(" ".join(fields))
    if isinstance(found, CronProblem):
        assert found.code == "cron-never-fires"
    else:
        assert len(aws_cron(found).expression) <= LONGEST


def test_the_longest_expression_is_short_enough_for_aws() -> None:
    pairs = [",".join(str(value) for value in field.everything if value % 3 != 2) for field in FIELDS[:4]]
    assert len(aws_cron(parse_cron(f"{' '.join(pairs)} *")).expression) <= LONGEST
    assert len(aws_cron(parse_cron(f"{pairs[0]} {pairs[1]} * {pairs[3]} 0,1,3,4,6")).expression) <= LONGEST


# when it fires


def test_an_expression_matches_minutes_by_the_wall_clock() -> None:
    expression = parse_cron("*/15 9 13 * 5")
    assert expression.matches(datetime(2026, 11, 13, 9, 45, 59))
    assert not expression.matches(datetime(2026, 11, 13, 9, 46))
    assert not expression.matches(datetime(2026, 10, 13, 9, 45))
    assert parse_cron("*/15 9 13 * 5", "unix").matches(datetime(2026, 10, 13, 9, 45, tzinfo=ZoneInfo("Asia/Tokyo")))


def fires(text: str, after: str, count: int, timezone: str | None = None, dialect: CronDialect = "and") -> list[str]:
    trigger = CronTrigger(text, timezone, dialect)
    return [moment.isoformat() for moment in next_firings(trigger, datetime.fromisoformat(after), count)]


def test_the_next_firings_are_told_in_the_triggers_timezone() -> None:
    assert fires("0 9 * * 1-5", "2026-03-27T09:00:00+00:00", 2) == [
        "2026-03-30T09:00:00+00:00",
        "2026-03-31T09:00:00+00:00",
    ]
    assert fires("0 9 * * *", "2026-03-28T09:00:00+00:00", 2, "Europe/Berlin") == [
        "2026-03-29T09:00:00+02:00",
        "2026-03-30T09:00:00+02:00",
    ]
    assert fires("0 0 13 * 5", "2026-01-01T00:00:00+00:00", 2, dialect="unix") == [
        "2026-01-02T00:00:00+00:00",
        "2026-01-09T00:00:00+00:00",
    ]
    assert fires("0 0 29 2 mon", "2026-01-01T00:00:00+00:00", 1) == ["2044-02-29T00:00:00+00:00"]
    assert fires("0 0 0 1 1 * 2027", "2026-06-01T00:00:00+00:00", 5) == ["2027-01-01T00:00:00+00:00"]
    assert fires("0 0 * * *", "2026-06-01T00:00:00+00:00", 0) == []


def test_a_time_that_the_clocks_leave_out_is_left_out_and_one_that_comes_twice_fires_once() -> None:
    assert fires("30 2 * * *", "2026-03-28T02:00:00+00:00", 2, "Europe/Berlin") == [
        "2026-03-30T02:30:00+02:00",
        "2026-03-31T02:30:00+02:00",
    ]
    assert fires("30 2 * * *", "2026-10-24T12:00:00+00:00", 2, "Europe/Berlin") == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]

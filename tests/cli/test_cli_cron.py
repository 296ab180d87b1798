"""`treadle cron list` and `treadle cron run`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from support.command import treadle
from support.dev import Dev, wait_until
from support.projects import api_step, write


def cron_step(name: str, expression: str, body: str, extra: str = "") -> str:
    config = f'config = {{"name": "{name}", "type": "cron", "cron": "{expression}", "emits": []{extra}}}'
    return f"{config}\n\n\nasync def handler(context):\n{body}\n"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """Cron steps in UTC and in a timezone, one on a day that seldom is, and one that fails."""
    project = tmp_path_factory.mktemp("cron")
    write(project, "steps/daily_step.py", cron_step("Daily", "0 9 * * *", '    await context.state.set("ran", "1", 1)'))
    zone = ', "timezone": "Europe/Berlin"'
    write(project, "steps/berlin_step.py", cron_step("Berlin", "30 8 * * 1-5", "    pass", zone))
    write(project, "steps/rare_step.py", cron_step("Rare", "0 0 29 2 1", '    context.logger.info("at last")'))
    write(project, "steps/fail_step.py", cron_step("Fail", "0 0 * * *", '    raise ValueError("no night")'))
    write(project, "steps/api_step.py", api_step("Api", '    return {"body": {}}'))
    with Dev(project, "--no-watch", "--clock", "manual") as running:
        yield running


def test_the_next_three_times_of_each_schedule_are_listed_for_people(dev: Dev) -> None:
    done = treadle("cron", "list", "-C", dev.project)

    assert (done.code, done.err) == (0, "")
    blocks = re.split(r"^(?=\S)", done.out, flags=re.MULTILINE)[1:]
    heads = [block.splitlines()[0] for block in blocks]
    assert sorted(heads) == [
        "Berlin  30 8 * * 1-5  Europe/Berlin",
        "Daily  0 9 * * *",
        "Fail  0 0 * * *",
        "Rare  0 0 29 2 1",
    ]
    daily = next(block for block in blocks if block.startswith("Daily"))
    times = re.findall(r"^  \w{3} (\d{4}-\d\d-\d\d) 09:00 UTC   in \d+ \w+", daily, re.MULTILINE)
    days = [datetime.fromisoformat(time) for time in times]
    assert [later - earlier for earlier, later in pairwise(days)] == [timedelta(days=1)] * 2
    assert re.search(r"  \w{3} \S+ 0[67]:30 UTC   (Mon|Tue|Wed|Thu|Fri) \S+ 08:30 Europe/Berlin   in ", done.out)


def test_the_same_is_there_for_programs_by_the_emulators_clock(dev: Dev) -> None:
    def first() -> datetime:
        told = treadle("cron", "list", "--json", "-C", dev.project).json()["schedules"]
        (berlin,) = [one for one in told if one["step"] == "Berlin"]
        assert (berlin["number"], berlin["expression"], berlin["timezone"]) == (1, "30 8 * * 1-5", "Europe/Berlin")
        times = [datetime.fromisoformat(time.replace("Z", "+00:00")) for time in berlin["next"]]
        assert times == sorted(set(times))
        local = [time.astimezone(ZoneInfo("Europe/Berlin")) for time in times]
        assert all((time.hour, time.minute) == (8, 30) and time.isoweekday() <= 5 for time in local)
        return times[0]

    before = first()
    dev.advance(7 * 86_400)

    assert timedelta(days=6) <= first() - before <= timedelta(days=8)


def test_a_cron_step_runs_now_whatever_the_day(dev: Dev) -> None:
    daily = treadle("cron", "run", "Daily", "--json", "-C", dev.project)
    rare = treadle("cron", "run", "Rare", "-C", dev.project)

    assert (daily.code, daily.err) == (0, "")
    told = daily.json()
    assert (told["step"], told["result"]) == ("Daily", "ok")
    assert told["schedule"].endswith("--dev--Daily")
    item = dev.client("dynamodb").get_item(
        TableName=f"{told['schedule'].removesuffix('Daily')}state", Key={"group": {"S": "ran"}, "key": {"S": "1"}}
    )["Item"]
    assert item["value"] == {"N": "1"}
    assert (rare.code, rare.err) == (0, "Rare  ok\n")
    record = wait_until("its record", lambda: dev.first("handled", step="Rare"))["record"]
    assert (record["traceId"], record["trigger"]["manual"]) == (rare.out.strip(), True)
    shown = treadle("trace", rare.out.strip(), "-C", dev.project).out
    assert "✓ Rare" in shown
    assert "cron, by hand" in shown


def test_a_cron_step_that_fails_is_told_with_its_stack(dev: Dev) -> None:
    done = treadle("cron", "run", "Fail", "-C", dev.project)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith('ValueError: no night\n  File "steps/fail_step.py", line 5, in handler\n')
    trace_id = done.err.rpartition("\ntrace ")[2].strip()
    told = treadle("trace", trace_id, "--json", "-C", dev.project).json()
    assert (told["result"], told["roots"][0]["trigger"]["manual"]) == ("error", True)


def test_a_firing_that_fails_to_the_end_says_where_its_record_is(tmp_path: Path) -> None:
    project = write(tmp_path / "night", "steps/a_step.py", cron_step("Fail", "0 0 * * *", '    raise ValueError("no")'))
    with Dev(project, "--no-watch", "--clock", "manual") as dev:
        now = dev.request(dev.endpoint, "GET", "/__treadle/clock", None, None).json()["now"]
        dev.advance(86_400 - now % 86_400 + 0.1)

        def end() -> dict[str, Any] | None:
            dev.advance(1)
            return dev.first("trouble", step="Fail")

        trouble = wait_until("the end", end)
        record = dev.all("handled", step="Fail")[0]["record"]
        told = treadle("trace", record["traceId"], "--json", "-C", project).json()

    queue = "night--dev--Fail--dead"
    assert trouble["text"] == f"given up after 3 attempts: ValueError: no; AWS's record of it is in {queue}"
    assert [attempt["result"] for attempt in told["roots"][0]["attempts"]] == ["retry", "retry", "dead-letter"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Nobody",), "error[no-such-step]: there is no step `Nobody`\nhint: the cron steps are: Berlin, "),
        (("dialy",), "error[no-such-step]: there is no step `dialy`\nhint: did you mean `Daily`? the cron steps are: "),
        (("Api",), "error[no-such-schedule]: step `Api` has no cron trigger\nhint: the cron steps are: Berlin, "),
        (("Daily", "--schedule", "2"), "error[no-such-schedule]: step `Daily` has no schedule 2\nhint: it has 1: 0 9"),
    ],
)
def test_what_cannot_be_run_is_told(dev: Dev, arguments: tuple[str, ...], told: str) -> None:
    done = treadle("cron", "run", *arguments, "-C", dev.project)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(told)


def test_without_an_emulator_one_is_told_how_to_start_it(tmp_path: Path) -> None:
    for arguments in (("list",), ("run", "Daily")):
        done = treadle("cron", *arguments, "-C", tmp_path)

        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("error[not-running]: no emulator runs for ")

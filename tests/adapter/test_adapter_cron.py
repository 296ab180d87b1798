"""A step that runs on a schedule: what its handler gets, which days it leaves out, what becomes of a failure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.cron_guard import Guard

from .fake_aws import FakeAws
from .step_folder import API, CRON, EVENT, SCHEDULE, StepFolder, batch, firing, message, request, scheduled

TIME = "2026-07-14T09:00:00Z"
DECORATED = """
import functools

def named(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)
    return wrapper

def bare(function):
    def wrapper(*args):
        return function(*args)
    return wrapper

@named
async def both(input, context):
    context.logger.info("both")

@named
async def alone(context):
    context.logger.info("alone")

@bare
def unnamed(context):
    context.logger.info("unnamed")
"""


@pytest.fixture
def step(folder: StepFolder) -> StepFolder:
    return folder.manifest(triggers=[CRON])


@pytest.mark.parametrize("event", [firing(), scheduled(), scheduled(event_id="manual-ab", manual=True)])
def test_a_handler_with_one_parameter_gets_the_context(step: StepFolder, event: dict[str, Any]) -> None:
    step.step(
        "async def handler(context):\n    context.logger.info('ran', {'at': context.trace_id, 'in': context.flows})\n"
    )
    run = step.run(event, entry="cron")
    (line,) = run.lines("info")
    (record,) = run.records
    assert (line["at"], line["in"]) == (record["traceId"], ["things"])
    assert run.answer.result == {"traceId": record["traceId"], "result": "ok"}
    manual = {"manual": True} if event.get("treadle.cron", {}).get("manual") else {}
    assert record["trigger"] == {"kind": "cron", "schedule": SCHEDULE, "time": TIME, **manual}
    assert (record["result"], record["hops"], record["parentId"]) == ("ok", 0, None)


@pytest.mark.parametrize(
    "definition",
    [
        "def handler(input, context):",
        "async def handler(_, context):",
        "def handler(input, context=None):",
        "class Handler:\n  def __call__(self, input, context):",
    ],
)
def test_a_handler_with_two_parameters_gets_the_time_too(step: StepFolder, definition: str) -> None:
    name = "_" if "(_" in definition else "input"
    step.step(f"{definition}\n      context.logger.info('got', {name})\n")
    if "class" in definition:
        step.step(f"{definition}\n      context.logger.info('got', input)\nhandler = Handler()\n")
    (line,) = step.run(firing(), entry="cron").lines("info")
    assert line["schedule"] == SCHEDULE
    assert line["_time"] == TIME


@pytest.mark.parametrize("name", ["both", "alone", "unnamed"])
def test_a_decorated_handler_gets_what_the_function_inside_takes(step: StepFolder, name: str) -> None:
    step.write("steps/thing_step.py", f"{DECORATED}\nhandler = {name}\n")
    assert [line["msg"] for line in step.run(firing(), entry="cron").lines("info")] == [name]


def test_a_handler_may_do_on_a_schedule_what_it_may_do_elsewhere(step: StepFolder, aws: FakeAws) -> None:
    step.step("""
        async def handler(context):
            await context.state.set("g", "k", 1)
            await context.streams.things.set("g", "i", {"a": 1})
            await context.emit({"topic": "thing.made", "data": {}})
    """)
    (record,) = step.run(firing(), entry="cron", environment=aws.environment).records
    assert (record["state"]["set"], record["streams"]["things"]["set"]) == (1, 1)
    metadata = json.loads(aws.of("Publish")[0]["MessageAttributes.entry.1.Value.StringValue"])
    assert (metadata["traceId"], metadata["hops"]) == (record["traceId"], 1)
    assert metadata["traceparent"] == f"00-{record['w3cId']}-{record['spanId']}-01"


def test_a_firing_that_is_tried_again_is_the_same_trace(step: StepFolder) -> None:
    other = firing(id="0b0dc4d3-cffa-4f76-80c9-8b7d4a4d2eaa")
    events = [firing(), firing(), other, scheduled(), scheduled(), scheduled(event_id="e32c5kddcf5bb8c3")]
    records = step.run(*events, entry="cron").records
    ids = [(record["traceId"], record["w3cId"]) for record in records]
    assert ids[0] == ids[1]
    assert ids[3] == ids[4]
    assert len(set(ids)) == 4
    assert len({record["spanId"] for record in records}) == 6
    assert records[0]["w3cId"] == "53dc4d37cffa4f7680c98b7d4a4d2eaa"


def test_a_failure_is_raised_for_lambda_to_try_again(step: StepFolder) -> None:
    step.step("async def handler(context):\n    raise LookupError('gone')\n")
    run = step.run(firing(), entry="cron")
    assert (run.answer.error, run.answer.message) == ("LookupError", "gone")
    (record,) = run.records
    assert (record["result"], record["error"]["type"]) == ("error", "LookupError")
    assert run.lines("error")[0]["msg"] == f"Step failed on the schedule {SCHEDULE}"


def test_a_handler_that_wants_out_does_not_end_the_process(step: StepFolder) -> None:
    step.step("def handler(context):\n    raise SystemExit(3)\n")
    run = step.run(firing(), firing(), {"treadle.invoke": {}}, entry="cron")
    assert [answer.error for answer in run.answers] == ["HandlerStopped"] * 3
    assert run.answers[0].message == "SystemExit: 3"
    assert [record["error"]["type"] for record in run.records] == ["SystemExit"] * 3


def test_a_handler_that_takes_too_long_is_ended(step: StepFolder) -> None:
    step.manifest(triggers=[CRON], timeoutSeconds=1)
    step.step("import threading\n\ndef handler(context):\n    threading.Event().wait(20)\n")
    run = step.run(firing(), entry="cron", remaining_ms=(700,))
    assert run.answer.error == "HandlerStopped"
    assert run.answer.message.startswith("HandlerTimeout: the handler took longer than 0.2 s")
    assert run.records[0]["durationMs"] < 5000


def test_a_step_that_cannot_be_loaded_fails_its_firings(step: StepFolder) -> None:
    run = step.step("import nowhere_to_be_found\n").run(firing(), entry="cron")
    assert run.answer.error == "ModuleNotFoundError"
    assert run.records[0]["result"] == "error"


def test_a_firing_on_a_day_that_the_schedule_leaves_out_runs_nothing(step: StepFolder) -> None:
    step.manifest(triggers=[{**CRON, "guard": {"daysOfMonth": [13], "daysOfWeek": [5]}}])
    step.step("def handler(context):\n    context.logger.info('ran')\n")
    days = ["2026-02-13T09:00:00Z", "2026-04-13T09:00:00Z", "2026-02-20T09:00:00Z", "2026-03-13T09:00:00Z"]
    events = [event for day in days for event in (firing(day), scheduled(day))]
    run = step.run(*events, scheduled(days[1], manual=True), entry="cron")
    results = ["ok", "ok", "skipped", "skipped", "skipped", "skipped", "ok", "ok", "ok"]
    assert [record["result"] for record in run.records] == results
    assert [answer.result["result"] for answer in run.answers] == results
    assert len(run.lines("info")) == 5
    assert run.records[2]["trigger"]["time"] == days[1]


def test_a_guard_with_any_needs_one_of_the_two(step: StepFolder) -> None:
    step.manifest(triggers=[{**CRON, "guard": {"daysOfMonth": [13], "daysOfWeek": [5], "any": True}}])
    days = ["2026-04-13T09:00:00Z", "2026-02-20T09:00:00Z", "2026-02-21T09:00:00Z"]
    records = step.run(*map(firing, days), entry="cron").records
    assert [record["result"] for record in records] == ["ok", "ok", "skipped"]


def test_a_guard_counts_days_by_its_zones_clocks(step: StepFolder) -> None:
    """Midnight in Berlin is an evening of the day before in UTC, by an hour in winter and by two in summer."""
    offsets = [[1743296400, 7200], [1761440400, 3600], [1774746000, 7200], [1792890000, 3600]]
    step.manifest(triggers=[{**CRON, "timezone": "Europe/Berlin", "guard": {"daysOfMonth": [1], "offsets": offsets}}])
    times = {
        "2026-06-30T21:59:59Z": "skipped",
        "2026-06-30T22:00:00Z": "ok",
        "2026-07-01T21:59:59Z": "ok",
        "2026-01-31T22:30:00Z": "skipped",
        "2026-01-31T23:00:00Z": "ok",
    }
    records = step.run(*map(scheduled, times), entry="cron").records
    assert [record["result"] for record in records] == list(times.values())


@given(
    st.datetimes(datetime(2025, 6, 1), datetime(2027, 6, 1), timezones=st.just(UTC)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC"]),
    st.frozensets(st.integers(1, 31), min_size=1) | st.none(),
    st.frozensets(st.integers(0, 6), min_size=1) | st.none(),
    st.booleans(),
)
def test_a_guard_agrees_with_the_calendar(
    instant: datetime, zone: str, month: frozenset[int] | None, week: frozenset[int] | None, either: bool
) -> None:
    local = instant.astimezone(ZoneInfo(zone))
    verdicts = [local.day in month] if month is not None else []
    verdicts += [(local.weekday() + 1) % 7 in week] if week is not None else []
    wanted = not verdicts or (any(verdicts) if either else all(verdicts))
    guard = Guard(month, week, offsets_of(zone), either=either)
    assert guard.admits(instant.isoformat().replace("+00:00", "Z")) is wanted


def offsets_of(zone: str) -> list[tuple[int, int]]:
    """The zone's offsets between 2025 and 2028, found hour by hour."""
    found: list[tuple[int, int]] = []
    instant = datetime(2025, 1, 1, tzinfo=UTC)
    while instant.year < 2028:
        offset = instant.astimezone(ZoneInfo(zone)).utcoffset()
        assert offset is not None
        seconds = int(offset.total_seconds())
        if not found or found[-1][1] != seconds:
            found.append((int(instant.timestamp()), seconds))
        instant += timedelta(hours=1)
    return found


def test_a_firing_of_another_schedule_is_refused(step: StepFolder) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        (firing(resources=["arn:aws:events:us-east-2:123456789012:rule/other"]), "rule/other fits no trigger"),
        (firing(source="mine"), "fits no trigger of step Step (triggers: cron 0 9 * * *)"),
        (firing(**{"detail-type": "Other"}), "fits no trigger"),
        (firing(resources=[]), "fits no trigger"),
        ({"treadle.cron": {"schedule": "other", "time": TIME, "id": "1"}}, "has no schedule `other`"),
        ({"treadle.cron": {"schedule": SCHEDULE}}, '"treadle.cron" must be'),
        ({"treadle.cron": []}, '"treadle.cron" must be'),
    ]
    for (_, words), answer in zip(cases, step.run(*(case[0] for case in cases), entry="cron").answers, strict=True):
        assert answer.error == "UnroutableEvent"
        assert words in answer.message


def test_a_time_that_is_none_is_an_error_where_days_matter(step: StepFolder) -> None:
    step.manifest(triggers=[{**CRON, "guard": {"daysOfMonth": [13]}}])
    answer = step.run(scheduled("<aws.scheduler.scheduled-time>"), entry="cron").answer
    assert answer.error == "UnroutableEvent"
    assert "is not the time of a firing" in answer.message


def test_a_step_may_have_several_schedules_and_other_triggers_beside_them(folder: StepFolder, aws: FakeAws) -> None:
    second = {**CRON, "number": 1, "guard": {"daysOfMonth": [1]}}
    folder.manifest(triggers=[API, EVENT, CRON, second])
    folder.step("def handler(given, context):\n    return {'body': given}\n")
    other = firing(resources=[f"arn:aws:events:us-east-2:123456789012:rule/{SCHEDULE}--2"])
    for entry in ("api", "event", "cron"):
        run = folder.run(request("{}"), batch(message()), firing(), other, entry=entry, environment=aws.environment)
        assert [answer.error for answer in run.answers] == [None] * 4
        assert [record["trigger"]["kind"] for record in run.records] == ["api", "event", "cron", "cron"]
        assert [record["result"] for record in run.records] == ["ok", "ok", "ok", "skipped"]


def test_treadle_invoke_runs_a_step_that_has_schedules_only_as_they_do(step: StepFolder) -> None:
    alone = step.step("def handler(context):\n    return context.trace_id\n")
    answer = alone.run({"treadle.invoke": {"data": 1, "traceId": "t-1"}}, entry="cron").answer
    assert answer.result == {"result": "t-1", "traceId": "t-1"}
    both = step.step("def handler(input, context):\n    return input\n")
    answer = both.run({"treadle.invoke": {"data": [1]}}, entry="cron").answer
    assert answer.result["result"] == [1]

"""What takes a clock of its own to see: a machine that slept, retries over hours, clocks with very many timers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from treadle_local.aws.errors import AwsError
from treadle_local.clock import ManualClock, RealClock
from treadle_local.schedules.errands import DeadLetterQueue, Errand, Errands, Failure, RetryPolicy
from treadle_local.schedules.expressions import parse_schedule
from treadle_local.schedules.happenings import ScheduleHappening, Undelivered
from treadle_local.schedules.post import Post, Sender
from treadle_local.schedules.timetable import Plan, Timetable

START = datetime(2024, 1, 1, tzinfo=UTC)


class SleepyClock(ManualClock):
    """A clock of a machine that can be suspended: timers ring when it wakes, all late."""

    def sleep_through(self, seconds: float) -> None:
        due = [timer for when, _, timer, _ in sorted(self._timers) if when <= self._now + seconds]
        self._now += seconds
        for timer in due:
            if not timer.cancelled:
                timer.cancel()
                timer.callback()


class Book:
    """A timetable, and what it said."""

    def __init__(self, clock: ManualClock) -> None:
        self.fired: list[tuple[str, datetime, bool]] = []
        self.missed: list[tuple[str, int, datetime, datetime]] = []
        self.timetable = Timetable(
            clock,
            lambda key, moment, last: self.fired.append((key, moment, last)),
            lambda key, count, first, last: self.missed.append((key, count, first, last)),
        )


def test_after_a_sleep_only_what_is_due_now_fires_and_the_rest_is_told_as_missed() -> None:
    clock = SleepyClock(START.timestamp())
    book = Book(clock)
    book.timetable.put("minutely", Plan(parse_schedule("cron(* * * * ? *)")))
    book.timetable.put("noon", Plan(parse_schedule("cron(0 12 * * ? *)")))
    book.timetable.put("later", Plan(parse_schedule("cron(0 20 * * ? *)")))
    clock.sleep_through(13 * 3600 + 30)
    one, noon = START + timedelta(hours=13), START + timedelta(hours=12)
    assert book.fired == [("minutely", one, False)]
    assert book.missed == [
        ("minutely", 779, START + timedelta(minutes=1), one - timedelta(minutes=1)),
        ("noon", 1, noon, noon),
    ]
    clock.advance(60)
    assert book.fired[1:] == [("minutely", one + timedelta(minutes=1), False)]
    assert book.timetable.upcoming() == ("minutely", one + timedelta(minutes=2))


def test_a_thousand_schedules_over_a_week_fire_in_order_of_time() -> None:
    clock = ManualClock(START.timestamp())
    book = Book(clock)
    for number in range(1000):
        book.timetable.put(str(number), Plan(parse_schedule(f"cron({number % 60} {number % 24} * * ? *)")))
    clock.advance(7 * 86_400)
    moments = [moment for _, moment, _ in book.fired]
    assert len(moments) == 7 * 1000
    assert moments == sorted(moments)


def test_the_same_plan_again_keeps_the_phase_of_a_rate() -> None:
    clock = ManualClock(START.timestamp())
    book = Book(clock)
    plan = Plan(parse_schedule("rate(1 hour)"))
    book.timetable.put("rate", plan)
    clock.advance(1800)
    book.timetable.put("rate", plan)
    clock.advance(1800)
    assert [moment for _, moment, _ in book.fired] == [START + timedelta(hours=1)]
    book.timetable.drop("rate")
    clock.advance(86_400)
    assert len(book.fired) == 1
    assert book.timetable.upcoming() is None


def test_the_last_firing_is_known_to_be_the_last() -> None:
    clock = ManualClock(START.timestamp())
    book = Book(clock)
    end = START + timedelta(hours=2)
    book.timetable.put("twice", Plan(parse_schedule("cron(0 * * * ? *)"), end=end))
    clock.advance(86_400)
    assert [last for _, _, last in book.fired] == [False, True]


class Refusing(Post):
    """Takes nothing, and notes when it was asked to."""

    def __init__(self, clock: ManualClock, error: AwsError, takes_letters: bool = True) -> None:
        self.clock = clock
        self.error = error
        self.takes_letters = takes_letters
        self.asked: list[float] = []
        self.letters: list[Mapping[str, str]] = []

    def send(self, sender: Sender, target_arn: str, body: str) -> None:
        self.asked.append(self.clock.now())
        raise self.error

    def send_message(self, sender: Sender, arn: str, body: str, attributes: Mapping[str, str]) -> None:
        if not self.takes_letters:
            raise AwsError("QueueDoesNotExist", "no such queue", status=404)
        self.letters.append({"body": body, **attributes})


def errand(retry: RetryPolicy, *, dead_letters: bool = True) -> Errand:
    def letter(failure: Failure) -> tuple[str, Mapping[str, str]]:
        return "the event", {"retries": str(failure.retries), "exhausted": str(failure.exhausted)}

    sender = Sender("rule", "events.amazonaws.com")
    queue = DeadLetterQueue("queue", sender, letter) if dead_letters else None
    return Errand("name", sender, "target", str, retry, queue)


THROTTLED = AwsError("TooManyRequestsException", "Rate Exceeded.", status=429)
MISSING = AwsError("ResourceNotFoundException", "no such function", status=404)


def run(
    error: AwsError, retry: RetryPolicy, *, dead_letters: bool = True, takes_letters: bool = True
) -> tuple[Refusing, list[ScheduleHappening]]:
    clock, told = ManualClock(0.0), list[ScheduleHappening]()
    post = Refusing(clock, error, takes_letters)
    Errands(clock, post, told.append).run(errand(retry, dead_letters=dead_letters))
    clock.advance(2 * 86_400)
    return post, told


def test_what_may_pass_is_tried_again_ever_later_until_the_attempts_are_used_up() -> None:
    post, told = run(THROTTLED, RetryPolicy(attempts=4))
    assert post.asked == [0.0, 1.0, 3.0, 7.0, 15.0]
    assert post.letters == [{"body": "the event", "retries": "4", "exhausted": "MaximumRetryAttempts"}]
    assert told == []


def test_what_grows_too_old_is_given_up() -> None:
    post, _ = run(THROTTLED, RetryPolicy(age_seconds=60))
    assert post.asked == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0]
    assert post.letters == [{"body": "the event", "retries": "5", "exhausted": "MaximumEventAgeInSeconds"}]


def test_what_cannot_pass_is_not_tried_again() -> None:
    post, _ = run(MISSING, RetryPolicy())
    assert post.asked == [0.0]
    assert post.letters == [{"body": "the event", "retries": "0", "exhausted": "None"}]


def test_what_no_queue_takes_is_told_with_all_reasons() -> None:
    _, told = run(MISSING, RetryPolicy(), dead_letters=False)
    reason = "ResourceNotFoundException: no such function"
    assert told == [Undelivered("name", "rule", "target", f"{reason}; there is no dead-letter queue")]
    _, told = run(MISSING, RetryPolicy(), takes_letters=False)
    reason += "; dead-letter queue: QueueDoesNotExist: no such queue"
    assert told == [Undelivered("name", "rule", "target", reason)]


def test_what_waits_when_the_emulator_stops_is_told() -> None:
    clock, told = ManualClock(0.0), list[ScheduleHappening]()
    errands = Errands(clock, Refusing(clock, THROTTLED), told.append)
    errands.run(errand(RetryPolicy()))
    errands.close()
    clock.advance(3600)
    assert [type(happening) for happening in told] == [Undelivered]


def test_cancelled_timers_do_not_pile_up_while_the_clock_stands_still() -> None:
    clock = ManualClock(0.0)
    rung: list[float] = []
    clock.call_at(5.0, lambda: rung.append(clock.now()))
    for _ in range(10_000):
        clock.call_at(20.0, lambda: rung.append(clock.now())).cancel()
    assert len(clock._timers) < 1000  # pyright: ignore[reportPrivateUsage]
    clock.advance(30)
    assert rung == [5.0]


def test_the_manual_clock_arrives_where_sums_of_its_steps_say() -> None:
    clock, rung = ManualClock(1_763_829_960.123456), list[float]()
    clock.call_at(1_763_830_000.0, lambda: rung.append(clock.now()))
    clock.call_at(clock.now() + 100 * 0.7, lambda: rung.append(clock.now()))
    clock.advance(1_763_830_000.0 - clock.now())
    assert rung == [1_763_830_000.0]
    clock.advance(100 * 0.7 - (1_763_830_000.0 - 1_763_829_960.123456))
    assert len(rung) == 2


def test_a_timer_that_fails_keeps_no_other_from_its_turn() -> None:
    clock, rung = ManualClock(0.0), list[float]()

    def fail() -> None:
        raise RuntimeError("a bug")

    clock.call_at(1.0, fail)
    clock.call_at(2.0, lambda: rung.append(clock.now()))
    clock.advance(3.0)
    assert (rung, clock.now()) == ([2.0], 3.0)


def test_the_real_clock_rings_at_the_time_and_not_before() -> None:
    async def wait() -> tuple[float, float]:
        clock = RealClock()
        rung: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        when = clock.now() + 0.05
        clock.call_at(when, lambda: rung.set_result(clock.now()))
        clock.call_at(when - 0.02, lambda: rung.set_result(0.0)).cancel()
        return when, await rung

    when, rung = asyncio.run(wait())
    assert 0 <= rung - when < 5

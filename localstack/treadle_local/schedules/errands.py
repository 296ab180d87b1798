"""Events on their way to a target: tried again where that can help, then dead-lettered, never dropped in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from treadle_local.aws.errors import AwsError
from treadle_local.clock import Clock, Timer
from treadle_local.schedules.happenings import Tell, Undelivered
from treadle_local.schedules.post import Post, Sender

# AWS says no more than that the delays grow exponentially.
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 600.0
_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long and how often an event is tried again.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
    """

    attempts: int = 185
    age_seconds: int = 86_400

    @classmethod
    def of(cls, settings: Mapping[str, int] | None) -> RetryPolicy:
        """From AWS's shape, defaults filled in."""
        given = settings or {}
        return cls(given.get("MaximumRetryAttempts", cls().attempts), given.get("MaximumEventAgeInSeconds", 86_400))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an event was given up, after how many further tries, and which limit was reached, if any was."""

    error: AwsError
    retries: int
    exhausted: str | None


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """Where what was given up goes, and by what right; `letter` writes the body and the attributes."""

    arn: str
    sender: Sender
    letter: Callable[[Failure], tuple[str, Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Errand:
    """One event for one target. `body` tells the text for the n-th attempt, from 1 on."""

    name: str
    sender: Sender
    target_arn: str
    body: Callable[[int], str]
    retry: RetryPolicy
    dead_letter_queue: DeadLetterQueue | None


class Errands:
    """Does errands, the first attempt of each at once."""

    def __init__(self, clock: Clock, post: Post, tell: Tell) -> None:
        self._clock = clock
        self._post = post
        self._tell = tell
        self._waiting: dict[Timer, Errand] = {}

    def run(self, errand: Errand) -> None:
        """Delivers; what can be tried again later is, on the clock."""
        self._attempt(errand, self._clock.now(), 1)

    def close(self) -> None:
        """Gives up what waits for another attempt."""
        for timer, errand in self._waiting.items():
            timer.cancel()
            self._give_up(errand, "the emulator stopped before it was delivered")
        self._waiting.clear()

    def _attempt(self, errand: Errand, accepted_at: float, number: int) -> None:
        try:
            self._post.send(errand.sender, errand.target_arn, errand.body(number))
        except AwsError as error:
            self._failed(errand, accepted_at, number, error)

    def _failed(self, errand: Errand, accepted_at: float, number: int, error: AwsError) -> None:
        """Refusals for want of a right or a target are final: no further attempt helps.

        Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        """
        if error.status < _TOO_MANY_REQUESTS:
            self._dead_letter(errand, Failure(error, number - 1, None))
            return
        delay_seconds = min(_FIRST_DELAY_SECONDS * 2.0 ** min(number - 1, 30), _LONGEST_DELAY_SECONDS)
        when = self._clock.now() + delay_seconds
        if number > errand.retry.attempts:
            self._dead_letter(errand, Failure(error, number - 1, "MaximumRetryAttempts"))
        elif when > accepted_at + errand.retry.age_seconds:
            self._dead_letter(errand, Failure(error, number - 1, "MaximumEventAgeInSeconds"))
        else:
            self._wait(errand, accepted_at, number + 1, when)

    def _wait(self, errand: Errand, accepted_at: float, number: int, when: float) -> None:
        def ring() -> None:
            del self._waiting[timer]
            self._attempt(errand, accepted_at, number)

        timer = self._clock.call_at(when, ring)
        self._waiting[timer] = errand

    def _dead_letter(self, errand: Errand, failure: Failure) -> None:
        reason = str(failure.error)
        queue = errand.dead_letter_queue
        if queue is None:
            self._give_up(errand, f"{reason}; there is no dead-letter queue")
            return
        body, attributes = queue.letter(failure)
        try:
            self._post.send_message(queue.sender, queue.arn, body, attributes)
        except AwsError as error:
            self._give_up(errand, f"{reason}; dead-letter queue: {error}")

    def _give_up(self, errand: Errand, reason: str) -> None:
        self._tell(Undelivered(errand.name, errand.sender.arn, errand.target_arn, reason))

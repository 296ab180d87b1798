"""AWS/SQS: what each active queue has done in a minute, and how full it is at its end.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from __future__ import annotations

from treadle_local.clock import Clock, Timer
from treadle_local.cloudwatch.series import MINUTE, Metrics, Series
from treadle_local.sqs.queue import Queue

_ACTIVE_SECONDS = 6 * 3600
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html"""
_UNITS = {
    "NumberOfMessagesSent": "Count",
    "NumberOfMessagesReceived": "Count",
    "NumberOfMessagesDeleted": "Count",
    "ApproximateNumberOfMessagesVisible": "Count",
    "ApproximateNumberOfMessagesNotVisible": "Count",
    "ApproximateNumberOfMessagesDelayed": "Count",
    "ApproximateAgeOfOldestMessage": "Seconds",
}


class _Watched:
    """A queue, its series, and until when it is active."""

    __slots__ = ("active_until", "queue", "series")

    def __init__(self, queue: Queue, series: dict[str, Series]) -> None:
        self.queue = queue
        self.series = series
        self.active_until = 0.0


class QueueMetrics:
    """Looks at each queue once a minute while it is active: until six hours after something was last done in it.

    AWS goes on for as long as there are messages, which would make it dear to turn the clock by months.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._active: dict[str, _Watched] = {}
        self._timer: Timer | None = None

    def add(self, queue: Queue) -> None:
        """Has a new queue looked at from its first message on."""
        queue.activity.wake = lambda: self._wake(queue)
        queue.activity.is_watched = False

    def close(self) -> None:
        """Ends the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self, queue: Queue) -> None:
        queue.activity.is_watched = True
        dimensions = (("QueueName", queue.name),)
        series = {name: self._metrics.at("AWS/SQS", name, dimensions, unit) for name, unit in _UNITS.items()}
        self._active[queue.arn] = _Watched(queue, series)
        if self._timer is None:
            self._set_timer()

    def _set_timer(self) -> None:
        due = (self._clock.now() // MINUTE + 1) * MINUTE
        self._timer = self._clock.call_at(due, self._look)

    def _look(self) -> None:
        now = self._clock.now()
        self._timer = None
        for arn, watched in list(self._active.items()):
            if watched.queue.closed or not self._measure(watched, now):
                watched.queue.activity.is_watched = False
                del self._active[arn]
        if self._active:
            self._set_timer()

    @staticmethod
    def _measure(watched: _Watched, now: float) -> bool:
        """Adds the values of the minute that is over; whether the queue is still active."""
        queue, series = watched.queue, watched.series
        done, held = queue.activity.take(), queue.counts()
        oldest = queue.oldest_sent_at()
        states = (held.visible, held.in_flight, held.delayed)
        age = 0.0 if oldest is None else now - oldest
        time = now - MINUTE
        for meter, value in zip(series.values(), (*done, *states, age), strict=True):
            meter.add(time, float(value))
        if any(done):
            watched.active_until = now + _ACTIVE_SECONDS
        return now < watched.active_until

"""When a call is sent again, and how long it waits before: as AWS's SDKs have it in their standard mode.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from __future__ import annotations

from _thread import allocate_lock

from treadle.aws.errors import is_throttled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.errors import AwsCallError

_MAX_ATTEMPTS = 3
_MAX_ATTEMPTS_DYNAMODB = 4
_MAX_BACKOFF_SECONDS = 20.0
_THROTTLED_SCALE_SECONDS = 1.0
_SCALE_SECONDS = 0.05
_SCALE_SECONDS_DYNAMODB = 0.025
_MOST_SECONDS_BEYOND = 5.0
_QUOTA = 500
_COST = 14
_COST_THROTTLED = 5
_REWARD = 1


def max_attempts(service: str) -> int:
    """How often a call is sent at most."""
    return _MAX_ATTEMPTS_DYNAMODB if service == "dynamodb" else _MAX_ATTEMPTS


def pause_seconds(error: AwsCallError, attempt: int, fraction: float, retry_after: str = "") -> float:
    """How long to wait after the `attempt`th failure, counted from 1.

    `fraction`, from 0 to 1, is drawn by lot. `retry_after` is what AWS asks for, in milliseconds, empty where it does
    not: it may prolong the pause by a few seconds.
    """
    if is_throttled(error):
        scale = _THROTTLED_SCALE_SECONDS
    else:
        scale = _SCALE_SECONDS_DYNAMODB if error.service == "dynamodb" else _SCALE_SECONDS
    drawn: float = fraction * min(scale * 2.0 ** (attempt - 1), _MAX_BACKOFF_SECONDS)
    if not (retry_after.isascii() and retry_after.isdigit()):
        return drawn
    return max(drawn, min(int(retry_after[:9]) / 1000, drawn + _MOST_SECONDS_BEYOND))


class RetryQuota:
    """What retries of one service's calls may cost together, so that a service in trouble is not asked ever more.

    A retry takes its share, success brings it back. Threads may share it.
    """

    __slots__ = ("_left", "_lock")

    def __init__(self) -> None:
        self._left = _QUOTA
        self._lock = allocate_lock()

    def take(self, error: AwsCallError) -> int:
        """What another attempt after this error costs; 0 where too little is left for it."""
        cost = _COST_THROTTLED if is_throttled(error) else _COST
        with self._lock:
            if cost > self._left:
                return 0
            self._left -= cost
            return cost

    def give_back(self, taken: int) -> None:
        """Notes a success, before whose last attempt so much was taken; 0: it was the first attempt."""
        if self._left < _QUOTA:
            with self._lock:
                self._left = min(_QUOTA, self._left + (taken or _REWARD))

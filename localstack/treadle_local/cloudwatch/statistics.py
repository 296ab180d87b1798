"""Statistics over a metric's buckets: Sum, Average, Minimum, Maximum, SampleCount and percentiles.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from treadle_local.cloudwatch.refusals import invalid_value, not_here
from treadle_local.cloudwatch.series import MINUTE, Bucket, Series

Statistic = Callable[[Bucket], float | None]
"""Its value over a bucket; None where it cannot be told."""

SIMPLE: Mapping[str, Statistic] = {
    "SampleCount": lambda bucket: bucket.count,
    "Sum": lambda bucket: bucket.total,
    "Average": lambda bucket: bucket.total / bucket.count if bucket.count else None,
    "Minimum": lambda bucket: bucket.minimum,
    "Maximum": lambda bucket: bucket.maximum,
}
_PERCENTILE = re.compile(r"p(100|\d{1,2}(?:\.\d{0,10})?)")
_OTHERS = re.compile(r"(?:IQM|(?:tm|tc|ts|wm)\d{1,2}(?:\.\d+)?|(?:TM|TC|TS|WM|PR)\(.*\))")
_FINE_PERIODS = frozenset({1, 5, 10, 20, 30})


@lru_cache(maxsize=256)
def parse_statistic(text: str) -> Statistic:
    """The statistic of a name (`Sum`, `p99.9`).

    Raises: AwsError InvalidParameterValue; UnknownOperationException for trimmed means and their like.
    """
    if text in SIMPLE:
        return SIMPLE[text]
    if (found := _PERCENTILE.fullmatch(text)) is not None:
        fraction = float(found[1]) / 100
        return lambda bucket: _percentile(bucket, fraction)
    if _OTHERS.fullmatch(text):
        raise not_here(f"The statistic {text}")
    raise invalid_value(f"The value {text} for parameter Stat is not supported.")


def _percentile(bucket: Bucket, fraction: float) -> float | None:
    """Between the two nearest values in proportion; None where only a summary of the values is known."""
    if not bucket.values:
        return None
    rank = fraction * (bucket.count - 1)
    low, high = _value_at(bucket.values, math.floor(rank)), _value_at(bucket.values, math.ceil(rank))
    return low + (high - low) * (rank - math.floor(rank))


def _value_at(values: Mapping[float, float], index: int) -> float:
    """The value at a place among all of them in order, each as often as it is counted."""
    passed = 0.0
    value = 0.0
    for value in sorted(values):
        passed += values[value]
        if passed > index:
            break
    return value


def check_period(period: object, member: str = "Period") -> int:
    """Raises: AwsError InvalidParameterValue."""
    if not isinstance(period, int) or period <= 0 or (period not in _FINE_PERIODS and period % MINUTE):
        raise invalid_value(
            f"The value {period} for parameter {member} must be 1, 5, 10, 20, 30 or any multiple of {MINUTE}."
        )
    return period


def aggregate(all_series: Iterable[Series], start: int, end: int, period: int) -> dict[int, Bucket]:
    """A bucket per period that has values, by its start; periods follow one another from `start` on."""
    found: dict[int, Bucket] = {}
    for series in all_series:
        for time, bucket in series.between(start, end, period):
            slot = start + (time - start) // period * period
            kept = found.get(slot)
            if kept is None:
                kept = found[slot] = Bucket()
            kept.merge(bucket)
    return found

"""What CloudWatch keeps: for each metric and unit the values of each minute, summed up; two weeks of them.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#metrics-retention
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

Dimensions: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, in order by name"""
Key: TypeAlias = tuple[str, str, Dimensions]
"""Namespace, name and dimensions of a metric"""

NO_UNIT = "None"
MINUTE = 60
_RETENTION_SECONDS = 15 * 86_400
_FINE_RETENTION_SECONDS = 3 * 3600
_DISTINCT_VALUES = 500
_MOST_SERIES = 20_000
"""A bound on memory; the metrics that have been silent for longest go first."""
_MOST_DEFERRED = 2_000


class Bucket:
    """The values of one stretch of time. `values` counts them for percentiles; None where they are not known."""

    __slots__ = ("count", "maximum", "minimum", "total", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.minimum = float("inf")
        self.maximum = float("-inf")
        self.values: dict[float, float] | None = {}

    def add(self, value: float, count: float = 1.0) -> None:
        self.count += count
        self.total += value * count
        if value < self.minimum:
            self.minimum = value
        if value > self.maximum:
            self.maximum = value
        values = self.values
        if values is not None:
            # beyond some hundred distinct values, three digits of each are near enough
            kept = value if len(values) < _DISTINCT_VALUES else float(f"{value:.3g}")
            values[kept] = values.get(kept, 0.0) + count

    def merge(self, other: Bucket) -> None:
        """Takes in the values of another."""
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        if self.values is None or other.values is None:
            self.values = None
        else:
            for value, count in other.values.items():
                self.values[value] = self.values.get(value, 0.0) + count


class Series:
    """One metric in one unit. `minutes` and `seconds` are by their start; the latter only of fine resolution."""

    __slots__ = ("_on_data", "is_watched", "key", "last", "minutes", "seconds", "unit")

    def __init__(self, key: Key, unit: str, on_data: Callable[[Series], None]) -> None:
        self.key = key
        self.unit = unit
        self.is_watched = False
        self.last = 0.0
        self.minutes: dict[int, Bucket] = {}
        self.seconds: dict[int, Bucket] = {}
        self._on_data = on_data

    def add(self, time: float, value: float, count: float = 1.0) -> None:
        """Counts a value at a time, in seconds since the epoch."""
        self._bucket(time).add(value, count)
        if self.is_watched:
            self._on_data(self)

    def add_all(self, minute: int, values: Mapping[float, int]) -> None:
        """Counts values of one minute, each as often as it came."""
        bucket = self._bucket(minute)
        for value, count in values.items():
            bucket.add(value, float(count))

    def add_summary(self, time: float, summary: Bucket) -> None:
        """Counts values of which only the summary is known."""
        self._bucket(time).merge(summary)
        if self.is_watched:
            self._on_data(self)

    def add_finely(self, time: float, summary: Bucket) -> None:
        """As `add_summary`, and keeps the second apart for some hours."""
        second = int(time)
        bucket = self.seconds.get(second)
        if bucket is None:
            self.seconds[second] = bucket = Bucket()
            _expire(self.seconds, second - _FINE_RETENTION_SECONDS)
        bucket.merge(summary)
        self.add_summary(time, summary)

    def _bucket(self, time: float) -> Bucket:
        minute = int(time) // MINUTE * MINUTE
        bucket = self.minutes.get(minute)
        if bucket is None:
            self.minutes[minute] = bucket = Bucket()
            _expire(self.minutes, minute - _RETENTION_SECONDS)
        self.last = max(self.last, time)
        return bucket

    def between(self, start: int, end: int, step: int) -> Iterator[tuple[int, Bucket]]:
        """The buckets that begin from `start` on and before `end`, in order; seconds where `step` is below a minute."""
        buckets = self.seconds if step < MINUTE else self.minutes
        if (end - start) // MINUTE < len(buckets) and step >= MINUTE:
            times = range(-(-start // MINUTE) * MINUTE, end, MINUTE)
            return ((time, buckets[time]) for time in times if time in buckets)
        return ((time, buckets[time]) for time in sorted(buckets) if start <= time < end)


def _expire(buckets: dict[int, Bucket], oldest: int) -> None:
    """Drops the first ones that are too old; they come in order, mostly."""
    while (first := next(iter(buckets))) < oldest:
        del buckets[first]


Moment: TypeAlias = tuple[float, tuple[float, ...]]
"""A time, and the values that some series have then"""


class Meters:
    """Series that get a value each at the same times."""

    __slots__ = ("_metrics", "moments", "series")

    def __init__(self, metrics: Metrics, series: Iterable[Series]) -> None:
        self._metrics = metrics
        self.series = tuple(series)
        self.moments: list[Moment] = []

    def add(self, time: float, *values: float) -> None:
        """Counts a value in each series, in their order: when somebody asks, or at once where somebody watches."""
        if any(series.is_watched for series in self.series):
            for series, value in zip(self.series, values, strict=True):
                series.add(time, value)
        else:
            self._metrics.defer(self, (time, values))

    def settle(self) -> None:
        """Counts what was put off."""
        minutes: dict[int, list[tuple[float, ...]]] = {}
        for time, values in self.moments:
            minutes.setdefault(int(time) // MINUTE * MINUTE, []).append(values)
        self.moments.clear()
        for minute, rows in minutes.items():
            for series, column in zip(self.series, zip(*rows, strict=True), strict=True):
                series.add_all(minute, Counter(column))


class Metrics:
    """All metrics. `on_data` hears of each value of a watched one."""

    def __init__(self) -> None:
        self._deferred: set[Meters] = set()
        self._number_deferred = 0
        self._series: dict[Key, dict[str, Series]] = {}
        self.on_data: Callable[[Series], None] = lambda _series: None
        self._watched: Callable[[Key], bool] = lambda _key: False

    def __iter__(self) -> Iterator[tuple[Key, Mapping[str, Series]]]:
        self._settle()
        return iter(self._series.items())

    def watch(self, is_watched: Callable[[Key], bool]) -> None:
        """Tells anew which metrics are watched."""
        self._settle()
        self._watched = is_watched
        for key, units in self._series.items():
            for series in units.values():
                series.is_watched = is_watched(key)

    def at(self, namespace: str, name: str, dimensions: Dimensions, unit: str = NO_UNIT) -> Series:
        """The series of a metric, made where there is none."""
        key = (namespace, name, dimensions)
        units = self._series.get(key)
        if units is None:
            if len(self._series) >= _MOST_SERIES:
                self._forget()
            self._series[key] = units = {}
        series = units.get(unit)
        if series is None:
            units[unit] = series = Series(key, unit, self._tell)
            series.is_watched = self._watched(key)
        return series

    def find(self, key: Key, unit: str | None = None) -> list[Series]:
        """The series of a metric: in one unit, or in all of its units."""
        self._settle()
        units = self._series.get(key, {})
        return list(units.values()) if unit is None else [units[unit]] if unit in units else []

    def defer(self, meters: Meters, moment: Moment) -> None:
        """Keeps values that nobody has asked for: thousands are counted together in less time than one by one."""
        meters.moments.append(moment)
        self._deferred.add(meters)
        self._number_deferred += 1
        if self._number_deferred >= _MOST_DEFERRED:
            self._settle()

    def _settle(self) -> None:
        while self._deferred:
            self._deferred.pop().settle()
        self._number_deferred = 0

    def _tell(self, series: Series) -> None:
        self.on_data(series)

    def _forget(self) -> None:
        """Makes room by a tenth."""
        self._settle()
        silent = sorted(self._series, key=lambda key: max(one.last for one in self._series[key].values()))
        for key in silent[: _MOST_SERIES // 10]:
            del self._series[key]


def dimensions_of(pairs: Mapping[str, str]) -> Dimensions:
    return tuple(sorted(pairs.items()))

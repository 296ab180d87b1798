"""PutMetricData: what is taken, and what it is refused for.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.cloudwatch.moments import seconds_of
from treadle_local.cloudwatch.refusals import invalid, invalid_combination, invalid_value, missing
from treadle_local.cloudwatch.series import NO_UNIT, Bucket, Dimensions, Metrics

_MOST_DATA = 1000
_LIMIT_BYTES = 1024 * 1024
_MOST_VALUES = 150
_MOST_DIMENSIONS = 30
_TEXT_LIMIT = 255
_DIMENSION_VALUE_LIMIT = 1024
_LARGEST = 2.0**360
_OLDEST_SECONDS, _NEWEST_SECONDS = 14 * 86_400, 2 * 3600
_DATUM_BYTES = 64
"""About what a datum weighs besides its texts, which is near enough to a limit that is one of bytes on the wire."""
UNITS = frozenset(
    f"{size}{unit}{rate}"
    for size in ("", "Kilo", "Mega", "Giga", "Tera")
    for unit, rate in (("bytes", ""), ("bits", ""), ("bytes", "/Second"), ("bits", "/Second"))
    if size
) | {
    *("Seconds", "Microseconds", "Milliseconds", "Bytes", "Bits", "Percent", "Count", "Bytes/Second", "Bits/Second"),
    *("Count/Second", NO_UNIT),
}


def put_metric_data(metrics: Metrics, params: Params, now: float) -> Result:
    namespace, data = str(params.get("Namespace") or ""), params.get("MetricData") or ()
    if not namespace:
        raise missing("Namespace")
    if len(namespace) > _TEXT_LIMIT or not namespace.isprintable() or namespace.startswith(":"):
        raise invalid_value(f"The value {namespace} for parameter Namespace is invalid.")
    if namespace.startswith("AWS/"):
        raise invalid_value(f"The value {namespace} for parameter Namespace is invalid: AWS/ is where AWS's own begin.")
    if params.get("EntityMetricData") and not data:
        raise AwsError("UnknownOperationException", "EntityMetricData is not in Treadle's emulator yet")
    if not data:
        raise missing("MetricData")
    if len(data) > _MOST_DATA:
        raise invalid(f"The collection MetricData must not have a size greater than {_MOST_DATA}.")
    if sum(map(_size, data)) > _LIMIT_BYTES:
        message = f"Request is larger than {_LIMIT_BYTES} bytes."
        raise AwsError("RequestEntityTooLargeException", message, status=413, query_code="RequestEntityTooLarge")
    taken = [_Datum(datum, index, now) for index, datum in enumerate(data, 1)]
    for datum in taken:
        series = metrics.at(namespace, datum.name, datum.dimensions, datum.unit)
        (series.add_finely if datum.is_fine else series.add_summary)(datum.time, datum.summary)
    return {}


class _Datum:
    """One datum, checked. Raises: AwsError."""

    __slots__ = ("dimensions", "is_fine", "name", "summary", "time", "unit")

    def __init__(self, datum: Mapping[str, Any], index: int, now: float) -> None:
        member = f"MetricData.member.{index}"
        self.name = str(datum.get("MetricName") or "")
        if not self.name:
            raise missing(f"{member}.MetricName")
        if len(self.name) > _TEXT_LIMIT:
            raise invalid_value(
                f"The value {self.name} for parameter {member}.MetricName is longer than {_TEXT_LIMIT}."
            )
        self.unit = str(datum.get("Unit") or NO_UNIT)
        if self.unit not in UNITS:
            raise invalid_value(f"The value {self.unit} for parameter {member}.Unit is invalid.")
        self.dimensions = dimensions_from(datum.get("Dimensions") or (), f"{member}.Dimensions")
        self.time = _time(datum, member, now)
        resolution = datum.get("StorageResolution", 60)
        if resolution not in (1, 60):
            raise invalid_value(f"The value {resolution} for parameter {member}.StorageResolution must be 1 or 60.")
        self.is_fine = resolution == 1
        self.summary = _summary(datum, member)


def _time(datum: Mapping[str, Any], member: str, now: float) -> float:
    given = datum.get("Timestamp")
    if given is None:
        return now
    time = seconds_of(given, f"{member}.Timestamp")
    if not now - _OLDEST_SECONDS <= time <= now + _NEWEST_SECONDS:
        raise invalid_value(
            f"The parameter {member}.Timestamp must specify a time no more than two weeks in the past and no more than "
            "two hours in the future."
        )
    return time


def _summary(datum: Mapping[str, Any], member: str) -> Bucket:
    value, values, statistics = datum.get("Value"), datum.get("Values"), datum.get("StatisticValues")
    if sum(part is not None for part in (value, values or None, statistics)) != 1:
        if value is None and not values and statistics is None:
            raise missing(f"{member}.Value")
        raise invalid_combination(
            f"The parameters {member}.Value, {member}.Values and {member}.StatisticValues are mutually exclusive and "
            "you have specified more than one."
        )
    summary = Bucket()
    if statistics is not None:
        _add_statistics(summary, statistics, f"{member}.StatisticValues")
    elif values:
        _add_values(summary, values, datum.get("Counts"), member)
    else:
        summary.add(_number(value, f"{member}.Value"))
    return summary


def _add_values(summary: Bucket, values: Sequence[Any], counts: Sequence[Any] | None, member: str) -> None:
    if len(values) > _MOST_VALUES:
        raise invalid_value(f"The collection {member}.Values must not have a size greater than {_MOST_VALUES}.")
    if counts is not None and len(counts) != len(values):
        raise invalid_value(f"The parameters {member}.Values and {member}.Counts must be of the same size.")
    for index, value in enumerate(values):
        count = 1.0 if counts is None else _number(counts[index], f"{member}.Counts")
        if count < 0:
            raise invalid_value(f"The value {count} for parameter {member}.Counts must not be negative.")
        summary.add(_number(value, f"{member}.Values"), count)


def _add_statistics(summary: Bucket, statistics: Mapping[str, Any], member: str) -> None:
    for name in ("SampleCount", "Sum", "Minimum", "Maximum"):
        if statistics.get(name) is None:
            raise missing(f"{member}.{name}")
    count = _number(statistics["SampleCount"], f"{member}.SampleCount")
    if count <= 0:
        raise invalid_value(f"The value {count} for parameter {member}.SampleCount must be greater than 0.")
    minimum, maximum = _number(statistics["Minimum"], member), _number(statistics["Maximum"], member)
    if minimum > maximum:
        raise invalid_value(f"The parameter {member}.Maximum must be greater than {member}.Minimum.")
    summary.count, summary.total = count, _number(statistics["Sum"], member)
    summary.minimum, summary.maximum = minimum, maximum
    # of one value, or of equal ones, the summary says everything
    summary.values = {minimum: count} if minimum == maximum else None


def _number(value: Any, member: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise invalid_value(f"The value {value} for parameter {member} is no number.") from None
    if not math.isfinite(number) or abs(number) > _LARGEST:
        shown = "NaN" if math.isnan(number) else value
        raise invalid_value(f"The value {shown} for parameter {member} is invalid.")
    return number


def dimensions_from(pairs: Iterable[Mapping[str, Any]], member: str) -> Dimensions:
    """Dimensions as requests have them. Raises: AwsError."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, value = str(pair.get("Name") or ""), str(pair.get("Value") or "")
        if not name or not value.strip():
            raise missing(f"{member}.{'Name' if not name else 'Value'}")
        if len(name) > _TEXT_LIMIT or len(value) > _DIMENSION_VALUE_LIMIT or name.startswith(":"):
            raise invalid_value(f"The value {name}={value[:80]} for parameter {member} is invalid.")
        if name in found:
            raise invalid_value(f"The parameter {member} has the name {name} more than once.")
        found[name] = value
    if len(found) > _MOST_DIMENSIONS:
        raise invalid_value(f"The collection {member} must not have a size greater than {_MOST_DIMENSIONS}.")
    return tuple(sorted(found.items()))


def _size(datum: Mapping[str, Any]) -> int:
    pairs = datum.get("Dimensions") or ()
    texts = sum(len(str(pair.get("Name"))) + len(str(pair.get("Value"))) for pair in pairs)
    return _DATUM_BYTES + len(str(datum.get("MetricName"))) + texts + 8 * len(datum.get("Values") or ())

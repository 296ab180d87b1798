"""GetMetricData, GetMetricStatistics and ListMetrics."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from treadle_local.aws.pages import page
from treadle_local.aws.service import Params, Result
from treadle_local.cloudwatch.moments import moment, seconds_of
from treadle_local.cloudwatch.queries import parse_queries
from treadle_local.cloudwatch.refusals import (
    invalid,
    invalid_combination,
    invalid_token,
    invalid_value,
    missing,
    not_here,
)
from treadle_local.cloudwatch.series import MINUTE, Key, Metrics
from treadle_local.cloudwatch.statistics import SIMPLE, aggregate, check_period, parse_statistic
from treadle_local.cloudwatch.writes import dimensions_from

_MOST_DATAPOINTS = 100_800
_MOST_STATISTICS = 1440
"""Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html"""
_METRICS_PAGE = 500
_LISTED_SECONDS = 14 * 86_400
_RECENT_SECONDS = 3 * 3600
"""Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html"""


def get_metric_data(metrics: Metrics, params: Params) -> Result:
    """A page of datapoints, the queries one after another; the token says how many there were before."""
    queries = parse_queries(params.get("MetricDataQueries") or (), "MetricDataQueries")
    start, end = _range(params, min(MINUTE, queries.period))
    most = params.get("MaxDatapoints", _MOST_DATAPOINTS)
    if not isinstance(most, int) or not 1 <= most <= _MOST_DATAPOINTS:
        raise invalid_value(f"The value {most} for parameter MaxDatapoints must be 1 to {_MOST_DATAPOINTS}.")
    skip = _skip(params.get("NextToken"))
    is_ascending = params.get("ScanBy") == "TimestampAscending"
    answers = queries.answers(metrics, start, end)
    results: list[Result] = []
    total = 0
    for query in queries.queries:
        if query.id not in answers:
            continue
        points = sorted(answers[query.id].items(), reverse=not is_ascending)
        first = max(0, skip - total)
        total += len(points)
        shown = points[first : first + max(0, most - sum(len(one["Values"]) for one in results))]
        results.append(_result(query.id, query.label, shown, is_whole=first + len(shown) >= len(points)))
    answer: Result = {"MetricDataResults": results, "Messages": []}
    if skip + most < total:
        answer["NextToken"] = base64.b64encode(json.dumps(skip + most).encode()).decode("ascii")
    return answer


def _result(name: str, label: str, points: Sequence[tuple[int, float]], *, is_whole: bool) -> Result:
    return {
        "Id": name,
        "Label": label,
        "Timestamps": [moment(time) for time, _ in points],
        "Values": [float(value) for _, value in points],
        "StatusCode": "Complete" if is_whole else "PartialData",
    }


def _skip(token: object) -> int:
    if token is None:
        return 0
    try:
        skip: object = json.loads(base64.b64decode(str(token), validate=True))
    except (binascii.Error, ValueError):
        raise invalid_token() from None
    if not isinstance(skip, int):
        raise invalid_token()
    return skip


def _range(params: Params, step: int) -> tuple[int, int]:
    """From when, a whole step, until when (exclusively), in seconds since the epoch."""
    for name in ("StartTime", "EndTime"):
        if params.get(name) is None:
            raise missing(name)
    start, end = seconds_of(params["StartTime"], "StartTime"), seconds_of(params["EndTime"], "EndTime")
    if start >= end:
        raise invalid("The parameter StartTime must be less than the parameter EndTime.")
    return int(start) // step * step, -int(-end // 1)


def get_metric_statistics(metrics: Metrics, params: Params) -> Result:
    for name in ("Namespace", "MetricName", "Period"):
        if not params.get(name):
            raise missing(name)
    period = check_period(params["Period"])
    start, end = _range(params, min(MINUTE, period))
    simple, extended = params.get("Statistics") or (), params.get("ExtendedStatistics") or ()
    if not simple and not extended:
        raise missing("Statistics")
    if simple and extended:
        raise invalid_combination("Statistics and ExtendedStatistics cannot be asked for in one request.")
    if (end - start) / period > _MOST_STATISTICS:
        raise invalid_combination(
            f"You have requested up to {-(-(end - start) // period)} datapoints, which exceeds the limit of "
            f"{_MOST_STATISTICS}. You may reduce the datapoints requested by increasing Period, or decreasing the time "
            "range."
        )
    for statistic in simple:
        if statistic not in SIMPLE:
            raise invalid_value(f"The value {statistic} for parameter Statistics is invalid.")
    key = (
        str(params["Namespace"]),
        str(params["MetricName"]),
        dimensions_from(params.get("Dimensions") or (), "Dimensions"),
    )
    datapoints: list[Result] = []
    for series in metrics.find(key, params.get("Unit")):
        for time, bucket in aggregate([series], start, end, period).items():
            datapoint: Result = {"Timestamp": moment(time), "Unit": series.unit}
            datapoint |= {name: parse_statistic(name)(bucket) for name in simple}
            found = {name: parse_statistic(name)(bucket) for name in extended}
            if extended:
                datapoint["ExtendedStatistics"] = {name: value for name, value in found.items() if value is not None}
            datapoints.append(datapoint)
    return {"Label": key[1], "Datapoints": datapoints}


def list_metrics(metrics: Metrics, params: Params, now: float) -> Result:
    """The metrics that had data in the last two weeks, or hours where that is asked for."""
    if params.get("IncludeLinkedAccounts") or params.get("OwningAccount"):
        raise not_here("ListMetrics of other accounts")
    recently = params.get("RecentlyActive")
    if recently not in (None, "PT3H"):
        raise invalid_value(f"The value {recently} for parameter RecentlyActive is invalid: it can be PT3H only.")
    oldest = now - (_RECENT_SECONDS if recently else _LISTED_SECONDS)
    wanted = [(str(one.get("Name") or ""), one.get("Value")) for one in params.get("Dimensions") or ()]
    namespace, name = params.get("Namespace"), params.get("MetricName")

    def is_listed(key: Key) -> bool:
        dimensions = dict(key[2])
        return (
            (namespace is None or key[0] == namespace)
            and (name is None or key[1] == name)
            and all(one in dimensions and value in (None, dimensions[one]) for one, value in wanted)
        )

    keys = [
        key
        for key, units in metrics
        if is_listed(key) and any(one.minutes and one.last >= oldest for one in units.values())
    ]
    try:
        found, token = page(keys, json.dumps, _METRICS_PAGE, params.get("NextToken"))
    except ValueError:
        raise invalid_token() from None
    answer: Result = {"Metrics": [shown(key) for key in found]}
    return answer if token is None else {**answer, "NextToken": token}


def shown(key: Key) -> dict[str, Any]:
    """A metric as requests and answers have it."""
    namespace, name, dimensions = key
    pairs = [{"Name": one, "Value": value} for one, value in dimensions]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": pairs}

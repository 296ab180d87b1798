"""Metrics as GetMetricData asks for them: statistics of metrics, and expressions over these.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treadle_local.cloudwatch.expressions import Points, Scene, evaluate, parse_expression
from treadle_local.cloudwatch.refusals import invalid, missing, not_here
from treadle_local.cloudwatch.series import MINUTE, Key, Metrics
from treadle_local.cloudwatch.statistics import aggregate, check_period, parse_statistic
from treadle_local.cloudwatch.writes import UNITS, dimensions_from

_MOST_QUERIES = 500
_ID = re.compile(r"[a-z][A-Za-z0-9_]{0,254}")


@dataclass(frozen=True, slots=True)
class MetricStat:
    """A statistic of a metric per period (s); `unit` None for all units."""

    key: Key
    period: int
    statistic: str
    unit: str | None

    def points(self, metrics: Metrics, start: int, end: int) -> Points:
        compute = parse_statistic(self.statistic)
        buckets = aggregate(metrics.find(self.key, self.unit), start, end, self.period)
        computed = ((time, compute(buckets[time])) for time in sorted(buckets))
        return {time: value for time, value in computed if value is not None}


@dataclass(frozen=True, slots=True)
class Query:
    """One query: a statistic, or an expression over others by their ids."""

    id: str
    stat: MetricStat | None
    expression: str
    label: str
    is_returned: bool
    period: int | None


@dataclass(frozen=True, slots=True)
class Queries:
    """Queries that belong together, in the order in which they were given."""

    queries: tuple[Query, ...]

    @property
    def period(self) -> int:
        """The longest one of the metrics, which expressions have."""
        given = [query.stat.period if query.stat is not None else query.period for query in self.queries]
        return max((period for period in given if period is not None), default=MINUTE)

    @property
    def keys(self) -> frozenset[Key]:
        """The metrics that the queries are about."""
        return frozenset(query.stat.key for query in self.queries if query.stat is not None)

    def answers(self, metrics: Metrics, start: int, end: int) -> dict[str, Points]:
        """The time series of those that are to be returned, by their ids. Raises: AwsError ValidationError."""
        by_id = {query.id: query for query in self.queries}
        stats = {one.id: one.stat.points(metrics, start, end) for one in self.queries if one.stat is not None}
        done: dict[str, Points | None] = {}

        def expression(name: str) -> Points | None:
            query = by_id.get(name)
            if query is None:
                return None
            if name not in done:
                done[name] = None
                done[name] = evaluate(query.expression, scene)
            elif done[name] is None:
                raise invalid(f"Error in expression: {name} refers to itself")
            return done[name]

        scene = Scene(stats, expression, range(start, end, self.period), self.period)
        return {query.id: scene.named(query.id) for query in self.queries if query.is_returned}


def parse_queries(given: Sequence[Mapping[str, Any]], member: str) -> Queries:
    """Raises: AwsError: ValidationError, MissingParameter, InvalidParameterValue."""
    if not given:
        raise missing(member)
    if len(given) > _MOST_QUERIES:
        raise invalid(f"The collection {member} must not have a size greater than {_MOST_QUERIES}.")
    queries = tuple(_query(one, f"{member}.member.{index}") for index, one in enumerate(given, 1))
    ids = [query.id for query in queries]
    if len(set(ids)) < len(ids):
        raise invalid(f"The values for parameter id in {member} are not unique.")
    return Queries(queries)


def _query(given: Mapping[str, Any], member: str) -> Query:
    name = str(given.get("Id") or "")
    if not _ID.fullmatch(name):
        raise invalid(
            f"The value {name} for parameter {member}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
        )
    stat, expression = given.get("MetricStat"), given.get("Expression")
    if (stat is None) == (not expression):
        raise invalid(f"The parameter {member} must have either MetricStat or Expression, and not both.")
    if given.get("AccountId"):
        raise not_here("A metric of another account")
    if expression and str(expression).lstrip().upper().startswith("SELECT"):
        raise not_here("Metrics Insights (an expression with SELECT)")
    if expression:
        parse_expression(str(expression))
    parsed = metric_stat(stat, f"{member}.MetricStat") if stat is not None else None
    period = given.get("Period")
    return Query(
        id=name,
        stat=parsed,
        expression=str(expression or ""),
        label=str(given.get("Label") or (parsed.key[1] if parsed is not None else name)),
        is_returned=given.get("ReturnData", True) is not False,
        period=None if period is None else check_period(period, f"{member}.Period"),
    )


def metric_stat(given: Mapping[str, Any], member: str) -> MetricStat:
    """Raises: AwsError."""
    metric: Mapping[str, Any] = given.get("Metric") or {}
    for name in ("Namespace", "MetricName"):
        if not metric.get(name):
            raise missing(f"{member}.Metric.{name}")
    statistic, unit = str(given.get("Stat") or ""), given.get("Unit")
    if not statistic:
        raise missing(f"{member}.Stat")
    parse_statistic(statistic)
    if unit is not None and unit not in UNITS:
        raise invalid(f"The value {unit} for parameter {member}.Unit is invalid.")
    dimensions = dimensions_from(metric.get("Dimensions") or (), f"{member}.Metric.Dimensions")
    key = (str(metric["Namespace"]), str(metric["MetricName"]), dimensions)
    return MetricStat(key, check_period(given.get("Period"), f"{member}.Period"), statistic, unit)

"""An alarm: its settings as PutMetricAlarm gives them, checked, and its state.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle_local.aws.service import Params
from treadle_local.cloudwatch.moments import moment
from treadle_local.cloudwatch.queries import MetricStat, Queries, Query, metric_stat, parse_queries
from treadle_local.cloudwatch.reads import shown
from treadle_local.cloudwatch.refusals import invalid, invalid_combination, invalid_value, missing, not_here
from treadle_local.cloudwatch.statistics import SIMPLE

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES = (OK, ALARM, INSUFFICIENT)
ACTIONS_OF = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT: "InsufficientDataActions"}
COMPARISONS: Mapping[str, str] = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_OF_ANOMALIES = frozenset(
    {"LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"}
)
_TREATMENTS = ("missing", "notBreaching", "breaching", "ignore")
_ACTION = re.compile(r"arn:aws:(?:sns:[\w-]+:\d{12}:[\w.-]+|lambda:[\w-]+:\d{12}:function:[\w-]+(?::[\w$-]+)?)")
_ANY_ARN = re.compile(r"arn:aws[\w-]*:[a-z0-9-]+:.*")
_NAME_LIMIT, _DESCRIPTION_LIMIT, _MOST_ACTIONS = 255, 1024, 5
_DAY, _HOUR = 86_400, 3600
_LONGEST_DAYS = 7
_OF_ONE_METRIC = ("MetricName", "Namespace", "Dimensions", "Period", "Statistic", "ExtendedStatistic", "Unit")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an alarm watches; `returned` is the id of the query whose values are compared."""

    name: str
    queries: Queries
    returned: str
    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    treat_missing_data: str
    given: Mapping[str, Any]
    """As DescribeAlarms shows them"""

    @property
    def period(self) -> int:
        return self.queries.period


@dataclass(slots=True)
class Alarm:
    """An alarm and its state; times in seconds since the epoch."""

    settings: Settings
    arn: str
    configured: float
    actions_enabled: bool
    state: str = INSUFFICIENT
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str = ""
    changed: float = 0.0
    """When the state's value became another"""
    updated: float = 0.0
    tags: dict[str, str] = field(default_factory=dict[str, str])

    def actions(self, state: str) -> list[str]:
        return [str(action) for action in self.settings.given.get(ACTIONS_OF[state]) or ()]

    def described(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            **{name: [] for name in ACTIONS_OF.values()},
            "Dimensions": [],
            **self.settings.given,
            "AlarmName": self.settings.name,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": moment(self.configured),
            "ActionsEnabled": self.actions_enabled,
            "StateValue": self.state,
            "StateReason": self.reason,
            "StateUpdatedTimestamp": moment(self.updated),
            "StateTransitionedTimestamp": moment(self.changed),
        }
        return {**result, "StateReasonData": self.reason_data} if self.reason_data else result


def parse_alarm(params: Params) -> Settings:
    """Raises: AwsError: ValidationError, MissingParameter, InvalidParameterValue, InvalidParameterCombination."""
    name = str(params.get("AlarmName") or "")
    if not name:
        raise missing("AlarmName")
    if len(name) > _NAME_LIMIT or not name.isprintable():
        raise invalid(f"The alarm name must be 1 to {_NAME_LIMIT} printable characters.")
    if len(str(params.get("AlarmDescription") or "")) > _DESCRIPTION_LIMIT:
        raise invalid(f"The description must not be longer than {_DESCRIPTION_LIMIT} characters.")
    comparison = str(params.get("ComparisonOperator") or "")
    if comparison in _OF_ANOMALIES or params.get("ThresholdMetricId"):
        raise not_here("An alarm on a band of anomaly detection")
    if comparison not in COMPARISONS:
        raise invalid(
            f"Value '{comparison}' at 'comparisonOperator' failed to satisfy constraint: Member must satisfy "
            f"enum value set: [{', '.join(COMPARISONS)}]"
        )
    if params.get("Threshold") is None:
        raise missing("Threshold")
    treatment = str(params.get("TreatMissingData") or "missing")
    if treatment not in _TREATMENTS:
        raise invalid_value(f"Option '{treatment}' is not supported for treating missing data.")
    for kind in ACTIONS_OF.values():
        _check_actions(params.get(kind) or (), kind)
    queries, returned = _watched(params)
    periods, datapoints = _periods(params, queries.period)
    return Settings(
        name=name,
        queries=queries,
        returned=returned,
        comparison=comparison,
        threshold=float(params["Threshold"]),
        evaluation_periods=periods,
        datapoints_to_alarm=datapoints,
        treat_missing_data=treatment,
        given={key: value for key, value in params.items() if key not in {"Tags", "AlarmName"} and value is not None},
    )


def _check_actions(actions: Any, kind: str) -> None:
    if len(actions) > _MOST_ACTIONS:
        raise invalid(f"The collection {kind} must not have a size greater than {_MOST_ACTIONS}.")
    for action in actions:
        if _ACTION.fullmatch(str(action)):
            continue
        if _ANY_ARN.fullmatch(str(action)):
            raise not_here(f"The alarm action {action} (topics and functions are)")
        raise invalid(f"Invalid arn syntax: {action}")


def _watched(params: Params) -> tuple[Queries, str]:
    """The queries of an alarm, and the id of the one that is compared."""
    given = params.get("Metrics") or ()
    if not given:
        return Queries((Query("m1", _one_metric(params), "", "", is_returned=True, period=None),)), "m1"
    clash = [name for name in _OF_ONE_METRIC if params.get(name)]
    if clash:
        raise invalid_combination(f"{clash[0]} cannot be given together with Metrics.")
    queries = parse_queries(given, "Metrics")
    returned = [query.id for query in queries.queries if query.is_returned]
    if len(returned) != 1:
        raise invalid("Exactly one element of the metrics list should return data.")
    if not queries.keys:
        raise invalid("An alarm must be about one metric at least.")
    return queries, returned[0]


def _one_metric(params: Params) -> MetricStat:
    for name in ("MetricName", "Namespace", "Period"):
        if not params.get(name):
            raise missing(name)
    simple, extended = params.get("Statistic"), params.get("ExtendedStatistic")
    if (simple is None) == (extended is None):
        raise invalid_combination("Exactly one of Statistic and ExtendedStatistic must be given.")
    if simple is not None and simple not in SIMPLE:
        raise invalid(f"Value '{simple}' at 'statistic' is not one of {', '.join(SIMPLE)}.")
    metric = {name: params[name] for name in ("MetricName", "Namespace", "Dimensions") if params.get(name)}
    stat = {"Metric": metric, "Period": params["Period"], "Stat": simple or extended, "Unit": params.get("Unit")}
    return metric_stat(stat, "MetricStat")


def _periods(params: Params, period: int) -> tuple[int, int]:
    """Evaluation periods, and how many of them make an alarm."""
    periods = params.get("EvaluationPeriods")
    if not isinstance(periods, int) or periods < 1:
        raise invalid("EvaluationPeriods must be an integer greater than or equal to 1.")
    datapoints = params.get("DatapointsToAlarm")
    datapoints = periods if datapoints is None else datapoints
    if not isinstance(datapoints, int) or not 1 <= datapoints <= periods:
        raise invalid("DatapointsToAlarm must be at least 1 and not greater than EvaluationPeriods.")
    longest = _LONGEST_DAYS if period >= _HOUR else 1
    if periods * period > longest * _DAY:
        raise invalid(f"Metrics cannot be checked across more than {longest} day(s) (EvaluationPeriods * Period).")
    return periods, datapoints


def trigger(settings: Settings) -> dict[str, Any]:
    """What an alarm watches, as its messages to topics have it."""
    given = settings.given
    common = {
        "EvaluationPeriods": settings.evaluation_periods,
        "DatapointsToAlarm": settings.datapoints_to_alarm,
        "ComparisonOperator": settings.comparison,
        "Threshold": settings.threshold,
        "TreatMissingData": settings.treat_missing_data,
        "EvaluateLowSampleCountPercentile": given.get("EvaluateLowSampleCountPercentile", ""),
    }
    if given.get("Metrics"):
        return {"Period": settings.period, **common, "Metrics": given["Metrics"]}
    stat = next(query.stat for query in settings.queries.queries if query.stat is not None)
    metric = shown(stat.key)
    is_simple = stat.statistic in SIMPLE
    statistic = {"StatisticType": "Statistic", "Statistic": stat.statistic.upper()}
    extended = {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": stat.statistic}
    return {
        "MetricName": metric["MetricName"],
        "Namespace": metric["Namespace"],
        **(statistic if is_simple else extended),
        "Unit": stat.unit,
        "Dimensions": [{"value": one["Value"], "name": one["Name"]} for one in metric["Dimensions"]],
        "Period": stat.period,
        **common,
    }

"""Metric filters: an event that matches a pattern becomes a value of a metric.

Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from treadle_infra.app.model import Json
from treadle_local.aws.errors import AwsError
from treadle_local.aws.pages import page
from treadle_local.aws.service import Params, Result
from treadle_local.clock import Clock
from treadle_local.cloudwatch.series import MINUTE, NO_UNIT, Metrics, Series, dimensions_of
from treadle_local.cloudwatch.writes import UNITS
from treadle_local.logs.groups import Groups
from treadle_local.logs.json_patterns import select, selectors_of
from treadle_local.logs.patterns import parse_pattern
from treadle_local.logs.refusals import invalid
from treadle_local.logs.store import Event

_MOST_FILTERS = 100
"""Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
_MOST_DIMENSIONS = 3
_PAGE = 50
_TESTED_EVENTS = 50
_NAME = re.compile(r"[^:*]{1,512}")
_NAMESPACE = re.compile(r"[^:*$]{1,255}")


class Filter:
    """One metric filter of a group."""

    def __init__(self, params: Params, group: str, metrics: Metrics, created: int) -> None:
        self.name = str(params["filterName"])
        self._group = group
        self._pattern = str(params.get("filterPattern") or "")
        self._matches = parse_pattern(self._pattern)
        self._created = created
        self._metrics = metrics
        self.transformation = _transformation(params, self._pattern)
        self._default_minute = -1

    def observe(self, event: Event) -> None:
        """Counts an event: its value where it matches; else the default, once in a minute in which nothing does."""
        transformation = self.transformation
        time = event.dated / 1000
        minute = int(time) // MINUTE * MINUTE
        if self._matches is None or self._matches(event.message):
            value, dimensions = self._read(event.message)
            if value is None or dimensions is None:
                return
            series = self._series(dimensions)
            if minute == self._default_minute:
                series.minutes.pop(minute, None)
                self._default_minute = -1
            series.add(time, value)
        elif "defaultValue" in transformation:
            series = self._series({})
            if minute not in series.minutes:
                self._default_minute = minute
                series.add(time, float(transformation["defaultValue"]))

    def _series(self, dimensions: Mapping[str, str]) -> Series:
        namespace, name = self.transformation["metricNamespace"], self.transformation["metricName"]
        return self._metrics.at(namespace, name, dimensions_of(dimensions), self.transformation.get("unit") or NO_UNIT)

    def _read(self, message: str) -> tuple[float | None, dict[str, str] | None]:
        """The value and the dimensions; None where a field is missing, and nothing is counted."""
        wanted = str(self.transformation["metricValue"])
        selectors: Mapping[str, str] = self.transformation.get("dimensions") or {}
        if not wanted.startswith("$") and not selectors:
            return float(wanted), {}
        document = _document(message)
        value = select(document, wanted) if wanted.startswith("$") else wanted
        found = {name: _text(select(document, selector)) for name, selector in selectors.items()}
        if any(text is None for text in found.values()):
            return None, None
        return _number(value), {name: text for name, text in found.items() if text is not None}

    def shown(self) -> dict[str, Any]:
        return {
            "filterName": self.name,
            "filterPattern": self._pattern,
            "metricTransformations": [dict(self.transformation)],
            "creationTime": self._created,
            "logGroupName": self._group,
            "applyOnTransformedLogs": False,
        }


def _transformation(params: Params, pattern: str) -> Mapping[str, Any]:
    given: Sequence[Mapping[str, Any]] = params.get("metricTransformations") or ()
    if len(given) != 1:
        raise invalid("Exactly one metric transformation must be specified.")
    found: Mapping[str, Any] = given[0]
    for member in ("metricNamespace", "metricName"):
        if not _NAMESPACE.fullmatch(str(found.get(member) or "")):
            raise invalid(
                f"Value '{found.get(member)}' at '{member}' must be 1 to 255 characters without `:`, `*`, `$`."
            )
    if str(found["metricNamespace"]).startswith("AWS/"):
        raise invalid("The namespace of a metric filter must not begin with AWS/.")
    value = str(found.get("metricValue") or "")
    dimensions: Mapping[str, str] = found.get("dimensions") or {}
    is_json = pattern.strip().startswith("{")
    if value.startswith("$"):
        if not is_json:
            raise invalid("Invalid metric transformation: a metric value of a field needs a filter pattern for JSON.")
    elif _number(value) is None:
        raise invalid(f"Invalid metric transformation: the metric value '{value}' is neither a number nor a field.")
    if len(dimensions) > _MOST_DIMENSIONS:
        raise invalid(f"At most {_MOST_DIMENSIONS} dimensions can be specified.")
    if dimensions and not is_json:
        raise invalid("Invalid metric transformation: dimensions need a filter pattern for JSON.")
    if dimensions and found.get("defaultValue") is not None:
        raise invalid("Invalid metric transformation: dimensions and default value are mutually exclusive.")
    if (found.get("unit") or NO_UNIT) not in UNITS:
        raise invalid(f"Value '{found.get('unit')}' at 'unit' is no unit of CloudWatch.")
    return {name: part for name, part in found.items() if part is not None}


def _document(message: str) -> Json:
    try:
        return cast("Json", json.loads(message))
    except (ValueError, RecursionError):
        return None


def _text(value: Json) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


class MetricFilters:
    """The operations."""

    def __init__(self, clock: Clock, groups: Groups, metrics: Metrics) -> None:
        self._clock = clock
        self._groups = groups
        self._metrics = metrics
        self._filters: dict[tuple[str, str], Filter] = {}
        self.operations: Mapping[str, Callable[[Params], Result]] = {
            "PutMetricFilter": self._put,
            "DescribeMetricFilters": self._describe,
            "DeleteMetricFilter": self._delete,
            "TestMetricFilter": _test,
        }

    def forget(self, group: str) -> None:
        """Drops the filters of a group that is gone."""
        self._filters = {key: one for key, one in self._filters.items() if key[0] != group}

    def _put(self, params: Params) -> Result:
        group, name = self._groups.at(params), str(params.get("filterName") or "")
        if params.get("applyOnTransformedLogs"):
            raise AwsError("UnknownOperationException", "transformed logs are not in Treadle's emulator yet")
        if not _NAME.fullmatch(name):
            raise invalid(f"Value '{name}' at 'filterName' must be 1 to 512 characters without `:` and `*`.")
        if name not in group.filters and len(group.filters) >= _MOST_FILTERS:
            raise AwsError("LimitExceededException", "Resource limit exceeded.")
        made = Filter(params, group.name, self._metrics, int(self._clock.now() * 1000))
        group.filters[name] = self._filters[group.name, name] = made
        return {}

    def _delete(self, params: Params) -> Result:
        group, name = self._groups.at(params), str(params.get("filterName"))
        if group.filters.pop(name, None) is None:
            raise AwsError("ResourceNotFoundException", "The specified metric filter does not exist.")
        self._filters.pop((group.name, name), None)
        return {}

    def _describe(self, params: Params) -> Result:
        group = self._groups.at(params).name if params.get("logGroupName") is not None else None
        prefix = str(params.get("filterNamePrefix") or "")
        metric, namespace = params.get("metricName"), params.get("metricNamespace")
        if (metric is None) != (namespace is None):
            raise invalid("metricName and metricNamespace must be specified together.")
        wanted = [
            (f"{key[0]}:{key[1]}", one)
            for key, one in self._filters.items()
            if group in (None, key[0])
            and one.name.startswith(prefix)
            and metric in (None, one.transformation["metricName"])
            and namespace in (None, one.transformation["metricNamespace"])
        ]
        limit = params.get("limit", _PAGE)
        try:
            found, token = page(wanted, lambda entry: entry[0], limit, params.get("nextToken"))
        except ValueError:
            raise invalid("The specified nextToken is invalid.") from None
        answer: Result = {"metricFilters": [one.shown() for _, one in found]}
        return answer if token is None else {**answer, "nextToken": token}


def _test(params: Params) -> Result:
    pattern, messages = str(params.get("filterPattern") or ""), params.get("logEventMessages") or ()
    if not 1 <= len(messages) <= _TESTED_EVENTS:
        raise invalid(f"1 to {_TESTED_EVENTS} log event messages must be specified.")
    matches = parse_pattern(pattern)
    selectors = selectors_of(pattern) if pattern.strip().startswith("{") else []
    found: list[Result] = []
    for number, message in enumerate(messages, 1):
        if matches is None or matches(message):
            document = _document(message) if selectors else None
            values = {selector: _text(select(document, selector)) for selector in selectors}
            extracted = {selector: text for selector, text in values.items() if text is not None}
            found.append({"eventNumber": number, "eventMessage": message, "extractedValues": extracted})
    return {"matches": found}

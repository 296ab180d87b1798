"""Metrics that log events carry in themselves (the embedded metric format).

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from treadle_local.aws.wire import is_document, is_sequence
from treadle_local.cloudwatch.series import NO_UNIT, Bucket, Metrics
from treadle_local.cloudwatch.writes import UNITS

_MOST_METRICS = 100
_MOST_VALUES = 100
_MOST_DIMENSIONS = 30


def may_be_embedded(message: str) -> bool:
    """Whether a message may carry metrics; at nearly no cost for the many that do not."""
    return '"_aws"' in message and '"CloudWatchMetrics"' in message


def publish(message: str, time: float | None, metrics: Metrics) -> None:
    """Counts the metrics of a message at a time, its own where None; what is against the format is passed over."""
    try:
        document: Any = json.loads(message)
    except (ValueError, RecursionError):
        return
    if not is_document(document) or not is_document(header := document.get("_aws")):
        return
    own = header.get("Timestamp")
    if time is None:
        if not isinstance(own, int | float):
            return
        time = own / 1000
    directives = header.get("CloudWatchMetrics")
    for directive in directives if is_sequence(directives) else ():
        if is_document(directive):
            _publish(document, directive, time, metrics)


def _publish(document: dict[str, Any], directive: dict[str, Any], time: float, metrics: Metrics) -> None:
    namespace, definitions = directive.get("Namespace"), directive.get("Metrics")
    if not isinstance(namespace, str) or not namespace or not is_sequence(definitions):
        return
    sets = list(_dimension_sets(document, directive))
    for definition in definitions[:_MOST_METRICS]:
        name = definition.get("Name") if is_document(definition) else None
        if not isinstance(name, str) or (summary := _summary(document.get(name))) is None:
            continue
        unit = definition.get("Unit") or NO_UNIT
        for dimensions in sets:
            series = metrics.at(namespace, name, dimensions, unit if unit in UNITS else NO_UNIT)
            is_fine = definition.get("StorageResolution") == 1
            (series.add_finely if is_fine else series.add_summary)(time, summary)


def _dimension_sets(document: dict[str, Any], directive: dict[str, Any]) -> Iterator[tuple[tuple[str, str], ...]]:
    """The sets whose members the message has all."""
    sets = directive.get("Dimensions", [[]])
    for names in sets if is_sequence(sets) else ():
        if not is_sequence(names) or len(names) > _MOST_DIMENSIONS:
            continue
        values = {str(name): document.get(str(name)) for name in names}
        if all(isinstance(value, str | int | float) for value in values.values()):
            yield tuple(sorted((name, str(value)) for name, value in values.items()))


def _summary(value: Any) -> Bucket | None:
    values: list[Any] = value if is_sequence(value) else [value]
    if not values or len(values) > _MOST_VALUES:
        return None
    summary = Bucket()
    for one in values:
        if isinstance(one, bool) or not isinstance(one, int | float):
            return None
        summary.add(float(one))
    return summary

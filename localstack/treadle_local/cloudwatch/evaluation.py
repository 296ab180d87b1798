"""From the datapoints of an alarm's last periods to its state, missing ones treated as it says.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from treadle_local.cloudwatch.alarm import ALARM, COMPARISONS, INSUFFICIENT, OK, Settings
from treadle_local.cloudwatch.moments import written
from treadle_local.cloudwatch.series import MINUTE, Metrics

_MORE_PERIODS = 2
"""So many periods more are looked at than are evaluated, in case that some are missing; AWS's tables have as many."""
_BREACHES: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that the datapoints ask for (None: the one that there is stays), and why."""

    state: str | None
    reason: str = ""
    data: str = ""


def resolution(settings: Settings) -> int:
    """How often the alarm is evaluated, in seconds."""
    return MINUTE if settings.period >= MINUTE else 10


def window(settings: Settings, now: float) -> tuple[int, int]:
    """From when until when the alarm looks at metrics: whole periods up to the last step that is over."""
    step = resolution(settings)
    end = int(now) // step * step
    return end - (settings.evaluation_periods + _MORE_PERIODS) * settings.period, end


def judge(settings: Settings, metrics: Metrics, now: float) -> Verdict:
    """What the metrics say now. Raises: AwsError ValidationError where an expression cannot be computed."""
    start, end = window(settings, now)
    points = settings.queries.answers(metrics, start, end)[settings.returned]
    return decide(settings, [points.get(time) for time in range(start, end, settings.period)], end, now)


def decide(settings: Settings, datapoints: Sequence[float | None], end: int, now: float) -> Verdict:
    """The verdict on datapoints in order of time, None where one is missing; the last period ends at `end`."""
    breaches = _BREACHES[settings.comparison]
    periods, needed = settings.evaluation_periods, settings.datapoints_to_alarm
    count = len(datapoints)
    real = [
        (end - (count - index) * settings.period, value) for index, value in enumerate(datapoints) if value is not None
    ][-periods:]
    unknown = periods - len(real)
    breaching = sum(breaches(value, settings.threshold) for _, value in real)
    state = _state(settings, [breaches(value, settings.threshold) for _, value in real], real, end)
    if state is None:
        return Verdict(None)
    if state == INSUFFICIENT:
        reason = f"Insufficient Data: {unknown} datapoint{'s were' if unknown > 1 else ' was'} unknown."
    else:
        reason = _reason(settings, real, breaching, unknown, state)
    return Verdict(state, reason, _reason_data(settings, real, now) if needed else "")


def _state(settings: Settings, breaching: Sequence[bool], real: Sequence[tuple[int, float]], end: int) -> str | None:
    needed, missing = settings.datapoints_to_alarm, settings.evaluation_periods - len(real)
    count = sum(breaching)
    match settings.treat_missing_data:
        case "breaching":
            return ALARM if count + missing >= needed else OK
        case "notBreaching":
            return ALARM if count >= needed else OK
        case treatment:
            if not real:
                return INSUFFICIENT if treatment == "missing" else None
            if count >= needed:
                return ALARM
            if missing and count == len(real):
                # nothing but breaches: these suffice once the oldest has been there for long enough
                is_old = end - real[0][0] >= needed * settings.period
                return ALARM if is_old and treatment == "missing" else None
            return OK


def _reason(settings: Settings, real: Sequence[tuple[int, float]], breaching: int, unknown: int, state: str) -> str:
    periods, needed = settings.evaluation_periods, settings.datapoints_to_alarm
    compared = f"{COMPARISONS[settings.comparison]} the threshold ({settings.threshold})"
    if not real:
        treated = "breaching" if state == ALARM else "not breaching"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} period{'s' * (periods > 1)} and {periods} "
            f"missing datapoint{'s were' if periods > 1 else ' was'} treated as [{treated}]."
        )
    shown = ", ".join(f"{value} ({datetime.fromtimestamp(time, UTC):%d/%m/%y %H:%M:%S})" for time, value in real[::-1])
    count = breaching if state == ALARM else len(real) - breaching
    verb = "was" if count == 1 else "were"
    change = f"(minimum {needed} datapoint{'s' * (needed > 1)} for OK -> ALARM transition)"
    if state == OK:
        change = f"(minimum {periods - needed + 1} datapoint{'s' * (periods > needed)} for ALARM -> OK transition)"
    negation = "" if state == ALARM else "not "
    missing = f" and {unknown} missing datapoint{'s' * (unknown > 1)}" if unknown else ""
    return (
        f"Threshold Crossed: {count} out of the last {periods} datapoint{'s' * (periods > 1)} [{shown}]{missing} "
        f"{verb} {negation}{compared} {change}."
    )


def _reason_data(settings: Settings, real: Sequence[tuple[int, float]], now: float) -> str:
    stat = next((query.stat for query in settings.queries.queries if query.stat is not None), None)
    document = {
        "version": "1.0",
        "queryDate": written(now),
        **({"startDate": written(real[0][0])} if real else {}),
        **({"statistic": stat.statistic} if stat is not None and len(settings.queries.queries) == 1 else {}),
        "period": settings.period,
        "recentDatapoints": [value for _, value in real],
        "threshold": settings.threshold,
        "evaluatedDatapoints": [{"timestamp": written(time), "value": value} for time, value in real[::-1]],
    }
    return json.dumps(document, separators=(",", ":"))

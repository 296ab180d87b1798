"""The metrics that AWS's services publish of themselves, counted where the emulator does what they count.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html,
https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Mapping
from typing import Protocol, TypeVar

from treadle_local.clock import Clock
from treadle_local.cloudwatch.series import Meters, Metrics, Series, dimensions_of


class Outcome(Protocol):
    """What a metric tells of an invocation."""

    @property
    def function_error(self) -> str | None: ...
    @property
    def duration_ms(self) -> float: ...


OutcomeT = TypeVar("OutcomeT", bound=Outcome)


class _Meters:
    """The series of one thing, looked up once."""

    def __init__(self, metrics: Metrics, namespace: str, units: Mapping[str, str]) -> None:
        self._metrics = metrics
        self._namespace = namespace
        self._units = units
        self._known: dict[tuple[str, ...], Mapping[str, Series]] = {}
        self._together: dict[tuple[str, ...], Meters] = {}

    def of(self, names: tuple[str, ...], *values: str) -> Mapping[str, Series]:
        """Its series by their names, for dimensions of these names and values."""
        found = self._known.get(values)
        if found is None:
            dimensions = dimensions_of(dict(zip(names, values, strict=True)))
            found = {
                name: self._metrics.at(self._namespace, name, dimensions, unit) for name, unit in self._units.items()
            }
            self._known[values] = found
        return found

    def together(self, names: tuple[str, ...], *values: str) -> Meters:
        """The same series, to be given a value each at once."""
        found = self._together.get(values)
        if found is None:
            found = self._together[values] = Meters(self._metrics, self.of(names, *values).values())
        return found


class FunctionMetrics:
    """AWS/Lambda, by function; by alias or version too where one was invoked."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._clock = clock
        self._running: Counter[str] = Counter()
        counts = dict.fromkeys(("Invocations", "Errors", "Throttles", "ConcurrentExecutions"), "Count")
        self._meters = _Meters(metrics, "AWS/Lambda", {**counts, "Duration": "Milliseconds"})

    async def measure(self, name: str, invoked_arn: str, invocation: Awaitable[OutcomeT]) -> OutcomeT:
        """The outcome of an invocation, which is counted."""
        started = self._clock.now()
        self._running[name] += 1
        running = float(self._running[name])
        try:
            outcome = await invocation
        finally:
            self._running[name] -= 1
        qualified = invoked_arn.partition(":function:")[2]
        values = (1.0, 0.0 if outcome.function_error is None else 1.0, 0.0, running, outcome.duration_ms)
        self._meters.together(("FunctionName",), name).add(started, *values)
        if ":" in qualified:
            self._meters.together(("FunctionName", "Resource"), name, qualified).add(started, *values)
        return outcome

    def throttled(self, name: str) -> None:
        self._meters.of(("FunctionName",), name)["Throttles"].add(self._clock.now(), 1.0)


class ApiMetrics:
    """AWS/ApiGateway of HTTP APIs, by API, and by API and stage."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._clock = clock
        self._meters = _Meters(
            metrics,
            "AWS/ApiGateway",
            {"Count": "Count", "4xx": "Count", "5xx": "Count", "Latency": "Milliseconds"},
        )

    def count(self, api_id: str, stage: str, status: int, duration_ms: float) -> None:
        now = self._clock.now()
        values = (1.0, float(400 <= status < 500), float(status >= 500), duration_ms)
        self._meters.together(("ApiId",), api_id).add(now, *values)
        self._meters.together(("ApiId", "Stage"), api_id, stage).add(now, *values)


class ScheduleMetrics:
    """AWS/Events of rules that fire by the clock, and AWS/Scheduler by schedule group."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._clock = clock
        names = ("TriggeredRules", "Invocations", "FailedInvocations")
        self._rules = _Meters(metrics, "AWS/Events", dict.fromkeys(names, "Count"))
        self._groups = _Meters(
            metrics, "AWS/Scheduler", dict.fromkeys(("InvocationAttemptCount", "InvocationDroppedCount"), "Count")
        )

    def fired(self, source_arn: str, name: str) -> None:
        now = self._clock.now()
        if ":rule/" in source_arn:
            meters = self._rules.of(("RuleName",), name)
            meters["TriggeredRules"].add(now, 1.0)
            meters["Invocations"].add(now, 1.0)
        else:
            self._groups.of(("ScheduleGroup",), _group(source_arn))["InvocationAttemptCount"].add(now, 1.0)

    def failed(self, source_arn: str, name: str) -> None:
        now = self._clock.now()
        if ":rule/" in source_arn:
            self._rules.of(("RuleName",), name)["FailedInvocations"].add(now, 1.0)
        else:
            self._groups.of(("ScheduleGroup",), _group(source_arn))["InvocationDroppedCount"].add(now, 1.0)


def _group(schedule_arn: str) -> str:
    """`arn:aws:scheduler:<region>:<account>:schedule/<group>/<name>`"""
    return schedule_arn.partition("schedule/")[2].partition("/")[0]

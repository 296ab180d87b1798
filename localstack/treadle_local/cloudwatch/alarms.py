"""Alarms: their operations, and when they are evaluated on the emulator's clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.pages import page
from treadle_local.aws.service import Params, Region, Result
from treadle_local.clock import Clock, Timer
from treadle_local.cloudwatch.actions import Actions, Before
from treadle_local.cloudwatch.alarm import ACTIONS_OF, STATES, Alarm, parse_alarm
from treadle_local.cloudwatch.evaluation import judge, resolution, window
from treadle_local.cloudwatch.history import History
from treadle_local.cloudwatch.refusals import (
    invalid,
    invalid_combination,
    invalid_token,
    invalid_value,
    missing,
    not_found,
    not_here,
)
from treadle_local.cloudwatch.series import MINUTE, Key, Metrics, Series
from treadle_local.cloudwatch.tags import checked_tags
from treadle_local.cloudwatch.writes import dimensions_from

_PAGE, _DEFAULT_PAGE = 100, 50
_MOST_NAMES = 100
_log = logging.getLogger("treadle.cloudwatch")


class Alarms:
    """All alarms. One is evaluated at each full minute for as long as it has data to look at, and then rests."""

    def __init__(self, region: Region, clock: Clock, metrics: Metrics, actions: Actions) -> None:
        self._region = region
        self._clock = clock
        self._metrics = metrics
        self._actions = actions
        self._history = History()
        self._alarms: dict[str, Alarm] = {}
        self._by_metric: dict[Key, set[str]] = {}
        self._due: dict[str, float] = {}
        self._timer: Timer | None = None
        self._timer_at = 0.0
        metrics.on_data = self._on_data
        self.operations: Mapping[str, Callable[[Params], Result]] = {
            "PutMetricAlarm": self.put,
            "DescribeAlarms": self.describe,
            "DescribeAlarmsForMetric": self.describe_for_metric,
            "DescribeAlarmHistory": lambda params: self._history.describe(params, clock.now()),
            "DeleteAlarms": self.delete,
            "SetAlarmState": self.set_state,
            "EnableAlarmActions": lambda params: self._enable(params, enabled=True),
            "DisableAlarmActions": lambda params: self._enable(params, enabled=False),
        }

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def by_arn(self, arn: str) -> Alarm:
        """Raises: AwsError ResourceNotFound."""
        found = self._alarms.get(arn.removeprefix(self._region.arn("cloudwatch", "alarm:")))
        if found is None:
            raise AwsError("ResourceNotFoundException", f"{arn} does not exist", status=404)
        return found

    # operations

    def put(self, params: Params) -> Result:
        settings = parse_alarm(params)
        now, known = self._clock.now(), self._alarms.get(settings.name)
        enabled = params.get("ActionsEnabled", True) is not False
        if known is None:
            tags = checked_tags(params.get("Tags") or (), {})
            arn = self._region.arn("cloudwatch", f"alarm:{settings.name}")
            known = Alarm(settings, arn, now, enabled, changed=now, updated=now, tags=tags)
            self._alarms[settings.name] = known
            summary = f'Alarm "{settings.name}" created'
        else:  # keeps its state; tags are not changed by this operation
            known.settings, known.configured, known.actions_enabled = settings, now, enabled
            summary = f'Alarm "{settings.name}" updated'
        kind = "Create" if summary.endswith("created") else "Update"
        self._history.add(settings.name, now, "ConfigurationUpdate", summary, {"type": kind})
        self._index()
        self._arm(known)
        return {}

    def describe(self, params: Params) -> Result:
        names, prefix = params.get("AlarmNames") or (), params.get("AlarmNamePrefix")
        if names and prefix:
            raise invalid_combination("AlarmNames and AlarmNamePrefix cannot be given together.")
        if len(names) > _MOST_NAMES:
            raise invalid(f"The collection AlarmNames must not have a size greater than {_MOST_NAMES}.")
        if params.get("ChildrenOfAlarmName") or params.get("ParentsOfAlarmName"):
            raise not_here("A composite alarm")
        if "AlarmTypes" in params and params["AlarmTypes"] and "MetricAlarm" not in params["AlarmTypes"]:
            return {"MetricAlarms": [], "CompositeAlarms": []}
        state, action = params.get("StateValue"), params.get("ActionPrefix")
        most = params.get("MaxRecords", _MOST_NAMES if names else _DEFAULT_PAGE)
        if not isinstance(most, int) or not 1 <= most <= _PAGE:
            raise invalid_value(f"The value {most} for parameter MaxRecords must be 1 to {_PAGE}.")

        def is_wanted(alarm: Alarm) -> bool:
            name = alarm.settings.name
            actions = [arn for one in ACTIONS_OF for arn in alarm.actions(one)]
            return (
                (not names or name in names)
                and (not prefix or name.startswith(prefix))
                and state in (None, alarm.state)
                and (not action or any(arn.startswith(action) for arn in actions))
            )

        wanted = filter(is_wanted, self._alarms.values())
        try:
            found, token = page(wanted, lambda alarm: alarm.settings.name, most, params.get("NextToken"))
        except ValueError:
            raise invalid_token() from None
        answer: Result = {"MetricAlarms": [alarm.described() for alarm in found], "CompositeAlarms": []}
        return answer if token is None else {**answer, "NextToken": token}

    def describe_for_metric(self, params: Params) -> Result:
        for name in ("Namespace", "MetricName"):
            if not params.get(name):
                raise missing(name)
        dimensions = dimensions_from(params.get("Dimensions") or (), "Dimensions")
        names = self._by_metric.get((str(params["Namespace"]), str(params["MetricName"]), dimensions), set())
        return {"MetricAlarms": [self._alarms[name].described() for name in sorted(names)]}

    def delete(self, params: Params) -> Result:
        names = [str(name) for name in params.get("AlarmNames") or ()]
        if len(names) > _MOST_NAMES:
            raise invalid(f"The collection AlarmNames must not have a size greater than {_MOST_NAMES}.")
        if any(name not in self._alarms for name in names) and len(names) == 1:
            raise not_found(f"Unable to find alarm {names[0]}")
        for name in names:
            if self._alarms.pop(name, None) is not None:
                self._due.pop(name, None)
                self._history.add(name, self._clock.now(), "ConfigurationUpdate", f'Alarm "{name}" deleted', {})
        self._index()
        return {}

    def set_state(self, params: Params) -> Result:
        alarm = self._alarms.get(str(params.get("AlarmName")))
        if alarm is None:
            raise not_found(f"Unable to find alarm {params.get('AlarmName')}")
        state = str(params.get("StateValue"))
        if state not in STATES:
            raise invalid(f"Value '{state}' at 'stateValue' is not one of {', '.join(STATES)}.")
        if params.get("StateReason") is None:
            raise missing("StateReason")
        self._change(alarm, state, str(params["StateReason"]), str(params.get("StateReasonData") or ""))
        self._arm(alarm)  # the metrics have the last word
        return {}

    def _enable(self, params: Params, *, enabled: bool) -> Result:
        for name in params.get("AlarmNames") or ():
            if (alarm := self._alarms.get(str(name))) is not None:
                alarm.actions_enabled = enabled
        return {}

    # evaluation

    def _index(self) -> None:
        self._by_metric.clear()
        for name, alarm in self._alarms.items():
            for key in alarm.settings.queries.keys:
                self._by_metric.setdefault(key, set()).add(name)
        self._metrics.watch(self._by_metric.__contains__)

    def _on_data(self, series: Series) -> None:
        for name in self._by_metric.get(series.key, ()):
            if name not in self._due:
                self._arm(self._alarms[name])

    def _arm(self, alarm: Alarm) -> None:
        """Has the alarm evaluated at the next full step of the clock."""
        step = resolution(alarm.settings)
        due = (self._clock.now() // step + 1) * step
        self._due[alarm.settings.name] = due
        if self._timer is None or due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._set_timer(due)

    def _set_timer(self, due: float) -> None:
        self._timer_at = due
        self._timer = self._clock.call_at(due, self._evaluate_due)

    def _evaluate_due(self) -> None:
        now = self._clock.now()
        self._timer = None
        for name in [name for name, due in self._due.items() if due <= now]:
            del self._due[name]
            alarm = self._alarms[name]
            self._evaluate(alarm, now)
            if self._has_data(alarm, now):
                self._arm(alarm)
        if self._due and self._timer is None:
            self._set_timer(min(self._due.values()))

    def _has_data(self, alarm: Alarm, now: float) -> bool:
        """Whether there is something that the next evaluations would see, so that they may come to another verdict."""
        start, _ = window(alarm.settings, now)
        oldest = start - MINUTE - alarm.settings.period
        return any(series.last >= oldest for key in alarm.settings.queries.keys for series in self._metrics.find(key))

    def _evaluate(self, alarm: Alarm, now: float) -> None:
        try:
            verdict = judge(alarm.settings, self._metrics, now)
        except AwsError as problem:
            _log.warning("the alarm %s cannot be evaluated: %s", alarm.settings.name, problem.message)
            return
        if verdict.state is not None and verdict.state != alarm.state:
            self._change(alarm, verdict.state, verdict.reason, verdict.data)

    def _change(self, alarm: Alarm, state: str, reason: str, data: str) -> None:
        now = self._clock.now()
        before = Before(alarm.state, alarm.reason, alarm.reason_data, alarm.updated)
        alarm.state, alarm.reason, alarm.reason_data, alarm.updated = state, reason, data, now
        if before.state == state:
            return
        alarm.changed = now
        name = alarm.settings.name
        states: dict[str, Any] = {
            "oldState": {"stateValue": before.state, "stateReason": before.reason},
            "newState": {"stateValue": state, "stateReason": reason},
        }
        self._history.add(name, now, "StateUpdate", f"Alarm updated from {before.state} to {state}", states)
        if alarm.actions_enabled:
            self._act(alarm, before, alarm.actions(state))

    def _act(self, alarm: Alarm, before: Before, actions: Sequence[str]) -> None:
        name, now = alarm.settings.name, self._clock.now()
        for arn in actions:
            try:
                self._actions.do(alarm, before, arn)
            except AwsError as problem:
                _log.warning("the alarm %s could not act on %s: %s", name, arn, problem.message)
                summary, said = f"Failed to execute action {arn}. Received error: {problem.message}", "Failed"
            else:
                summary, said = f"Successfully executed action {arn}", "Succeeded"
            data = {"actionState": said, "notificationResource": arn, "stateUpdateTimestamp": int(now * 1000)}
            self._history.add(name, now, "Action", summary, data)

"""What an alarm does on its change: a message to a topic, an event to a function, where their policies let it in.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from treadle_local.aws.authorization.policy import resource_policy_allows
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Caller, Params, Region
from treadle_local.cloudwatch.alarm import Alarm, trigger
from treadle_local.cloudwatch.moments import written
from treadle_local.cloudwatch.series import MINUTE

_TOPICS_PRINCIPAL = "cloudwatch.amazonaws.com"
_FUNCTIONS_PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"
_REGION_NAMES = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
}


class Operations(Protocol):
    """A service whose operations answer at once or not at all."""

    def handle(self, operation: str, params: Params, caller: Caller) -> object: ...


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who alarms act on. `function_policy` is the resource policy of a function by its ARN."""

    topics: Operations
    functions: Operations
    function_policy: Callable[[str], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Before:
    """The state that an alarm had."""

    state: str
    reason: str
    reason_data: str
    updated: float


class Actions:
    """Does the actions of alarms."""

    def __init__(self, region: Region, receivers: Receivers) -> None:
        self._region = region
        self._receivers = receivers

    def do(self, alarm: Alarm, before: Before, arn: str) -> None:
        """Raises: AwsError where the topic or function is missing, or does not let the alarm in."""
        if ":sns:" in arn:
            self._publish(alarm, before, arn)
        else:
            self._invoke(alarm, before, arn)

    def _publish(self, alarm: Alarm, before: Before, arn: str) -> None:
        topics = self._receivers.topics
        found: Any = topics.handle("GetTopicAttributes", {"TopicArn": arn}, ROOT)
        policy = json.loads(found["Attributes"]["Policy"])
        self._check(policy, "sns:Publish", arn, alarm, _TOPICS_PRINCIPAL)
        place = _REGION_NAMES.get(self._region.name, self._region.name)
        subject = f'{alarm.state}: "{alarm.settings.name}" in {place}'
        message = json.dumps(self._message(alarm, before, place))
        topics.handle("Publish", {"TopicArn": arn, "Subject": subject[:100], "Message": message}, ROOT)

    def _invoke(self, alarm: Alarm, before: Before, arn: str) -> None:
        policy = self._receivers.function_policy(arn)
        self._check(policy or {}, "lambda:InvokeFunction", arn, alarm, _FUNCTIONS_PRINCIPAL)
        payload = json.dumps(self._event(alarm, before)).encode()
        request = {"FunctionName": arn, "InvocationType": "Event", "Payload": payload}
        self._receivers.functions.handle("Invoke", request, ROOT)

    def _check(self, policy: Mapping[str, Any], action: str, resource: str, alarm: Alarm, principal: str) -> None:
        account = self._region.account
        # a topic without a policy of its own lets in what belongs to its account, by AWS:SourceOwner
        context = {"aws:SourceArn": alarm.arn, "aws:SourceAccount": account, "AWS:SourceOwner": account}
        if not policy or not resource_policy_allows(
            policy, action, resource, principal_service=principal, principal_arn=None, context=context
        ):
            message = f"{principal} is not authorized to perform: {action} on resource: {resource}"
            raise AwsError("AccessDeniedException", f"{message} because no resource-based policy allows it", status=403)

    def _message(self, alarm: Alarm, before: Before, place: str) -> dict[str, Any]:
        return {
            "AlarmName": alarm.settings.name,
            "AlarmDescription": alarm.settings.given.get("AlarmDescription"),
            "AWSAccountId": self._region.account,
            "AlarmConfigurationUpdatedTimestamp": written(alarm.configured),
            "NewStateValue": alarm.state,
            "NewStateReason": alarm.reason,
            "StateChangeTime": written(alarm.changed),
            "Region": place,
            "AlarmArn": alarm.arn,
            "OldStateValue": before.state,
            "OKActions": alarm.actions("OK"),
            "AlarmActions": alarm.actions("ALARM"),
            "InsufficientDataActions": alarm.actions("INSUFFICIENT_DATA"),
            "Trigger": trigger(alarm.settings),
        }

    def _event(self, alarm: Alarm, before: Before) -> dict[str, Any]:
        """Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html"""
        return {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.arn,
            "accountId": self._region.account,
            "time": written(alarm.changed),
            "region": self._region.name,
            "alarmData": {
                "alarmName": alarm.settings.name,
                "state": _state(alarm.state, alarm.reason, alarm.reason_data, alarm.changed),
                "previousState": _state(before.state, before.reason, before.reason_data, before.updated),
                "configuration": {
                    "description": alarm.settings.given.get("AlarmDescription", ""),
                    "metrics": _metrics(alarm),
                },
            },
        }


def _state(value: str, reason: str, data: str, updated: float) -> dict[str, str]:
    state = {"value": value, "reason": reason, "timestamp": written(updated)}
    return {**state, "reasonData": data} if data else state


def _metrics(alarm: Alarm) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    for query in alarm.settings.queries.queries:
        entry: dict[str, Any] = {"id": query.id, "returnData": query.is_returned}
        if query.stat is not None:
            namespace, name, dimensions = query.stat.key
            entry["metricStat"] = {
                "metric": {"namespace": namespace, "name": name, "dimensions": dict(dimensions)},
                "period": query.stat.period or MINUTE,
                "stat": query.stat.statistic,
            }
        else:
            entry["expression"] = query.expression
        shown.append(entry)
    return shown

"""The permissions that the operations of EventBridge and its scheduler need.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html,
.../list_amazoneventbridgescheduler.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from treadle_local.aws.authorization.arns import ANY, first, named, pass_role
from treadle_local.aws.service import Params, Region, Target

_DEFAULT = "default"
_ON_BUSES = frozenset({"CreateEventBus", "DeleteEventBus", "DescribeEventBus", "UpdateEventBus"})
_OF_RULES = frozenset({"PutRule", "DeleteRule", "DescribeRule", "EnableRule", "DisableRule"})
_OF_TARGETS = frozenset({"PutTargets", "RemoveTargets", "ListTargetsByRule"})


def events_targets(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """What an operation of EventBridge needs to be allowed."""
    action = f"events:{operation}"
    if operation == "PutEvents":
        return [_on_bus(region, entry) for entry in params["Entries"]]
    if operation in _OF_RULES:
        return [Target(action, _rule(region, params, "Name")), *pass_role(params.get("RoleArn"), "events")]
    if operation in _OF_TARGETS:
        wanted: list[Mapping[str, Any]] = params.get("Targets") or []
        roles = dict.fromkeys(target["RoleArn"] for target in wanted if target.get("RoleArn"))
        arns = [str(target["Arn"]) for target in wanted]
        context: dict[str, str | Sequence[str]] = {"events:TargetArn": arns} if arns else {}
        passed = [target for role in roles for target in pass_role(role, "events")]
        return [Target(action, _rule(region, params, "Rule"), context), *passed]
    if operation in _ON_BUSES:
        return [Target(action, named(region, "events", "event-bus/", params.get("Name", _DEFAULT)))]
    return [Target(action, first(params, "ResourceARN") or ANY)]


def scheduler_targets(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """What an operation of EventBridge Scheduler needs to be allowed."""
    action = f"scheduler:{operation}"
    if operation.endswith("ScheduleGroup"):
        return [Target(action, region.arn("scheduler", f"schedule-group/{params['Name']}"))]
    if operation.endswith("Schedule"):
        schedule = region.arn("scheduler", f"schedule/{params.get('GroupName', _DEFAULT)}/{params['Name']}")
        return [Target(action, schedule), *pass_role(params.get("Target", {}).get("RoleArn"), "scheduler")]
    return [Target(action, first(params, "ResourceArn") or ANY)]


def _on_bus(region: Region, entry: Mapping[str, Any]) -> Target:
    context = {
        key: str(entry[name])
        for name, key in (("Source", "events:source"), ("DetailType", "events:detail-type"))
        if name in entry
    }
    bus = named(region, "events", "event-bus/", entry.get("EventBusName") or _DEFAULT)
    return Target("events:PutEvents", bus, context)


def _rule(region: Region, params: Params, name: str) -> str:
    bus = str(params.get("EventBusName") or _DEFAULT).rpartition("/")[2]
    return region.arn("events", f"rule/{params[name]}" if bus == _DEFAULT else f"rule/{bus}/{params[name]}")

"""EventBridge's rules for as long as moto is not there: most projects have a few and need nothing else of moto's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import Params, Region, Result
from treadle_local.schedules.rules import DEFAULT_BUS, bus_of

_DESCRIBED = ("Name", "ScheduleExpression", "EventPattern", "Description", "RoleArn")


class EarlyRules:
    """Takes and tells rules of the default bus and their targets. Once moto is called, it has them and answers."""

    def __init__(self, region: Region, moto: Moto) -> None:
        self._region = region
        self._moto = moto
        self._rules: dict[str, Result] = {}
        self._targets: dict[str, dict[str, Mapping[str, Any]]] = {}

    async def call(self, operation: str, params: Params) -> Result:
        """Does one operation, of which `Events` has checked the parameters. Raises AwsError."""
        answer = self._answer(operation, params) if bus_of(params) == DEFAULT_BUS else None
        return await self._moto.call("events", operation, params) if answer is None else answer

    def _answer(self, operation: str, params: Params) -> Result | None:
        """None where it is for moto to answer."""
        match operation:
            case "PutRule" if self._moto.later("events", operation, params):
                return self._put_rule(params)
            case "PutTargets" if params["Rule"] in self._rules and self._moto.later("events", operation, params):
                self._targets[params["Rule"]].update({str(target["Id"]): target for target in params["Targets"]})
                return {"FailedEntryCount": 0, "FailedEntries": []}
            case "DescribeRule" if self._moto.is_asleep:
                if params["Name"] not in self._rules:
                    message = f"Rule {params['Name']} does not exist on EventBus {DEFAULT_BUS}."
                    raise AwsError("ResourceNotFoundException", message)
                return dict(self._rules[params["Name"]])
            case "ListTargetsByRule" if self._moto.is_asleep and params["Rule"] in self._rules:
                return {"Targets": list(self._targets[params["Rule"]].values())}
            case _:
                return None

    def _put_rule(self, params: Params) -> Result:
        name = str(params["Name"])
        arn = self._region.arn("events", f"rule/{name}")
        rule = {member: params[member] for member in _DESCRIBED if params.get(member)}
        given = {"State": params.get("State") or "ENABLED", "EventBusName": DEFAULT_BUS, "Arn": arn}
        self._rules[name] = {**rule, **given, "CreatedBy": self._region.account}
        self._targets.setdefault(name, {})
        return {"RuleArn": arn}

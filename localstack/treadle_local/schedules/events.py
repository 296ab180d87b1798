"""Amazon EventBridge in the emulator: its control plane is moto's, what rules do is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any

from treadle_local.aws.authorization import actions
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.functions.constraints import check
from treadle_local.schedules.early_rules import EarlyRules
from treadle_local.schedules.entries import check_size, event_of, new_event, refusal_of, test_pattern
from treadle_local.schedules.errands import Errands
from treadle_local.schedules.happenings import Firing, Missed, Tell
from treadle_local.schedules.post import Trusts
from treadle_local.schedules.refusals import limit_exceeded, not_here, unusable_role
from treadle_local.schedules.rule_errands import errand
from treadle_local.schedules.rules import (
    DEFAULT_BUS,
    RULES_LIMIT,
    Rule,
    bus_of,
    check_rule,
    check_targets,
    read_rule,
)
from treadle_local.schedules.timetable import Plan, Timetable

_OF_RULES = {"PutRule": "Name", "EnableRule": "Name", "DisableRule": "Name", "DeleteRule": "Name"}
_OF_TARGETS = {"PutTargets": "Rule", "RemoveTargets": "Rule"}
_NOT_BUILT = ("Archive", "Replay", "PartnerEvents")
_PRINCIPAL = "events.amazonaws.com"


class Events:
    """Rules fire by the clock and by events. Every change is known here before its operation is answered."""

    def __init__(self, region: Region, clock: Clock, moto: Moto, trusts: Trusts, errands: Errands, tell: Tell) -> None:
        self._region = region
        self._clock = clock
        self._control = EarlyRules(region, moto)
        self._trusts = trusts
        self._errands = errands
        self._tell = tell
        self._rules: dict[tuple[str, str], Rule] = {}
        self._changing = asyncio.Lock()
        self.timetable = Timetable(clock, self._on_due, self._on_missed)

    # the Service protocol

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        """See `Service`."""
        if operation.endswith(_NOT_BUILT):
            raise not_here(f"events {operation}")
        check(operation, params, "events")
        match operation:
            case "PutEvents":
                return self._put_events(params)
            case "TestEventPattern":
                return test_pattern(params)
            case _ if operation in _OF_RULES or operation in _OF_TARGETS or operation == "DeleteEventBus":
                return self._change(operation, params)
            case _:
                return self._control.call(operation, params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """See `Service`."""
        return actions.targets(self._region, "events", operation, params)

    # rules

    def find(self, arn: str) -> Rule | None:
        """The rule with this ARN."""
        name = arn.partition(":rule/")[2]
        bus, _, inner = name.rpartition("/")
        return self._rules.get((bus or DEFAULT_BUS, inner))

    async def _change(self, operation: str, params: Params) -> Result:
        async with self._changing:  # so that what is read afterwards is what this change made
            key = (bus_of(params), str(params.get(_OF_RULES.get(operation) or _OF_TARGETS.get(operation) or "Name")))
            self._check(operation, key, params)
            result = await self._control.call(operation, params)
            if operation == "DeleteEventBus":
                for gone in [known for known in self._rules if known[0] == key[1]]:
                    self._forget(gone)
            elif operation == "DeleteRule":
                self._forget(key)
            elif operation in _OF_TARGETS:
                await self._read_targets(key)
            else:
                await self._read_rule(key)
            return result

    def _check(self, operation: str, key: tuple[str, str], params: Params) -> None:
        if operation == "PutRule":
            check_rule(params)
            if key not in self._rules and sum(bus == key[0] for bus, _ in self._rules) >= RULES_LIMIT:
                raise limit_exceeded()
            self._check_role(key, params.get("RoleArn"))
        elif operation == "PutTargets":
            check_targets(self._rules.get(key), params["Targets"])
            for target in params["Targets"]:
                self._check_role(key, target.get("RoleArn"))

    def _check_role(self, key: tuple[str, str], role_arn: str | None) -> None:
        bus, name = key
        rule_arn = self._region.arn("events", f"rule/{name}" if bus == DEFAULT_BUS else f"rule/{bus}/{name}")
        if role_arn and not self._trusts(role_arn, _PRINCIPAL, rule_arn):
            raise unusable_role(role_arn, _PRINCIPAL)

    async def _read_rule(self, key: tuple[str, str]) -> None:
        bus, name = key
        known = self._rules.get(key)
        described = await self._control.call("DescribeRule", {"Name": name, "EventBusName": bus})
        self._put(key, read_rule(described, known.targets if known is not None else ()))

    async def _read_targets(self, key: tuple[str, str]) -> None:
        bus, name = key
        known = self._rules.get(key)
        if known is not None:
            found = await self._control.call("ListTargetsByRule", {"Rule": name, "EventBusName": bus})
            self._put(key, known.with_targets(found.get("Targets", ())))

    def _put(self, key: tuple[str, str], rule: Rule) -> None:
        self._rules[key] = rule
        if rule.schedule is not None and rule.enabled:
            self.timetable.put(rule.arn, Plan(rule.schedule))
        else:
            self.timetable.drop(rule.arn)

    def _forget(self, key: tuple[str, str]) -> None:
        rule = self._rules.pop(key, None)
        if rule is not None:
            self.timetable.drop(rule.arn)

    # events

    def _on_due(self, arn: str, moment: datetime, _last: bool) -> None:
        """Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html"""
        rule = self.find(arn)
        if rule is None:
            return
        event = new_event(self._region, "Scheduled Event", "aws.events", moment, [arn], {})
        for target in rule.targets:
            self._tell(Firing(rule.name, arn, target.arn, moment))
            self._errands.run(errand(rule, target, event))

    def _on_missed(self, arn: str, count: int, first: datetime, last: datetime) -> None:
        rule = self.find(arn)
        self._tell(Missed(rule.name if rule is not None else arn, arn, count, first, last))

    def _put_events(self, params: Params) -> Result:
        """An event for a bus that is not there matches nothing, as on AWS."""
        entries: Sequence[Mapping[str, Any]] = params["Entries"]
        check_size(entries)
        results = [self._put_event(entry) for entry in entries]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put_event(self, entry: Mapping[str, Any]) -> Result:
        refusal = refusal_of(entry)
        if refusal is not None:
            return refusal
        event, bus = event_of(self._region, entry, self._clock.now()), bus_of(entry)
        for (of_bus, _), rule in tuple(self._rules.items()):
            if of_bus == bus and rule.enabled and rule.pattern is not None and rule.pattern.fits(event):
                for target in rule.targets:
                    self._errands.run(errand(rule, target, event))
        return {"EventId": event["id"]}

"""Cron triggers as resources: a rule each, or a schedule where a rule cannot say it, and what their failures become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from treadle.names import LIVE_ALIAS, Names
from treadle_infra.app.model import App, CronTrigger, Step
from treadle_infra.topology.model import (
    SHARED,
    AsynchronousSettings,
    Origin,
    Resource,
    Rule,
    RulePermission,
    Schedule,
    SchedulerRole,
)
from treadle_infra.topology.references import (
    AliasRef,
    AsynchronousSettingsRef,
    DeadLetterQueueRef,
    FunctionRef,
    RulePermissionRef,
    RuleRef,
    ScheduleRef,
    SchedulerRoleRef,
)
from treadle_infra.topology.schedules import aws_schedule

RULE_LIMIT = 300
"""Rules of an event bus. Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"""
RETRIES = 2
"""The most that Lambda retries an invocation that nobody waits for.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""
MAXIMUM_AGE_SECONDS = 3_600


def cron_triggers(step: Step) -> list[CronTrigger]:
    return [trigger for trigger in step.triggers if isinstance(trigger, CronTrigger)]


def scheduled(app: App, names: Names) -> Mapping[str, Sequence[Rule | Schedule]]:
    """The rules and schedules of each step that has any, in the order of its cron triggers."""
    found: dict[str, list[Rule | Schedule]] = {}
    rules = 0
    for step in app.steps:
        for number, trigger in enumerate(cron_triggers(step)):
            is_rule = trigger.timezone is None and rules < RULE_LIMIT
            rules += is_rule
            found.setdefault(step.name, []).append(_scheduled(step, number, trigger, names, is_rule=is_rule))
    return found


def _scheduled(step: Step, number: int, trigger: CronTrigger, names: Names, *, is_rule: bool) -> Rule | Schedule:
    name, expression = names.schedule(step.name, number), aws_schedule(trigger).expression
    alias, dead_letter_queue = AliasRef(step.name), DeadLetterQueueRef(step.name)
    origin = Origin(step.name, trigger.where or step.where)
    if is_rule:
        ref = RuleRef(step.name, number)
        return Rule(ref, name, expression, trigger.expression, trigger.dialect, alias, dead_letter_queue, origin)
    return Schedule(
        ref=ScheduleRef(step.name, number),
        name=name,
        expression=expression,
        written=trigger.expression,
        dialect=trigger.dialect,
        timezone=trigger.timezone or "UTC",
        alias=alias,
        role=SchedulerRoleRef(),
        dead_letter_queue=dead_letter_queue,
        origin=origin,
    )


def schedule_resources(step: str, schedules: Iterable[Rule | Schedule], origin: Origin) -> Iterator[Resource]:
    """What a step with these rules and schedules has besides its function and its dead-letter queue."""
    yield AsynchronousSettings(
        ref=AsynchronousSettingsRef(step),
        function=FunctionRef(step),
        alias=AliasRef(step),
        alias_name=LIVE_ALIAS,
        retries=RETRIES,
        maximum_age_seconds=MAXIMUM_AGE_SECONDS,
        dead_letter_queue=DeadLetterQueueRef(step),
        origin=origin,
    )
    for schedule in schedules:
        yield schedule
        if isinstance(schedule, Rule):
            yield RulePermission(RulePermissionRef(schedule.ref), schedule.ref, schedule.alias, schedule.origin)


def scheduler_role(names: Names, scheduled_steps: Iterable[Sequence[Rule | Schedule]]) -> Iterator[SchedulerRole]:
    """The one role of all schedules; nothing where there are none."""
    steps = [
        schedules[0].ref.step
        for schedules in scheduled_steps
        if any(isinstance(schedule, Schedule) for schedule in schedules)
    ]
    if steps:
        aliases = tuple(AliasRef(step) for step in steps)
        dead_letter_queues = tuple(DeadLetterQueueRef(step) for step in steps)
        yield SchedulerRole(SchedulerRoleRef(), names.scheduler_role(), aliases, dead_letter_queues, SHARED)

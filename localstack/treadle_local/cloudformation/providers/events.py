"""AWS::Events::Rule."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.errors import AlreadyExistsError, ResourceError
from treadle_local.cloudformation.properties import json_text
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Properties,
    Schema,
    TagForm,
    pick,
    removed_keys,
    tags_of,
)

_TARGET = ("Arn", "DeadLetterConfig", "Id", "Input", "InputPath", "InputTransformer", "RetryPolicy", "RoleArn")
# The most targets that one call carries.
# Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
_TARGETS_A_CALL = 10


class Rule:
    schema = Schema(
        "AWS::Events::Rule",
        implemented=(
            *("Description", "EventBusName", "EventPattern", "Name", "RoleArn", "ScheduleExpression", "State"),
            *(f"Targets/{member}" for member in _TARGET),
        ),
        attributes=frozenset({"Arn", "RuleName"}),
        name_property="Name",
        tags=TagForm.PAIRS,
        also_create_only=frozenset({"EventBusName"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        name = properties.get("Name") or context.generated_name(64)
        bus = properties.get("EventBusName")
        if await context.call_if_there("events", "DescribeRule", Name=name, EventBusName=bus) is not None:
            raise AlreadyExistsError(name)
        created = await context.call_tagged(
            "events", "PutRule", TagForm.PAIRS, model.tags, Name=name, **_rule(properties)
        )
        context.initiated(f"{bus}|{name}" if bus is not None else name)
        await self._put_targets(context, properties, properties.get("Targets", []))
        return {"Arn": created["RuleArn"], "RuleName": name}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        name, old, new = _name(context), before.properties, after.properties
        put = await context.call("events", "PutRule", Name=name, **_rule(new))
        was, wanted = old.get("Targets", []), new.get("Targets", [])
        kept = {target["Id"] for target in wanted}
        # first, since a rule has five at most
        await self._remove_targets(context, old, [target["Id"] for target in was if target["Id"] not in kept])
        await self._put_targets(context, new, [target for target in wanted if target not in was])
        if before.tags != after.tags:
            if removed := removed_keys(before, after):
                await context.call("events", "UntagResource", ResourceARN=put["RuleArn"], TagKeys=removed)
            await context.tag("events", "TagResource", TagForm.PAIRS, after.tags, ResourceARN=put["RuleArn"])
        return {"Arn": put["RuleArn"], "RuleName": name}

    async def delete(self, context: Context, model: Model) -> None:
        properties = model.properties
        await self._remove_targets(context, properties, [target["Id"] for target in properties.get("Targets", [])])
        await context.call_if_there("events", "DeleteRule", Name=_name(context), **pick(properties, "EventBusName"))

    async def read(self, context: Context, model: Model) -> Model | None:
        place = {"EventBusName": model.properties.get("EventBusName")}
        rule = await context.call_if_there("events", "DescribeRule", Name=_name(context), **place)
        if rule is None:
            return None
        targets = await context.call("events", "ListTargetsByRule", Rule=_name(context), **place)
        tags = await context.call("events", "ListTagsForResource", ResourceARN=rule["Arn"])
        return Model(self.schema.observed(rule, Targets=targets["Targets"], **place), tags_of(tags.get("Tags")))

    async def _put_targets(self, context: Context, properties: Properties, targets: list[dict[str, Any]]) -> None:
        for start in range(0, len(targets), _TARGETS_A_CALL):
            answer = await context.call(
                "events",
                "PutTargets",
                Rule=_name(context),
                Targets=targets[start : start + _TARGETS_A_CALL],
                **pick(properties, "EventBusName"),
            )
            for entry in answer.get("FailedEntries", ()):
                raise ResourceError(f"Target {entry['TargetId']}: {entry['ErrorMessage']}")

    async def _remove_targets(self, context: Context, properties: Properties, ids: list[str]) -> None:
        for start in range(0, len(ids), _TARGETS_A_CALL):
            await context.call_if_there(
                "events",
                "RemoveTargets",
                Rule=_name(context),
                Ids=ids[start : start + _TARGETS_A_CALL],
                **pick(properties, "EventBusName"),
            )


def _name(context: Context) -> str:
    """The rule's own name: the physical id has the bus in front, where one is given."""
    return context.physical_id.rsplit("|", 1)[-1]


def _rule(properties: Properties) -> dict[str, Any]:
    pattern = {"EventPattern": json_text(properties["EventPattern"])} if "EventPattern" in properties else {}
    return pattern | pick(properties, "Description", "EventBusName", "RoleArn", "ScheduleExpression", "State")

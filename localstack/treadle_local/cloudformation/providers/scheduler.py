"""AWS::Scheduler::Schedule and AWS::Scheduler::ScheduleGroup."""

from __future__ import annotations

from datetime import UTC, datetime

from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Schema,
    TagForm,
    pick,
    removed_keys,
    tags_of,
)

_TARGET = ("Arn", "DeadLetterConfig", "Input", "RetryPolicy", "RoleArn")


class Schedule:
    schema = Schema(
        "AWS::Scheduler::Schedule",
        implemented=(
            *("Description", "EndDate", "FlexibleTimeWindow", "GroupName", "KmsKeyArn", "Name"),
            *("ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "State"),
            *(f"Target/{member}" for member in _TARGET),
        ),
        attributes=frozenset({"Arn"}),
        name_property="Name",
        also_create_only=frozenset({"GroupName"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        name = model.properties.get("Name") or context.generated_name(64)
        created = await context.call("scheduler", "CreateSchedule", **{**model.properties, "Name": name})
        context.initiated(name)
        return {"Arn": created["ScheduleArn"]}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        """Sets the whole schedule: what UpdateSchedule is not given goes back to its default."""
        updated = await context.call("scheduler", "UpdateSchedule", **{**after.properties, "Name": context.physical_id})
        return {"Arn": updated["ScheduleArn"]}

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there(
            "scheduler", "DeleteSchedule", Name=context.physical_id, **pick(model.properties, "GroupName")
        )

    async def read(self, context: Context, model: Model) -> Model | None:
        place = {"Name": context.physical_id, **pick(model.properties, "GroupName")}
        found = await context.call_if_there("scheduler", "GetSchedule", **place)
        if found is None:
            return None
        dates = {name: _written(found.get(name), model.properties.get(name)) for name in ("EndDate", "StartDate")}
        return Model(self.schema.observed(found, **dates))


class ScheduleGroup:
    schema = Schema(
        "AWS::Scheduler::ScheduleGroup",
        implemented=("Name",),
        attributes=frozenset({"Arn", "CreationDate", "LastModificationDate", "State"}),
        name_property="Name",
        tags=TagForm.PAIRS,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        name = model.properties.get("Name") or context.generated_name(64)
        await context.call_tagged("scheduler", "CreateScheduleGroup", TagForm.PAIRS, model.tags, Name=name)
        context.initiated(name)
        return await self._attributes(context)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        attributes = await self._attributes(context)
        if removed := removed_keys(before, after):
            await context.call("scheduler", "UntagResource", ResourceArn=attributes["Arn"], TagKeys=removed)
        await context.tag("scheduler", "TagResource", TagForm.PAIRS, after.tags, ResourceArn=attributes["Arn"])
        return attributes

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("scheduler", "DeleteScheduleGroup", Name=context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        found = await context.call_if_there("scheduler", "GetScheduleGroup", Name=context.physical_id)
        if found is None:
            return None
        tags = await context.call("scheduler", "ListTagsForResource", ResourceArn=found["Arn"])
        return Model(self.schema.observed(found), tags_of(tags.get("Tags")))

    async def _attributes(self, context: Context) -> Attributes:
        group = await context.call("scheduler", "GetScheduleGroup", Name=context.physical_id)
        dates = {name: group[name].isoformat() for name in ("CreationDate", "LastModificationDate")}
        return {"Arn": group["Arn"], "State": group["State"], **dates}


def _written(moment: datetime | None, written: str | None) -> str | None:
    """A moment in the form in which the template has it, if that is the same moment."""
    if moment is None:
        return None
    if written is not None and _same_moment(written, moment):
        return written
    return moment.isoformat()


def _same_moment(written: str, moment: datetime) -> bool:
    try:
        parsed = datetime.fromisoformat(written)
    except ValueError:
        return False
    return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)) == moment

"""AWS::SSM::Parameter."""

from __future__ import annotations

from treadle_local.cloudformation.errors import AlreadyExistsError, CallError
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

_SETTINGS = ("AllowedPattern", "DataType", "Description", "Policies", "Tier", "Type", "Value")


class Parameter:
    schema = Schema(
        "AWS::SSM::Parameter",
        implemented=("Name", *_SETTINGS),
        attributes=frozenset({"Arn", "Type", "Value"}),
        name_property="Name",
        tags=TagForm.MAP,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        name = model.properties.get("Name") or context.generated_name(1011)
        try:
            await context.call_tagged(
                "ssm",
                "PutParameter",
                TagForm.PAIRS,
                model.tags,
                Name=name,
                Overwrite=False,
                **pick(model.properties, *_SETTINGS),
            )
        except CallError as failure:
            if failure.code == "ParameterAlreadyExists":
                raise AlreadyExistsError(name) from failure
            raise
        context.initiated(name)
        return self._attributes(context, model)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        name, properties = context.physical_id, after.properties
        if before.changed(after) - {"Tags"}:
            cleared = {"Description": ""} if "Description" in before.properties else {}
            await context.call(
                "ssm", "PutParameter", Name=name, Overwrite=True, **{**cleared, **pick(properties, *_SETTINGS)}
            )
        if before.tags != after.tags:
            thing = {"ResourceType": "Parameter", "ResourceId": name}
            if removed := removed_keys(before, after):
                await context.call("ssm", "RemoveTagsFromResource", TagKeys=removed, **thing)
            await context.tag("ssm", "AddTagsToResource", TagForm.PAIRS, after.tags, **thing)
        return self._attributes(context, after)

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("ssm", "DeleteParameter", Name=context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        name = context.physical_id
        found = await context.call_if_there("ssm", "GetParameter", Name=name)
        if found is None:
            return None
        tags = await context.call("ssm", "ListTagsForResource", ResourceType="Parameter", ResourceId=name)
        return Model(self.schema.observed(found["Parameter"]), tags_of(tags.get("TagList")))

    def _attributes(self, context: Context, model: Model) -> Attributes:
        arn = context.region.arn("ssm", f"parameter/{context.physical_id.removeprefix('/')}")
        return {"Arn": arn, **pick(model.properties, "Type", "Value")}

"""AWS::SSM::Parameter."""

from __future__ import annotations

from treadle_local.cloudformation.errors import AlreadyExistsError, CallError
from treadle_local.cloudformation.properties import TEXT, Record, Text
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Schema,
    TagForm,
    pick,
    removed_keys,
)

_SETTINGS = ("AllowedPattern", "DataType", "Description", "Policies", "Tier", "Type", "Value")


class Parameter:
    schema = Schema(
        properties=Record(
            {
                "AllowedPattern": TEXT,
                "DataType": Text(("text", "aws:ec2:image")),
                "Description": TEXT,
                "Name": TEXT,
                "Policies": TEXT,
                "Tier": Text(("Standard", "Advanced", "Intelligent-Tiering")),
                "Type": Text(("String", "StringList")),
                "Value": TEXT,
            },
            required=("Type", "Value"),
        ),
        create_only=frozenset({"Name"}),
        attributes=frozenset({"Type", "Value"}),
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
        return pick(model.properties, "Type", "Value")

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
        return pick(properties, "Type", "Value")

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("ssm", "DeleteParameter", Name=context.physical_id)

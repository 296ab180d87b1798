"""AWS::Lambda::LayerVersion and AWS::Lambda::LayerVersionPermission."""

from __future__ import annotations

import json
from typing import Any

from treadle_local.cloudformation.errors import ResourceError
from treadle_local.cloudformation.providers.base import Attributes, Context, Model, Schema, pick

_SETTINGS = ("CompatibleArchitectures", "CompatibleRuntimes", "Description", "LicenseInfo")
_STATEMENT = ("Action", "OrganizationId", "Principal")


class LayerVersion:
    schema = Schema(
        "AWS::Lambda::LayerVersion",
        implemented=("Content/S3Bucket", "Content/S3Key", "LayerName", *_SETTINGS),
        attributes=frozenset({"LayerVersionArn"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        name = model.properties.get("LayerName") or context.generated_name(140)
        published = await context.call(
            "lambda", "PublishLayerVersion", LayerName=name, **pick(model.properties, "Content", *_SETTINGS)
        )
        context.initiated(published["LayerVersionArn"])
        return {"LayerVersionArn": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        raise ResourceError("Updates are not supported for AWS::Lambda::LayerVersion")

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("lambda", "DeleteLayerVersion", **_version(context.physical_id))

    async def read(self, context: Context, model: Model) -> Model | None:
        found = await context.call_if_there("lambda", "GetLayerVersion", **_version(context.physical_id))
        if found is None:
            return None
        kept = pick(model.properties, "Content", "LayerName")
        return Model(self.schema.observed({**pick(found, *_SETTINGS), **kept}))


class LayerVersionPermission:
    schema = Schema(
        "AWS::Lambda::LayerVersionPermission",
        implemented=("LayerVersionArn", *_STATEMENT),
        attributes=frozenset({"Id"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        statement = context.generated_name(100)
        arn = model.properties["LayerVersionArn"]
        await context.call(
            "lambda",
            "AddLayerVersionPermission",
            **_version(arn),
            StatementId=statement,
            **pick(model.properties, *_STATEMENT),
        )
        context.initiated(f"{arn}#{statement}")
        return {"Id": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        raise ResourceError("Updates are not supported for AWS::Lambda::LayerVersionPermission")

    async def delete(self, context: Context, model: Model) -> None:
        arn, _, statement = context.physical_id.rpartition("#")
        await context.call_if_there("lambda", "RemoveLayerVersionPermission", **_version(arn), StatementId=statement)

    async def read(self, context: Context, model: Model) -> Model | None:
        arn, _, sid = context.physical_id.rpartition("#")
        found = await context.call_if_there("lambda", "GetLayerVersionPolicy", **_version(arn))
        statements: list[dict[str, Any]] = [] if found is None else json.loads(found["Policy"])["Statement"]
        for statement in statements:
            if statement["Sid"] == sid:
                return Model({**model.properties, **pick(statement, "Action")})
        return None


def _version(arn: str) -> dict[str, Any]:
    """A layer version as the Lambda API takes it."""
    layer, _, number = arn.rpartition(":")
    if not layer or not number.isdigit():
        raise ResourceError(f"{arn} is not the ARN of a layer version")
    return {"LayerName": layer, "VersionNumber": int(number)}

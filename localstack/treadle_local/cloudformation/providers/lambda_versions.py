"""AWS::Lambda::Version, AWS::Lambda::Alias and AWS::Lambda::Permission."""

from __future__ import annotations

import json
from typing import Any

from treadle_local.cloudformation.errors import ResourceError
from treadle_local.cloudformation.providers.base import Attributes, Context, Model, Properties, Schema, pick
from treadle_local.cloudformation.providers.lambda_functions import split_qualifier

_STATEMENT = (
    *("Action", "EventSourceToken", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "Principal", "PrincipalOrgID"),
    *("SourceAccount", "SourceArn"),
)


class Version:
    schema = Schema(
        "AWS::Lambda::Version",
        implemented=("CodeSha256", "Description", "FunctionName"),
        attributes=frozenset({"FunctionArn", "Version"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        listed = await context.call("lambda", "ListVersionsByFunction", FunctionName=model.properties["FunctionName"])
        published = await context.call(
            "lambda", "PublishVersion", **pick(model.properties, "CodeSha256", "Description", "FunctionName")
        )
        if any(each["Version"] == published["Version"] for each in listed["Versions"]):
            raise ResourceError(
                f"A version for this Lambda function exists ( {published['Version']} ). "
                "Modify the function to create a new version."
            )
        context.initiated(published["FunctionArn"])
        return {"FunctionArn": published["FunctionArn"], "Version": published["Version"]}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        raise ResourceError("Updates are not supported for AWS::Lambda::Version")

    async def delete(self, context: Context, model: Model) -> None:
        name, version = split_qualifier(context.physical_id)
        await context.call_if_there("lambda", "DeleteFunction", FunctionName=name, Qualifier=version)

    async def read(self, context: Context, model: Model) -> Model | None:
        name, version = split_qualifier(context.physical_id)
        place = {"FunctionName": name, "Qualifier": version}
        found = await context.call_if_there("lambda", "GetFunctionConfiguration", **place)
        return None if found is None else Model(self.schema.observed(found | pick(model.properties, "FunctionName")))


class Alias:
    schema = Schema(
        "AWS::Lambda::Alias",
        implemented=(
            *("Description", "FunctionName", "FunctionVersion", "Name"),
            "RoutingConfig",
        ),
        attributes=frozenset({"AliasArn"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        created = await context.call(
            "lambda",
            "CreateAlias",
            **pick(properties, "Description", "FunctionName", "FunctionVersion", "Name"),
            RoutingConfig=_routing(properties) if "RoutingConfig" in properties else None,
        )
        context.initiated(created["AliasArn"])
        return {"AliasArn": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        properties = after.properties
        await context.call(
            "lambda",
            "UpdateAlias",
            **pick(properties, "FunctionName", "FunctionVersion", "Name"),
            Description=properties.get("Description", ""),
            RoutingConfig=_routing(properties) if "RoutingConfig" in before.changed(after) else None,
        )
        return {"AliasArn": context.physical_id}

    async def delete(self, context: Context, model: Model) -> None:
        properties = model.properties
        await context.call_if_there(
            "lambda", "DeleteAlias", FunctionName=properties["FunctionName"], Name=properties["Name"]
        )

    async def read(self, context: Context, model: Model) -> Model | None:
        place = pick(model.properties, "FunctionName", "Name")
        found = await context.call_if_there("lambda", "GetAlias", **place)
        if found is None:
            return None
        weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        listed = [{"FunctionVersion": version, "FunctionWeight": weight} for version, weight in weights.items()]
        routing = {"AdditionalVersionWeights": listed}
        return Model(self.schema.observed({**found, **place, "RoutingConfig": routing}))


class Permission:
    schema = Schema(
        "AWS::Lambda::Permission",
        implemented=("FunctionName", *_STATEMENT),
        attributes=frozenset({"Id"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        statement = context.generated_name(100)
        function, qualifier = split_qualifier(model.properties["FunctionName"])
        rest = {name: value for name, value in model.properties.items() if name != "FunctionName"}
        await context.call(
            "lambda", "AddPermission", FunctionName=function, Qualifier=qualifier, StatementId=statement, **rest
        )
        context.initiated(statement)
        return {"Id": statement}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        raise ResourceError("Updates are not supported for AWS::Lambda::Permission")

    async def delete(self, context: Context, model: Model) -> None:
        function, qualifier = split_qualifier(model.properties["FunctionName"])
        await context.call_if_there(
            "lambda", "RemovePermission", FunctionName=function, Qualifier=qualifier, StatementId=context.physical_id
        )

    async def read(self, context: Context, model: Model) -> Model | None:
        function, qualifier = split_qualifier(model.properties["FunctionName"])
        found = await context.call_if_there("lambda", "GetPolicy", FunctionName=function, Qualifier=qualifier)
        statements: list[dict[str, Any]] = [] if found is None else json.loads(found["Policy"])["Statement"]
        for statement in statements:
            if statement["Sid"] == context.physical_id:
                return Model({**model.properties, **pick(statement, "Action")})
        return None


def _routing(properties: Properties) -> dict[str, Any]:
    """The API's `{version: weight}` of the template's list."""
    routing: dict[str, Any] = properties.get("RoutingConfig", {})
    weights = routing.get("AdditionalVersionWeights", ())
    return {"AdditionalVersionWeights": {one["FunctionVersion"]: one["FunctionWeight"] for one in weights}}

"""AWS::Lambda::Version, AWS::Lambda::Alias and AWS::Lambda::Permission."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.errors import ResourceError
from treadle_local.cloudformation.properties import FLAG, NUMBER, TEXT, ListOf, Record, Text
from treadle_local.cloudformation.providers.base import Attributes, Context, Model, Properties, Schema, pick
from treadle_local.cloudformation.providers.lambda_functions import split_qualifier


class Version:
    schema = Schema(
        properties=Record(
            {"CodeSha256": TEXT, "Description": TEXT, "FunctionName": TEXT},
            required=("FunctionName",),
            elsewhere=frozenset({"FunctionScalingConfig", "ProvisionedConcurrencyConfig", "RuntimePolicy"}),
        ),
        create_only=frozenset({"CodeSha256", "Description", "FunctionName"}),
        attributes=frozenset({"FunctionArn", "Version"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        published = await context.call(
            "lambda", "PublishVersion", **pick(model.properties, "CodeSha256", "Description", "FunctionName")
        )
        context.initiated(published["FunctionArn"])
        return {"FunctionArn": published["FunctionArn"], "Version": published["Version"]}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        raise ResourceError("Updates are not supported for AWS::Lambda::Version")

    async def delete(self, context: Context, model: Model) -> None:
        name, version = split_qualifier(context.physical_id)
        await context.call_if_there("lambda", "DeleteFunction", FunctionName=name, Qualifier=version)


class Alias:
    schema = Schema(
        properties=Record(
            {
                "Description": TEXT,
                "FunctionName": TEXT,
                "FunctionVersion": TEXT,
                "Name": TEXT,
                "RoutingConfig": Record(
                    {
                        "AdditionalVersionWeights": ListOf(
                            Record(
                                {"FunctionVersion": TEXT, "FunctionWeight": NUMBER},
                                required=("FunctionVersion", "FunctionWeight"),
                            )
                        )
                    }
                ),
            },
            required=("FunctionName", "FunctionVersion", "Name"),
            elsewhere=frozenset({"ProvisionedConcurrencyConfig"}),
        ),
        create_only=frozenset({"FunctionName", "Name"}),
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


class Permission:
    schema = Schema(
        properties=Record(
            {
                "Action": TEXT,
                "EventSourceToken": TEXT,
                "FunctionName": TEXT,
                "FunctionUrlAuthType": Text(("AWS_IAM", "NONE")),
                "InvokedViaFunctionUrl": FLAG,
                "Principal": TEXT,
                "PrincipalOrgID": TEXT,
                "SourceAccount": TEXT,
                "SourceArn": TEXT,
            },
            required=("Action", "FunctionName", "Principal"),
        ),
        create_only=frozenset(
            {
                "Action",
                "EventSourceToken",
                "FunctionName",
                "FunctionUrlAuthType",
                "InvokedViaFunctionUrl",
                "Principal",
                "PrincipalOrgID",
                "SourceAccount",
                "SourceArn",
            }
        ),
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


def _routing(properties: Properties) -> dict[str, Any]:
    """The API's `{version: weight}` of the template's list."""
    routing: dict[str, Any] = properties.get("RoutingConfig", {})
    weights = routing.get("AdditionalVersionWeights", ())
    return {"AdditionalVersionWeights": {one["FunctionVersion"]: one["FunctionWeight"] for one in weights}}

"""AWS::ApiGatewayV2::Api, ::Stage, ::Integration, ::Route and ::Deployment."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.errors import AlreadyExistsError
from treadle_local.cloudformation.properties import FLAG, TEXT_MAP, MapOf, Record
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Properties,
    Schema,
    TagForm,
    removed_keys,
    tags_of,
)
from treadle_local.cloudformation.schemas.shapes import MapLike

_SERVICE = "apigatewayv2"
# What removed properties go back to. Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/
_API_DEFAULTS: dict[str, Any] = {
    "ApiKeySelectionExpression": "$request.header.x-api-key",
    "Description": "",
    "DisableExecuteApiEndpoint": False,
    "DisableSchemaValidation": False,
    "RouteSelectionExpression": "$request.method $request.path",
    "Version": "",
}
_STAGE_DEFAULTS: dict[str, Any] = {
    "AutoDeploy": False,
    "DefaultRouteSettings": {},
    "Description": "",
}
_INTEGRATION_DEFAULTS: dict[str, Any] = {
    "ContentHandlingStrategy": "",
    "CredentialsArn": "",
    "Description": "",
    "IntegrationMethod": "",
    "PassthroughBehavior": "WHEN_NO_MATCH",
    "PayloadFormatVersion": "1.0",
    "RequestParameters": {},
    "RequestTemplates": {},
    "TemplateSelectionExpression": "",
}
_LONGEST_MILLISECONDS = {"HTTP": 30_000, "WEBSOCKET": 29_000}
_ROUTE_DEFAULTS: dict[str, Any] = {
    "ApiKeyRequired": False,
    "AuthorizationScopes": [],
    "AuthorizationType": "NONE",
    "AuthorizerId": "",
    "ModelSelectionExpression": "",
    "OperationName": "",
    "RequestModels": {},
    "RequestParameters": {},
    "RouteResponseSelectionExpression": "",
    "Target": "",
}


class Api:
    schema = Schema(
        "AWS::ApiGatewayV2::Api",
        implemented=("CorsConfiguration", "Name", "ProtocolType", *_API_DEFAULTS),
        attributes=frozenset({"ApiEndpoint", "ApiId", "ExecuteApiArn"}),
        tags=TagForm.MAP,
        required=("Name", "ProtocolType"),  # on AWS they can also come from an OpenAPI document
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        created = await context.call_tagged(_SERVICE, "CreateApi", TagForm.MAP, model.tags, **model.properties)
        context.initiated(created["ApiId"])
        return self._attributes(context, created)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        identity = context.physical_id
        changes = _changes(before.properties, after.properties, _API_DEFAULTS)
        if "CorsConfiguration" in before.properties and "CorsConfiguration" not in after.properties:
            await context.call_if_there(_SERVICE, "DeleteCorsConfiguration", ApiId=identity)
        if changes:
            await context.call(_SERVICE, "UpdateApi", ApiId=identity, **changes)
        if before.tags != after.tags:
            arn = f"arn:aws:apigateway:{context.region.name}::/apis/{identity}"
            await _retag(context, arn, before, after)
        return self._attributes(context, await context.call(_SERVICE, "GetApi", ApiId=identity))

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there(_SERVICE, "DeleteApi", ApiId=context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        found = await context.call_if_there(_SERVICE, "GetApi", ApiId=context.physical_id)
        return None if found is None else Model(self.schema.observed(found), tags_of(found.get("Tags")))

    def _attributes(self, context: Context, api: dict[str, Any]) -> Attributes:
        identity = context.physical_id
        return {
            "ApiEndpoint": api["ApiEndpoint"],
            "ApiId": identity,
            "ExecuteApiArn": context.region.arn("execute-api", identity),
        }


class Stage:
    schema = Schema(
        "AWS::ApiGatewayV2::Stage",
        implemented=(
            *("AccessLogSettings", "ApiId", "AutoDeploy", "DefaultRouteSettings", "DeploymentId", "Description"),
            *("RouteSettings", "StageName", "StageVariables"),
        ),
        tags=TagForm.MAP,
        refined={"RouteSettings": MapLike("DefaultRouteSettings"), "StageVariables": TEXT_MAP},
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        name: str = properties["StageName"]
        if await context.call_if_there(_SERVICE, "GetStage", ApiId=properties["ApiId"], StageName=name) is not None:
            raise AlreadyExistsError(name)
        await context.call_tagged(_SERVICE, "CreateStage", TagForm.MAP, model.tags, **properties)
        context.initiated(name)
        return {}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        api, name = after.properties["ApiId"], context.physical_id
        changes = _changes(before.properties, after.properties, _STAGE_DEFAULTS)
        if "AccessLogSettings" in before.properties and "AccessLogSettings" not in after.properties:
            await context.call_if_there(_SERVICE, "DeleteAccessLogSettings", ApiId=api, StageName=name)
        for key in _gone(before.properties, after.properties, "RouteSettings"):
            place = {"ApiId": api, "StageName": name, "RouteKey": key}
            await context.call_if_there(_SERVICE, "DeleteRouteSettings", **place)
        if removed := _gone(before.properties, after.properties, "StageVariables"):
            changes["StageVariables"] = {**after.properties.get("StageVariables", {}), **dict.fromkeys(removed, "")}
        if changes:
            await context.call(_SERVICE, "UpdateStage", ApiId=api, StageName=name, **changes)
        if before.tags != after.tags:
            arn = f"arn:aws:apigateway:{context.region.name}::/apis/{api}/stages/{name}"
            await _retag(context, arn, before, after)
        return {}

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there(
            _SERVICE, "DeleteStage", ApiId=model.properties["ApiId"], StageName=context.physical_id
        )

    async def read(self, context: Context, model: Model) -> Model | None:
        place = {"ApiId": model.properties["ApiId"], "StageName": context.physical_id}
        found = await context.call_if_there(_SERVICE, "GetStage", **place)
        return None if found is None else Model(self.schema.observed(found | place), tags_of(found.get("Tags")))


class Integration:
    schema = Schema(
        "AWS::ApiGatewayV2::Integration",
        implemented=(
            *("ApiId", "ConnectionType", "IntegrationSubtype", "IntegrationType", "IntegrationUri", "TimeoutInMillis"),
            *_INTEGRATION_DEFAULTS,
        ),
        attributes=frozenset({"IntegrationId"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        created = await context.call(_SERVICE, "CreateIntegration", **model.properties)
        context.initiated(created["IntegrationId"])
        return {"IntegrationId": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        changes = _changes(before.properties, after.properties, _INTEGRATION_DEFAULTS)
        if "TimeoutInMillis" in before.properties and "TimeoutInMillis" not in after.properties:
            api = await context.call(_SERVICE, "GetApi", ApiId=after.properties["ApiId"])
            changes["TimeoutInMillis"] = _LONGEST_MILLISECONDS[api["ProtocolType"]]
        if changes:
            await context.call(
                _SERVICE,
                "UpdateIntegration",
                ApiId=after.properties["ApiId"],
                IntegrationId=context.physical_id,
                **changes,
            )
        return {"IntegrationId": context.physical_id}

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there(
            _SERVICE, "DeleteIntegration", ApiId=model.properties["ApiId"], IntegrationId=context.physical_id
        )

    async def read(self, context: Context, model: Model) -> Model | None:
        place = {"ApiId": model.properties["ApiId"]}
        found = await context.call_if_there(_SERVICE, "GetIntegration", IntegrationId=context.physical_id, **place)
        return None if found is None else Model(self.schema.observed(found | place))


class Route:
    schema = Schema(
        "AWS::ApiGatewayV2::Route",
        implemented=("ApiId", "RouteKey", *_ROUTE_DEFAULTS),
        attributes=frozenset({"RouteId"}),
        refined={
            "RequestModels": TEXT_MAP,
            "RequestParameters": MapOf(Record({"Required": FLAG}, required=("Required",))),
        },
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        created = await context.call(_SERVICE, "CreateRoute", **model.properties)
        context.initiated(created["RouteId"])
        return {"RouteId": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        changes = _changes(before.properties, after.properties, _ROUTE_DEFAULTS)
        if changes:
            await context.call(
                _SERVICE, "UpdateRoute", ApiId=after.properties["ApiId"], RouteId=context.physical_id, **changes
            )
        return {"RouteId": context.physical_id}

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there(
            _SERVICE, "DeleteRoute", ApiId=model.properties["ApiId"], RouteId=context.physical_id
        )

    async def read(self, context: Context, model: Model) -> Model | None:
        place = {"ApiId": model.properties["ApiId"]}
        found = await context.call_if_there(_SERVICE, "GetRoute", RouteId=context.physical_id, **place)
        return None if found is None else Model(self.schema.observed(found | place))


class Deployment:
    schema = Schema(
        "AWS::ApiGatewayV2::Deployment",
        implemented=("ApiId", "Description", "StageName"),
        attributes=frozenset({"DeploymentId"}),
        also_create_only=frozenset({"StageName"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        created = await context.call(_SERVICE, "CreateDeployment", **model.properties)
        context.initiated(created["DeploymentId"])
        return {"DeploymentId": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        place = {"ApiId": after.properties["ApiId"], "DeploymentId": context.physical_id}
        description = after.properties.get("Description", "")
        await context.call(_SERVICE, "UpdateDeployment", Description=description, **place)
        return {"DeploymentId": context.physical_id}

    async def delete(self, context: Context, model: Model) -> None:
        place = {"ApiId": model.properties["ApiId"], "DeploymentId": context.physical_id}
        await context.call_if_there(_SERVICE, "DeleteDeployment", **place)

    async def read(self, context: Context, model: Model) -> Model | None:
        place = {"ApiId": model.properties["ApiId"]}
        found = await context.call_if_there(_SERVICE, "GetDeployment", DeploymentId=context.physical_id, **place)
        return None if found is None else Model(self.schema.observed(found | place))


def _changes(before: Properties, after: Properties, defaults: dict[str, Any]) -> dict[str, Any]:
    """What an Update call must carry: new values, and the defaults of what is no longer set."""
    changes = {name: value for name, value in after.items() if before.get(name) != value}
    return changes | {name: defaults[name] for name in before if name in defaults and name not in after}


def _gone(before: Properties, after: Properties, name: str) -> list[str]:
    """The keys of a map that are no longer set: updates change those that they have, and leave the others."""
    return [key for key in before.get(name, {}) if key not in after.get(name, {})]


async def _retag(context: Context, arn: str, before: Model, after: Model) -> None:
    if removed := removed_keys(before, after):
        await context.call(_SERVICE, "UntagResource", ResourceArn=arn, TagKeys=removed)
    await context.tag(_SERVICE, "TagResource", TagForm.MAP, after.tags, ResourceArn=arn)

"""APIs of both protocols, and the quick creation of an HTTP API with all its parts.

Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from treadle_local.apigateway import integrations, routes
from treadle_local.apigateway.members import (
    FLAG,
    TEXT,
    Choice,
    ListOf,
    Members,
    Record,
    Settings,
    Text,
    Whole,
    given,
    require,
    without_empty,
)
from treadle_local.apigateway.paging import page
from treadle_local.apigateway.refusals import bad_request, not_built
from treadle_local.apigateway.selection import SelectionExpression
from treadle_local.apigateway.stages import add_stage
from treadle_local.apigateway.store import API_ID_LENGTH, Api, Protocol, Store, new_id
from treadle_local.apigateway.tags import TAGS, checked_tags
from treadle_local.aws.service import Params, Result

_HEADERS = ListOf(Text(256))
_MEMBERS: Members = {
    "ApiKeySelectionExpression": Choice(("$request.header.x-api-key", "$context.authorizer.usageIdentifierKey")),
    "CorsConfiguration": Record(
        {
            "AllowCredentials": FLAG,
            "AllowHeaders": _HEADERS,
            "AllowMethods": ListOf(Choice(("*", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))),
            "AllowOrigins": ListOf(Text(1024)),
            "ExposeHeaders": _HEADERS,
            "MaxAge": Whole(-1, 86_400),
        }
    ),
    "Description": Text(1024),
    "DisableExecuteApiEndpoint": FLAG,
    "DisableSchemaValidation": FLAG,
    "IpAddressType": Choice(("dualstack", "ipv4")),
    "Name": Text(128),
    "RouteSelectionExpression": TEXT,
    "Version": Text(64),
}
_QUICK: Members = {"CredentialsArn": TEXT, "RouteKey": TEXT, "Target": TEXT}
_HTTP_EXPRESSIONS = ("$request.method $request.path", "${request.method} ${request.path}")
_KEY_EXPRESSION = "$request.header.x-api-key"


def create_api(store: Store, params: Params) -> Result:
    require(params, "Name", "ProtocolType")
    protocol: Protocol = given({"ProtocolType": Choice(("HTTP", "WEBSOCKET"))}, params)["ProtocolType"]
    settings = _checked(protocol, without_empty(given(_MEMBERS, params)))
    tags = checked_tags(given({"Tags": TAGS}, params).get("Tags") or {}, {})
    quick = without_empty(given(_QUICK, params))
    identity = new_id(API_ID_LENGTH, store.apis)
    api = Api(identity, store.next_number(), store.now(), protocol, settings, tags)
    if quick:
        _create_quickly(store, api, quick)
    store.apis[identity] = api
    return _shown(store, api)


def get_api(store: Store, params: Params) -> Result:
    return _shown(store, store.api(params))


def get_apis(store: Store, params: Params) -> Result:
    return page(store.apis.values(), params, lambda api: _shown(store, api))


def update_api(store: Store, params: Params) -> Result:
    api = store.api(params)
    settings = _checked(api.protocol, without_empty({**api.settings, **given(_MEMBERS, params)}))
    quick = given(_QUICK, params)
    if quick:
        _update_quickly(api, quick)
    api.settings = settings
    store.changed(api)
    return _shown(store, api)


def delete_cors_configuration(store: Store, params: Params) -> Result:
    api = store.api(params)
    api.settings = without_empty({**api.settings, "CorsConfiguration": None})
    store.changed(api)
    return {}


def _checked(protocol: Protocol, settings: Settings) -> Settings:
    """The settings, where AWS takes them and the gateways do what they say. Raises: AwsError BadRequestException."""
    require(settings, "Name")
    expression = settings.get("RouteSelectionExpression")
    if protocol == "WEBSOCKET":
        _check_expression(expression)
        if "CorsConfiguration" in settings:
            raise bad_request("CorsConfiguration is not supported for WEBSOCKET APIs")
        return settings
    if expression is not None and expression not in _HTTP_EXPRESSIONS:
        raise bad_request(f"RouteSelectionExpression must be {_HTTP_EXPRESSIONS[1]} for HTTP APIs")
    if settings.get("DisableSchemaValidation"):
        raise bad_request("DisableSchemaValidation is not supported for HTTP APIs")
    if settings.get("ApiKeySelectionExpression", _KEY_EXPRESSION) != _KEY_EXPRESSION:
        raise bad_request("ApiKeySelectionExpression is not supported for HTTP APIs")
    cors = settings.get("CorsConfiguration", {})
    if cors.get("AllowCredentials") and "*" in cors.get("AllowOrigins", ()):
        raise bad_request("allowCredentials cannot be true when allowOrigins is *")
    return settings


def _check_expression(expression: str | None) -> None:
    if expression is None:
        raise bad_request("RouteSelectionExpression is required for WebSocket APIs")
    try:
        SelectionExpression.parse(expression)
    except ValueError as problem:
        raise bad_request(f"Invalid route selection expression specified: {problem}") from None


def _create_quickly(store: Store, api: Api, quick: Settings) -> None:
    """The integration, the route and the stage of an API that is created with its target."""
    if api.protocol != "HTTP":
        raise bad_request("Target, RouteKey and CredentialsArn are supported for HTTP APIs only")
    require(quick, "Target")
    integration = integrations.add_integration(store, api, _quick_integration(quick), managed=True)
    key = quick.get("RouteKey", routes.DEFAULT_KEY)
    route = routes.checked_route(api, {"RouteKey": key, "Target": f"integrations/{integration.id}"})
    routes.add_route(store, api, route, managed=True)
    add_stage(store, api, "$default", {"AutoDeploy": True}, {}, managed=True)
    store.changed(api)


def _update_quickly(api: Api, quick: Settings) -> None:
    integration = next((part for part in api.integrations.values() if part.managed), None)
    route = next((part for part in api.routes.values() if part.managed), None)
    if integration is None or route is None:
        raise bad_request("Target, RouteKey and CredentialsArn are supported for APIs only that were created with them")
    known = {
        "Target": integration.settings["IntegrationUri"],
        "CredentialsArn": integration.settings.get("CredentialsArn"),
    }
    settings = _quick_integration(without_empty({**known, **quick}))
    key = quick.get("RouteKey") or route.settings["RouteKey"]
    changed = routes.changed_route(api, route, {**route.settings, "RouteKey": key})
    api.integrations[integration.id] = replace(integration, settings=settings)
    api.routes[route.id] = changed


def _quick_integration(quick: Settings) -> Settings:
    target = quick["Target"]
    if target.startswith(("http://", "https://")):
        raise not_built("A URL as Target")
    settings = {"IntegrationType": "AWS_PROXY", "IntegrationUri": target, "PayloadFormatVersion": "2.0"}
    credentials = {"CredentialsArn": quick["CredentialsArn"]} if "CredentialsArn" in quick else {}
    return integrations.checked_integration("HTTP", {**settings, **credentials})


def _shown(store: Store, api: Api) -> Result:
    scheme = "wss" if api.protocol == "WEBSOCKET" else "https"
    defaults: dict[str, Any] = {
        "ApiKeySelectionExpression": _KEY_EXPRESSION,
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "RouteSelectionExpression": _HTTP_EXPRESSIONS[0],
    }
    return {
        "ApiEndpoint": f"{scheme}://{api.id}.execute-api.{store.region.name}.amazonaws.com",
        "ApiId": api.id,
        "CreatedDate": api.created,
        "ProtocolType": api.protocol,
        "Tags": dict(api.tags),
        **defaults,
        **api.settings,
    }

"""Routes: keys that are unique in their API, and the integrations behind them.

Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes.html
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from treadle_local.apigateway.members import (
    Choice,
    Flag,
    ListOf,
    MapOf,
    Members,
    Record,
    Settings,
    Text,
    given,
    require,
    without_empty,
)
from treadle_local.apigateway.paging import page
from treadle_local.apigateway.refusals import bad_request, conflict, not_built, not_found, too_many
from treadle_local.apigateway.store import Api, Part, Store
from treadle_local.aws.service import Params, Result

MOST_ROUTES = 300
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html (WebSocket: the same)"""
DEFAULT_KEY = "$default"
_SEGMENT = r"(?:[^/{}\s]+|\{[A-Za-z0-9._:-]+\})"
_GREEDY = r"/\{[A-Za-z0-9._:-]+\+\}"
_HTTP_KEY = re.compile(
    rf"(?:ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) (?:/|{_GREEDY}|(?:/{_SEGMENT})+(?:/|{_GREEDY})?)"
)
_TARGET = re.compile(r"integrations/(?P<id>[^/]+)")

_MEMBERS: Members = {
    "ApiKeyRequired": Flag(),
    "AuthorizationScopes": ListOf(Text(64)),
    "AuthorizationType": Choice(("AWS_IAM", "CUSTOM", "JWT", "NONE")),
    "AuthorizerId": Text(64),
    "ModelSelectionExpression": Text(128),
    "OperationName": Text(64),
    "RequestModels": MapOf(Text(128)),
    "RequestParameters": MapOf(Record({"Required": Flag()})),
    "RouteKey": Text(1024),
    "RouteResponseSelectionExpression": Text(128),
    "Target": Text(128),
}
_NOT_BUILT = (
    *("ApiKeyRequired", "AuthorizationScopes", "AuthorizerId", "ModelSelectionExpression", "RequestModels"),
    *("RequestParameters", "RouteResponseSelectionExpression"),
)


def create_route(store: Store, params: Params) -> Result:
    api = store.api(params)
    settings = checked_route(api, without_empty(given(_MEMBERS, params)))
    part = add_route(store, api, settings)
    store.changed(api)
    return _shown(part)


def add_route(store: Store, api: Api, settings: Settings, *, managed: bool = False) -> Part:
    """A new route of settings that are checked. Raises: AwsError ConflictException, TooManyRequestsException."""
    _check_unique(api, settings["RouteKey"])
    if len(api.routes) >= MOST_ROUTES:
        raise too_many("Routes")
    part = store.new_part(settings, api.routes, managed=managed)
    api.routes[part.id] = part
    return part


def get_route(store: Store, params: Params) -> Result:
    return _shown(_named(store.api(params), params))


def get_routes(store: Store, params: Params) -> Result:
    return page(store.api(params).routes.values(), params, _shown)


def update_route(store: Store, params: Params) -> Result:
    api = store.api(params)
    part = _named(api, params)
    settings = without_empty({**part.settings, **given(_MEMBERS, params)})
    if part.managed and settings.get("RouteKey") != part.settings["RouteKey"]:
        raise bad_request("The route key of a route that API Gateway manages cannot be changed")
    part = api.routes[part.id] = changed_route(api, part, settings)
    store.changed(api)
    return _shown(part)


def changed_route(api: Api, part: Part, settings: Settings) -> Part:
    """A route with other settings, which are checked first. Raises: AwsError ConflictException, BadRequestException."""
    checked_route(api, settings)
    if settings["RouteKey"] != part.settings["RouteKey"]:
        _check_unique(api, settings["RouteKey"])
    return replace(part, settings=settings)


def delete_route(store: Store, params: Params) -> Result:
    api = store.api(params)
    del api.routes[_named(api, params).id]
    store.changed(api)
    return {}


def checked_route(api: Api, settings: Settings) -> Settings:
    """The settings, where AWS takes them and the gateways do what they say. Raises: AwsError BadRequestException."""
    require(settings, "RouteKey")
    kind = settings.get("AuthorizationType", "NONE")
    if kind != "NONE":
        raise not_built(f"AuthorizationType {kind} of a route")
    for name in _NOT_BUILT:
        if settings.get(name):
            raise not_built(f"{name} of a route")
    key = settings["RouteKey"]
    if api.protocol == "HTTP" and key != DEFAULT_KEY and not _HTTP_KEY.fullmatch(key):
        raise bad_request(
            "The provided route key is not formatted properly for HTTP protocol. "
            'Format should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
        )
    if "Target" in settings:
        target = _TARGET.fullmatch(settings["Target"])
        if target is None or target["id"] not in api.integrations:
            raise bad_request(f"Invalid target {settings['Target']}: must be integrations/<id> of one that is there")
    return settings


def _check_unique(api: Api, key: str) -> None:
    if any(route.settings["RouteKey"] == key for route in api.routes.values()):
        raise conflict(f"Route with key {key} already exists for this API")


def _named(api: Api, params: Params) -> Part:
    identity = str(params.get("RouteId"))
    if identity not in api.routes:
        raise not_found("Route", identity)
    return api.routes[identity]


def _shown(part: Part) -> Result:
    defaults: dict[str, Any] = {"ApiKeyRequired": False, "AuthorizationType": "NONE"}
    if part.managed:
        defaults["ApiGatewayManaged"] = True
    return {"RouteId": part.id, **defaults, **part.settings}

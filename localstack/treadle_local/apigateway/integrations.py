"""Integrations: Lambda proxy ones, which are those that the gateways invoke.

Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations.html
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from treadle_local.apigateway.members import Choice, MapOf, Members, Record, Settings, Text, Whole, given, without_empty
from treadle_local.apigateway.paging import page
from treadle_local.apigateway.refusals import bad_request, conflict, not_built, not_found, too_many
from treadle_local.apigateway.store import Api, Part, Protocol, Store
from treadle_local.aws.service import Params, Result

MOST_INTEGRATIONS = 300
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html (WebSocket: the same)"""
LONGEST_MILLISECONDS: dict[Protocol, int] = {"HTTP": 30_000, "WEBSOCKET": 29_000}
_SHORTEST_MILLISECONDS = 50
ROLE_ARN = re.compile(r"arn:aws:iam::\d{12}:role/.+")
_CALLER = re.compile(r"arn:aws:iam::\*:user/\*")
_FUNCTION = r"arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+(?::[A-Za-z0-9_$-]+)?"
FUNCTION_ARN = re.compile(_FUNCTION)
_INVOCATION_URI = re.compile(
    rf"arn:aws:apigateway:[a-z0-9-]+:lambda:path/2015-03-31/functions/(?P<arn>{_FUNCTION})/invocations"
)

_MEMBERS: Members = {
    "ConnectionId": Text(),
    "ConnectionType": Choice(("INTERNET", "VPC_LINK")),
    "ContentHandlingStrategy": Choice(("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")),
    "CredentialsArn": Text(2048),
    "Description": Text(1024),
    "IntegrationMethod": Choice(("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")),
    "IntegrationSubtype": Text(128),
    "IntegrationType": Choice(("AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK")),
    "IntegrationUri": Text(2048),
    "PassthroughBehavior": Choice(("NEVER", "WHEN_NO_MATCH", "WHEN_NO_TEMPLATES")),
    "PayloadFormatVersion": Choice(("1.0", "2.0")),
    "RequestParameters": MapOf(Text(512), key=Text(512)),
    "RequestTemplates": MapOf(Text(32 * 1024)),
    "ResponseParameters": MapOf(MapOf(Text(512), key=Text(512))),
    "TemplateSelectionExpression": Text(128),
    "TimeoutInMillis": Whole(0, 2**31 - 1),
    "TlsConfig": Record({"ServerNameToVerify": Text(512)}),
}
_WEBSOCKET_ONLY = ("ContentHandlingStrategy", "PassthroughBehavior", "RequestTemplates", "TemplateSelectionExpression")
_HTTP_ONLY = ("IntegrationSubtype", "ResponseParameters", "TlsConfig")
_NOT_BUILT = (
    *("ContentHandlingStrategy", "IntegrationSubtype", "RequestParameters", "RequestTemplates", "ResponseParameters"),
    *("ConnectionId", "TlsConfig"),
)


def create_integration(store: Store, params: Params) -> Result:
    api = store.api(params)
    settings = checked_integration(api.protocol, without_empty(given(_MEMBERS, params)))
    part = add_integration(store, api, settings)
    store.changed(api)
    return _shown(api, part)


def add_integration(store: Store, api: Api, settings: Settings, *, managed: bool = False) -> Part:
    """A new integration of settings that are checked. Raises: AwsError TooManyRequestsException."""
    if len(api.integrations) >= MOST_INTEGRATIONS:
        raise too_many("Integrations")
    part = store.new_part(settings, api.integrations, managed=managed)
    api.integrations[part.id] = part
    return part


def get_integration(store: Store, params: Params) -> Result:
    api = store.api(params)
    return _shown(api, _named(api, params))


def get_integrations(store: Store, params: Params) -> Result:
    api = store.api(params)
    return page(api.integrations.values(), params, lambda part: _shown(api, part))


def update_integration(store: Store, params: Params) -> Result:
    api = store.api(params)
    part = _named(api, params)
    settings = checked_integration(api.protocol, without_empty({**part.settings, **given(_MEMBERS, params)}))
    part = api.integrations[part.id] = replace(part, settings=settings)
    store.changed(api)
    return _shown(api, part)


def delete_integration(store: Store, params: Params) -> Result:
    api = store.api(params)
    part = _named(api, params)
    target = f"integrations/{part.id}"
    routes = [route.id for route in api.routes.values() if route.settings.get("Target") == target]
    if routes:
        raise conflict(
            "Cannot delete Integration because it is referenced by the following Routes with Ids: "
            f"[{', '.join(routes)}]"
        )
    del api.integrations[part.id]
    store.changed(api)
    return {}


def checked_integration(protocol: Protocol, settings: Settings) -> Settings:
    """The settings, where AWS takes them and the gateways do what they say. Raises: AwsError BadRequestException."""
    _check_type(protocol, settings)
    for name in _WEBSOCKET_ONLY if protocol == "HTTP" else _HTTP_ONLY:
        if name in settings:
            raise bad_request(f"{name} is not supported for {protocol} APIs")
    for name in _NOT_BUILT:
        if name in settings:
            raise not_built(f"{name} of an integration")
    if settings.get("ConnectionType") == "VPC_LINK":
        raise not_built("ConnectionType VPC_LINK")
    longest = LONGEST_MILLISECONDS[protocol]
    if not _SHORTEST_MILLISECONDS <= settings.get("TimeoutInMillis", longest) <= longest:
        raise bad_request(f"Timeout should be between {_SHORTEST_MILLISECONDS} ms and {longest} ms")
    _check_payload_format(protocol, settings.get("PayloadFormatVersion"))
    _check_uri(protocol, settings.get("IntegrationUri"))
    check_credentials(settings.get("CredentialsArn"))
    return settings


def _check_type(protocol: Protocol, settings: Settings) -> None:
    kind = settings.get("IntegrationType")
    if kind is None:
        raise bad_request("Missing required member: IntegrationType")
    if protocol == "HTTP" and kind not in ("AWS_PROXY", "HTTP_PROXY"):
        raise bad_request(f"IntegrationType {kind} is not supported for HTTP APIs")
    if kind != "AWS_PROXY":
        raise not_built(f"IntegrationType {kind}")


def _check_payload_format(protocol: Protocol, version: str | None) -> None:
    match protocol, version:
        case "HTTP", None:
            raise bad_request("PayloadFormatVersion is a required parameter for integration")
        case "HTTP", "1.0":
            raise not_built("PayloadFormatVersion 1.0 of an HTTP API")
        case "WEBSOCKET", "2.0":
            raise bad_request("PayloadFormatVersion 2.0 is not supported for WEBSOCKET APIs")
        case _:
            return


def _check_uri(protocol: Protocol, uri: str | None) -> None:
    if uri is None:
        raise bad_request("Missing required member: IntegrationUri")
    if "${stageVariables." in uri:
        raise not_built("A stage variable in an IntegrationUri")
    if function_of(uri) is None or (protocol == "WEBSOCKET" and not _INVOCATION_URI.fullmatch(uri)):
        raise bad_request(f"Invalid integration URI specified: {uri}")


def check_credentials(arn: str | None) -> None:
    """Raises: AwsError BadRequestException for anything but a role."""
    if arn is not None and _CALLER.fullmatch(arn):
        raise not_built("CredentialsArn arn:aws:iam::*:user/*")
    if arn is not None and not ROLE_ARN.fullmatch(arn):
        raise bad_request(f"Invalid credentials specified: {arn} is not the ARN of a role")


def function_of(uri: str) -> str | None:
    """The ARN of the function that an integration URI names, in either form: the ARN, or the address of invocations."""
    if FUNCTION_ARN.fullmatch(uri):
        return uri
    longer = _INVOCATION_URI.fullmatch(uri)
    return longer["arn"] if longer is not None else None


def _named(api: Api, params: Params) -> Part:
    identity = str(params.get("IntegrationId"))
    if identity not in api.integrations:
        raise not_found("Integration", identity)
    return api.integrations[identity]


def _shown(api: Api, part: Part) -> Result:
    defaults: dict[str, Any] = {
        "ConnectionType": "INTERNET",
        "IntegrationMethod": "POST",
        "TimeoutInMillis": LONGEST_MILLISECONDS[api.protocol],
    }
    if api.protocol == "WEBSOCKET":
        defaults |= {
            "IntegrationResponseSelectionExpression": "${integration.response.statuscode}",
            "PassthroughBehavior": "WHEN_NO_MATCH",
            "PayloadFormatVersion": "1.0",
        }
    if part.managed:
        defaults["ApiGatewayManaged"] = True
    return {"IntegrationId": part.id, **defaults, **part.settings}

"""The WebSocket API's entries: API, stage, integration, routes."""

from __future__ import annotations

from typing import Literal, assert_never

from treadle_infra.app.model import Json
from treadle_infra.synth.entries import Object, entry
from treadle_infra.synth.intrinsics import get_att, logical_id_of, ref, sub
from treadle_infra.topology.model import WebSocketApi, WebSocketIntegration, WebSocketRoute, WebSocketStage
from treadle_infra.topology.references import AliasRef, WebSocketApiRef


def web_socket_entry(
    resource: WebSocketApi | WebSocketStage | WebSocketIntegration | WebSocketRoute, tags: Object
) -> Object:
    """The entry of one part of the API; `tags` by name.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html
    """
    match resource:
        case WebSocketApi():
            properties: Object = {
                "Name": resource.name,
                "ProtocolType": "WEBSOCKET",
                "RouteSelectionExpression": resource.route_selection,
                "Tags": tags,
            }
            return entry("AWS::ApiGatewayV2::Api", resource.origin, properties)
        case WebSocketStage():
            properties = {"ApiId": ref(resource.api), "StageName": resource.name, "AutoDeploy": True, "Tags": tags}
            return entry("AWS::ApiGatewayV2::Stage", resource.origin, properties)
        case WebSocketIntegration():
            properties = {
                "ApiId": ref(resource.api),
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": _invocation_uri(resource.alias),
                "CredentialsArn": get_att(resource.role, "Arn"),
            }
            return entry("AWS::ApiGatewayV2::Integration", resource.origin, properties)
        case WebSocketRoute():
            properties = {
                "ApiId": ref(resource.api),
                "RouteKey": resource.ref.key,
                "AuthorizationType": "NONE",
                "Target": sub(f"integrations/${{{logical_id_of(resource.integration)}}}"),
            }
            return entry("AWS::ApiGatewayV2::Route", resource.origin, properties)
        case _:
            assert_never(resource)


def connections_url(stage: str, scheme: Literal["https", "wss"]) -> Json:
    """Where the API's connections are made (`wss`) and managed (`https`)."""
    api = logical_id_of(WebSocketApiRef())
    return sub(f"{scheme}://${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{stage}")


def _invocation_uri(alias: AliasRef) -> Json:
    """A WebSocket API does not take a function's ARN as it is, unlike an HTTP API."""
    path = f"path/2015-03-31/functions/${{{logical_id_of(alias)}}}/invocations"
    return sub(f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:{path}")

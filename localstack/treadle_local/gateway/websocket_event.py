"""The events that a WebSocket API hands to its functions: CONNECT, MESSAGE and DISCONNECT.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from treadle_local.http.messages import Request

CONNECT = "$connect"
DISCONNECT = "$disconnect"
DEFAULT = "$default"

_NOT_PASSED_ON = frozenset({"connection", "upgrade"})
_WORDS = {"websocket": "WebSocket"}


@dataclass(frozen=True, slots=True)
class Client:
    """Who has connected to what: the same in every event of a connection."""

    connection_id: str
    api_id: str
    stage: str
    domain_name: str
    source_ip: str
    user_agent: str
    connected_at: float


def new_id() -> str:
    """An id in API Gateway's form, of a connection, a request or a message: `eHrdFcnvvHcCE-w=`."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode("ascii")


def connect_event(client: Client, request: Request, request_id: str, now: float) -> bytes:
    """The event of the route `$connect`: the only one with the request's headers and query."""
    headers = _headers(request, now)
    query = parse_qsl(request.query, keep_blank_values=True)
    event: dict[str, Any] = _with_single_values("headers", "multiValueHeaders", headers)
    if query:
        event |= _with_single_values("queryStringParameters", "multiValueQueryStringParameters", query)
    event["requestContext"] = _context(client, CONNECT, "CONNECT", request_id, now)
    return _encoded(event)


def message_event(client: Client, route_key: str, body: str, request_id: str, now: float) -> bytes:
    """The event of a text message."""
    context = _context(client, route_key, "MESSAGE", request_id, now)
    return _encoded({"requestContext": {"messageId": new_id(), **context}, "body": body})


def disconnect_event(client: Client, code: int, reason: str, request_id: str, now: float) -> bytes:
    """The event of the route `$disconnect`."""
    headers = [("Host", client.domain_name), ("x-api-key", ""), ("X-Forwarded-For", ""), ("x-restapi", "")]
    context = _context(client, DISCONNECT, "DISCONNECT", request_id, now)
    event: dict[str, Any] = _with_single_values("headers", "multiValueHeaders", headers)
    event["requestContext"] = {"disconnectStatusCode": code, "disconnectReason": reason, **context}
    return _encoded(event)


def _context(client: Client, route_key: str, event_type: str, request_id: str, now: float) -> dict[str, Any]:
    identity = {"userAgent": client.user_agent} if client.user_agent else {}
    return {
        "routeKey": route_key,
        "eventType": event_type,
        "extendedRequestId": request_id,
        "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "messageDirection": "IN",
        "stage": client.stage,
        "connectedAt": int(client.connected_at * 1000),
        "requestTimeEpoch": round(now * 1000),
        "identity": {**identity, "sourceIp": client.source_ip},
        "requestId": request_id,
        "domainName": client.domain_name,
        "connectionId": client.connection_id,
        "apiId": client.api_id,
    }


def _headers(request: Request, now: float) -> list[tuple[str, str]]:
    """The client's headers, their names as clients commonly write them, and those that API Gateway adds."""
    host, _, port = request.header("host").rpartition(":")
    hops = (*(value for name, value in request.headers if name == "x-forwarded-for"), request.client)
    added = {
        "X-Amzn-Trace-Id": f"Root=1-{int(now):08x}-{secrets.token_hex(12)}",
        "X-Forwarded-For": ", ".join(hops),
        "X-Forwarded-Port": port if host and port.isdigit() else "80",
        "X-Forwarded-Proto": "http",
    }
    kept = ((_written(name), value) for name, value in request.headers if name not in _NOT_PASSED_ON)
    return [*((name, value) for name, value in kept if name not in added), *added.items()]


def _written(name: str) -> str:
    return "-".join(_WORDS.get(word, word.capitalize()) for word in name.split("-"))


def _with_single_values(single: str, multiple: str, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Both forms in which API Gateway hands over what may be repeated; the last one counts in the single form."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {single: dict(pairs), multiple: values}


def _encoded(event: dict[str, Any]) -> bytes:
    return json.dumps({**event, "isBase64Encoded": False}, separators=(",", ":")).encode("ascii")

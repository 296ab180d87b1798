"""The event of an HTTP API's Lambda integration, payload format 2.0, and the response made of its result.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

from treadle_local.aws.service import Region
from treadle_local.gateway.routes import Match
from treadle_local.http.messages import Request, Response
from treadle_local.json_bytes import json_bytes

_JSON = (("content-type", "application/json"),)
FORBIDDEN = Response(403, b'{"message":"Forbidden"}', _JSON)
NOT_FOUND = Response(404, b'{"message":"Not Found"}', _JSON)
HEADERS_TOO_LARGE = Response(431, b'{"message":"Request Header Fields Too Large"}', _JSON)
TOO_LARGE = Response(413, b'{"message":"Request Entity Too Large"}', _JSON)
FAILED = Response(500, b'{"message":"Internal Server Error"}', _JSON)
UNAVAILABLE = Response(503, b'{"message":"Service Unavailable"}', _JSON)

_NOT_PASSED_ON = frozenset({"cookie", "connection", "expect", "keep-alive", "te", "transfer-encoding", "upgrade"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


def http_event(
    request: Request, match: Match, *, api_id: str, stage: str, path: str, region: Region, now: float
) -> bytes:
    """The JSON event for a matched request.

    `path` is percent-encoded; it begins with the stage where that is not `$default`, as AWS has it.
    """
    host = request.header("host")
    decoded_path = unquote(path)
    cookies = [part for name, value in request.headers if name == "cookie" for part in value.split("; ")]
    body, is_base64 = _body(request)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route_key,
        "rawPath": decoded_path,
        "rawQueryString": request.query,
        "headers": _headers(request),
        "requestContext": {
            "accountId": region.account,
            "apiId": api_id,
            "domainName": host,
            "domainPrefix": host.split(".")[0].split(":")[0],
            "http": {
                "method": request.method,
                "path": decoded_path,
                "protocol": f"HTTP/{request.http_version}",
                "sourceIp": request.client,
                "userAgent": request.header("user-agent"),
            },
            "requestId": f"{os.urandom(8).hex()[:15]}=",
            "routeKey": match.route_key,
            "stage": stage,
            "time": _moment(int(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": is_base64,
    }
    if cookies:
        event["cookies"] = cookies
    if request.query:
        event["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    if match.path_parameters:
        event["pathParameters"] = dict(match.path_parameters)
    if body is not None:
        event["body"] = body
    return json_bytes(event)


@lru_cache(4)
def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def _headers(request: Request) -> dict[str, str]:
    """What the function sees: neither cookies nor what is between two hops only, and API Gateway's own."""
    host, _, port = request.header("host").rpartition(":")
    forwarded = {"x-forwarded-port": port if host and port.isdigit() else "80", "x-forwarded-proto": "http"}
    hops = (*(value for name, value in request.headers if name == "x-forwarded-for"), request.client)
    kept = ((name, value) for name, value in request.headers if name not in _NOT_PASSED_ON)
    return {**_joined(kept), **forwarded, "x-forwarded-for": ", ".join(hops)}


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Repeated names have their values joined by commas, as payload 2.0 does."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(request: Request) -> tuple[str | None, bool]:
    if not request.body:
        return None, False
    if request.header("content-type", "application/json").lower().startswith(_TEXT_TYPES) and not request.header(
        "content-encoding"
    ):
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode("ascii"), True


def http_response(payload: bytes) -> Response:
    """The HTTP response that a function's result stands for; FAILED where it stands for none."""
    try:
        result = json.loads(payload)
    except ValueError:
        return FAILED
    if not isinstance(result, dict) or "statusCode" not in result:
        # format 2.0 takes anything else as the body of a 200: a string as its text, the rest as it stands
        body = result.encode("utf-8", "surrogatepass") if isinstance(result, str) else payload
        return FAILED if result is None else Response(200, body, _JSON)
    return _shaped(cast("dict[str, Any]", result))


def _shaped(result: dict[str, Any]) -> Response:
    try:
        status = int(result["statusCode"])
        body = result.get("body") or ""
        text = body if isinstance(body, str) else json.dumps(body)
        raw = (
            base64.b64decode(text, validate=True)
            if result.get("isBase64Encoded")
            else text.encode("utf-8", "surrogatepass")
        )
        given = cast("dict[str, Any]", result.get("headers") or {})
        headers = [(name.lower(), _value(value)) for name, value in given.items()]
        headers += [("set-cookie", str(cookie)) for cookie in result.get("cookies") or ()]
    except (ValueError, TypeError, AttributeError):
        return FAILED
    if not 200 <= status <= 599 or not all(_HEADER_NAME.fullmatch(name) for name, _ in headers):
        return FAILED
    if not any(name == "content-type" for name, _ in headers) and raw:
        headers.append(("content-type", "text/plain; charset=utf-8"))
    allowed = [
        (name, value) for name, value in headers if name not in ("content-length", "connection", "transfer-encoding")
    ]
    return Response(status, raw, [(name, value.replace("\r", " ").replace("\n", " ")) for name, value in allowed])


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

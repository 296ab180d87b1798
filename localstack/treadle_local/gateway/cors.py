"""Cross-origin requests to an HTTP API that has a CORS configuration.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle_local.http.messages import Request, Response

_HEADERS = "access-control-"

Configuration = Mapping[str, Any]
"""`CorsConfiguration` as API Gateway keeps it."""


def is_preflight(request: Request) -> bool:
    """Whether a browser asks for leave to send something."""
    return (
        request.method == "OPTIONS"
        and bool(request.header("origin"))
        and bool(request.header("access-control-request-method"))
    )


def options_response(configuration: Configuration, request: Request) -> Response:
    """The answer where no route takes the question: with headers where it is a preflight from an allowed origin."""
    return Response(204, b"", _preflight_headers(configuration, request) if is_preflight(request) else [])


def with_cors(configuration: Configuration, request: Request, response: Response) -> Response:
    """A response with the configured headers in place of those that the function has set, to a preflight too."""
    headers = [(name, value) for name, value in response.headers if not name.startswith(_HEADERS)]
    if is_preflight(request):
        return Response(response.status, response.body, [*headers, *_preflight_headers(configuration, request)])
    origin = _allowed_origin(configuration, request)
    if origin is not None:
        headers += [("access-control-allow-origin", origin), *_credentials(configuration)]
        if configuration.get("ExposeHeaders"):
            headers.append(("access-control-expose-headers", ",".join(configuration["ExposeHeaders"])))
    return Response(response.status, response.body, headers)


def _preflight_headers(configuration: Configuration, request: Request) -> list[tuple[str, str]]:
    origin = _allowed_origin(configuration, request)
    if origin is None:
        return []
    headers = [("access-control-allow-origin", origin)]
    for name, member in (("allow-methods", "AllowMethods"), ("allow-headers", "AllowHeaders")):
        if configuration.get(member):
            headers.append((_HEADERS + name, ",".join(configuration[member])))
    if "MaxAge" in configuration:
        headers.append(("access-control-max-age", str(configuration["MaxAge"])))
    return [*headers, *_credentials(configuration)]


def _allowed_origin(configuration: Configuration, request: Request) -> str | None:
    """What `access-control-allow-origin` says; None where the origin is not allowed, or there is none."""
    origin = request.header("origin")
    for allowed in configuration.get("AllowOrigins", ()) if origin else ():
        if allowed == "*":
            return "*"
        if allowed == origin or (allowed in ("http://*", "https://*") and origin.startswith(allowed[:-1])):
            return origin
    return None


def _credentials(configuration: Configuration) -> list[tuple[str, str]]:
    return [("access-control-allow-credentials", "true")] if configuration.get("AllowCredentials") else []

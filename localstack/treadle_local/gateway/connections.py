"""The `@connections` API: what a backend does with the clients of a WebSocket API.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import unquote

from treadle_local.aws.errors import AwsError
from treadle_local.aws.identity import Identity
from treadle_local.aws.protocol_rest import render, render_json_error
from treadle_local.aws.service import Caller, Region, Target
from treadle_local.aws.wire import new_request_id
from treadle_local.gateway.http_api import INVOCATION_PATH
from treadle_local.gateway.websocket_apis import WebSocketApis
from treadle_local.gateway.websocket_connection import Connection
from treadle_local.http.messages import Request, Response
from treadle_local.http.websocket import MAXIMUM_MESSAGE_BYTES, UnreadError

_SERVICE = "apigatewaymanagementapi"
_PLACE = "/@connections/"
_REMEMBERED_PATHS = 8192


class Connections:
    """Answers signed requests. A broadcast posts to every one of its clients: a post costs tens of microseconds."""

    def __init__(self, region: Region, identity: Identity, apis: WebSocketApis) -> None:
        self._region = region
        self._identity = identity
        self._apis = apis

    def answer(self, request: Request, caller: Caller) -> Response:
        """Does one of the three operations.

        The address is `INVOCATION_PATH<api id>/<stage>/@connections/<id>`, or anything without an API's id before
        `/@connections/`: what clients send that know only where AWS is.
        """
        try:
            place, connection_id = _parts(request.path)
            connection = self._apis.find(connection_id)
            if connection is None or place not in (None, connection.place):
                # it belongs to no API: to be told so takes no permission
                raise AwsError("GoneException", "The connection with the provided id no longer exists.", status=410)
            self._authorize(request.method, connection, caller)
            match request.method:
                case "POST":
                    _post(connection, request.body)
                    return Response(200, b"", (("x-amzn-requestid", new_request_id()),))
                case "DELETE":
                    connection.close(1000, "Connection Closed Normally")
                    return Response(204, b"", (("x-amzn-requestid", new_request_id()),))
                case _:
                    return _described(connection)
        except AwsError as refusal:
            status, headers, body = render_json_error(_SERVICE, refusal)
            return Response(status, body, headers)

    def _authorize(self, method: str, connection: Connection, caller: Caller) -> None:
        """Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html"""
        if method not in ("GET", "POST", "DELETE"):
            raise _unknown(method)
        if caller.role is not None:
            resource = f"{connection.place}/{method}{_PLACE}{connection.client.connection_id}"
            arn = self._region.arn("execute-api", resource)
            self._identity.authorize(caller, (Target("execute-api:ManageConnections", arn),))


def is_connections_path(path: str) -> bool:
    """Whether a path below INVOCATION_PATH is one of the `@connections` API's."""
    return _PLACE in path


@lru_cache(_REMEMBERED_PATHS)
def _parts(path: str) -> tuple[str | None, str]:
    """The place `<api id>/<stage>` in a path, where it names one, and the connection's id. Raises AwsError."""
    before, separator, connection_id = path.replace("%40", "@").partition(_PLACE)
    if not separator:
        raise _unknown(path)
    place = before.removeprefix(INVOCATION_PATH).replace("%24", "$") if before.startswith(INVOCATION_PATH) else None
    return place, unquote(connection_id.rstrip("/"))


def _post(connection: Connection, data: bytes) -> None:
    """Sends bytes as a text message: API Gateway has no other kind. What is not UTF-8 is replaced.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
    """
    if len(data) > MAXIMUM_MESSAGE_BYTES:
        raise AwsError("PayloadTooLargeException", "Message too long", status=413)
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("utf-8", "replace").encode()
    try:
        connection.send(data)
    except UnreadError:
        raise AwsError("LimitExceededException", "The client's buffer is full: it does not read.", status=429) from None


def _described(connection: Connection) -> Response:
    client = connection.client
    result: Mapping[str, object] = {
        "ConnectedAt": datetime.fromtimestamp(client.connected_at, UTC),
        "Identity": {"SourceIp": client.source_ip, "UserAgent": client.user_agent},
        "LastActiveAt": datetime.fromtimestamp(connection.last_active_at, UTC),
    }
    status, headers, body = render(_SERVICE, "GetConnection", result)
    return Response(status, body, headers)


def _unknown(what: str) -> AwsError:
    return AwsError("UnknownOperationException", f"{_SERVICE} has no operation at {what}.", status=404)

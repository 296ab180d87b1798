"""Calls about the open connections of the app's WebSocket API.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

from functools import lru_cache

from treadle.aws.client import AwsCall
from treadle.aws.endpoints import CONNECTIONS_SERVICE, connections_endpoint
from treadle.aws.percent import percent_encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.aws.client import AwsClient

MESSAGE_BYTES_LIMIT = 131_072
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""
_OPERATION = "ManageConnections"
_TIMEOUT_SECONDS = 5.0
_POST_HEADERS = {"content-type": "application/json"}


class Connections:
    """The connections of one API."""

    __slots__ = ("_client", "_path")

    def __init__(self, client: AwsClient) -> None:
        """Raises: ConfigurationError."""
        self._client = client
        self._path = connections_endpoint()[1] + "/@connections/"

    def post(self, connection_id: str, data: bytes, data_sha256: str) -> None:
        """Sends one message, at most `MESSAGE_BYTES_LIMIT` long, whose SHA-256 is given in hex.

        Raises: AwsCallError; `is_gone` where the connection has ended.
        """
        self._call(connection_id, "POST", _POST_HEADERS, data, data_sha256)

    def close(self, connection_id: str) -> None:
        """Ends a connection.

        Raises: AwsCallError; `is_gone` where it has ended already.
        """
        self._call(connection_id, "DELETE", {}, b"", None)

    def _call(
        self, connection_id: str, method: str, headers: dict[str, str], body: bytes, body_sha256: str | None
    ) -> None:
        call = AwsCall(
            CONNECTIONS_SERVICE,
            _OPERATION,
            f"connection {connection_id}",
            headers,
            body,
            method=method,
            path=self._path + _encoded(connection_id),
            body_sha256=body_sha256,
            timeout_seconds=_TIMEOUT_SECONDS,
        )
        self._client.send(call)


@lru_cache(maxsize=4096)
def _encoded(connection_id: str) -> str:
    return percent_encoded(connection_id)

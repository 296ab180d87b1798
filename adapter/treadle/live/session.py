"""One event of one WebSocket connection, with what serving it takes."""

from __future__ import annotations

from treadle.live.connections import ConnectionsTable
from treadle.live.frames import error_frame
from treadle.live.rows import now_ms
from treadle.live.sockets import Sockets
from treadle.logger import Logger
from treadle.names import WEBSOCKET
from treadle.record import InvocationRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.live.frames import Frame, Place
    from treadle.live.process import SystemProcess
    from treadle.resources import Resources
    from treadle.shapes import LambdaContext
    from treadle.trace import Trace


class Session:
    """The event's connection, log and record. `refused` is the code with which the client was refused something."""

    __slots__ = ("connection_id", "logger", "record", "refused", "resources", "sockets", "table", "trace_id")

    def __init__(
        self, process: SystemProcess, lambda_context: LambdaContext, connection_id: str, route_key: str, trace: Trace
    ) -> None:
        request_id = lambda_context.aws_request_id
        self.refused: str | None = None
        self.connection_id = connection_id
        self.trace_id = trace.trace_id
        self.resources: Resources = process.resources(lambda_context)
        self.logger = Logger(trace_id=trace.trace_id, step=WEBSOCKET, flows=(), request_id=request_id)
        self.record = InvocationRecord(
            request_id=request_id,
            trace=trace,
            step=WEBSOCKET,
            version=process.version,
            trigger={"kind": "websocket", "routeKey": route_key, "connectionId": connection_id},
            hops=0,
        )
        client = self.resources.client
        self.table = ConnectionsTable(client, self.resources.names.connections_table())
        self.sockets = Sockets(client, self.table)

    def post(self, frame: Frame) -> None:
        """Sends a frame to the connection.

        Raises: AwsCallError; `is_gone` where the connection has ended.
        """
        self.sockets.post(self.connection_id, frame)

    def refuse(self, place: Place, code: str, message: str) -> None:
        """Tells the client what it cannot have. Raises: as `post`."""
        self.refused = code
        self.post(error_frame(place, now_ms(), code, message))

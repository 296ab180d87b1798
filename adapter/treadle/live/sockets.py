"""The app's open connections: sends them frames, and parts with those that cannot be reached."""

from __future__ import annotations

from treadle.aws.connections import Connections
from treadle.aws.errors import is_gone
from treadle.errors import AwsCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.aws.client import AwsClient
    from treadle.live.connections import ConnectionsTable, Follower
    from treadle.live.frames import Frame
    from treadle.logger import Logger


class Sockets:
    """All connections of the app's WebSocket API; threads may share it.

    Frames are sent by `posting_client` where that is another one: it gives up earlier, while there is time to part.
    """

    __slots__ = ("_connections", "_posting", "table")

    def __init__(self, client: AwsClient, table: ConnectionsTable, posting_client: AwsClient | None = None) -> None:
        self._connections = Connections(client)
        self._posting = Connections(posting_client) if posting_client is not None else self._connections
        self.table = table

    def post(self, connection_id: str, frame: Frame) -> None:
        """Sends a frame.

        Raises: AwsCallError; `is_gone` where the connection has ended.
        """
        self._posting.post(connection_id, frame.data, frame.sha256)

    def part(
        self, connection_id: str, reason: BaseException, logger: Logger, followers: Iterable[Follower] = ()
    ) -> bool:
        """Ends what is left of a connection that could not be sent a frame; False where nothing of it could be done.

        Its client connects again, and gets everything as it stands then: no frame is missing for good. A connection
        that has ended leaves rows behind, no more; one that has not is closed first, and the reason is logged.
        `followers` are rows that are known to be the connection's.
        """
        closed = is_gone(reason) or self._close(connection_id, reason, logger)
        try:
            self.table.remove(connection_id, followers)
        except Exception as error:
            logger.failure("The rows of a connection could not be removed", error, {"connectionId": connection_id})
            return closed
        return True

    def _close(self, connection_id: str, reason: BaseException, logger: Logger) -> bool:
        message = "A frame could not be sent; the connection is closed, so that its client connects again"
        logger.failure(message, reason, {"connectionId": connection_id})
        return self.close(connection_id, logger)

    def close(self, connection_id: str, logger: Logger) -> bool:
        """Ends a connection; False where that failed, which is logged."""
        try:
            self._connections.close(connection_id)
        except AwsCallError as error:
            if not is_gone(error):
                logger.failure("A connection could not be closed", error, {"connectionId": connection_id})
                return False
        return True

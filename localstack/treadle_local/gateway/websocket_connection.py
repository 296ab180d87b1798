"""One connection to a WebSocket API, and the refusal of one."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from treadle_local.gateway.happenings import Connected
from treadle_local.gateway.websocket_event import Client
from treadle_local.http.messages import Response
from treadle_local.http.websocket import WebSocket

MOST_AT_ONCE = 64
"""Messages of one connection that are dealt with side by side; API Gateway does not tell its bound."""
_JSON = (("content-type", "application/json"),)


class RefusalError(Exception):
    """A client is not let in: what it is answered, and why."""

    def __init__(self, status: int, reason: str, response: Response | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.response = response or Response(status, f'{{"message": "{reason}"}}'.encode(), _JSON)

    @classmethod
    def for_client(cls, status: int, reason: str, message: str, client: Client, request_id: str) -> RefusalError:
        """One for a reason that is not the client's business; it is told `message`."""
        return cls(status, reason, Response(status, cls.text(message, client, request_id), _JSON))

    @staticmethod
    def text(message: str, client: Client, request_id: str) -> bytes:
        """How API Gateway says that it could not do what was asked for, to the letter."""
        return (
            f'{{"message": "{message}", "connectionId":"{client.connection_id}", "requestId":"{request_id}"}}'
        ).encode()


class Apis(Protocol):
    """Whom a connection tells what it sees."""

    def opened(self, connection: Connection) -> None: ...

    def received(self, connection: Connection, text: str) -> None: ...

    def ended(self, connection: Connection, code: int, reason: str, *, announce: bool) -> None: ...

    def now(self) -> float: ...


class Connection:
    """A client of a stage; `socket` is set when `$connect` has let it in. `place` is `<api id>/<stage>`.

    See `Owner` for what the socket calls.
    """

    __slots__ = (
        "_announce",
        "_apis",
        "_at_work",
        "_last_message_ms",
        "_waiting",
        "client",
        "last_active_at",
        "place",
        "socket",
        "welcome",
    )

    def __init__(self, client: Client, apis: Apis) -> None:
        self.client = client
        self.place = f"{client.api_id}/{client.stage}"
        self.last_active_at = client.connected_at
        self._last_message_ms = 0
        self.socket: WebSocket | None = None
        self.welcome: Connected | None = None
        self._apis = apis
        self._at_work = 0
        self._waiting: deque[str] = deque()
        self._announce = True

    @property
    def connected_at(self) -> float:
        return self.client.connected_at

    def send(self, text: bytes) -> None:
        """Sends UTF-8 text. Raises UnreadError where the client does not read."""
        assert self.socket is not None  # noqa: S101 - a connection is found when it is open only
        self.socket.send(text)
        self.last_active_at = self._apis.now()

    def close(self, code: int, reason: str) -> None:
        """Closes it; `$disconnect` is told."""
        if self.socket is not None:
            self.socket.close(code, reason)

    def expire(self) -> None:
        """Ends it as API Gateway does at a limit, or when its API is gone."""
        self.close(1001, "Going away")

    def done(self) -> None:
        """A message has been dealt with: the next one's turn."""
        if not self._waiting:
            self._at_work -= 1
            return
        self._apis.received(self, self._waiting.popleft())
        if not self._waiting and self.socket is not None:
            self.socket.hold(False)

    # the socket's side

    def opened(self) -> None:
        self._apis.opened(self)

    def active(self) -> None:
        self.last_active_at = self._apis.now()

    def next_message_ms(self, now: float) -> int:
        """The time of the connection's next message: two in one millisecond, or on a clock that stands, differ."""
        self._last_message_ms = max(int(now * 1000), self._last_message_ms + 1)
        return self._last_message_ms

    def received(self, text: str) -> None:
        if self._at_work < MOST_AT_ONCE:
            self._at_work += 1
            self._apis.received(self, text)
        else:  # what had come already; nothing more is read meanwhile
            self._waiting.append(text)
            if self.socket is not None:
                self.socket.hold(True)

    def shutting_down(self) -> None:
        self._announce = False

    def ended(self, code: int, reason: str) -> None:
        self._apis.ended(self, code, reason, announce=self._announce)

"""One kept-alive HTTP/1.1 connection.

Hand-written: `http.client` brings `email` and `ssl`, which cost more than the rest of a cold start together.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.aws.tls import Trust

CONNECT_TIMEOUT_SECONDS = 3.0
_HEAD_LIMIT = 65_536
_CHUNK = 65_536


class ConnectionLost(Exception):  # noqa: N818 - a state of the connection
    """There is no answer. `stale` where the other side closed a kept connection before it said a word."""

    def __init__(self, message: str, *, stale: bool = False) -> None:
        super().__init__(message)
        self.stale = stale


class Response:
    """Status, headers (names in lower case) and the whole body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Connection:
    """Connects when it is first used, and again when the other side has gone."""

    __slots__ = ("_buffer", "_host", "_port", "_secure", "_socket")

    def __init__(self, host: str, port: int, *, secure: bool) -> None:
        self._host = host
        self._port = port
        self._secure = secure
        self._socket: socket.socket | None = None
        self._buffer = b""

    def exchange(self, request: bytes, timeout_seconds: float) -> Response:
        """Sends one request and reads its response; `timeout_seconds` bounds each wait for the other side.

        Raises: ConnectionLost; the connection is closed then.
        """
        reused = self._socket is not None
        answered = False
        try:
            sock = self._socket or self._connect(timeout_seconds)
            sock.settimeout(timeout_seconds)
            sock.sendall(request)
            self._fill()
            answered = True
            response, keep = self._read_response()
        except (OSError, EOFError, ValueError) as error:
            self.close()
            timed_out = isinstance(error, TimeoutError)
            raise ConnectionLost(
                f"{type(error).__name__}: {error}", stale=reused and not answered and not timed_out
            ) from error
        except BaseException:  # a time limit rang in the middle: what is left of the response is nobody's
            self.close()
            raise
        if not keep:
            self.close()
        return response

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._buffer = b""

    def _connect(self, timeout_seconds: float) -> socket.socket:
        self._socket = sock = self._open(timeout_seconds)
        if self._secure:
            from treadle.aws.tls import UnknownAuthority

            trust = _trust()
            try:
                sock = trust.wrap(sock, self._host)
            except UnknownAuthority:
                sock.close()
                self._socket = sock = self._open(timeout_seconds)
                sock = trust.wrap(sock, self._host)
            self._socket = sock
        return sock

    def _open(self, timeout_seconds: float) -> socket.socket:
        timeout = min(timeout_seconds, CONNECT_TIMEOUT_SECONDS)
        sock = socket.create_connection((self._host, self._port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _fill(self) -> None:
        """Reads more of what the other side has to say."""
        if self._socket is None:
            raise EOFError("not connected")
        data = self._socket.recv(_CHUNK)
        if not data:
            raise EOFError("closed by the other side")
        self._buffer += data

    def _read_response(self) -> tuple[Response, bool]:
        """The response, and whether the connection may be used again."""
        while True:
            version, status, headers = self._read_head()
            if status >= 200:
                break
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        length = headers.get("content-length")
        if status in (204, 304):
            body = b""
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._read_chunks()
        elif length is not None:
            body = self._take(int(length))
        else:
            body, keep = self._read_to_end(), False
        return Response(status, headers, body), keep

    def _read_head(self) -> tuple[str, int, dict[str, str]]:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise ValueError("the response's head does not end")
            self._fill()
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        self._buffer = self._buffer[end + 4 :]
        version, _, rest = first.partition(" ")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return version, int(rest[:3]), headers

    def _take(self, length: int) -> bytes:
        if len(self._buffer) < length:
            parts = [self._buffer]
            missing = length - len(self._buffer)
            self._buffer = b""
            while missing > 0:
                self._fill()
                parts.append(self._buffer)
                missing -= len(self._buffer)
                self._buffer = b""
            self._buffer = b"".join(parts)
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _read_chunks(self) -> bytes:
        chunks: list[bytes] = []
        while size := int(self._read_line().partition(b";")[0], 16):
            chunks.append(self._take(size))
            self._take(2)
        while self._read_line():
            pass  # trailers
        return b"".join(chunks)

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._fill()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _read_to_end(self) -> bytes:
        while True:
            try:
                self._fill()
            except EOFError:
                return self._take(len(self._buffer))


trusts: list[Trust] = []
"""What the process trusts, once a connection has needed it."""


def _trust() -> Trust:
    """One for the process: making it reads certificates."""
    if not trusts:
        from treadle.aws.tls import Trust

        trusts.append(Trust())
    return trusts[0]

"""How events come to AWS's runtime client and its answers go back: in place of its C extension.

That one needs two exchanges for an event, three pieces on the wire and twenty calls to the system, a third of what a
short invocation costs; here the answer to one event asks for the next.
"""

from __future__ import annotations

import socket
from typing import Any, Optional

_CHUNK_BYTES = 65536
_DEADLINE = "Lambda-Runtime-Deadline-Ms"
_API = "2018-06-01/runtime/invocation"


class Transport:
    """Stands for the module `runtime_client`: its functions, by name.

    `next` returns the event and the headers that came with it; an answer is sent by the `post_` functions, and taken
    with the event after it. Raises: ConnectionError, RuntimeError for what the Runtime API refuses.
    """

    def __init__(self, address: str) -> None:
        """`address` is host, port and the path that is this process's own: `127.0.0.1:9001/token`."""
        self._host, _, self._path = address.partition("/")
        self._socket: Optional[socket.socket] = None  # noqa: UP045 - Python 3.9 runs this too
        self._has_asked = False

    def initialize_client(self, user_agent: str) -> None:
        """Nobody asks for it here."""

    def next(self) -> tuple[bytes, dict[str, Any]]:
        if not self._has_asked:
            self._send("GET", "next", b"", "")
        self._has_asked = False
        body, headers = self._receive()
        return body, {**headers, _DEADLINE: int(headers[_DEADLINE])}

    def post_invocation_result(
        self, invoke_id: str, body: bytes, content_type: str, invocation_id: object = None
    ) -> None:
        self._answer(f"{invoke_id}/response", body, content_type)

    def post_error(self, invoke_id: str, error: str, xray_fault: str, invocation_id: object = None) -> None:
        self._answer(f"{invoke_id}/error", error.encode("utf-8", "replace"), "application/json")

    def _answer(self, path: str, body: bytes, content_type: str) -> None:
        self._send("POST", f"{path}/next", body, f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n")
        self._has_asked = True

    def _send(self, method: str, path: str, body: bytes, headers: str) -> None:
        head = f"{method} /{self._path}/{_API}/{path} HTTP/1.1\r\nHost: {self._host}\r\n{headers}\r\n"
        self._connected().sendall(head.encode("latin-1", "replace") + body)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            host, _, port = self._host.rpartition(":")
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._socket.settimeout(None)  # whatever the function takes for usual
            self._socket.connect((host, int(port)))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _receive(self) -> tuple[bytes, dict[str, str]]:
        connection, data = self._connected(), b""
        while b"\r\n\r\n" not in data:
            data += self._more(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers["content-length"])
        if len(body) < length:
            parts, missing = [body], length - len(body)
            while missing:
                parts.append(self._more(connection))
                missing -= len(parts[-1])
            body = b"".join(parts)
        if not status.startswith("HTTP/1.1 200 "):
            raise RuntimeError(f"the Runtime API refused: {status} {body.decode('utf-8', 'replace')}")
        return body, headers

    def _more(self, connection: socket.socket) -> bytes:
        data = connection.recv(_CHUNK_BYTES)
        if not data:
            raise ConnectionError("the Runtime API has ended")
        return data

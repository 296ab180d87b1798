"""A WebSocket client that is no library: it may say what none would, and sees every frame as it comes."""

from __future__ import annotations

import base64
import os
import socket
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
DEADLINE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Frame:
    opcode: int
    payload: bytes
    is_final: bool = True


class RefusedError(Exception):
    """The upgrade was answered otherwise than by 101."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"{status}: {body!r}")
        self.status = status
        self.headers = headers
        self.body = body


class WebSocketClient:
    """One connection; `url` is `http://host:port`. Raises RefusedError.

    `headers` adds to and replaces what is sent by default; `mark` is in it, as `X-Mark`, for telling connections apart.
    """

    def __init__(
        self,
        url: str,
        path: str,
        headers: Mapping[str, str | None] | None = None,
        early: bytes = b"",
        seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self.mark = uuid.uuid4().hex
        self.address = url.removeprefix("http://")
        host, port = self.address.split(":")
        self.socket = socket.create_connection((host, int(port)), seconds)
        self._buffer = b""
        sent = {
            "Host": self.address,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            "X-Mark": self.mark,
            **(headers or {}),
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value is not None)]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + early)
        try:
            self.status, self.headers = self._head()
        except BaseException:
            self.socket.close()
            raise
        if self.status != 101:
            body = self._exactly(int(self.headers.get("content-length", "0")))
            self.socket.close()
            raise RefusedError(self.status, self.headers, body)

    def _head(self) -> tuple[int, Mapping[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        return int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}

    def _read(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._buffer += data

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._read()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    # sending

    def frame(
        self, opcode: int, payload: bytes = b"", *, is_final: bool = True, is_masked: bool = True, reserved: int = 0
    ) -> None:
        self.socket.sendall(encode(opcode, payload, is_final=is_final, is_masked=is_masked, reserved=reserved))

    def text(self, text: str) -> None:
        self.frame(TEXT, text.encode())

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        self.frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason.encode())

    def drop(self) -> None:
        """Ends the TCP connection without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # receiving

    def receive(self) -> Frame:
        first, second = self._exactly(2)
        length = second & 0x7F
        assert not second & 0x80, "a server masks nothing"
        if length == 126:
            length = int.from_bytes(self._exactly(2), "big")
        elif length == 127:
            length = int.from_bytes(self._exactly(8), "big")
        return Frame(first & 0x0F, self._exactly(length), bool(first & 0x80))

    def message(self) -> str:
        """The next text message, which may come in several frames."""
        frame = self.receive()
        assert frame.opcode == TEXT, frame
        payload = frame.payload
        while not frame.is_final:
            frame = self.receive()
            assert frame.opcode == CONTINUATION, frame
            payload += frame.payload
        return payload.decode()

    def closing(self) -> tuple[int, str]:
        """The code and reason of the close frame that comes next."""
        frame = self.receive()
        assert frame.opcode == CLOSE, frame
        return int.from_bytes(frame.payload[:2], "big") if frame.payload else 1005, frame.payload[2:].decode()

    def is_ended(self) -> bool:
        """Whether the server closes the TCP connection next."""
        try:
            self._read()
        except (EOFError, ConnectionError):
            return True
        return False

    def __enter__(self) -> WebSocketClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


def encode(
    opcode: int, payload: bytes = b"", *, is_final: bool = True, is_masked: bool = True, reserved: int = 0
) -> bytes:
    """One frame as a client sends it."""
    head = bytes([(0x80 if is_final else 0) | reserved << 4 | opcode])
    mask_bit = 0x80 if is_masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([mask_bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", len(payload))
    if not is_masked:
        return head + payload
    mask = os.urandom(4)
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + mask + masked.to_bytes(len(payload), "big")

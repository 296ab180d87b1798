"""Many WebSocket connections at once, as light as they can be: what they are sent, and when."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import threading
import time
from collections.abc import Sequence
from typing import Any

from support.dev import wait_until

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Follower(asyncio.Protocol):
    """One connection; `frames` has (seconds on the monotonic clock, text) of each message, in order."""

    def __init__(self, opening: bytes) -> None:
        self._opening = opening
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.is_open = False
        self.was_closed = False
        self.frames: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._opening)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._buffer += data
        if not self.is_open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head.split(b"\r\n", 1)[0], head
            self.is_open, self._buffer = True, rest
        at = 0
        while (frame := _frame(self._buffer, at)) is not None:
            opcode, payload, at = frame
            if opcode == _TEXT:
                self.frames.append((now, payload))
            elif opcode == _PING:
                self._send(_PONG, payload)
            elif opcode == _CLOSE:
                self.was_closed = True
        self._buffer = self._buffer[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.was_closed = True

    def say(self, value: object) -> None:
        self._send(_TEXT, json.dumps(value).encode())

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(text) for _, text in self.frames]

    def _send(self, opcode: int, payload: bytes) -> None:
        assert self._transport is not None
        mask, size = os.urandom(4), len(payload)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack(">H", size)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._transport.write(bytes([0x80 | opcode]) + length + mask + masked)


class Followers:
    """Connections that run in a thread of their own. `with Followers(ws_url, count) as them: them.join(...)`."""

    def __init__(self, url: str, count: int) -> None:
        self._address = url.removeprefix("ws://").partition("/")[0]
        self._count = count
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.all: Sequence[Follower] = ()

    def __enter__(self) -> Followers:
        self._thread.start()
        self.all = asyncio.run_coroutine_threadsafe(self._connect(), self._loop).result(60)
        wait_until("every connection", lambda: all(one.is_open for one in self.all), 60)
        return self

    def __exit__(self, *problem: object) -> None:
        for one in self.all:
            self._loop.call_soon_threadsafe(one.abort)
        self._loop.call_soon_threadsafe(self._loop.call_later, 0.05, self._loop.stop)
        self._thread.join()
        self._loop.close()

    def join(self, stream: str, group: str) -> None:
        """Every connection follows the group; returns when each has had its sync."""
        before = [len(one.frames) for one in self.all]

        def say() -> None:
            for number, one in enumerate(self.all):
                data = {"streamName": stream, "groupId": group, "subscriptionId": f"{stream}/{group}/{number}"}
                one.say({"type": "join", "data": data})

        self._loop.call_soon_threadsafe(say)
        wait_until(
            "every sync", lambda: all(len(one.frames) > had for one, had in zip(self.all, before, strict=True)), 120
        )

    async def _connect(self) -> list[Follower]:
        host, _, port = self._address.partition(":")
        made: list[Follower] = []
        for _ in range(self._count):
            key = base64.b64encode(os.urandom(16)).decode()
            opening = (
                f"GET / HTTP/1.1\r\nHost: {self._address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
            _, follower = await self._loop.create_connection(lambda text=opening: Follower(text), host, int(port))  # type: ignore[misc]
            made.append(follower)
        return made


def _frame(buffer: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Opcode, payload and end of the frame that begins at `at`; None where it is not all there yet."""
    if len(buffer) < at + 2:
        return None
    size, start = buffer[at + 1] & 127, at + 2
    if size == 126:
        if len(buffer) < at + 4:
            return None
        size, start = struct.unpack_from(">H", buffer, at + 2)[0], at + 4
    elif size == 127:
        if len(buffer) < at + 10:
            return None
        size, start = struct.unpack_from(">Q", buffer, at + 2)[0], at + 10
    if len(buffer) < start + size:
        return None
    return buffer[at] & 15, buffer[start : start + size], start + size

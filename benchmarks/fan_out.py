"""How long a change of a stream takes to reach each of a thousand sockets, beside a bare server that writes to as many.

`python benchmarks/fan_out.py [sockets] [updates]`; `make bench` has it as its row `fanout`. Fails where a socket misses
an update, has one twice, or has them out of order.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.dev import Dev, wait_until
from support.followers import Follower, Followers
from support.projects import api_step, messaging, write


@dataclass(frozen=True, slots=True)
class FanOut:
    """Milliseconds from the request of an update to its frame at a socket, over all sockets and updates."""

    p50_ms: float
    p99_ms: float
    frames_per_second: float


def fan_out(followers: Followers, update: Callable[[int], None], updates: int) -> FanOut:
    """Each update is sent when all sockets have the one before: no queue hides behind another."""
    started_at: list[float] = []
    before = [len(one.frames) for one in followers.all]
    begun = time.perf_counter()
    for number in range(updates):
        started_at.append(time.perf_counter())
        update(number)
        wanted = number + 1
        wait_until("the update everywhere", lambda: _all_have(followers, before, wanted), 120)  # noqa: B023
    seconds = time.perf_counter() - begun
    times: list[float] = []
    for one, had in zip(followers.all, before, strict=True):
        _check(one, had, updates)
        times += [(at - started) * 1000 for (at, _), started in zip(one.frames[had:], started_at, strict=True)]
    times.sort()
    return FanOut(times[len(times) // 2], times[int(len(times) * 0.99)], len(times) / seconds)


def burst(followers: Followers, update: Callable[[int], None], updates: int) -> float:
    """Frames a second where the updates do not wait for one another."""
    before = [len(one.frames) for one in followers.all]
    begun = time.perf_counter()
    for number in range(updates):
        update(number)
    wait_until("all updates everywhere", lambda: _all_have(followers, before, updates), 300)
    seconds = time.perf_counter() - begun
    for one, had in zip(followers.all, before, strict=True):
        _check(one, had, updates)
    return updates * len(followers.all) / seconds


def _all_have(followers: Followers, before: list[int], wanted: int) -> bool:
    return all(len(one.frames) >= had + wanted for one, had in zip(followers.all, before, strict=True))


def _check(one: Follower, had: int, updates: int) -> None:
    numbers = [json.loads(text)["event"]["data"]["n"] for _, text in one.frames[had:]]
    if numbers != list(range(updates)):
        raise SystemExit(f"a socket had the updates {numbers}")


def project(folder: Path) -> Path:
    made = messaging(folder)
    body = (
        '    await context.streams.messages.set("fan", "x", {"n": req["body"]["n"], "text": "x" * 100})\n'
        '    return {"status": 200, "body": {}}'
    )
    return write(made, "steps/update_step.py", api_step("Update", body))


def treadle(sockets: int, updates: int) -> tuple[FanOut, float]:
    with tempfile.TemporaryDirectory() as folder, Dev(project(Path(folder)), "--no-watch") as dev:

        def update(number: int) -> None:
            answer = dev.http("POST", "/update", {"n": number})
            assert answer.status == 200, answer.body

        update(-1)
        with Followers(dev.ready["ws"], sockets) as followers:
            followers.join("messages", "fan")
            paced = fan_out(followers, update, updates)
            return paced, burst(followers, update, updates)


class _Bare(asyncio.Protocol):
    """Answers the handshake and nothing else; the updates are written by whoever holds the transports."""

    def __init__(self, transports: list[asyncio.Transport]) -> None:
        self._transports = transports
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._greeted:
            self._transport.write(_text(b'{"event":{"type":"sync","data":[]}}'))
            return
        self._greeted = True
        key = next(line for line in data.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")).split(b": ")[
            1
        ]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._transport.write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self._transports.append(self._transport)


def _text(payload: bytes) -> bytes:
    return (
        bytes([0x81, len(payload)]) + payload
        if len(payload) < 126
        else b"\x81\x7e" + struct.pack(">H", len(payload)) + payload
    )


@contextlib.contextmanager
def _bare_server() -> Generator[tuple[str, Callable[[int], None]]]:
    """The least that a server of a thousand sockets can do: write the same frame to each."""
    loop = asyncio.new_event_loop()
    transports: list[asyncio.Transport] = []
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncio.Server:
        return await loop.create_server(lambda: _Bare(transports), "127.0.0.1", 0, backlog=2048)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)

    def update(number: int) -> None:
        data = {"n": number, "text": "x" * 100, "id": "x"}
        frame = _text(json.dumps({"timestamp": 0, "id": "x", "event": {"type": "update", "data": data}}).encode())

        def write_all() -> None:
            for transport in transports:
                transport.write(frame)

        loop.call_soon_threadsafe(write_all)

    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", update
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def bare(sockets: int, updates: int) -> tuple[FanOut, float]:
    with _bare_server() as (url, update), Followers(url, sockets) as followers:
        followers.join("messages", "fan")
        return fan_out(followers, update, updates), burst(followers, update, updates)


def main() -> None:
    sockets, updates = (int(text) for text in (*sys.argv[1:], *("1000", "100")[len(sys.argv) - 1 :]))
    (floor, floor_burst), (ours, ours_burst) = bare(sockets, updates), treadle(sockets, updates)
    print(f"{sockets} sockets, {updates} updates, in order, none missing, none twice")
    for name, mine, theirs in (
        ("p50 ms", ours.p50_ms, floor.p50_ms),
        ("p99 ms", ours.p99_ms, floor.p99_ms),
        ("frames/s, one update after the other", ours.frames_per_second, floor.frames_per_second),
        ("frames/s, in a burst", ours_burst, floor_burst),
    ):
        print(f"{name:<40} treadle {mine:>10.1f}   bare server {theirs:>10.1f}   {mine / theirs:>7.2f} ×")


if __name__ == "__main__":
    main()

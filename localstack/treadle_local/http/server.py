"""An HTTP/1.1 listener on httptools: keep-alive, pipelining in order, upgrades, synchronous handlers without a task.

The emulator's own work per request is what its users wait for, so the listener does nothing but parse, call and write.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections import deque
from collections.abc import Awaitable
from typing import Any, cast

import httptools

from treadle_infra.app.findings import TreadleError
from treadle_local.http.messages import Answer, Handler, Request, Response, Tenant, Upgrade, reason
from treadle_local.http.ports import holder_of

MAX_BODY_BYTES = 512 * 1024 * 1024
_MAX_HEADER_BYTES = 64 * 1024
_MAX_EARLY_BYTES = 64 * 1024
_FAREWELL_SECONDS = 1.0
_BODILESS = frozenset({204, 304})
_log = logging.getLogger("treadle.http")

_STATUS_LINES = {status: f"HTTP/1.1 {status} {reason(status)}\r\n" for status in range(100, 600)}
_ANSWERED_AT_ONCE = (Response, Upgrade)
_MOST_REMEMBERED_NAMES = 1024
_header_names: dict[bytes, str] = {}
"""Names of headers as they were sent, in lower case: there are few, and every request has them again."""


def _header_name(name: bytes) -> str:
    lower = name.decode("latin-1").lower()
    if len(_header_names) < _MOST_REMEMBERED_NAMES:
        _header_names[name] = lower
    return lower


class Listener:
    """A bound port that serves one handler. `port` is the real one when 0 was asked for."""

    def __init__(self, server: asyncio.Server, host: str, port: int, connections: set[_Connection]) -> None:
        self._server = server
        self.host = host
        self.port = port
        self._connections = connections

    async def close(self) -> None:
        """Stops listening and ends every connection; those that were upgraded have a second to say goodbye."""
        self._server.close()
        leaving = [connection.shut_down() for connection in tuple(self._connections) if connection.is_upgraded]
        if leaving:
            await asyncio.wait(leaving, timeout=_FAREWELL_SECONDS)
        for connection in tuple(self._connections):
            connection.abort()
        await self._server.wait_closed()


async def listen(handler: Handler, host: str, port: int) -> Listener:
    """Binds and serves. Raises TreadleError `port-busy`, which names the process that holds the port."""
    loop = asyncio.get_running_loop()
    connections: set[_Connection] = set()
    try:
        server = await loop.create_server(lambda: _Connection(handler, loop, connections), host, port, backlog=1024)
    except OSError as problem:
        if problem.errno != errno.EADDRINUSE:
            raise TreadleError("cannot-listen", f"cannot listen on {host}:{port}: {problem.strerror}") from None
        holder = holder_of(port)
        raise TreadleError(
            "port-busy",
            f"port {port} is in use{f' by {holder}' if holder else ''}",
            hint="stop it, choose another port, or give 0 to have a free one picked",
        ) from None
    return Listener(server, host, server.sockets[0].getsockname()[1], connections)


class _Connection(asyncio.Protocol):
    """One client. Requests are answered in the order in which they came."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_busy",
        "_client",
        "_connections",
        "_early",
        "_ended",
        "_handler",
        "_header_bytes",
        "_headers",
        "_loop",
        "_parser",
        "_refused",
        "_task",
        "_tenant",
        "_transport",
        "_upgrading",
        "_url",
        "_waiting",
    )

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop, connections: set[_Connection]) -> None:
        self._handler = handler
        self._loop = loop
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request | Response, bool]] = deque()
        self._busy = False
        self._refused = False
        self._upgrading = False
        self._early = b""
        self._tenant: Tenant | None = None
        self._ended: asyncio.Future[None] | None = None
        self._task: asyncio.Future[Any] | None = None
        self._url = b""
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._header_bytes = 0
        self._client = "127.0.0.1"

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = transport.get_extra_info("peername")
        if peer:
            self._client = str(peer[0])
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        if self._tenant is not None:
            self._tenant.connection_lost(exc)
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        del self._parser  # it and this connection know each other, and would wait for the garbage collector

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._tenant is not None:
            self._tenant.data_received(data)
            return
        if self._upgrading:
            self._keep_early(data)
            return
        if self._refused:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as end:
            self._keep_early(data[end.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400, b"not an HTTP request that this listener understands\n")

    def eof_received(self) -> bool | None:
        return self._tenant.eof_received() if self._tenant is not None else None

    def pause_writing(self) -> None:
        if self._tenant is not None:
            self._tenant.pause_writing()

    def resume_writing(self) -> None:
        if self._tenant is not None:
            self._tenant.resume_writing()

    # upgrades

    @property
    def is_upgraded(self) -> bool:
        return self._tenant is not None

    def shut_down(self) -> asyncio.Future[None]:
        """Asks the tenant to end; the future is done when the connection is."""
        self._ended = self._loop.create_future()
        if self._tenant is not None:
            self._tenant.shut_down()
        return self._ended

    def _keep_early(self, data: bytes) -> None:
        """Keeps what follows an upgrade request until it is answered: the parser is done with this connection."""
        if self._tenant is not None:
            if data:
                self._tenant.data_received(data)
            return
        self._upgrading = True
        self._early += data
        if len(self._early) > _MAX_EARLY_BYTES:
            self._transport.pause_reading()

    def _hand_over(self, upgrade: Upgrade) -> None:
        self._tenant = upgrade.tenant
        lines = (f"{name}: {value}\r\n" for name, value in upgrade.headers)
        self._transport.write("".join((_STATUS_LINES[101], *lines, "\r\n")).encode("latin-1", "replace"))
        self._tenant.connection_made(self._transport)
        early, self._early = self._early, b""
        if len(early) > _MAX_EARLY_BYTES:
            self._transport.resume_reading()
        if early:
            self._tenant.data_received(early)

    # httptools' side

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._body = []
        self._body_bytes = 0
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > _MAX_HEADER_BYTES:
            self._refuse(414, b"the request's address is too long\n")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _MAX_HEADER_BYTES:
            self._refuse(431, b"request headers are too large\n")
        self._headers.append((_header_names.get(name) or _header_name(name), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if ("expect", "100-continue") in self._headers and not self._refused:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._body = []
            self._refuse(413, b"the request's body is too large\n")
        elif not self._refused:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        upgrades = bool(self._parser.should_upgrade())
        path, _, query = self._url.decode("latin-1").partition("?")
        request = Request(
            self._parser.get_method().decode("ascii"),
            path,
            query,
            self._headers,
            b"".join(self._body) if len(self._body) != 1 else self._body[0],
            self._client,
            self._parser.get_http_version(),
            upgrades and any(name == "upgrade" and value.lower() == "websocket" for name, value in self._headers),
        )
        # the parser stops at an upgrade; one that is not known here is ignored, as HTTP has it
        self._in_turn(request, keep_alive=bool(self._parser.should_keep_alive()) and not upgrades)

    # answering

    def _in_turn(self, request: Request | Response, *, keep_alive: bool) -> None:
        if self._busy:
            self._waiting.append((request, keep_alive))
        else:
            self._answer(request, keep_alive)

    def _answer(self, request: Request | Response, keep_alive: bool) -> None:
        if self._transport.is_closing():  # nobody reads the answers that come after a last one
            return
        if isinstance(request, Response):
            self._write(request, keep_alive)
            return
        try:
            result = self._handler(request)
        except Exception:
            _log.exception("a handler failed on %s %s", request.method, request.path)
            result = Response(500, b'{"message":"Internal failure of the emulator"}')
        if isinstance(result, _ANSWERED_AT_ONCE):
            self._deliver(result, keep_alive, request)
            return
        self._busy = True
        if isinstance(result, asyncio.Future):
            self._task = result
            result.add_done_callback(lambda answered: self._answered(answered, request, keep_alive))
        else:
            self._task = self._loop.create_task(self._finish(result, request, keep_alive))

    def _answered(self, answer: asyncio.Future[Answer], request: Request, keep_alive: bool) -> None:
        """What `_finish` does, for what needs no task."""
        if not answer.cancelled():
            self._go_on(answer.result(), request, keep_alive)

    async def _finish(self, result: Awaitable[Answer], request: Request, keep_alive: bool) -> None:
        try:
            answer = await result
        except asyncio.CancelledError:
            return
        except Exception:
            _log.exception("a handler failed on %s %s", request.method, request.path)
            answer = Response(500, b'{"message":"Internal failure of the emulator"}')
        self._go_on(answer, request, keep_alive)

    def _go_on(self, answer: Answer, request: Request, keep_alive: bool) -> None:
        self._busy = False
        self._task = None
        self._deliver(answer, keep_alive, request)
        while self._waiting and not self._busy:
            self._answer(*self._waiting.popleft())

    def _deliver(self, answer: Answer, keep_alive: bool, request: Request) -> None:
        if isinstance(answer, Response):
            self._write(answer, keep_alive, request)
        elif self._transport.is_closing():
            answer.abandoned()
        else:
            self._hand_over(answer)

    def _write(self, response: Response, keep_alive: bool, request: Request | None = None) -> None:
        if self._transport.is_closing():
            return
        head = [_STATUS_LINES.get(response.status) or f"HTTP/1.1 {response.status} Unknown\r\n"]
        head += [f"{name}: {value}\r\n" for name, value in response.headers]
        bodiless = response.status in _BODILESS
        # the length that a HEAD is told is of a body that nobody has
        is_told = request is not None and request.method == "HEAD" and _tells_length(response)
        if not bodiless and not is_told:
            head.append(f"content-length: {len(response.body)}\r\n")
        if not keep_alive:
            head.append("connection: close\r\n")
        elif request is not None and request.http_version == "1.0":
            head.append("connection: keep-alive\r\n")
        head.append("\r\n")
        data = "".join(head).encode("latin-1", "replace")
        if not (bodiless or (request is not None and request.method == "HEAD")):
            data += response.body
        self._transport.write(data)
        if not keep_alive:
            self._transport.close()

    def _refuse(self, status: int, message: bytes) -> None:
        """Answers what cannot be read on, after what came before it; nothing that follows is looked at."""
        if not self._refused:
            self._refused = True
            self._in_turn(Response(status, message, (("content-type", "text/plain"),)), keep_alive=False)


def _tells_length(response: Response) -> bool:
    return any(name.lower() == "content-length" for name, _ in response.headers)

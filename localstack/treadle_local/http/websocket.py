"""One WebSocket: frames by the library `websockets`, what API Gateway makes of them, and the closing of both sides.

Source: https://www.rfc-editor.org/rfc/rfc6455
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol, cast

from websockets.datastructures import Headers as HandshakeHeaders
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request as HandshakeRequest
from websockets.protocol import OPEN, SERVER
from websockets.protocol import Protocol as Frames
from websockets.server import ServerProtocol

from treadle_local.http.messages import Request, Response, Tenant

# Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAXIMUM_FRAME_BYTES = 32 * 1024
MAXIMUM_MESSAGE_BYTES = 128 * 1024

MAXIMUM_UNREAD_BYTES = 1024 * 1024
"""What is kept for a client that does not read, beyond what the system keeps; API Gateway does not tell its bound."""
_LINGER_SECONDS = 5.0

_ABNORMAL = "Connection closed abnormally"
_WITHOUT_STATUS = "Client-side close frame status not set"
_quiet_log = logging.getLogger("treadle.websocket.frames")
_quiet_log.setLevel(logging.WARNING)  # the library tells of every connection that ends


class UnreadError(Exception):
    """The client does not read what it was sent."""


class Owner(Protocol):
    """Whose socket it is. `ended` comes exactly once after `opened`, and nothing after it."""

    def opened(self) -> None:
        """The client has been told that it is connected."""
        ...

    def active(self) -> None:
        """Frames of any kind have come."""
        ...

    def received(self, text: str) -> None:
        """A whole text message has come."""
        ...

    def shutting_down(self) -> None:
        """The listener closes: the end that follows is everybody's."""
        ...

    def ended(self, code: int, reason: str) -> None:
        """Either side has closed, or the network did (1006): nothing can be sent any more."""
        ...


def handshake(request: Request) -> Response:
    """The answer to an upgrade request: 101 with the headers that accept it, or the refusal of a malformed one.

    No extension is accepted and no subprotocol chosen, as at API Gateway.
    """
    headers = HandshakeHeaders(request.headers)
    answer = ServerProtocol(logger=_quiet_log).accept(HandshakeRequest(request.path, headers))
    kept = [
        (name.lower(), value)
        for name, value in answer.headers.raw_items()
        if answer.status_code == 101 or name.lower() not in ("connection", "content-length")
    ]
    return Response(answer.status_code, bytes(answer.body), kept)


class WebSocket(Tenant):
    """The server's side of an accepted upgrade. All methods run on the event loop's thread."""

    __slots__ = ("_frames", "_held", "_linger", "_loop", "_open", "_owner", "_parts", "_paused", "_stuck", "_transport")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._frames = Frames(
            SERVER, state=OPEN, max_size=(MAXIMUM_MESSAGE_BYTES, MAXIMUM_FRAME_BYTES), logger=_quiet_log
        )
        self._parts: list[bytes] = []
        self._open = False
        self._held = False
        self._stuck = False
        self._paused = False
        self._linger: asyncio.TimerHandle | None = None

    # what the owner does

    def send(self, text: bytes) -> None:
        """Sends UTF-8 text as one message, in frames of at most 32 KB. Raises UnreadError past 1 MB unread.

        Does nothing once the socket has ended.
        """
        if not self._can_send():
            return
        if self._transport.get_write_buffer_size() > MAXIMUM_UNREAD_BYTES:
            raise UnreadError
        if len(text) <= MAXIMUM_FRAME_BYTES:
            self._frames.send_text(text)
        else:
            self._frames.send_text(text[:MAXIMUM_FRAME_BYTES], fin=False)
            for start in range(MAXIMUM_FRAME_BYTES, len(text), MAXIMUM_FRAME_BYTES):
                end = start + MAXIMUM_FRAME_BYTES
                self._frames.send_continuation(text[start:end], fin=end >= len(text))
        self._flush()

    def hold(self, held: bool) -> None:
        """Reads nothing more while held."""
        self._held = held
        self._steer()

    def close(self, code: int, reason: str) -> None:
        """Closes; the client has five seconds to answer."""
        if self._can_send():
            self._frames.send_close(code, reason)
            self._flush()
            self._end(code, reason)

    def _can_send(self) -> bool:
        """False, too, while messages are handed over that came ahead of the client's closing."""
        return self._open and self._frames.state is OPEN

    # the listener's side

    def shut_down(self) -> None:
        self._owner.shutting_down()
        self.close(CloseCode.GOING_AWAY, "Going away")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open = True
        self._owner.opened()

    def data_received(self, data: bytes) -> None:
        self._frames.receive_data(data)
        frames = self._frames.events_received()
        if self._open:
            if frames:
                self._owner.active()
            for frame in frames:
                if not self._take(cast("Frame", frame)):
                    break
        self._flush()
        if self._open and self._frames.state is not OPEN:
            self._end(*self._closing())

    def eof_received(self) -> None:
        self._frames.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._linger is not None:
            self._linger.cancel()
        if self._open:
            self._end(CloseCode.ABNORMAL_CLOSURE, _ABNORMAL)

    def pause_writing(self) -> None:
        self._stuck = True
        self._steer()

    def resume_writing(self) -> None:
        self._stuck = False
        self._steer()

    # frames

    def _take(self, frame: Frame) -> bool:
        """Whether the frames after this one are looked at."""
        match frame.opcode:
            case Opcode.BINARY:
                # Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-binary-media-types.html
                self._frames.fail(CloseCode.UNSUPPORTED_DATA, "Binary frames are not supported")
                return False
            case Opcode.TEXT | Opcode.CONT:
                self._parts.append(bytes(frame.data))
                return self._message() if frame.fin else True
            case _:
                return True

    def _message(self) -> bool:
        parts, self._parts = self._parts, []
        try:
            text = (parts[0] if len(parts) == 1 else b"".join(parts)).decode()
        except UnicodeDecodeError:
            self._frames.fail(CloseCode.INVALID_DATA, "Text is not valid UTF-8")
            return False
        self._owner.received(text)
        return self._open

    def _flush(self) -> None:
        for data in self._frames.data_to_send():
            if data:
                self._transport.write(data)
            elif not self._transport.is_closing():
                self._transport.write_eof()

    def _steer(self) -> None:
        """Reads from a client only as fast as it reads itself, and as its messages are dealt with."""
        paused = self._open and (self._held or self._stuck)
        if paused != self._paused and not self._transport.is_closing():
            self._paused = paused
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # the end

    def _closing(self) -> tuple[int, str]:
        """The status and reason of the side that closed first."""
        received, sent = self._frames.close_rcvd, self._frames.close_sent
        first = received if received is not None and self._frames.close_rcvd_then_sent else sent
        if first is None:
            return CloseCode.ABNORMAL_CLOSURE, _ABNORMAL
        return first.code, first.reason or (_WITHOUT_STATUS if first.code == CloseCode.NO_STATUS_RCVD else "")

    def _end(self, code: int, reason: str) -> None:
        self._open = False
        self._parts = []
        self._steer()
        if not self._transport.is_closing():
            self._linger = self._loop.call_later(_LINGER_SECONDS, self._transport.abort)
        self._owner.ended(int(code), reason)

"""An ASGI application as a step's handler: the event in, API Gateway's response out, its lifespan once a process.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html, .../specs/lifespan.html
"""

from __future__ import annotations

import asyncio
import atexit
import binascii
from urllib.parse import unquote

from treadle.errors import InvalidResponse
from treadle.event_loop import event_loop, keep_running_tasks
from treadle.http.request import headers_from_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from treadle.context import Context
    from treadle.shapes import Event

    Message = dict[str, Any]
    Application = Callable[
        [dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any
    ]

CONTEXT = "treadle.context"
"""Where an application finds the step's context: `request.scope["treadle.context"]`."""
_VERSIONS = {"version": "3.0", "spec_version": "2.3"}
_END_SECONDS = 1.0
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")


class Served:
    """What came of a request: API Gateway's response, and the error that the application raised after sending it."""

    __slots__ = ("error", "response")

    def __init__(self, response: dict[str, Any], error: Exception | None) -> None:
        self.response = response
        self.error = error


class AsgiHandler:
    """A handler of events. The first one starts the application, as does the next where that failed."""

    def __init__(self, application: Application, prefix: str) -> None:
        """`prefix` is the step's path, `/api` or `/tenants/:id`: so many segments of a request's are its root path."""
        self._application = application
        self._segments = len([segment for segment in prefix.split("/") if segment])
        self._state: dict[str, Any] = {}
        self._is_started = False

    async def __call__(self, event: Event, context: Context) -> Served:
        """Raises: StartFailed, and what the application raises instead of an answer."""
        if not self._is_started:
            await _Lifespan(self._application, self._state).start()
            self._is_started = True
        exchange = _Exchange(_body(event))
        error: Exception | None = None
        try:
            await self._application(self._scope(event, context), exchange.receive, exchange.send)
        except Exception as raised:
            if exchange.status is None:
                raise
            error = raised
        return Served(exchange.response(), error)

    def _scope(self, event: Event, context: Context) -> dict[str, Any]:
        headers = headers_from_event(event)
        raw_path: str = event.get("rawPath") or "/"
        about: dict[str, Any] = event["requestContext"]["http"]
        host, _, port = headers.get("host", "localhost").partition(":")
        scheme = headers.get("x-forwarded-proto", "https")
        path = unquote(raw_path)
        segments = [segment for segment in path.split("/") if segment][: self._segments]
        return {
            "type": "http",
            "asgi": _VERSIONS,
            "http_version": str(about.get("protocol", "HTTP/1.1")).partition("/")[2] or "1.1",
            "method": about["method"],
            "scheme": scheme,
            "path": path,
            "raw_path": raw_path.encode(),
            "root_path": f"/{'/'.join(segments)}" if segments else "",
            "query_string": (event.get("rawQueryString") or "").encode(),
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()
            ],
            "client": (about.get("sourceIp"), 0),
            "server": (host, int(port) if port.isdecimal() else 443 if scheme == "https" else 80),
            "state": dict(self._state),
            "extensions": {},
            CONTEXT: context,
            "aws.event": event,
        }


class StartFailed(Exception):  # noqa: N818 - named as the protocol has it
    """The application says that it could not start."""


class _Lifespan:
    """The application's own start; what it leaves running goes on between requests, to the process's end."""

    def __init__(self, application: Application, state: dict[str, Any]) -> None:
        self._application = application
        self._state = state
        self._failure: str | None = None
        self._asked = False

    async def start(self) -> None:
        """Raises: StartFailed. An application that knows no lifespan has none."""
        self._started, self._ending = asyncio.Event(), asyncio.Event()
        task = asyncio.ensure_future(self._application_with_lifespan())
        waiting = asyncio.ensure_future(self._started.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.exception()
        if self._failure is not None:
            raise StartFailed(self._failure)
        if not task.done():
            keep_running_tasks()
            atexit.register(self._end, task)

    async def _application_with_lifespan(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        await self._application(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._ending.wait()
        return {"type": "lifespan.shutdown"}

    def _end(self, task: asyncio.Task[None]) -> None:
        self._ending.set()
        event_loop().run_until_complete(asyncio.wait({task}, timeout=_END_SECONDS))
        if not task.done():
            task.cancel()
            event_loop().run_until_complete(asyncio.wait({task}, timeout=_END_SECONDS))

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            self._failure = str(message.get("message") or "the application's start failed")
        if str(message["type"]).startswith("lifespan.startup."):
            self._started.set()


class _Exchange:
    """One request and its response, which goes out as a whole."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._is_read = False
        self._done = asyncio.Event()
        self.status: int | None = None
        self._headers: Iterable[tuple[bytes, bytes]] = ()
        self._content = bytearray()

    async def receive(self) -> Message:
        if not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._done.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            self._headers = list(message.get("headers") or ())
        elif message["type"] == "http.response.body":
            self._content += message.get("body") or b""
            if not message.get("more_body"):
                self._done.set()

    def response(self) -> dict[str, Any]:
        """Raises: InvalidResponse where the application has sent none."""
        if self.status is None:
            raise InvalidResponse("the application sent no response")
        headers: dict[str, str] = {}
        cookies: list[str] = []
        for raw_name, raw_value in self._headers:
            name, value = bytes(raw_name).decode("latin-1").lower(), bytes(raw_value).decode("latin-1")
            if name == "set-cookie":
                cookies.append(value)
            else:
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        response: dict[str, Any] = {"statusCode": self.status, "headers": headers}
        if cookies:
            response["cookies"] = cookies
        text = _text(bytes(self._content), headers)
        if text is None:
            response["body"] = binascii.b2a_base64(self._content, newline=False).decode("ascii")
            response["isBase64Encoded"] = True
        else:
            response["body"] = text
        return response


def _text(content: bytes, headers: dict[str, str]) -> str | None:
    """The content where it is text; None where it has to go as bytes."""
    content_type = headers.get("content-type", "")
    is_text = content_type.startswith(_TEXT) or content_type.partition(";")[0].endswith(("+json", "+xml"))
    if not content:
        return ""
    if not is_text or "content-encoding" in headers:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _body(event: Event) -> bytes:
    body: str = event.get("body") or ""
    return binascii.a2b_base64(body) if event.get("isBase64Encoded") else body.encode()

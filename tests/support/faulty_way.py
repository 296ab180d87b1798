"""The way to an endpoint of AWS's, on which one call meets with an accident."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

_PASSED_ON_ANEW = ("connection", "transfer-encoding", "content-length", "date", "server")
_REFUSED = '{"__type": "%s", "message": "%s"}'
_REFUSED_XML = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"
    "<RequestId>0</RequestId></ErrorResponse>"
)


class Accident(Enum):
    """What happens to a call: whether it still arrives, and whether the caller lives on without an answer."""

    LOST_ON_THE_WAY = "lost on the way"
    ANSWER_LOST = "answer lost"
    KILLED_BEFORE = "killed before it"
    KILLED_AFTER = "killed after it"
    THROTTLED = "throttled"

    @property
    def arrives(self) -> bool:
        return self in (Accident.ANSWER_LOST, Accident.KILLED_AFTER)

    @property
    def kills(self) -> bool:
        return self in (Accident.KILLED_BEFORE, Accident.KILLED_AFTER)


@dataclass(frozen=True, slots=True)
class Call:
    """One request that came by; `name` is as in `CreateStack`, or method and path where the protocol names none."""

    name: str
    target: str

    def __str__(self) -> str:
        return f"{self.name} {self.target}".strip()


class FaultyWay:
    """A proxy on loopback that passes calls on, save the one of number `at` (the first is 1) or the first of that name.

    `kill` ends the caller for good; it must not return before the caller is gone. Calls after an accident pass.
    """

    def __init__(
        self,
        endpoint: str,
        accident: Accident | None = None,
        at: int | str = 0,
        kill: Callable[[], None] = lambda: None,
        before: Callable[[Call], None] = lambda call: None,
        edited: Callable[[Call, bytes], bytes] = lambda call, answer: answer,
    ) -> None:
        """`before` is called with each call before it is passed on: to let something else happen first.

        `edited` may change answers: to show a moment that is too short to be met.
        """
        self.calls: list[Call] = []
        self.happened: Call | None = None
        self._accident = accident
        self._at = at
        self.kill = kill
        self._before = before
        self._edited = edited
        self.refused: dict[str, str] = {}
        """AWS's code for each name of a call that is refused from now on."""
        self._target = urlsplit(endpoint).netloc
        self._lock = threading.Lock()
        way = self

        class Passing(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:  # whoever called is gone
                    self.close_connection = True

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                return None

            def __getattr__(self, name: str) -> Callable[[], None]:
                if not name.startswith("do_"):
                    raise AttributeError(name)
                return lambda: way.pass_on(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> FaultyWay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        """Sends a request on and its answer back, unless this is the one."""
        body = _body_of(request)
        call = _call(request, body)
        accident = self._accident_of(call)
        self._before(call)
        refused = "Throttling" if accident is Accident.THROTTLED else self.refused.get(call.name)
        if refused is not None:
            _refuse(request, refused)
            return
        if accident is Accident.KILLED_BEFORE:
            self.kill()
        if accident is None or accident.arrives:
            status, headers, content = self._sent(request, body)
            if accident is None:
                _answer(request, status, headers, self._edited(call, content))
                return
        if accident is Accident.KILLED_AFTER:
            self.kill()
        request.close_connection = True

    def _accident_of(self, call: Call) -> Accident | None:
        with self._lock:
            self.calls.append(call)
            if self.happened is not None or self._at not in (len(self.calls), call.name):
                return None
            self.happened = call
            return self._accident

    def _sent(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self._target, timeout=40)
        try:
            kept = {name: value for name, value in request.headers.items() if name.lower() not in _PASSED_ON_ANEW}
            # AWS's clients wait for "100 Continue"; the whole body is here already
            headers = {name: value for name, value in kept.items() if name.lower() not in ("host", "expect")}
            headers |= {"Host": self._target, "Content-Length": str(len(body))}
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


def _body_of(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    raise NotImplementedError("chunked requests")


def _call(request: BaseHTTPRequestHandler, body: bytes) -> Call:
    target = request.headers.get("X-Amz-Target")
    if target is not None:
        return Call(target.rpartition(".")[2], "")
    if request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        form = parse_qs(body.decode())
        about = form.get("StackName") or form.get("ChangeSetName") or [""]
        return Call(form.get("Action", ["?"])[0], about[0])
    return Call(request.command, request.path.partition("?")[0])


def _answer(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
    request.send_response(status)
    length = str(len(content))
    for name, value in headers:
        if name.lower() == "content-length" and request.command == "HEAD":
            length = value  # of a body that does not come
        elif name.lower() not in _PASSED_ON_ANEW:
            request.send_header(name, value)
    request.send_header("Content-Length", length)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content)


def _refuse(request: BaseHTTPRequestHandler, code: str) -> None:
    form = _REFUSED if request.headers.get("X-Amz-Target") is not None else _REFUSED_XML
    _answer(request, 400, [], (form % (code, f"refused: {code}")).encode())

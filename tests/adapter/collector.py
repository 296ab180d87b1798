"""A server that takes spans over OTLP/HTTP, as far as its JSON goes, and remembers them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Export:
    """One request. `connection` numbers the connections from 0."""

    path: str
    headers: dict[str, str]
    body: Any
    connection: int

    @property
    def spans(self) -> list[dict[str, Any]]:
        ((resource_spans,),) = [self.body["resourceSpans"]]
        ((scope_spans,),) = [resource_spans["scopeSpans"]]
        spans: list[dict[str, Any]] = scope_spans["spans"]
        return spans

    @property
    def resource(self) -> dict[str, Any]:
        return plain(self.body["resourceSpans"][0]["resource"]["attributes"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What the collector says. `silent` keeps it from answering until it is stopped; `drop` ends the connection."""

    status: int = 200
    body: bytes = b'{"partialSuccess":{}}'
    retry_after: str | None = None
    silent: bool = False
    drop: bool = False


class Collector:
    """Takes everything, unless `answers` has answers left; those go first."""

    def __init__(self) -> None:
        self.exports: list[Export] = []
        self.answers: list[Answer] = []
        self._stopped = threading.Event()
        self._connections = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def spans(self) -> list[dict[str, Any]]:
        return [span for export in self.exports for span in export.spans]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def setup(self) -> None:
                super().setup()
                with collector._lock:
                    self.number = collector._connections
                    collector._connections += 1

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with collector._lock:
                    collector.exports.append(Export(self.path, headers, json.loads(raw), self.number))
                    answer = collector.answers.pop(0) if collector.answers else Answer()
                if answer.silent:
                    collector._stopped.wait()
                self.close_connection = answer.drop or answer.silent
                if answer.silent:
                    return
                self.send_response(answer.status)
                if answer.retry_after:
                    self.send_header("retry-after", answer.retry_after)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                self.wfile.flush()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """OTLP's attributes as a dict."""
    values: dict[str, Any] = {}
    for attribute in attributes:
        ((kind, value),) = attribute["value"].items()
        values[attribute["key"]] = int(value) if kind == "intValue" else value
    return values

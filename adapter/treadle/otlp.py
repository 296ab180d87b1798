"""Sends spans over OTLP/HTTP when an invocation ends, before Lambda freezes the process.

Loaded only where the app asks for it. No invocation fails because of it, or waits longer than a second: the sending
runs in a thread that is left to itself after that. Spans that could not be sent are kept for the next attempt.
Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import json
import os
import re
import threading
import time

from treadle.aws.connection import Connection, ConnectionLost
from treadle.logger import write_line
from treadle.otlp_spans import export_request, span_of_record
from treadle.record import readers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from treadle.aws.connection import Response
    from treadle.manifest import Telemetry
    from treadle.shapes import Event, LambdaContext, LambdaHandler
    from treadle.trace import Trace

WAIT_SECONDS = 1.0
LEAST_SECONDS = 0.05
RESERVED_SECONDS = 0.1
"""What is left of the invocation's time for its answer; with less than `LEAST_SECONDS` beside it nothing is sent."""
THREAD_SECONDS = 5.0
"""How long a thread that nobody waits for any more waits for the other side."""
KEPT_SPANS = 512
LONGEST_PAUSE_SECONDS = 300.0

_URL = r"(https?)://(\[[0-9A-Fa-f:]+\]|[^/:?#\[\]@]+)(?::(\d+))?(/[^?#\s]*)?"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_RETRYABLE = frozenset({429, 502, 503, 504})
"""Source: https://opentelemetry.io/docs/specs/otlp/#failures-1"""


def exporting(handler: LambdaHandler, telemetry: Telemetry) -> LambdaHandler:
    """`handler`, behind each of whose invocations the spans of all records that it wrote are sent in one request.

    `OTEL_EXPORTER_OTLP_ENDPOINT` in the environment goes before the app's own endpoint, and
    `OTEL_EXPORTER_OTLP_HEADERS` has the headers to send along: `api-key=...,x-tenant=...`, values percent-encoded.
    Where either is no such thing a warning says so, and nothing is sent. What writes an `InvocationRecord` inside
    `handler` has its span sent; nothing else needs to be done.
    """
    try:
        exporter = Exporter(telemetry)
    except ValueError as error:
        _warn(f"spans are not exported: {error}")
        return handler
    readers.append(exporter.read)

    def exporting_handler(event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
        try:
            return handler(event, lambda_context)
        finally:
            exporter.flush(lambda_context)

    return exporting_handler


class Exporter:
    """Gathers the spans of an invocation's records, and sends them.

    After a failure the next attempts are spaced out, up to five minutes; the newest 512 spans wait for it. The first
    failure of a process is logged.
    """

    def __init__(self, telemetry: Telemetry, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Raises ValueError where the environment's or the app's endpoint, or a header, is none."""
        self._monotonic = monotonic
        self._target = _Target(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or telemetry.otlp_endpoint)
        self._service_name = telemetry.service_name
        self._resource: dict[str, object] = {}
        self._spans: list[dict[str, Any]] = []
        self._failures = 0
        self._not_before = 0.0
        self._warned = False

    def read(self, record: Mapping[str, object], trace: Trace) -> None:
        """Takes the span of one record; none where whoever began the trace wants it unsampled."""
        if trace.sampled:
            self._spans.append(span_of_record(record))
            del self._spans[:-KEPT_SPANS]

    def flush(self, lambda_context: LambdaContext) -> None:
        """Sends what has been gathered, if this is the time for it. Never raises."""
        try:
            left_seconds = lambda_context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
            if self._spans and self._monotonic() >= self._not_before and left_seconds >= LEAST_SECONDS:
                if not self._resource:
                    self._resource = _resource(self._service_name, lambda_context.invoked_function_arn)
                self._send(min(WAIT_SECONDS, left_seconds))
        except Exception as error:
            self._failed(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Closes the connection that is kept; a later flush makes another."""
        self._target.close()

    def _send(self, seconds: float) -> None:
        spans, self._spans = self._spans, []
        attempt = _Attempt(self._target, json.dumps(export_request(spans, self._resource), separators=(",", ":")))
        attempt.start()
        attempt.join(seconds)
        if attempt.is_alive():
            self._target.abandon()
            self._spans = spans
            self._failed(f"no answer within {seconds:.2g} s")
        elif attempt.response is None:
            self._spans = spans
            self._failed(attempt.problem)
        else:
            self._answered(attempt.response, spans)

    def _answered(self, response: Response, spans: list[dict[str, Any]]) -> None:
        if not 200 <= response.status < 300:
            if response.status in _RETRYABLE:
                self._spans = spans
            self._failed(f"HTTP {response.status} {_excerpt(response.body)}", response.headers.get("retry-after", ""))
            return
        self._failures = 0
        if b"rejectedSpans" in response.body:
            self._warn_once(f"{self._target.url} took some of the spans only: {_excerpt(response.body)}")

    def _failed(self, problem: str, retry_after: str = "") -> None:
        self._failures += 1
        pause = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(self._failures, 10))
        if retry_after.isdecimal():
            pause = max(pause, min(LONGEST_PAUSE_SECONDS, float(retry_after)))
        self._not_before = self._monotonic() + pause
        self._warn_once(
            f"spans could not be sent to {self._target.url}: {problem}; "
            "further attempts are spaced out and fail without a word"
        )

    def _warn_once(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            _warn(message)


class _Target:
    """Where the spans go, and the connection that is kept to it."""

    def __init__(self, endpoint: str) -> None:
        found = re.fullmatch(_URL, endpoint)
        if found is None:
            raise ValueError(f"`{endpoint}` is no endpoint URL such as http://localhost:4318")
        scheme, host, port, path = found.groups()
        authority = f"{host}:{port}" if port else host
        path = f"{(path or '').rstrip('/')}/v1/traces"
        self.url = f"{scheme}://{authority}{path}"
        lines = [f"POST {path} HTTP/1.1", f"host: {authority}", "content-type: application/json", "user-agent: treadle"]
        lines += [f"{name}: {value}" for name, value in _headers().items()]
        self._head = "\r\n".join(lines)
        self._address = (host.strip("[]"), int(port or _DEFAULT_PORTS[scheme]), scheme == "https")
        self._connection: Connection | None = None

    def request(self, body: str) -> bytes:
        return f"{self._head}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()

    def connection(self) -> Connection:
        if self._connection is None:
            host, port, secure = self._address
            self._connection = Connection(host, port, secure=secure)
        return self._connection

    def abandon(self) -> None:
        """Leaves the connection to the thread that still waits on it."""
        self._connection = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class _Attempt(threading.Thread):
    """One request. `problem` says why there is no `response`."""

    def __init__(self, target: _Target, body: str) -> None:
        super().__init__(daemon=True)
        self._connection = target.connection()
        self._request = target.request(body)
        self.response: Response | None = None
        self.problem = ""

    def run(self) -> None:
        try:
            try:
                self.response = self._connection.exchange(self._request, THREAD_SECONDS)
            except ConnectionLost as lost:
                if not lost.stale:
                    raise
                self.response = self._connection.exchange(self._request, THREAD_SECONDS)
        except Exception as error:
            self.problem = str(error)


def _headers() -> dict[str, str]:
    """The headers in the environment. Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/"""
    given = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS")
    if not given:
        return {}
    from urllib.parse import unquote

    headers: dict[str, str] = {}
    for part in given.split(","):
        name, separator, value = part.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not part.strip():
            continue
        if not separator or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name) or not value.isprintable():
            raise ValueError("OTEL_EXPORTER_OTLP_HEADERS must have the form `name=value,name=value`")
        headers[name] = value
    return headers


def _resource(service_name: str, function_arn: str) -> dict[str, object]:
    """Source: https://opentelemetry.io/docs/specs/semconv/resource/faas/ and .../resource/cloud/"""
    parts = function_arn.split(":")
    return {
        "service.name": service_name,
        "service.namespace": os.environ.get("TREADLE_APP"),
        "deployment.environment.name": os.environ.get("TREADLE_STAGE"),
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": parts[3],
        "cloud.account.id": parts[4],
        "cloud.resource_id": ":".join(parts[:7]),
        "faas.name": parts[6],
        "faas.version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
        "faas.instance": os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
        "telemetry.sdk.name": "treadle",
        "telemetry.sdk.language": "python",
    }


def _excerpt(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace")


def _warn(message: str) -> None:
    write_line({"level": "warn", "time": int(time.time() * 1000), "msg": message})

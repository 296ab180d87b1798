"""The adapter's own client for the few AWS operations that it makes: signed, kept alive, retried, within the deadline.

boto3 would cost ten times as much at a cold start.
"""

from __future__ import annotations

import json
import os
import re
import time
from binascii import crc32

from treadle.aws.connection import Connection, ConnectionLost, Response
from treadle.aws.endpoints import Endpoint, endpoint_of
from treadle.aws.errors import DAMAGED, UNREACHABLE, is_retryable, may_be_clock_skew
from treadle.aws.retries import RetryQuota, max_attempts, pause_seconds
from treadle.aws.sigv4 import Credentials, signed_headers
from treadle.errors import AwsCallError, ConfigurationError
from treadle.json_values import object_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

READ_TIMEOUT_SECONDS = 10.0
_SKEW_SECONDS = 240.0
_DEADLINE_MARGIN_SECONDS = 0.05
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class AwsCall:
    """One operation on one resource, ready to be sent; the names are IAM's, and stand in errors.

    `path` is the one on the wire, percent-encoded. `body_sha256` is given where many calls share one body.
    `timeout_seconds` bounds each wait for AWS.
    """

    __slots__ = (
        "body",
        "body_sha256",
        "headers",
        "method",
        "operation",
        "path",
        "resource",
        "service",
        "timeout_seconds",
    )

    def __init__(
        self,
        service: str,
        operation: str,
        resource: str,
        headers: dict[str, str],
        body: bytes,
        *,
        method: str = "POST",
        path: str = "/",
        body_sha256: str | None = None,
        timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        self.service = service
        self.operation = operation
        self.resource = resource
        self.headers = headers
        self.body = body
        self.method = method
        self.path = path
        self.body_sha256 = body_sha256
        self.timeout_seconds = timeout_seconds

    def failed(
        self, code: str, message: str, status: int | None = None, details: Mapping[str, Any] | None = None
    ) -> AwsCallError:
        return AwsCallError(
            code, message, self.service, self.operation, resource=self.resource, status=status, details=details
        )


class _Reach:
    """A service's endpoint with the connections to it that nobody uses at the moment, and its quota of retries."""

    __slots__ = ("_idle", "endpoint", "quota")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.quota = RetryQuota()
        self._idle: list[Connection] = []

    def take(self) -> Connection:
        """The connection that was used last, or a new one: as many are kept as were ever used at once."""
        try:
            return self._idle.pop()
        except IndexError:
            return Connection(self.endpoint.host, self.endpoint.port, secure=self.endpoint.secure)

    def give_back(self, connection: Connection) -> None:
        self._idle.append(connection)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


class AwsClient:
    """Sends calls to one region, none of which outlives `seconds_left()`.

    Threads may share it: each call has a connection of its own.
    """

    def __init__(self, region: str, partition: str, seconds_left: Callable[[], float]) -> None:
        self._region = region
        self._partition = partition
        self._reaches: dict[str, _Reach] = {}
        self._credentials: Credentials | None = None
        self._clock_offset_seconds = 0.0
        self._seconds_left = seconds_left

    def endpoint(self, service: str) -> Endpoint:
        return self._reach(service).endpoint

    def close(self) -> None:
        """Ends the connections; the next call makes new ones."""
        for reach in self._reaches.values():
            reach.close()

    def json_call(
        self, service: str, operation: str, target: str, resource: str, payload: dict[str, Any], version: str = "1.0"
    ) -> dict[str, Any]:
        """The answer to an operation of a service that speaks this version of AWS's JSON protocol.

        Raises: AwsCallError.
        """
        headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": f"{target}.{operation}"}
        try:
            body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(f"a text holds half of a surrogate pair ({error.object[error.start]!r})") from None
        call = AwsCall(service, operation, resource, headers, body)
        response = self.send(call)
        try:
            return json.loads(response.body) if response.body else {}
        except ValueError:
            raise call.failed("MALFORMED", "the answer is no JSON", response.status) from None

    def send(self, call: AwsCall) -> Response:
        """The response to a call, with a status of success, after as many attempts as it takes.

        Raises: AwsCallError, the last attempt's.
        """
        quota = self._reach(call.service).quota
        attempt, taken = 1, 0
        skew_corrected = False
        while True:
            try:
                response = self._attempt(call)
            except _Refused as refused:
                error, headers = refused.error, refused.headers
            else:
                quota.give_back(taken)
                return response
            if not skew_corrected and may_be_clock_skew(error) and self._correct_clock(headers.get("date", "")):
                skew_corrected = True
                continue
            if attempt >= max_attempts(call.service) or not is_retryable(error):
                raise error
            pause = pause_seconds(error, attempt, _random_fraction(), headers.get("x-amz-retry-after", ""))
            if pause >= self._seconds_left() - _DEADLINE_MARGIN_SECONDS:
                raise error
            taken = quota.take(error)
            if not taken:
                raise error
            time.sleep(pause)
            attempt += 1

    def _attempt(self, call: AwsCall) -> Response:
        reach = self._reach(call.service)
        headers = signed_headers(
            call.headers,
            call.body,
            method=call.method,
            path=call.path,
            body_sha256=call.body_sha256,
            host=reach.endpoint.host_header,
            service=call.service,
            region=self._region,
            credentials=self._credentials or self._read_credentials(),
            at_seconds=time.time() + self._clock_offset_seconds,
        )
        head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        request = f"{call.method} {call.path} HTTP/1.1\r\n{head}content-length: {len(call.body)}\r\n\r\n"
        connection = reach.take()
        try:
            response = self._exchange(connection, request.encode("latin-1") + call.body, call)
        finally:
            reach.give_back(connection)
        if 200 <= response.status < 300:
            if not _is_whole(response):
                raise _Refused(call.failed(DAMAGED, "the answer does not have its checksum", response.status), {})
            return response
        code, message, details = _error_of(response)
        raise _Refused(call.failed(code, message, response.status, details), response.headers)

    def _exchange(self, connection: Connection, request: bytes, call: AwsCall) -> Response:
        for again in (True, False):
            left = self._seconds_left() - _DEADLINE_MARGIN_SECONDS
            if left <= 0:
                raise call.failed("DEADLINE", "the invocation has no time left")
            try:
                return connection.exchange(request, min(call.timeout_seconds, left))
            except ConnectionLost as lost:
                if not (again and lost.stale):
                    raise _Refused(call.failed(UNREACHABLE, str(lost)), {}) from lost
        raise call.failed(UNREACHABLE, "the connection was closed twice")

    def _reach(self, service: str) -> _Reach:
        reach = self._reaches.get(service)
        if reach is None:
            made = _Reach(endpoint_of(service, self._region, self._partition))
            reach = self._reaches.setdefault(service, made)
        return reach

    def _read_credentials(self) -> Credentials:
        """Those of the function's role, which a process keeps for as long as it lives."""
        environment = os.environ
        try:
            self._credentials = Credentials(
                environment["AWS_ACCESS_KEY_ID"],
                environment["AWS_SECRET_ACCESS_KEY"],
                environment.get("AWS_SESSION_TOKEN", ""),
            )
        except KeyError as error:
            name = error.args[0]
            raise ConfigurationError(f"the environment variable {name} is not set: no AWS credentials") from None
        return self._credentials

    def _correct_clock(self, date: str) -> bool:
        """Takes AWS's clock over from a response's `Date`; False where ours was right."""
        theirs = _unix_seconds(date)
        if theirs is None:
            return False
        offset = theirs - time.time()
        if abs(offset - self._clock_offset_seconds) < _SKEW_SECONDS:
            return False
        self._clock_offset_seconds = offset
        return True


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """An answer that is an error, with the answer's headers."""

    def __init__(self, error: AwsCallError, headers: dict[str, str]) -> None:
        super().__init__(str(error))
        self.error = error
        self.headers = headers


def _random_fraction() -> float:
    return int.from_bytes(os.urandom(4), "big") / 2**32


def _is_whole(response: Response) -> bool:
    """False where the body is not what DynamoDB has computed the checksum of."""
    checksum = response.headers.get("x-amz-crc32")
    return checksum is None or checksum == str(crc32(response.body))


def _error_of(response: Response) -> tuple[str, str, dict[str, Any]]:
    """AWS's code and message in an error response, and all of its members where it is JSON.

    The XML of the query protocol is read too, and errors that have nothing but a header.
    """
    text = response.body.decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        return _xml_text(text, "Code"), _xml_text(text, "Message"), {}
    try:
        fields = object_or_none(json.loads(text)) or {}
    except ValueError:
        fields = {}
    named = response.headers.get("x-amzn-errortype") or fields.get("__type") or f"HTTP {response.status}"
    code = str(named).partition(":")[0].rpartition("#")[2]
    return code, str(fields.get("message") or fields.get("Message") or text[:200]), fields


def _xml_text(text: str, tag: str) -> str:
    found = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    if found is None:
        return ""
    from html import unescape

    return unescape(found[1])


def _unix_seconds(date: str) -> float | None:
    """The time in `Tue, 22 Nov 2026 14:00:00 GMT`, None where it is no such date."""
    found = re.fullmatch(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", date)
    if found is None or found[2] not in _MONTHS:
        return None
    from calendar import timegm

    day, year, hour, minute, second = (int(found[group]) for group in (1, 3, 4, 5, 6))
    return float(timegm((year, _MONTHS.index(found[2]) + 1, day, hour, minute, second)))

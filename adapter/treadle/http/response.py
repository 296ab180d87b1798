"""From what a step's handler returned to the response that API Gateway sends (payload 2.0).

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
import re

from treadle.errors import InvalidResponse, InvalidValue
from treadle.json_values import dump_json, object_or_none, simplified
from treadle.trace import TRACE_HEADER, TRACEPARENT_HEADER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.trace import Trace

RESPONSE_BYTES_LIMIT = 6_291_556
"""What a function may return synchronously. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_KEYS = frozenset({"status", "status_code", "statusCode", "body", "headers"})
_BODILESS = frozenset({204, 304})
_ABSENT = object()
_DIGITS = re.compile(r"\d{3}\Z", re.ASCII)
"""A status as text, which Node takes too."""
_CERTAINLY_SMALL = RESPONSE_BYTES_LIMIT // 8


def response_from_result(result: object, trace: Trace) -> dict[str, Any]:
    """API Gateway's response for a handler's result: `{"status": 201, "body": ..., "headers": {...}}`.

    An object or a model with these members is one too. `status` is 200 where it is left out. A `str` body is sent as
    it is (HTML unless `content-type` says otherwise), `bytes` as binary, all else as JSON. The headers `x-trace-id` and
    `traceparent` are the trace's, whatever was given.
    Raises: InvalidResponse, InvalidValue (which names the place in the body that is no JSON).
    """
    fields = _fields(result)
    status = _status(fields)
    headers, cookies = _headers(fields.get("headers"))
    body = fields.get("body", _ABSENT)
    response: dict[str, Any] = {"statusCode": status, "headers": headers}
    if cookies:
        response["cookies"] = cookies
    if body is not _ABSENT and status not in _BODILESS:
        _set_body(response, headers, body)
    set_trace(headers, trace)
    check_size(response)
    return response


def error_response(status: int, message: str, trace: Trace) -> dict[str, Any]:
    """A response with the JSON body `{"error": message}` and the trace's headers."""
    headers = {"content-type": "application/json; charset=utf-8"}
    set_trace(headers, trace)
    return {"statusCode": status, "headers": headers, "body": json.dumps({"error": message})}


def set_trace(headers: dict[str, str], trace: Trace) -> None:
    """Puts the trace's headers among a response's."""
    headers[TRACE_HEADER] = trace.trace_id
    headers[TRACEPARENT_HEADER] = trace.traceparent


def _fields(result: object) -> dict[str, Any]:
    fields = object_or_none(result)
    if fields is None:
        fields = _members(result)
    if fields is None:
        got = "nothing" if result is None else f"a {type(result).__qualname__}"
        raise InvalidResponse(
            f'the handler returned {got}; it must return a dict such as {{"status": 200, "body": ...}}'
        )
    if _KEYS.isdisjoint(fields):
        keys = f"only {', '.join(map(repr, fields))}" if fields else "nothing in it"
        raise InvalidResponse(f'the handler returned a dict with {keys}; it must have "status", "body" or "headers"')
    return fields


def _members(result: object) -> dict[str, Any] | None:
    """What a model, a dataclass or another object says, as Motia reads it; None where it is none of these."""
    try:
        return None if result is None else object_or_none(simplified(result))
    except InvalidValue:
        return None


def _status(fields: dict[str, Any]) -> int:
    for key in ("status", "status_code", "statusCode"):
        status = fields.get(key)
        if status is not None:
            number = int(status) if isinstance(status, str) and _DIGITS.match(status) else status
            if isinstance(number, int) and 200 <= number <= 599:
                return int(number)
            raise InvalidResponse(f'"{key}" is {status!r}; it must be a whole number from 200 to 599')
    return 200


def _headers(given: object) -> tuple[dict[str, str], list[str]]:
    """Headers by name, and the values of `Set-Cookie`, which API Gateway wants apart. One that is None is left out."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    if given is None:
        return headers, cookies
    if not isinstance(given, dict):
        raise InvalidResponse(f'"headers" is a {type(given).__qualname__}; it must be a dict')
    values: dict[object, Any] = given  # pyright: ignore[reportUnknownVariableType]
    for name, value in values.items():
        if value is None:
            continue
        key = str(name).lower()
        items: list[object] = list(value) if isinstance(value, (list, tuple)) else [value]  # pyright: ignore[reportUnknownArgumentType]
        texts = [_header_text(key, item) for item in items]
        if key == "set-cookie":
            cookies.extend(texts)
        else:
            headers[key] = ", ".join(texts)
    return headers, cookies


def _header_text(name: str, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "\r" in text or "\n" in text or "\0" in text:
        raise InvalidResponse(f"the header {name} contains a line break")
    return text


def _set_body(response: dict[str, Any], headers: dict[str, str], body: object) -> None:
    if isinstance(body, str):
        headers.setdefault("content-type", "text/html; charset=utf-8")
        response["body"] = body
    elif isinstance(body, (bytes, bytearray)):
        import binascii

        headers.setdefault("content-type", "application/octet-stream")
        response["body"] = binascii.b2a_base64(body, newline=False).decode("ascii")
        response["isBase64Encoded"] = True
    else:
        headers.setdefault("content-type", "application/json; charset=utf-8")
        response["body"] = _in_utf8(dump_json(body, "body"))


def _in_utf8(text: str) -> str:
    """JSON with its halves of surrogate pairs as escapes: a request's body may have brought them in as such."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def check_size(response: dict[str, Any]) -> None:
    """Raises InvalidResponse for what Lambda would refuse: too large (as JSON), or not to be written in UTF-8."""
    body = response.get("body", "")
    try:
        size = len(body) if body.isascii() else len(body.encode("utf-8"))
        if size > _CERTAINLY_SMALL:
            size = len(json.dumps(response, ensure_ascii=False).encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InvalidResponse(f"the body holds half of a surrogate pair at character {error.start}") from None
    if size > RESPONSE_BYTES_LIMIT:
        raise InvalidResponse(f"the response is {size:,} bytes; Lambda's limit is {RESPONSE_BYTES_LIMIT:,} bytes")

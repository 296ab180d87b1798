"""From API Gateway's event (HTTP API, payload 2.0) to the request that a step's handler gets.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import binascii
import json
import re

from treadle.http.query import parse_query

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from treadle.shapes import Event

_ATTRIBUTES = {"path_params": "pathParams", "query_params": "queryParams", "raw_body": "rawBody"}
_CHARSET = r";\s*charset\s*=\s*\"?([^\s;\"]+)"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    """The number; JSON's grammar has some that no float can hold, and that no step could pass on."""
    number = float(text)
    if number - number != 0:
        raise ValueError(f"the number {text[:40]} is too large")
    return number


_decode = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite).decode


class BadRequest(Exception):  # noqa: N818 - named as HTTP names it
    """The request cannot be given to a handler; `status` and the message go to the caller."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Request(dict[str, "Any"]):
    """Motia's request: a dict with `body`, `headers`, `pathParams`, `queryParams` and `rawBody`, open to more keys.

    That of a form with files has `files` too.
    The same values answer as attributes, in camelCase or snake_case: `request.path_params` is `request["pathParams"]`.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[_ATTRIBUTES.get(name, name)]
        except KeyError:
            raise AttributeError(f"the request has no `{name}`; it has {', '.join(self)}") from None

    def __setattr__(self, name: str, value: object) -> None:
        self[_ATTRIBUTES.get(name, name)] = value


def make_request(
    *, body: object, raw_body: str | bytes, headers: dict[str, str], path: dict[str, str], query: dict[str, Any]
) -> Request:
    """A request of these parts; keys of `headers` are lower-case."""
    return Request(body=body, headers=headers, pathParams=path, queryParams=query, rawBody=raw_body)


def request_from_event(event: Event, headers: dict[str, str], patterns: dict[str, str] | None = None) -> Request:
    """The request in a payload 2.0 event; `headers` are the event's, `patterns` those of the route's parameters.

    Raises: BadRequest where the body is not what its content type says, or the path not what a pattern takes.
    """
    raw = _raw_body(event)
    content_type = headers.get("content-type", "")
    body, files = _body(raw, content_type), None
    if raw and _media_type(content_type) == "multipart/form-data":
        from treadle.http.multipart import parse_multipart

        body, files = parse_multipart(
            raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw, content_type
        )
    request = make_request(
        body=body,
        raw_body=_text_or_bytes(raw),
        headers=headers,
        path=_path_parameters(event, patterns),
        query=parse_query(event.get("rawQueryString") or ""),
    )
    if files is not None:
        request["files"] = files
    return request


def headers_from_event(event: Event) -> dict[str, str]:
    """The request's headers with lower-case names; cookies, which API Gateway takes out, stand in `cookie` again."""
    given: dict[str, str] = event.get("headers") or {}
    headers = {name.lower(): value for name, value in given.items()}
    cookies: list[str] | None = event.get("cookies")
    if cookies:
        headers["cookie"] = "; ".join(cookies)
    return headers


def _path_parameters(event: Event, patterns: dict[str, str] | None) -> dict[str, str]:
    """Path parameters by name; what a trailing `*` matched is `0`, as in Express."""
    parameters: dict[str, str] = dict(event.get("pathParameters") or {})
    for name, pattern in patterns.items() if patterns else ():
        parts = re.fullmatch(pattern, parameters.pop(name, ""), re.ASCII)
        if parts is None:
            raise BadRequest("Not Found", 404)
        parameters.update(parts.groupdict())
    if "proxy" in parameters and str(event.get("routeKey", "")).endswith("/{proxy+}"):
        parameters["0"] = parameters.pop("proxy")
    return parameters


def _raw_body(event: Event) -> str | bytes:
    body = event.get("body")
    if not body:
        return ""
    if not event.get("isBase64Encoded"):
        return str(body)
    try:
        return binascii.a2b_base64(body, strict_mode=True)
    except ValueError as error:
        raise BadRequest(f"The request body is not valid base64: {error}") from None


def _body(raw: str | bytes, content_type: str) -> object:
    """The body as the handler sees it.

    JSON is parsed, a form becomes a dict, text a `str`. No body at all is `{}`. Any other content type gives a `str`
    where the bytes are UTF-8 and `bytes` where not.
    """
    if not raw:
        return {}
    media_type = _media_type(content_type)
    if media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json")):
        return _json_body(decoded_text(raw, content_type))
    if media_type == "application/x-www-form-urlencoded":
        return parse_query(decoded_text(raw, content_type))
    if media_type == "text/plain":
        return decoded_text(raw, content_type)
    return _text_or_bytes(raw)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _json_body(text: str) -> object:
    text = text.removeprefix("\ufeff")
    if not text or text.isspace():
        return {}
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise BadRequest(f"Malformed JSON in the request body: {error.msg} at {place}") from None
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Malformed JSON in the request body: {error}") from None
    if not isinstance(value, (dict, list)):
        raise BadRequest("Malformed JSON in the request body: the top level must be an object or an array")
    return value  # pyright: ignore[reportUnknownVariableType]


def decoded_text(raw: str | bytes, content_type: str) -> str:
    """`raw` in the charset that the content type names, else UTF-8. Raises: BadRequest."""
    if isinstance(raw, str):
        return raw
    named = re.search(_CHARSET, content_type, re.IGNORECASE)
    charset = named[1] if named else "utf-8"
    try:
        return raw.decode(charset)
    except LookupError:
        raise BadRequest(f"The charset {charset} is unknown", 415) from None
    except UnicodeDecodeError as error:
        raise BadRequest(f"The request body is not valid {charset}: {error.reason} at byte {error.start}") from None
    except ValueError as error:  # of codecs that are made for other things, such as host names
        raise BadRequest(f"The request body is not valid {charset}: {error}") from None


def _text_or_bytes(raw: str | bytes) -> str | bytes:
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw

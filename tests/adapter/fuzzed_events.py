"""Payload 2.0 events of a seed: as API Gateway can build them from any request, and mutilated ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from urllib.parse import quote, quote_from_bytes

from .step_folder import event_file

_TEXTS = ("", "a", "ä", "日本", "a b", "%", "%zz", "\u2028", "\x00", "'\"<script>", "../..", "__proto__", "x" * 3000)
_KEYS = (
    "a",
    "b",
    "a[b]",
    "a[]",
    "a[0]",
    "a[21]",
    "[x]",
    "a[b][c][d][e][f][g]",
    "text",
    "kind",
    "items",
    "]=",
    "%5Ba%5D",
)
_CONTENT_TYPES = (
    *("application/json", "application/json; charset=utf-8", "application/json;charset=latin-1", "APPLICATION/JSON"),
    *("application/vnd.api+json", "application/x-www-form-urlencoded", "text/plain", "text/plain; charset=utf-16"),
    *("text/plain; charset=idna", "text/plain; charset=zlib", "text/plain;charset=\x00", "application/octet-stream"),
    *(
        "multipart/form-data; boundary=x",
        'multipart/form-data; boundary="x y"',
        "multipart/form-data",
        "text/html",
        ";",
    ),
)
_JSON_TEXTS = (
    *("", " ", "{", "[]", "{}", "null", "1", '"text"', "NaN", "[NaN]", "[Infinity]", "[1e999]", "[-1e999]", "\ufeff{}"),
    *("[" * 100_000, "[" * 400 + "]" * 400, f"[{'9' * 5000}]", '{"a": "\\ud800"}', '{"a": 1, "a": 2}', "{'a': 1}"),
    *('{"text": "hi"}', '{"text": 5}', '{"items": [{"price": 1e308}]}', '{"kind": "dog"}', "[1,]", '{"a": "\\u0000"}'),
)
_HEADER_VALUES = (
    "",
    "v",
    "a,b",
    "ä",
    "x" * 500,
    "00-" + "0" * 32 + "-" + "0" * 16 + "-00",
    "Bearer x",
    "a=b; c=d",
    "\t",
)
_HEADERS = (
    "x-trace-id",
    "traceparent",
    "authorization",
    "cookie",
    "host",
    "x-forwarded-for",
    "content-length",
    "x-any",
)


def events(seed: int, number: int, route: str, *, mutilated: bool = False) -> Iterator[dict[str, Any]]:
    """As many events of the route, the same for the same seed."""
    random = Random(seed)  # noqa: S311
    for _ in range(number):
        event = _event(random, route)
        yield _mutilated(random, event) if mutilated else event


def _event(random: Random, route: str) -> dict[str, Any]:
    """An event as API Gateway makes it of some request that fits the route."""
    event = event_file("http_api_request.json")
    for absent in ("body", "cookies", "pathParameters", "queryStringParameters"):
        del event[absent]
    path, parameters = _path(random, route)
    event.update(routeKey=route, rawPath=path, rawQueryString=_query(random), isBase64Encoded=False)
    event["headers"] = {name: random.choice(_HEADER_VALUES) for name in random.sample(_HEADERS, random.randint(0, 4))}
    if parameters:
        event["pathParameters"] = parameters
    if random.random() < 0.3:
        event["cookies"] = [random.choice(("a=b", "=", "", "a=ä", "x" * 300)) for _ in range(random.randint(1, 3))]
    if random.random() < 0.8:
        content_type = random.choice(_CONTENT_TYPES)
        event["headers"]["content-type"] = content_type
        _set_body(event, _body(random, content_type), is_encoded=random.random() < 0.3)
    return event


def _path(random: Random, route: str) -> tuple[str, dict[str, str]]:
    parameters: dict[str, str] = {}
    parts: list[str] = []
    for part in route.split(" ", 1)[1].split("/"):
        if part.startswith("{"):
            parameters[part.strip("{}+")] = random.choice((*_TEXTS, "1-2", "12", "a-b-c")) or "a"
            parts.append(quote(parameters[part.strip("{}+")], safe=""))
        else:
            parts.append(part)
    return "/".join(parts), parameters


def _query(random: Random) -> str:
    if random.random() < 0.3:
        return random.choice(("", "&", "=", "a", "&&=&", "a=%ff%fe", "a%", "=b", "?", "a[", "a]=b", "a=1&" * 2000))
    pairs = [(random.choice(_KEYS), quote(random.choice(_TEXTS))) for _ in range(random.randint(0, 6))]
    return "&".join(f"{key}={value}" for key, value in pairs)


def _body(random: Random, content_type: str) -> bytes:
    chance = random.random()
    if chance < 0.1:
        return random.randbytes(random.randint(0, 60))
    if "multipart" in content_type:
        return _form(random)
    if "form" in content_type:
        return _query(random).encode()
    if chance < 0.5:
        return random.choice(_JSON_TEXTS).encode("utf-8", "surrogatepass")
    return json.dumps(_value(random, 4), ensure_ascii=random.random() < 0.5).encode()


def _value(random: Random, depth: int) -> Any:
    match random.randint(0, 8 if depth else 5):
        case 0:
            return random.choice((0, -1, 1.5, 10**30, 1e300, True, None))
        case 1 | 2 | 3:
            return random.choice(_TEXTS)
        case 4 | 5:
            return random.choice(("dog", "cat", 5))
        case 6:
            return [_value(random, depth - 1) for _ in range(random.randint(0, 4))]
        case _:
            keys = (*_KEYS, "price", "children")
            return {random.choice(keys): _value(random, depth - 1) for _ in range(random.randint(0, 5))}


def _form(random: Random) -> bytes:
    parts: list[bytes] = []
    for _ in range(random.randint(0, 4)):
        name = random.choice(_KEYS)
        file = random.choice(("", '; filename="a.png"', '; filename=""', "; filename*=UTF-8''%e4", '; filename="\\'))
        head = random.choice(
            (f'Content-Disposition: form-data; name="{name}"{file}', "content-type: text/plain", "", ":")
        )
        end = random.choice((b"\r\n\r\n", b"\r\n", b"\n\n", b""))
        parts.append(b"--x\r\n" + head.encode() + end + random.randbytes(random.randint(0, 20)) + b"\r\n")
    return b"".join(parts) + random.choice((b"--x--\r\n", b"--x--", b"--x", b"", b"\r\n--x--"))


def _set_body(event: dict[str, Any], body: bytes, *, is_encoded: bool) -> None:
    """As API Gateway does: what is no text in UTF-8 is base64, and texts may be."""
    try:
        text = None if is_encoded else body.decode()
    except UnicodeDecodeError:
        text = None
    event["body"] = base64.b64encode(body).decode() if text is None else text
    event["isBase64Encoded"] = text is None


def _mutilated(random: Random, event: dict[str, Any]) -> dict[str, Any]:
    """The event with some part that API Gateway would not write so: missing, null, of another type, or broken."""
    optional = ("headers", "cookies", "pathParameters", "rawQueryString", "rawPath", "body", "isBase64Encoded")
    for key in random.sample(
        (*optional, "requestContext", "queryStringParameters", "stageVariables"), random.randint(1, 4)
    ):
        random.choice(_MUTILATIONS)(random, event, key)
    return event


def _without(_: Random, event: dict[str, Any], key: str) -> None:
    event.pop(key, None)


def _null(_: Random, event: dict[str, Any], key: str) -> None:
    event[key] = None


def _empty(_: Random, event: dict[str, Any], key: str) -> None:
    event[key] = type(event.get(key, ""))()


def _broken_encoding(random: Random, event: dict[str, Any], _: str) -> None:
    event["body"] = random.choice(("ä", "====", "a", "YWJj\n", quote_from_bytes(random.randbytes(9))))
    event["isBase64Encoded"] = True


_MUTILATIONS: tuple[Callable[[Random, dict[str, Any], str], None], ...] = (_without, _null, _empty, _broken_encoding)

"""ASGI applications get from Treadle's bridge what Mangum would give them, and Lambda what Mangum would answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from mangum import Mangum

from adapter.step_folder import StepFolder, request

ECHO = '''
"""Answers with what it was asked, and as it was asked to."""
import base64
import json

config = {"name": "Echo", "type": "api", "path": "/api"}
KEPT = ("http_version", "method", "path", "query_string", "scheme", "headers", "server", "client", "type")


def plain(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    message = await receive()
    asked = {name: plain(scope[name]) for name in KEPT}
    asked["headers"] = sorted(asked["headers"])
    asked["body"], asked["more"] = base64.b64encode(message["body"]).decode(), message["more_body"]
    query = scope["query_string"].decode()
    headers = [(b"content-type", b"application/json")]
    content = json.dumps(asked).encode()
    if query == "as=bytes":
        headers, content = [(b"content-type", b"application/octet-stream")], bytes(range(256))
    elif query == "as=text":
        headers, content = [(b"content-type", b"text/plain; charset=utf-8")], "grüße".encode()
    elif query == "as=nothing":
        headers, content = [], b""
    elif query == "as=cookies":
        headers += [(b"set-cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"X-One", b"1")]
    await send({"type": "http.response.start", "status": 203, "headers": headers})
    await send({"type": "http.response.body", "body": content[:5], "more_body": True})
    await send({"type": "http.response.body", "body": content[5:]})
'''
"""The echo is one text for both: ours reads it as a step's file, Mangum as a module."""


SECURE = {"host": "shop.example.com", "x-forwarded-port": "443", "x-forwarded-proto": "https"}
PLAIN = {"host": "shop.example.com", "x-forwarded-port": "80", "x-forwarded-proto": "http"}
"""What API Gateway always says."""


def event(body: str | None = None, **changes: Any) -> dict[str, Any]:
    method = changes.pop("method", "POST")
    made = request(body)
    made |= {"routeKey": "ANY /api/{proxy+}", "rawPath": "/api/things", "headers": SECURE, **changes}
    made["requestContext"]["http"] |= {"method": method, "path": made["rawPath"]}
    return made


EVENTS = {
    "json": event('{"a": 1}'),
    "text": event("grüße"),
    "bytes": event("AAH/", isBase64Encoded=True),
    "nothing": event(None, method="GET"),
    "a query": event("", rawQueryString="a=1&a=2&b=%C3%A4%20+&c"),
    "a path": event("", rawPath="/api/a%20b/%C3%A4"),
    "several headers": event(
        "", headers={"host": "example.com", "x-a": "1,2", "x-forwarded-port": "80", "x-forwarded-proto": "http"}
    ),
    "cookies": event("", cookies=["a=1", "b=2"]),
    "bytes back": event("", rawQueryString="as=bytes"),
    "text back": event("", rawQueryString="as=text"),
    "nothing back": event("", rawQueryString="as=nothing"),
    "cookies back": event("", rawQueryString="as=cookies"),
}


class LambdaContext:
    function_name = "echo"
    aws_request_id = "8f5e1a52-0000-4000-8000-000000000002"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a step answers to each event, all in one process."""
    folder = StepFolder(tmp_path_factory.mktemp("echo")).write("steps/a_step.py", ECHO)
    triggers = [{"kind": "api", "routeKey": "ANY /api/{proxy+}"}]
    folder.manifest(step="Echo", source="steps/a_step.py", triggers=triggers, application="/api", queue=None)
    run = folder.run(*EVENTS.values(), entry="asgi")
    return {name: answer.result for name, answer in zip(EVENTS, run.answers, strict=True)}


@pytest.fixture(scope="module")
def theirs() -> dict[str, dict[str, Any]]:
    module: dict[str, Any] = {}
    exec(ECHO, module)  # noqa: S102 - the text above
    asyncio.set_event_loop(asyncio.new_event_loop())
    mangum = Mangum(module["app"], lifespan="off")
    answers = {name: mangum(one, LambdaContext()) for name, one in EVENTS.items()}  # type: ignore[arg-type]
    asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)
    return answers


def asked(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What the application says that it was asked."""
    found: dict[str, Any] = json.loads(answer["body"])
    return found


ECHOED = [name for name in EVENTS if not name.endswith("back")]


@pytest.mark.parametrize("name", ECHOED)
def test_the_application_is_asked_the_same(ours: dict[str, Any], theirs: dict[str, Any], name: str) -> None:
    assert asked(ours[name]) == asked(theirs[name])


@pytest.mark.parametrize("name", EVENTS)
def test_lambda_gets_the_same_answer(ours: dict[str, Any], theirs: dict[str, Any], name: str) -> None:
    mine, other = dict(ours[name]), dict(theirs[name])
    traced = {"x-trace-id", "traceparent"}  # Treadle's own
    mine["headers"] = {key: value for key, value in mine["headers"].items() if key not in traced}
    for answer in (mine, other):
        answer.setdefault("cookies", [])
        answer.setdefault("isBase64Encoded", False)
        if name == "nothing back":  # Mangum says JSON of what the application says nothing of
            answer["headers"] = {}
        if name in ECHOED:
            answer.pop("body")
    assert mine == other

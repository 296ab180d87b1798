"""Ten thousand requests: whatever comes, nothing but a handler causes a 5xx, and no answer shows the program."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .fuzzed_events import events
from .step_folder import StepFolder

EACH = 1000
ROUTE = "POST /things"
ECHO = """
def handler(req, context):
    body = {"bytes": req.body.hex()} if isinstance(req.body, bytes) else req.body
    return {"status": 201, "headers": {"x-query": str(len(req.query_params))}, "body": {
        "body": body, "path": req["pathParams"], "query": req["queryParams"], "headers": req["headers"],
        "files": sorted(req.get("files", {})), "raw": len(req["rawBody"])}}
"""
FLOW = """
async def handler(request, context):
    body = request.body
    return {"status": 200, "body": {"type": type(body).__name__, "path": context.trigger.path}}
"""
APPLICATION = """
async def app(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]})
    await send({"type": "http.response.body", "body": b"%d" % size})
"""
MIDDLEWARE = """
async def outer(req, context, next):
    answer = await next()
    return {**answer, "headers": {"x-seen": "1"}}

config = {"middleware": [outer]}

async def handler(req, context):
    return {"status": 200, "body": dict(req["queryParams"])}
"""
NODE: dict[str, Any] = {
    "type": ["object", "array"],
    "properties": {
        "text": {"type": "string", "minLength": 1, "pattern": "^[a-zä ]*$"},
        "kind": {"enum": ["dog", "cat"]},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "uniqueItems": True},
        "a": {"anyOf": [{"type": "integer", "multipleOf": 0.01}, {"$ref": "#"}]},
    },
    "patternProperties": {"^b": {"not": {"type": "string"}}},
    "items": {"$ref": "#"},
    "$defs": {"Item": {"type": "object", "properties": {"price": {"multipleOf": 0.01, "exclusiveMinimum": 0}}}},
}


def triggers(route: str, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": "api", "routeKey": route, **more}]


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": (ECHO, {"triggers": triggers(ROUTE)}),
    "checked": (ECHO, {"triggers": triggers(ROUTE, schema=NODE, validation="enforce")}),
    "parameters": (
        ECHO,
        {"triggers": triggers("POST /a/{from_to}/{proxy+}", patterns={"from_to": "(?P<from>[^/]+?)-(?P<to>[^/]+?)"})},
    ),
    "flow": (FLOW, {"triggers": triggers(ROUTE), "flow": True}),
    "middleware": (MIDDLEWARE, {"triggers": triggers(ROUTE, middleware=["middleware"])}),
}


@pytest.mark.parametrize("mutilated", [False, True], ids=["whole", "mutilated"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_request_fails_but_by_its_handler(folder: StepFolder, kind: str, mutilated: bool) -> None:
    source, manifest = KINDS[kind]
    route = manifest["triggers"][0]["routeKey"]
    given = list(events(len(kind) + 100 * mutilated, EACH, route, mutilated=mutilated))

    run = folder.step(source).manifest(**manifest).run(*given)

    assert len(run.answers) == EACH
    for event, answer in zip(given, run.answers, strict=True):
        assert answer.error is None, (answer, event)
        response = answer.result
        assert response["statusCode"] < 500, (response, event)
        assert isinstance(response.get("body", ""), str)
        assert all(isinstance(value, str) for value in response["headers"].values())
        assert "Traceback" not in response.get("body", "")
        assert ".py" not in response.get("body", "")
        if response["statusCode"] in (400, 404, 415) and response["headers"]["content-type"].startswith(
            "application/json"
        ):
            assert json.loads(response["body"])["error"]
    statuses = {answer.result["statusCode"] for answer in run.answers}
    assert statuses > {400}


def test_no_request_fails_but_by_its_application(folder: StepFolder) -> None:
    route = "ANY /shop/{proxy+}"
    given = events(7, 500, route)

    run = folder.step(APPLICATION).manifest(triggers=triggers(route), application="/shop").run(*given, entry="asgi")

    problems = [line for line in run.log if line.get("level") == "error"]
    assert problems == []
    assert {answer.result["statusCode"] for answer in run.answers} <= {200, 400}

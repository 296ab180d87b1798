"""Steps that are ASGI applications: their routes, root path, lifespan, context, and what they answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.fake_aws import FakeAws
from adapter.step_folder import StepFolder, request
from support.dev import Dev
from support.discovered import Files, only, step_of, write
from treadle_infra.app.model import HttpTrigger
from treadle_infra.artifacts.manifest_slice import manifest_slice
from treadle_infra.discovery.discover import DiscoverOptions, Discovery, discover
from treadle_infra.topology.build import handler_of, route_key

SHOP = """
import contextlib
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

config = {"name": "Shop", "type": "api", "path": "/shop", "emits": ["sold"]}
starts = []

@contextlib.asynccontextmanager
async def lifespan(app):
    starts.append(1)
    yield {"greeting": "hello"}

async def item(request):
    return JSONResponse({
        "id": request.path_params["id"], "query": request.query_params.multi_items(), "starts": len(starts),
        "greeting": request.state.greeting, "url": str(request.url), "root": request.scope["root_path"],
        "link": str(request.url_for("item", id="7")), "client": request.client.host,
    })

async def sell(request):
    context = request.scope["treadle.context"]
    body = await request.json()
    await context.state.set("sold", body["id"], body)
    await context.emit({"topic": "sold", "data": body})
    async def later():
        context.logger.info("later")
    response = JSONResponse({"trace": context.trace_id}, 201, background=BackgroundTask(later))
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response

async def chunks(request):
    async def parts():
        yield b"one "
        yield b"two"
    return StreamingResponse(parts(), media_type="text/plain")

async def echo(request):
    return Response(await request.body(), media_type="application/octet-stream")

def boom(request):
    raise RuntimeError("secret")

app = Starlette(lifespan=lifespan, routes=[
    Route("/", lambda request: PlainTextResponse("root")),
    Route("/items/{id}", item, name="item"),
    Route("/sell", sell, methods=["POST"]),
    Route("/chunks", chunks), Route("/echo", echo, methods=["POST"]), Route("/boom", boom),
])
"""
BARE = """
config = {"name": "Bare", "type": "api", "path": "/bare"}

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    context = scope["treadle.context"]
    await context.state.set("bare", "path", scope["path"])
    message = await receive()
    stored = await context.state.get("bare", "path")
    body = repr([scope["method"], scope["path"], scope["root_path"], message["body"], stored])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body.encode()})
"""


def found(tmp_path: Path, source: str, files: Files | None = None) -> Discovery:
    write(tmp_path / "project", {"steps/a_step.py": source, **(files or {})})
    options = DiscoverOptions(extra_paths=tuple(_site_packages()), packages=frozenset({"starlette"}))
    return discover(tmp_path / "project", options)


def _site_packages() -> list[str]:
    import starlette

    return [str(Path(starlette.__file__).parents[1])]


def call(method: str, path: str, body: str | None = None, **changes: Any) -> dict[str, Any]:
    event = request(body, **changes)
    route = "ANY /shop" if path == "/shop" else "ANY /shop/{proxy+}"
    event.update(routeKey=route, rawPath=path)
    event["requestContext"]["http"] |= {"method": method, "path": path}
    return event


@pytest.fixture
def shop(tmp_path: Path) -> StepFolder:
    (tmp_path / "zip").mkdir()
    folder = StepFolder(tmp_path / "zip").write("steps/a_step.py", SHOP)
    return folder.manifest(**{**manifest_slice(step_of(found(tmp_path, SHOP))), "step": "Step"})


def test_an_application_has_its_path_and_all_below_for_every_method(tmp_path: Path) -> None:
    step = step_of(found(tmp_path, SHOP))
    assert [route_key(trigger) for trigger in step.triggers if isinstance(trigger, HttpTrigger)] == [
        "ANY /shop",
        "ANY /shop/{proxy+}",
    ]
    assert handler_of(step) == "treadle.entry.asgi.handler"
    assert step.usage.state == {"set"}
    assert step.usage.topics == {"sold"}
    assert "starlette.applications.Starlette" in step.imports


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        ('"path": "/"', ["ANY /", "ANY /{proxy+}"]),
        ('"path": "/a/*", "method": "get"', ["GET /a", "GET /a/{proxy+}"]),
        ('"path": "/t/:id/", "method": "ANY"', ["ANY /t/{id}", "ANY /t/{id}/{proxy+}"]),
    ],
)
def test_path_and_method_may_be_narrowed(tmp_path: Path, config: str, keys: list[str]) -> None:
    step = step_of(found(tmp_path, BARE.replace('"path": "/bare"', config)))
    assert [route_key(trigger) for trigger in step.triggers if isinstance(trigger, HttpTrigger)] == keys


def test_requests_reach_the_application_s_own_routes_and_it_starts_once(shop: StepFolder) -> None:
    run = shop.run(
        call(
            "GET", "/shop/items/a%20b", query="q=1&q=2", headers={"host": "shop.example", "x-forwarded-proto": "https"}
        ),
        call("GET", "/shop/items/2"),
        call("GET", "/shop"),
        call("GET", "/shop/none"),
        entry="asgi",
    )
    first, second, root, none = (answer.result for answer in run.answers)
    body = json.loads(first["body"])
    assert body["id"] == "a b"
    assert body["query"] == [["q", "1"], ["q", "2"]]
    assert (body["starts"], body["greeting"], body["root"]) == (1, "hello", "/shop")
    assert body["link"] == "https://shop.example/shop/items/7"
    assert json.loads(second["body"])["starts"] == 1
    assert (root["statusCode"], none["statusCode"]) == (307, 404) or (root["statusCode"], root["body"]) == (200, "root")
    assert "x-trace-id" in none["headers"]
    assert not run.lines("warn")


def test_the_context_is_in_the_scope_and_background_tasks_end(shop: StepFolder, aws: FakeAws) -> None:
    run = shop.run(call("POST", "/shop/sell", '{"id": "1"}'), entry="asgi", environment=aws.environment)
    result = run.answer.result
    assert (result["statusCode"], len(result["cookies"])) == (201, 2)
    assert json.loads(result["body"])["trace"] == result["headers"]["x-trace-id"]
    assert len(aws.of("Publish")) == 1
    assert [line["msg"] for line in run.lines("info")] == ["later"]
    assert run.records[0]["state"]["set"] == 1


def test_bodies_of_all_kinds_go_both_ways(shop: StepFolder) -> None:
    raw = bytes(range(256))
    run = shop.run(
        call("GET", "/shop/chunks"),
        call("POST", "/shop/echo", base64.b64encode(raw).decode(), base64=True, content_type="image/png"),
        entry="asgi",
    )
    chunks, echo = (answer.result for answer in run.answers)
    assert chunks["body"] == "one two"
    assert echo["isBase64Encoded"]
    assert base64.b64decode(echo["body"]) == raw


def test_an_application_that_raises_is_a_500_that_tells_nothing(shop: StepFolder) -> None:
    run = shop.run(call("GET", "/shop/boom"), entry="asgi")
    assert run.answer.result["statusCode"] == 500
    assert "secret" not in run.answer.result["body"]
    assert run.records[0]["error"]["message"] == "secret"


def test_an_application_that_cannot_start_says_why(tmp_path: Path, shop: StepFolder) -> None:
    shop.write("steps/a_step.py", SHOP.replace("starts.append(1)", "raise OSError('no database')"))
    run = shop.run(call("GET", "/shop/items/1"), entry="asgi")
    assert run.answer.result["statusCode"] == 500
    assert any("no database" in json.dumps(line) for line in run.lines("error"))


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (BARE.replace("app(scope, receive, send)", "app(environ, start_response)"), "app-not-asgi"),
        (BARE.replace('"path": "/bare"', '"path": "/bare", "middleware": [print]'), "app-middleware"),
        (BARE.replace('"type": "api", "path": "/bare"', '"type": "event", "subscribes": ["a"]'), "handler-missing"),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path: Path, source: str, code: str) -> None:
    assert only(found(tmp_path, source), code).severity == "error"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = tmp_path_factory.mktemp("asgi")
    write(project, {"steps/bare_step.py": BARE})
    with Dev(project, "--clock", "manual", "--no-watch") as running:
        yield running


def test_an_application_runs_in_dev_with_rights_of_its_own(dev: Dev) -> None:
    answer = dev.http("PUT", "/bare/some/path?a=1", b"x")
    assert (answer.status, answer.body) == (200, b"['PUT', '/bare/some/path', '/bare', b'x', '/bare/some/path']")
    assert dev.http("GET", "/bare").status == 200
    assert dev.http("GET", "/other").status == 404

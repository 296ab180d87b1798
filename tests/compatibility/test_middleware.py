"""`middleware` of api steps: what runs around the handler, in which order, with what, and with which rights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapter.step_folder import API, Run, StepFolder, request
from support.discovered import api, codes, one, only, step_of, write
from treadle_infra.artifacts.manifest_slice import manifest_slice
from treadle_infra.discovery.discover import Discovery, discover

pytestmark = pytest.mark.motia("5", "middleware runs around the handler of an api step and may answer in its place")

ONE_ROUTE = {**API, "middleware": ["middleware"]}
HANDLER = """
async def handler(req, context):
    return {"status": 200, "body": {**req["body"], "seen": req.get("seen"), "user": getattr(context, "user", None)}}
"""


def answered(
    tmp_path: Path, source: str, trigger: Mapping[str, object] = ONE_ROUTE, files: dict[str, str] | None = None
) -> Run:
    folder = StepFolder(tmp_path).step(source).manifest(triggers=[trigger])
    for name, content in (files or {}).items():
        folder.write(name, content)
    return folder.run(request('{"a": 1}'))


def body(run: Run) -> object:
    return json.loads(run.answer.result["body"])


def test_the_first_is_outermost_and_what_each_changes_reaches_the_next_and_the_handler(tmp_path: Path) -> None:
    auth = """
    async def auth(req, context, next_fn):
        req["seen"] = ["auth"]
        context.user = "ada"
        response = await next_fn()
        response["body"]["back"] = [*response["body"].get("back", []), "auth"]
        return response
    """
    source = f"""
from middlewares.auth import auth

class Timing:
    async def __call__(self, req, context, next_fn):
        req["seen"].append("timing")
        response = await next_fn()
        response["body"]["back"] = ["timing"]
        return response

def plain(req, context, next_fn):
    req.body["seen_by_plain"] = True
    return next_fn()

config = {{"name": "A", "type": "api", "path": "/", "method": "POST", "middleware": [auth, Timing(), plain]}}
{HANDLER}
"""
    run = answered(tmp_path, source, files={"middlewares/auth.py": auth})
    assert body(run) == {
        "a": 1,
        "seen_by_plain": True,
        "seen": ["auth", "timing"],
        "user": "ada",
        "back": ["timing", "auth"],
    }


def test_a_response_without_next_is_the_answer_and_the_handler_is_not_called(tmp_path: Path) -> None:
    source = """
async def auth(req, context, next_fn):
    if "authorization" not in req["headers"]:
        return {"status": 401, "body": {"error": "Unauthorized"}}
    return await next_fn()

config = {"middleware": [auth]}

async def handler(req, context):
    print("called")
    return {"status": 200, "body": "in"}
"""
    folder = StepFolder(tmp_path).step(source).manifest(triggers=[ONE_ROUTE])
    run = folder.run(request("{}"), request("{}", headers={"authorization": "x"}))
    assert [answer.result["statusCode"] for answer in run.answers] == [401, 200]
    assert run.text.count("called") == 1


def test_a_request_given_to_next_is_the_next_middlewares_alone_as_in_motia(tmp_path: Path) -> None:
    source = f"""
async def first(req, context, next_fn):
    return await next_fn({{**req, "seen": "replaced"}})

async def second(req, context, next_fn):
    context.user = req["seen"]
    return await next_fn()

config = {{"middleware": [first, second]}}
{HANDLER}
"""
    assert body(answered(tmp_path, source)) == {"a": 1, "seen": None, "user": "replaced"}


def test_a_request_that_the_handler_does_not_get_is_told(tmp_path: Path) -> None:
    source = f"""
async def only(req, context, next_fn):
    return await next_fn({{**req, "seen": "replaced"}})

config = {{"middleware": [only]}}
{HANDLER}
"""
    run = answered(tmp_path, source)
    assert body(run) == {"a": 1, "seen": None, "user": None}
    assert "change the request in place" in run.lines("warn")[0]["msg"]


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("raise ValueError('no')", 500),
        ("await next_fn()", 500),
        ("return None", 500),
        ("return {'status': 418}", 418),
        ("try:\n        return await next_fn()\n    except KeyError:\n        return {'status': 503}", 503),
    ],
)
def test_what_goes_wrong_in_middleware(tmp_path: Path, statement: str, status: int) -> None:
    handler = "async def handler(req, context):\n    return {'status': 200} if req['body'].get('ok') else req['none']\n"
    source = f"async def mw(req, context, next_fn):\n    {statement}\n\nconfig = {{'middleware': [mw]}}\n{handler}"
    run = answered(tmp_path, source)
    assert run.answer.result["statusCode"] == status
    if status == 500:
        assert json.loads(run.answer.result["body"]) == {"error": "Internal server error"}
        assert run.records[0]["status"] == 500


def test_middleware_that_needs_an_event_loop_has_one(tmp_path: Path) -> None:
    source = f"""
import asyncio

async def slow(req, context, next_fn):
    await asyncio.sleep(0)
    req["seen"] = "slow"
    return await asyncio.wait_for(next_fn(), 5)

config = {{"middleware": [slow]}}
{HANDLER}
"""
    assert body(answered(tmp_path, source)) == {"a": 1, "seen": "slow", "user": None}


def test_each_trigger_of_a_step_in_the_dialect_of_1_0_has_its_own(tmp_path: Path) -> None:
    source = f"""
async def auth(req, context, next_fn):
    req["seen"] = "auth"
    return await next_fn()

config = {{"name": "A", "triggers": [
    {{"type": "http", "method": "GET", "path": "/things"}},
    {{"type": "http", "method": "POST", "path": "/things", "middleware": [auth]}},
]}}
{HANDLER}
"""
    triggers = [{"kind": "api", "routeKey": "GET /things"}, {**API, "middleware": ["triggers", 1, "middleware"]}]
    folder = StepFolder(tmp_path).step(source).manifest(triggers=triggers)
    run = folder.run(request("{}"), request("{}", routeKey="GET /things"))
    assert [json.loads(answer.result["body"])["seen"] for answer in run.answers] == ["auth", None]


def test_a_list_that_depends_on_the_environment_is_that_of_the_stage(tmp_path: Path) -> None:
    source = """
import os

async def auth(req, context, next_fn):
    return {"status": 401}

config = {"middleware": [auth] if os.environ.get("PROTECTED") else []}

async def handler(req, context):
    return {"status": 200}
"""
    folder = StepFolder(tmp_path).step(source).manifest(triggers=[ONE_ROUTE])
    assert folder.run(request("{}")).answer.result["statusCode"] == 200
    assert folder.run(request("{}"), environment={"PROTECTED": "1"}).answer.result["statusCode"] == 401


def test_steps_without_middleware_do_not_load_what_runs_it(tmp_path: Path) -> None:
    run = StepFolder(tmp_path).run(request("{}"))
    assert "treadle.middleware" not in run.modules


def test_treadle_invoke_goes_through_the_middleware(tmp_path: Path) -> None:
    source = f"""
async def auth(req, context, next_fn):
    req["seen"] = "auth"
    return await next_fn()

config = {{"middleware": [auth]}}
{HANDLER}
"""
    folder = StepFolder(tmp_path).step(source).manifest(triggers=[ONE_ROUTE])
    run = folder.run({"treadle.invoke": {"data": {"a": 1}}})
    assert run.answer.result["result"]["body"]["seen"] == "auth"


# what the compiler makes of it


def discovered(tmp_path: Path, source: str, extra: dict[str, str] | None = None) -> Discovery:
    write(tmp_path / "app", {**one(source), **(extra or {})})
    return discover(tmp_path / "app")


AUDIT = """
async def {name}(r, c, n):
    await c.state.set("audit", "last", {{}})
    await c.emit({{"topic": "audited", "data": {{}}}})
    return await n()
"""


@pytest.mark.parametrize(
    ("imports", "listed"),
    [
        ("from middlewares.audit import audit", "audit"),
        ("from middlewares import audit", "audit.audit"),
        ("from middlewares.audit import made\n", "made('x')"),
        ("from middlewares.audit import Audit", "Audit()"),
        ("from middlewares.audit import Audit", "Audit().run"),
        ("import functools\nfrom middlewares.audit import partly", "functools.partial(partly, 'x')"),
        ("from middlewares.audit import decorated", "decorated"),
    ],
)
def test_the_step_may_do_what_its_middleware_does_and_nothing_more(tmp_path: Path, imports: str, listed: str) -> None:
    inner = AUDIT.format(name="inner").replace("\n", "\n    ")
    method = AUDIT.format(name="{}").replace("(r,", "(self, r,").replace("\n", "\n    ")
    audit = {
        "audit": AUDIT.format(name="audit"),
        "made('x')": f"def made(x):{inner}\n    return inner\n",
        "Audit()": f"class Audit:{method.replace('{}', '__call__')}\n",
        "Audit().run": f"class Audit:{method.replace('{}', 'run')}\n",
        "functools.partial(partly, 'x')": AUDIT.format(name="partly").replace("(r,", "(x, r,"),
        "decorated": "import functools\ndef logged(f):\n    @functools.wraps(f)\n    async def run(*a):\n"
        f"        return await f(*a)\n    return run\n@logged{AUDIT.format(name='decorated')}",
    }
    files = {"middlewares/audit.py": audit.get(listed) or audit["audit"], "middlewares/__init__.py": ""}
    step = step_of(discovered(tmp_path, imports + "\n" + api(f'"middleware": [{listed}]'), files))
    assert step.usage.state == {"set"}
    assert step.usage.topics == {"audited"}
    assert step.usage.any_stream == frozenset()
    assert "middlewares/audit.py" in step.files
    assert manifest_slice(step)["triggers"] == [{"kind": "api", "routeKey": "GET /hello", "middleware": ["middleware"]}]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("['auth']", "`middleware[0]` must be a function; it is a str"),
        ("[dict]", "`middleware[0]` must be a function; it is a type"),
        ("[print, lambda a, b: 1]", "`middleware[1]` is called with 3 arguments (request, context, next); it takes 2"),
        ("lambda a: 1", "`middleware[0]` is called with 3 arguments (request, context, next); it takes 1"),
    ],
)
def test_middleware_that_cannot_be_called_is_refused(tmp_path: Path, listed: str, message: str) -> None:
    found = only(discovered(tmp_path, api(f'"middleware": {listed}')), "middleware-invalid")
    assert found.message == message
    assert (found.where.path, found.where.line) == ("steps/a_step.py", 6) if found.where else False


def test_a_schema_may_have_a_property_of_this_name(tmp_path: Path) -> None:
    schema = '{"type": "object", "properties": {"middleware": {"type": "string"}}}'
    discovery = discovered(tmp_path, api(f'"bodySchema": {schema}'))
    assert codes(discovery) == []

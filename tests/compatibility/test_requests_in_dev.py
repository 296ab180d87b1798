"""Requests to `treadle dev` as browsers and scripts send them: origins, middleware, bodies, paths."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from support.dev import Answer, Dev, wait_until
from support.projects import api_step, event_step, write

PROJECT = {
    "middlewares/audit.py": """\
async def audit(req, context, next_fn):
    if req["headers"].get("x-key") != "k":
        return {"status": 401, "body": {"error": "Unauthorized"}}
    await context.state.set("audit", "last", {"user": "ada"})
    req["user"] = "ada"
    return await next_fn()
""",
    "steps/guarded_step.py": "from middlewares.audit import audit\n"
    + api_step("Guarded", '    return {"status": 201, "body": {"user": req["user"]}}', extra=', "middleware": [audit]'),
    "steps/raise_step.py": api_step("Raise", '    raise RuntimeError("secret detail")'),
    "steps/options_step.py": api_step(
        "Asked",
        '    return {"status": 200, "body": "own", "headers": {"Access-Control-Allow-Origin": "*"}}',
        path="/own",
        method="OPTIONS",
    ),
    "steps/orders_step.py": api_step(
        "Orders", '    return {"body": req["pathParams"]}', path="/orders/:id?", method="GET"
    ),
    "steps/range_step.py": api_step(
        "Range", '    return {"body": req["pathParams"]}', path=r"/days/:from-:to/:id(\\d+)", method="GET"
    ),
    "steps/files_step.py": api_step(
        "Files", '    return {"body": req["pathParams"]}', path="/files/*path", method="GET"
    ),
    "steps/upload_step.py": "import hashlib\n"
    + api_step(
        "Upload",
        """\
    photo = req["files"]["photo"]
    digest = hashlib.sha256(photo["content"]).hexdigest()
    told = {"name": photo["filename"], "type": photo["contentType"], "digest": digest}
    return {"body": {"fields": req["body"], **told}}""",
    ),
    "steps/objects_step.py": """\
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

config = {"name": "Objects", "type": "api", "path": "/objects", "method": "GET", "emits": ["made"]}


@dataclass
class Line:
    price: Decimal
    at: datetime


class Order:
    def __init__(self):
        self.id = UUID(int=5)
        self.lines = (Line(Decimal("1.5"), datetime(2026, 1, 2)),)
        self.tags = {"a"}
        self.blob = b"ab"


async def handler(req, context):
    await context.state.set("orders", "o1", Order())
    await context.emit({"topic": "made", "data": Order()})
    return {"body": [Order(), await context.state.get("orders", "o1")]}
""",
    "steps/made_step.py": event_step("Made", "made", '    await context.state.set("orders", "heard", data)'),
}
ORDER = {
    "id": "00000000-0000-0000-0000-000000000005",
    "lines": [{"price": 1.5, "at": "2026-01-02T00:00:00"}],
    "tags": ["a"],
    "blob": "YWI=",
}
ORIGIN = {"origin": "http://localhost:5173"}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = tmp_path_factory.mktemp("requests")
    for path, text in PROJECT.items():
        write(project, path, text)
    with Dev(project, "--clock", "manual", "--no-watch") as running:
        yield running


def cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.motia("5", "middleware short-circuits, changes the request, and may use the context")
def test_middleware_runs_in_the_zip_with_rights_of_its_own(dev: Dev) -> None:
    assert dev.http("POST", "/guarded", {}).status == 401
    answer = dev.http("POST", "/guarded", {}, {"x-key": "k"})
    assert (answer.status, answer.json()) == (201, {"user": "ada"})


@pytest.mark.motia("5", "every response has CORS headers, errors too")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/guarded", 401), ("POST", "/raise", 500), ("GET", "/nowhere", 404)],
)
def test_every_response_to_another_origin_has_cors_headers(dev: Dev, method: str, path: str, status: int) -> None:
    answer = dev.http(method, path, {}, ORIGIN)
    assert (answer.status, cors(answer)) == (status, {"access-control-allow-origin": "*"})


@pytest.mark.motia("5", "OPTIONS is answered with 204 and CORS headers on any path")
@pytest.mark.parametrize("path", ["/guarded", "/nowhere"])
def test_a_preflight_is_answered_for_every_path(dev: Dev, path: str) -> None:
    asked = {**ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    answer = dev.http("OPTIONS", path, headers=asked)
    assert (answer.status, answer.body) == (204, b"")
    assert cors(answer) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "*",
        "access-control-allow-headers": "*,authorization",
        "access-control-max-age": "600",
    }
    assert dev.http("OPTIONS", path).status == 204


def test_a_step_may_answer_options_itself_and_the_headers_stay_the_gateways(dev: Dev) -> None:
    answer = dev.http("OPTIONS", "/own", headers={**ORIGIN, "access-control-request-method": "POST"})
    assert (answer.status, answer.body) == (200, b"own")
    assert cors(answer)["access-control-allow-methods"] == "*"


@pytest.mark.motia("5", "objects, models, dates, decimals and bytes in bodies, messages and state become JSON")
def test_objects_are_json_wherever_they_go(dev: Dev) -> None:
    assert dev.http("GET", "/objects").json() == [ORDER, ORDER]
    table = dev.client("dynamodb")
    key = {"group": {"S": "orders"}, "key": {"S": "heard"}}
    name = next(name for name in table.list_tables()["TableNames"] if name.endswith("--state"))
    wait_until("the message's data in the state", lambda: table.get_item(TableName=name, Key=key).get("Item"))


@pytest.mark.motia("4", "a form with files gives fields and files, where Motia gives nothing")
def test_a_file_arrives_byte_for_byte(dev: Dev) -> None:
    content = bytes(range(256)) * 400
    form = (
        b'--xx\r\nContent-Disposition: form-data; name="title"\r\n\r\nHol\xc3\xa9\r\n'
        b'--xx\r\nContent-Disposition: form-data; name="photo"; filename="a b.png"\r\nContent-Type: image/png\r\n\r\n'
        + content
        + b"\r\n--xx--\r\n"
    )
    answer = dev.http("POST", "/upload", form, {"content-type": "multipart/form-data; boundary=xx"})
    assert answer.json() == {
        "fields": {"title": "Hol\u00e9"},
        "name": "a b.png",
        "type": "image/png",
        "digest": hashlib.sha256(content).hexdigest(),
    }


@pytest.mark.motia("4", "optional parameters and wildcards of Express's paths")
@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/days/mon-fri/7", {"from": "mon", "to": "fri", "id": "7"}),
        ("/orders", {}),
        ("/orders/7", {"id": "7"}),
        ("/files/a/b%20c.txt", {"path": "a/b c.txt"}),
    ],
)
def test_paths_are_those_of_express(dev: Dev, path: str, parameters: dict[str, str]) -> None:
    assert dev.http("GET", path).json() == parameters


def test_a_path_that_no_pattern_takes_is_not_found(dev: Dev) -> None:
    for path in ("/days/mon/7", "/days/mon-fri/seven"):
        assert dev.http("GET", path).status == 404

"""Requests to `treadle dev` as browsers and scripts send them: origins, middleware, bodies, paths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.dev import Answer, Dev
from support.projects import api_step, write

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

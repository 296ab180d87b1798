"""The dialect of Motia 1.0: its module `motia`, several triggers, conditions, what a context knows of its trigger."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.fake_aws import FakeAws
from adapter.step_folder import StepFolder, batch, firing, message, request
from support.dev import Dev, wait_until
from support.discovered import codes, only, step_of, write
from treadle_infra.app.model import CronTrigger
from treadle_infra.artifacts.manifest_slice import manifest_slice
from treadle_infra.discovery.discover import Discovery, discover
from treadle_infra.interpreters import find_interpreter

pytestmark = pytest.mark.motia("2.8", "the 1.0 dialect: several triggers, conditions, the module `motia`")

ORDERS = """
from typing import Any
from motia import ApiRequest, ApiResponse, FlowContext, cron, enqueue, http, logger, queue, stateManager, Stream

totals = Stream("totals")

def large(input, ctx: FlowContext[Any]) -> bool:
    return ctx.get_data().get("amount", 0) > 10

config = {
    "name": "Orders",
    "flows": ["orders"],
    "triggers": [
        http("POST", "/orders/:kind", condition=large),
        queue("order.asked", condition=lambda data: data["amount"] > 10),
        cron("0 0 9 * * *"),
    ],
    "enqueues": ["order.taken"],
}


async def handler(input_data: Any, ctx: FlowContext[Any]) -> Any:
    async def on_http(request: ApiRequest[Any]) -> ApiResponse[Any]:
        previous = stateManager.set("orders", "last", request.body)
        totals.set("all", "one", {"amount": request.body["amount"]})
        await enqueue({"topic": "order.taken", "data": previous})
        logger.info("taken", {"kind": request.path_params.get("kind")})
        return ApiResponse(status=201, body={"trigger": vars(ctx.trigger), "method": request.method})

    async def on_queue(data: dict) -> None:
        await ctx.enqueue({"topic": "order.taken", "data": data["amount"]})
        await ctx.state.set("orders", "queued", data)

    def otherwise(value):
        logger.info("at nine", {"input": value})

    return await ctx.match({"http": on_http, "queue": on_queue, "default": otherwise})
"""


def found(tmp_path: Path, source: str, **files: str) -> Discovery:
    write(tmp_path / "project", {"src/a_step.py": source, **files})
    return discover(tmp_path / "project")


def folder_of(tmp_path: Path, source: str) -> StepFolder:
    """The step of the source as it would be deployed, with the manifest that it would have."""
    step = step_of(found(tmp_path, source))
    (tmp_path / "zip").mkdir()
    folder = StepFolder(tmp_path / "zip")
    folder.write("src/a_step.py", source)
    return folder.manifest(**{**manifest_slice(step), "step": "Step"})


def asked(route: str, body: object, **changes: Any) -> dict[str, Any]:
    return request(json.dumps(body), routeKey=route, **changes)


def test_what_motia_s_module_does_is_known_and_granted(tmp_path: Path) -> None:
    discovery = found(tmp_path, ORDERS)
    assert not [finding for finding in discovery.findings if finding.severity == "error"]
    step = step_of(discovery)
    assert step.usage.state == {"update", "set"}
    assert step.usage.streams == {"totals": {"set"}}
    assert step.usage.topics == {"order.taken"}
    assert step.usage.emits_computed_topic is None
    assert [trigger.get("condition") for trigger in manifest_slice(step)["triggers"]] == [  # type: ignore[union-attr]
        ["triggers", 0, "condition"],
        ["triggers", 1, "condition"],
        None,
    ]


def test_one_step_serves_each_of_its_triggers(tmp_path: Path, aws: FakeAws) -> None:
    folder = folder_of(tmp_path, ORDERS)
    run = folder.run(
        asked("POST /orders/{kind}", {"amount": 20}, pathParameters={"kind": "book"}),
        batch(message('{"amount": 12}', metadata={"topic": "order.asked", "traceId": "t"})),
        firing(),
        environment=aws.environment,
    )
    answer = run.answers[0].result
    assert answer["statusCode"] == 201
    assert json.loads(answer["body"]) == {
        "method": "POST",
        "trigger": {
            "type": "http",
            "index": 0,
            "path": "/orders/:kind",
            "method": "POST",
            "topic": None,
            "expression": None,
        },
    }
    assert [json.loads(sent["Message"]) for sent in aws.of("Publish")] == [
        {"old_value": None, "new_value": {"amount": 20}},
        12,
    ]
    assert [line["msg"] for line in run.lines("info")] == ["taken", "at nine"]
    assert [record["result"] for record in run.records] == ["ok", "ok", "ok"]


def test_where_a_condition_does_not_hold_the_handler_is_not_called(tmp_path: Path, aws: FakeAws) -> None:
    run = folder_of(tmp_path, ORDERS).run(
        asked("POST /orders/{kind}", {"amount": 2}, pathParameters={"kind": "book"}),
        batch(message('{"amount": 1}', metadata={"topic": "order.asked", "traceId": "t"})),
        environment=aws.environment,
    )
    refused, skipped = run.answers
    assert refused.result["statusCode"] == 422
    assert json.loads(refused.result["body"]) == {"error": "Request condition not met", "skipped": True}
    assert skipped.result == {"batchItemFailures": []}
    assert aws.of("Publish") == []
    assert [record["result"] for record in run.records] == ["skipped", "skipped"]


def test_a_condition_that_raises_is_a_failure_like_the_handler_s(tmp_path: Path, aws: FakeAws) -> None:
    run = folder_of(tmp_path, ORDERS).run(
        batch(message("{}", metadata={"topic": "order.asked", "traceId": "t"})), environment=aws.environment
    )
    assert run.answer.result == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert run.records[0]["error"]["type"] == "KeyError"


WAITING = """
from motia import QueueConfig, cron, queue
config = {"name": "Waits", "triggers": [
    queue("asked", config=QueueConfig(max_retries=2, backoff_type="KIND", backoff_delay_ms=4500)),
    cron("0 0 9 * * 2-4"),
]}
def handler(data, ctx): raise ValueError
"""


@pytest.mark.parametrize(("kind", "waits"), [("fixed", [5, 5]), ("exponential", [5, 10])])
def test_retries_wait_as_the_queue_s_backoff_says(tmp_path: Path, aws: FakeAws, kind: str, waits: list[int]) -> None:
    folder = folder_of(tmp_path, WAITING.replace("KIND", kind))
    folder.run(batch(message(attempt=1)), batch(message(attempt=2)), environment=aws.environment)
    assert [sent["VisibilityTimeout"] for sent in aws.of("ChangeMessageVisibility")] == waits


def test_days_of_the_week_are_motia_1_0_s(tmp_path: Path) -> None:
    cron = next(
        one
        for one in step_of(found(tmp_path, WAITING.replace("KIND", "fixed"))).triggers
        if isinstance(one, CronTrigger)
    )
    assert cron.expression == "0 0 9 * * mon-wed"


DEFINED = [
    "my_step = multi_trigger_step(CONFIG).on_http(answer).handlers()",
    "my_step = step(CONFIG, answer)",
    "my_step = step(CONFIG).handle(answer)",
    "config, handler = step(CONFIG, answer)",
    "config = CONFIG\nhandler = multi_trigger_step(config).handlers({'http': answer})",
]


@pytest.mark.parametrize("definition", DEFINED)
def test_steps_may_be_put_together_by_calls(tmp_path: Path, definition: str) -> None:
    source = f"""
from motia import StepConfig, api, multi_trigger_step, step

CONFIG = StepConfig(name="Built", triggers=[api("GET", "/built")], enqueues=[])

async def answer(request, ctx=None):
    return {{"status": 200, "body": {{"query": request.query_params, "get": request.get("method")}}}}

{definition}
"""
    run = folder_of(tmp_path, source).run(asked("GET /built", {}, rawQueryString="a=1"))
    assert json.loads(run.answer.result["body"]) == {"query": {"a": "1"}, "get": "GET"}


def test_a_response_may_be_written_bit_by_bit(tmp_path: Path) -> None:
    source = """
from motia import FlowContext, MotiaHttpArgs, http

config = {"name": "Written", "triggers": [http("POST", "/w")]}

async def handler(args: MotiaHttpArgs, ctx: FlowContext) -> None:
    chunks = [chunk async for chunk in args.request.request_body.stream]
    await args.response.status(202)
    await args.response.headers({"content-type": "text/plain"})
    args.response.writer.stream.write(b"got ")
    args.response.writer.stream.write(b"".join(chunks))
    args.response.close()
"""
    result = folder_of(tmp_path, source).run(asked("POST /w", {"a": 1})).answer.result
    assert (result["statusCode"], result["body"]) == (202, 'got {"a": 1}')
    assert result["headers"]["content-type"] == "text/plain"


AWAITED = """
from motia import Stream, StreamEvent, StepHandler, queue, stateManager
from motia.types import FlowContext

todos = Stream[dict]("todos")
config = {"name": "Awaits", "triggers": [{"type": "event", "topic": "asked"}]}


def present(group):
    return stateManager.get(group, "a") is not None


async def handler(data, ctx: FlowContext):
    before = [todos.get("all", "one"), await todos.get("all", "one"), present("x")]
    await todos.set("all", "one", {"n": 1})
    changed = await stateManager.set("x", "a", {"n": 2})
    after = [
        (await todos.get("all", "one"))["n"],
        todos.get("all", "one")["n"],
        [item["n"] for item in await todos.get_group("all")],
        present("x"),
    ]
    ctx.logger.info("seen", {"before": before, "changed": changed, "after": after})
"""


@pytest.mark.parametrize("version", ["", "3.13"], ids=["here", "3.13"])
def test_calls_may_be_awaited_or_not(tmp_path: Path, aws: FakeAws, version: str) -> None:
    """The release candidates' calls are awaited, as documents still show; those of 1.0 answer at once."""
    run = folder_of(tmp_path, AWAITED).run(
        batch(message("{}", metadata={"topic": "asked", "traceId": "t"})),
        environment=aws.environment,
        python=find_interpreter(version).path if version else sys.executable,
    )
    assert run.answer.result == {"batchItemFailures": []}, run.records[0]["error"]
    (line,) = [line for line in run.lines("info") if line["msg"] == "seen"]
    assert line["before"] == [None, None, False]
    assert line["changed"] == {"old_value": None, "new_value": {"n": 2}}
    assert line["after"] == [1, 1, [1], True]


CANDIDATE = """
from motia import ApiRouteConfig, ApiResponse, step_wrapper

config = ApiRouteConfig(type="api", name="create-item", path="/items", method="POST", emits=["item.created"])


async def handler(req, ctx):
    await ctx.emit({"topic": "item.created", "data": req.body})
    return ApiResponse(status=201, body={"id": "123"})


step_wrapper(config, __file__, handler)
"""


def test_configs_of_the_release_candidates_are_of_the_first_dialect(tmp_path: Path, aws: FakeAws) -> None:
    run = folder_of(tmp_path, CANDIDATE).run(asked("POST /items", {"a": 1}), environment=aws.environment)
    assert run.answer.result["statusCode"] == 201
    assert [json.loads(sent["Message"]) for sent in aws.of("Publish")] == [{"a": 1}]


def test_outside_a_run_motia_s_functions_say_so(tmp_path: Path) -> None:
    discovery = found(tmp_path, 'from motia import stateManager\nstateManager.get("a", "b")\n' + ORDERS)
    assert "no handler runs" in only(discovery, "import-failed").message


def test_a_project_s_own_motia_goes_first(tmp_path: Path) -> None:
    write(
        tmp_path / "project",
        {
            "motia/__init__.py": "NAME = 'Own'\n",
            "src/a_step.py": "from motia import NAME\nconfig = {'name': NAME, 'triggers': [{'type': 'http', "
            "'method': 'GET', 'path': '/a'}]}\ndef handler(request): return {}\n",
        },
    )
    discovery = discover(tmp_path / "project")
    assert step_of(discovery).name == "Own"
    assert "motia/__init__.py" in step_of(discovery).files


@pytest.mark.parametrize(("condition", "says"), [("True", "must be a function"), ("lambda a, b, c: True", "takes 3")])
def test_a_condition_that_cannot_be_called_is_refused(tmp_path: Path, condition: str, says: str) -> None:
    source = ORDERS.replace("condition=large", f"condition={condition}")
    discovery = found(tmp_path, source)
    assert any(says in finding.message for finding in discovery.findings), codes(discovery)


# in `treadle dev`


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = tmp_path_factory.mktemp("one")
    write(
        project,
        {
            "requirements.txt": "motia==1.0.4\n",
            "src/orders_step.py": ORDERS,
            "src/taken_step.py": """
                from motia import http, logger, queue, stateManager
                config = {"name": "Taken", "triggers": [queue("order.taken"), http("GET", "/taken")], "enqueues": []}
                def handler(input, ctx):
                    if ctx.is_queue():
                        stateManager.update("taken", "all", [{"type": "increment", "path": "count", "by": 1}])
                        return None
                    groups, every = stateManager.list_groups(), stateManager.list("taken")
                    return {"status": 200, "body": {"groups": groups, "all": every}}
                """,
        },
    )
    with Dev(project, "--clock", "manual", "--no-watch") as running:
        yield running


def test_a_project_of_motia_1_0_runs_as_it_is(dev: Dev) -> None:
    assert dev.http("POST", "/orders/book", {"amount": 20}).status == 201
    assert dev.http("POST", "/orders/book", {"amount": 2}).status == 422
    read: Callable[[], Any] = lambda: dev.http("GET", "/taken").json()  # noqa: E731
    wait_until("the message", lambda: read()["all"] == [{"count": 1}])
    assert read()["groups"] == ["orders", "taken"]

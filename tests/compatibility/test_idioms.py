"""What real steps do that Motia's documents do not say: it works, or nothing worse happens than in Motia."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import treadle
from support.dev import Dev, wait_until
from support.discovered import only, step_of, write
from treadle_infra.artifacts.manifest_slice import manifest_slice
from treadle_infra.discovery.discover import discover

PROJECT = {
    "steps/keys_step.py": """
        config = {"name": "Keys", "type": "api", "path": "/keys/{id}", "method": "POST", "emits": ["keys.used"]}

        async def handler(req, context):
            state, emit = context["state"], context["emit"]
            await state.set("keys", req["pathParams"]["id"], {"trace": context["traceId"]})
            await emit({"topic": "keys.used", "data": {"id": req["pathParams"]["id"]}})
            context["logger"].info("set")
            try:
                context["nothing"]
            except KeyError as error:
                return {"status": 200, "body": {"missing": str(error)}}
    """,
    "steps/used_step.py": """
        config = {"name": "Used", "type": "event", "subscribes": ["keys.used"]}

        async def handler(data, context):
            await context["streams"]["used"].set("all", data["id"], {"seen": True})
    """,
    "steps/used_stream.py": 'config = {"name": "used", "schema": {"type": "object"}}\n',
    "steps/daily_step.py": """
        config = {"name": "Daily", "triggers": [{"type": "cron", "expression": "0 9 * * *"}], "enqueues": []}

        async def handler(context):
            total = len(await context.state.get_group("keys"))
            await context.streams.summary.set("latest", {"total": total})
    """,
    "steps/summary_stream.py": 'config = {"name": "summary", "schema": {"type": "object"}}\n',
    "steps/read_step.py": """
        config = {"name": "Read", "type": "api", "path": "/read", "method": "GET"}

        async def handler(req, context):
            used, summary = context.streams.used, context.streams.summary
            return {"body": [await used.get_group("all"), await summary.get_group("default")]}
    """,
}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = tmp_path_factory.mktemp("idioms")
    write(project, PROJECT)
    with Dev(project, "--clock", "manual", "--no-watch") as running:
        yield running


@pytest.mark.motia("6", "a context that is asked for its parts by name")
def test_a_context_answers_as_a_dict_does(dev: Dev) -> None:
    answer = dev.http("POST", "/keys/k1", {})
    assert (answer.status, answer.json()) == (200, {"missing": "'nothing'"})
    wait_until("the stream", lambda: dev.http("GET", "/read").json()[0] == [{"seen": True, "id": "k1"}])


@pytest.mark.motia("6", "a context that is asked for its parts by name")
def test_what_is_done_with_parts_asked_for_by_name_is_granted_and_no_more(tmp_path: Path) -> None:
    write(tmp_path, {"steps/keys_step.py": PROJECT["steps/keys_step.py"]})
    usage = step_of(discover(tmp_path)).usage
    assert usage.state == {"set"}
    assert usage.topics == {"keys.used"}
    assert not usage.streams


def test_a_scheduled_step_of_motia_1_0_may_take_the_context_alone(dev: Dev) -> None:
    assert treadle("cron", "run", "Daily", "-C", dev.project).code == 0
    summary = wait_until("the summary", lambda: dev.http("GET", "/read").json()[1])
    assert summary[0]["id"] == "latest"


@pytest.mark.motia("4", "a parameter in braces is one, with a warning")
def test_a_path_with_braces_is_read_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path, {"steps/keys_step.py": PROJECT["steps/keys_step.py"]})
    discovery = discover(tmp_path)
    assert only(discovery, "path-braces-read").hint == "write `/keys/:id`"
    assert '"routeKey": "POST /keys/{id}"' in json.dumps(manifest_slice(step_of(discovery)))

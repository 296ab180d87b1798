"""What `state.get` returns: a value that programs may unwrap from `data`, as Motia had it, or take as it is."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from adapter.fake_aws import FakeAws
from adapter.handler_runs import run, value
from adapter.step_folder import EVENT, StepFolder, batch, message
from support.discovered import Files, Find, codes, only, step_of, write
from treadle.json_values import dump_json
from treadle.state_values import wrapped
from treadle.values import encode
from treadle_infra.artifacts.manifest_slice import manifest_slice
from treadle_infra.discovery.discover import Discovery, discover

pytestmark = pytest.mark.motia("6", "state values answer with and without Motia's `data` around them")

STORED = {"status": "done", "n": 1}
READS = """\
    config = {"name": "Read", "type": "api", "path": "/", "method": "GET"}
    async def handler(req, context):
        found = await context.state.get("jobs", "1")
        return {"body": BODY}
"""
UNWRAPPING = READS.replace("BODY", 'found.get("data")')


@pytest.fixture
def find(tmp_path: Path) -> Find:
    def run(files: Files) -> Discovery:
        write(tmp_path / "my-app", files)
        return discover(tmp_path / "my-app")

    return run


class Job(BaseModel):
    status: str
    n: int


def test_a_stored_object_answers_both_kinds_of_programs() -> None:
    got: Any = wrapped(dict(STORED))
    assert got == STORED
    assert issubclass(type(got), dict)
    assert (got["status"], got.get("n"), got.get("other", 5), list(got), len(got)) == ("done", 1, 5, ["status", "n"], 2)
    assert got["data"] == got.get("data", {}) == got.get("data") == STORED
    assert "data" in got
    assert "other" not in got
    with pytest.raises(KeyError):
        got["other"]


def test_nothing_but_what_is_stored_leaves_the_program() -> None:
    got: Any = wrapped(dict(STORED))
    assert json.loads(json.dumps(got)) == json.loads(dump_json({"job": got}, "body"))["job"] == STORED
    assert {**got} == STORED
    assert encode(got) == encode(STORED)
    assert Job.model_validate(got) == Job(**got) == Job(status="done", n=1)
    for copied in (copy.deepcopy(got), copy.copy(got), got.copy()):
        assert (copied, copied["data"]) == (STORED, STORED)
    got["data"]["n"] = 2
    assert got["n"] == 2


def test_a_missing_value_is_false_and_none_under_data() -> None:
    got: Any = wrapped(None)
    assert not got
    assert [got] == [None]
    assert (got["data"], got.get("data"), got.get("data", 1), got.get("other", 1), "data" in got) == (
        *(None, None, None),
        1,
        True,
    )
    assert dump_json({"job": got}, "body") == '{"job":null}'
    assert encode(got) == {"NULL": True}
    assert (got or {"fresh": True}) == {"fresh": True}
    got["n"] = 1
    assert [got] != [None]
    assert (got, dump_json(got, "body")) == ({"n": 1}, '{"n":1}')


@pytest.mark.parametrize("stored", [0, "", False, 3, "text", [], [1], {"data": 1}, {"data": {"a": 1}, "b": 2}])
def test_other_values_and_those_with_a_data_of_their_own_are_as_stored(stored: Any) -> None:
    got = wrapped(stored)
    assert got == stored
    assert type(got) is type(stored)


BODY = """
    s = c.state
    missing = await s.get("jobs", "none")
    await s.set("jobs", "1", {"n": 1})
    found = await s.get("jobs", "1")
    await s.set("jobs", "2", found)
    await s.set("jobs", "3", missing)
    groups = [await s.get_group("jobs"), await s.getGroup("jobs"), await s.getGroup("jobs", "1")]
    return {"body": [missing, found, found["data"], found.get("data"), groups, await s.get("jobs", "2"),
        await s.get("jobs", "3"), await s.delete("jobs", "1"), await s.delete("jobs", "1"), await s.clear("jobs")]}
"""


@pytest.mark.parametrize("is_wrapping", [True, False])
def test_state_works_with_such_values(folder: StepFolder, aws: FakeAws, is_wrapping: bool) -> None:
    body = BODY if is_wrapping else BODY.replace('found["data"], found.get("data")', "found, found")
    one = {"n": 1}
    group = [one, one, None]
    expected = [None, one, one, one, [group] * 3, one, None, one, None, None]
    assert value(folder, aws, body, wrapsStateValues=is_wrapping) == expected


def test_the_motia_module_is_loaded_only_where_it_is_asked_for(folder: StepFolder, aws: FakeAws) -> None:
    body = "return {'body': {'is': type(await c.state.get('k')).__name__}}"
    plain = run(folder, aws, body)
    assert json.loads(plain.answer.result["body"]) == {"is": "NoneType"}
    assert "treadle.state_values" not in plain.modules


def test_a_project_without_settings_reads_state_as_motia_does(find: Find) -> None:
    step = step_of(find({"steps/a_step.py": UNWRAPPING}))
    assert manifest_slice(step)["wrapsStateValues"] is True


def test_a_project_with_settings_says_so_and_check_recommends_it(find: Find) -> None:
    found = find({"steps/a_step.py": UNWRAPPING, "treadle.toml": 'name = "shop"\n'})
    finding = only(found, "state-value-unwrapped")
    assert (finding.severity, str(finding.where)) == ("warning", "steps/a_step.py:4")
    assert 'compatibility = ["motia-state-values"]' in (finding.hint or "")
    assert "wrapsStateValues" not in manifest_slice(step_of(found))

    switched = find({"steps/a_step.py": UNWRAPPING, "treadle.toml": 'compatibility = ["motia-state-values"]\n'})
    assert switched.findings == ()
    assert manifest_slice(step_of(switched))["wrapsStateValues"] is True


def test_code_that_takes_values_as_they_are_hears_nothing(find: Find) -> None:
    source = READS.replace("BODY", '{"data": found, "status": found["status"], "own": req.body.get("data")}')
    assert codes(find({"steps/a_step.py": source, "treadle.toml": 'name = "shop"\n'})) == []


def test_a_wrong_compatibility_is_an_error(find: Find) -> None:
    found = find({"steps/a_step.py": UNWRAPPING, "treadle.toml": 'compatibility = ["motia"]\n'})
    assert "project-setting-invalid" in codes(found)


@pytest.mark.motia("6", "the emitter's flows go with a message, to its subscribers and on")
def test_flows_are_those_of_the_emitter(folder: StepFolder, aws: FakeAws) -> None:
    folder.manifest(triggers=[EVENT], flows=["own"]).step(
        """\
        async def handler(data, c):
            c.logger.info("in", {"of": c.flows})
        """
    )
    sent = message(metadata={"traceId": "A", "flows": ["orders"], "hops": 1})
    lines = folder.run(batch(sent), batch(message()), entry="event", environment=aws.environment).lines("info")
    assert [(line["of"], line["flows"]) for line in lines] == [(["orders"], ["orders"]), (["own"], ["own"])]


@pytest.mark.motia("6", "a stream's set without data stores nothing and returns None")
def test_set_without_data_stores_nothing(folder: StepFolder, aws: FakeAws) -> None:
    body = "return {'body': [await c.streams.chat.set('g', 'i', None), await c.streams.chat.get('g', 'i')]}"
    assert value(folder, aws, body) == [None, None]

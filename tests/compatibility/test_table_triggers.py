"""Steps that run when state or a stream's items change, as in Motia 1.0."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.dev import Dev, wait_until
from support.discovered import only, step_of, write
from treadle_infra.discovery.discover import Discovery, discover

pytestmark = pytest.mark.motia("2.8", "state and stream triggers: what is created, updated or deleted")

PROJECT = {
    "steps/board_stream.py": """
        config = {"name": "board", "schema": {"type": "object"}, "baseConfig": {"storageType": "default"}}
    """,
    "steps/write_step.py": """
        from motia import Stream, http, stateManager

        config = {"name": "Write", "triggers": [http("POST", "/write")]}
        board = Stream("board")

        async def handler(request, ctx):
            for what, group, key, *value in request.body:
                if what == "set":
                    stateManager.set(group, key, value[0])
                elif what == "delete":
                    stateManager.delete(group, key)
                elif what == "put":
                    board.set(group, key, value[0])
                elif what == "remove":
                    board.delete(group, key)
                else:
                    board.send({"groupId": group, "id": key}, {"type": what, "data": value[0]})
            return {"status": 200, "body": {"trace": ctx.trace_id}}
    """,
    "steps/note_step.py": """
        from motia import state, stateManager, stream

        def wanted(input, ctx):
            return ctx.is_state() and input["scope"] == "orders"

        config = {"name": "Note", "triggers": [
            state(condition=wanted),
            stream("board", group_id="main"),
            stream("board", item_id="star"),
        ]}

        async def handler(input, ctx):
            note = {"input": dict(input), "type": ctx.trigger.type, "index": ctx.trigger.index, "trace": ctx.trace_id}
            note["by_name"] = input.new_value if ctx.is_state() else [input.stream_name, input.event.type]
            await ctx.state.update("notes", "all", [{"type": "set", "path": f"n{note_id(input, ctx)}", "value": note}])

        def note_id(input, ctx):
            kind = input.get("event_type") or input["event"]["type"]
            return f"{ctx.trigger.index}-{kind}-{input.get('key') or input['id']}"
    """,
    "steps/poison_step.py": """
        config = {"name": "Poison", "triggers": [{"type": "stream", "streamName": "board", "itemId": "bad"}]}

        def handler(input, ctx):
            raise ValueError("poison")
    """,
    "steps/circle_step.py": """
        from motia import state, stateManager

        config = {"name": "Circle", "triggers": [state(condition=lambda change: change["scope"] == "circle")]}

        def handler(change, ctx):
            stateManager.update("circle", "n", [{"type": "increment", "path": "n", "by": 1}])
    """,
    "steps/read_step.py": """
        from motia import http, stateManager
        config = {"name": "Read", "triggers": [http("GET", "/read/:scope/:key")]}
        def handler(request, ctx):
            found = stateManager.get(request.path_params["scope"], request.path_params["key"])
            return {"status": 200, "body": {"found": found}}
    """,
}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = tmp_path_factory.mktemp("triggers")
    write(project, PROJECT)
    with Dev(project, "--clock", "manual", "--no-watch") as running:
        yield running


def written(dev: Dev, *writes: list[Any]) -> str:
    """Writes, and returns the trace of the request."""
    answer = dev.http("POST", "/write", list(writes))
    assert answer.status == 200
    return str(answer.json()["trace"])


def notes(dev: Dev) -> dict[str, Any]:
    return dev.http("GET", "/read/notes/all").json()["found"] or {}


def note(dev: Dev, name: str) -> dict[str, Any]:
    found: dict[str, Any] = wait_until(name, lambda: notes(dev).get(f"n{name}"))
    return found


def test_a_step_gets_each_change_of_state_that_meets_its_condition(dev: Dev) -> None:
    trace = written(dev, ["set", "other", "x", 1], ["set", "orders", "o1", {"n": 1}], ["set", "orders", "o1", {"n": 2}])
    created, updated = note(dev, "0-state:created-o1"), note(dev, "0-state:updated-o1")
    assert created == {
        "input": {
            "type": "state",
            "event_type": "state:created",
            "scope": "orders",
            "key": "o1",
            "group_id": "orders",
            "item_id": "o1",
            "old_value": None,
            "new_value": {"n": 1},
        },
        "type": "state",
        "index": 0,
        "trace": trace,
        "by_name": {"n": 1},
    }
    assert (updated["input"]["old_value"], updated["input"]["new_value"]) == ({"n": 1}, {"n": 2})
    written(dev, ["delete", "orders", "o1"])
    deleted = note(dev, "0-state:deleted-o1")["input"]
    assert (deleted["old_value"], deleted["new_value"]) == ({"n": 2}, None)
    assert not any("-x" in name for name in notes(dev))


def test_a_step_gets_the_changes_of_a_stream_s_group_and_of_an_item(dev: Dev) -> None:
    trace = written(
        dev,
        ["typing", "main", "a", {"by": "me"}],
        ["put", "main", "a", {"text": "1"}],
        ["put", "elsewhere", "a2", {"text": "1"}],
        ["put", "elsewhere", "star", {"text": "1"}],
        ["remove", "main", "a"],
    )
    created = note(dev, "1-create-a")
    timestamp = created["input"].pop("timestamp")
    assert abs(timestamp / 1000 - dev.now()) < 1_000_000
    assert created == {
        "input": {
            "type": "stream",
            "streamName": "board",
            "groupId": "main",
            "id": "a",
            "event": {"type": "create", "data": {"text": "1", "id": "a"}},
        },
        "type": "stream",
        "index": 1,
        "trace": trace,
        "by_name": ["board", "create"],
    }
    assert note(dev, "1-delete-a")["input"]["event"]["data"] == {"text": "1", "id": "a"}
    assert note(dev, "2-create-star")["input"]["groupId"] == "elsewhere"
    assert not [name for name in notes(dev) if name.endswith("a2") or "typing" in name]


def test_a_step_that_fails_is_tried_again_and_then_dead_lettered(dev: Dev) -> None:
    written(dev, ["put", "main", "bad", {"text": "1"}])
    sqs = dev.client("sqs")
    queue = next(url for url in sqs.list_queues()["QueueUrls"] if url.endswith("--Poison--dead"))

    def dead() -> Any:
        dev.advance(10)
        return sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages")

    (letter,) = wait_until("the dead letter", dead)
    assert json.loads(letter["Body"])["id"] == "bad"
    assert letter["MessageAttributes"]["errorMessage"]["StringValue"] == "poison"


def test_a_step_that_triggers_itself_ends_in_its_dead_letter_queue(dev: Dev) -> None:
    written(dev, ["set", "circle", "n", {"n": 0}])
    sqs = dev.client("sqs")
    queue = next(url for url in sqs.list_queues()["QueueUrls"] if url.endswith("--Circle--dead"))
    (letter,) = wait_until(
        "the dead letter",
        lambda: sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages"),
    )
    assert letter["MessageAttributes"]["errorType"]["StringValue"] == "HopLimitExceeded"
    assert dev.http("GET", "/read/circle/n").json()["found"] == {"n": 100}


def found(tmp_path: Path, source: str) -> Discovery:
    write(tmp_path / "project", {"steps/a_step.py": source})
    return discover(tmp_path / "project")


SELF = """
from motia import state, stateManager
config = {"name": "A", "triggers": [state()]}
def handler(change, ctx):
    stateManager.set("a", "b", 1)
"""


def test_a_step_that_may_trigger_itself_is_warned_of(tmp_path: Path) -> None:
    finding = only(found(tmp_path, SELF), "trigger-causes-itself")
    assert finding.severity == "warning"
    assert finding.where is not None
    assert (finding.where.path, finding.where.line) == ("steps/a_step.py", 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [("state()", "state(condition=lambda change: change['scope'] == 'x')"), ('.set("a", "b", 1)', '.get("a", "b")')],
)
def test_a_condition_or_only_reading_ends_the_warning(tmp_path: Path, old: str, new: str) -> None:
    discovery = found(tmp_path, SELF.replace(old, new))
    assert not [finding for finding in discovery.findings if finding.code == "trigger-causes-itself"]
    assert step_of(discovery).table_triggers


def test_a_stream_that_only_a_trigger_names_is_made(tmp_path: Path) -> None:
    discovery = found(tmp_path, SELF.replace("state()", "{'type': 'stream', 'streamName': 'news'}"))
    assert [stream.name for stream in discovery.app.streams] == ["news"]
    assert only(discovery, "stream-inferred").severity == "warning"


LATE = """
    from motia import state, stateManager
    config = {"name": "Late", "triggers": [state(condition=lambda change: change["scope"] == "orders")]}
    def handler(change, ctx):
        stateManager.set("late", change["key"], change["new_value"])
"""


def test_a_trigger_that_an_edit_brings_works_and_goes_with_the_next(tmp_path: Path) -> None:
    write(tmp_path, {path: text for path, text in PROJECT.items() if path.endswith(("write_step.py", "read_step.py"))})
    read = "/read/late/{}"
    with Dev(tmp_path) as dev:
        written(dev, ["set", "orders", "early", 1])
        for version, key in ((1, "a"), (3, "b")):  # with the trigger, without it, and with it again
            write(tmp_path, {"steps/late_step.py": LATE})
            wait_until("the edit", lambda: len(dev.all("reloaded")) >= version)  # noqa: B023 - called at once
            written(dev, ["set", "orders", key, key])
            wait_until("the change", lambda: dev.http("GET", read.format(key)).json()["found"] == key)  # noqa: B023
            (tmp_path / "steps/late_step.py").unlink()
            wait_until("the edit", lambda: len(dev.all("reloaded")) > version)  # noqa: B023
            written(dev, ["set", "orders", "unseen", key])
        assert dev.http("GET", read.format("early")).json()["found"] is None
        assert dev.http("GET", read.format("unseen")).json()["found"] is None
        tables = dev.client("dynamodb")
        (name,) = (table for table in tables.list_tables()["TableNames"] if table.endswith("--state"))
        assert "StreamSpecification" not in tables.describe_table(TableName=name)["Table"]


def test_the_page_s_example_is_a_step(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/state-and-streams.md").read_text()
    section = page.partition("## Reacting to changes")[2]
    discovery = found(tmp_path, section.partition("```python\n")[2].partition("```")[0])
    assert not [finding for finding in discovery.findings if finding.severity == "error"]
    assert len(step_of(discovery).table_triggers) == 2

"""`treadle types`: editors know requests, messages and streams; pyright, as it is published, judges."""

from __future__ import annotations

import ast
import builtins
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.command import treadle
from support.projects import EXAMPLES, write
from support.schemas import some_document
from treadle_infra.app.findings import SourceLocation
from treadle_infra.app.model import App, Emit, HttpTrigger, Json, Step, Stream, TopicTrigger
from treadle_infra.interface.types import types_module

STEP = """
config = {
    "name": "AskTwice",
    "type": "api",
    "path": "/twice/:who",
    "method": "POST",
    "bodySchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    "responseSchema": {202: {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
    "emits": ["question.asked"],
}

from treadle_types import AskTwiceContext, AskTwiceRequest, AskTwiceResponse


async def handler(req: AskTwiceRequest, context: AskTwiceContext) -> AskTwiceResponse:
    text = req["body"]["text"].upper() + req["pathParams"]["who"]
    req["body"]["txet"]  # wrong
    req["pathParams"]["whom"]  # wrong
    await context.emit({"topic": "question.asked", "data": {"id": "1", "question": text}})
    await context.emit({"topic": "question.asked", "data": {"id": "1", "question": 2}})  # wrong
    await context.emit({"topic": "question.asked", "data": {"id": "1"}})  # wrong
    await context.emit({"topic": "question.answered", "data": {}})  # wrong
    await context.streams.answers.set("all", "1", {"question": text, "status": "planning", "text": ""})
    await context.streams.answers.set("1", {"question": text, "status": "planning", "text": ""})
    await context.streams.answers.set("1", {"question": text, "status": "finished", "text": ""})  # wrong
    await context.streams["answers"].set("1", {"question": text})  # wrong
    context.streams.answer  # wrong
    answer = await context.streams.answers.get("all", "1")
    if answer is not None:
        context.logger.info(answer["id"] + answer["text"])
        answer["author"]  # wrong
    await context.state.set("group", "key", {"any": ["value"]}, ttl_seconds=60)
    await context.state.set("group", "key", 1, ttl="a minute")  # wrong
    (await context.state.get("group", "key"))["any"]
    if not text:
        return {"status": 202, "body": {"ident": "1"}}  # wrong
    return {"status": 202, "body": {"id": "1"}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent's example with a step that is annotated, and the types of all that."""
    folder = tmp_path_factory.mktemp("typed") / "ai-agent"
    shutil.copytree(EXAMPLES / "ai-agent", folder, ignore=shutil.ignore_patterns(".treadle", "__pycache__", "tests"))
    write(folder, "steps/ask_twice_step.py", STEP)
    done = treadle("types", folder)
    assert (done.code, done.err) == (0, f"{folder / 'treadle_types.py'}: types\n")
    return folder


def test_a_checker_refuses_what_is_wrong_and_takes_what_is_right(project: Path) -> None:
    write(
        project, "pyrightconfig.json", json.dumps({"include": ["steps", "treadle_types.py"], "pythonVersion": "3.13"})
    )

    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "-p", project], capture_output=True, text=True, timeout=100
    )

    problems: list[dict[str, Any]] = json.loads(done.stdout)["generalDiagnostics"]
    errors = [problem for problem in problems if problem["severity"] == "error"]
    lines = STEP.splitlines()
    wrong = {number for number, line in enumerate(lines) if line.endswith("# wrong")}
    assert {problem["file"].rpartition("/")[2] for problem in errors} == {"ask_twice_step.py"}
    assert {problem["range"]["start"]["line"] for problem in errors} == wrong


def test_an_annotated_step_is_loaded_from_its_zip_with_its_types(project: Path, tmp_path: Path) -> None:
    done = treadle("synth", project, "--out", tmp_path / "assembly")

    assert (done.code, done.out.strip()) == (0, str(tmp_path / "assembly")), done.err
    assert treadle("types", project, "--check").code == 0


def test_types_that_are_out_of_date_fail_the_check_and_nothing_is_written(project: Path, tmp_path: Path) -> None:
    missing = treadle("types", project, "--check", "-o", tmp_path / "types.py")

    assert missing.code == 1
    assert "error[types-out-of-date]" in missing.err
    assert list(tmp_path.iterdir()) == []


def test_a_step_may_be_newer_than_the_types_that_it_imports(project: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(project, newer, ignore=shutil.ignore_patterns(".treadle", "__pycache__"))
    write(newer, "steps/ask_twice_step.py", STEP.replace("AskTwice", "AskThrice"))

    assert treadle("types", newer, "--check").code == 1
    assert treadle("types", newer).code == 0
    assert "class AskThriceRequest" in (newer / "treadle_types.py").read_text()


def module_of(app: App) -> dict[str, Any]:
    """The module of an app's types, run; what it defines, by name."""
    text = types_module(app)
    found: dict[str, Any] = {"__name__": "treadle_types"}
    exec(compile(ast.parse(text), "treadle_types.py", "exec"), found)  # noqa: S102
    return found


def test_names_that_python_cannot_have_find_a_form() -> None:
    schema: Json = {
        "type": "object",
        "properties": {"class": {"type": "string"}, "a-b": {"type": "integer"}, "__x": {"enum": [1.5]}},
    }
    steps = (
        Step("Context", SourceLocation("a_step.py"), (HttpTrigger("GET", "/:id", body_schema=schema),)),
        Step("3 d's", SourceLocation("b_step.py"), (TopicTrigger("a b", schema),), emits=(Emit("a b"), Emit("a.b"))),
        Step("str", SourceLocation("c_step.py"), ()),
    )

    found = module_of(App("app", steps, (Stream("class"), Stream("pet-news", schema=schema))))

    assert found["ContextBody"].__annotations__.keys() == {"class", "a-b", "__x"}
    assert {"ContextRequest", "ContextContext", "T3DSInput", "T3DSContext", "ABEvent", "ABEvent2", "StrContext"} <= set(
        found
    )


def names_in(text: str) -> set[str]:
    """The names that a module's annotations speak of, also where they stand in quotes."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
        if annotation is not None:
            names |= {part.id for part in ast.walk(annotation) if isinstance(part, ast.Name)}
        value = node.value if isinstance(node, ast.AnnAssign) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            names |= {part.id for part in ast.walk(ast.parse(value.value)) if isinstance(part, ast.Name)}
    return names


@given(st.lists(some_document(), min_size=1, max_size=3))
def test_the_module_of_any_schemas_is_python_without_a_name_that_it_lacks(schemas: list[Json]) -> None:
    steps = tuple(
        Step(
            f"S{number}",
            SourceLocation("a_step.py"),
            (HttpTrigger("POST", "/", body_schema=schema), TopicTrigger("t", schema)),
        )
        for number, schema in enumerate(schemas)
    )

    app = App("app", steps, (Stream("items", schema=schemas[0]),))

    found = module_of(app)

    assert names_in(types_module(app)) <= found.keys() | set(dir(builtins))

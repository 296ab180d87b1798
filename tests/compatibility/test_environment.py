"""A Motia project finds its variables (of the shell and of `.env`) and its files, which it reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.dev import Dev
from support.projects import write

PROJECT = {
    ".env": "FROM_FILE=file\nFROM_BOTH=file\n",
    "helpers/keys.py": 'import os\n\nKEY = os.environ["FROM_SHELL"]\n',
    "steps/chat/prompt.txt": "be kind",
    "steps/chat/told_step.py": """\
import os
from pathlib import Path

from helpers.keys import KEY

config = {"name": "Told", "type": "api", "path": "/told", "method": "GET", "emits": [], "includeFiles": ["prompt.txt"]}


async def handler(req, context):
    names = ["FROM_FILE", "FROM_BOTH", "NOT_ASKED_FOR", "AWS_PROFILE"]
    found = {name: os.environ.get(name) for name in names}
    asked = os.environ.get("AWS_PROFILE"), os.getenv('HOME')
    prompt = (Path(__file__).parent / "prompt.txt").read_text()
    return {"body": {**found, "key": KEY, "asked": asked, "prompt": prompt}}
""",
    "data/prices.json": '{"tea": 3}',
    "data/notes.txt": "",
    "steps/files_step.py": """\
import json
import os
import sqlite3
from pathlib import Path

config = {"name": "Files", "type": "api", "path": "/files", "method": "POST", "emits": []}
HERE = Path(__file__).parent


async def handler(req, context):
    prices = json.load(open("data/prices.json"))
    with sqlite3.connect("app.db") as database:
        database.execute("create table if not exists notes (text)")
        database.execute("insert into notes values (?)", (req["body"]["text"],))
    name = req["body"]["name"]
    (HERE.parent / "out").mkdir(exist_ok=True)
    (HERE / ".." / "out" / name).write_text(req["body"]["text"])
    return {"body": {"prices": prices, "listed": sorted(os.listdir(".")), "itself": open(__file__).readline()}}
""",
    "steps/more/notes_step.py": """\
import os
import sqlite3

config = {"name": "Notes", "type": "api", "path": "/notes/:name", "method": "GET", "emits": []}
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


async def handler(req, context):
    with sqlite3.connect(os.path.join(ROOT, "app.db")) as database:
        notes = database.execute("select text from notes").fetchall()
    with open(os.path.join(ROOT, "out", req["pathParams"]["name"])) as file:
        text = file.read()
    try:
        open(__file__, "a").close()
        own = "written"
    except OSError as problem:
        own = type(problem).__name__
    return {"body": {"notes": notes, "text": text, "own": own}}
""",
}
TREADLE_STEP = """\
config = {"name": "Write", "type": "api", "path": "/write", "method": "POST", "emits": []}


async def handler(req, context):
    try:
        open("out.txt", "w").close()
    except OSError as problem:
        return {"body": problem.strerror}
    return {"body": "written"}
"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = tmp_path_factory.mktemp("environment")
    for path, text in PROJECT.items():
        write(project, path, text)
    shell = {"FROM_SHELL": "shell", "FROM_BOTH": "shell", "NOT_ASKED_FOR": "shell", "AWS_PROFILE": "mine"}
    with Dev(project, "--no-watch", environment=shell) as running:
        yield running


@pytest.mark.motia("1", "variables of .env and of the shell, files beside the step")
def test_a_step_has_the_variables_that_its_project_asks_for_and_the_files_beside_it(dev: Dev) -> None:
    told = dev.http("GET", "/told").json()
    assert (told["key"], told["FROM_FILE"], told["FROM_BOTH"]) == ("shell", "file", "shell")
    assert told["prompt"] == "be kind"


def test_nothing_else_of_the_shell_and_no_profile_of_aws_is_there(dev: Dev) -> None:
    told = dev.http("GET", "/told").json()
    assert (told["NOT_ASKED_FOR"], told["AWS_PROFILE"], told["asked"][0]) == (None, None, None)


@pytest.mark.motia("2", "a project that is Motia's reads and writes files in its folder, in dev")
def test_steps_read_and_write_files_of_the_project(dev: Dev) -> None:
    answer = dev.http("POST", "/files", {"text": "hello", "name": "a.txt"}).json()

    assert answer["prices"] == {"tea": 3}
    assert {"app.db", "data", "out", "steps"} <= set(answer["listed"])
    assert answer["itself"] == "import json\n"
    assert (dev.project / "out" / "a.txt").read_text() == "hello"
    assert dev.http("GET", "/notes/a.txt").json() == {"notes": [["hello"]], "text": "hello", "own": "OSError"}


def test_a_project_with_treadles_settings_has_its_code_read_only_as_on_lambda(tmp_path: Path) -> None:
    write(tmp_path, "treadle.toml", 'name = "strict"\n')
    write(tmp_path, "steps/write_step.py", TREADLE_STEP)
    with Dev(tmp_path, "--no-watch") as running:
        assert running.http("POST", "/write").body == b"Read-only file system"
    assert not (tmp_path / "out.txt").exists()

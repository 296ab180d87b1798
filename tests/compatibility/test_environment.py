"""A Motia project finds its variables and its files: the shell's, `.env`'s, and what `includeFiles` names."""

from __future__ import annotations

from collections.abc import Iterator

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
}


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

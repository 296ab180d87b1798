"""The examples: each is what it says, has nothing wrong with it, and passes its own tests against `treadle dev`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import treadle
from support.projects import EXAMPLES
from treadle_infra.scaffold import TEMPLATES, files_of_template

NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if (folder / "README.md").is_file())
UNUSED_TOPICS = {"message.processed", "summary.generated"}
"""Of the messaging example: its steps are as they were given."""


def own_files(folder: Path) -> dict[str, str]:
    """The texts of an example by their paths in it, without what running it leaves behind."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in files
        if not {".treadle", "__pycache__", ".pytest_cache"} & set(path.relative_to(folder).parts)
    }


def test_there_are_six_and_the_list_has_them_all() -> None:
    listed = (EXAMPLES / "README.md").read_text()

    assert len(NAMES) >= 6
    assert all(f"[{name}]({name}/README.md)" in listed for name in NAMES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_example_that_is_a_template_is_what_new_writes(name: str) -> None:
    assert own_files(EXAMPLES / name) == files_of_template(name, name)


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_what_it_shows_and_how_to_see_it(name: str) -> None:
    readme = (EXAMPLES / name / "README.md").read_text()

    assert readme.startswith(f"# {name}\n\n")
    assert "    treadle dev .\n" in readme
    assert "curl -X POST http://127.0.0.1:3000/" in readme


@pytest.mark.parametrize("name", NAMES)
def test_check_has_nothing_against_it(name: str) -> None:
    findings = treadle("check", EXAMPLES / name, "--json").json()["findings"]

    unexpected = [
        finding
        for finding in findings
        if finding["code"] != "bytecode-not-built"
        and not (name == "messaging" and any(topic in finding["message"] for topic in UNUSED_TOPICS))
    ]
    assert unexpected == []


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_its_own_tests(name: str) -> None:
    alone = ["-q", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *alone],
        cwd=EXAMPLES / name,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )

    assert done.returncode == 0, done.stdout[-3000:]

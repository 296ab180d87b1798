"""`treadle new`: what is written, what is refused."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from support.command import treadle
from support.projects import EXAMPLES, files_of, write


def test_new_writes_the_messaging_example_and_says_what_is_next(tmp_path: Path) -> None:
    done = treadle("new", "my-app", folder=tmp_path)

    assert (done.code, done.out) == (0, "")
    written = files_of(tmp_path / "my-app")
    assert done.err.startswith(f"my-app: {len(written)} files\n")
    assert all(f"  {name}\n" in done.err for name in written)
    assert done.err.endswith("\nNext:  treadle dev my-app\n")
    example = files_of(EXAMPLES / "messaging" / "steps")
    steps = {name.removeprefix("steps/"): text for name, text in written.items() if name.startswith("steps/")}
    assert steps == {name: text for name, text in example.items() if "__pycache__" not in name}
    assert not any("__pycache__" in name for name in written)


def test_a_new_project_has_no_error_and_ignores_what_treadle_keeps_there(tmp_path: Path) -> None:
    treadle("new", "my-app", folder=tmp_path)

    done = treadle("check", "my-app", folder=tmp_path)

    assert done.code == 0
    assert "0 errors" in done.err
    subprocess.run(["git", "init", "-q", tmp_path / "my-app"], check=True)
    status = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=tmp_path / "my-app", capture_output=True, text=True, check=True
    )
    assert ".treadle" not in status.stdout


@pytest.mark.parametrize(
    ("folder", "name"), [("my-app", "my-app"), ("My App", "my-app"), ("3 Größen!", "app-3-gr-en"), ("x" * 40, "x" * 28)]
)
def test_the_apps_name_is_the_folders_made_legal(tmp_path: Path, folder: str, name: str) -> None:
    assert treadle("new", folder, folder=tmp_path).code == 0

    assert tomllib.loads((tmp_path / folder / "treadle.toml").read_text()) == {"name": name}
    assert (tmp_path / folder / "README.md").read_text().startswith(f"# {name}\n")


def test_the_next_command_can_be_pasted_where_the_folder_has_a_space(tmp_path: Path) -> None:
    done = treadle("new", "My App", folder=tmp_path)

    assert done.err.endswith("Next:  treadle dev 'My App'\n")


def test_new_makes_the_folder_inside_the_one_that_is_given(tmp_path: Path) -> None:
    assert treadle("new", "my-app", "-C", tmp_path).code == 0

    assert (tmp_path / "my-app" / "steps" / "api_step.py").is_file()


def test_new_takes_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "my-app").mkdir()

    assert treadle("new", "my-app", folder=tmp_path).code == 0


def test_new_refuses_a_folder_with_something_in_it_and_touches_nothing(tmp_path: Path) -> None:
    write(tmp_path, "my-app/notes.txt", "mine")

    done = treadle("new", "my-app", folder=tmp_path)

    assert (done.code, done.out) == (1, "")
    assert done.err == "error[folder-not-empty]: my-app exists and is not empty\nhint: choose another name\n"
    assert files_of(tmp_path) == {"my-app/notes.txt": b"mine"}


def test_new_refuses_a_template_that_there_is_not_and_names_those_there_are(tmp_path: Path) -> None:
    done = treadle("new", "my-app", "--template", "shop", folder=tmp_path)

    assert done.code == 1
    assert done.err == "error[no-such-template]: there is no template `shop`\nhint: the templates are: messaging\n"
    assert list(tmp_path.iterdir()) == []


def test_new_in_a_place_that_cannot_be_written_is_no_bug(tmp_path: Path) -> None:
    write(tmp_path, "file", "")

    done = treadle("new", "file/my-app", folder=tmp_path)

    assert done.code == 1
    assert done.err.startswith("error[folder-not-writable]: file/my-app cannot be written: Not a directory\n")

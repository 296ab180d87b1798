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
    assert done.err == (
        "error[no-such-template]: there is no template `shop`\n"
        "hint: the templates are: messaging, todo-api, ai-agent, human-approval\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_new_in_a_place_that_cannot_be_written_is_no_bug(tmp_path: Path) -> None:
    write(tmp_path, "file", "")

    done = treadle("new", "file/my-app", folder=tmp_path)

    assert done.code == 1
    assert done.err.startswith("error[folder-not-writable]: file/my-app cannot be written: Not a directory\n")


# treadle step new


def step_new(project: Path, *arguments: str) -> str:
    done = treadle("step", "new", *arguments, "-C", project)
    assert (done.code, done.out) == (0, ""), done.err
    return done.err.strip()


def test_every_kind_of_new_step_passes_the_check(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    project.mkdir()

    written = [
        step_new(project, "PlaceOrder", "--method", "post", "--path", "/orders/:id", "--emits", "ship order.wanted"),
        step_new(project, "ship order", "--type", "event", "--subscribes", "ship order.wanted", "--flow", 'the "shop"'),
        step_new(project, "count-orders", "--type", "cron", "--cron", "*/5 * * * *"),
        step_new(project, "orders", "--type", "stream"),
        step_new(project, "Customer", "--type", "noop", "--emits", "asked"),
    ]

    assert written == [
        *("steps/place_order_step.py", "steps/ship_order_step.py", "steps/count_orders_step.py"),
        *("steps/orders_stream.py", "steps/customer_step.py"),
    ]
    checked = treadle("check", project, "--json")
    assert [finding for finding in checked.json()["findings"] if finding["code"] != "bytecode-not-built"] == []
    assert '"flows": ["the \\"shop\\""],' in (project / "steps" / "ship_order_step.py").read_text()


def test_a_new_step_goes_where_the_others_are(tmp_path: Path) -> None:
    write(tmp_path, "src/a_step.py", "")

    assert step_new(tmp_path, "HTTPStatus2Page") == "src/http_status_2_page_step.py"
    assert step_new(tmp_path, "other_step", "--dir", "src/deep") == "src/deep/other_step.py"
    assert '"name": "HTTPStatus2Page"' in (tmp_path / "src" / "http_status_2_page_step.py").read_text()


def test_a_new_step_never_replaces_a_file(tmp_path: Path) -> None:
    write(tmp_path, "steps/hello_step.py", "mine")

    done = treadle("step", "new", "Hello", "-C", tmp_path)

    assert done.code == 1
    assert "error[step-exists]" in done.err
    assert (tmp_path / "steps" / "hello_step.py").read_text() == "mine"


@pytest.mark.parametrize(("arguments", "code"), [(["../x"], "name-not-allowed"), (["A", "--method", "FETCH"], "step-")])
def test_what_cannot_be_a_step_is_refused(tmp_path: Path, arguments: list[str], code: str) -> None:
    done = treadle("step", "new", *arguments, "-C", tmp_path)

    assert done.code == 1
    assert f"error[{code}" in done.err
    assert list(tmp_path.iterdir()) == []

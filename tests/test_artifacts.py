"""A step becomes a zip: the adapter, the step's slice of the manifest, the files it imports, and nothing else."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import treadle
from support.sample_apps import messaging_app, names, topic_step
from treadle.names import BROADCAST, WEBSOCKET
from treadle_infra.app.findings import SourceLocation
from treadle_infra.app.model import (
    App,
    Authentication,
    CronTrigger,
    Emit,
    HttpTrigger,
    QueueSettings,
    Step,
    Stream,
    TopicTrigger,
)
from treadle_infra.artifacts.archive import archive_entry, build_archive
from treadle_infra.artifacts.bundle import BundleOptions, Bundles, bundle
from treadle_infra.artifacts.manifest_slice import manifest_slice, system_slice
from treadle_infra.artifacts.model import Artifact
from treadle_infra.interpreters import find_interpreter

HANDLER = "from services import shared\n\ndef handler(request, context):\n    return shared.answer()\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def make_project(folder: Path) -> Path:
    files = {
        "steps/api_step.py": HANDLER,
        "steps/event_step.py": "def handler(message, context):\n    pass\n",
        "steps/cron_step.py": "def handler(context):\n    pass\n",
        "services/__init__.py": "",
        "services/shared.py": "def answer():\n    return {'status': 200}\n",
        "services/unused.py": "raise RuntimeError\n",
        "secrets.env": "KEY=1\n",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def sample_app(flows: tuple[str, ...] = ("messaging",)) -> App:
    """The messaging app, whose first step imports `services.shared`."""
    first, second, third = messaging_app().steps
    files = ("services/__init__.py", "services/shared.py", "steps/api_step.py")
    first = dataclasses.replace(first, files=files, flows=flows)
    return dataclasses.replace(messaging_app(), steps=(first, second, third))


def bundled(project: Path, cache: Path, app: App | None = None, *, interpreter: str | None = None) -> Bundles:
    return bundle(project, app or sample_app(), BundleOptions(cache, interpreter))


def matching_interpreter() -> str:
    found = find_interpreter()
    if not found.matches:
        pytest.skip(f"no Python {found.version} here")
    return found.path


def contents(artifact: Artifact) -> dict[str, bytes]:
    with zipfile.ZipFile(artifact.path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


# What is inside

SLICES = ("treadle/manifest.json", "treadle/system.json")


def test_a_zip_holds_the_adapter_the_slice_and_the_files_that_the_step_imports(project: Path, tmp_path: Path) -> None:
    inside = contents(bundled(project, tmp_path / "cache").artifacts["SendMessage"])
    assert {name for name in inside if name.startswith("app/")} == {
        "app/services/__init__.py",
        "app/services/shared.py",
        "app/steps/api_step.py",
    }
    assert inside["app/steps/api_step.py"].decode() == HANDLER
    root = Path(treadle.__file__).parent
    adapter = {f"treadle/{path.relative_to(root).as_posix()}" for path in root.rglob("*.py")}
    shipped = {name for name in adapter if not name.startswith("treadle/motia/")}
    assert {name for name in inside if not name.startswith("app/")} == {*shipped, "treadle/manifest.json"}


def test_the_slice_in_the_zip_is_the_steps_own(project: Path, tmp_path: Path) -> None:
    bundles = bundled(project, tmp_path / "cache")
    slices = {
        name: {path: json.loads(content) for path, content in contents(artifact).items() if path in SLICES}
        for name, artifact in bundles.artifacts.items()
    }
    app = sample_app()
    steps = {step.name: {"treadle/manifest.json": manifest_slice(step)} for step in app.steps}
    own = {name: {"treadle/system.json": system_slice(name, app)} for name in (WEBSOCKET, BROADCAST)}
    assert slices == steps | own


def test_a_slice_says_what_the_adapter_needs_to_know() -> None:
    step = Step(
        "Both",
        SourceLocation("steps/both_step.py"),
        (HttpTrigger("POST", "/orders/:id"), TopicTrigger("todo", queue=QueueSettings(max_retries=5))),
        emits=(Emit("done"),),
        flows=("one",),
    )
    assert manifest_slice(step) == {
        "manifest": 1,
        "step": "Both",
        "source": "steps/both_step.py",
        "flows": ["one"],
        "triggers": [{"kind": "api", "routeKey": "POST /orders/{id}"}, {"kind": "event", "topic": "todo"}],
        "timeoutSeconds": 29,
        "queue": {"maxRetries": 5},
        "emits": ["done"],
        "streams": [],
        "telemetry": None,
    }
    plain = Step("Plain", SourceLocation("steps/plain_step.py"), (HttpTrigger("GET", "/"),))
    assert (manifest_slice(plain)["queue"], manifest_slice(plain)["emits"]) == (None, None)


def test_a_cron_triggers_slice_has_its_number_and_the_guard_where_aws_fires_too_often() -> None:
    triggers = (CronTrigger("0 9 * * *"), HttpTrigger("GET", "/"), CronTrigger("0 9 13 * FRI", "Europe/Berlin"))
    document: Any = manifest_slice(Step("Cron", SourceLocation("steps/cron_step.py"), triggers))
    plain, _, guarded = document["triggers"]
    assert plain == {"kind": "cron", "number": 0, "expression": "0 9 * * *", "timezone": None, "guard": None}
    assert (guarded["number"], guarded["timezone"]) == (1, "Europe/Berlin")
    assert (guarded["guard"]["daysOfMonth"], guarded["guard"]["daysOfWeek"]) == ([13], [5])


def test_the_zip_behind_the_websocket_api_carries_what_decides_who_may_follow_what(
    project: Path, tmp_path: Path
) -> None:
    (project / "auth.py").write_text("def authenticate(request):\n    return None\n")
    stream = Stream(
        "messages", SourceLocation("steps/api_step.py", 1), checks_access=True, files=("steps/api_step.py",)
    )
    authentication = Authentication("auth.py", "authenticate", ("auth.py",))
    app = dataclasses.replace(sample_app(), streams=(stream,), authentication=authentication)
    bundles = bundled(project, tmp_path / "cache", app)
    inside = contents(bundles.artifacts[WEBSOCKET])
    assert {name for name in inside if name.startswith("app/")} == {"app/auth.py", "app/steps/api_step.py"}
    assert json.loads(inside["treadle/system.json"]) == {
        "manifest": 1,
        "system": "websocket",
        "streams": {"messages": {"source": "steps/api_step.py", "checksAccess": True}},
        "telemetry": None,
        "authenticate": {"source": "auth.py", "function": "authenticate"},
    }
    assert not [name for name in contents(bundles.artifacts[BROADCAST]) if name.startswith("app/")]


# Reproducible


def test_the_same_files_become_the_same_bytes_wherever_they_stand(tmp_path: Path) -> None:
    one = bundled(make_project(tmp_path / "one"), tmp_path / "cache-one").artifacts
    elsewhere = make_project(tmp_path / "with space" / "other")
    os.utime(elsewhere / "steps/api_step.py", (0, 0))
    (elsewhere / "services/shared.py").chmod(0o600)
    other = bundled(elsewhere, tmp_path / "cache-other").artifacts
    assert {step: artifact.key for step, artifact in one.items()} == {
        step: artifact.key for step, artifact in other.items()
    }
    for step, artifact in one.items():
        assert artifact.path.read_bytes() == other[step].path.read_bytes()


def test_bytecode_is_the_same_wherever_it_is_compiled_and_leaves_the_key_alone(tmp_path: Path) -> None:
    interpreter = matching_interpreter()
    plain = bundled(make_project(tmp_path / "one"), tmp_path / "cache-one")
    one = bundled(make_project(tmp_path / "one"), tmp_path / "cache-one", interpreter=interpreter)
    alone = dataclasses.replace(sample_app(), steps=sample_app().steps[:1])
    other = bundled(make_project(tmp_path / "two"), tmp_path / "cache-two", alone, interpreter=interpreter)
    assert one.findings == other.findings == ()
    first, second = one.artifacts["SendMessage"], other.artifacts["SendMessage"]
    assert first.key == second.key == plain.artifacts["SendMessage"].key
    assert first.path.read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize("changed", ["services/shared.py", "steps/api_step.py"])
def test_a_change_in_a_file_changes_the_key_of_the_steps_that_import_it_only(
    project: Path, tmp_path: Path, changed: str
) -> None:
    before = bundled(project, tmp_path / "cache").artifacts
    (project / changed).write_text((project / changed).read_text() + "# changed\n")
    after = bundled(project, tmp_path / "cache").artifacts
    assert before["SendMessage"].key != after["SendMessage"].key
    assert before["ProcessMessage"] == after["ProcessMessage"]


def test_a_change_in_what_the_config_says_changes_the_key(project: Path, tmp_path: Path) -> None:
    before = bundled(project, tmp_path / "cache").artifacts
    after = bundled(project, tmp_path / "cache", sample_app(flows=("other",))).artifacts
    assert before["SendMessage"].key != after["SendMessage"].key


def test_a_zip_that_was_made_before_is_not_made_again(project: Path, tmp_path: Path) -> None:
    artifact = bundled(project, tmp_path / "cache").artifacts["SendMessage"]
    artifact.path.write_bytes(b"made before")
    again = bundled(project, tmp_path / "cache").artifacts["SendMessage"]
    assert again.path.read_bytes() == b"made before"


def test_the_cache_can_be_deleted_and_forgets_what_nobody_uses(project: Path, tmp_path: Path) -> None:
    artifact = bundled(project, tmp_path / "cache").artifacts["SendMessage"]
    old = tmp_path / "cache" / "zips" / f"{'0' * 64}.zip"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    os.utime(artifact.path, (0, 0))
    bundled(project, tmp_path / "cache")
    assert not old.exists()
    assert artifact.path.exists()
    shutil.rmtree(tmp_path / "cache")
    assert bundled(project, tmp_path / "cache").artifacts["SendMessage"].path.exists()


# Bytecode


def test_the_runtimes_python_uses_the_bytecode_without_looking_at_the_source(project: Path, tmp_path: Path) -> None:
    interpreter = matching_interpreter()
    artifact = bundled(project, tmp_path / "cache", interpreter=interpreter).artifacts["SendMessage"]
    with zipfile.ZipFile(artifact.path) as archive:
        archive.extractall(tmp_path / "task")
    for source in (tmp_path / "task" / "app").rglob("*.py"):
        source.write_text("raise AssertionError('the source was used')\n")
    code = "import sys; sys.path[:0] = ['app', 'app/steps']; import api_step; print(api_step.handler({}, None))"
    ran = subprocess.run([interpreter, "-c", code], cwd=tmp_path / "task", capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("{'status': 200}\n", "")


def test_bytecode_names_the_place_on_lambda_and_no_place_here(project: Path, tmp_path: Path) -> None:
    artifact = bundled(project, tmp_path / "cache", interpreter=matching_interpreter()).artifacts["SendMessage"]
    compiled = {name: content for name, content in contents(artifact).items() if name.endswith(".pyc")}
    assert b"/var/task/app/steps/api_step.py" in compiled["app/steps/__pycache__/api_step.cpython-313.pyc"]
    for content in compiled.values():
        assert str(tmp_path).encode() not in content
        assert str(Path(treadle.__file__).parent).encode() not in content


def test_without_a_matching_interpreter_there_is_a_warning_and_no_bytecode(project: Path, tmp_path: Path) -> None:
    bundles = bundled(project, tmp_path / "cache")
    assert [(finding.severity, finding.code) for finding in bundles.findings] == [("warning", "bytecode-not-built")]
    assert not any(name.endswith(".pyc") for name in contents(bundles.artifacts["SendMessage"]))


@pytest.mark.skipif(sys.version_info[:2] == (3, 13), reason="this Python is the runtime's")
def test_an_interpreter_of_another_version_is_not_used(project: Path, tmp_path: Path) -> None:
    bundles = bundled(project, tmp_path / "cache", interpreter=sys.executable)
    (finding,) = bundles.findings
    assert finding.code == "bytecode-not-built"
    assert "not 3.13" in finding.message


@pytest.mark.parametrize("interpreter", ["/nowhere/python3.13", "/bin/false"])
def test_an_interpreter_that_does_not_run_is_a_warning(project: Path, tmp_path: Path, interpreter: str) -> None:
    bundles = bundled(project, tmp_path / "cache", interpreter=interpreter)
    assert [finding.code for finding in bundles.findings] == ["bytecode-not-built"]
    assert set(bundles.artifacts) == {"SendMessage", "ProcessMessage", "DailySummary", WEBSOCKET, BROADCAST}


def test_a_source_that_does_not_compile_ships_without_bytecode_and_says_where(project: Path, tmp_path: Path) -> None:
    (project / "services/shared.py").write_text("def answer():\n    return (\n")
    bundles = bundled(project, tmp_path / "cache", interpreter=matching_interpreter())
    (finding,) = bundles.findings
    assert (finding.severity, finding.code) == ("warning", "source-does-not-compile")
    assert finding.where == SourceLocation("services/shared.py", 2)
    inside = contents(bundles.artifacts["SendMessage"])
    assert "app/services/shared.py" in inside
    assert "app/services/__pycache__/shared.cpython-313.pyc" not in inside
    assert "app/steps/__pycache__/api_step.cpython-313.pyc" in inside


# What cannot be bundled


def test_a_step_with_a_file_that_is_gone_is_left_out_with_a_finding(project: Path, tmp_path: Path) -> None:
    (project / "services/shared.py").unlink()
    bundles = bundled(project, tmp_path / "cache")
    assert set(bundles.artifacts) == {"ProcessMessage", "DailySummary", WEBSOCKET, BROADCAST}
    assert [finding.code for finding in bundles.findings] == ["file-unreadable", "bytecode-not-built"]
    assert "`services/shared.py`" in bundles.findings[0].message


def test_a_step_whose_triggers_want_different_queues_is_left_out_with_a_finding(tmp_path: Path, project: Path) -> None:
    step = topic_step("Work", "a")
    triggers = (*step.triggers, TopicTrigger("b", queue=QueueSettings(max_retries=9)))
    app = dataclasses.replace(sample_app(), steps=(dataclasses.replace(step, triggers=triggers, files=()),))
    bundles = bundled(project, tmp_path / "cache", app)
    assert "Work" not in bundles.artifacts
    assert bundles.findings[0].code == "queue-settings-differ"


# The zip itself


@given(st.dictionaries(names.filter(lambda name: "/" not in name), st.binary(max_size=300), max_size=6))
def test_any_zip_reads_back_as_what_went_in_and_depends_on_nothing_else(files: dict[str, bytes]) -> None:
    entries = {f"folder/{name}": archive_entry(content) for name, content in files.items()}
    written = build_archive(entries)
    assert written == build_archive(dict(reversed(entries.items())))
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(entries)
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.create_system, info.external_attr >> 16) == (3, 0o100644)
        for name, content in files.items():
            assert archive.read(f"folder/{name}") == content


def test_a_zip_is_what_unzip_takes(tmp_path: Path) -> None:
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("no unzip here")
    path = tmp_path / "a.zip"
    path.write_bytes(build_archive({"app/größe.py": archive_entry(b"x = 1\n"), "treadle/a.py": archive_entry(b"")}))
    assert subprocess.run([unzip, "-tq", str(path)], capture_output=True, check=False).returncode == 0

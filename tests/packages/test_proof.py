"""Every handler loads from what would be deployed and nothing else, or the deployment is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from packages.conftest import Build
from packages.test_layers import found, step
from support.discovered import write
from treadle_infra.compile import Compilation, compile_project
from treadle_infra.options import usual_options
from treadle_infra.packages.platforms import Target

ON_LAMBDA = 'import os\nif "_HANDLER" in os.environ:\n    '


@pytest.fixture
def prove(build: Build, tmp_path: Path) -> Build:
    """Builds a project against the index, and loads its handlers."""
    project = tmp_path / "project"

    def proven(files: dict[str, str], target: Target = "host") -> Compilation:
        write(project, files)
        return compile_project(project, "dev", dataclasses.replace(usual_options(project, target), proves=True))

    return proven


def test_handlers_that_load_are_not_loaded_again_until_their_zip_changes(prove: Build, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    source = f"import leaf\n{ON_LAMBDA}open({str(trace)!r}, 'a').write('x')"
    files = {"steps/a_step.py": step("A", source), "steps/b_step.py": step("B"), "requirements.txt": "leaf\n"}

    assert prove(files).findings == ()
    assert prove(files).findings == ()
    assert trace.read_text() == "x"
    prove({"steps/b_step.py": step("B", "import json")})
    assert trace.read_text() == "x"
    prove({"steps/a_step.py": step("A", source + "\n")})
    assert trace.read_text() == "xx"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("__import__('ab' + 'sent')", "ModuleNotFoundError: No module named 'absent'"),
        ("__import__('le' + 'af')", "ModuleNotFoundError: No module named 'leaf'"),
        ("open(chr(110) + 'otes.txt')", "FileNotFoundError: [Errno 2] No such file or directory: 'notes.txt'"),
        ("os._exit(3)", "it ends the process (exit status 3)"),
        ("raise SystemExit(1)", "SystemExit: 1"),
    ],
)
def test_a_handler_that_does_not_load_is_refused_and_the_others_are_not(
    prove: Build, statement: str, said: str
) -> None:
    broken = step("A", ON_LAMBDA + statement)
    files = {"notes.txt": "", "steps/a_step.py": broken, "steps/b_step.py": step("B"), "requirements.txt": "leaf\n"}
    errors = [one for one in prove(files).findings if one.severity == "error"]

    assert [(one.code, one.where.path if one.where else "") for one in errors] == [
        ("handler-not-loadable", "steps/a_step.py")
    ]
    assert said in errors[0].message
    assert errors[0].hint


def test_no_credentials_and_no_packages_of_treadles_own_are_there(
    prove: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    statement = "assert 'AWS_ACCESS_KEY_ID' not in os.environ"
    assert prove({"steps/a_step.py": step("A", f"{ON_LAMBDA}{statement}\nimport boto3")}).findings == ()
    of_treadle = f"{ON_LAMBDA}exec('import typer')"
    code, _, message = found(prove({"steps/b_step.py": step("B", of_treadle)}))
    assert (code, "No module named 'typer'" in message) == ("handler-not-loadable", True)


def test_packages_for_another_machine_are_not_loaded_and_named(prove: Build) -> None:
    files = {"steps/a_step.py": step("A", "import honest"), "steps/b_step.py": step("B", "import leaf")}
    settings = {"treadle.toml": 'architecture = "arm64"\n', "requirements.txt": "honest\nleaf\n"}
    compilation = prove({**files, **settings}, "aws")

    assert compilation.findings == ()
    assert compilation.untried in (("A",), ())

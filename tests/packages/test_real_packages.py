"""Packages of the real index: pydantic, numpy, and one that has only its source, for Lambda and for this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from packages.test_layers import found, names_in, packages_of, step
from support.deployed import Project, the
from support.dev import Dev
from support.discovered import write
from treadle_infra.compile import compile_project
from treadle_infra.options import usual_options

SUM = """
import numpy
import pydantic


class Numbers(pydantic.BaseModel):
    values: list[int]


config = {"name": "Sum", "type": "api", "path": "/sum", "method": "POST", "emits": []}


async def handler(request, context):
    return {"status": 200, "body": {"sum": int(numpy.array(Numbers(**request["body"]).values).sum())}}
"""


def test_pydantic_and_numpy_are_packaged_for_lambda_and_answer_here(tmp_path: Path, emulator: Dev) -> None:
    project = tmp_path / "real"
    write(project, {"steps/sum_step.py": SUM, "requirements.txt": "pydantic\nnumpy\n"})

    compilation = compile_project(project, "dev", usual_options(project))
    assert {name.partition(" ")[0] for name in packages_of(compilation)["Sum"]} >= {
        "numpy",
        "pydantic",
        "pydantic_core",
    }
    binaries = [name for name in names_in(compilation, "Sum") if name.endswith(".so")]
    assert binaries
    assert all("aarch64" in name for name in binaries if "cpython" in name)

    deployed = the("deployed", Project(emulator, project).events("deploy"))
    path = f"{urlsplit(str(deployed['http'])).path.rstrip('/')}/sum"
    answer = emulator.request(emulator.endpoint, "POST", path, {"values": [1, 2, 39]}, None)
    assert (answer.status, answer.json()) == (200, {"sum": 42})


def test_a_package_that_has_only_its_source_is_refused_by_name(tmp_path: Path) -> None:
    project = tmp_path / "source"
    write(project, {"steps/a_step.py": step("A", "import docopt"), "requirements.txt": "pydantic\ndocopt\n"})

    code, place, message = found(compile_project(project, "dev", usual_options(project)))
    assert (code, place, "`docopt`" in message) == ("package-source-only", "requirements.txt:2", True)

"""Packages that Lambda would not take: told in `treadle dev`, where they run, and refused for AWS."""

from __future__ import annotations

from pathlib import Path

from support.dev import Dev
from support.discovered import write
from support.wheels import write_wheel
from treadle_infra.artifacts.layers import UNZIPPED_LIMIT_BYTES
from treadle_infra.compile import compile_project
from treadle_infra.options import usual_options

STEP = """
import huge

config = {"name": "Large", "type": "api", "path": "/large", "method": "GET"}

def handler(req, context):
    return {"body": {"name": huge.NAME}}
"""


def test_packages_too_large_for_lambda_run_in_dev_and_nowhere_else(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"huge/__init__.py": "NAME = 'huge'\n", "huge/data": bytes(UNZIPPED_LIMIT_BYTES)}
    wheel = write_wheel(tmp_path / "wheels", "huge", files=files)
    project = tmp_path / "project"
    write(project, {"steps/large_step.py": STEP, "requirements.txt": f"{wheel}\n"})

    for_aws = compile_project(project, "dev", usual_options(project))
    assert {finding.code: finding.severity for finding in for_aws.findings} == {"packages-too-large": "error"}
    assert for_aws.assembly is None
    with Dev(project, "--no-watch") as dev:
        assert dev.http("GET", "/large").json() == {"name": "huge"}
        assert "packages-too-large" in dev.text()

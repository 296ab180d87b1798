"""Loads each handler from its zip and layers, in a clean process, once for as long as these stay the same."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle_infra.app.findings import Finding, SourceLocation, TreadleError, error
from treadle_infra.app.model import App
from treadle_infra.artifacts.layers import Layers
from treadle_infra.artifacts.model import Artifact
from treadle_infra.artifacts.project_packages import PackageOptions
from treadle_infra.discovery.environment import import_environment, variables_at_import
from treadle_infra.discovery.importing import CHILD as DISCOVERY_CHILD
from treadle_infra.discovery.importing import runtime_packages
from treadle_infra.packages.platforms import architecture_of
from treadle_infra.topology.model import Function, Topology

PROOF_FORMAT = 1
"""Enters the name of every proof: another way to prove is another proof."""

_CHILD = Path(__file__).with_name("proof_child.py")
_WORKERS = 2
_LOAD_SECONDS = 20.0
"""Twice what Lambda gives a function's start, on machines that are slower and have other things to do."""
_RUNNER_SECONDS = 60.0
_UNUSED_FOR_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Proof:
    """`untried`: the functions whose packages are for another machine, so that only their files were looked at."""

    findings: tuple[Finding, ...] = ()
    untried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Job:
    function: Function
    artifact: Artifact
    layers: tuple[Artifact, ...]
    mark: Path


def prove(
    project: Path,
    app: App,
    topology: Topology,
    artifacts: Mapping[str, Artifact],
    layers: Layers,
    options: PackageOptions,
) -> Proof:
    """That every handler of the topology loads from what would be deployed, and nothing else.

    What was proven before, by the digests of its zips, is not loaded again.
    Raises: TreadleError `interpreter-not-usable`.
    """
    marks = options.cache_directory / "proven"
    environment = import_environment(project, dict(variables_at_import(app.environment, app.secrets)))
    pending: list[_Job] = []
    untried: list[str] = []
    for function in topology.of(Function):
        packages = app.packages.get(function.ref.step)
        used = () if packages is None else (layers.artifacts[packages.key],)
        if used and not _runs_here(app, layers, packages.key if packages else "", options):
            untried.append(function.ref.step)
            continue
        artifact = artifacts[function.ref.step]
        job = _Job(function, artifact, used, marks / _mark(function, artifact, used, environment, options))
        try:
            os.utime(job.mark)
        except OSError:
            pending.append(job)
    findings: list[Finding] = []
    answers = _run(pending, environment, options) if pending else []
    marks.mkdir(parents=True, exist_ok=True)
    for job, answer in zip(pending, answers, strict=True):
        if answer is None:
            job.mark.touch()
        else:
            findings.append(_finding(job, answer, _place(app, job.function)))
    _forget_unused(marks)
    return Proof(tuple(findings), tuple(untried))


def _runs_here(app: App, layers: Layers, key: str, options: PackageOptions) -> bool:
    """Whether these packages can be loaded on this machine: they are for it, or have no machine code."""
    if options.target == "host":
        return True
    names = [file.path.rpartition("/")[2] for one in layers.distributions[key] for file in one.files]
    if not any(name.endswith(".so") or ".so." in name for name in names):
        return True
    interpreter = options.interpreter
    is_linux = interpreter.platform.startswith("linux")
    return is_linux and interpreter.matches and architecture_of(interpreter) == app.architecture


def _mark(
    function: Function,
    artifact: Artifact,
    layers: Iterable[Artifact],
    environment: Mapping[str, str],
    options: PackageOptions,
) -> str:
    """The name of the proof. `HOME` and the like are the user's own and decide nothing."""
    interpreter = options.interpreter
    variables = {
        **{name: value for name, value in environment.items() if name not in os.environ},
        **dict(function.environment),
    }
    parts = [PROOF_FORMAT, interpreter.path, interpreter.version, function.handler, artifact.key, variables]
    return hashlib.sha256(json.dumps([*parts, [layer.key for layer in layers]]).encode()).hexdigest()


def _run(jobs: Sequence[_Job], environment: Mapping[str, str], options: PackageOptions) -> list[dict[str, Any] | None]:
    packages = {name: folder for name, folder in runtime_packages().items() if name != "treadle"}
    with tempfile.TemporaryDirectory(prefix="treadle-proof-", ignore_cleanup_errors=True) as folder:
        request = {
            "folder": folder,
            "runtime": str(DISCOVERY_CHILD),
            "runtime_packages": packages,
            "bytecode_folder": str(options.cache_directory / "runtime"),
            "workers": _WORKERS,
            "seconds": _LOAD_SECONDS,
            "jobs": [_request(job, environment) for job in jobs],
        }
        command = [options.interpreter.path, "-I", "-S", "-B", str(_CHILD)]
        try:
            done = subprocess.run(
                command,
                input=json.dumps(request),
                capture_output=True,
                text=True,
                timeout=_RUNNER_SECONDS + _LOAD_SECONDS * len(jobs),
                check=True,
                env=dict(environment),
                cwd=folder,
            )
            answers: list[dict[str, Any] | None] = json.loads(done.stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as problem:
            said = str(getattr(problem, "stderr", "") or problem).strip().splitlines()[-1:]
            raise TreadleError(
                "interpreter-not-usable",
                f"{options.interpreter.path} cannot load the functions' zips: {''.join(said)}",
            ) from problem
    return answers


def _request(job: _Job, environment: Mapping[str, str]) -> dict[str, object]:
    function = job.function
    variables = {
        **environment,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "_HANDLER": function.handler,
        **dict(function.environment),
    }
    return {
        "zip": str(job.artifact.path),
        "layers": [str(layer.path) for layer in job.layers],
        "handler": function.handler,
        "environment": variables,
    }


def _finding(job: _Job, answer: Mapping[str, Any], where: SourceLocation | None) -> Finding:
    printed: str = answer.get("printed") or ""
    module: str | None = answer["module"]
    hint = (
        f"name `{module}` in an import of the step's, not only by a computed name"
        if module
        else "what the step reads while it is loaded must be in its zip: name it in `includeFiles`"
    )
    told = f"; it printed:\n  {printed}" if printed and not module else ""
    return error(
        "handler-not-loadable",
        f"`{job.function.ref.step}` does not load from what would be deployed: {answer['message']}{told}",
        where,
        hint,
    )


def _place(app: App, function: Function) -> SourceLocation | None:
    return next((step.where for step in app.steps if step.name == function.ref.step), None)


def _forget_unused(marks: Path) -> None:
    oldest = time.time() - _UNUSED_FOR_SECONDS
    for mark in marks.glob("*"):
        try:
            if mark.stat().st_mtime < oldest:
                mark.unlink()
        except OSError:
            continue  # another build was faster

"""Bytecode for a build's files: compiled by the Lambda runtime's own Python in one child process, kept by content."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from treadle_infra.app.findings import Finding, SourceLocation, warning
from treadle_infra.artifacts.files import replace_file
from treadle_infra.interpreters import LAMBDA_PYTHON

TASK_ROOT = "/var/task"
"""Where Lambda unpacks a zip. Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""

_CHILD = Path(__file__).with_name("bytecode_child.py")
_COMPILE_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Bytecode:
    """The .pyc of each source, by (path in the zip, SHA-256 of the source); a source that does not compile has none."""

    compiled: Mapping[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    findings: tuple[Finding, ...] = ()
    version: str = LAMBDA_PYTHON


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A Python file and its place in the zip."""

    zip_path: str
    content: bytes
    sha256: str


def bytecode_path(zip_path: str, version: str = LAMBDA_PYTHON) -> str:
    """Where Python looks for a source's bytecode: `app/steps/a.py` -> `app/steps/__pycache__/a.cpython-313.pyc`."""
    folder, _, name = zip_path.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{_cache_tag(version)}.pyc".lstrip("/")


def _cache_tag(version: str) -> str:
    return f"cpython-{version.replace('.', '')}"


def compile_sources(
    sources: Iterable[SourceFile],
    interpreter: str | None,
    cache_directory: Path,
    *,
    compiles: bool = True,
    version: str = LAMBDA_PYTHON,
) -> Bytecode:
    """The bytecode of all sources, for this version of Python.

    Without an interpreter of it there is none, and a warning says so. Where `compiles` is false there is only what was
    compiled before. Bytecode names its file as it stands on Lambda, whatever machine built it.
    """
    wanted = {(source.zip_path, source.sha256): source for source in sources}
    if interpreter is None:
        return Bytecode(findings=(_no_interpreter(version, f"no Python {version} was found"),))
    compiled: dict[tuple[str, str], bytes] = {}
    missing: list[SourceFile] = []
    for key, source in wanted.items():
        cached = _cache_file(cache_directory, source, version)
        try:
            compiled[key] = cached.read_bytes()
        except OSError:
            missing.append(source)
    if not missing or not compiles:
        return Bytecode(compiled, version=version)
    try:
        answers = _run_child(interpreter, version, missing)
    except _ChildError as problem:
        return Bytecode(findings=(_no_interpreter(version, str(problem)),))
    findings: list[Finding] = []
    for source, answer in zip(missing, answers, strict=True):
        if "bytecode" in answer:
            content = base64.b64decode(answer["bytecode"])
            compiled[source.zip_path, source.sha256] = content
            replace_file(_cache_file(cache_directory, source, version), content)
        else:
            findings.append(_does_not_compile(source, version, answer))
    return Bytecode(compiled, tuple(findings), version)


class _ChildError(Exception):
    pass


def _run_child(interpreter: str, version: str, sources: list[SourceFile]) -> list[dict[str, Any]]:
    files = [
        {"path": f"{TASK_ROOT}/{source.zip_path}", "source": base64.b64encode(source.content).decode()}
        for source in sources
    ]
    request = json.dumps({"version": version, "files": files})
    command = [interpreter, "-I", "-S", str(_CHILD)]
    try:
        done = subprocess.run(
            command, input=request, capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_SECONDS, check=True
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as problem:
        raise _ChildError(f"{interpreter} could not compile the sources ({problem})") from problem
    if answer["version"] != version:
        raise _ChildError(f"{interpreter} is Python {answer['version']}, not {version}")
    files_answered: list[dict[str, Any]] = answer["files"]
    return files_answered


def _cache_file(cache_directory: Path, source: SourceFile, version: str) -> Path:
    name = hashlib.sha256(f"{source.zip_path}\0{source.sha256}".encode()).hexdigest()
    return cache_directory / "bytecode" / _cache_tag(version) / f"{name}.pyc"


def _no_interpreter(version: str, reason: str) -> Finding:
    return warning(
        "bytecode-not-built",
        f"the zips hold no bytecode, so cold starts take longer: {reason}",
        hint=f"install Python {version}, for example with `uv python install {version}`",
    )


def _does_not_compile(source: SourceFile, version: str, answer: Mapping[str, Any]) -> Finding:
    path = source.zip_path.removeprefix("app/")
    return warning(
        "source-does-not-compile",
        f"Python {version} cannot compile `{path}`: {answer['error']}",
        where=SourceLocation(path, int(answer["line"])),
    )

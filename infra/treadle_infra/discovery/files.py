"""Finds the files that are steps and streams, by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from treadle_infra.app.findings import Finding, SourceLocation, error, warning

FOLDERS = ("src", "steps")

FileKind = Literal["step", "stream", "authentication"]

_PYTHON = re.compile(r"(?P<stem>.+)(?P<mark>[._])(?P<kind>step|stream)\.py\Z")
_FOREIGN = re.compile(r".+[._](?:step|stream)\.(?P<language>ts|js|rb)\Z")
_LANGUAGES = {"ts": "TypeScript", "js": "JavaScript", "rb": "Ruby"}
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True, order=True)
class ProjectFile:
    """A step's or stream's file, or the one with the function that says who a client is.

    `path` is relative to the project, with forward slashes.
    """

    path: str
    kind: FileKind
    function: str = "handler"


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """All steps and streams, sorted by path."""

    files: tuple[ProjectFile, ...]
    findings: tuple[Finding, ...] = ()


def find_files(project: Path) -> ProjectFiles:
    """The steps and streams under `steps/` and `src/`, at any depth."""
    files: list[ProjectFile] = []
    findings: list[Finding] = []
    foreign = False
    for path in sorted(_walk(project, findings)):
        name = path.rpartition("/")[2]
        if match := _PYTHON.match(name):
            kind: FileKind = "step" if match["kind"] == "step" else "stream"
            files.append(ProjectFile(path, kind))
            if match["mark"] == ".":
                findings.append(_dotted(path, f"{match['stem']}_{kind}.py"))
        elif match := _FOREIGN.match(name):
            foreign = True
            findings.append(_other_language(path, match["language"]))
    if not foreign and not any(file.kind == "step" for file in files):
        findings.append(_no_steps())
    return ProjectFiles(tuple(files), tuple(findings))


def has_dotted_name(path: str) -> bool:
    """Whether it is a `x.step.py` or `x.stream.py`, which Motia does not find."""
    match = _PYTHON.match(path.rpartition("/")[2])
    return match is not None and match["mark"] == "."


def _walk(project: Path, findings: list[Finding]) -> Iterator[str]:
    """Paths of all files, relative to the project. A folder that is linked to is entered once."""
    entered: set[tuple[int, int]] = set()
    pending = [folder for folder in FOLDERS if (project / folder).is_dir()]
    while pending:
        folder = pending.pop()
        try:
            status = (project / folder).stat()
            with os.scandir(project / folder) as listing:
                entries = list(listing)
        except OSError as problem:
            message = f"the folder `{folder}` cannot be read: {problem.strerror}"
            findings.append(error("file-unreadable", message, SourceLocation(folder)))
            continue
        if (status.st_dev, status.st_ino) in entered:
            continue
        entered.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.is_dir():
                if not _is_skipped(project / path):
                    pending.append(path)
            elif entry.is_file():
                yield path


def _is_skipped(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _SKIPPED_FOLDERS or (folder / "pyvenv.cfg").is_file()


def _dotted(path: str, name: str) -> Finding:
    return warning(
        "dotted-file-name",
        f"`{path}` is read, but Motia does not find Python files of this name",
        SourceLocation(path),
        f"rename it to `{name}`",
    )


def _other_language(path: str, suffix: str) -> Finding:
    return error(
        "language-not-supported-yet",
        f"`{path}` is {_LANGUAGES[suffix]}: TypeScript, JavaScript and Ruby steps are not supported yet",
        SourceLocation(path),
        "write the step in Python, or keep the file out of `steps/` and `src/`",
    )


def _no_steps() -> Finding:
    return warning(
        "no-steps",
        "there is no step in this project: no file `*_step.py` under `steps/` or `src/`",
        None,
        "write a step, for example steps/hello_step.py:\n"
        '    config = {"type": "api", "name": "Hello", "method": "GET", "path": "/hello"}\n'
        "    async def handler(req, context):\n"
        '        return {"status": 200, "body": {"hello": "world"}}\n'
        "or begin with a project that runs: treadle new my-app",
    )

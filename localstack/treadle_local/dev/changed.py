"""What is new in a project from one compilation to the next, in the words of its author."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from treadle_infra.app.findings import Finding
from treadle_infra.app.model import App

Parts = Mapping[str, object]
"""What streams and authentication are made of, by what a person calls them: "stream `chat`"."""


def parts_of(app: App, project: Path) -> Parts:
    """The parts as they are now, their files' contents among it."""
    found: dict[str, object] = {
        f"stream `{stream.name}`": (stream.schema, stream.checks_access, _digests(project, stream.files))
        for stream in app.streams
    }
    if app.authentication is not None:
        found["authentication"] = (app.authentication.function, _digests(project, app.authentication.files))
    return found


def changed_parts(before: Parts, after: Parts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parts that are new or different, and those that are gone."""
    changed = tuple(name for name, content in after.items() if name not in before or before[name] != content)
    return changed, tuple(name for name in before if name not in after)


def new_findings(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those that were not there before, wherever their line has moved to."""
    known = {_identity(finding) for finding in before}
    return tuple(finding for finding in after if _identity(finding) not in known)


def errors_of(findings: Iterable[Finding]) -> set[object]:
    """What tells the errors apart."""
    return {_identity(finding) for finding in findings if finding.severity == "error"}


def _identity(finding: Finding) -> object:
    return finding.severity, finding.code, finding.message, finding.where.path if finding.where is not None else None


def _digests(project: Path, files: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{file} {_digest(project / file)}" for file in files)


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:  # gone since: the edit that took it away brings the next compilation
        return ""

"""The files that a step's `includeFiles` asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from treadle_infra.app.findings import Finding, error
from treadle_infra.discovery.places import ConfigPlaces

_NEVER = frozenset({".treadle", ".git", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Included:
    """Paths relative to the project, with forward slashes, sorted."""

    files: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def find_included(project: Path, patterns: Iterable[str], places: ConfigPlaces) -> Included:
    """The files that the patterns mean; these begin at the project: `prompts/*.txt`, `data/**`, `schema.json`."""
    files: set[str] = set()
    findings: list[Finding] = []
    for position, pattern in enumerate(patterns):
        where = places.of("includeFiles", position)
        parts = PurePosixPath(pattern).parts
        if not parts or pattern.startswith("/") or "\\" in pattern or ".." in parts:
            message = f"`includeFiles` takes paths and patterns relative to the project; got `{pattern}`"
            findings.append(error("include-files-invalid", message, where, "for example `prompts/*.txt`"))
            continue
        found = _matching(project, pattern)
        if not found:
            message = f"`includeFiles` has `{pattern}`, and no file of the project is called so"
            findings.append(error("include-files-empty", message, where, "patterns begin at the project's folder"))
        files.update(found)
    return Included(tuple(sorted(files)), tuple(findings))


def _matching(project: Path, pattern: str) -> set[str]:
    """A folder stands for all that is in it. A link out of the project is not followed."""
    matches = [match for match in project.glob(pattern.removesuffix("/")) if match != project]
    every = [*matches, *(file for match in matches if match.is_dir() for file in match.rglob("*"))]
    root = project.resolve()
    return {
        relative.as_posix()
        for file in every
        if not _NEVER.intersection((relative := file.relative_to(project)).parts)
        and file.is_file()
        and file.resolve().is_relative_to(root)
    }

"""The files that a step's `includeFiles` asks for."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from treadle_infra.app.findings import Finding, error, warning
from treadle_infra.discovery.places import ConfigPlaces

_NEVER = frozenset({".treadle", ".git", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Included:
    """Paths relative to the project, with forward slashes, sorted."""

    files: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def find_included(project: Path, step: str, patterns: Iterable[str], places: ConfigPlaces) -> Included:
    """The files that the patterns of a step mean: `prompt.txt`, `../prompts/*.md`, `data/**`.

    A pattern begins at the step's folder, as in Motia. What means nothing there is looked for in the project's folder.
    """
    files: set[str] = set()
    findings: list[Finding] = []
    for position, pattern in enumerate(patterns):
        where = places.of("includeFiles", position)
        beside = _within(PurePosixPath(step).parent, pattern)
        if beside is None:
            message = (
                f"`includeFiles` takes paths and patterns within the project, from the step's folder; got `{pattern}`"
            )
            findings.append(error("include-files-invalid", message, where, "for example `../prompts/*.txt`"))
            continue
        found = _matching(project, beside) or _matching(project, _within(PurePosixPath(), pattern))
        if not found:
            message = f"`includeFiles` has `{pattern}`, and no file is called so, beside the step or in the project"
            findings.append(warning("include-files-empty", message, where, "patterns begin at the step's folder"))
        files.update(found)
    return Included(tuple(sorted(files)), tuple(findings))


def _within(folder: PurePosixPath, pattern: str) -> str | None:
    """The pattern from the project's folder on; None where it leads out of the project."""
    if not pattern.strip("/") or pattern.startswith("/") or "\\" in pattern:
        return None
    whole = posixpath.normpath(folder / pattern)
    return None if whole == ".." or whole.startswith("../") else whole


def _matching(project: Path, pattern: str | None) -> set[str]:
    """A folder stands for all that is in it. A link out of the project is not followed."""
    if pattern is None or pattern == ".":
        return set()
    matches = [match for match in project.glob(pattern) if match != project]
    every = [*matches, *(file for match in matches if match.is_dir() for file in match.rglob("*"))]
    root = project.resolve()
    return {
        relative.as_posix()
        for file in every
        if not _NEVER.intersection((relative := file.relative_to(project)).parts)
        and file.is_file()
        and file.resolve().is_relative_to(root)
    }

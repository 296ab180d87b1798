"""The project's files that its code names by their paths, found before it runs."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from treadle_infra.app.findings import Finding, SourceLocation, warning
from treadle_infra.discovery.path_names import NamedPath, path_names
from treadle_infra.discovery.source import Sources

_NEVER = frozenset({"__pycache__", "dist", "node_modules", "python_modules", "site-packages", "venv"})


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """Paths relative to the project, with forward slashes, sorted; and what is written there."""

    files: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def find_named_files(project: Path, sources: Sources, python_files: Iterable[str]) -> NamedFiles:
    """The files, other than Python's and hidden ones, whose paths stand in the code of `python_files`.

    A file that the code writes too is none of them: what ships in a zip cannot be written.
    """
    files: set[str] = set()
    written: dict[str, SourceLocation] = {}
    for python_file in python_files:
        names = path_names(sources.content(python_file))
        for one in names.written:
            where = _from_project(one.path, python_file)
            if where is not None and "*" not in where.partition("/")[0]:
                written.setdefault(where, SourceLocation(python_file, one.line))
        for path in names.named:
            where = _from_project(path, python_file)
            if where is not None:
                files.update(_files(project, sources, where, python_file, is_path=path.is_path))
    findings = tuple(
        warning(
            "project-file-written",
            f"`{path}` is written in the project's folder: on Lambda only /tmp can be written, and each execution"
            " environment has its own",
            where,
            "keep what lasts in state, a stream or S3, and write the rest to /tmp",
        )
        for path, where in written.items()
    )
    return NamedFiles(tuple(sorted(files - set(written))), findings)


def _from_project(path: NamedPath, python_file: str) -> str | None:
    """The pattern from the project's folder on; None where it leads out of the project or is no path at all."""
    pattern = path.pattern
    if pattern.startswith(("/", "~", ":memory:")) or "\0" in pattern or "\n" in pattern or "://" in pattern:
        return None
    base = posixpath.dirname(python_file) if path.base == "file" else ""
    whole = posixpath.normpath(posixpath.join(base, pattern))
    return None if whole in {".", ".."} or whole.startswith("../") else whole


def _files(project: Path, sources: Sources, pattern: str, python_file: str, *, is_path: bool) -> Iterator[str]:
    if _is_excluded(pattern):
        return
    if sources.is_file(pattern):
        if _is_data(pattern):
            yield pattern
    elif not is_path:
        return
    elif "*" in pattern:
        first = pattern.partition("/")[0]
        if "*" not in first and sources.is_folder(first):
            with contextlib.suppress(ValueError):  # no pattern, by its asterisks
                yield from _within(project, project.glob(pattern))
    elif sources.is_folder(pattern) and not python_file.startswith(f"{pattern}/"):
        yield from _within(project, (project / pattern).rglob("*"))


def _within(project: Path, found: Iterable[Path]) -> Iterator[str]:
    """Data files; a link out of the project is not followed."""
    root = project.resolve()
    for file in found:
        path = file.relative_to(project).as_posix()
        if not _is_excluded(path) and _is_data(path) and file.is_file() and file.resolve().is_relative_to(root):
            yield path


def _is_excluded(path: str) -> bool:
    return any(part in _NEVER or part.startswith(".") for part in PurePosixPath(path).parts)


def _is_data(path: str) -> bool:
    return not path.endswith((".py", ".pyc"))

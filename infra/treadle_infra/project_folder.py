"""`PROJECT/.treadle`: everything local about a project; it ignores itself in git."""

from __future__ import annotations

import os
from pathlib import Path

from treadle_infra.app.findings import TreadleError


def prepare_folder(project: Path) -> Path:
    """The project's `.treadle` folder, made where it is missing.

    Raises TreadleError `project-not-writable`.
    """
    folder = project / ".treadle"
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            write_whole(ignore, "*\n")
    except OSError as problem:
        raise TreadleError(
            "project-not-writable",
            f"{folder} cannot be written: {problem.strerror}",
            hint="Treadle keeps its cache there",
        ) from None
    return folder


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old one or the new one, never half of it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)

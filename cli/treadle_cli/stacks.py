"""Stacks of failed steps as their author wants to see them: the project's own lines, by the project's own paths."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HEADLINE = "Traceback (most recent call last):"
_FRAME = re.compile(r'File "(?P<path>[^"]+)", line')
_UNZIPPED = re.compile(r"(?:.*/\.treadle/cache/code/[^/]+|/var/task)/(?P<rest>.+)")
_UNZIPPED_FOLDER = re.compile(r"(?:/[^\s\"']*/\.treadle/cache/code/[^/\s]+|/var/task)/(?:app/)?")
_OWN = "treadle/"
_STEPS = "app/"


def readable_frames(text: str) -> list[str]:
    """The lines of a Python stack without those of Treadle's adapter and of the import machinery.

    Paths into the folder that a function's zip is unpacked to become paths relative to the project. All lines are
    kept where none of them is the project's.
    """
    lines = [line for line in text.splitlines() if line.strip() and line != _HEADLINE]
    kept: list[str] = []
    keep, has_project_frame = True, False
    for line in lines:
        frame = _FRAME.match(line.strip())
        if frame is not None:
            path = _project_path(frame["path"])
            keep = path is not None
            has_project_frame |= keep
            kept += [line.replace(frame["path"], path)] if path is not None else []
        elif keep or not line.startswith(" "):
            keep = True
            kept.append(line)
    return _unindented(kept) if has_project_frame else _unindented(lines)


def project_paths(text: str) -> str:
    """The text with paths into such a folder relative to the project, as of a stack that somebody printed."""
    return _UNZIPPED_FOLDER.sub("", text)


def _project_path(path: str) -> str | None:
    """The path as the project's author knows it; None for files that are not theirs to mend."""
    if path.startswith("<frozen importlib"):
        return None
    unzipped = _UNZIPPED.fullmatch(path)
    if unzipped is None:
        return path
    rest = unzipped["rest"]
    return None if rest.startswith(_OWN) else rest.removeprefix(_STEPS)


def _unindented(lines: Iterable[str]) -> list[str]:
    return [line.removeprefix("  ") for line in lines]

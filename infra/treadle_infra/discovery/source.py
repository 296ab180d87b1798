"""The project's Python files, read and parsed: one file is parsed once for as long as its content stays the same."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ParseProblem:
    """Why a file has no syntax tree."""

    message: str
    line: int = 1


@lru_cache(maxsize=512)
def parse(content: bytes) -> ast.Module | ParseProblem:
    """The syntax tree of a file with this content."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the project's own Python tells of doubtful escapes and the like
            return ast.parse(content)
    except SyntaxError as problem:
        return ParseProblem(problem.msg, problem.lineno or 1)
    except (ValueError, RecursionError, MemoryError) as problem:
        return ParseProblem(str(problem) or type(problem).__name__)


PARSER_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""The Python whose grammar `parse` knows, which may be older than the project's."""


class Sources:
    """The files of one project at one moment, by their paths relative to it: each is read once."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._contents: dict[str, bytes] = {}
        self._listings: dict[str, dict[str, bool]] = {}

    def content(self, path: str) -> bytes:
        """What is in the file; nothing where it cannot be read, which its import finds too."""
        if path not in self._contents:
            try:
                self._contents[path] = (self._project / path).read_bytes()
            except OSError:
                self._contents[path] = b""
        return self._contents[path]

    def digest(self, path: str) -> str:
        return hashlib.sha256(self.content(path)).hexdigest()

    def is_file(self, path: str) -> bool:
        """True for a file whose name is spelt exactly so, whatever the file system makes of upper and lower case."""
        folder, _, name = path.rpartition("/")
        return self._listing(folder).get(name) is False

    def is_folder(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return not path or self._listing(folder).get(name) is True

    def has_python_files(self, folder: str) -> bool:
        """True where the folder or one below it has a Python file."""
        return any(name.endswith(".py") for name, is_folder in self._listing(folder).items() if not is_folder) or any(
            self.has_python_files(f"{folder}/{name}")
            for name, is_folder in self._listing(folder).items()
            if is_folder and not name.startswith((".", "__"))
        )

    def _listing(self, folder: str) -> dict[str, bool]:
        """The folder's entries by name: True for folders."""
        if folder not in self._listings:
            try:
                with os.scandir(self._project / folder) as entries:
                    self._listings[folder] = {entry.name: entry.is_dir() for entry in entries}
            except OSError:
                self._listings[folder] = {}
        return self._listings[folder]

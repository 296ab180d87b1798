"""A TOML file of the project, with the lines of its keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle_infra.app.findings import Finding, SourceLocation, error

_SYNTAX_ERROR_PLACE = re.compile(r" \(at line (\d+), column \d+\)\Z| \(at end of document\)\Z")
_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEYS = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\s*({_KEYS})\s*\]")
_SETTING = re.compile(rf"\s*({_KEYS})\s*=")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """`values` None: there is no such file, or none that can be read."""

    path: str
    text: str = ""
    values: Mapping[str, Any] | None = None

    def place(self, keys: Sequence[str | int]) -> SourceLocation:
        """Where the value under these keys is set, else where the nearest table around it begins, else line 1."""
        wanted = tuple(keys)
        best, line = 0, 1
        for number, found in _lines(self.text):
            if len(found) > best and found == wanted[: len(found)]:
                best, line = len(found), number
        return SourceLocation(self.path, line)


def _lines(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The lines that name a table or set a key, with the keys that lead there."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header, setting = _HEADER.match(line), _SETTING.match(line)
        if header:
            table = _split(header[1])
            yield number, table
        elif setting:
            yield number, (*table, *_split(setting[1]))


def _split(keys: str) -> tuple[str, ...]:
    return tuple(found.strip("\"'") for found in re.findall(_KEY, keys))


def read_toml(project: Path, name: str, findings: list[Finding]) -> TomlFile:
    """The file `name` in the project's folder; what is wrong with it goes into `findings`."""
    try:
        text = (project / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return TomlFile(name)
    except (OSError, UnicodeDecodeError) as problem:
        findings.append(error("project-file-invalid", f"{name} cannot be read: {problem}", SourceLocation(name)))
        return TomlFile(name)
    try:
        return TomlFile(name, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        place = _SYNTAX_ERROR_PLACE.search(str(problem))
        line = int(place[1]) if place and place[1] else max(1, len(text.splitlines()))
        message = f"{name} is not valid TOML: {_SYNTAX_ERROR_PLACE.sub('', str(problem))}"
        findings.append(error("project-file-invalid", message, SourceLocation(name, line)))
        return TomlFile(name, text)

"""A TOML file of the project, with the lines of its keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle_infra.app.findings import Finding, SourceLocation, error

_SYNTAX_ERROR_PLACE = re.compile(r" \(at line (\d+), column \d+\)\Z| \(at end of document\)\Z")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """`values` None: there is no such file, or none that can be read."""

    path: str
    text: str = ""
    values: Mapping[str, Any] | None = None

    def line(self, key: str, table: str) -> SourceLocation:
        """Where `key` is set in `[table]` (`""`: before the first table), else where the table begins, else line 1."""
        current, found = "", 1
        outer, _, inner = table.rpartition(".")
        for number, line in enumerate(self.text.splitlines(), start=1):
            header = re.match(r"\s*\[([^\[\]]+)\]", line)
            if header:
                current = header[1].replace('"', "").replace(" ", "")
                found = number if current == table else found
            elif current == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return SourceLocation(self.path, number)
            elif inner and current == outer and re.match(rf"\s*[\"']?{re.escape(inner)}[\"']?\s*[=.]", line):
                found = number
        return SourceLocation(self.path, found)


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

"""The project's own settings: the app's name from `pyproject.toml` or `treadle.toml`, else from the folder."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from treadle.names import APP_NAME_LIMIT, is_app_name, legal_app_name
from treadle_infra.app.findings import Finding, SourceLocation, error

_SETTINGS = ("name",)
_SYNTAX_ERROR_PLACE = re.compile(r" \(at line (\d+), column \d+\)\Z| \(at end of document\)\Z")


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """`app_name` is always legal, also where the findings say that another one was asked for."""

    app_name: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Toml:
    path: str
    text: str = ""
    values: Mapping[str, Any] | None = None

    def line(self, key: str, table: str) -> SourceLocation:
        """Where `key` is set in `[table]` (`""`: before the first table), else the table's line, else the first."""
        current, found = "", 1
        for number, line in enumerate(self.text.splitlines(), start=1):
            header = re.match(r"\s*\[([^\[\]]+)\]", line)
            if header:
                current = header[1].replace('"', "").replace(" ", "")
                found = number if current == table else found
            elif current == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return SourceLocation(self.path, number)
        return SourceLocation(self.path, found)


def read_settings(project: Path) -> ProjectSettings:
    """The settings of the project in this folder."""
    findings: list[Finding] = []
    pyproject = _read(project, "pyproject.toml", findings)
    treadle_toml = _read(project, "treadle.toml", findings)
    candidates = [
        (pyproject, _table(pyproject, "tool", "treadle"), "tool.treadle"),
        (treadle_toml, treadle_toml.values, ""),
    ]
    chosen: list[str] = []
    for file, settings, table in candidates:
        if settings is None:
            continue
        findings += _unknown_settings(file, settings, table)
        name = settings.get("name")
        if name is None:
            continue
        if isinstance(name, str) and is_app_name(name):
            chosen.append(name)
        else:
            findings.append(_illegal_name(name, file.line("name", table)))
    default = _table(pyproject, "project", None)
    fallback = default.get("name") if default else None
    chosen.append(legal_app_name(fallback if isinstance(fallback, str) else project.resolve().name))
    return ProjectSettings(chosen[0], tuple(findings))


def _read(project: Path, name: str, findings: list[Finding]) -> _Toml:
    try:
        text = (project / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return _Toml(name)
    except (OSError, UnicodeDecodeError) as problem:
        findings.append(error("project-file-invalid", f"{name} cannot be read: {problem}", SourceLocation(name)))
        return _Toml(name)
    try:
        return _Toml(name, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        place = _SYNTAX_ERROR_PLACE.search(str(problem))
        line = int(place[1]) if place and place[1] else max(1, len(text.splitlines()))
        message = f"{name} is not valid TOML: {_SYNTAX_ERROR_PLACE.sub('', str(problem))}"
        findings.append(error("project-file-invalid", message, SourceLocation(name, line)))
        return _Toml(name, text)


def _table(file: _Toml, outer: str, inner: str | None) -> Mapping[str, Any] | None:
    table: Any = (file.values or {}).get(outer)
    if inner is not None and isinstance(table, dict):
        table = cast("dict[str, Any]", table).get(inner)
    return cast("Mapping[str, Any]", table) if isinstance(table, dict) else None


def _unknown_settings(file: _Toml, settings: Mapping[str, Any], table: str) -> list[Finding]:
    place = f"[{table}] of {file.path}" if table else file.path
    return [
        error(
            "project-setting-unknown",
            f"`{key}` is not a setting that {place} can hold",
            file.line(key, table),
            _closest(key) or f"the settings are: {', '.join(_SETTINGS)}",
        )
        for key in settings
        if key not in _SETTINGS
    ]


def _closest(key: str) -> str | None:
    match = get_close_matches(key, _SETTINGS, 1)
    return f"did you mean `{match[0]}`?" if match else None


def _illegal_name(name: object, where: SourceLocation) -> Finding:
    return error(
        "app-name-not-allowed",
        f"`{name}` cannot be an app's name: at most {APP_NAME_LIMIT} lower-case letters, digits and single dashes, "
        "a letter first",
        where,
        f"write `{legal_app_name(str(name))}`",
    )

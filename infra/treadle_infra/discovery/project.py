"""The project's own settings, from `[tool.treadle]` of `pyproject.toml` and from `treadle.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

from treadle.names import APP_NAME_LIMIT, is_app_name, legal_app_name
from treadle_infra.app.findings import Finding, SourceLocation, error
from treadle_infra.app.model import Architecture, CronDialect, Telemetry, Validation
from treadle_infra.discovery.toml_file import TomlFile, read_toml
from treadle_infra.discovery.validation import shown

T = TypeVar("T")

_SETTINGS = ("name", "architecture", "cron_dialect", "validation", "compatibility", "streams", "telemetry")
_STREAMS = ("authenticate",)
_TELEMETRY = ("otlp_endpoint", "service_name")
_DIALECTS: Mapping[str, CronDialect] = {"and": "and", "unix": "unix"}
_ARCHITECTURES: Mapping[str, Architecture] = {"arm64": "arm64", "x86_64": "x86_64"}
_VALIDATIONS: Mapping[str, Validation] = {"enforce": "enforce", "warn": "warn", "off": "off"}
_STATE_VALUES = "motia-state-values"
_PROJECT_FOLDER = "motia-project-folder"
_COMPATIBILITY = (_STATE_VALUES, _PROJECT_FOLDER)
_SECRETS = ("otlp_headers", "headers")
_NAME_CODE = "app-name-not-allowed"
_INVALID_CODE = "project-setting-invalid"
_UNKNOWN_CODE = "project-setting-unknown"
_FUNCTION = re.compile(r"(?P<path>[^:]+\.py):(?P<function>[^\W\d]\w*)")
_ENDPOINT = re.compile(r"https?://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?P<path>/[^\s?#]*)?", re.ASCII)
_CREDENTIALS = re.compile(r"https?://[^/]*@")
_TRACES_PATH = "/v1/traces"


@dataclass(frozen=True, slots=True)
class AuthenticateSetting:
    """`path` is relative to the project, with forward slashes; nobody has looked whether it is there.

    Both are empty where the setting makes no sense: somebody wanted to be asked, so nobody gets in.
    """

    path: str
    function: str
    where: SourceLocation


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """`app_name` is always legal, also where the findings say that another one was asked for.

    `validation` is `enforce` where the project has settings at all, else `warn`: a plain Motia project runs as it is.
    `wraps_state_values`: a project without any settings is one of Motia's, and runs as it is; others say so.
    `shows_project_folder`: likewise for `treadle dev`, where steps see and write the project's folder.
    """

    app_name: str
    cron_dialect: CronDialect = "and"
    authenticate: AuthenticateSetting | None = None
    telemetry: Telemetry | None = None
    findings: tuple[Finding, ...] = ()
    architecture: Architecture = "arm64"
    validation: Validation = "warn"
    wraps_state_values: bool = True
    shows_project_folder: bool = True


@dataclass(frozen=True, slots=True)
class _Read:
    """What one table sets."""

    name: str | None = None
    cron_dialect: CronDialect | None = None
    authenticate: AuthenticateSetting | None = None
    otlp_endpoint: str | None = None
    service_name: str | None = None
    architecture: Architecture | None = None
    validation: Validation | None = None
    compatibility: tuple[str, ...] | None = None


def read_settings(project: Path) -> ProjectSettings:
    """The settings of the project in this folder; where both files set one, `pyproject.toml` has the say."""
    findings: list[Finding] = []
    pyproject = read_toml(project, "pyproject.toml", findings)
    treadle_toml = read_toml(project, "treadle.toml", findings)
    tables = [_inner(_whole(pyproject), "tool.treadle"), _whole(treadle_toml)]
    found = [_Reader(table, findings).read() for table in tables if table is not None] or [_Read()]
    name = _first(one.name for one in found) or legal_app_name(_fallback_name(project, pyproject))
    endpoint = _first(one.otlp_endpoint for one in found)
    dialects: list[CronDialect] = [one.cron_dialect for one in found if one.cron_dialect is not None]
    architectures: list[Architecture] = [one.architecture for one in found if one.architecture is not None]
    validations: list[Validation] = [one.validation for one in found if one.validation is not None]
    has_file = any(table is not None for table in tables)
    compatibility = _first(one.compatibility for one in found)
    if compatibility is None:
        compatibility = () if has_file else _COMPATIBILITY
    return ProjectSettings(
        name,
        dialects[0] if dialects else "and",
        _first(one.authenticate for one in found),
        None if endpoint is None else Telemetry(endpoint, _first(one.service_name for one in found) or name),
        tuple(findings),
        architectures[0] if architectures else "arm64",
        validations[0] if validations else "enforce" if has_file else "warn",
        _STATE_VALUES in compatibility,
        _PROJECT_FOLDER in compatibility,
    )


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _fallback_name(project: Path, pyproject: TomlFile) -> str:
    table = _inner(_whole(pyproject), "project")
    name = table.values.get("name") if table else None
    return name if isinstance(name, str) else project.resolve().name


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of a file, named as in its header: `tool.treadle.streams`; `""` is the file itself."""

    file: TomlFile
    name: str
    values: Mapping[str, Any]

    def where(self, key: str) -> SourceLocation:
        return self.file.line(key, self.name)

    def __str__(self) -> str:
        return f"[{self.name}] of {self.file.path}" if self.name else self.file.path


def _whole(file: TomlFile) -> _Table | None:
    return None if file.values is None else _Table(file, "", file.values)


def _inner(table: _Table | None, dotted: str) -> _Table | None:
    """The table of this name inside another; None where there is none."""
    for key in dotted.split("."):
        values: object = table.values.get(key) if table else None
        if table is None or not isinstance(values, dict):
            return None
        table = _Table(table.file, f"{table.name}.{key}".lstrip("."), cast("dict[str, Any]", values))
    return table


class _Reader:
    """Reads one table of settings; whatever is wrong goes into `findings`."""

    def __init__(self, table: _Table, findings: list[Finding]) -> None:
        self._table = table
        self._findings = findings

    def read(self) -> _Read:
        self._refuse_unknown(self._table, _SETTINGS)
        streams, telemetry = self._section("streams", _STREAMS), self._section("telemetry", _TELEMETRY)
        return _Read(
            self._name(),
            self._cron_dialect(),
            None if streams is None else self._authenticate(streams),
            None if telemetry is None else self._otlp_endpoint(telemetry),
            None if telemetry is None else self._service_name(telemetry),
            self._architecture(),
            self._validation(),
            self._compatibility(),
        )

    def _section(self, key: str, known: Sequence[str]) -> _Table | None:
        section = _inner(self._table, key)
        if section is not None:
            self._refuse_unknown(section, known)
        elif key in self._table.values:
            self._refuse(self._table, key, f"`{key}` must be a table", f"begin one with `[{self._header(key)}]`")
        return section

    def _header(self, key: str) -> str:
        return f"{self._table.name}.{key}".lstrip(".")

    def _refuse_unknown(self, table: _Table, known: Sequence[str]) -> None:
        for key in table.values:
            if key in _SECRETS and known is _TELEMETRY:
                message = f"`{key}` is not a setting: headers hold keys, and this file is no place for one"
                self._refuse(table, key, message, "set OTEL_EXPORTER_OTLP_HEADERS in the environment", _UNKNOWN_CODE)
            elif key not in known:
                match = get_close_matches(key, known, 1)
                hint = f"did you mean `{match[0]}`?" if match else f"the settings are: {', '.join(known)}"
                self._refuse(table, key, f"`{key}` is not a setting that {table} can hold", hint, _UNKNOWN_CODE)

    def _refuse(
        self, table: _Table, key: str, message: str, hint: str | None = None, code: str = _INVALID_CODE
    ) -> None:
        self._findings.append(error(code, message, table.where(key), hint))

    def _name(self) -> str | None:
        name: object = self._table.values.get("name")
        if name is None or (isinstance(name, str) and is_app_name(name)):
            return name
        message = (
            f"`{name}` cannot be an app's name: at most {APP_NAME_LIMIT} lower-case letters, digits and single dashes, "
            "a letter first"
        )
        self._refuse(self._table, "name", message, f"write `{legal_app_name(str(name))}`", _NAME_CODE)
        return None

    def _cron_dialect(self) -> CronDialect | None:
        dialect: object = self._table.values.get("cron_dialect")
        if dialect is None:
            return None
        if isinstance(dialect, str) and dialect in _DIALECTS:
            return _DIALECTS[dialect]
        message = f"`cron_dialect` must be `and` (Motia: both fields of days) or `unix` (either); got {shown(dialect)}"
        self._refuse(self._table, "cron_dialect", message)
        return None

    def _architecture(self) -> Architecture | None:
        architecture: object = self._table.values.get("architecture")
        if architecture is None:
            return None
        if isinstance(architecture, str) and architecture in _ARCHITECTURES:
            return _ARCHITECTURES[architecture]
        self._refuse(
            self._table, "architecture", f"`architecture` must be `arm64` or `x86_64`; got {shown(architecture)}"
        )
        return None

    def _validation(self) -> Validation | None:
        validation: object = self._table.values.get("validation")
        if validation is None:
            return None
        if isinstance(validation, str) and validation in _VALIDATIONS:
            return _VALIDATIONS[validation]
        message = f"`validation` must be `enforce`, `warn` or `off`; got {shown(validation)}"
        self._refuse(self._table, "validation", message)
        return None

    def _compatibility(self) -> tuple[str, ...] | None:
        given: object = self._table.values.get("compatibility")
        if given is None:
            return None
        if isinstance(given, list):
            names = cast("list[object]", given)
            if all(name in _COMPATIBILITY for name in names):
                return tuple(map(str, names))
        message = f"`compatibility` must be a list, empty or with `{_STATE_VALUES}`"
        self._refuse(self._table, "compatibility", message, f'write `compatibility = ["{_STATE_VALUES}"]`')
        return None

    def _authenticate(self, streams: _Table) -> AuthenticateSetting | None:
        text: object = streams.values.get("authenticate")
        if text is None:
            return None
        match = _FUNCTION.fullmatch(text) if isinstance(text, str) else None
        path = match["path"].removeprefix("./") if match else ""
        if match is None or path.startswith("/") or "\\" in path or {"", ".", ".."} & set(path.split("/")):
            message = f"`authenticate` must be a Python file of the project and a function in it; got {shown(text)}"
            self._refuse(streams, "authenticate", message, "for example `auth.py:authenticate`")
            return AuthenticateSetting("", "", streams.where("authenticate"))
        return AuthenticateSetting(path, match["function"], streams.where("authenticate"))

    def _otlp_endpoint(self, telemetry: _Table) -> str | None:
        endpoint: object = telemetry.values.get("otlp_endpoint")
        problem, hint = _endpoint_problem(endpoint)
        if problem is None:
            return str(endpoint).rstrip("/")
        self._refuse(telemetry, "otlp_endpoint", problem, hint)
        return None

    def _service_name(self, telemetry: _Table) -> str | None:
        name: object = telemetry.values.get("service_name")
        if name is None or (isinstance(name, str) and name.strip()):
            return name
        self._refuse(telemetry, "service_name", f"`service_name` must be a text; got {shown(name)}")
        return None


def _endpoint_problem(endpoint: object) -> tuple[str | None, str | None]:
    """What is wrong with an OTLP/HTTP endpoint, and the remedy."""
    example = "for example `http://localhost:4318`"
    if endpoint is None:
        return "`otlp_endpoint` is required where there is telemetry", example
    if isinstance(endpoint, str) and _CREDENTIALS.match(endpoint):
        return "`otlp_endpoint` must not have credentials in it", "set OTEL_EXPORTER_OTLP_HEADERS in the environment"
    match = _ENDPOINT.fullmatch(endpoint) if isinstance(endpoint, str) else None
    if match is None:
        return f"`otlp_endpoint` must be an HTTP address; got {shown(endpoint)}", example
    if (match["path"] or "").rstrip("/").endswith(_TRACES_PATH):
        return f"`otlp_endpoint` must not end in `{_TRACES_PATH}`, which is appended", "leave it out"
    return None, None

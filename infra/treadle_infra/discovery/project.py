"""The project's own settings on one stage, from `[tool.treadle]` of `pyproject.toml` or from `treadle.toml`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from treadle.names import legal_app_name
from treadle_infra.app.findings import Finding, SourceLocation, error
from treadle_infra.app.model import Architecture, Cors, CronDialect, LogLevel, Runtime, Telemetry, Validation
from treadle_infra.discovery.places import Keys
from treadle_infra.discovery.project_models import INVALID_CODE, CorsTable, ProjectTable
from treadle_infra.discovery.project_problems import SettingsSource, right_values
from treadle_infra.discovery.toml_file import TomlFile, read_toml

_STATE_VALUES = "motia-state-values"
_PROJECT_FOLDER = "motia-project-folder"
_ALL = "*"
TAG_LIMIT = 47
"""AWS's 50 without Treadle's own. Source: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""

ENVIRONMENT_BYTES = 3_776
"""4 KB without what Treadle sets. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuthenticateSetting:
    """`path` is relative to the project, with forward slashes; nobody has looked whether it is there.

    Both are empty where the setting makes no sense: somebody wanted to be asked, so nobody gets in.
    """

    path: str
    function: str
    where: SourceLocation


@dataclass(frozen=True, slots=True)
class Said:
    """One setting that holds on a stage: its dotted name, its value as JSON would have it, and the line."""

    name: str
    value: object
    where: SourceLocation


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """`app_name` is always legal, also where the findings say that another one was asked for.

    `validation` is `enforce` where the project has settings at all, else `warn`: a plain Motia project runs as it is.
    `wraps_state_values`: a project without any settings is one of Motia's, and runs as it is; others say so.
    `shows_project_folder`: likewise for `treadle dev`, where steps see and write the project's folder.
    `memory_mb` and `timeout_seconds` (None: by the kind of its trigger) are those of steps that say nothing of their
    own. `opens_streams`: everybody may follow a stream without `canAccess`. `tags` are the project's own. `said` is
    what the file says, by name.
    """

    app_name: str
    cron_dialect: CronDialect = "and"
    authenticate: AuthenticateSetting | None = None
    opens_streams: bool = False
    telemetry: Telemetry | None = None
    findings: tuple[Finding, ...] = ()
    architecture: Architecture = "arm64"
    validation: Validation = "warn"
    wraps_state_values: bool = True
    shows_project_folder: bool = True
    memory_mb: int = 256
    timeout_seconds: int | None = None
    cors: Cors | None = field(default_factory=Cors)
    log_level: LogLevel = "info"
    log_retention_days: int = 14
    tags: tuple[tuple[str, str], ...] = ()
    production_stages: tuple[str, ...] = ("prod",)
    runtime: Runtime = "python3.13"
    environment: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()

    @property
    def python_version(self) -> str:
        """Of the runtime, as "3.13"."""
        return self.runtime.removeprefix("python")


def read_settings(project: Path, stage: str = "dev") -> ProjectSettings:
    """The settings of the project in this folder on a stage; findings are those of every stage."""
    findings: list[Finding] = []
    pyproject = read_toml(project, "pyproject.toml", findings)
    treadle_toml = read_toml(project, "treadle.toml", findings)
    found = _found(pyproject, treadle_toml, findings)
    if found is None:
        default = ProjectTable(validation="warn", compatibility=["motia-state-values", "motia-project-folder"])
        return _settings(default, _fallback_name(project, pyproject), None, findings)
    given, source = found
    values = right_values(given, source, findings)
    for each in dict.fromkeys(("", *values.get("stages", {}), stage)):
        findings += _Effective(given, values, each, source).problems()
    effective = _Effective(given, values, stage, source)
    name = values.get("name") or _fallback_name(project, pyproject)
    settings = _settings(effective.table, name, effective.authenticate(), list(dict.fromkeys(findings)))
    return replace(settings, said=tuple(effective.said()))


def _found(
    pyproject: TomlFile, treadle_toml: TomlFile, findings: list[Finding]
) -> tuple[Values, SettingsSource] | None:
    """The settings as they are written, and where; None where there are none."""
    header = ("tool", "treadle")
    table: object = pyproject.values or {}
    for key in header:
        table = cast("dict[str, object]", table).get(key) if isinstance(table, dict) else None
    if isinstance(table, dict) and treadle_toml.values is not None:
        findings.append(
            error(
                "project-files-two",
                "the project's settings stand in treadle.toml and in `[tool.treadle]` of pyproject.toml; "
                "the latter are heeded",
                treadle_toml.place(()),
                "keep one of the two",
            )
        )
    if isinstance(table, dict):
        return cast("dict[str, Any]", table), SettingsSource(pyproject, header)
    if table is not None:
        message, hint = "`tool.treadle` must be a table", "begin one with `[tool.treadle]`"
        findings.append(error(INVALID_CODE, message, pyproject.place(header), hint))
    return None if treadle_toml.values is None else (treadle_toml.values, SettingsSource(treadle_toml, ()))


def _fallback_name(project: Path, pyproject: TomlFile) -> str:
    table: object = (pyproject.values or {}).get("project")
    name = cast("dict[str, object]", table).get("name") if isinstance(table, dict) else None
    return legal_app_name(name if isinstance(name, str) else project.resolve().name)


class _Effective:
    """What holds on one stage (`""`: on those that say nothing of their own). Types are right already."""

    def __init__(self, given: Values, values: Values, stage: str, source: SettingsSource) -> None:
        """`given` is as it is written, `values` what of it is right."""
        self._own = _of_stage(given, stage)
        self._written = merged(given, self._own)
        self._right = values
        self._stage = stage
        self._source = source
        self.table = ProjectTable.model_validate(merged(values, _of_stage(values, stage)))

    def place(self, *keys: str) -> SourceLocation:
        """Where the value is set that holds on this stage."""
        return self._source.place(("stages", self._stage, *keys) if _has(self._own, keys) else keys)

    def authenticate(self) -> AuthenticateSetting | None:
        """What is written counts: where it makes no sense, nobody is let in."""
        keys = ("streams", "authenticate")
        if not _has(self._written, keys):
            return None
        right = _of_stage(self._right, self._stage) if _has(self._own, keys) else self._right
        setting = self.table.streams.authenticate if _has(right, keys) else None
        path, _, function = (setting or "").rpartition(":")
        return AuthenticateSetting(path, function, self.place("streams", "authenticate"))

    def said(self) -> Iterator[Said]:
        """What the file says for this stage, sorted by name; what it leaves out is not in it."""
        whole = self.table.model_dump(exclude_unset=True, exclude={"stages"})
        for keys, value in sorted(_leaves(whole)):
            yield Said(".".join(keys), value, self.place(*keys))

    def problems(self) -> Iterator[Finding]:
        """What is wrong with settings that are right one by one."""
        yield from self._telemetry()
        yield from self._cors(self.table.cors)
        yield from self._environment(self.table.environment)
        if len(self.table.tags) > TAG_LIMIT:
            message = f"a resource can have {TAG_LIMIT} tags beside Treadle's own; got {len(self.table.tags)}"
            yield error(INVALID_CODE, message, self.place("tags"))

    def _environment(self, variables: Mapping[str, str]) -> Iterator[Finding]:
        for name in sorted({*self.table.secrets} & variables.keys()):
            message = f"`{name}` is among the secrets, and a variable for everybody to read"
            hint = "take it out of `environment`: its value is set with `treadle secrets set`"
            yield error(INVALID_CODE, message, self.place("environment", name), hint)
        if "LOG_LEVEL" in variables and "log_level" in self.table.model_fields_set:
            message = "`log_level` and the variable `LOG_LEVEL` say the same thing"
            yield error(INVALID_CODE, message, self.place("environment", "LOG_LEVEL"), "keep `log_level`")
        sizes = {name: len(_encoded({name: value})) for name, value in variables.items()}
        if (total := len(_encoded(variables))) > ENVIRONMENT_BYTES:
            biggest = sorted(sizes, key=lambda name: -sizes[name])[:3]
            told = ", ".join(f"`{name}` ({sizes[name]:,})" for name in biggest)
            message = (
                f"the variables have {total:,} bytes and Lambda takes 4 KB, {ENVIRONMENT_BYTES:,} beside Treadle's "
                f"own; the biggest are {told}"
            )
            hint = "put what is large into a file, and name that in `includeFiles`"
            yield error("environment-too-large", message, self.place("environment", biggest[0]), hint)

    def _telemetry(self) -> Iterator[Finding]:
        wanted = isinstance(self._written.get("telemetry"), dict)
        if wanted and not _has(self._written, ("telemetry", "otlp_endpoint")):
            message, hint = (
                "`otlp_endpoint` is required where there is telemetry",
                "for example `http://localhost:4318`",
            )
            yield error(INVALID_CODE, message, self.place("telemetry"), hint)

    def _cors(self, cors: CorsTable | None) -> Iterator[Finding]:
        """Source: https://fetch.spec.whatwg.org/#http-access-control-allow-credentials: `*` is no wildcard then."""
        if cors is None or not cors.credentials:
            return
        for key, values in (("origins", cors.origins), ("methods", cors.methods), ("headers", cors.headers)):
            if _ALL in (values or ()):
                message = f"`cors.{key}` cannot be `*` where `cors.credentials` is `true`: browsers do not let it pass"
                yield error(INVALID_CODE, message, self.place("cors", key), f"name the {key}")


def merged(values: Values, over: Values) -> dict[str, Any]:
    """The values with those of a stage over them: tables key by key, everything else as a whole."""
    result = dict(values)
    for key, value in over.items():
        below: object = values.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            result[key] = merged(cast("dict[str, Any]", below), cast("dict[str, Any]", value))
        else:
            result[key] = value
    return result


def _has(values: Values, keys: Keys) -> bool:
    current: object = values
    for key in keys:
        if not isinstance(current, dict) or key not in current:
            return False
        current = cast("dict[str | int, object]", current)[key]
    return True


def _leaves(values: Values, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(cast("dict[str, Any]", value), (*above, key))
        else:
            yield (*above, key), False if value is None else value  # `cors = false`, the only thing that is None


def _encoded(variables: Mapping[str, str]) -> bytes:
    """As Lambda measures them."""
    return json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False).encode()


def _of_stage(values: Values, stage: str) -> Values:
    stages: object = values.get("stages")
    own = cast("dict[str, object]", stages).get(stage) if isinstance(stages, dict) else None
    return cast("dict[str, Any]", own) if isinstance(own, dict) else {}


def _settings(
    table: ProjectTable, name: str, authenticate: AuthenticateSetting | None, findings: list[Finding]
) -> ProjectSettings:
    variables = tuple(sorted(table.environment.items()))
    endpoint, service = table.telemetry.otlp_endpoint, table.telemetry.service_name
    return ProjectSettings(
        app_name=name,
        cron_dialect=table.cron_dialect,
        authenticate=authenticate,
        opens_streams=table.streams.access == "open",
        telemetry=None if endpoint is None else Telemetry(endpoint, service or name),
        findings=tuple(findings),
        architecture=table.architecture,
        validation=table.validation,
        wraps_state_values=_STATE_VALUES in table.compatibility,
        shows_project_folder=_PROJECT_FOLDER in table.compatibility,
        memory_mb=table.memory_mb,
        timeout_seconds=table.timeout_seconds,
        cors=None if table.cors is None else _cors(table.cors),
        log_level=table.log_level,
        log_retention_days=table.log_retention_days,
        tags=tuple(sorted(table.tags.items())),
        production_stages=tuple(table.production_stages),
        runtime=table.runtime,
        secrets=tuple(sorted({*table.secrets} - {*table.environment})),
        environment=variables if len(_encoded(table.environment)) <= ENVIRONMENT_BYTES else (),
    )


def _cors(table: CorsTable) -> Cors:
    """With credentials `*` stands for nothing: what steps take is named then."""
    default = Cors()
    methods, headers = (
        (_NAMED_METHODS, _NAMED_HEADERS) if table.credentials else (default.allow_methods, default.allow_headers)
    )
    return Cors(
        allow_origins=tuple(table.origins),
        allow_methods=methods if table.methods is None else tuple(table.methods),
        allow_headers=headers if table.headers is None else tuple(table.headers),
        expose_headers=tuple(table.expose_headers),
        allow_credentials=table.credentials,
        max_age_seconds=table.max_age_seconds,
    )


_NAMED_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_NAMED_HEADERS = ("content-type", "authorization")

"""What is wrong with the values of a project file, as findings at the lines of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from treadle_infra.app.findings import Finding, SourceLocation, error
from treadle_infra.discovery.places import Keys
from treadle_infra.discovery.project_models import INVALID_CODE, ProjectTable
from treadle_infra.discovery.toml_file import TomlFile
from treadle_infra.discovery.validation import KINDS, dotted, shown

UNKNOWN_CODE = "project-setting-unknown"
_TABLES = ("model_type", "model_attributes_type", "dict_type")
_HEADERS_OF_TELEMETRY = ("otlp_headers", "headers")
_MEANT = {
    "env": "environment",
    "python": "runtime",
    "python_version": "runtime",
    "log": "log_level",
    "ram": "memory_mb",
    "allow_origins": "origins",
    "allow_methods": "methods",
    "allow_headers": "headers",
    "allow_credentials": "credentials",
}


@dataclass(frozen=True, slots=True)
class SettingsSource:
    """Where settings stand: the file, and the table in it (`("tool", "treadle")`; `()` for the file itself)."""

    file: TomlFile
    table: tuple[str, ...]

    def place(self, keys: Keys) -> SourceLocation:
        return self.file.place((*self.table, *keys))

    def header(self, keys: Keys) -> str:
        """The table under these keys, as one would begin it."""
        return ".".join(map(str, (*self.table, *keys)))

    def described(self, keys: Keys) -> str:
        header = self.header(keys)
        return f"[{header}] of {self.file.path}" if header else self.file.path


def right_values(values: Mapping[str, Any], source: SettingsSource, findings: list[Finding]) -> dict[str, Any]:
    """`values` without those that are wrong, each of which goes into `findings`."""
    right = dict(values)
    while True:
        try:
            ProjectTable.model_validate(right)
        except ValidationError as problems:
            for details in problems.errors(include_url=False):
                keys = tuple(key for key in details["loc"] if key != "[key]")
                finding = _finding(details, keys, source)
                if finding not in findings:
                    findings.append(finding)
                right = _without(right, keys)
        else:
            return right


def _without(values: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """The values without the one under these keys; a list goes as a whole."""
    key, *inner = keys
    value: object = values.get(str(key))
    left = {name: other for name, other in values.items() if name != key}
    if inner and isinstance(inner[0], str) and isinstance(value, dict):
        left[str(key)] = _without(cast("dict[str, Any]", value), inner)
    return left


def _finding(details: ErrorDetails, keys: Keys, source: SettingsSource) -> Finding:
    name = dotted(keys)
    given: object = details["input"]
    where = source.place(keys)
    context: dict[str, Any] = details.get("ctx") or {}
    match details["type"]:
        case "treadle":
            return error(context["code"], context["message"], where, context["hint"])
        case "extra_forbidden":
            return _unknown(keys, source)
        case "literal_error":
            expected = str(context["expected"]).replace("'", "`")
            return error(INVALID_CODE, f"`{name}` must be {expected}; got {_toml(given)}", where)
        case "too_short":
            return error(INVALID_CODE, f"`{name}` must not be empty", where)
        case "greater_than_equal":
            return error(INVALID_CODE, f"`{name}` must be at least {context['ge']}; got {_toml(given)}", where)
        case "less_than_equal":
            return error(INVALID_CODE, f"`{name}` must be at most {context['le']}; got {_toml(given)}", where)
        case kind if kind in _TABLES:
            hint = f"begin one with `[{source.header(keys)}]`"
            return error(INVALID_CODE, f"`{name}` must be a table; got {_toml(given)}", where, hint)
        case "bool_type":
            return error(INVALID_CODE, f"`{name}` must be `true` or `false`; got {_toml(given)}", where)
        case "string_type" if isinstance(given, bool | int | float):
            message = f"`{name}` must be a text; got {_toml(given)}"
            return error(INVALID_CODE, message, where, f'write it in quotes: `"{_toml(given)[1:-1]}"`')
        case kind if kind in KINDS:
            return error(INVALID_CODE, f"`{name}` must be {KINDS[kind]}; got {_toml(given)}", where)
        case _:
            return error(INVALID_CODE, f"`{name}`: {details['msg']}", where)


def _toml(value: object) -> str:
    """A value for a message, as it stands in TOML."""
    return f"`{str(value).lower()}`" if isinstance(value, bool) else shown(value)


def _unknown(keys: Keys, source: SettingsSource) -> Finding:
    *above, last = keys
    key, where = str(last), source.place(keys)
    known = _known(ProjectTable, above)
    if above and above[-1] == "telemetry" and key in _HEADERS_OF_TELEMETRY:
        message = f"`{key}` is not a setting: headers hold keys, and this file is no place for one"
        return error(UNKNOWN_CODE, message, where, "set OTEL_EXPORTER_OTLP_HEADERS in the environment")
    message = f"`{key}` is not a setting that {source.described(above)} can hold"
    if key in _known(ProjectTable, ()) and len(above) > 1 and above[0] == "stages":
        return error(UNKNOWN_CODE, message, where, "set it in the whole project's settings, for all stages")
    return error(UNKNOWN_CODE, message, where, _hint(key, known))


def _hint(key: str, known: Sequence[str]) -> str:
    wanted = key.lower().replace("-", "_")
    words = get_close_matches(_MEANT.get(wanted, wanted), known, 1, 0.5)
    return f"did you mean `{words[0]}`?" if words else f"the settings are: {', '.join(known)}"


def _known(model: type[BaseModel], above: Sequence[str | int]) -> list[str]:
    """The keys that the table under these keys can hold."""
    current = model
    for key in above:
        field = current.model_fields.get(str(key))
        if field is not None:
            current = next(_models_in(field.annotation), current)
    return list(current.model_fields)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)

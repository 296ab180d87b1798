"""Every step's and stream's file, imported or remembered, with the files of the project that it is made from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from treadle.loader import search_folders
from treadle_infra.app.findings import Finding, SourceLocation, error
from treadle_infra.discovery.closure import Closure, Observed, import_closure
from treadle_infra.discovery.files import ProjectFile
from treadle_infra.discovery.import_cache import ImportCache
from treadle_infra.discovery.importing import FAILED_CODE, TIMED_OUT_CODE, Answer, ImportOptions, import_files
from treadle_infra.discovery.imports import imports_of
from treadle_infra.discovery.places import ConfigPlaces, config_places
from treadle_infra.discovery.source import PARSER_VERSION, Sources

_CONFIG_KEYS = frozenset(
    {
        *("name", "type", "path", "method", "emits", "subscribes", "flows", "cron", "input", "description", "schema"),
        *("bodySchema", "responseSchema", "queryParams", "middleware", "infrastructure", "virtualEmits", "baseConfig"),
        *("virtualSubscribes", "includeFiles", "triggers", "enqueues"),
    }
)


@dataclass(frozen=True, slots=True)
class Module:
    """A file's module. `config` None: what is wrong stands in `findings`, where the file should have one.

    `function` is what the child tells of `file.function`; None where the module has none of this name, or where it
    cannot be imported. `data_files` are those that it reads when it is imported, hidden ones aside.
    """

    file: ProjectFile
    places: ConfigPlaces
    closure: Closure
    findings: tuple[Finding, ...] = ()
    config: Mapping[str, Any] | None = None
    function: Mapping[str, Any] | None = None
    is_imported: bool = True
    data_files: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def files(self) -> tuple[str, ...]:
        """What its zip needs of the project: the import closure, and the data that it reads when it is imported."""
        return tuple(sorted({*self.closure.files, *self.data_files}))


def read_modules(
    project: Path, files: Iterable[ProjectFile], sources: Sources, options: ImportOptions, cache: Path | None
) -> list[Module]:
    """The modules of all `files`, in their order. Only those that have changed are imported."""
    reader = _Reader(project, sources, ImportCache(cache, project, options), options.packages)
    every = list(files)
    known = {file: found for file in every if (found := reader.remembered(file)) is not None}
    unknown = [(file.path, file.function) for file in every if file not in known]
    answers = import_files(project, unknown, options) if unknown else {}
    return [known.get(file) or reader.imported(file, answers[file.path, file.function]) for file in every]


class _Reader:
    def __init__(self, project: Path, sources: Sources, cache: ImportCache, packages: frozenset[str]) -> None:
        self._project = project
        self._sources = sources
        self._cache = cache
        self._packages = packages

    def remembered(self, file: ProjectFile) -> Module | None:
        """The module as it was imported before, where nothing that it is made from has changed."""
        entry = self._cache.find((file.path, file.function))
        if entry is None:
            return None
        module, made_from = self._module(file, entry["answer"])
        return module if self._cache.is_fresh(entry, made_from, self._sources) else None

    def imported(self, file: ProjectFile, answer: Answer) -> Module:
        module, made_from = self._module(file, answer)
        self._cache.keep((file.path, file.function), answer, made_from, self._sources)
        return module

    def _module(self, file: ProjectFile, answer: Answer) -> tuple[Module, list[str]]:
        observed = Observed(
            tuple(answer.get("folders") or search_folders(file.path)),
            answer.get("modules") or {},
            tuple(answer.get("opened") or ()),
        )
        closure = import_closure(self._sources, file.path, self._project.name, observed, self._packages)
        places = config_places(file.path, self._sources.content(file.path))
        data_files = [path for path in observed.opened if not path.endswith(".py") and self._sources.is_file(path)]
        findings = [*closure.findings, *_failures(file, answer, closure)]
        if "error" not in answer:
            findings += self._unreadable(closure)
            findings += _config_problems(answer, places) if file.kind != "authentication" else ()
        config: object = answer.get("config")
        module = Module(
            file,
            places,
            closure,
            tuple(findings),
            cast("dict[str, Any]", config) if isinstance(config, dict) else None,
            answer.get("function"),
            "error" not in answer,
            tuple(path for path in data_files if not path.rpartition("/")[2].startswith(".")),
        )
        return module, sorted({*closure.files, *data_files})

    def _unreadable(self, closure: Closure) -> Iterator[Finding]:
        for path in closure.files:
            problem = imports_of(self._sources.content(path)).problem
            if problem is not None:
                yield error(
                    "source-not-readable",
                    f"`{path}` cannot be read by Python {PARSER_VERSION}, on which Treadle runs: {problem.message}",
                    SourceLocation(path, problem.line),
                    "where it is right for the Lambda runtime's Python, install Treadle with that version",
                )


def _failures(file: ProjectFile, answer: Answer, closure: Closure) -> Iterator[Finding]:
    failure: Mapping[str, Any] | None = answer.get("error")
    if failure is None:
        return
    module: str | None = failure.get("module")
    if module is not None and module.partition(".")[0] in closure.missing:
        return  # the finding about the import says it better
    printed = str(failure.get("printed") or "")
    said = "".join(f"\n  | {line}" for line in printed.splitlines())
    code = str(failure.get("code") or FAILED_CODE)
    yield error(
        code,
        f"`{file.path}` cannot be imported: {failure['message']}" + (f"\n  it printed:{said}" if said else ""),
        SourceLocation(str(failure.get("path") or file.path), int(failure["line"])),
        "move what takes so long, or waits for something, into the handler"
        if code == TIMED_OUT_CODE
        else _quotes_hint(str(failure["message"])),
    )


def _quotes_hint(message: str) -> str | None:
    """What to do about a config written as in JavaScript: `{name: "Hello"}`."""
    missing = re.fullmatch(r"NameError: name '(\w+)' is not defined.*", message)
    is_key = missing is not None and missing[1] in _CONFIG_KEYS
    return f'keys of a dict are texts: write `"{missing[1]}":`' if missing is not None and is_key else None


def _config_problems(answer: Answer, places: ConfigPlaces) -> Iterator[Finding]:
    problem: Mapping[str, str] | None = answer.get("config_problem")
    if problem is not None:
        keys = [int(part) if part.isdecimal() else part for part in problem["path"].split(".") if part]
        name = f"config.{problem['path']}" if problem["path"] else "config"
        message = f"`{name}` {problem['message']}"
        yield error("config-not-json", message, places.of(*keys), "a config holds texts, numbers, lists and dicts")
    elif "config" not in answer:
        hint = 'write `config = {"name": ..., ...}` at the top of the file'
        yield error("config-missing", f"No 'config' found in module {places.path}", places.config, hint)
    elif not isinstance(answer["config"], dict):
        yield error("config-not-json", "`config` must be a dict", places.config)

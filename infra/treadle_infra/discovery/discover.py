"""A project's folder -> its App, and everything that is wrong with it: the first stage of the compiler."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from treadle.loader import search_folders
from treadle_infra.app.findings import Finding, SourceLocation, TreadleError, has_errors
from treadle_infra.app.model import App, CronTrigger, DrawnStep, HttpTrigger, Step, Stream
from treadle_infra.discovery import asgi
from treadle_infra.discovery.authentication import authentication_file, read_authentication
from treadle_infra.discovery.closure import DYNAMIC_IMPORT, Observed, import_closure
from treadle_infra.discovery.config import StepConfig, StepDefaults, read_step_config, read_stream_config
from treadle_infra.discovery.cors_headers import cors_header_findings
from treadle_infra.discovery.crossing import (
    FoundStep,
    VirtualTopics,
    circular_findings,
    inferred_streams,
    topic_findings,
    without_duplicate_steps,
    without_duplicate_streams,
)
from treadle_infra.discovery.environment import variables_at_import
from treadle_infra.discovery.files import find_files
from treadle_infra.discovery.handlers import check_handler
from treadle_infra.discovery.importing import ImportOptions, SpareChild
from treadle_infra.discovery.included import find_included
from treadle_infra.discovery.modules import Module, read_modules
from treadle_infra.discovery.named_files import find_named_files
from treadle_infra.discovery.places import ConfigPlaces
from treadle_infra.discovery.project import ProjectSettings, read_settings
from treadle_infra.discovery.source import Sources
from treadle_infra.discovery.state_idiom import state_idiom_findings
from treadle_infra.discovery.usage import usage_of


@dataclass(frozen=True, slots=True)
class DiscoverOptions:
    """How a project's modules are imported.

    `extra_paths`: folders with its third-party packages, `packages` the modules in them. `cache_directory`: where to
    keep what unchanged files have told; it may be deleted at any time. `spare`: keeps a process for the next discovery.
    """

    interpreter: str = sys.executable
    import_timeout_seconds: float = 10.0
    extra_paths: tuple[str, ...] = ()
    cache_directory: Path | None = None
    spare: SpareChild | None = None
    packages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Discovery:
    """The app of all that is right, and the findings, by place."""

    app: App
    findings: tuple[Finding, ...]


def discover(project: Path, options: DiscoverOptions | None = None, stage: str = "dev") -> Discovery:
    """Reads the project in this folder, as it is on a stage.

    A step or stream with an error is in the findings and not in the app.

    Raises: TreadleError `no-such-project`, `interpreter-not-usable`.
    """
    root = Path(os.path.realpath(project))
    if not root.is_dir():
        raise TreadleError("no-such-project", f"there is no folder {project}")
    return _Discoverer(root, options or DiscoverOptions(), stage).discover()


@dataclass(frozen=True, slots=True)
class _StepFiles:
    """`python` are those among `all` that it can import; `imports` the third-party modules."""

    python: tuple[str, ...]
    all: tuple[str, ...]
    imports: tuple[str, ...]
    findings: tuple[Finding, ...]


class _Discoverer:
    def __init__(self, root: Path, options: DiscoverOptions, stage: str) -> None:
        self._root = root
        self._stage = stage
        self._options = options
        self._sources = Sources(root)
        self._findings: list[Finding] = []
        self._drawn: list[DrawnStep] = []

    def discover(self) -> Discovery:
        settings = read_settings(self._root, self._stage)
        files = find_files(self._root)
        self._findings += [*settings.findings, *files.findings]
        asked = settings.authenticate
        authenticating = None if asked is None else authentication_file(asked, self._sources, self._findings)
        cache = self._options.cache_directory
        import_options = ImportOptions(
            self._options.interpreter,
            self._options.import_timeout_seconds,
            self._options.extra_paths,
            None if cache is None else cache / "bytecode",
            self._options.spare,
            self._options.packages,
            variables_at_import(settings.environment, settings.secrets),
        )
        every = [*files.files, *([] if authenticating is None else [authenticating])]
        modules = read_modules(self._root, every, self._sources, import_options, cache)
        streams = self._streams(module for module in modules if module.file.kind == "stream")
        steps = self._steps([module for module in modules if module.file.kind == "step"], settings)
        streams += inferred_streams(steps, streams, self._findings)
        if settings.opens_streams:
            streams = [dataclasses.replace(stream, is_open=not stream.checks_access) for stream in streams]
        app = App(
            settings.app_name,
            tuple(_reading_state(found.step, settings) for found in steps),
            tuple(sorted(streams, key=lambda stream: stream.name)),
            None if asked is None else read_authentication(asked, modules, self._sources, self._findings),
            settings.telemetry,
            settings.architecture,
            shows_project_folder=settings.shows_project_folder,
            drawn=tuple(self._drawn),
            package=self._root.name if any(module.closure.names_project for module in modules) else None,
            cors=settings.cors,
            log_level=settings.log_level,
            log_retention_days=settings.log_retention_days,
            tags=settings.tags,
            production_stages=settings.production_stages,
            environment=settings.environment,
            secrets=settings.secrets,
            runtime=settings.runtime,
        )
        answering = {path: None for step in app.steps if _answers_http(step) for path in step.files}
        python_files = [path for path in answering if path.endswith(".py")]
        self._findings += cors_header_findings(self._sources, python_files, app.cors)
        reading = [step for step in app.steps if _unwrapped(step)]
        readers = {path: None for step in reading for path in step.files if path.endswith(".py")}
        self._findings += state_idiom_findings(self._sources, readers)
        return Discovery(app, tuple(sorted(dict.fromkeys(self._findings), key=_by_place)))

    def _streams(self, modules: Iterable[Module]) -> list[Stream]:
        found: list[tuple[Stream, ConfigPlaces]] = []
        for module in modules:
            self._findings += module.findings
            if module.config is None:
                continue
            stream, problems = read_stream_config(module.config, module.places)
            self._findings += problems
            if stream is not None and not has_errors(module.findings):
                if stream.checks_access:
                    stream = dataclasses.replace(stream, files=module.files, imports=module.closure.imports)
                found.append((stream, module.places))
        return without_duplicate_streams(found, self._findings)

    def _steps(self, modules: Sequence[Module], settings: ProjectSettings) -> list[FoundStep]:
        """The steps that are right, by path; findings between them consider those too that have a right config."""
        found: list[FoundStep] = []
        configs: list[StepConfig] = []
        is_complete = True
        for module in modules:
            config = StepConfig(None)
            if module.config is not None:
                is_application = asgi.is_application(module.config, module.function)
                written = asgi.api_config(module.config) if is_application else module.config
                config = read_step_config(written, module.places, _defaults(settings))
            configs.append(config)
            files = self._files(module, config.include_files)
            self._findings += [*files.findings, *config.findings]
            if config.step is None:
                is_complete = is_complete and config.drawn is not None
                continue
            problems, read = _checked(module, config.step)
            self._findings += problems
            usage = usage_of(self._sources, module.path, files.python, config.contexts)
            step = dataclasses.replace(read, usage=usage.usage, files=files.all, imports=files.imports)
            is_broken = has_errors([*files.findings, *problems])
            found.append(FoundStep(step, module.places, usage, is_broken))
        self._drawn = [config.drawn for config in configs if config.drawn is not None]
        virtuals = [config.step.virtual for config in configs if config.step] + [one.virtual for one in self._drawn]
        virtual = VirtualTopics(
            frozenset(topic for virtual in virtuals for topic in virtual.subscribes),
            frozenset(emit.topic for virtual in virtuals for emit in virtual.emits),
        )
        self._findings += circular_findings(found)
        self._findings += topic_findings(found, virtual, is_complete=is_complete)
        right = [one for one in found if not one.is_broken]
        return without_duplicate_steps(right, self._findings)

    def _files(self, module: Module, include_files: Sequence[str]) -> _StepFiles:
        """The files of a step: what it imports, reads and includes, and what an included module imports."""
        included = find_included(self._root, module.path, include_files, module.places)
        observed = Observed(tuple(search_folders(module.path)))
        closures = [
            import_closure(self._sources, path, self._root.name, observed, self._options.packages)
            for path in included.files
            if path.endswith(".py")
        ]
        python = tuple(sorted({*module.closure.files, *(path for closure in closures for path in closure.files)}))
        named = find_named_files(self._root, self._sources, python)
        findings = [*module.findings, *included.findings, *named.findings]
        findings += [one for closure in closures for one in closure.findings]
        if closures:  # somebody has seen to what is imported by a computed name
            findings = [one for one in findings if one.code != DYNAMIC_IMPORT]
        return _StepFiles(
            python,
            tuple(sorted({*module.files, *python, *included.files, *named.files})),
            tuple(sorted({*module.closure.imports, *(name for closure in closures for name in closure.imports)})),
            tuple(findings),
        )


def _checked(module: Module, step: Step) -> tuple[list[Finding], Step]:
    """What is wrong with a step's handler, or with the application that stands for it, and the step."""
    config, function = module.config, module.function
    if config is not None and function is not None and asgi.is_application(config, function):
        problems = list(asgi.check_application(config, function, module.places))
        return problems, asgi.application_step(step, config)
    handler = None if function is None or function.get("app") is True else function
    return list(check_handler(handler, module.places, is_only_scheduled=_is_only_scheduled(step))), step


def _is_only_scheduled(step: Step) -> bool:
    return all(isinstance(trigger, CronTrigger) for trigger in step.triggers)


def _defaults(settings: ProjectSettings) -> StepDefaults:
    return StepDefaults(settings.cron_dialect, settings.validation, settings.memory_mb, settings.timeout_seconds)


def _reading_state(step: Step, settings: ProjectSettings) -> Step:
    """Motia 1.0 has plain values."""
    is_wrapping = settings.wraps_state_values and not step.is_flow and "get" in step.usage.state
    return dataclasses.replace(step, wraps_state_values=True) if is_wrapping else step


def _unwrapped(step: Step) -> bool:
    return "get" in step.usage.state and not step.wraps_state_values and not step.is_flow


def _answers_http(step: Step) -> bool:
    return any(isinstance(trigger, HttpTrigger) for trigger in step.triggers)


def _by_place(finding: Finding) -> tuple[SourceLocation, str, str, str]:
    return finding.where or SourceLocation(""), finding.severity, finding.code, finding.message

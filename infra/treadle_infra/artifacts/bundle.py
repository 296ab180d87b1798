"""App + files -> one zip per step: the adapter, the step's slice of the manifest, and the files that it imports."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import treadle
from treadle.names import WEBSOCKET
from treadle_infra.app.findings import Finding, SourceLocation, TreadleError
from treadle_infra.app.model import App, Json, Step
from treadle_infra.artifacts.archive import ArchiveEntry, archive_entry, build_archive
from treadle_infra.artifacts.bytecode import Bytecode, SourceFile, bytecode_path, compile_sources
from treadle_infra.artifacts.files import replace_file
from treadle_infra.artifacts.manifest_slice import manifest_slice, system_slice
from treadle_infra.artifacts.model import Artifact
from treadle_infra.interpreters import LAMBDA_PYTHON
from treadle_infra.topology.build import fifo_topics
from treadle_infra.topology.system import system_functions

BUNDLE_FORMAT = 1
"""Enters every artifact key: another layout of the zip is another artifact."""
MANIFEST_PATH = "treadle/manifest.json"
SYSTEM_PATH = "treadle/system.json"
"""Where a step, and one of Treadle's own functions, finds what it knows of its app."""
USER_FOLDER = "app"
UNZIPPED_LIMIT_BYTES = 250 * 1024 * 1024
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_UNUSED_FOR_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """`interpreter`: a Python of the Lambda runtime's version; None means zips without bytecode (and a warning).

    `compiles`: whether sources that have no bytecode yet get it; without, an edit is packaged at once.
    """

    cache_directory: Path
    interpreter: str | None = None
    compiles: bool = True


@dataclass(frozen=True, slots=True)
class Bundles:
    """The artifact of each step by the step's name; a step that could not be bundled stands in the findings."""

    artifacts: Mapping[str, Artifact]
    findings: tuple[Finding, ...] = ()


def bundle(project: Path, app: App, options: BundleOptions) -> Bundles:
    """The zips of all steps, and of Treadle's own functions where the app has streams.

    A zip that was made before, from the same files, is not made again.
    An artifact's key depends on paths and contents of sources only: not on the project's place, the clock, the
    compression or the bytecode.
    """
    sources = _Sources(project)
    adapter = _adapter_files()
    plans: list[_Plan] = []
    findings: list[Finding] = []
    for step in app.steps:
        try:
            plans.append(_plan_of_step(step, app, sources, adapter))
        except TreadleError as problem:
            findings.append(problem.finding)
    if system_functions(app):
        try:
            plans += [_plan_of_system(name, app, sources, adapter) for name in system_functions(app)]
        except TreadleError as problem:
            findings.append(problem.finding)
    python_files = [file for plan in plans for file in plan.files if file.zip_path.endswith(".py")]
    bytecode = compile_sources(
        python_files,
        options.interpreter,
        options.cache_directory,
        compiles=options.compiles,
        version=app.python_version,
    )
    writer = _Writer(options.cache_directory / "zips", bytecode)
    artifacts = {plan.function: writer.write(plan) for plan in plans}
    writer.forget_unused()
    return Bundles(artifacts, (*findings, *bytecode.findings))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What goes into one zip, bytecode aside. `function` is the step's name, or a name of Treadle's own."""

    function: str
    key: str
    files: tuple[SourceFile, ...]


class _Sources:
    """The project's files, each read once a build."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._files: dict[str, SourceFile] = {}

    def read(self, path: str, reader: str, where: SourceLocation | None) -> SourceFile:
        """The file at `path`, relative to the project.

        Raises: TreadleError `file-unreadable`.
        """
        known = self._files.get(path)
        if known is None:
            try:
                content = (self._project / path).read_bytes()
            except OSError as problem:
                raise TreadleError(
                    "file-unreadable",
                    f"`{path}`, which `{reader}` needs, cannot be read: {problem.strerror}",
                    where=where,
                ) from problem
            known = self._files[path] = _source(f"{USER_FOLDER}/{path}", content)
        return known


def _plan_of_step(step: Step, app: App, sources: _Sources, adapter: tuple[SourceFile, ...]) -> _Plan:
    """Raises: TreadleError `file-unreadable`, `queue-settings-differ`, `step-too-large`."""
    files = [sources.read(path, step.name, step.where) for path in step.files]
    known = manifest_slice(
        step, app.telemetry, fifo_topics(app), app.package, app.secrets, notes_state_trace=app.reacts_to_state
    )
    return _plan(step.name, step.where, (MANIFEST_PATH, known), files, adapter, app.python_version)


def _plan_of_system(name: str, app: App, sources: _Sources, adapter: tuple[SourceFile, ...]) -> _Plan:
    """The function behind the WebSocket API carries what decides who may follow what.

    Raises: TreadleError `file-unreadable`, `step-too-large`.
    """
    files: dict[str, SourceFile] = {}
    if name == WEBSOCKET:
        for stream in app.streams:
            for path in stream.files if stream.checks_access else ():
                files[path] = sources.read(path, f"the stream {stream.name}", stream.where)
        if app.authentication is not None:
            for path in app.authentication.files:
                files[path] = sources.read(path, app.authentication.function, app.authentication.where)
    known = (SYSTEM_PATH, system_slice(name, app))
    return _plan(name, None, known, [files[path] for path in sorted(files)], adapter, app.python_version)


def _plan(
    function: str,
    where: SourceLocation | None,
    known: tuple[str, Mapping[str, Json]],
    files: Iterable[SourceFile],
    adapter: tuple[SourceFile, ...],
    version: str,
) -> _Plan:
    path, document = known
    files = tuple(files)
    if not any(b"motia" in file.content for file in files if file.zip_path.endswith(".py")):
        adapter = tuple(file for file in adapter if not file.zip_path.startswith("treadle/motia/"))
    own = [_source(path, json.dumps(document, separators=(",", ":")).encode()), *files]
    size = sum(len(file.content) for file in (*adapter, *own))
    if size > UNZIPPED_LIMIT_BYTES:
        raise TreadleError(
            "step-too-large",
            f"the files of `{function}` have {size:,} bytes and Lambda takes {UNZIPPED_LIMIT_BYTES:,} unzipped",
            where=where,
            hint=f"the largest is `{max(own, key=lambda file: len(file.content)).zip_path}`",
        )
    return _Plan(function, _artifact_key(own, adapter, version), (*adapter, *own))


def _artifact_key(files: Iterable[SourceFile], adapter: Iterable[SourceFile], version: str) -> str:
    """The adapter's version is what its files say: an edit to the adapter is another artifact.

    The version of Python is that of the bytecode.
    """
    runtime = "" if version == LAMBDA_PYTHON else f" for Python {version}"
    digest = hashlib.sha256(f"treadle bundle {BUNDLE_FORMAT}{runtime}\n".encode())
    for group in (adapter, files):
        for file in sorted(group, key=lambda file: file.zip_path):
            digest.update(f"{file.sha256} {file.zip_path}\n".encode())
    return digest.hexdigest()


def _adapter_files() -> tuple[SourceFile, ...]:
    """The Python files of the installed adapter, as they stand at the root of every zip."""
    root = Path(treadle.__file__).parent
    found = [(path.relative_to(root).as_posix(), path.stat()) for path in root.rglob("*.py")]
    return _read_adapter(root, tuple(sorted((path, about.st_mtime_ns, about.st_size) for path, about in found)))


@lru_cache(1)
def _read_adapter(root: Path, files: tuple[tuple[str, int, int], ...]) -> tuple[SourceFile, ...]:
    return tuple(_source(f"treadle/{path}", (root / path).read_bytes()) for path, _, _ in files)


def _source(zip_path: str, content: bytes) -> SourceFile:
    return SourceFile(zip_path, content, hashlib.sha256(content).hexdigest())


class _Writer:
    """Writes zips into the cache folder; deflates each file once, however many zips it is in."""

    def __init__(self, directory: Path, bytecode: Bytecode) -> None:
        self._directory = directory
        self._bytecode = bytecode
        self._entries: dict[tuple[str, str], ArchiveEntry] = {}

    def write(self, plan: _Plan) -> Artifact:
        compiled = self._bytecode.compiled
        complete = all((file.zip_path, file.sha256) in compiled for file in plan.files if file.zip_path.endswith(".py"))
        path = self._directory / f"{plan.key}{'.bytecode' if complete else ''}.zip"
        try:
            os.utime(path)
        except OSError:
            replace_file(path, build_archive(self._archive(plan)))
        size = sum(len(file.content) + len(compiled.get((file.zip_path, file.sha256), b"")) for file in plan.files)
        return Artifact(plan.key, path, size)

    def _archive(self, plan: _Plan) -> dict[str, ArchiveEntry]:
        archive: dict[str, ArchiveEntry] = {}
        for file in plan.files:
            archive[file.zip_path] = self._entry(file.zip_path, file.sha256, file.content)
            compiled = self._bytecode.compiled.get((file.zip_path, file.sha256))
            if compiled is not None:
                compiled_path = bytecode_path(file.zip_path, self._bytecode.version)
                archive[compiled_path] = self._entry(compiled_path, file.sha256, compiled)
        return archive

    def _entry(self, zip_path: str, source_sha256: str, content: bytes) -> ArchiveEntry:
        key = (zip_path, source_sha256)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = archive_entry(content)
        return entry

    def forget_unused(self) -> None:
        """Removes the zips that no build has asked for in a week."""
        oldest = time.time() - _UNUSED_FOR_SECONDS
        for path in self._directory.glob("*.zip"):
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except OSError:
                continue  # another build was faster

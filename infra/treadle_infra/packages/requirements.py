"""What a project asks of the package index, in whichever files it does, and a digest of all that they say."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from treadle_infra.app.findings import SourceLocation, TreadleError
from treadle_infra.packages.distributions import normal_name
from treadle_infra.packages.uv import run_uv

REQUIREMENTS_FILE = "requirements.txt"
PROJECT_FILE = "pyproject.toml"
LOCK_FILE = "uv.lock"

_NESTED = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=)?(?P<path>\S+)")
_LOCAL = re.compile(
    r"(?:(?:-e|--editable)(?:\s+|=))?(?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?"
    r"(?P<path>(?:file:|\.{1,2}/|/)\S*|\.)(?=\s|;|$)"
)
_EXPORT = ("export", "--frozen", "--no-dev", "--no-emit-project", "--no-editable", "--no-header", "--no-annotate")
_NOT_SOURCE = frozenset({"__pycache__", "build", "dist", "node_modules", "venv"})


@dataclass(frozen=True, slots=True)
class LocalPackage:
    """A package that lies on this machine: built anew when one of its files changes."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Requirements:
    """`files` are what the installer reads, absolute; `where` is the first file that a person writes."""

    files: tuple[Path, ...]
    local: tuple[LocalPackage, ...]
    digest: str
    where: SourceLocation
    project: Path

    def place_of(self, distribution: str) -> SourceLocation:
        """The line that names a distribution; where none does, since another one needs it, the file's first."""
        pattern = re.compile(r"[-_.]+".join(map(re.escape, re.split(r"[-_.]+", distribution))) + r"(?![\w.-])", re.I)
        for name in (REQUIREMENTS_FILE, PROJECT_FILE):
            for number, line in enumerate(_text(self.project / name).splitlines(), start=1):
                if pattern.match(line.strip().lstrip("\"'[").removeprefix("dependencies = [").lstrip("\"'")):
                    return SourceLocation(name, number)
        return self.where


def read_requirements(project: Path, interpreter: str, cache: Path) -> Requirements | None:
    """Everything that the project requires; None where it requires nothing.

    `requirements.txt` with all that it includes, and beside it the lock file of uv (the project's own or its
    workspace's), or, without one, the dependencies in `pyproject.toml`.
    Raises: TreadleError `requirements-not-readable`.
    """
    return _Reader(project.resolve(), interpreter, cache).read()


class _Reader:
    def __init__(self, project: Path, interpreter: str, cache: Path) -> None:
        self._project = project
        self._interpreter = interpreter
        self._cache = cache
        self._digest = hashlib.sha256()
        self._local: dict[Path, LocalPackage] = {}
        self._seen: set[Path] = set()

    def read(self) -> Requirements | None:
        files: list[Path] = []
        places: list[str] = []
        requirements = self._project / REQUIREMENTS_FILE
        if requirements.is_file():
            self._requirements(requirements)
            files.append(requirements)
            places.append(REQUIREMENTS_FILE)
        pyproject = self._project / PROJECT_FILE
        table = _table(pyproject)
        if _table_in(table, "project").get("dependencies"):
            locked = self._locked()
            if locked is None:
                self._pyproject(self._project, table)
            files.append(locked or pyproject)
            places.append(PROJECT_FILE)
        if not files:
            return None
        local = tuple(sorted(self._local.values(), key=lambda package: package.name))
        for package in local:
            self._add(package.name, _tree_digest(package.folder))
        return Requirements(tuple(files), local, self._digest.hexdigest(), SourceLocation(places[0]), self._project)

    def _add(self, *parts: bytes | str) -> None:
        for part in parts:
            content = part.encode() if isinstance(part, str) else part
            self._digest.update(b"%d:" % len(content) + content)

    # requirements.txt

    def _requirements(self, file: Path) -> None:
        if file in self._seen:
            return
        self._seen.add(file)
        try:
            content = file.read_bytes()
        except OSError as problem:
            raise TreadleError(
                "requirements-not-readable",
                f"{file} cannot be read: {problem.strerror}",
                where=SourceLocation(REQUIREMENTS_FILE),
            ) from problem
        self._add(content)
        for line in content.decode("utf-8", "replace").splitlines():
            text = line.strip()
            if match := _NESTED.match(text):
                self._requirements((file.parent / match["path"]).resolve())
            elif match := _LOCAL.match(text):
                self._local_path(_path(match["path"], self._project))

    def _local_path(self, path: Path) -> None:
        if path.is_file():
            self._add(path.read_bytes())
        elif path.is_dir() and path not in self._local:
            self._local[path] = LocalPackage(_project_name(path) or path.name, path)
            self._pyproject(path, _table(path / PROJECT_FILE))

    # pyproject.toml

    def _pyproject(self, folder: Path, table: Mapping[str, Any]) -> None:
        """Takes in what a project says of its dependencies, and the packages on this machine among them."""
        if folder == self._project:
            self._add((folder / PROJECT_FILE).read_bytes())
        for name, source in _table_in(table, "tool", "uv", "sources").items():
            entries = cast("list[object]", source) if isinstance(source, list) else [source]
            for entry in map(_dict, entries):
                if isinstance(entry.get("path"), str):
                    self._local_path(_path(entry["path"], folder))
                elif entry.get("workspace") is True:
                    for member in _members(folder):
                        if normal_name(str(_project_name(member))) == normal_name(name):
                            self._local_path(member)

    def _locked(self) -> Path | None:
        """What the lock file pins, as a requirements file with absolute paths; None where there is no lock file."""
        lock = next((folder / LOCK_FILE for folder in _upwards(self._project) if (folder / LOCK_FILE).is_file()), None)
        if lock is None:
            return None
        content = lock.read_bytes()
        pyproject = (self._project / PROJECT_FILE).read_bytes()
        key = hashlib.sha256(b"%d:" % len(content) + content + pyproject + str(lock).encode()).hexdigest()
        exported = self._cache / "locked" / f"{key}.txt"
        if not exported.is_file():
            self._export(lock, exported)
        text = exported.read_text()
        self._add(text)
        for line in text.splitlines():
            if match := _LOCAL.match(line):
                self._local_path(_path(match["path"], lock.parent))
        return exported

    def _export(self, lock: Path, target: Path) -> None:
        done = run_uv(
            [*_EXPORT, "--python", self._interpreter],
            self._project,
        )
        if done.returncode:
            raise TreadleError(
                "requirements-not-readable",
                f"{LOCK_FILE} cannot be read: {done.stderr.strip()}",
                where=SourceLocation(PROJECT_FILE),
                hint="`uv lock` writes it anew",
            )
        lines = [_with_absolute_path(line, lock.parent) for line in done.stdout.splitlines()]
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(f".{os.getpid()}")
        fresh.write_text("\n".join(lines) + "\n")
        fresh.replace(target)


def _upwards(folder: Path) -> Iterator[Path]:
    """The folder and those above, up to the one with the repository or the workspace."""
    for one in (folder, *folder.parents):
        yield one
        if (one / ".git").exists() or _table_in(_table(one / PROJECT_FILE), "tool", "uv").get("workspace"):
            return


def _members(folder: Path) -> Iterator[Path]:
    """The folders of the workspace that `folder` belongs to."""
    for root in _upwards(folder):
        workspace = _table_in(_table(root / PROJECT_FILE), "tool", "uv", "workspace")
        for pattern in workspace.get("members", ()):
            yield from (found for found in sorted(root.glob(str(pattern))) if (found / PROJECT_FILE).is_file())


def _with_absolute_path(line: str, folder: Path) -> str:
    match = _LOCAL.match(line)
    return line if match is None else f"{_path(match['path'], folder)}{line[match.end('path') :]}"


def _project_name(folder: Path) -> str | None:
    name: object = _table_in(_table(folder / PROJECT_FILE), "project").get("name")
    return name if isinstance(name, str) else None


def _path(text: str, folder: Path) -> Path:
    if text.startswith("file:"):
        text = unquote(urlsplit(text).path)
    return (folder / text).resolve()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _table(path: Path) -> dict[str, Any]:
    """A TOML file; empty where there is none or it is wrong, which reading the settings tells."""
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError:
        return {}


def _table_in(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    inner: object = table
    for key in keys:
        inner = _dict(inner).get(key)
    return _dict(inner)


def _dict(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _tree_digest(folder: Path) -> bytes:
    """A digest of the names and contents of all files that a build may read."""
    digest = hashlib.sha256()
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOT_SOURCE)
        for name in sorted(files):
            path = Path(current) / name
            try:
                content = hashlib.sha256(path.read_bytes()).digest()
            except OSError:
                continue
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + content)
    return digest.digest()

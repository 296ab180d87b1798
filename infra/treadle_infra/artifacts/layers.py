"""App + installed packages -> one zip for each set of packages that some function needs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from treadle.names import WEBSOCKET
from treadle_infra.app.findings import Finding, SourceLocation, error, has_errors, warning
from treadle_infra.app.model import App, PackageSet
from treadle_infra.artifacts.archive import ArchiveEntry, build_archive, deflated_entry
from treadle_infra.artifacts.files import replace_file
from treadle_infra.artifacts.model import Artifact
from treadle_infra.packages.distributions import Distribution, InstalledFile
from treadle_infra.packages.installing import Installed

LAYER_FORMAT = 1
"""Enters every layer's key: another layout of the zip is another layer."""
LAYER_FOLDER = "python"
UNZIPPED_LIMIT_BYTES = 250 * 1024 * 1024
"""A function and its layers together. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

PlaceOf = Callable[[str], SourceLocation]
"""Where the requirements name a distribution."""

_LARGEST_SHOWN = 8
_ZIP_WORKERS = 2
_LEVEL = 6
"""Of zlib: the highest takes three times as long for a hundredth of the bytes."""


@dataclass(frozen=True, slots=True)
class Layers:
    """`sets` is by function, `artifacts` and `distributions` by the key of a set.

    `refused` are the functions whose packages cannot be used; `is_complete` False: no package could be installed.
    """

    sets: Mapping[str, PackageSet] = field(default_factory=dict[str, PackageSet])
    artifacts: Mapping[str, Artifact] = field(default_factory=dict[str, Artifact])
    distributions: Mapping[str, tuple[Distribution, ...]] = field(default_factory=dict[str, tuple[Distribution, ...]])
    findings: tuple[Finding, ...] = ()
    refused: frozenset[str] = frozenset()
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class _Need:
    """What one function imports from packages; `where` is what a finding about it points at."""

    function: str
    imports: tuple[str, ...]
    where: SourceLocation | None


def build_layers(
    app: App, installed: Installed, cache_directory: Path, place_of: PlaceOf, *, is_for_aws: bool = True
) -> Layers:
    """The packages that each function runs with, zipped once for each set; a zip that is there is not made again.

    A layer's key depends on the paths and contents of the packages' files only, bytecode aside. Findings about a
    package point at its place in the project's requirements. What is too large for Lambda is refused `is_for_aws`, and
    else a warning.
    """
    sets: dict[str, PackageSet] = {}
    artifacts: dict[str, Artifact] = {}
    contents: dict[str, tuple[Distribution, ...]] = {}
    by_imports: dict[tuple[str, ...], tuple[Distribution, ...]] = {}
    findings: dict[Finding, None] = {}
    refused: set[str] = set()
    for need in _needs(app):
        if need.imports not in by_imports:
            by_imports[need.imports] = installed.distributions.closure(need.imports)
        distributions = by_imports[need.imports]
        if not distributions:
            continue
        problems = [*_unloadable(distributions, place_of), *_too_large(need, distributions, is_for_aws=is_for_aws)]
        findings.update(dict.fromkeys(problems))
        if has_errors(problems):
            refused.add(need.function)
            continue
        files = sorted({file.path: file for one in distributions for file in one.files}.values(), key=_path)
        key = _key(files)
        sets[need.function] = PackageSet(key, tuple(f"{one.name} {one.version}" for one in distributions))
        if key not in artifacts:
            artifacts[key] = _artifact(key, files, installed.folder, cache_directory / "zips")
            contents[key] = distributions
    return Layers(sets, artifacts, contents, tuple(findings), frozenset(refused))


def _needs(app: App) -> Iterator[_Need]:
    for step in app.steps:
        if step.imports:
            yield _Need(step.name, step.imports, step.where)
    authentication = app.authentication
    imports = {name for stream in app.streams if stream.checks_access for name in stream.imports}
    imports.update(authentication.imports if authentication is not None else ())
    if imports and app.streams:
        yield _Need(WEBSOCKET, tuple(sorted(imports)), authentication.where if authentication is not None else None)


def _key(files: Iterable[InstalledFile]) -> str:
    digest = hashlib.sha256(f"treadle layer {LAYER_FORMAT}\n".encode())
    for file in files:
        if not file.is_bytecode:
            digest.update(f"{file.sha256} {file.path}\n".encode())
    return digest.hexdigest()


def _artifact(key: str, files: list[InstalledFile], folder: Path, zips: Path) -> Artifact:
    has_bytecode = any(file.is_bytecode for file in files)
    path = zips / f"{key}{'.bytecode' if has_bytecode else ''}.zip"
    try:
        os.utime(path)
    except OSError:
        with ThreadPoolExecutor(_ZIP_WORKERS, thread_name_prefix="zip") as pool:  # zlib lets other threads run
            entries = pool.map(partial(_entry, folder), files)
            named = {f"{LAYER_FOLDER}/{file.path}": entry for file, entry in zip(files, entries, strict=True)}
        replace_file(path, build_archive(named))
    return Artifact(key, path, sum(file.size for file in files))


def _entry(folder: Path, file: InstalledFile) -> ArchiveEntry:
    return deflated_entry((folder / file.path).read_bytes(), _LEVEL)


def _path(file: InstalledFile) -> str:
    return file.path


# findings


def _unloadable(distributions: Iterable[Distribution], place_of: PlaceOf) -> Iterator[Finding]:
    for one in distributions:
        for problem in one.problems[:1]:
            more = f" (and {len(one.problems) - 1} more)" if len(one.problems) > 1 else ""
            yield error(
                "package-not-loadable",
                f"Lambda cannot load `{one.name}` {one.version}: {problem}{more}",
                place_of(one.name),
                f"require another version of `{one.name}`: this wheel is not what its file name says",
            )


def _too_large(need: _Need, distributions: tuple[Distribution, ...], *, is_for_aws: bool) -> Iterator[Finding]:
    size = sum(one.size for one in distributions)
    if size > UNZIPPED_LIMIT_BYTES:
        yield (error if is_for_aws else warning)(
            "packages-too-large",
            f"the packages of `{need.function}` have {size:,} bytes and Lambda takes {UNZIPPED_LIMIT_BYTES:,} "
            f"unzipped:\n{size_tree(distributions)}",
            need.where,
            "move what needs the largest into a step of its own, or do without it",
        )


def check_sizes(
    app: App, artifacts: Mapping[str, Artifact], layers: Layers, *, is_for_aws: bool = True
) -> Iterator[Finding]:
    """The functions that are too large only together with their layer."""
    places = {step.name: step.where for step in app.steps}
    for function, packages in app.packages.items():
        artifact, layer = artifacts.get(function), layers.artifacts.get(packages.key)
        if artifact is None or layer is None or artifact.size + layer.size <= UNZIPPED_LIMIT_BYTES:
            continue
        if layer.size > UNZIPPED_LIMIT_BYTES:
            continue  # too large by itself, which has been told
        yield (error if is_for_aws else warning)(
            "packages-too-large",
            f"`{function}` has {artifact.size:,} bytes and its packages {layer.size:,}; Lambda takes "
            f"{UNZIPPED_LIMIT_BYTES:,} unzipped:\n{size_tree(layers.distributions[packages.key])}",
            places.get(function),
            "leave large files out of `includeFiles`, or read them from S3",
        )


def size_tree(distributions: Iterable[Distribution], shown: int = _LARGEST_SHOWN) -> str:
    """The largest packages, a line each, and the rest in one."""
    ordered = sorted(distributions, key=lambda one: (-one.size, one.name))
    lines = [f"  {one.size / 1e6:9.1f} MB  {one.name} {one.version}" for one in ordered[:shown]]
    rest = ordered[shown:]
    if rest:
        lines.append(f"  {sum(one.size for one in rest) / 1e6:9.1f} MB  {len(rest)} more")
    return "\n".join(lines)

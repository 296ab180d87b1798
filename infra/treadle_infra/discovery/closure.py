"""Which files of the project a step runs with, found in the source by the path rules of `treadle.loader`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from treadle.loader import search_folders
from treadle_infra.app.findings import Finding, SourceLocation, error, warning
from treadle_infra.discovery.importing import RUNTIME_PACKAGES
from treadle_infra.discovery.imports import Import, imports_of
from treadle_infra.discovery.source import Sources

PACKAGE_NOT_REQUIRED_CODE = "package-not-required"
HELPERS_OF_THE_SDK = frozenset({"dateutil", "jmespath", "s3transfer", "six", "urllib3"})
"""Of what Lambda's runtime brings, all that AWS does not name: boto3 and botocore are what users may count on.

Source: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
"""


DYNAMIC_IMPORT = "dynamic-import"


@dataclass(frozen=True, slots=True)
class Observed:
    """What importing a step has shown that its source does not.

    `folders`: the project's folders on `sys.path`, in order, those that the step has added among them. `modules`: the
    file of each module of the project that was imported, by its name. `opened`: the files that were read meanwhile.
    """

    folders: tuple[str, ...]
    modules: Mapping[str, str] = field(default_factory=dict[str, str])
    opened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Closure:
    """`files` are relative to the project, with forward slashes, sorted; `missing` the names that are nobody's.

    `imports` are the dotted names of third-party modules, and of what is taken from them, sorted. `names_project`: the
    project's folder is imported by its name.
    """

    files: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    missing: frozenset[str] = frozenset()
    imports: tuple[str, ...] = ()
    names_project: bool = False


def import_closure(
    sources: Sources,
    path: str,
    project_name: str,
    observed: Observed | None = None,
    packages: frozenset[str] = frozenset(),
) -> Closure:
    """All files of the project that the module in `path` imports, directly or not, and itself.

    `packages` are the modules of the project's requirements. What is neither there nor the project's nor Python's nor
    brought by Lambda's runtime is an error; each finding is independent of `path`, so that it can be told once for all
    steps.
    """
    return _Walk(sources, path, project_name, observed or Observed(search_folders(path)), packages).closure()


class _Walk:
    def __init__(
        self, sources: Sources, path: str, project_name: str, observed: Observed, packages: frozenset[str]
    ) -> None:
        self._sources = sources
        self._project_name = project_name
        self._folders = observed.folders
        self._observed = {name: file for name, file in observed.modules.items() if file.endswith(".py")}
        self._files: set[str] = set()
        self._pending = [path, *self._observed.values()]
        self._pending += [file for file in observed.opened if file.endswith(".py")]
        self._findings: dict[Finding, None] = {}
        self._missing: set[str] = set()
        self._packages = packages
        self._imports: set[str] = set()
        self._names_project = False

    def closure(self) -> Closure:
        while self._pending:
            path = self._pending.pop()
            if path not in self._files and self._sources.is_file(path):
                self._files.add(path)
                self._follow(path)
        imports = tuple(sorted(self._imports))
        missing = frozenset(self._missing)
        return Closure(tuple(sorted(self._files)), tuple(self._findings), missing, imports, self._names_project)

    def _follow(self, path: str) -> None:
        found = imports_of(self._sources.content(path))
        for one in found.imports:
            if one.level:
                self._pending += self._relative(path, one)
            else:
                self._absolute(path, one)
        for line in found.computed_lines:
            self._report(
                warning(
                    DYNAMIC_IMPORT,
                    "the module that is imported here is known only when this runs; it is not put into the zip for it",
                    SourceLocation(path, line),
                    "list the files that it may be in the step's `includeFiles`, or import them by name in an `if`",
                )
            )

    # resolving

    def _absolute(self, path: str, one: Import) -> None:
        parts = one.module.split(".")
        files = list(self._below([(folder, False) for folder in self._folders], parts, one.names))
        shadowed = parts[0] in sys.stdlib_module_names and parts[0] not in self._observed
        if shadowed:
            if files:
                self._hidden(path, one, files[0])
            return
        is_observed = parts[0] in self._observed and self._observed[parts[0]] != "__init__.py"
        if files or is_observed:
            self._pending += files
        elif parts[0] in self._packages:
            self._imports.update([f"{one.module}.{name}" for name in one.names if name != "*"] or [one.module])
        elif parts[0] == "motia":
            return  # Treadle brings its own
        elif parts[0] in RUNTIME_PACKAGES:
            if parts[0] in HELPERS_OF_THE_SDK and not one.is_optional:
                self._report(_not_promised(parts[0], SourceLocation(path, one.line)))
        elif parts[0] == self._project_name and (inside := self._by_project_name(parts, one.names)) is not None:
            self._names_project = True
            self._pending += inside
        elif not one.is_optional and not self._is_folder_of_code(parts[0]):
            self._missing.add(parts[0])
            self._report(self._third_party(parts[0], SourceLocation(path, one.line)))

    def _relative(self, path: str, one: Import) -> Iterator[str]:
        """The files of `from ..x import y`: with the packages above, which Python runs first."""
        steps = path.split("/")[:-1]
        if one.level - 1 > len(steps):
            return
        base = steps[: len(steps) - (one.level - 1)]
        for depth in range(1, len(base) + 1):
            yield from self._package_file("/".join(base[:depth]))
        parts = one.module.split(".") if one.module else []
        yield from self._below([("/".join(base), True)], parts, one.names)

    def _by_project_name(self, parts: list[str], names: tuple[str, ...]) -> list[str] | None:
        """The files of `from shop.src.x import y` in the project folder `shop`; None where there is no `src.x`."""
        found = [*self._package_file(""), *self._below([("", False)], parts[1:], names)]
        is_known = len(parts) == 1 or found or self._sources.is_folder("/".join(parts[1:]))
        return found if is_known else None

    def _below(self, places: list[tuple[str, bool]], parts: list[str], names: tuple[str, ...]) -> Iterator[str]:
        """The files of the dotted name `parts`, looked up in folders, and of the submodules among `names`.

        Of several folders with the name, the first that is a package wins; plain folders count together, as in Python.
        """
        folders = [folder for folder, _ in places]
        for part in parts:
            candidates = [f"{folder}/{part}" if folder else part for folder in folders]
            folders = list[str]()
            for candidate in candidates:
                package = list(self._package_file(candidate))
                if package or self._sources.is_file(f"{candidate}.py"):
                    yield from package or [f"{candidate}.py"]
                    folders = [candidate] if package else []
                    break
                if self._sources.is_folder(candidate):
                    folders.append(candidate)
            if not folders:
                return
        for folder in folders:
            for name in self._submodules(folder, names):
                inside = f"{folder}/{name}" if folder else name
                if self._sources.is_file(f"{inside}.py"):
                    yield f"{inside}.py"
                else:
                    yield from self._package_file(inside)

    def _submodules(self, folder: str, names: tuple[str, ...]) -> tuple[str, ...]:
        if "*" not in names:
            return names
        return tuple(
            name for file in self._package_file(folder) for name in imports_of(self._sources.content(file)).star_names
        )

    def _package_file(self, folder: str) -> Iterator[str]:
        path = f"{folder}/__init__.py" if folder else "__init__.py"
        if self._sources.is_file(path):
            yield path

    def _is_folder_of_code(self, name: str) -> bool:
        candidates = (f"{folder}/{name}" if folder else name for folder in self._folders)
        return any(self._sources.is_folder(folder) and self._sources.has_python_files(folder) for folder in candidates)

    # findings

    def _report(self, finding: Finding) -> None:
        self._findings[finding] = None

    def _hidden(self, path: str, one: Import, file: str) -> None:
        name = one.module.partition(".")[0]
        self._report(
            warning(
                "module-hidden",
                f"`{name}` is a module of Python's own, so this does not import `{file}`",
                SourceLocation(path, one.line),
                f"rename `{file}`, or import it relatively",
            )
        )

    def _third_party(self, name: str, where: SourceLocation) -> Finding:
        hint = f"add the package that brings `{name}` to requirements.txt, or to `dependencies` in pyproject.toml"
        if name == self._project_name:
            hint = f"`{name}` is the project's folder, and what is imported is not in it"
        message = (
            f"nothing brings the module `{name}`: it is neither the project's nor Python's, nor of any requirement"
        )
        return error(PACKAGE_NOT_REQUIRED_CODE, message, where, hint)


def _not_promised(name: str, where: SourceLocation) -> Finding:
    return warning(
        "package-of-the-sdk",
        f"`{name}` is on Lambda only because boto3 needs it today; any update of AWS's may change it, or take it away",
        where,
        f"require the package that brings `{name}`",
    )

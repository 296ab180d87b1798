"""The OpenAPI document and the types of a project's folder."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from treadle_infra.app.findings import Finding, FindingsError, has_errors
from treadle_infra.app.model import App, Json
from treadle_infra.compile import CompileOptions, discover_project
from treadle_infra.discovery.discover import Discovery
from treadle_infra.discovery.source import Sources
from treadle_infra.discovery.toml_file import read_toml
from treadle_infra.interface.credentials import credentials_of
from treadle_infra.interface.openapi import DocumentInfo, openapi_document
from treadle_infra.interface.types import types_module

TYPES_FILE = "treadle_types.py"

_FIRST_VERSION = "1.0.0"


def project_openapi(
    project: Path,
    options: CompileOptions,
    *,
    title: str | None = None,
    version: str | None = None,
    servers: tuple[str, ...] = (),
) -> tuple[Json, tuple[Finding, ...]]:
    """The document and the warnings about the project. Title and version are the project's where none is given.

    Raises: FindingsError where a step has an error, since the document would be without it.
    """
    discovery = _discovered(project, options)
    sources = Sources(project)
    info = DocumentInfo(title or discovery.app.name, version or _project_version(project), servers)
    document = openapi_document(discovery.app, info, lambda step: credentials_of(sources, step.files))
    return document, discovery.findings


def project_types(project: Path, options: CompileOptions) -> str:
    """The module of the project's types. Raises: FindingsError where a step has an error.

    Where a step imports the module and it is not there yet, one without types stands for it meanwhile.
    """
    file = project / TYPES_FILE
    is_missing = not file.exists()
    if is_missing:
        file.write_text(types_module(App("")), encoding="utf-8")
    try:
        return types_module(_discovered(project, options).app)
    finally:
        if is_missing:
            file.unlink()


def _discovered(project: Path, options: CompileOptions) -> Discovery:
    discovery = discover_project(project, options)
    if has_errors(discovery.findings):
        raise FindingsError(discovery.findings)
    return discovery


def _project_version(project: Path) -> str:
    """`[project].version` of `pyproject.toml`; else 1.0.0, as Motia has it."""
    table = (read_toml(project, "pyproject.toml", []).values or {}).get("project")
    version: object = cast("dict[str, object]", table).get("version") if isinstance(table, dict) else None
    return version if isinstance(version, str) else _FIRST_VERSION

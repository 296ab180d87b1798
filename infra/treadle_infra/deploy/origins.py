"""Where each resource of a template comes from: the step and the line, as `synthesize` noted them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from treadle_infra.app.findings import SourceLocation

Template = Mapping[str, Any]

EMPTY: Template = {}


@dataclass(frozen=True, slots=True)
class Origin:
    """`step` is None for what the whole app shares."""

    step: str | None = None
    where: SourceLocation | None = None


SHARED = Origin()


def resources_of(template: Template) -> Mapping[str, Mapping[str, Any]]:
    """The template's resources by logical id."""
    return cast("Mapping[str, Mapping[str, Any]]", template.get("Resources") or {})


def origins_of(template: Template) -> dict[str, Origin]:
    """The origin of each resource, by logical id."""
    return {logical_id: _origin(resource) for logical_id, resource in resources_of(template).items()}


def mentioned(message: str, template: Template) -> str | None:
    """The logical id that a message of CloudFormation's is about, where it names one."""
    words = re.findall(r"[A-Za-z0-9]+", message)
    resources = resources_of(template)
    return next((word for word in words if word in resources), None)


def _origin(resource: Mapping[str, Any]) -> Origin:
    metadata = cast("Mapping[str, Any]", resource.get("Metadata") or {})
    note = cast("Mapping[str, Any]", metadata.get("Treadle") or {})
    step, source = note.get("Step"), note.get("Source")
    return Origin(None if step is None else str(step), None if source is None else _location(str(source)))


def _location(text: str) -> SourceLocation:
    """`steps/a_step.py:3`"""
    path, _, line = text.rpartition(":")
    return SourceLocation(path, int(line)) if path and line.isdigit() else SourceLocation(text)

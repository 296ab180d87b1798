"""What a deployment would change, as values: `differences` finds it, change sets show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from treadle_local.cloudformation.providers.base import Model
from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.template import Declaration, DeletionPolicy


class Action(Enum):
    """What happens to one resource."""

    KEEP = "Keep"
    ADD = "Add"
    MODIFY = "Modify"
    REPLACE = "Replace"
    REMOVE = "Remove"
    IMPORT = "Import"


class Recreation(Enum):
    """Whether a change of a property needs a new resource."""

    NEVER = "Never"
    CONDITIONALLY = "Conditionally"
    ALWAYS = "Always"


class Source(Enum):
    """Why a property changes."""

    DIRECT = "DirectModification"
    PARAMETER = "ParameterReference"
    REFERENCE = "ResourceReference"
    ATTRIBUTE = "ResourceAttribute"


class Replacement(Enum):
    """Whether a modified resource is replaced; dynamic changes leave it open."""

    TRUE = "True"
    FALSE = "False"
    CONDITIONAL = "Conditional"


@dataclass(frozen=True, slots=True)
class Detail:
    """One reason why one attribute of a resource changes; `name` is the property's, of an attribute `Properties`.

    A static change is certain, and its value is known.
    """

    attribute: str
    name: str | None = None
    recreation: Recreation = Recreation.NEVER
    is_static: bool = True
    source: Source = Source.DIRECT
    causing_entity: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that a deployment touches. `before` and `after` are what it is and is to be, as it may be shown."""

    action: Action
    logical_id: str
    type: str
    physical_id: str = ""
    details: tuple[Detail, ...] = ()
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    before: Mapping[str, Any] = field(default_factory=dict[str, Any])
    after: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def replacement(self) -> Replacement | None:
        """Whether the resource is replaced; None where it is not modified at all."""
        if self.action is not Action.MODIFY:
            return None
        if any(detail.recreation is Recreation.ALWAYS and detail.is_static for detail in self.details):
            return Replacement.TRUE
        if any(detail.recreation is not Recreation.NEVER for detail in self.details):
            return Replacement.CONDITIONAL
        return Replacement.FALSE

    @property
    def changes_properties(self) -> bool:
        return any(detail.attribute == "Properties" for detail in self.details)


def action_for(record: StackResource | None, declaration: Declaration, model: Model) -> Action:
    """What must happen to a resource so that it becomes what its declaration says."""
    if record is None:
        return Action.ADD
    changed = record.model.changed(model)
    if changed & PROVIDERS[declaration.type].schema.create_only:
        return Action.REPLACE
    around = record.metadata != declaration.metadata or record.deletion_policy is not declaration.deletion_policy
    return Action.MODIFY if changed or around else Action.KEEP


def recreation_of(kind: str, name: str) -> Recreation:
    """Whether a change of this property needs a new resource of this type."""
    schema = PROVIDERS[kind].schema
    if name in schema.create_only:
        return Recreation.ALWAYS
    return Recreation.CONDITIONALLY if name in schema.published.conditional_create_only else Recreation.NEVER

"""What a deployment would change, decided without touching anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from treadle_local.cloudformation.deployment import Deployment
from treadle_local.cloudformation.errors import NotYetKnownError, ResourceError
from treadle_local.cloudformation.providers.base import Model
from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.template import Declaration


class Action(Enum):
    """What happens to one resource."""

    KEEP = "Keep"
    ADD = "Add"
    MODIFY = "Modify"
    REPLACE = "Replace"
    REMOVE = "Remove"


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that a deployment touches. `properties` are the names that differ, where they can be known."""

    action: Action
    logical_id: str
    type: str
    properties: frozenset[str] = frozenset()


def action_for(record: StackResource | None, declaration: Declaration, model: Model) -> Action:
    """What must happen to a resource so that it becomes what its declaration says."""
    if record is None:
        return Action.ADD
    changed = record.model.changed(model)
    if changed & PROVIDERS[declaration.type].schema.create_only:
        return Action.REPLACE
    return Action.MODIFY if changed or record.metadata != declaration.metadata else Action.KEEP


def changes(resources: Mapping[str, StackResource], deployment: Deployment) -> tuple[Change, ...]:
    """All changes, in the order in which they would be made; empty where nothing is to be done.

    What depends on a resource that is new or replaced counts as modified: its value is known only then.
    """
    found: list[Change] = []
    known = dict(resources)
    for logical_id in deployment.order:
        declaration = deployment.template.resources[logical_id]
        record = resources.get(logical_id)
        try:
            model = deployment.model(declaration, known)
        except (NotYetKnownError, ResourceError):
            found.append(Change(Action.ADD if record is None else Action.MODIFY, logical_id, declaration.type))
            continue
        action = action_for(record, declaration, model)
        if action in (Action.ADD, Action.REPLACE):
            known.pop(logical_id, None)
        if action is not Action.KEEP:
            differing = frozenset[str]() if record is None else record.model.changed(model)
            found.append(Change(action, logical_id, declaration.type, differing))
    gone = (record for logical_id, record in resources.items() if logical_id not in deployment.dependencies)
    found += [Change(Action.REMOVE, record.logical_id, record.type) for record in gone]
    return tuple(found)

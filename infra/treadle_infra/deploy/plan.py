"""Change set + templates -> Plan: what a deployment would do, in a person's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from treadle_infra.deploy.change_sets import ResourceChange
from treadle_infra.deploy.losses import LOG_GROUP, QUEUE, TABLE, Count
from treadle_infra.deploy.origins import SHARED, Origin, Template, origins_of, resources_of
from treadle_infra.deploy.permissions import PermissionChange, permission_changes

Kind = Literal["add", "modify", "replace", "may-replace", "remove", "take-back"]
CountContents = Callable[[str, str], Count | None]
"""Of a type of resource and a physical id: how much is in it."""

RETAINING = frozenset({"Retain", "RetainExceptOnCreate"})


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What would happen to one resource.

    `properties`: the names of those that change. `consequence`: what is lost or kept; `is_loss` where it is lost.
    """

    kind: Kind
    logical_id: str
    type: str
    origin: Origin
    properties: tuple[str, ...] = ()
    consequence: str | None = None
    is_loss: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in the order of the template, removals last."""

    stack_name: str
    is_new: bool
    changes: tuple[PlannedChange, ...]
    permissions: tuple[PermissionChange, ...]

    def count(self, *kinds: Kind) -> int:
        return sum(change.kind in kinds for change in self.changes)


def build_plan(
    stack_name: str,
    changes: tuple[ResourceChange, ...],
    before: Template,
    after: Template,
    count: CountContents,
) -> Plan:
    """The plan; `before` is the template of what runs now, empty where nothing does."""
    origins = {**origins_of(before), **origins_of(after)}
    order = {logical_id: number for number, logical_id in enumerate([*resources_of(after), *resources_of(before)])}
    planned = [
        _planned(change, origins.get(change.logical_id, SHARED), before, after, count)
        for change in sorted(changes, key=lambda change: order.get(change.logical_id, len(order)))
    ]
    planned.sort(key=lambda change: change.kind == "remove")
    return Plan(stack_name, not before, tuple(planned), permission_changes(before, after))


def _planned(
    change: ResourceChange, origin: Origin, before: Template, after: Template, count: CountContents
) -> PlannedChange:
    kind = _kind(change)
    consequence, is_loss = None, False
    if kind in ("replace", "may-replace"):
        policy = _entry(after, change.logical_id).get("UpdateReplacePolicy")
        contents = count(change.type, change.physical_id)
        consequence, is_loss = _of_replacement(change.type, contents, kept=policy in RETAINING)
    elif kind == "remove":
        policy = _entry(before, change.logical_id).get("DeletionPolicy")
        contents = count(change.type, change.physical_id)
        consequence, is_loss = of_removal(change.type, contents, kept=policy in RETAINING)
    elif kind == "take-back":
        consequence = "it was kept, and becomes part of the stack again with its data"
    properties = change.properties if kind in ("modify", "replace", "may-replace") else ()
    return PlannedChange(kind, change.logical_id, change.type, origin, properties, consequence, is_loss)


def _kind(change: ResourceChange) -> Kind:
    match change.action:
        case "Add":
            return "add"
        case "Remove":
            return "remove"
        case "Import":
            return "take-back"
        case _ if change.replacement == "True":
            return "replace"
        case _ if change.replacement == "Conditional" or change.action == "Dynamic":
            return "may-replace"
        case _:
            return "modify"


def _entry(template: Template, logical_id: str) -> Mapping[str, Any]:
    return resources_of(template).get(logical_id, {})


def _of_replacement(resource_type: str, contents: Count | None, *, kept: bool) -> tuple[str | None, bool]:
    match resource_type:
        case _ if resource_type == QUEUE:
            return f"a new queue takes its place; {_gone(contents, 'messages')}", _holds(contents)
        case _ if resource_type == TABLE and kept:
            return "a new, empty table takes its place; the old one is kept, outside of the stack", False
        case _ if resource_type == TABLE:
            return f"a new, empty table takes its place; {_gone(contents, 'items')}", _holds(contents)
        case _ if resource_type == LOG_GROUP:
            return "its log lines are lost", True
        case "AWS::ApiGatewayV2::Api":
            return "its URL changes", True
        case _:
            return None, False


def of_removal(resource_type: str, contents: Count | None, *, kept: bool) -> tuple[str | None, bool]:
    """What goes with a resource, in words, and whether that is a loss."""
    match resource_type:
        case _ if resource_type == TABLE and kept:
            held = f" with {contents}" if contents is not None else ""
            return f"the table is kept{held}, outside of the stack", False
        case _ if resource_type == TABLE:
            return _gone(contents, "items"), _holds(contents)
        case _ if resource_type == QUEUE:
            return _gone(contents, "messages"), _holds(contents)
        case _ if resource_type == LOG_GROUP:
            return "its log lines are lost", True
        case _:
            return None, False


def _gone(contents: Count | None, nouns: str) -> str:
    if contents is None:
        return f"its {nouns} are lost"
    return f"{contents} {'is' if contents.number == 1 else 'are'} lost" if contents.number else "it is empty now"


def _holds(contents: Count | None) -> bool:
    return contents is None or contents.number > 0

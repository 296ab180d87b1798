"""Values that stacks export to each other: who has which, and what may change while it is in use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treadle_local.cloudformation.deployment import Deployment, Scope
from treadle_local.cloudformation.errors import ResourceError
from treadle_local.cloudformation.evaluation import evaluate, imports
from treadle_local.cloudformation.expressions import Expression

if TYPE_CHECKING:
    from treadle_local.cloudformation.stacks import Stack


@dataclass(frozen=True, slots=True)
class Exports:
    """The exports of all stacks but deleted ones, by name: the stack that has it, its value, and who imports it."""

    owners: Mapping[str, str]
    values: Mapping[str, str]
    importers: Mapping[str, tuple[str, ...]]


def exports_of(stacks: Iterable[Stack]) -> Exports:
    owners: dict[str, str] = {}
    values: dict[str, str] = {}
    importers: dict[str, tuple[str, ...]] = {}
    for stack in stacks:
        if stack.is_deleted or stack.status == "ROLLBACK_COMPLETE":
            continue
        for name, value in stack.exports.items():
            owners[name], values[name] = stack.name, value
        for name in dict.fromkeys(_imported(stack.deployment)):
            importers[name] = (*importers.get(name, ()), stack.name)
    return Exports(owners, values, importers)


def check_exports(stack: str, before: Mapping[str, str], after: Mapping[str, str], others: Exports) -> None:
    """Refuses what AWS refuses of a stack's exports: a taken name, a change of one in use. Raises: ResourceError."""
    for name, value in after.items():
        owner = others.owners.get(name)
        if owner is not None and owner != stack:
            raise ResourceError(f"Export with name {name} is already exported by stack {owner}")
        if name in before and value != before[name] and (users := others.importers.get(name)):
            raise ResourceError(f"Export {name} cannot be updated as it is in use by {' and '.join(users)}")
    for name in before:
        if name not in after and (users := others.importers.get(name)):
            raise ResourceError(f"Export {name} cannot be deleted as it is in use by {' and '.join(users)}")


def _imported(deployment: Deployment) -> Iterator[str]:
    """The names of the exports that a stack's template imports under its conditions."""
    template = deployment.template
    if "ImportValue" not in template.body:
        return
    scope = Scope(deployment, {})
    expressions: list[Expression] = [template.resources[logical_id].properties for logical_id in deployment.order]
    expressions += [each.value for each in template.outputs.values()]
    for expression in expressions:
        for name in imports(expression):
            with suppress(ResourceError):
                yield str(evaluate(name, scope))

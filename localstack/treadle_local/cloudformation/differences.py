"""What a deployment would change in a stack, found without touching anything.

What is not known before the deployment itself is taken to change: a reference to a resource that is new or may be
replaced, and an attribute of a resource whose properties change. As on AWS, such a change is dynamic.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from treadle_local.cloudformation.deployment import KNOWN_AFTER_APPLY, Deployment, Scope
from treadle_local.cloudformation.errors import NotYetKnownError
from treadle_local.cloudformation.evaluation import needed
from treadle_local.cloudformation.expressions import Attribute, Expression, Reference
from treadle_local.cloudformation.json_values import is_list, is_object
from treadle_local.cloudformation.plan import Action, Change, Detail, Replacement, Source, recreation_of
from treadle_local.cloudformation.providers.base import Model
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.template import Declaration

_NOTHING: Mapping[str, str] = {}


def differences(
    before: Deployment,
    resources: Mapping[str, StackResource],
    after: Deployment,
    imports: Mapping[str, str] = _NOTHING,
) -> tuple[Change, ...]:
    """All changes, in the order in which they would be made; empty where no resource changes.

    `imports` are the physical ids of resources to be adopted, by logical id.
    """
    preview = _Preview(before, after, resources)
    found = [change for logical_id in after.order if (change := preview.change(logical_id, imports)) is not None]
    gone = [record for logical_id, record in resources.items() if logical_id not in after.dependencies]
    return (*found, *(_removal(record) for record in reversed(gone)))


@dataclass(frozen=True, slots=True)
class _PreviewScope(Scope):
    """The names of a deployment as far as they are known before it; a marker stands for the others."""

    volatile: frozenset[str]
    changing: frozenset[str]

    def reference(self, name: str) -> Any:
        if name in self.volatile:
            return KNOWN_AFTER_APPLY
        try:
            return Scope.reference(self, name)
        except NotYetKnownError:
            return KNOWN_AFTER_APPLY

    def attribute(self, resource: str, name: str) -> Any:
        if resource in self.volatile or resource in self.changing:
            return KNOWN_AFTER_APPLY
        try:
            return Scope.attribute(self, resource, name)
        except NotYetKnownError:
            return KNOWN_AFTER_APPLY


@dataclass(slots=True)
class _Preview:
    """Goes through the resources in order; what may be another resource afterwards is `volatile`."""

    before: Deployment
    after: Deployment
    resources: Mapping[str, StackResource]
    volatile: set[str] = field(default_factory=set[str])
    changing: set[str] = field(default_factory=set[str])

    def change(self, logical_id: str, imports: Mapping[str, str]) -> Change | None:
        declaration = self.after.template.resources[logical_id]
        record = self.resources.get(logical_id)
        scope = _PreviewScope(self.after, self.resources, frozenset(self.volatile), frozenset(self.changing))
        if record is None or record.is_gone or not record.physical_id:
            return self._addition(declaration, scope, imports.get(logical_id))
        model = self.after.preview(declaration, scope)
        details = (*self._about_properties(declaration, record, model), *_about_the_rest(declaration, record, model))
        if not details:
            return None
        change = Change(
            action=Action.MODIFY,
            logical_id=logical_id,
            type=record.type,
            physical_id=record.physical_id,
            details=details,
            deletion_policy=declaration.update_replace_policy,
            before=_shown(record.shown or record.model.properties, record.model, record.metadata),
            after=_shown(self._masked(declaration, scope, model), model, declaration.metadata),
        )
        if change.replacement is not Replacement.FALSE:
            self.volatile.add(logical_id)
        if change.changes_properties:
            self.changing.add(logical_id)
        return change

    def _addition(self, declaration: Declaration, scope: _PreviewScope, physical_id: str | None) -> Change:
        """A new resource, or one that is adopted: the attributes of neither are known."""
        model = self.after.preview(declaration, scope)
        if physical_id is None:
            self.volatile.add(declaration.logical_id)
        self.changing.add(declaration.logical_id)
        return Change(
            action=Action.ADD if physical_id is None else Action.IMPORT,
            logical_id=declaration.logical_id,
            type=declaration.type,
            physical_id=physical_id or "",
            after=_shown(self._masked(declaration, scope, model), model, declaration.metadata),
        )

    def _masked(self, declaration: Declaration, scope: _PreviewScope, model: Model) -> Mapping[str, Any]:
        hidden = {each.name: each.mask for each in self.after.template.parameters.values() if each.hidden}
        if not hidden:
            return model.properties
        masked = replace(self.after, names={**self.after.names, **hidden})
        return masked.preview(declaration, replace(scope, deployment=masked)).properties

    def _about_properties(self, declaration: Declaration, record: StackResource, model: Model) -> Iterator[Detail]:
        expressions = declaration.expressions
        was = self.before.template.resources.get(declaration.logical_id)
        old: Mapping[str, Expression] = {} if was is None else was.expressions
        for name in sorted(record.model.changed(model) - {"Tags"}):
            target = Detail("Properties", name, recreation_of(declaration.type, name))
            if name not in expressions or name not in old or expressions[name] != old[name]:
                yield target
            else:
                reasons = list(self._reasons(target, expressions[name]))
                yield from reasons or [target]

    def _reasons(self, target: Detail, expression: Expression) -> Iterator[Detail]:
        """Why a property has another value though the template writes the same."""
        by_parameter = False
        for wanted in dict.fromkeys(needed(expression, Scope(self.after, {}))):
            match wanted:
                case Reference(name) if name in self.after.parameter_texts:
                    if self.before.parameter_texts.get(name) != self.after.parameter_texts[name]:
                        by_parameter = True
                        yield replace(target, source=Source.PARAMETER, causing_entity=name)
                case Reference(name) if name in self.volatile:
                    yield replace(target, is_static=False, source=Source.REFERENCE, causing_entity=name)
                case Attribute(resource, name) if resource in self.volatile or resource in self.changing:
                    entity = f"{resource}.{name}"
                    yield replace(target, is_static=False, source=Source.ATTRIBUTE, causing_entity=entity)
                case _:
                    pass
        if by_parameter:
            yield replace(target, is_static=False)


def _about_the_rest(declaration: Declaration, record: StackResource, model: Model) -> Iterator[Detail]:
    if record.model.tags != model.tags:
        yield Detail("Tags")
    if record.metadata != declaration.metadata:
        yield Detail("Metadata")
    if record.deletion_policy is not declaration.deletion_policy:
        yield Detail("DeletionPolicy")


def _removal(record: StackResource) -> Change:
    return Change(
        action=Action.REMOVE,
        logical_id=record.logical_id,
        type=record.type,
        physical_id=record.physical_id,
        deletion_policy=record.deletion_policy,
        before=_shown(record.shown or record.model.properties, record.model, record.metadata),
    )


def _shown(properties: Mapping[str, Any], model: Model, metadata: Any) -> dict[str, Any]:
    own = {key: value for key, value in model.tags.items() if not key.startswith("aws:")}
    tags = {"Tags": [{"Key": key, "Value": value} for key, value in own.items()]} if own else {}
    return {"Properties": {**properties, **tags}, **({} if metadata is None else {"Metadata": metadata})}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value that differs: its path, and what it was and is to be; None where it is not there."""

    path: str
    before: Any
    after: Any


def leaves(before: Any, after: Any, path: str) -> Iterator[Leaf]:
    """The innermost values that differ, in the order of their paths."""
    if before == after:
        return
    if is_object(before) and is_object(after):
        for name in sorted(before.keys() | after.keys()):
            yield from leaves(before.get(name), after.get(name), f"{path}/{name}")
    elif is_list(before) and is_list(after) and len(before) == len(after):
        for index, (was, will) in enumerate(zip(before, after, strict=True)):
            yield from leaves(was, will, f"{path}/{index}")
    else:
        yield Leaf(path, before, after)

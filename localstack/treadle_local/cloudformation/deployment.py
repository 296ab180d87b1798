"""A template with the values that one call gives it: what a stack is asked to become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle_local.aws.service import Region
from treadle_local.cloudformation import parameters
from treadle_local.cloudformation.errors import NotYetKnownError, ResourceError, validation_error
from treadle_local.cloudformation.evaluation import evaluate, needed, scalar_text
from treadle_local.cloudformation.expressions import Expression, Reference
from treadle_local.cloudformation.graph import creation_order
from treadle_local.cloudformation.json_values import is_object
from treadle_local.cloudformation.parameters import ParameterValue
from treadle_local.cloudformation.properties import conform
from treadle_local.cloudformation.providers.base import Model
from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.template import Declaration, Template
from treadle_local.cloudformation.validation import unresolved

_UNTAGGED: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Identity:
    """The names by which a template refers to its own stack."""

    region: Region
    stack_name: str
    stack_id: str

    def pseudo_parameters(self) -> dict[str, ParameterValue]:
        return {
            "AWS::AccountId": self.region.account,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": self.region.name,
            "AWS::StackId": self.stack_id,
            "AWS::StackName": self.stack_name,
            "AWS::URLSuffix": "amazonaws.com",
        }


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is to stand: the chosen resources in the order of their creation, and all that their values need."""

    identity: Identity
    template: Template
    parameter_texts: Mapping[str, str]
    tags: Mapping[str, str]
    conditions: Mapping[str, bool]
    order: tuple[str, ...]
    dependencies: Mapping[str, tuple[str, ...]]
    names: Mapping[str, ParameterValue]

    def model(self, declaration: Declaration, live: Mapping[str, StackResource]) -> Model:
        """What a resource is to be, given the resources that are there.

        Raises: ResourceError with all that is wrong with its properties, NotYetKnownError.
        """
        schema = PROVIDERS[declaration.type].schema
        raw = evaluate(declaration.properties, Scope(self, live))
        if not is_object(raw):
            raise ResourceError("Properties must be an object")
        properties = raw
        tags: Any = None
        problems: list[str] = []
        if schema.tags is not None and "Tags" in properties:
            tags, problems = conform(schema.tags.shape, properties["Tags"])
            problems = [problem.replace("#", "#/Tags", 1) for problem in problems]
            properties = {name: value for name, value in properties.items() if name != "Tags"}
        conformed, found = conform(schema.properties, properties)
        if problems or found:
            listed = "\n".join(found + problems)
            raise ResourceError(
                f"Properties validation failed for resource {declaration.logical_id} with message:\n{listed}"
            )
        if schema.tags is None:
            return Model(conformed, _UNTAGGED)
        own = {} if tags is None else schema.tags.read(tags)
        return Model(conformed, {**self.tags, **own, **self._system_tags(declaration.logical_id)})

    def outputs(self, live: Mapping[str, StackResource]) -> dict[str, str]:
        """The values of the outputs whose condition holds. Raises: ResourceError, NotYetKnownError."""
        values: dict[str, str] = {}
        for output in self.template.outputs.values():
            if output.condition is not None and not self.conditions[output.condition]:
                continue
            value = evaluate(output.value, Scope(self, live))
            if not isinstance(value, str | int | float):
                raise ResourceError(
                    f"Template format error: Output {output.name} is malformed. "
                    "The Value field of every Outputs member must evaluate to a String."
                )
            values[output.name] = scalar_text(value)
        return values

    def _system_tags(self, logical_id: str) -> dict[str, str]:
        return {
            "aws:cloudformation:stack-name": self.identity.stack_name,
            "aws:cloudformation:logical-id": logical_id,
            "aws:cloudformation:stack-id": self.identity.stack_id,
        }


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of a deployment, together with the resources that are there."""

    deployment: Deployment
    live: Mapping[str, StackResource]

    def condition(self, name: str) -> bool:
        return self.deployment.conditions[name]

    def reference(self, name: str) -> ParameterValue:
        value = self.deployment.names.get(name)
        return self._resource(name).physical_id if value is None else value

    def attribute(self, resource: str, name: str) -> str:
        record = self._resource(resource)
        if name not in record.attributes:
            raise ResourceError(f"Resource {resource} has no value for the attribute {name}")
        return record.attributes[name]

    def lookup(self, mapping: str, first_key: str, second_key: str) -> Any:
        try:
            return self.deployment.template.mappings[mapping][first_key][second_key]
        except KeyError:
            raise ResourceError(
                f"Template error: Unable to get mapping for {mapping}::{first_key}::{second_key}"
            ) from None

    def _resource(self, logical_id: str) -> StackResource:
        record = self.live.get(logical_id)
        if record is None:
            raise NotYetKnownError(logical_id)
        return record


@dataclass(slots=True)
class _ConditionScope:
    """The names that conditions may use; each condition is decided once."""

    template: Template
    names: Mapping[str, ParameterValue]
    decided: dict[str, bool] = field(default_factory=dict[str, bool])

    def condition(self, name: str) -> bool:
        if name not in self.decided:
            self.decided[name] = bool(evaluate(self.template.conditions[name], self))
        return self.decided[name]

    def reference(self, name: str) -> ParameterValue:
        return self.names[name]

    def attribute(self, resource: str, name: str) -> str:
        raise NotYetKnownError(resource)

    def lookup(self, mapping: str, first_key: str, second_key: str) -> Any:
        try:
            return self.template.mappings[mapping][first_key][second_key]
        except KeyError:
            raise validation_error(
                f"Template error: Unable to get mapping for {mapping}::{first_key}::{second_key}"
            ) from None


def plan_deployment(
    identity: Identity, template: Template, given: Mapping[str, str], tags: Mapping[str, str]
) -> Deployment:
    """The deployment of a valid template with these parameters.

    Raises: ValidationError for parameters, references under conditions and circles.
    """
    texts = parameters.resolve(template.parameters, given)
    names = identity.pseudo_parameters()
    names |= {name: parameters.value_of(template.parameters[name], text) for name, text in texts.items()}
    scope = _ConditionScope(template, names)
    try:
        conditions = {name: scope.condition(name) for name in template.conditions}
    except ResourceError as failure:
        raise validation_error(str(failure)) from None
    chosen = {
        logical_id: declaration
        for logical_id, declaration in template.resources.items()
        if declaration.condition is None or conditions[declaration.condition]
    }
    missing: dict[str, None] = {}
    dependencies: dict[str, tuple[str, ...]] = {}
    for logical_id, declaration in chosen.items():
        wanted = _resources_needed(declaration.properties, scope, names)
        missing |= dict.fromkeys(name for name in wanted if name not in chosen)
        after = (*declaration.depends_on, *wanted)
        dependencies[logical_id] = tuple(dict.fromkeys(name for name in after if name in chosen))
    if missing:
        raise unresolved(missing, "Resources")
    for output in template.outputs.values():
        if output.condition is None or conditions[output.condition]:
            wanted = _resources_needed(output.value, scope, names)
            missing |= dict.fromkeys(name for name in wanted if name not in chosen)
    if missing:
        raise unresolved(missing, "Outputs")
    return Deployment(
        identity, template, texts, dict(tags), conditions, creation_order(dependencies), dependencies, names
    )


def _resources_needed(expression: Expression, scope: _ConditionScope, names: Mapping[str, ParameterValue]) -> list[str]:
    wanted = needed(expression, scope)
    found = (each.name if isinstance(each, Reference) else each.resource for each in wanted)
    return [name for name in found if name not in names and name != "AWS::NoValue"]

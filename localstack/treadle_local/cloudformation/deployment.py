"""A template with the values that one call gives it: what a stack is asked to become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from treadle_local.aws.service import Region
from treadle_local.cloudformation import parameters
from treadle_local.cloudformation.errors import NotYetKnownError, ResourceError, template_error, validation_error
from treadle_local.cloudformation.evaluation import NO_VALUE, evaluate, imports, needed, scalar_text
from treadle_local.cloudformation.evaluation import Scope as Names
from treadle_local.cloudformation.expressions import Expression, Reference
from treadle_local.cloudformation.graph import creation_order
from treadle_local.cloudformation.json_values import is_object
from treadle_local.cloudformation.parameters import ParameterValue
from treadle_local.cloudformation.properties import conform
from treadle_local.cloudformation.providers.base import Model, Properties
from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.template import Declaration, Output, Template
from treadle_local.cloudformation.validation import unresolved

_UNTAGGED: Mapping[str, str] = {}
# What change sets show in place of a value that only the deployment itself can tell.
KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"


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
    exports: Mapping[str, str]

    def model(self, declaration: Declaration, live: Mapping[str, StackResource]) -> Model:
        """What a resource is to be, given the resources that are there.

        Raises: ResourceError with all that is wrong with its properties, NotYetKnownError.
        """
        raw = evaluate(declaration.properties, Scope(self, live))
        if not is_object(raw):
            raise ResourceError("Properties must be an object")
        properties, tags, problems = self._conformed(declaration, raw)
        if problems:
            listed = "\n".join(problems)
            raise ResourceError(
                f"Properties validation failed for resource {declaration.logical_id} with message:\n{listed}"
            )
        return self._tagged(declaration, properties, tags)

    def preview(self, declaration: Declaration, scope: Names) -> Model:
        """What a resource is to be as far as these names tell; what does not fit its shape is left as it is."""
        raw: dict[str, Any] = {}
        for name, expression in declaration.expressions.items():
            try:
                raw[name] = evaluate(expression, scope)
            except ResourceError:
                raw[name] = KNOWN_AFTER_APPLY
        raw = {name: value for name, value in raw.items() if value is not NO_VALUE}
        properties, tags, problems = self._conformed(declaration, raw)
        if any(problem.startswith("#/Tags") for problem in problems):
            tags = None
        return self._tagged(declaration, properties, tags)

    def shown(self, declaration: Declaration, live: Mapping[str, StackResource]) -> Properties | None:
        """The properties without the values that NoEcho hides; None where the template hides nothing."""
        hidden = {each.name: each.mask for each in self.template.parameters.values() if each.hidden}
        if not hidden:
            return None
        masked = replace(self, names={**self.names, **hidden})
        try:
            value = evaluate(declaration.properties, Scope(masked, live))
        except (ResourceError, NotYetKnownError):
            return {}
        return value if is_object(value) else {}

    def outputs(self, live: Mapping[str, StackResource]) -> dict[str, str]:
        """The values of the outputs whose condition holds. Raises: ResourceError, NotYetKnownError."""
        return {output.name: self._text(output, output.value, live) for output in self._chosen_outputs()}

    def exported(self, live: Mapping[str, StackResource]) -> dict[str, str]:
        """The values that the outputs export, by the name of the export. Raises: as `outputs`."""
        return {
            self._text(output, output.export, live): self._text(output, output.value, live)
            for output in self._chosen_outputs()
            if output.export is not None
        }

    def export_names(self, live: Mapping[str, StackResource]) -> dict[str, str]:
        """Under which name each output is exported that is. Raises: as `outputs`."""
        return {
            each.name: self._text(each, each.export, live) for each in self._chosen_outputs() if each.export is not None
        }

    def _chosen_outputs(self) -> list[Output]:
        outputs = self.template.outputs.values()
        return [each for each in outputs if each.condition is None or self.conditions[each.condition]]

    def _text(self, output: Output, expression: Expression, live: Mapping[str, StackResource]) -> str:
        value = evaluate(expression, Scope(self, live))
        if not isinstance(value, str | int | float):
            raise ResourceError(
                f"Template format error: Output {output.name} is malformed. "
                "The Value field of every Outputs member must evaluate to a String."
            )
        return scalar_text(value)

    def _conformed(self, declaration: Declaration, raw: dict[str, Any]) -> tuple[Properties, Any, list[str]]:
        """The properties and the tags of a resource in their shapes, and all that is wrong with them."""
        schema = PROVIDERS[declaration.type].schema
        properties, tags = raw, None
        about_tags: list[str] = []
        if schema.tags is not None and "Tags" in properties:
            tags, about_tags = conform(schema.tags.shape, properties["Tags"])
            properties = {name: value for name, value in properties.items() if name != "Tags"}
        conformed, problems = conform(schema.properties, properties)
        return conformed, tags, problems + [problem.replace("#", "#/Tags", 1) for problem in about_tags]

    def _tagged(self, declaration: Declaration, properties: Properties, tags: Any) -> Model:
        schema = PROVIDERS[declaration.type].schema
        if schema.tags is None:
            return Model(properties, _UNTAGGED)
        own = {} if tags is None else schema.tags.read(tags)
        return Model(properties, {**self.tags, **own, **self._system_tags(declaration.logical_id)})

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

    def imported(self, name: str) -> str:
        value = self.deployment.exports.get(name)
        if value is None:
            raise ResourceError(f"No export named {name} found.")
        return value

    def _resource(self, logical_id: str) -> StackResource:
        record = self.live.get(logical_id)
        if record is None or not record.physical_id:
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

    def imported(self, name: str) -> str:
        raise validation_error("Template error: Cannot use Fn::ImportValue in Conditions.")

    def lookup(self, mapping: str, first_key: str, second_key: str) -> Any:
        try:
            return self.template.mappings[mapping][first_key][second_key]
        except KeyError:
            raise validation_error(
                f"Template error: Unable to get mapping for {mapping}::{first_key}::{second_key}"
            ) from None


def plan_deployment(
    identity: Identity,
    template: Template,
    given: Mapping[str, str],
    tags: Mapping[str, str],
    exports: Mapping[str, str] = MappingProxyType({}),
) -> Deployment:
    """The deployment of a valid template with these parameters; `exports` are what other stacks export.

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
    _check_imports(template, names)
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
        identity, template, texts, dict(tags), conditions, creation_order(dependencies), dependencies, names, exports
    )


def _check_imports(template: Template, names: Mapping[str, ParameterValue]) -> None:
    """Refuses imports and exports whose name only the deployment would tell. Raises: ValidationError."""
    for output in template.outputs.values():
        if output.export is not None and (any(imports(output.export)) or not _is_known(output.export, names)):
            raise template_error(
                f"Output {output.name} is malformed. The Name field of every Export member must not depend on any "
                "resources, imported values, or Fn::GetAZs."
            )
    expressions = [each.properties for each in template.resources.values()]
    expressions += [each.value for each in template.outputs.values()]
    for expression in expressions:
        for name in imports(expression):
            if not _is_known(name, names):
                raise validation_error(
                    "Template error: the attribute in Fn::ImportValue must not depend on any resources, "
                    "imported values, or Fn::GetAZs"
                )


def _is_known(expression: Expression, names: Mapping[str, ParameterValue]) -> bool:
    """Whether an expression refers to nothing but parameters."""
    return all(isinstance(each, Reference) and each.name in names for each in needed(expression))


def _resources_needed(expression: Expression, scope: _ConditionScope, names: Mapping[str, ParameterValue]) -> list[str]:
    wanted = needed(expression, scope)
    found = (each.name if isinstance(each, Reference) else each.resource for each in wanted)
    return [name for name in found if name not in names and name != "AWS::NoValue"]

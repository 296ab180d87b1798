"""The checks of a template that need more than one of its sections: what CloudFormation refuses before it begins."""

from __future__ import annotations

from collections.abc import Iterator

from treadle_local.cloudformation.errors import not_here, template_error, validation_error
from treadle_local.cloudformation.evaluation import named_conditions, named_mappings, needed
from treadle_local.cloudformation.expressions import PSEUDO_PARAMETERS, Attribute, Expression, Reference
from treadle_local.cloudformation.graph import creation_order
from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.schemas.published import type_names
from treadle_local.cloudformation.template import Declaration, Template


def validate(template: Template) -> None:
    """Holds a template against itself and against the known resource types. Raises: ValidationError."""
    _check_types(template)
    _check_conditions(template)
    for path, expression in _expressions(template):
        for mapping in named_mappings(expression):
            if mapping not in template.mappings:
                raise validation_error(f"Template error: Unable to find the mapping {mapping} (at {path})")
        for condition in named_conditions(expression):
            if condition not in template.conditions:
                raise template_error(f"Unresolved condition dependency {condition} at {path}")
    _check_references(template)


def _check_types(template: Template) -> None:
    """Refuses types that nobody has, and those that AWS alone has."""
    missing = {
        declaration.type: f"{declaration.path}/Type"
        for declaration in template.resources.values()
        if declaration.type not in PROVIDERS
    }
    if not missing:
        return
    unknown = {kind: path for kind, path in missing.items() if kind not in type_names()}
    if unknown:
        paths = ", ".join(unknown.values())
        raise template_error(f"Unrecognized resource types: [{', '.join(unknown)}] (at {paths})")
    listed = ", ".join(f"{kind} (at {path})" for kind, path in missing.items())
    raise not_here(f"The resource type {listed}")


def _expressions(template: Template) -> Iterator[tuple[str, Expression]]:
    for name, condition in template.conditions.items():
        yield f"/Conditions/{name}", condition
    for declaration in template.resources.values():
        yield f"{declaration.path}/Properties", declaration.properties
    for output in template.outputs.values():
        yield f"/Outputs/{output.name}/Value", output.value


def _check_conditions(template: Template) -> None:
    for name, condition in template.conditions.items():
        for wanted in needed(condition):
            if isinstance(wanted, Attribute) or (
                wanted.name not in template.parameters and wanted.name not in PSEUDO_PARAMETERS
            ):
                missing = wanted.resource if isinstance(wanted, Attribute) else wanted.name
                raise template_error(
                    f"Unresolved dependencies [{missing}]. Cannot reference resources in the Conditions block "
                    f"of the template (at /Conditions/{name})"
                )
    creation_order({name: tuple(named_conditions(each)) for name, each in template.conditions.items()})
    named = [(declaration.path, declaration.condition) for declaration in template.resources.values()]
    named += [(f"/Outputs/{output.name}", output.condition) for output in template.outputs.values()]
    for path, wanted_condition in named:
        if wanted_condition is not None and wanted_condition not in template.conditions:
            raise template_error(f"Unresolved condition dependency {wanted_condition} at {path}/Condition")


def _check_references(template: Template) -> None:
    missing: dict[str, None] = {}
    for declaration in template.resources.values():
        missing.update(dict.fromkeys(name for name in declaration.depends_on if name not in template.resources))
        missing.update(dict.fromkeys(_unresolved(template, declaration.properties)))
    if missing:
        raise unresolved(missing, "Resources")
    for output in template.outputs.values():
        missing.update(dict.fromkeys(_unresolved(template, output.value)))
    if missing:
        raise unresolved(missing, "Outputs")


def _unresolved(template: Template, expression: Expression) -> Iterator[str]:
    """The names of `Ref` that nothing has; an Fn::GetAtt that cannot be answered is refused at once."""
    for wanted in needed(expression):
        match wanted:
            case Reference(name):
                if name not in template.resources and name not in template.parameters and name not in PSEUDO_PARAMETERS:
                    yield name
            case Attribute(resource, attribute):
                declaration = template.resources.get(resource)
                if declaration is None:
                    raise validation_error(
                        f"Template error: instance of Fn::GetAtt references undefined resource {resource}"
                    )
                _check_attribute(declaration, attribute)


def _check_attribute(declaration: Declaration, attribute: str) -> None:
    schema = PROVIDERS[declaration.type].schema
    if attribute in schema.attributes:
        return
    if attribute in schema.published.attributes:
        raise not_here(f"The attribute {attribute} of {declaration.type} (Fn::GetAtt of {declaration.logical_id})")
    raise validation_error(
        f"Template error: resource {declaration.logical_id} does not support attribute type {attribute} in Fn::GetAtt "
        f"(Requested attribute {attribute} does not exist in schema for {declaration.type})"
    )


def unresolved(names: dict[str, None], block: str) -> Exception:
    """The refusal of references to what is not in the template, or not in it under its conditions."""
    listed = ", ".join(names)
    return template_error(f"Unresolved resource dependencies [{listed}] in the {block} block of the template")

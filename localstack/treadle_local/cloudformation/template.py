"""A template as a frozen value: its sections read and each checked for itself; `validation` checks them together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from treadle_local.cloudformation import document, parameters
from treadle_local.cloudformation.errors import not_here, template_error, validation_error
from treadle_local.cloudformation.expressions import NOTHING, Expression, Literal, Object
from treadle_local.cloudformation.json_values import is_object, listed
from treadle_local.cloudformation.parameters import Parameter
from treadle_local.cloudformation.parsing import Parser

# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAXIMUM_RESOURCES = 500
_MAXIMUM_ENTRIES = {"Mappings": 200, "Outputs": 200, "Parameters": 200}
_MAXIMUM_DESCRIPTION_BYTES = 1024

LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"
_VERSION = "2010-09-09"
_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Transform",
    }
)
_ELSEWHERE_SECTIONS = frozenset({"Hooks", "Rules"})
_RESOURCE_ATTRIBUTES = frozenset(
    {"Condition", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdateReplacePolicy"}
)
_ELSEWHERE_ATTRIBUTES = frozenset({"CreationPolicy", "UpdatePolicy", "Version"})
_OUTPUT_MEMBERS = frozenset({"Condition", "Description", "Export", "Value"})
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}")


class DeletionPolicy(Enum):
    """What becomes of a resource that its stack no longer wants."""

    DELETE = "Delete"
    RETAIN = "Retain"
    RETAIN_EXCEPT_ON_CREATE = "RetainExceptOnCreate"


RETAINING = frozenset({DeletionPolicy.RETAIN, DeletionPolicy.RETAIN_EXCEPT_ON_CREATE})


@dataclass(frozen=True, slots=True)
class Declaration:
    """One entry of `Resources`."""

    logical_id: str
    type: str
    properties: Expression
    depends_on: tuple[str, ...]
    condition: str | None
    deletion_policy: DeletionPolicy
    update_replace_policy: DeletionPolicy
    metadata: Any
    names_deletion_policy: bool = False

    @property
    def path(self) -> str:
        return f"/Resources/{self.logical_id}"

    @property
    def expressions(self) -> Mapping[str, Expression]:
        """The properties, each by itself."""
        match self.properties:
            case Object(members):
                return members
            case Literal(value) if is_object(value):
                return {name: Literal(member) for name, member in value.items()}
            case _:
                return {}


@dataclass(frozen=True, slots=True)
class Output:
    """One entry of `Outputs`."""

    name: str
    value: Expression
    description: str | None
    condition: str | None
    export: Expression | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A whole template; `body` is its text as it was given."""

    body: str
    description: str | None
    parameters: Mapping[str, Parameter]
    mappings: Mapping[str, Mapping[str, Mapping[str, Any]]]
    conditions: Mapping[str, Expression]
    resources: Mapping[str, Declaration]
    outputs: Mapping[str, Output]
    metadata: Any
    transforms: tuple[str, ...]


# What a stack has before its first change set is executed.
NO_TEMPLATE = Template("", None, {}, {}, {}, {}, {}, None, ())


def read_template(body: str) -> Template:
    """The template that a text holds. Raises: ValidationError, naming the path of what is wrong."""
    try:
        return _read_template(body)
    except RecursionError:
        raise template_error("the template is nested too deeply.") from None


def _read_template(body: str) -> Template:
    sections = document.read(body)
    for name in sections:
        if name in _ELSEWHERE_SECTIONS:
            raise not_here(f"The template section {name}")
    if unknown := sorted(set(sections) - _SECTIONS):
        raise template_error(f"Invalid template property or properties [{', '.join(unknown)}]")
    version = sections.get("AWSTemplateFormatVersion", _VERSION)
    if version != _VERSION:
        raise template_error(f"Template format version '{version}' is not supported")
    transforms = _transforms(sections.get("Transform", []))
    parser = Parser(language_extensions=LANGUAGE_EXTENSIONS in transforms)
    return Template(
        body=body,
        description=_description(sections),
        parameters={
            name: parameters.declare(name, entry, f"/Parameters/{name}")
            for name, entry in _entries(sections, "Parameters").items()
        },
        mappings={name: _mapping(name, entry) for name, entry in _entries(sections, "Mappings").items()},
        conditions={
            name: parser.parse_condition(entry, f"/Conditions/{name}")
            for name, entry in _entries(sections, "Conditions").items()
        },
        resources=_resources(sections, parser),
        outputs={name: _output(name, entry, parser) for name, entry in _entries(sections, "Outputs").items()},
        metadata=sections.get("Metadata"),
        transforms=transforms,
    )


def _description(sections: Mapping[str, Any]) -> str | None:
    description = sections.get("Description")
    if description is None:
        return None
    if not isinstance(description, str):
        raise template_error("Description must be a string (at /Description)")
    if len(description.encode()) > _MAXIMUM_DESCRIPTION_BYTES:
        raise template_error(f"'Description' length is greater than {_MAXIMUM_DESCRIPTION_BYTES}.")
    return description


def _transforms(value: Any) -> tuple[str, ...]:
    names = listed(value)
    for name in names:
        if name != LANGUAGE_EXTENSIONS:
            raise not_here(f"The transform {name} (at /Transform)")
    return tuple(names)


def _entries(sections: Mapping[str, Any], section: str) -> dict[str, Any]:
    """The entries of a section, whose names are letters and digits."""
    value = sections.get(section, {})
    if not is_object(value):
        raise template_error(f"{section} must be an object (at /{section})")
    entries = value
    maximum = _MAXIMUM_ENTRIES.get(section)
    if maximum is not None and len(entries) > maximum:
        raise template_error(f"Number of {section.lower()}, {len(entries)}, is greater than maximum allowed, {maximum}")
    for name in entries:
        if section != "Resources" and not _LOGICAL_ID.fullmatch(name):
            raise template_error(f"{section[:-1]} name {name} is non alphanumeric.")
    return entries


def _mapping(name: str, entry: Any) -> dict[str, dict[str, Any]]:
    path = f"/Mappings/{name}"
    mapping: dict[str, dict[str, Any]] = {}
    for first_key, inner in _object(entry, path).items():
        members = _object(inner, f"{path}/{first_key}")
        for second_key, value in members.items():
            if not isinstance(value, str | int | float | bool | list):
                raise template_error(
                    f"Every Mappings attribute must be a String or a List. (at {path}/{first_key}/{second_key})"
                )
        mapping[first_key] = members
    return mapping


def _resources(sections: Mapping[str, Any], parser: Parser) -> dict[str, Declaration]:
    entries = _entries(sections, "Resources")
    if not entries:
        raise template_error("At least one Resources member must be defined.")
    if len(entries) > MAXIMUM_RESOURCES:
        raise template_error(
            f"Number of resources, {len(entries)}, is greater than maximum allowed, {MAXIMUM_RESOURCES}"
        )
    for name in entries:
        if not _LOGICAL_ID.fullmatch(name):
            raise template_error(f"Resource name {name} is non alphanumeric.")
    return {name: _declaration(name, entry, parser) for name, entry in entries.items()}


def _declaration(logical_id: str, entry: Any, parser: Parser) -> Declaration:
    path = f"/Resources/{logical_id}"
    attributes = _object(entry, path)
    for name in attributes:
        if name in _ELSEWHERE_ATTRIBUTES:
            raise not_here(f"The resource attribute {name} (at {path}/{name})")
        if name not in _RESOURCE_ATTRIBUTES:
            raise validation_error(f"Invalid template resource property '{name}' (at {path}/{name})")
    kind = attributes.get("Type")
    if not isinstance(kind, str):
        raise template_error(f"[{path}] Every Resources object must contain a Type member.")
    properties = attributes.get("Properties")
    return Declaration(
        logical_id=logical_id,
        type=kind,
        properties=NOTHING if properties is None else parser.parse(_object(properties, path), f"{path}/Properties"),
        depends_on=_depends_on(attributes.get("DependsOn", []), path),
        condition=_condition(attributes, path),
        deletion_policy=_policy(attributes, "DeletionPolicy", path),
        update_replace_policy=_policy(attributes, "UpdateReplacePolicy", path),
        metadata=attributes.get("Metadata"),
        names_deletion_policy="DeletionPolicy" in attributes,
    )


def _depends_on(value: Any, path: str) -> tuple[str, ...]:
    names = listed(value)
    if not all(isinstance(name, str) for name in names):
        raise template_error(f"DependsOn must be a string or a list of strings (at {path}/DependsOn)")
    return tuple(dict.fromkeys(names))


def _condition(attributes: Mapping[str, Any], path: str) -> str | None:
    name = attributes.get("Condition")
    if name is not None and not isinstance(name, str):
        raise template_error(f"Every Condition member must be a string. (at {path}/Condition)")
    return name


def _policy(attributes: Mapping[str, Any], attribute: str, path: str) -> DeletionPolicy:
    value = attributes.get(attribute, DeletionPolicy.DELETE.value)
    if value == "Snapshot":
        raise not_here(f"{attribute} Snapshot (at {path}/{attribute})")
    for policy in DeletionPolicy:
        if policy.value == value and (attribute, policy) != (
            "UpdateReplacePolicy",
            DeletionPolicy.RETAIN_EXCEPT_ON_CREATE,
        ):
            return policy
    raise template_error(f"Unrecognized {attribute} {value} for resource {path.rsplit('/', 1)[-1]}")


def _output(name: str, entry: Any, parser: Parser) -> Output:
    path = f"/Outputs/{name}"
    members = _object(entry, path)
    if unknown := sorted(set(members) - _OUTPUT_MEMBERS):
        raise template_error(f"Output {name} is malformed: invalid member {unknown[0]} (at {path}/{unknown[0]})")
    if "Value" not in members:
        raise template_error(f"Every Outputs member must contain a Value object (at {path})")
    description = members.get("Description")
    return Output(
        name=name,
        value=parser.parse(members["Value"], f"{path}/Value"),
        description=description if isinstance(description, str) else None,
        condition=_condition(members, path),
        export=_export(members, parser, path),
    )


def _export(members: Mapping[str, Any], parser: Parser, path: str) -> Expression | None:
    if "Export" not in members:
        return None
    export = _object(members["Export"], f"{path}/Export")
    if set(export) != {"Name"}:
        raise template_error(
            f"Output {path.rsplit('/', 1)[-1]} is malformed. Export must have a Name (at {path}/Export)"
        )
    return parser.parse(export["Name"], f"{path}/Export/Name")


def _object(value: Any, path: str) -> dict[str, Any]:
    if not is_object(value):
        raise template_error(f"[{path}] must be an object")
    return value

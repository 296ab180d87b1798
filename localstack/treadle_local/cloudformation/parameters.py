"""Parameters of a template: their declarations, and the values that a call gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from treadle_local.aws.errors import AwsError
from treadle_local.cloudformation.errors import not_here, template_error, validation_error
from treadle_local.cloudformation.evaluation import scalar_text
from treadle_local.cloudformation.json_values import is_list, is_object

ParameterValue: TypeAlias = str | list[str]

TYPES = frozenset({"String", "Number", "CommaDelimitedList", "List<Number>", "List<String>"})
_MEMBERS = frozenset(
    {
        "AllowedPattern",
        "AllowedValues",
        "ConstraintDescription",
        "Default",
        "Description",
        "MaxLength",
        "MaxValue",
        "MinLength",
        "MinValue",
        "NoEcho",
        "Type",
    }
)
# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_MAXIMUM_VALUE_BYTES = 4096
_HIDDEN = "****"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One entry of `Parameters`."""

    name: str
    type: str
    default: str | None = None
    description: str | None = None
    allowed_values: tuple[str, ...] | None = None
    allowed_pattern: re.Pattern[str] | None = None
    constraint_description: str | None = None
    minimum_length: int | None = None
    maximum_length: int | None = None
    minimum_value: Decimal | None = None
    maximum_value: Decimal | None = None
    hidden: bool = False

    @property
    def is_list(self) -> bool:
        return self.type not in ("String", "Number")

    @property
    def mask(self) -> ParameterValue:
        """What stands for the value where it is not to be seen."""
        return [_HIDDEN] if self.is_list else _HIDDEN

    def shown(self, value: str) -> str:
        """The value as DescribeStacks answers it."""
        return _HIDDEN if self.hidden else value


def declare(name: str, entry: Any, path: str) -> Parameter:
    """The declaration of one parameter.

    Raises: ValidationError for a malformed one, or a type that this engine has not.
    """
    if not is_object(entry):
        raise template_error(f"Every Parameters member must be an object (at {path})")
    declared = entry
    unknown = sorted(set(declared) - _MEMBERS)
    if unknown:
        raise template_error(f"Invalid template parameter property '{unknown[0]}' (at {path}/{unknown[0]})")
    kind = declared.get("Type")
    if kind is None:
        raise template_error(f"Every Parameters object must contain a Type member (at {path})")
    if kind not in TYPES:
        if isinstance(kind, str) and "AWS::" in kind:
            raise not_here(f"The parameter type {kind} (at {path}/Type)")
        raise template_error(f"Unrecognized parameter type: {kind} (at {path}/Type)")
    parameter = Parameter(
        name=name,
        type=kind,
        default=_scalar(declared, "Default", path),
        description=_scalar(declared, "Description", path),
        allowed_values=_allowed_values(declared, path),
        allowed_pattern=_pattern(declared, path),
        constraint_description=_scalar(declared, "ConstraintDescription", path),
        minimum_length=_whole(declared, "MinLength", path),
        maximum_length=_whole(declared, "MaxLength", path),
        minimum_value=_number(declared, "MinValue", path),
        maximum_value=_number(declared, "MaxValue", path),
        hidden=scalar_text(declared.get("NoEcho", False)) == "true",
    )
    if parameter.default is not None:
        check(parameter, parameter.default)
    return parameter


def resolve(declared: Mapping[str, Parameter], given: Mapping[str, str]) -> dict[str, str]:
    """The text of every declared parameter.

    Raises: ValidationError for values that are missing, not declared or against their declaration.
    """
    extra = sorted(set(given) - set(declared))
    if extra:
        raise validation_error(f"Parameters: [{', '.join(extra)}] do not exist in the template")
    texts: dict[str, str] = {}
    missing: list[str] = []
    for name, parameter in declared.items():
        text = given.get(name, parameter.default)
        if text is None:
            missing.append(name)
        else:
            check(parameter, text)
            texts[name] = text
    if missing:
        raise validation_error(f"Parameters: [{', '.join(missing)}] must have values")
    return texts


def value_of(parameter: Parameter, text: str) -> ParameterValue:
    """What `Ref` gives for a parameter: its text, or the list that the text holds."""
    if not parameter.is_list:
        return text
    return [item.strip() for item in text.split(",")] if text else []


def check(parameter: Parameter, text: str) -> None:
    """Holds a value against its declaration. Raises: ValidationError."""
    if len(text.encode()) > _MAXIMUM_VALUE_BYTES:
        raise validation_error(f"Parameter '{parameter.name}' must not be longer than {_MAXIMUM_VALUE_BYTES} bytes")
    if parameter.type == "String":
        _check_string(parameter, text)
    value = value_of(parameter, text)
    for item in value if isinstance(value, list) else [value]:
        if parameter.type in ("Number", "List<Number>"):
            _check_number(parameter, item)
        if parameter.allowed_values is not None and item not in parameter.allowed_values:
            allowed = ", ".join(parameter.allowed_values)
            raise _refused(parameter, f"must be one of AllowedValues [{allowed}]")


def _check_string(parameter: Parameter, text: str) -> None:
    if parameter.minimum_length is not None and len(text) < parameter.minimum_length:
        raise _refused(parameter, f"must contain at least {parameter.minimum_length} characters")
    if parameter.maximum_length is not None and len(text) > parameter.maximum_length:
        raise _refused(parameter, f"must contain at most {parameter.maximum_length} characters")
    if parameter.allowed_pattern is not None and not parameter.allowed_pattern.fullmatch(text):
        raise _refused(parameter, f"must match pattern {parameter.allowed_pattern.pattern}")


def _check_number(parameter: Parameter, text: str) -> None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _refused(parameter, "must be a number") from None
    if not number.is_finite():
        raise _refused(parameter, "must be a number")
    if parameter.minimum_value is not None and number < parameter.minimum_value:
        raise _refused(parameter, f"must be a number not less than {parameter.minimum_value}")
    if parameter.maximum_value is not None and number > parameter.maximum_value:
        raise _refused(parameter, f"must be a number not greater than {parameter.maximum_value}")


def _refused(parameter: Parameter, rule: str) -> AwsError:
    if parameter.constraint_description is not None:
        return validation_error(
            f"Parameter {parameter.name} failed to satisfy constraint: {parameter.constraint_description}"
        )
    return validation_error(f"Parameter '{parameter.name}' {rule}")


def _scalar(declared: Mapping[str, Any], member: str, path: str) -> str | None:
    value = declared.get(member)
    if value is None:
        return None
    if isinstance(value, bool | str | int | float):
        return scalar_text(value)
    raise template_error(f"Every {member} member must be a string (at {path}/{member})")


def _allowed_values(declared: Mapping[str, Any], path: str) -> tuple[str, ...] | None:
    values = declared.get("AllowedValues")
    if values is None:
        return None
    if not is_list(values):
        raise template_error(f"AllowedValues must be a list (at {path}/AllowedValues)")
    return tuple(scalar_text(item) for item in values)


def _pattern(declared: Mapping[str, Any], path: str) -> re.Pattern[str] | None:
    pattern = _scalar(declared, "AllowedPattern", path)
    if pattern is None:
        return None
    try:
        return re.compile(pattern)
    except re.error as error:
        raise template_error(f"AllowedPattern is not a regular expression: {error} (at {path})") from None


def _number(declared: Mapping[str, Any], member: str, path: str) -> Decimal | None:
    text = _scalar(declared, member, path)
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise template_error(f"{member} must be a number (at {path}/{member})") from None


def _whole(declared: Mapping[str, Any], member: str, path: str) -> int | None:
    number = _number(declared, member, path)
    return None if number is None else int(number)

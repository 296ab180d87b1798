"""From the JSON of a template's value to an expression; what is malformed is refused with its path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.cloudformation.errors import not_here, validation_error
from treadle_local.cloudformation.expressions import (
    AllOf,
    AnyOf,
    Array,
    Attribute,
    Choice,
    Encoded,
    Equals,
    Expression,
    Imported,
    Join,
    JsonText,
    Length,
    Literal,
    Lookup,
    NamedCondition,
    Negation,
    Object,
    Reference,
    Select,
    Split,
    Substitution,
)
from treadle_local.cloudformation.json_values import is_list, is_object

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9_:]+(\.[A-Za-z0-9_.]+)?")
_DYNAMIC_REFERENCE = "{{resolve:"

# Functions of CloudFormation that this engine does not have.
_ELSEWHERE = frozenset({"Fn::Cidr", "Fn::ForEach", "Fn::GetAZs", "Fn::GetStackOutput", "Fn::Transform"})
_LANGUAGE_EXTENSIONS = frozenset({"Fn::Length", "Fn::ToJsonString"})


class Parser:
    """Parses values; `language_extensions` says whether the template has the transform of that name."""

    def __init__(self, *, language_extensions: bool = False) -> None:
        self._language_extensions = language_extensions
        self._functions: dict[str, Callable[[Any, str], Expression]] = {
            "Ref": self._reference,
            "Fn::GetAtt": self._attribute,
            "Fn::Sub": self._substitution,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::If": self._choice,
            "Fn::FindInMap": self._lookup,
            "Fn::Base64": lambda argument, path: Encoded(self.parse(argument, path)),
            "Fn::ToJsonString": self._json_text,
            "Fn::Length": lambda argument, path: Length(self.parse(argument, path)),
            "Fn::ImportValue": lambda argument, path: Imported(self.parse(argument, path)),
        }
        self._conditions: dict[str, Callable[[Any, str], Expression]] = {
            "Fn::Equals": self._equals,
            "Fn::And": lambda argument, path: AllOf(self._several(argument, path)),
            "Fn::Or": lambda argument, path: AnyOf(self._several(argument, path)),
            "Fn::Not": self._negation,
            "Condition": lambda argument, path: NamedCondition(_text(argument, path)),
        }

    def parse(self, value: Any, path: str) -> Expression:
        """The expression that a JSON value stands for.

        Raises: ValidationError for an unknown or malformed function, naming the path.
        """
        if is_object(value):
            return self._parse_object(value, path)
        if is_list(value):
            items = tuple(self.parse(item, f"{path}/{index}") for index, item in enumerate(value))
            return Literal(value) if all(isinstance(item, Literal) for item in items) else Array(items)
        if value is None:
            raise validation_error(f"[{path}] 'null' values are not allowed in templates")
        if isinstance(value, str):
            _refuse_dynamic_reference(value, path)
        return Literal(value)

    def parse_condition(self, value: Any, path: str) -> Expression:
        """The expression of an entry of `Conditions`, or of a condition within one."""
        if is_object(value) and len(value) == 1:
            name, argument = next(iter(value.items()))
            function = self._conditions.get(name)
            if function is not None:
                return function(argument, f"{path}/{name}")
        raise validation_error(
            f"Template format error: Conditions can only be boolean operations on parameters and other conditions "
            f"(at {path})"
        )

    def _parse_object(self, value: dict[str, Any], path: str) -> Expression:
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            function = self._functions.get(name)
            if function is not None:
                if name in _LANGUAGE_EXTENSIONS and not self._language_extensions:
                    raise validation_error(
                        f"Template error: {name} at {path} needs the transform AWS::LanguageExtensions"
                    )
                return function(argument, f"{path}/{name}")
            if name.startswith("Fn::"):
                raise _unknown_function(name, path)
        members = {name: self.parse(member, f"{path}/{name}") for name, member in value.items()}
        return Literal(value) if all(isinstance(member, Literal) for member in members.values()) else Object(members)

    def _reference(self, argument: Any, path: str) -> Expression:
        return Reference(_text(argument, path))

    def _attribute(self, argument: Any, path: str) -> Expression:
        match argument:
            case str() if "." in argument:
                resource, name = argument.split(".", 1)
                return Attribute(resource, name)
            case [str() as resource, str() as name]:
                return Attribute(resource, name)
            case _:
                raise validation_error(
                    "Template error: every Fn::GetAtt object requires two non-empty parameters, "
                    f"the resource name and the resource attribute (at {path})"
                )

    def _substitution(self, argument: Any, path: str) -> Expression:
        variables: dict[str, Expression] = {}
        match argument:
            case str():
                text = argument
            case [str() as text, given] if is_object(given):
                variables = {name: self.parse(value, f"{path}/1/{name}") for name, value in given.items()}
            case _:
                raise validation_error(
                    "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. "
                    f"Specify a string as first argument, and an optional second argument to specify a mapping of "
                    f"values to replace in the string (at {path})"
                )
        _refuse_dynamic_reference(text, path)
        parts: list[Expression] = []
        end = 0
        for variable in _VARIABLE.finditer(text):
            if variable.start() > end:
                parts.append(Literal(text[end : variable.start()]))
            parts.append(_variable(variable.group(1), variables, path))
            end = variable.end()
        if end < len(text):
            parts.append(Literal(text[end:]))
        return Substitution(tuple(parts))

    def _join(self, argument: Any, path: str) -> Expression:
        match argument:
            case [str() as delimiter, items] if is_list(items) or is_object(items):
                return Join(delimiter, self.parse(items, f"{path}/1"))
            case _:
                raise _arguments(
                    "Fn::Join", "two parameters, (1) a string delimiter and (2) a list of strings to be joined", path
                )

    def _select(self, argument: Any, path: str) -> Expression:
        match argument:
            case [index, items] if is_list(items) or is_object(items):
                return Select(self.parse(index, f"{path}/0"), self.parse(items, f"{path}/1"))
            case _:
                raise _arguments("Fn::Select", "two parameters, the index and the list", path)

    def _split(self, argument: Any, path: str) -> Expression:
        match argument:
            case [str() as delimiter, source]:
                return Split(delimiter, self.parse(source, f"{path}/1"))
            case _:
                raise _arguments(
                    "Fn::Split", "two parameters, (1) a string delimiter and (2) a string to be split", path
                )

    def _choice(self, argument: Any, path: str) -> Expression:
        match argument:
            case [str() as condition, then, otherwise]:
                return Choice(condition, self.parse(then, f"{path}/1"), self.parse(otherwise, f"{path}/2"))
            case _:
                raise _arguments("Fn::If", "three parameters, a condition's name and two values", path)

    def _lookup(self, argument: Any, path: str) -> Expression:
        match argument:
            case [str() as mapping, first, second]:
                return Lookup(mapping, self.parse(first, f"{path}/1"), self.parse(second, f"{path}/2"))
            case _:
                raise _arguments("Fn::FindInMap", "three parameters, the map name, map key and the attribute", path)

    def _json_text(self, argument: Any, path: str) -> Expression:
        if not isinstance(argument, dict | list):
            raise _arguments("Fn::ToJsonString", "an object or an array", path)
        return JsonText(self.parse(argument, path))

    def _equals(self, argument: Any, path: str) -> Expression:
        match argument:
            case [left, right]:
                return Equals(self.parse(left, f"{path}/0"), self.parse(right, f"{path}/1"))
            case _:
                raise _arguments("Fn::Equals", "a list of two values", path)

    def _several(self, argument: Any, path: str) -> tuple[Expression, ...]:
        if not is_list(argument) or not 2 <= len(argument) <= 10:
            raise _arguments(path.rsplit("/", 1)[-1], "between 2 and 10 conditions", path)
        return tuple(self.parse_condition(item, f"{path}/{index}") for index, item in enumerate(argument))

    def _negation(self, argument: Any, path: str) -> Expression:
        match argument:
            case [condition]:
                return Negation(self.parse_condition(condition, f"{path}/0"))
            case _:
                raise _arguments("Fn::Not", "a list of one condition", path)


def _variable(name: str, variables: dict[str, Expression], path: str) -> Expression:
    """What `${name}` stands for; `${!name}` is the literal `${name}`."""
    if name.startswith("!"):
        return Literal("${" + name[1:] + "}")
    name = name.strip()
    if name in variables:
        return variables[name]
    if not _NAME.fullmatch(name):
        raise validation_error(
            "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, "
            f"underscores, periods, and colons (at {path})"
        )
    if "." in name:
        resource, attribute = name.split(".", 1)
        return Attribute(resource, attribute)
    return Reference(name)


def _refuse_dynamic_reference(text: str, path: str) -> None:
    if _DYNAMIC_REFERENCE in text:
        raise not_here(f"The dynamic reference at {path}")


def _text(argument: Any, path: str) -> str:
    if not isinstance(argument, str) or not argument:
        raise validation_error(f"Template error: the argument at {path} must be a non-empty string")
    return argument


def _arguments(function: str, wanted: str, path: str) -> AwsError:
    return validation_error(f"Template error: every {function} object requires {wanted} (at {path})")


def _unknown_function(name: str, path: str) -> AwsError:
    if name in _ELSEWHERE or name.startswith("Fn::ForEach"):
        return not_here(f"{name} (at {path})")
    return validation_error(f"Template format error: Encountered unsupported function: {name} (at {path})")

"""What a resource type accepts as properties: shapes as a closed union, and the check of a value against one.

A value is normalised on the way (`"30"` becomes 30 where a whole number is wanted, as CloudFormation does),
so that two templates that say the same compare equal.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never, cast

from treadle_local.cloudformation.evaluation import scalar_text
from treadle_local.cloudformation.json_values import is_list, is_object


@dataclass(frozen=True, slots=True)
class Text:
    """A string; a number or a flag is taken for its text, as CloudFormation does. `pattern` may match anywhere."""

    allowed: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    minimum_length: int = 0
    maximum_length: int | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    minimum: int | None = None
    maximum: int | None = None
    allowed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    pass


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object of any content (a policy), or the text of one."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; where it is not `ordered`, the same items in another order are the same list."""

    item: Shape
    minimum: int = 0
    maximum: int | None = None
    unique: bool = False
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class MapOf:
    value: Shape
    key: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """An object of known members; those in `elsewhere` exist on AWS and are refused by name.

    Of the sets of names in `required_any`, one at least must be there. Where there may be a `text`, the JSON text of
    such an object is taken for the object.
    """

    members: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    elsewhere: frozenset[str] = field(default_factory=frozenset[str])
    required_any: tuple[tuple[str, ...], ...] = ()
    text: bool = False


Shape: TypeAlias = Text | Whole | Number | Flag | Document | ListOf | MapOf | Record

TEXT = Text()
FLAG = Flag()
DOCUMENT = Document()
TEXT_MAP = MapOf(TEXT)
TAG_LIST = ListOf(Record({"Key": TEXT, "Value": TEXT}, required=("Key", "Value")), ordered=False)
TAG_MAP = TEXT_MAP


def conform(shape: Shape, value: Any) -> tuple[Any, list[str]]:
    """The normalised value, and all problems in it, each as `#/path: what is wrong` in AWS's words."""
    problems: list[str] = []
    return _conform(shape, value, "#", problems.append), problems


def project(shape: Shape, value: Any) -> Any:
    """A service's answer in this shape: members that the shape does not know are left out, scalars are normalised.

    What does not fit is returned as it is.
    """
    match shape:
        case Record(members, text=text) if is_object(found := parsed(value) if text else value):
            return {
                name: project(members[name], each)
                for name, each in found.items()
                if name in members and each is not None
            }
        case MapOf(inner) if is_object(value):
            return {name: project(inner, each) for name, each in value.items()}
        case ListOf(item) if isinstance(value, list | tuple):
            return [project(item, each) for each in cast("Sequence[Any]", value)]
        case Document():
            return parsed(value)
        case _:
            return _conform(shape, value, "#", lambda _: None)


def parsed(document: Any) -> Any:
    """The JSON value of a `Document`; a text that holds none is returned as it is."""
    if not isinstance(document, str):
        return document
    try:
        return json.loads(document)
    except ValueError:
        return document


def json_text(document: Any) -> str:
    """The text of a `Document` value."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _conform(shape: Shape, value: Any, path: str, report: Callable[[str], None]) -> Any:
    match shape:
        case Text():
            return _text(shape, value, path, report)
        case Whole():
            return _whole(shape, value, path, report)
        case Number():
            return _number(shape, value, path, report)
        case Flag():
            return _flag(value, path, report)
        case Document():
            if isinstance(value, str) or is_object(value):
                return value
            report(_mistyped(path, "JSONObject", value))
            return None
        case ListOf():
            return _list(shape, value, path, report)
        case MapOf():
            return _map(shape, value, path, report)
        case Record():
            return _record(shape, value, path, report)
        case _:
            assert_never(shape)


def _list(shape: ListOf, value: Any, path: str, report: Callable[[str], None]) -> Any:
    if not is_list(value):
        report(_mistyped(path, "JSONArray", value))
        return None
    items = [_conform(shape.item, element, f"{path}/{index}", report) for index, element in enumerate(value)]
    if len(items) < shape.minimum:
        report(f"{path}: expected minimum item count: {shape.minimum}, found: {len(items)}")
    if shape.maximum is not None and len(items) > shape.maximum:
        report(f"{path}: expected maximum item count: {shape.maximum}, found: {len(items)}")
    if shape.unique and len({json.dumps(item, sort_keys=True) for item in items}) < len(items):
        report(f"{path}: array items are not unique")
    return items


def _map(shape: MapOf, value: Any, path: str, report: Callable[[str], None]) -> Any:
    members = _object(value, path, report)
    for name, _ in members:
        if shape.key is not None and not shape.key.search(name):
            report(f"{path}: extraneous key [{name}] is not permitted")
    return {name: _conform(shape.value, member, f"{path}/{name}", report) for name, member in members}


def _record(shape: Record, value: Any, path: str, report: Callable[[str], None]) -> Any:
    members: dict[str, Any] = {}
    for name, member in _object(parsed(value) if shape.text else value, path, report):
        inner = shape.members.get(name)
        if inner is not None:
            members[name] = _conform(inner, member, f"{path}/{name}", report)
        elif name in shape.elsewhere:
            report(f"{path}/{name}: the property {name} is not in Treadle's emulator yet")
        else:
            report(f"{path}: extraneous key [{name}] is not permitted")
    for name in shape.required:
        if name not in members:
            report(f"{path}: required key [{name}] not found")
    if shape.required_any and not any(set(names) <= members.keys() for names in shape.required_any):
        listed = ", ".join(" and ".join(names) for names in shape.required_any)
        report(f"{path}: no subschema matched: required is one of [{listed}]")
    return members


def _object(value: Any, path: str, report: Callable[[str], None]) -> list[tuple[str, Any]]:
    if is_object(value):
        return list(value.items())
    report(_mistyped(path, "JSONObject", value))
    return []


def _text(shape: Text, value: Any, path: str, report: Callable[[str], None]) -> Any:
    if isinstance(value, bool | int | float):
        value = scalar_text(value)
    if not isinstance(value, str):
        report(_mistyped(path, "String", value))
    elif shape.allowed and value not in shape.allowed:
        report(f"{path}: {value} is not a valid enum value (one of {', '.join(shape.allowed)})")
    elif len(value) < shape.minimum_length:
        report(f"{path}: expected minLength: {shape.minimum_length}, actual: {len(value)}")
    elif shape.maximum_length is not None and len(value) > shape.maximum_length:
        report(f"{path}: expected maxLength: {shape.maximum_length}, actual: {len(value)}")
    elif shape.pattern is not None and not shape.pattern.search(value):
        report(f"{path}: string [{value}] does not match pattern {shape.pattern.pattern}")
    return value


def _whole(shape: Whole, value: Any, path: str, report: Callable[[str], None]) -> Any:
    number = _as_number(value)
    if number is None or number != int(number):
        report(_mistyped(path, "Integer", value))
        return value
    whole = int(number)
    _check_range(shape, whole, path, report)
    if shape.allowed and whole not in shape.allowed:
        report(f"{path}: {whole} is not a valid enum value")
    return whole


def _number(shape: Number, value: Any, path: str, report: Callable[[str], None]) -> Any:
    number = _as_number(value)
    if number is None:
        report(_mistyped(path, "Number", value))
        return value
    _check_range(shape, number, path, report)
    return number


def _check_range(shape: Whole | Number, number: float, path: str, report: Callable[[str], None]) -> None:
    if shape.minimum is not None and number < shape.minimum:
        report(f"{path}: {number} is not greater or equal to {shape.minimum}")
    if shape.maximum is not None and number > shape.maximum:
        report(f"{path}: {number} is not less or equal to {shape.maximum}")


def _flag(value: Any, path: str, report: Callable[[str], None]) -> Any:
    match value:
        case bool():
            return value
        case "true" | "True":
            return True
        case "false" | "False":
            return False
        case _:
            report(_mistyped(path, "Boolean", value))
            return value


def _as_number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int):
        return value
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(value) if isinstance(value, str) and value.lstrip("-").isdecimal() else number


def _mistyped(path: str, wanted: str, value: Any) -> str:
    match value:
        case bool():
            found = "Boolean"
        case str():
            found = "String"
        case int() | float():
            found = "Number"
        case list():
            found = "JSONArray"
        case _:
            found = "JSONObject"
    return f"{path}: expected type: {wanted}, found: {found}"

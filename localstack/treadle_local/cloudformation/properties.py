"""What a resource type accepts as properties: shapes as a closed union, and the check of a value against one.

A value is normalised on the way (`"30"` becomes 30 where a whole number is wanted, as CloudFormation does),
so that two templates that say the same compare equal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never

from treadle_local.cloudformation.evaluation import scalar_text
from treadle_local.cloudformation.json_values import is_list, is_object


@dataclass(frozen=True, slots=True)
class Text:
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    minimum: int | None = None
    maximum: int | None = None
    allowed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    pass


@dataclass(frozen=True, slots=True)
class Flag:
    pass


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object of any content (a policy), or the text of one."""


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Shape


@dataclass(frozen=True, slots=True)
class MapOf:
    value: Shape


@dataclass(frozen=True, slots=True)
class Record:
    """An object of known members; those in `elsewhere` exist on AWS and are refused by name."""

    members: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    elsewhere: frozenset[str] = field(default_factory=frozenset[str])


Shape: TypeAlias = Text | Whole | Number | Flag | Document | ListOf | MapOf | Record

TEXT = Text()
WHOLE = Whole()
NUMBER = Number()
FLAG = Flag()
DOCUMENT = Document()
TEXTS = ListOf(TEXT)
TEXT_MAP = MapOf(TEXT)
TAG_LIST = ListOf(Record({"Key": TEXT, "Value": TEXT}, required=("Key", "Value")))
TAG_MAP = TEXT_MAP


def conform(shape: Shape, value: Any) -> tuple[Any, list[str]]:
    """The normalised value, and all problems in it, each as `#/path: what is wrong` in AWS's words."""
    problems: list[str] = []
    return _conform(shape, value, "#", problems.append), problems


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
            return _number(value, path, report)
        case Flag():
            return _flag(value, path, report)
        case Document():
            if isinstance(value, str) or is_object(value):
                return value
            report(_mistyped(path, "JSONObject", value))
            return None
        case ListOf(item):
            if not is_list(value):
                report(_mistyped(path, "JSONArray", value))
                return None
            return [_conform(item, element, f"{path}/{index}", report) for index, element in enumerate(value)]
        case MapOf(inner):
            return {
                name: _conform(inner, member, f"{path}/{name}", report) for name, member in _object(value, path, report)
            }
        case Record():
            return _record(shape, value, path, report)
        case _:
            assert_never(shape)


def _record(shape: Record, value: Any, path: str, report: Callable[[str], None]) -> Any:
    members: dict[str, Any] = {}
    for name, member in _object(value, path, report):
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
    return value


def _whole(shape: Whole, value: Any, path: str, report: Callable[[str], None]) -> Any:
    number = _as_number(value)
    if number is None or number != int(number):
        report(_mistyped(path, "Integer", value))
        return value
    whole = int(number)
    if shape.minimum is not None and whole < shape.minimum:
        report(f"{path}: {whole} is not greater or equal to {shape.minimum}")
    if shape.maximum is not None and whole > shape.maximum:
        report(f"{path}: {whole} is not less or equal to {shape.maximum}")
    if shape.allowed and whole not in shape.allowed:
        report(f"{path}: {whole} is not a valid enum value")
    return whole


def _number(value: Any, path: str, report: Callable[[str], None]) -> Any:
    number = _as_number(value)
    if number is None:
        report(_mistyped(path, "Number", value))
    return value if number is None else number


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

"""What a rule hands to a target: the event, a part of it, a constant, or a text made from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never, cast

Event: TypeAlias = Mapping[str, Any]

_PLACEHOLDER_OR_STRING_END = re.compile(r'\\.|"|<([A-Za-z0-9_.-]+)>', re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\['([^'\]]+)'\]", re.ASCII)
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Whole:
    """The event as it is."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A JSON text in place of the event."""

    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """What a path leads to."""

    path: str


@dataclass(frozen=True, slots=True)
class Transformed:
    """A template with `<name>` where a path's value is to stand.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """

    paths: Mapping[str, str]
    template: str


Input: TypeAlias = Whole | Constant | Part | Transformed


def input_of(target: Mapping[str, Any]) -> Input:
    """What a target of AWS's shape wants to get."""
    if "Input" in target:
        return Constant(target["Input"])
    if "InputPath" in target:
        return Part(target["InputPath"])
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        return Transformed(transformer.get("InputPathsMap") or {}, transformer["InputTemplate"])
    return Whole()


def render(wanted: Input, event: Event, rule_name: str, rule_arn: str) -> str:
    """The text that goes to the target."""
    match wanted:
        case Whole():
            return _json(event)
        case Constant(text):
            return text
        case Part(path):
            found = find(event, path)
            return _json(None if found is _MISSING else found)
        case Transformed(paths, template):
            values = {name: find(event, path) for name, path in paths.items()}
            return _fill(template, values | _reserved(event, rule_name, rule_arn))
        case _:
            assert_never(wanted)


def is_path(text: str) -> bool:
    """Whether this is a path that can be followed: `$`, then names and indexes of arrays."""
    return text.startswith("$") and _STEP.sub("", text[1:]) == ""


def find(event: object, path: str) -> object:
    """The value at a path of the event; a value of its own kind where there is none."""
    value = event
    for name, index, quoted in _STEP.findall(path):
        match value:
            case dict() if not index:
                value = cast("dict[str, object]", value).get(name or quoted, _MISSING)
            case list() if index and int(index) < len(cast("list[object]", value)):
                value = cast("list[object]", value)[int(index)]
            case _:
                return _MISSING
    return value


def _reserved(event: Event, rule_name: str, rule_arn: str) -> dict[str, object]:
    """The names that every template has.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-predefined
    """
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }


def _fill(template: str, values: Mapping[str, object]) -> str:
    """Within quotes a value stands as text, outside as JSON; one that is not there leaves an empty text."""
    quoted = False
    parts: list[str] = []
    start = 0
    for match in _PLACEHOLDER_OR_STRING_END.finditer(template):
        parts.append(template[start : match.start()])
        start = match.end()
        name = match[1]
        if match[0] == '"':
            quoted = not quoted
        if name is None or name not in values:
            parts.append(match[0])
        else:
            value = values[name]
            parts.append(_within_quotes(value) if quoted else _json("" if value is _MISSING else value))
    return "".join((*parts, template[start:]))


def _within_quotes(value: object) -> str:
    if value is _MISSING:
        return ""
    return json.dumps(value if isinstance(value, str) else _json(value), ensure_ascii=False)[1:-1]


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

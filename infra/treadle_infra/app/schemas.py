"""A JSON Schema of a config -> the part of it that is checked when the step runs, and what will not be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast

from treadle_infra.app.findings import Finding, SourceLocation, warning
from treadle_infra.app.model import Json

UNCHECKED_CODE = "schema-keyword-unchecked"

_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_ANNOTATIONS = frozenset(
    {
        *("$schema", "$id", "$comment", "title", "description", "default", "examples", "example", "deprecated"),
        *("readOnly", "writeOnly", "format", "contentMediaType", "contentEncoding", "discriminator"),
    }
)
"""They say something to people and tools. `format` too: what it means is left to whoever reads it.

Source: https://json-schema.org/draft/2020-12/json-schema-validation#section-7.2.1
"""


@dataclass(frozen=True, slots=True)
class CheckedSchema:
    """`schema` holds only what is checked; None where that is nothing. `problems`: what is not, and where it stands."""

    schema: Json
    problems: tuple[str, ...] = ()


def checked_schema(schema: Json) -> CheckedSchema:
    """The schema without annotations and without what is not checked.

    It takes all that the whole schema takes: where a part is left out, so is what would refuse more because of it.
    """
    reader = _Reader()
    checked = reader.schema(schema, "")
    if reader.has_dead_references(checked):
        return CheckedSchema(None, tuple(reader.problems))
    if reader.problems:
        checked = _Reader(left_out=_REFUSES_MORE).schema(schema, "")
    return CheckedSchema(None if checked in ({}, True) else checked, tuple(reader.problems))


def published_schema(schema: Json) -> Json:
    """The schema for people and tools: its annotations are kept, and left out is what JSON Schema does not have."""
    return _Reader(keeps_annotations=True).schema(schema, "")


def schema_findings(key: str, schema: Json, where: SourceLocation | None) -> list[Finding]:
    """A warning for each keyword of the schema under `key` that is not checked."""
    if schema is None:
        return []
    hint = "the rest of the schema is checked; check this in the handler"
    return [
        warning(UNCHECKED_CODE, f"`{key}` is checked without {problem}", where, hint)
        for problem in checked_schema(schema).problems
    ]


class _Reader:
    def __init__(self, left_out: frozenset[str] = frozenset(), *, keeps_annotations: bool = False) -> None:
        self._left_out = left_out
        self._keeps_annotations = keeps_annotations
        self.problems: list[str] = []
        self._references: list[tuple[dict[str, Json], str]] = []

    def schema(self, schema: Any, path: str) -> Json:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            self.problems.append(f"`{path or '#'}`, which is no schema: {_shown(schema)}")
            return True
        checked: dict[str, Json] = {}
        for keyword, argument in cast("dict[str, Json]", schema).items():
            if keyword in _ANNOTATIONS or keyword.startswith("x-"):
                if self._keeps_annotations and _SHOWN.get(keyword, _is_anything)(argument):
                    checked[keyword] = argument
            elif keyword not in self._left_out:
                self._keyword(checked, keyword, argument, f"{path}.{keyword}".lstrip("."))
        return checked

    def _keyword(self, checked: dict[str, Json], keyword: str, argument: Json, path: str) -> None:
        if keyword in SUBSCHEMAS:
            checked[keyword] = self.schema(argument, path)
        elif keyword in LISTS_OF_SCHEMAS and isinstance(argument, list) and argument:
            checked[keyword] = [self.schema(part, f"{path}[{index}]") for index, part in enumerate(argument)]
        elif keyword in MAPS_OF_SCHEMAS and isinstance(argument, dict) and self._has_names(keyword, argument):
            checked[keyword] = {name: self.schema(part, f"{path}.{name}") for name, part in argument.items()}
        elif keyword in _VALUES and _VALUES[keyword](argument):
            checked[keyword] = argument
        elif keyword == "$ref" and isinstance(argument, str):
            checked[keyword] = argument
            self._references.append((checked, path))
        elif keyword in _KNOWN:
            self.problems.append(f"`{path}`, which cannot be {_shown(argument)}")
        else:
            meant = get_close_matches(keyword, sorted(_KNOWN), 1, 0.8)
            did_you_mean = f" (did you mean `{meant[0]}`?)" if meant else ""
            self.problems.append(f"`{path}`, a keyword that is not supported{did_you_mean}")

    def _has_names(self, keyword: str, argument: Mapping[str, Json]) -> bool:
        return keyword != "patternProperties" or all(map(_is_pattern, argument))

    def has_dead_references(self, root: Json) -> bool:
        """Whether a reference points nowhere in the checked schema, or in a circle."""
        before = len(self.problems)
        for holder, path in self._references:
            reference = str(holder["$ref"])
            target = _target(root, reference)
            if target is None:
                problem = "which points at no schema of this document"
            elif isinstance(target, dict) and _leads_to(root, target, holder, set()):
                problem = "which leads back to itself"
            else:
                continue
            self.problems.append(f"`{path}`, {problem}: {_shown(reference)}")
        return len(self.problems) > before


def _target(root: Json, reference: str) -> Json:
    """The schema at `#/$defs/Order`; None where there is none."""
    part: Json = root
    if reference != "#" and not reference.startswith("#/"):
        return None
    for key in reference.split("/")[1:]:
        name = key.replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict):
            part = part.get(name)
        elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        else:
            return None
    return part if isinstance(part, dict | bool) else None


def _leads_to(root: Json, schema: dict[str, Json], wanted: dict[str, Json], seen: set[int]) -> bool:
    """Whether `wanted` is asked about the same value that `schema` is asked about."""
    if schema is wanted:
        return True
    if id(schema) in seen:
        return False
    seen.add(id(schema))
    return any(_leads_to(root, part, wanted, seen) for part in _beside(root, schema))


def _beside(root: Json, schema: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """The schemas that a schema asks about its own value."""
    parts: list[Json] = [schema.get(keyword) for keyword in ("not", "if", "then", "else")]
    for keyword in ("allOf", "anyOf", "oneOf"):
        inner = schema.get(keyword)
        parts += inner if isinstance(inner, list) else []
    reference = schema.get("$ref")
    if isinstance(reference, str):
        parts.append(_target(root, reference))
    yield from (part for part in parts if isinstance(part, dict))


def _shown(value: object) -> str:
    text = repr(value)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}...`"


def _is_anything(_: Json) -> bool:
    return True


def _is_never(_: Json) -> bool:
    return False


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_truth(value: Json) -> bool:
    return isinstance(value, bool)


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_texts(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_pattern(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    try:
        re.compile(value)
    except re.error:
        return False
    return True


def _is_type(value: Json) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(name in _TYPES for name in names)


def _is_needs(value: Json) -> bool:
    return isinstance(value, dict) and all(map(_is_texts, value.values()))


SUBSCHEMAS = frozenset({"additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else"})
LISTS_OF_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS_OF_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_VALUES: dict[str, Callable[[Json], bool]] = {
    "type": _is_type,
    "enum": lambda value: isinstance(value, list) and bool(value),
    "const": lambda _: True,
    "required": _is_texts,
    "dependentRequired": _is_needs,
    "uniqueItems": lambda value: isinstance(value, bool),
    "pattern": _is_pattern,
    "multipleOf": lambda value: _is_number(value) and cast("float", value) > 0,
    **dict.fromkeys(("minProperties", "maxProperties", "minItems", "maxItems", "minLength", "maxLength"), _is_count),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
}
_SHOWN: dict[str, Callable[[Json], bool]] = {
    **dict.fromkeys(("title", "description", "format", "contentMediaType", "contentEncoding"), _is_text),
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly"), _is_truth),
    **dict.fromkeys(("$schema", "$id", "$comment"), _is_never),
    "examples": lambda value: isinstance(value, list),
    "discriminator": lambda value: isinstance(value, dict) and isinstance(value.get("propertyName"), str),
}
"""Which annotations a published schema may have, and of what kind. One without `$id` is all of its document's own."""
_REFUSES_MORE = frozenset({"not", "if", "then", "else", "oneOf", "contains", "additionalProperties"})
"""What can refuse a value because another part of the schema takes it."""
_KNOWN = frozenset({*SUBSCHEMAS, *LISTS_OF_SCHEMAS, *MAPS_OF_SCHEMAS, *_VALUES, "$ref"})

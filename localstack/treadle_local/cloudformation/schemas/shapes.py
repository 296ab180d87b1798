"""From a published schema and the list of what a provider implements to the shapes that values are held against."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from treadle_local.cloudformation.json_values import listed
from treadle_local.cloudformation.properties import (
    DOCUMENT,
    FLAG,
    ListOf,
    MapOf,
    Number,
    Record,
    Shape,
    Text,
    Whole,
)
from treadle_local.cloudformation.schemas.published import Published

Tree: TypeAlias = dict[str, "Tree"]
_JSON = frozenset({"object", "string"})
_DEFINITIONS = "#/definitions/"


@dataclass(frozen=True, slots=True)
class MapLike:
    """A map whose values have the shape of another property: AWS publishes it as free JSON."""

    property: str


Refinement: TypeAlias = Shape | MapLike


def record_of(
    published: Published,
    implemented: Iterable[str],
    refined: Mapping[str, Refinement],
    required: Iterable[str],
) -> Record:
    """The properties of a type without its tags.

    `implemented` are paths: `Code/S3Key` implements that member of `Code`, `Code` all of its members; items of lists
    go without saying. What else is published is refused by its name. `refined` says what a service takes where the
    published schema says nothing but JSON, `required` what it requires beyond the published.
    """
    tree = _tree(implemented)
    unknown = tree.keys() - published.properties.keys()
    if unknown:
        raise ValueError(f"{published.type} has no properties {', '.join(sorted(unknown))}")
    reader = _Reader(published)
    members: dict[str, Shape] = {}
    for name, below in tree.items():
        refinement = refined.get(name)
        if isinstance(refinement, MapLike):
            refinement = MapOf(reader.shape(published.properties[refinement.property], refinement.property, {}))
        members[name] = reader.shape(published.properties[name], name, below) if refinement is None else refinement
    settable = published.properties.keys() - published.read_only
    return Record(
        members,
        tuple(dict.fromkeys((*published.required, *required))),
        frozenset(settable - members.keys() - {published.tags}),
        published.required_any,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the shapes of one type. A tree of members names what is implemented; an empty one, all."""

    published: Published

    def shape(self, value: Mapping[str, Any], path: str, tree: Tree) -> Shape:
        if "$ref" in value:
            target = self.published.definitions[value["$ref"].removeprefix(_DEFINITIONS)]
            rest = {name: each for name, each in value.items() if name != "$ref"}
            return self.shape({**target, **rest}, path, tree)
        types = frozenset(listed(value.get("type", ())))
        if "properties" in value:
            return self._record(value, path, tree)
        if "patternProperties" in value:
            ((key, inner),) = value["patternProperties"].items()
            return MapOf(self.shape(inner, f"{path}/*", tree), _pattern(key))
        if "items" in value:
            return ListOf(
                self.shape(value["items"], f"{path}/*", tree),
                value.get("minItems", 0),
                value.get("maxItems"),
                value.get("uniqueItems", False),
                value.get("insertionOrder", True) and not value.get("uniqueItems", False),
            )
        if "object" in types and types <= _JSON:
            inner = value.get("additionalProperties")
            return DOCUMENT if inner is None else MapOf(self.shape(inner, f"{path}/*", tree))
        return _scalar(value, types)

    def _record(self, value: Mapping[str, Any], path: str, tree: Tree) -> Record:
        settable = {
            name: each for name, each in value["properties"].items() if f"{path}/{name}" not in self.published.read_only
        }
        chosen = settable.keys() & tree.keys() if tree else settable.keys()
        if tree.keys() - settable.keys():
            raise ValueError(f"{self.published.type} has no {path}/{', '.join(tree.keys() - settable.keys())}")
        return Record(
            {
                name: self.shape(each, f"{path}/{name}", tree.get(name, {}))
                for name, each in settable.items()
                if name in chosen
            },
            tuple(value.get("required", ())),
            frozenset(settable.keys() - chosen),
            tuple(tuple(names) for names in value.get("requiredAny", ())),
            text="string" in listed(value.get("type", ())),
        )


def _scalar(value: Mapping[str, Any], types: frozenset[str]) -> Shape:
    allowed: tuple[Any, ...] = tuple(value.get("enum", ()))
    match sorted(types):
        case ["boolean"]:
            return FLAG
        case ["integer"]:
            return Whole(value.get("minimum"), value.get("maximum"), allowed)
        case ["number"]:
            return Number(value.get("minimum"), value.get("maximum"))
        case _:
            pass
    pattern = _pattern(value["pattern"]) if "pattern" in value else None
    return Text(allowed, pattern, value.get("minLength", 0), value.get("maxLength"))


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _tree(paths: Iterable[str]) -> Tree:
    tree: Tree = {}
    for path in paths:
        place = tree
        for name in path.split("/"):
            place = place.setdefault(name, {})
    return tree

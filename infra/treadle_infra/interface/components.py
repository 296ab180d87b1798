"""Schemas of many steps in one OpenAPI document: those with a name stand once, under `components`."""

from __future__ import annotations

import json
import re
from typing import cast

from treadle_infra.app.model import Json
from treadle_infra.app.schemas import LISTS_OF_SCHEMAS, MAPS_OF_SCHEMAS, SUBSCHEMAS, published_schema

_DEFINITIONS = ("$defs", "definitions")
COMPONENT_PREFIX = "#/components/schemas/"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Components:
    """The named schemas of a document. The same schema has one name; another of the same name gets a number."""

    def __init__(self) -> None:
        self.schemas: dict[str, Json] = {}
        self._names: dict[str, str] = {}

    def place(self, schema: Json, fallback: str) -> Json:
        """What stands for a JSON Schema where it is used: a reference where it has a title, else itself.

        `fallback` names one without a title that refers to itself.
        """
        published = published_schema(schema)
        if not isinstance(published, dict):
            return published
        return _Document(self, published, fallback).placed()

    def define(self, name: str, schema: dict[str, Json]) -> Json:
        """A reference to a schema without references of its own."""
        chosen, is_new = self.name(name, json.dumps(schema, sort_keys=True))
        if is_new:
            self.schemas[chosen] = schema
        return {"$ref": COMPONENT_PREFIX + chosen}

    def name(self, wanted: str, content: str) -> tuple[str, bool]:
        """The name of the schema that `content` stands for, and whether it has just got it."""
        known = self._names.get(content)
        if known is not None:
            return known, False
        base = _NOT_IN_NAMES.sub("_", wanted).strip("_") or "Schema"
        taken = set(self._names.values())
        name = next(name for number in range(1, len(taken) + 2) if (name := _numbered(base, number)) not in taken)
        self._names[content] = name
        return name, True


def _numbered(base: str, number: int) -> str:
    return base if number == 1 else f"{base}{number}"


class _Document:
    """One JSON Schema with its definitions; references in it begin at its own root."""

    def __init__(self, components: Components, root: dict[str, Json], fallback: str) -> None:
        self._components = components
        self._definitions: dict[str, Json] = {}
        for keyword in _DEFINITIONS:
            inner = root.get(keyword)
            for name, schema in inner.items() if isinstance(inner, dict) else ():
                self._definitions[f"#/{keyword}/{_escaped(name)}"] = schema
        self._root: dict[str, Json] = {key: value for key, value in root.items() if key not in _DEFINITIONS}
        title = self._root.get("title")
        self._title = title if isinstance(title, str) else None
        self._fallback = fallback

    def placed(self) -> Json:
        if self._title is None:
            return self._rewritten(self._root)
        return {"$ref": self._component("#")}

    def _component(self, place: str) -> str:
        """The reference, in the whole document, to the definition at `place`, or to the root at `#`."""
        schema = self._root if place == "#" else self._definitions[place]
        wanted = self._title or self._fallback if place == "#" else place.rpartition("/")[2]
        name, is_new = self._components.name(wanted, self._content(schema))
        if is_new:
            self._components.schemas[name] = True  # the place in the order, before those that it refers to
            self._components.schemas[name] = self._rewritten(schema)
        return COMPONENT_PREFIX + name

    def _content(self, schema: Json) -> str:
        """A text that tells the schema, and all that it refers to, from others."""
        reached: dict[str, Json] = {}
        waiting = [schema]
        while waiting:
            for reference in references(waiting.pop()):
                place, _ = self._divided(reference)
                if place is not None and place not in reached:
                    reached[place] = self._root if place == "#" else self._definitions[place]
                    waiting.append(reached[place])
        rest = {place: inner for place, inner in reached.items() if inner is not schema}
        return json.dumps([schema, rest] if rest else schema, sort_keys=True)

    def _divided(self, reference: str) -> tuple[str | None, str]:
        """The named place that a reference begins with and what follows; None for one that points nowhere."""
        parts = reference.split("/")
        place = "/".join(parts[:3])
        if place in self._definitions:
            return place, "/".join(["", *parts[3:]])
        if reference == "#" or (parts[0] == "#" and len(parts) > 1 and parts[1] in self._root):
            return "#", reference.removeprefix("#")
        return None, ""

    def _rewritten(self, schema: Json) -> Json:
        if not isinstance(schema, dict):
            return schema
        written: dict[str, Json] = {}
        for keyword, argument in schema.items():
            if keyword == "$ref":
                reference = self._reference(str(argument))
                if reference is not None:
                    written[keyword] = reference
            elif keyword == "discriminator":
                written[keyword] = self._discriminator(cast("dict[str, Json]", argument))
            elif keyword in SUBSCHEMAS:
                written[keyword] = self._rewritten(argument)
            elif keyword in LISTS_OF_SCHEMAS and isinstance(argument, list):
                written[keyword] = [self._rewritten(part) for part in argument]
            elif keyword in MAPS_OF_SCHEMAS and isinstance(argument, dict):
                written[keyword] = {name: self._rewritten(part) for name, part in argument.items()}
            else:
                written[keyword] = argument
        return written

    def _reference(self, reference: str) -> str | None:
        place, rest = self._divided(reference)
        return None if place is None else self._component(place) + rest

    def _discriminator(self, discriminator: dict[str, Json]) -> Json:
        mapping = discriminator.get("mapping")
        if not isinstance(mapping, dict):
            return {"propertyName": discriminator["propertyName"]}
        found = {key: self._reference(str(reference)) for key, reference in mapping.items()}
        kept: dict[str, Json] = {key: reference for key, reference in found.items() if reference is not None}
        return {"propertyName": discriminator["propertyName"], "mapping": kept}


def references(value: Json) -> list[str]:
    """Every text under a key `$ref`."""
    if isinstance(value, list):
        return [reference for item in value for reference in references(item)]
    if not isinstance(value, dict):
        return []
    own = value.get("$ref")
    inner = [reference for item in value.values() for reference in references(item)]
    return [own, *inner] if isinstance(own, str) else inner


def _escaped(name: str) -> str:
    """A key as JSON Pointer writes it."""
    return name.replace("~", "~0").replace("/", "~1")

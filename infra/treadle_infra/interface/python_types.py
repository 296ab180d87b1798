"""JSON Schemas -> Python types as text: TypedDicts for objects, `Literal`, unions, `list[...]`."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable

from treadle_infra.app.model import Json
from treadle_infra.interface.components import COMPONENT_PREFIX, Components

ANY = "Any"

_PLAIN: dict[str, str] = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}
_WORD = re.compile(r"[A-Za-z0-9]+")


def class_name(text: str) -> str:
    """The words of a text as the name of a class: `message.sent` -> `MessageSent`."""
    name = "".join(word[:1].upper() + word[1:] for word in _WORD.findall(text))
    return name if name and not name[0].isdigit() else f"T{name}"


class TypeWriter:
    """Types and the definitions that they need, each under a name of its own."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.definitions: list[str] = []
        self.typed_dicts: dict[str, frozenset[str]] = {}
        self._components = Components()
        self._taken = set(taken)
        self._named: dict[str, str] = {}

    def type_of(self, schema: Json, wanted: str) -> str:
        """The type of what fits the schema; `wanted` names it where it has no name of its own. None is any value."""
        return ANY if schema is None else self._type(self._components.place(schema, wanted), wanted)

    def name(self, wanted: str) -> str:
        """The name as it is, or with a number where it is taken."""
        name, number = wanted, 2
        while name in self._taken or keyword.iskeyword(name):
            name, number = f"{wanted}{number}", number + 1
        self._taken.add(name)
        return name

    def typed_dict(self, wanted: str, fields: dict[str, str], optional: frozenset[str] = frozenset()) -> str:
        """Defines a TypedDict of these types by name; returns what it is called."""
        name = self.name(wanted)
        self._define_dict(name, fields, optional)
        return name

    def alias(self, wanted: str, of: str) -> str:
        """Defines another name for a type, unless that is already its name."""
        if of == wanted:
            return of
        name = self.name(wanted)
        self.definitions.append(f"{name}: TypeAlias = {_text(of)}")
        return name

    def _define_dict(self, name: str, fields: dict[str, str], optional: frozenset[str], says: Json = None) -> None:
        self.typed_dicts[name] = frozenset(fields)
        written = {key: f"NotRequired[{type_}]" if key in optional else type_ for key, type_ in fields.items()}
        if all(key.isidentifier() and not keyword.iskeyword(key) and not key.startswith("__") for key in fields):
            lines = [f"    {_text(says)}"] if isinstance(says, str) and says else []
            lines += [f"    {key}: {type_}" for key, type_ in written.items()] or ["    pass"]
            self.definitions.append("\n".join([f"class {name}(TypedDict):", *lines]))
        else:
            entries = ", ".join(f"{_text(key)}: {_text(type_)}" for key, type_ in written.items())
            self.definitions.append(f"{name} = TypedDict({_text(name)}, {{{entries}}})")

    def _type(self, schema: Json, wanted: str) -> str:
        if not isinstance(schema, dict):
            return ANY
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._component(reference)
        if "const" in schema:
            return _literal([schema["const"]])
        values = schema.get("enum")
        if isinstance(values, list):
            return _literal(values)
        for several in ("anyOf", "oneOf"):
            parts = schema.get(several)
            if isinstance(parts, list):
                return _union(self._type(part, f"{wanted}{number or ''}") for number, part in enumerate(parts))
        every = schema.get("allOf")
        if isinstance(every, list):
            return self._type(every[0], wanted) if len(every) == 1 else ANY
        kind = schema.get("type")
        if isinstance(kind, list):
            return _union(self._type({**schema, "type": one}, wanted) for one in kind)
        return self._of_kind(kind, schema, wanted)

    def _of_kind(self, kind: Json, schema: dict[str, Json], wanted: str) -> str:
        if kind == "array":
            return f"list[{self._type(schema.get('items'), f'{wanted}Item')}]"
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, wanted)
        return _PLAIN.get(kind, ANY) if isinstance(kind, str) else ANY

    def _object(self, schema: dict[str, Json], wanted: str, name: str | None = None) -> str:
        properties = schema.get("properties")
        if not isinstance(properties, dict) or not properties:
            rest = schema.get("additionalProperties")
            return f"dict[str, {self._type(rest, f'{wanted}Value') if isinstance(rest, dict) else ANY}]"
        chosen = name or self.name(wanted)
        fields = {key: self._type(part, f"{chosen}{class_name(key)}") for key, part in properties.items()}
        required = schema.get("required")
        needed = set(required) if isinstance(required, list) else set[Json]()
        self._define_dict(
            chosen, fields, frozenset(key for key in fields if key not in needed), schema.get("description")
        )
        return chosen

    def _component(self, reference: str) -> str:
        """The type of a named schema, defined when it is first asked for; one that holds itself is finite so."""
        key = reference.removeprefix(COMPONENT_PREFIX)
        if key in self._named:
            return self._named[key]
        if key not in self._components.schemas:
            return ANY
        schema = self._components.schemas[key]
        name = self._named[key] = self.name(class_name(key))
        is_object = (
            isinstance(schema, dict) and bool(schema.get("properties")) and schema.get("type") in ("object", None)
        )
        if isinstance(schema, dict) and is_object and not {"$ref", "anyOf", "oneOf", "allOf", "enum"} & schema.keys():
            return self._object(schema, name, name)
        self.definitions.append(f"{name}: TypeAlias = {_text(self._type(schema, f'{name}Value'))}")
        return name


def _literal(values: list[Json]) -> str:
    if not values or not all(value is None or isinstance(value, str | bool | int) for value in values):
        return ANY
    return f"Literal[{', '.join(_text(value) if isinstance(value, str) else repr(value) for value in values)}]"


def _union(types: Iterable[str]) -> str:
    """One type of all; any value where one of them is that."""
    every = list(dict.fromkeys(types))
    return ANY if ANY in every or not every else " | ".join(every)


def _text(value: str) -> str:
    """A text as Python writes it: as JSON does, with double quotes."""
    return json.dumps(value)

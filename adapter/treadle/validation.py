"""Checks a request's body or a message against the JSON Schema of its trigger.

The schema in the manifest has been checked when it was built in: it holds keywords of the table below, well-formed,
and references into itself. So nothing here can fail but the value.
Source: https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import re

from treadle.invoke import positional_parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeGuard

    from treadle.context import Context
    from treadle.shapes import UserHandler

    Problem = tuple[str, str]
    Check = Callable[["PayloadSchema", Any, Any, dict[str, Any], str], Iterator[Problem]]

PROBLEMS_LIMIT = 50
"""More are not told: a body of a million wrong items must not make an answer of as many lines."""

_MUST_BE = "must be "


class PayloadSchema:
    """What a trigger takes. `is_enforced`: what does not fit never reaches the handler; else it is only told."""

    __slots__ = ("_root", "is_enforced")

    def __init__(self, schema: object, *, is_enforced: bool) -> None:
        self._root = schema
        self.is_enforced = is_enforced

    def problems(self, value: object) -> list[dict[str, str]]:
        """What is wrong with the value: `[{"path": "items[0].price", "message": "must be a number"}]`, at most 50.

        The path of the value itself is `""`.
        """
        found: list[dict[str, str]] = []
        try:
            for path, message in self.check(self._root, value, ""):
                found.append({"path": path.removeprefix("."), "message": message})
                if len(found) == PROBLEMS_LIMIT:
                    break
        except RecursionError:
            found.append({"path": "", "message": "is nested too deeply"})
        return found

    def check(self, schema: Any, value: object, path: str) -> Iterator[Problem]:
        """The paths and messages of what is wrong, in the schema's order."""
        if schema is False:
            yield path, "is not allowed"
        if _is_object(schema):
            for keyword, argument in schema.items():
                checking = _CHECKS.get(keyword)
                if checking is not None:
                    yield from checking(self, argument, value, schema, path)

    def fits(self, schema: Any, value: object) -> bool:
        return next(self.check(schema, value, ""), None) is None

    def target(self, reference: str) -> Any:
        """The part of the schema at `#/$defs/Order`."""
        part: Any = self._root
        for key in reference.lstrip("#").split("/")[1:]:
            name = key.replace("~1", "/").replace("~0", "~")
            part = part[int(name)] if _is_array(part) else part[name]
        return part


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_array(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def with_checked_body(handler: UserHandler, schema: PayloadSchema, route_key: str, *, is_flow: bool) -> UserHandler:
    """A handler that looks at the request's body first: behind all middleware, which may refuse it for other reasons.

    `is_flow`: the handler is in Motia 1.0's dialect, where the request is a part of the first argument.
    """
    takes = positional_parameters(handler, 2)

    def handle(argument: Any, context: Context) -> object:
        request = argument.request if is_flow else argument
        details = schema.problems(request["body"])
        if details:
            context.logger.warn(f"{route_key}: the body does not fit `bodySchema`", {"details": details})
        if details and schema.is_enforced:
            return {"status": 400, "body": {"error": "Validation error", "details": details}}
        return handler(*(argument, context)[:takes])

    return handle


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "object": ("an object", _is_object),
    "array": ("an array", _is_array),
    "string": ("a string", lambda value: isinstance(value, str)),
    "number": ("a number", lambda value: _is_number(value)),
    "integer": ("an integer", lambda value: _is_number(value) and value % 1 == 0),
    "boolean": ("a boolean", lambda value: isinstance(value, bool)),
    "null": ("null", lambda value: value is None),
}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _identity(value: Any) -> object:
    """Equal for values that are equal in JSON: `1` and `1.0` are, `1` and `true` are not."""
    if isinstance(value, bool):
        return ("boolean", value)
    if _is_array(value):
        return ("array", tuple(map(_identity, value)))
    if _is_object(value):
        return ("object", frozenset((key, _identity(item)) for key, item in value.items()))
    return value


def _type(schema: PayloadSchema, names: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    allowed: list[str] = [names] if isinstance(names, str) else names
    if not any(_KINDS[name][1](value) for name in allowed):
        yield path, _MUST_BE + " or ".join(_KINDS[name][0] for name in allowed)


def _enum(schema: PayloadSchema, choices: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    wanted = _identity(value)
    if all(_identity(choice) != wanted for choice in choices):
        yield path, f"{_MUST_BE}one of {_shown(choices)}"


def _const(schema: PayloadSchema, constant: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if _identity(constant) != _identity(value):
        yield path, _MUST_BE + _shown([constant])


def _shown(choices: list[object]) -> str:
    import json

    text = ", ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _properties(schema: PayloadSchema, inner: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if _is_object(value):
        for name, part in inner.items():
            if name in value:
                yield from schema.check(part, value[name], f"{path}.{name}")


def _pattern_properties(
    schema: PayloadSchema, patterns: Any, value: Any, _: dict[str, Any], path: str
) -> Iterator[Problem]:
    if _is_object(value):
        for pattern, part in patterns.items():
            for name, item in value.items():
                if re.search(pattern, name):
                    yield from schema.check(part, item, f"{path}.{name}")


def _additional_properties(
    schema: PayloadSchema, part: Any, value: Any, beside: dict[str, Any], path: str
) -> Iterator[Problem]:
    if _is_object(value):
        known: dict[str, Any] = beside.get("properties", {})
        patterns: dict[str, Any] = beside.get("patternProperties", {})
        for name, item in value.items():
            if name not in known and not any(re.search(pattern, name) for pattern in patterns):
                yield from schema.check(part, item, f"{path}.{name}")


def _property_names(schema: PayloadSchema, part: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if _is_object(value):
        for name in value:
            for _place, message in schema.check(part, name, ""):
                yield f"{path}.{name}", f"has a name that {message}"


def _required(schema: PayloadSchema, names: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if _is_object(value):
        for name in names:
            if name not in value:
                yield f"{path}.{name}", "is required"


def _dependent_required(
    schema: PayloadSchema, needs: Any, value: Any, _: dict[str, Any], path: str
) -> Iterator[Problem]:
    if _is_object(value):
        for present, names in needs.items():
            if present in value:
                for name in names:
                    if name not in value:
                        yield f"{path}.{name}", f"is required beside {present}"


def _items(schema: PayloadSchema, part: Any, value: Any, beside: dict[str, Any], path: str) -> Iterator[Problem]:
    if _is_array(value):
        first = len(beside.get("prefixItems", ()))
        for index in range(first, len(value)):
            yield from schema.check(part, value[index], f"{path}[{index}]")


def _prefix_items(schema: PayloadSchema, parts: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if _is_array(value):
        for index, (part, item) in enumerate(zip(parts, value, strict=False)):
            yield from schema.check(part, item, f"{path}[{index}]")


def _contains(schema: PayloadSchema, part: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if _is_array(value) and not any(schema.fits(part, item) for item in value):
        yield path, "has no item such as it must have"


def _unique_items(schema: PayloadSchema, wanted: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if wanted and _is_array(value) and len(set(map(_identity, value))) < len(value):
        yield path, "has an item twice"


def _size(kind: type, what: str, *, is_least: bool) -> Check:
    word = "least" if is_least else "most"

    def check(schema: PayloadSchema, limit: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
        if isinstance(value, kind):
            size = len(value)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
            if size < limit if is_least else size > limit:
                yield path, f"must have at {word} {limit} {what}"

    return check


def _pattern(schema: PayloadSchema, pattern: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if isinstance(value, str) and not re.search(pattern, value):
        yield path, f"must match {pattern}"


def _bound(what: str, holds: Callable[[Any, Any], bool]) -> Check:
    def check(schema: PayloadSchema, limit: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
        if _is_number(value) and not holds(value, limit):
            yield path, f"{_MUST_BE}{what} {limit}"

    return check


def _is_multiple(value: Any, divisor: Any) -> bool:
    """Whether it is, up to what binary fractions are off: 0.3 is a multiple of 0.1."""
    try:
        rest = value % divisor
    except OverflowError:
        return False
    return bool(min(rest, divisor - rest) <= divisor * 1e-9)


def _all_of(schema: PayloadSchema, parts: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    for part in parts:
        yield from schema.check(part, value, path)


def _any_of(schema: PayloadSchema, parts: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if any(schema.fits(part, value) for part in parts):
        return
    kinds: list[str] = []
    for part in parts:
        found = list(schema.check(part, value, path))
        if len(found) == 1 and found[0][0] == path and found[0][1].startswith(_MUST_BE):
            kinds.append(found[0][1].removeprefix(_MUST_BE))
    if len(kinds) == len(parts):
        yield path, _MUST_BE + " or ".join(dict.fromkeys(kinds))
    elif len(kinds) == len(parts) - 1:  # one alternative is of the value's kind: what it lacks is what is wrong
        for part in parts:
            found = list(schema.check(part, value, path))
            if len(found) != 1 or found[0][0] != path or not found[0][1].startswith(_MUST_BE):
                yield from found
    else:
        yield path, "fits none of the schemas that it may have"


def _one_of(schema: PayloadSchema, parts: Any, value: Any, beside: dict[str, Any], path: str) -> Iterator[Problem]:
    fitting = sum(schema.fits(part, value) for part in parts)
    if fitting == 0:
        yield from _any_of(schema, parts, value, beside, path)
    elif fitting > 1:
        yield path, f"fits {fitting} schemas of which it may fit one"


def _not(schema: PayloadSchema, part: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    if schema.fits(part, value):
        yield path, "is what it must not be"


def _if(schema: PayloadSchema, part: Any, value: Any, beside: dict[str, Any], path: str) -> Iterator[Problem]:
    branch = "then" if schema.fits(part, value) else "else"
    yield from schema.check(beside.get(branch, True), value, path)


def _reference(schema: PayloadSchema, reference: Any, value: Any, _: dict[str, Any], path: str) -> Iterator[Problem]:
    yield from schema.check(schema.target(reference), value, path)


_CHECKS: dict[str, Check] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "dependentRequired": _dependent_required,
    "minProperties": _size(dict, "properties", is_least=True),
    "maxProperties": _size(dict, "properties", is_least=False),
    "prefixItems": _prefix_items,
    "items": _items,
    "contains": _contains,
    "uniqueItems": _unique_items,
    "minItems": _size(list, "items", is_least=True),
    "maxItems": _size(list, "items", is_least=False),
    "minLength": _size(str, "characters", is_least=True),
    "maxLength": _size(str, "characters", is_least=False),
    "pattern": _pattern,
    "minimum": _bound("at least", lambda value, limit: value >= limit),
    "maximum": _bound("at most", lambda value, limit: value <= limit),
    "exclusiveMinimum": _bound("greater than", lambda value, limit: value > limit),
    "exclusiveMaximum": _bound("less than", lambda value, limit: value < limit),
    "multipleOf": _bound("a multiple of", _is_multiple),
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "$ref": _reference,
}

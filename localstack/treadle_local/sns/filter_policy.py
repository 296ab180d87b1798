"""Filter policies: which messages a subscription wants, compiled once and decided per message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from treadle_local.sns.errors import invalid
from treadle_local.sns.filter_limits import alternatives, check_limits
from treadle_local.sns.filter_rules import Dialect, Rule, Scalar, compile_rule
from treadle_local.sqs.message import MessageAttribute

Scope = Literal["MessageAttributes", "MessageBody"]


class Filterable:
    """What filter policies see of a message, each scope read once however many policies ask."""

    __slots__ = ("_attributes", "_body", "_document", "_read", "_values")

    def __init__(self, body: str, attributes: Mapping[str, MessageAttribute]) -> None:
        self._body = body
        self._attributes = attributes
        self._values: dict[str, object] | None = None
        self._document: dict[str, object] | None = None
        self._read = False

    @property
    def has_attributes(self) -> bool:
        return bool(self._attributes)

    def values(self) -> dict[str, object]:
        """The attributes' values by name."""
        if self._values is None:
            self._values = _attribute_values(self._attributes)
        return self._values

    def document(self) -> dict[str, object] | None:
        """The body as an object; None for a body that is no JSON object."""
        if not self._read:
            self._read = True
            document = parse_json(self._body)
            self._document = cast("dict[str, object]", document) if isinstance(document, dict) else None
        return self._document


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A property's wanted values: one rule that fits is enough."""

    rules: tuple[Rule, ...]

    def fits(self, value: object, present: bool) -> bool:
        values = _scalars(value) if present and not isinstance(value, dict) else None
        return any(rule(values) for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Pattern:
    """An object of the policy: every property must fit, and of every `$or` one alternative.

    Of an array of objects one must fit as a whole. A name with dots is a path: `{"a.b": 1}` is `{"a": {"b": 1}}`.
    """

    fields: tuple[tuple[str, _Leaf | Pattern], ...]
    choices: tuple[tuple[Pattern, ...], ...]

    def fits(self, value: object, present: bool = True) -> bool:
        if isinstance(value, list) and value:
            return any(self.fits(element) for element in cast("list[object]", value))
        document = _along_paths(cast("dict[str, object]", value)) if isinstance(value, dict) else dict[str, object]()
        return all(node.fits(document.get(key), key in document) for key, node in self.fields) and all(
            any(alternative.fits(document) for alternative in choice) for choice in self.choices
        )


@dataclass(frozen=True, slots=True)
class FilterPolicy:
    """A compiled filter policy for one scope. `wants_nothing` is whether it wants a message without any attribute."""

    scope: Scope
    root: Pattern
    wants_nothing: bool

    def wants(self, message: Filterable) -> bool:
        """True if the message passes; with the body's scope, a body that is no JSON object or an empty one never does.

        Source: https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html
        """
        match self.scope:
            case "MessageAttributes":
                return self.root.fits(message.values()) if message.has_attributes else self.wants_nothing
            case "MessageBody":
                document = message.document()
                return bool(document) and self.root.fits(document)


def compile_filter_policy(text: str, scope: Scope) -> FilterPolicy | None:
    """The policy as it decides; None for the empty policy, which wants everything.

    Raises: `InvalidParameter`.
    Source: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
    """
    if not text:
        return None
    document = parse_json(text)
    if document is None:
        raise invalid("FilterPolicy: failed to parse JSON.")
    if not isinstance(document, dict):
        raise invalid("FilterPolicy: Filter policy must be a JSON object")
    if not document:
        return None
    policy = cast("dict[str, object]", document)
    root = compile_pattern(policy, "attributes" if scope == "MessageAttributes" else "body")
    if scope == "MessageAttributes" and any(isinstance(value, dict) for value in policy.values()):
        raise invalid("Filter policy scope MessageAttributes does not support nested filter policy")
    check_limits(policy, len(text.encode()))
    return FilterPolicy(scope, root, _wants_nothing(policy))


def _wants_nothing(policy: Mapping[str, object]) -> bool:
    """Whether a message without any attribute passes: `{"exists": false}` wants others to be there, null does not."""
    for key, value in policy.items():
        if key == "$or" and (several := alternatives(value)):
            if not any(_wants_nothing(alternative) for alternative in several):
                return False
        elif not isinstance(value, list) or None not in value:
            return False
    return True


def compile_pattern(document: Mapping[str, object], dialect: Dialect = "eventbridge") -> Pattern:
    """An object as it decides, without the limits on whole policies. Raises: `InvalidParameter`."""
    fields: list[tuple[str, _Leaf | Pattern]] = []
    choices: list[tuple[Pattern, ...]] = []
    for key, value in _along_paths(document).items():
        if key == "$or" and (several := alternatives(value)):
            choices.append(tuple(compile_pattern(alternative, dialect) for alternative in several))
        elif isinstance(value, dict):
            if not value:
                raise invalid(f'FilterPolicy: "{key}": empty objects are not allowed')
            fields.append((key, compile_pattern(cast("dict[str, object]", value), dialect)))
        elif isinstance(value, list):
            if not value:
                raise invalid(f'FilterPolicy: "{key}": Empty arrays are not allowed')
            rules = tuple(compile_rule(element, dialect) for element in cast("list[object]", value))
            fields.append((key, _Leaf(rules)))
        else:
            raise invalid(f'FilterPolicy: "{key}" must be an object or an array')
    return Pattern(tuple(fields), tuple(choices))


def parse_json(text: str) -> object:
    """The value that a JSON text says; None for what is no JSON. NaN and Infinity are none."""
    try:
        return cast("object", json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _along_paths(document: Mapping[str, object]) -> Mapping[str, object]:
    """The object with names that have dots taken apart; where two meet, both values are there, as in an array."""
    if not any("." in key for key in document):
        return document
    found: dict[str, object] = {key: value for key, value in document.items() if "." not in key}
    for key, value in document.items():
        head, dot, rest = key.partition(".")
        if dot and head and rest:
            found[head] = _merged(found[head], {rest: value}) if head in found else {rest: value}
        elif dot:
            found[key] = value
    return found


def _merged(one: object, other: dict[str, object]) -> object:
    if not isinstance(one, dict):
        return [one, other]
    before = cast("dict[str, object]", one)
    ((key, value),) = other.items()
    return {**before, key: [before[key], value] if key in before else value}


def _scalars(value: object) -> list[Scalar]:
    """The plain values in a value: an array's elements, however nested, or the value itself."""
    if isinstance(value, list):
        return [scalar for element in cast("list[object]", value) for scalar in _scalars(element)]
    return [] if isinstance(value, dict) else [cast("Scalar", value)]


def _attribute_values(attributes: Mapping[str, MessageAttribute]) -> dict[str, Any]:
    """What a filter sees of the attributes: binary ones are ignored, a String.Array is its elements."""
    values: dict[str, Any] = {}
    for name, attribute in attributes.items():
        if not isinstance(attribute.value, str):
            continue
        match attribute.data_type:
            case "String.Array":
                elements = parse_json(attribute.value)
                values[name] = attribute.value if elements is None else elements
            case data_type if data_type.startswith("Number"):
                values[name] = float(attribute.value)
            case _:
                values[name] = attribute.value
    return values

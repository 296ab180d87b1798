"""Filter policies: which messages a subscription wants, compiled once and decided per message."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from treadle_local.sns.errors import invalid
from treadle_local.sns.filter_rules import RESERVED_WORDS, Rule, Scalar, compile_rule
from treadle_local.sqs.message import MessageAttribute

Scope = Literal["MessageAttributes", "MessageBody"]

_KEYS_LIMIT = 5
_COMBINATIONS_LIMIT = 150
_POLICY_LIMIT_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A property's wanted values: one rule that fits is enough."""

    rules: tuple[Rule, ...]

    def fits(self, value: object, present: bool) -> bool:
        values = _scalars(value) if present and not isinstance(value, dict) else None
        return any(rule(values) for rule in self.rules)

    def combinations(self, level: int) -> int:
        return len(self.rules) * level


@dataclass(frozen=True, slots=True)
class Pattern:
    """An object of the policy: every property must fit, and of every `$or` one alternative."""

    fields: tuple[tuple[str, _Leaf | Pattern], ...]
    choices: tuple[tuple[Pattern, ...], ...]

    def fits(self, value: object, present: bool = True) -> bool:
        if isinstance(value, list):
            return any(self.fits(element) for element in cast("list[object]", value))
        document = cast("dict[str, object]", value) if isinstance(value, dict) else dict[str, object]()
        return all(node.fits(document.get(key), key in document) for key, node in self.fields) and all(
            any(alternative.fits(document) for alternative in choice) for choice in self.choices
        )

    def combinations(self, level: int) -> int:
        total = 1
        for _, node in self.fields:
            total *= node.combinations(level if isinstance(node, _Leaf) else level + 1)
        for choice in self.choices:
            total *= sum(alternative.combinations(level) for alternative in choice)
        return total

    def keys(self) -> set[str]:
        return {key for key, _ in self.fields}.union(*(node.keys() for choice in self.choices for node in choice))


@dataclass(frozen=True, slots=True)
class FilterPolicy:
    """A compiled filter policy for one scope."""

    scope: Scope
    root: Pattern

    def wants(self, body: str, attributes: Mapping[str, MessageAttribute]) -> bool:
        """True if the message passes; with the body's scope, a body that is no JSON object never does."""
        match self.scope:
            case "MessageAttributes":
                return self.root.fits(_attribute_values(attributes))
            case "MessageBody":
                try:
                    document: object = json.loads(body)
                except (ValueError, RecursionError):
                    return False
                return isinstance(document, dict) and self.root.fits(cast("dict[str, object]", document))


def compile_filter_policy(text: str, scope: Scope) -> FilterPolicy | None:
    """The policy as it decides; None for the empty policy, which wants everything.

    The limits are five keys (of nested ones, only the outermost count) and 150 combinations: the product over all
    keys of the number of their values, in the body's scope each times its depth.

    Raises: `InvalidParameter`.
    Source: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
    """
    if not text:
        return None
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid("FilterPolicy: failed to parse JSON.") from None
    if not isinstance(document, dict) or len(text.encode()) > _POLICY_LIMIT_BYTES:
        raise invalid("FilterPolicy: Filter policy must be a JSON object of at most 256 KB")
    if not document:
        return None
    root = compile_pattern(cast("dict[str, object]", document), scope)
    if len(root.keys()) > _KEYS_LIMIT:
        raise invalid("FilterPolicy: Filter policy can not have more than 5 keys")
    if root.combinations(1) > _COMBINATIONS_LIMIT:
        raise invalid("FilterPolicy: Filter policy is too complex")
    return FilterPolicy(scope, root)


def compile_pattern(document: Mapping[str, object], scope: Scope = "MessageBody") -> Pattern:
    """An object as it decides, without the limits on whole policies. Raises: `InvalidParameter`."""
    fields: list[tuple[str, _Leaf | Pattern]] = []
    choices: list[tuple[Pattern, ...]] = []
    for key, value in document.items():
        if key == "$or" and (alternatives := _alternatives(value)):
            choices.append(tuple(compile_pattern(alternative, scope) for alternative in alternatives))
        elif isinstance(value, dict):
            if scope == "MessageAttributes":
                raise invalid("Filter policy scope MessageAttributes does not support nested filter policy")
            if not value:
                raise invalid(f'FilterPolicy: "{key}": empty objects are not allowed')
            fields.append((key, compile_pattern(cast("dict[str, object]", value), scope)))
        elif isinstance(value, list):
            if not value:
                raise invalid(f'FilterPolicy: "{key}": Empty arrays are not allowed')
            fields.append((key, _Leaf(tuple(compile_rule(element) for element in cast("list[object]", value)))))
        else:
            raise invalid(f'FilterPolicy: "{key}" must be an object or an array')
    return Pattern(tuple(fields), tuple(choices))


def _alternatives(value: object) -> Sequence[Mapping[str, object]]:
    """The objects of a `$or`; empty where AWS reads `$or` as the name of a plain property.

    Source: https://docs.aws.amazon.com/sns/latest/dg/and-or-logic.html
    """
    if not isinstance(value, list):
        return ()
    objects = [
        cast("dict[str, object]", element) for element in cast("list[object]", value) if isinstance(element, dict)
    ]
    if len(objects) < 2 or len(objects) != len(cast("list[object]", value)):
        return ()
    return () if any(key in RESERVED_WORDS for element in objects for key in element) else objects


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
                try:
                    elements: object = json.loads(attribute.value)
                except ValueError:
                    elements = attribute.value
                values[name] = elements
            case data_type if data_type.startswith("Number"):
                values[name] = float(attribute.value)
            case _:
                values[name] = attribute.value
    return values

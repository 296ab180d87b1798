"""Generated filter policies and messages, judged by an evaluator that is slow and plain.

The evaluator writes a policy out as alternatives without `$or`, each a flat list of (path, operators), and a message
as all the ways to choose one element of each array: it is wanted where one choice fulfils one alternative.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import operator
from collections.abc import Iterator
from typing import Any, TypeGuard, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_local.sns.filter_policy import Filterable, FilterPolicy, compile_filter_policy, compile_pattern
from treadle_local.sqs.message import MessageAttribute

Path = tuple[str, ...]
NOTHING = object()
COMPARISONS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

Rules = list[Any]
Policy = dict[str, Any]
KEYS = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "a", "ab", "abc", "b", "AB", "10.0.0.1", "10.0.1.1", "5"])
NUMBERS: st.SearchStrategy[float] = st.sampled_from([-1, 0, 1, 1.5, 2, 5, 100])
SCALARS: st.SearchStrategy[Any] = st.one_of(TEXTS, NUMBERS, st.sampled_from([True, False, None]))
UNWANTED: st.SearchStrategy[Any] = st.one_of(
    st.lists(st.one_of(TEXTS, NUMBERS), min_size=1, max_size=2), st.fixed_dictionaries({"prefix": TEXTS})
)
RULES: st.SearchStrategy[Any] = st.one_of(
    SCALARS,
    st.fixed_dictionaries({"prefix": TEXTS}),
    st.fixed_dictionaries({"suffix": TEXTS}),
    st.fixed_dictionaries({"equals-ignore-case": TEXTS}),
    st.fixed_dictionaries({"anything-but": UNWANTED}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"numeric": st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), NUMBERS).map(list)}),
    st.sampled_from([{"numeric": [">", 0, "<=", 2]}, {"numeric": [">=", -1, "<", 5]}, {"cidr": "10.0.0.0/24"}]),
)
LEAVES: st.SearchStrategy[Any] = st.lists(RULES, min_size=1, max_size=2)
FLAT: st.SearchStrategy[Policy] = st.dictionaries(KEYS, LEAVES, min_size=1, max_size=2)


@st.composite
def with_or(draw: st.DrawFn, inner: st.SearchStrategy[Policy]) -> Policy:
    policy = draw(inner)
    return {**policy, "$or": [draw(inner), draw(inner)]} if draw(st.booleans()) else policy


POLICIES_OVER_ATTRIBUTES: st.SearchStrategy[Policy] = with_or(FLAT)
POLICIES_OVER_BODIES: st.SearchStrategy[Policy] = with_or(
    st.dictionaries(KEYS, st.one_of(LEAVES, with_or(FLAT)), min_size=1, max_size=2)
)
BODIES: st.SearchStrategy[Policy] = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEYS, inner, max_size=2)),
        max_leaves=4,
    ),
    max_size=3,
)


def alternatives(policy: Policy, path: Path = ()) -> Iterator[list[tuple[Path, Rules]]]:
    """The policy without `$or`: all that must hold together, once for each way to choose."""
    parts: list[list[list[tuple[Path, Rules]]]] = []
    for key, value in policy.items():
        if key == "$or":
            parts.append([chosen for one in value for chosen in alternatives(one, path)])
        elif isinstance(value, dict):
            parts.append(list(alternatives(cast("Policy", value), (*path, key))))
        else:
            parts.append([[((*path, key), value)]])
    for chosen in itertools.product(*parts):
        yield [condition for conditions in chosen for condition in conditions]


def choices(value: object) -> Iterator[Any]:
    """The value with one element in the place of every array; an empty array is NOTHING."""
    if isinstance(value, list):
        elements = cast("list[object]", value)
        if not elements:
            yield NOTHING
        for element in elements:
            yield from choices(element)
    elif isinstance(value, dict):
        members = cast("Policy", value)
        for chosen in itertools.product(*(list(choices(member)) for member in members.values())):
            yield dict(zip(members, chosen, strict=True))
    else:
        yield value


def at(document: object, path: Path) -> tuple[bool, object]:
    """Whether there is something at the path, and what."""
    for key in path:
        if not isinstance(document, dict) or key not in cast("Policy", document):
            return False, None
        document = cast("Policy", document)[key]
    return True, document


def number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: object, other: object) -> bool:
    return (type(one) is type(other) and one == other) or (number(one) and number(other) and one == other)


def is_object(value: object) -> bool:
    return isinstance(value, dict)


def fulfilled(rule: Any, present: bool, value: object) -> bool:
    there = present and not is_object(value)
    if not isinstance(rule, dict):
        return there and value is not NOTHING and same(rule, value)
    ((word, operand),) = cast("Policy", rule).items()
    if word == "exists":
        return (there and value not in (None, "", NOTHING)) if operand else not there
    if not there or value is NOTHING:
        return False
    if word == "anything-but":
        if isinstance(operand, dict):
            return not fulfilled(operand, True, value)
        return not any(same(unwanted, value) for unwanted in operand)
    if word == "numeric":
        pairs = zip(operand[::2], operand[1::2], strict=True)
        return number(value) and all(COMPARISONS[comparison](value, bound) for comparison, bound in pairs)
    return isinstance(value, str) and text_fits(word, operand, value)


def text_fits(word: str, operand: str, value: str) -> bool:
    match word:
        case "prefix":
            return value[: len(operand)] == operand
        case "suffix":
            return value[::-1][: len(operand)] == operand[::-1]
        case "equals-ignore-case":
            return value.casefold() == operand.casefold()
        case _:
            return value.startswith("10.") and ipaddress.ip_address(value) in ipaddress.ip_network(operand)


def wanted(policy: Policy, document: Policy, *, empty: bool, absent_is_null: bool) -> bool:
    """`empty` is whether the message has nothing at all to look at."""

    def holds(rules: Rules, present: bool, value: object) -> bool:
        possible = [rule for rule in rules if not (empty and rule == {"exists": False})]
        return any(
            fulfilled(rule, present, value) or (absent_is_null and rule is None and not present) for rule in possible
        )

    return any(
        all(holds(rules, *at(choice, path)) for path, rules in alternative)
        for alternative in alternatives(policy)
        for choice in choices(document)
    )


@settings(max_examples=250)
@given(POLICIES_OVER_BODIES, BODIES)
def test_bodies_are_judged_as_the_plain_evaluator_judges_them(policy: Policy, body: Policy) -> None:
    judged = FilterPolicy("MessageBody", compile_pattern(policy, "body"), wants_nothing=False)
    expected = wanted(policy, body, empty=not body, absent_is_null=False)
    assert judged.wants(Filterable(json.dumps(body), {})) is expected


@st.composite
def attribute(draw: st.DrawFn) -> tuple[MessageAttribute, Any]:
    """A message attribute, and what filters see of it."""
    kind = draw(st.sampled_from(["String", "Number", "String.Array", "Binary"]))
    match kind:
        case "String":
            text = draw(TEXTS.filter(bool))
            return MessageAttribute(kind, text), text
        case "Number":
            value = draw(NUMBERS)
            return MessageAttribute(kind, repr(value)), value
        case "String.Array":
            several = draw(st.lists(SCALARS, max_size=3))
            return MessageAttribute(kind, json.dumps(several)), several
        case _:
            return MessageAttribute(kind, b"a"), NOTHING


@settings(max_examples=250)
@given(POLICIES_OVER_ATTRIBUTES, st.dictionaries(KEYS, attribute(), max_size=3))
def test_attributes_are_judged_as_the_plain_evaluator_judges_them(
    policy: Policy, attributes: dict[str, tuple[MessageAttribute, Any]]
) -> None:
    compiled = compile_filter_policy(json.dumps(policy), "MessageAttributes")
    assert compiled is not None
    message = Filterable("", {name: written for name, (written, _) in attributes.items()})
    seen = {name: value for name, (_, value) in attributes.items() if value is not NOTHING}
    assert compiled.wants(message) is wanted(policy, seen, empty=not attributes, absent_is_null=True)

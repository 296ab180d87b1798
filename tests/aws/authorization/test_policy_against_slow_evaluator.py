"""Decisions against a slow evaluator, written from the documentation's words, as the judge of the compiled one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.policies import ALLOWED, EXPLICITLY_DENIED, IMPLICITLY_DENIED, document
from treadle_local.aws.authorization.policy import Decision, PolicySet
from treadle_local.aws.service import Target


def slowly_matches(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(slowly_matches(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in {"?", text[0]} and slowly_matches(pattern[1:], text[1:])


def slowly_matches_resource(pattern: str, resource: str) -> bool:
    return pattern == "*" or _matches_from(pattern + ":*" * (5 - pattern.count(":")), resource, 0)


def _matches_from(pattern: str, resource: str, segment: int) -> bool:
    """Character by character; only a wildcard that ends its segment, or is in the sixth, takes a colon."""
    if not pattern or not resource:
        return pattern.strip("*") == resource == ""
    head, rest = pattern[0], pattern[1:]
    last = segment == 5
    if head == "*":
        takes = last or rest.startswith(":") or resource[0] != ":"
        return _matches_from(rest, resource, segment) or (takes and _matches_from(pattern, resource[1:], segment))
    fits = (last or resource[0] != ":") if head == "?" else head == resource[0]
    return fits and _matches_from(rest, resource[1:], segment + (head == ":" and not last))


def slowly_decide(
    documents: Sequence[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, Sequence[str]]
) -> Decision:
    applying = [
        statement["Effect"]
        for policy in documents
        for statement in policy["Statement"]
        if slowly_applies(statement, action, resource, context)
    ]
    if "Deny" in applying:
        return EXPLICITLY_DENIED
    return ALLOWED if applying else IMPLICITLY_DENIED


def slowly_applies(
    statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, Sequence[str]]
) -> bool:
    actions_named = statement.get("Action", statement.get("NotAction"))
    if any(slowly_matches(pattern.lower(), action.lower()) for pattern in actions_named) != ("Action" in statement):
        return False
    resources_named = statement.get("Resource", statement.get("NotResource"))
    matched = any(slowly_matches_resource(pattern, resource) for pattern in resources_named)
    if matched != ("Resource" in statement):
        return False
    return all(
        slowly_holds(operator, values, context.get(key))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def slowly_holds(operator: str, wanted: Sequence[str], values: Sequence[str] | None) -> bool:
    quantifier, _, name = operator.rpartition(":")
    base = name.removesuffix("IfExists")
    negated = "Not" in base

    def meets(value: str) -> bool:
        same = [slowly_matches(each, value) if "Like" in base else each == value for each in wanted]
        return any(same) != negated

    if quantifier == "ForAllValues":
        return all(meets(value) for value in values or [])
    if quantifier == "ForAnyValue":
        if not values:
            return name.endswith("IfExists")
        return any(meets(value) for value in values or [])
    if not values:
        return negated or base != name
    return all(map(meets, values)) if negated else any(map(meets, values))


_action_names = st.sampled_from(["s3:Get", "s3:Put", "sqs:Get", "S3:get"])
_action_patterns = st.sampled_from(["*", "*:*", "s3:*", "s3:Get", "S3:g?t", "s3:P*t", "sqs:Get"])
_resource_names = st.sampled_from(
    ["arn:aws:s3:::b/ab", "arn:aws:s3:::b", "arn:aws:s3:r:a:x:y", "arn:aws:sqs:r:a:q", "arn:aws:sqs:r:ab:x:y"]
)
_resource_patterns = st.one_of(
    st.just("*"),
    _resource_names,
    st.lists(st.sampled_from(["s3", "sqs", "r", "a", "*", "x", "q", "a*", "?", "", "b/*", "*b"]), max_size=6).map(
        lambda segments: ":".join(["arn:aws", *segments])
    ),
)
_texts = st.sampled_from(["a", "b", "ab", "ba"])
_operators = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]),
    st.sampled_from(["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"]),
    st.sampled_from(["", "IfExists"]),
)
_blocks = st.dictionaries(
    _operators,
    st.dictionaries(
        st.sampled_from(["k:1", "k:2"]), st.lists(_texts | st.sampled_from(["a*", "?"]), min_size=1), max_size=2
    ),
    max_size=2,
)


@st.composite
def _statements(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "NotAction"])): draw(st.lists(_action_patterns, min_size=1, max_size=3)),
        draw(st.sampled_from(["Resource", "NotResource"])): draw(st.lists(_resource_patterns, min_size=1, max_size=3)),
        "Condition": draw(_blocks),
    }


@settings(max_examples=400)
@given(
    st.lists(st.lists(_statements(), max_size=3).map(lambda listed: document(*listed)), max_size=2),
    _action_names,
    _resource_names,
    st.dictionaries(st.sampled_from(["k:1", "k:2"]), st.lists(_texts, max_size=3)),
)
def test_decisions_are_those_of_a_slow_evaluator(
    documents: list[dict[str, Any]], action: str, resource: str, context: dict[str, list[str]]
) -> None:
    policies = PolicySet.compile(documents)
    target = Target(action, resource, context)
    expected = slowly_decide(documents, action, resource, context)
    assert policies.decide(target, {}) is expected
    assert policies.decide(target, {}) is expected  # and from memory

"""How large and how complex a filter policy may be.

Source: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from treadle_local.sns.errors import invalid
from treadle_local.sns.filter_rules import RESERVED_WORDS

KEYS_LIMIT = 5
COMBINATIONS_LIMIT = 150
POLICY_LIMIT_BYTES = 262_144


def check_limits(policy: Mapping[str, object], size_bytes: int) -> None:
    """Raises `InvalidParameter` for more than five keys (of nested ones, only the outermost count), more than 150
    combinations, or more than 256 KB."""
    if size_bytes > POLICY_LIMIT_BYTES:
        raise invalid("FilterPolicy: Filter policy must not be larger than 256 KB")
    if len(_keys(policy)) > KEYS_LIMIT:
        raise invalid("FilterPolicy: Filter policy can not have more than 5 keys")
    if _combinations(policy, 1) > COMBINATIONS_LIMIT:
        raise invalid("FilterPolicy: Filter policy is too complex")


def alternatives(value: object) -> Sequence[Mapping[str, object]]:
    """The objects of a `$or`; empty where AWS reads `$or` as the name of a plain property.

    Source: https://docs.aws.amazon.com/sns/latest/dg/and-or-logic.html
    """
    elements = cast("list[object]", value) if isinstance(value, list) else []
    objects = [cast("dict[str, object]", element) for element in elements if isinstance(element, dict)]
    if len(objects) < 2 or len(objects) != len(elements):
        return ()
    return () if any(key in RESERVED_WORDS for element in objects for key in element) else objects


def _keys(policy: Mapping[str, object]) -> set[str]:
    keys: set[str] = set()
    for key, value in policy.items():
        several = alternatives(value) if key == "$or" else ()
        keys.update(*(_keys(alternative) for alternative in several)) if several else keys.add(key)
    return keys


def _combinations(policy: Mapping[str, object], level: int) -> int:
    """The product over all keys of the number of their values, each times its depth; a `$or` is the sum of its own."""
    total = 1
    for key, value in policy.items():
        if key == "$or" and (several := alternatives(value)):
            total *= sum(_combinations(alternative, level) for alternative in several)
        elif isinstance(value, dict):
            total *= _combinations(cast("dict[str, object]", value), level + 1)
        elif isinstance(value, list):
            total *= len(cast("list[object]", value)) * level
    return total

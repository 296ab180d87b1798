"""Conditions of policies, operator by operator."""

from __future__ import annotations

from typing import Any

import pytest

from support.aws import ACCOUNT
from support.policies import ALLOWED, IMPLICITLY_DENIED, TOPIC, Values, allow, decide

# Conditions: operator, the policy's values, the request's values, whether they meet

_CONDITIONS: list[tuple[str, Any, Values | None, bool]] = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", ["a", "b"], "b", True),
    ("StringEquals", "a*", "ab", False),
    ("StringEquals", "a", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringEqualsIfExists", "a", "b", False),
    ("StringNotEquals", ["a", "b"], "c", True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", "a", None, True),
    ("StringEqualsIgnoreCase", "Ab", "aB", True),
    ("StringNotEqualsIgnoreCase", "Ab", "aB", False),
    ("StringNotEqualsIgnoreCase", "Ab", "c", True),
    ("StringLike", "a*c?", "abbcd", True),
    ("StringLike", "a*c?", "abbc", False),
    ("StringLike", "a${*}", "a*", True),
    ("StringLike", "a${*}", "ab", False),
    ("StringNotLike", "a*", "b", True),
    ("StringNotLike", "a*", "ab", False),
    ("NumericEquals", "10", "10.0", True),
    ("NumericEquals", 10, "10", True),
    ("NumericEquals", "10", "ten", False),
    ("NumericNotEquals", "10", "11", True),
    ("NumericLessThan", "10", "9.5", True),
    ("NumericLessThan", "10", "10", False),
    ("NumericLessThanEquals", "10", "10", True),
    ("NumericGreaterThan", "10", "10", False),
    ("NumericGreaterThan", ["100", "10"], "11", True),
    ("NumericGreaterThanEquals", "10", "10", True),
    ("NumericGreaterThanEquals", "10", "-3", False),
    ("DateEquals", "2026-01-01T00:00:00Z", "1767225600", True),
    ("DateEquals", "2026-01-01", "2026-01-01T01:00:00+01:00", True),
    ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", True),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
    ("DateLessThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
    ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", False),
    ("DateGreaterThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
    ("DateGreaterThan", "2026-01-01T00:00:00Z", "tomorrow", False),
    ("Bool", "true", "true", True),
    ("Bool", True, "True", True),
    ("Bool", "false", "true", False),
    ("Bool", "true", None, False),
    ("BoolIfExists", "true", None, True),
    ("BinaryEquals", "AQI=", "AQI=", True),
    ("BinaryEquals", "AQI=", "AQM=", False),
    ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
    ("IpAddress", "203.0.113.7", "203.0.113.9", False),
    ("IpAddress", ["203.0.113.0/24", "2001:db8::/32"], "2001:db8::1", True),
    ("NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
    ("NotIpAddress", "203.0.113.0/24", "203.0.113.9", False),
    ("ArnEquals", TOPIC, TOPIC, True),
    ("ArnEquals", f"arn:aws:sns:*:{ACCOUNT}:ord*", TOPIC, True),
    ("ArnLike", "arn:aws:sns:*:*:orders", TOPIC, True),
    ("ArnLike", "arn:aws:sns:*:orders", TOPIC, False),
    ("ArnLike", "arn:aws:sns*", TOPIC, False),
    ("ArnNotEquals", TOPIC, TOPIC, False),
    ("ArnNotLike", "arn:aws:sqs:*:*:*", TOPIC, True),
    ("Null", "true", None, True),
    ("Null", True, "x", False),
    ("Null", "false", "x", True),
    ("Null", "false", None, False),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    ("ForAllValues:StringEquals", "a", None, True),
    ("ForAllValues:StringEquals", "a", [], True),
    ("ForAllValues:StringNotEquals", ["a"], ["b", "c"], True),
    ("ForAllValues:StringNotEquals", ["a"], ["b", "a"], False),
    ("ForAllValues:StringLike", "user-*", ["user-1", "user-2"], True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"], True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["c", "d"], False),
    ("ForAnyValue:StringEquals", "a", None, False),
    ("ForAnyValue:StringEquals", "a", [], False),
    ("ForAnyValue:StringNotEquals", "a", ["a", "b"], True),
    ("ForAnyValue:StringNotEquals", "a", ["a", "a"], False),
    ("StringEquals", "a", ["b", "a"], True),
    ("StringNotEquals", "a", ["b", "a"], False),
]


@pytest.mark.parametrize(("operator", "wanted", "given_values", "meets"), _CONDITIONS)
def test_a_condition_operator_compares(operator: str, wanted: Any, given_values: Values | None, *, meets: bool) -> None:
    context = {} if given_values is None else {"AWS:Key": given_values}
    statement = allow("*", Condition={operator: {"aws:key": wanted}})
    assert decide([statement], context=context) is (ALLOWED if meets else IMPLICITLY_DENIED)


def test_all_keys_and_operators_of_a_condition_must_hold() -> None:
    condition = {"StringEquals": {"a:x": "1", "a:y": "2"}, "Bool": {"a:z": "true"}}
    complete = {"a:x": "1", "a:y": "2", "a:z": "true"}
    assert decide([allow("*", Condition=condition)], context=complete) is ALLOWED
    for missing in complete:
        context = {key: value for key, value in complete.items() if key != missing}
        assert decide([allow("*", Condition=condition)], context=context) is IMPLICITLY_DENIED

"""Policy decisions: by IAM's rules one by one, against a slow evaluator, and in boto3 with a role's credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from support.dev import Dev
from treadle_local.aws.authorization.policy import Decision, PolicySet, resource_policy_allows
from treadle_local.aws.errors import AwsError, access_denied
from treadle_local.aws.service import Target

ALLOWED, IMPLICITLY_DENIED, EXPLICITLY_DENIED = Decision
ACCOUNT = "000000000000"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:orders"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/step/run"

Values = str | Sequence[str]


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decide(
    statements: Sequence[Mapping[str, Any]],
    action: str = "dynamodb:GetItem",
    resource: str = TABLE,
    context: Mapping[str, Values] | None = None,
) -> Decision:
    return PolicySet.compile([document(*statements)]).decide(Target(action, resource), context or {})


# Statements


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], IMPLICITLY_DENIED),
        ([allow("dynamodb:GetItem", TABLE)], ALLOWED),
        ([allow("dynamodb:getitem", TABLE)], ALLOWED),
        ([allow("DynamoDB:GET*", TABLE)], ALLOWED),
        ([allow("dynamodb:Get?tem", TABLE)], ALLOWED),
        ([allow("dynamodb:Get?Item", TABLE)], IMPLICITLY_DENIED),
        ([allow("*")], ALLOWED),
        ([allow("*:*")], ALLOWED),
        ([allow("dynamodb:PutItem", TABLE)], IMPLICITLY_DENIED),
        ([allow(["dynamodb:PutItem", "dynamodb:GetItem"], ["arn:aws:s3:::b", TABLE])], ALLOWED),
        ([allow("dynamodb:GetItem", TABLE), deny("dynamodb:*")], EXPLICITLY_DENIED),
        ([deny("dynamodb:*", TABLE + "-archive"), allow("dynamodb:*")], ALLOWED),
        ([deny("dynamodb:GetItem")], EXPLICITLY_DENIED),
        ([{"Effect": "Allow", "NotAction": "dynamodb:Put*", "Resource": "*"}], ALLOWED),
        ([{"Effect": "Allow", "NotAction": ["iam:*", "dynamodb:get*"], "Resource": "*"}], IMPLICITLY_DENIED),
        ([{"Effect": "Allow", "Action": "*", "NotResource": TABLE}], IMPLICITLY_DENIED),
        ([{"Effect": "Allow", "Action": "*", "NotResource": TABLE + "/*"}], ALLOWED),
        ([{"Effect": "Deny", "Action": "*", "NotResource": TABLE}, allow("*")], ALLOWED),
    ],
)
def test_statements_decide_together(statements: list[dict[str, Any]], expected: Decision) -> None:
    assert decide(statements) is expected


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        (TABLE, TABLE, True),
        (TABLE, TABLE + "/index/i", False),
        (TABLE, TABLE.replace("orders", "Orders"), False),
        (TABLE + "/*", TABLE + "/index/i", True),
        (TABLE + "/*", TABLE, False),
        (TABLE + "*", TABLE, True),
        (f"arn:aws:dynamodb:*:{ACCOUNT}:table/orders", TABLE, True),
        (f"arn:aws:dynamodb:us-*-1:{ACCOUNT}:table/o?ders", TABLE, True),
        (f"arn:aws:dynamodb:us*t-1:{ACCOUNT}:table/orders", "arn:aws:dynamodb:us:east-1:table/orders", False),
        ("arn:aws:dynamodb", TABLE, True),
        ("arn:aws:dynamodb:*", TABLE, True),
        ("arn:aws:sqs", TABLE, False),
        ("arn:aws:s3:::bucket/*/report", "arn:aws:s3:::bucket/2026/01/report", True),
        ("arn:aws:s3:::bucket/*/report", "arn:aws:s3:::bucket/report", False),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a\nb", True),
        ("arn:aws:s3:::bucket/a.c", "arn:aws:s3:::bucket/abc", False),
        ("arn:aws:s3:::bucket/${*}", "arn:aws:s3:::bucket/*", True),
        ("arn:aws:s3:::bucket/${*}", "arn:aws:s3:::bucket/x", False),
        ("arn:aws:s3:::bucket/${$}*", "arn:aws:s3:::bucket/$x", True),
        (f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:g:*", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:g:s:x", True),
        (f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:g", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:g:s:x", False),
    ],
)
def test_resources_match_by_segments_and_case(pattern: str, resource: str, *, matches: bool) -> None:
    expected = ALLOWED if matches else IMPLICITLY_DENIED
    assert decide([allow("*", pattern)], resource=resource) is expected


def test_a_pattern_of_many_wildcards_is_decided_at_once() -> None:
    pattern = "arn:aws:s3:::" + "*a" * 40
    assert decide([allow("*", pattern)], resource="arn:aws:s3:::" + "a" * 5000 + "b") is IMPLICITLY_DENIED


def test_all_documents_of_a_role_count() -> None:
    policies = PolicySet.compile([document(allow("*")), document(deny("dynamodb:*", TABLE))])
    assert policies.decide(Target("dynamodb:GetItem", TABLE), {}) is EXPLICITLY_DENIED
    assert policies.decide(Target("sqs:SendMessage", QUEUE), {}) is ALLOWED


def test_a_statement_need_not_stand_in_a_list() -> None:
    policies = PolicySet.compile([{"Version": "2012-10-17", "Statement": allow("*")}])
    assert policies.decide(Target("dynamodb:GetItem", TABLE), {}) is ALLOWED


def test_conditions_are_asked_anew_for_every_call() -> None:
    policies = PolicySet.compile([document(allow("*", Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}}))])
    decisions = [
        policies.decide(Target("dynamodb:GetItem", TABLE), {"aws:PrincipalTag/team": team}) for team in ("a", "b", "a")
    ]
    assert decisions == [ALLOWED, IMPLICITLY_DENIED, ALLOWED]


def test_the_target_and_the_request_both_bring_context() -> None:
    condition = {"StringEquals": {"DYNAMODB:leadingkeys": "g", "aws:principalarn": SESSION}}
    policies = PolicySet.compile([document(allow("*", Condition=condition))])
    target = Target("dynamodb:GetItem", TABLE, {"dynamodb:LeadingKeys": ["g"]})
    assert policies.decide(target, {"aws:PrincipalArn": SESSION}) is ALLOWED
    assert policies.decide(target, {}) is IMPLICITLY_DENIED


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


# Documents that IAM does not take


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({}, "Syntax errors in policy."),
        ({"Statement": "x"}, "Syntax errors in policy."),
        ({"Version": "2020-01-01", "Statement": []}, "Policy document must be version 2012-10-17 or greater."),
        ({"Statement": [], "Statements": []}, "Syntax errors in policy. Unknown element Statements."),
        (document({**allow("*"), "Effect": "Maybe"}), "Syntax errors in policy."),
        (document({**allow("*"), "Effects": "Allow"}), "Syntax errors in policy. Unknown element Effects."),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (document(allow([])), "Policy statement must contain actions."),
        (document({"Effect": "Allow", "Action": "*"}), "Policy statement must contain resources."),
        (document(allow("*", NotAction="a:b")), "Syntax errors in policy."),
        (document(allow("*", NotResource="*")), "Syntax errors in policy."),
        (document({**allow("*"), "Action": 5}), "Syntax errors in policy."),
        (document(allow("GetItem")), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (document(allow("*", "orders")), 'Resource orders must be in ARN format or "*".'),
        (document(allow("*", Principal="*")), "Policy document should not specify a principal."),
        (document(allow("*", Sid="A"), allow("*", Sid="A")), "Statement IDs (SID) in a single policy must be unique."),
        (document(allow("*", Condition={"StringIs": {"a:b": "c"}})), "Invalid Condition type : StringIs."),
        (document(allow("*", Condition={"ForSome:Bool": {"a:b": "c"}})), "Invalid Condition type : ForSome:Bool."),
        (document(allow("*", Condition={"NullIfExists": {"a:b": "true"}})), "Invalid Condition type : NullIfExists."),
        (document(allow("*", Condition=[])), "Syntax errors in policy."),
        (document(allow("*", Condition={"Bool": {"a:b": []}})), "Syntax errors in policy."),
        (
            document(allow("*", Condition={"NumericEquals": {"a:b": "many"}})),
            "The condition NumericEquals on a:b has a value that it cannot compare",
        ),
        (
            document(allow("*", Condition={"Null": {"a:b": "perhaps"}})),
            "The condition Null on a:b has a value that it cannot compare",
        ),
        (
            document(allow("*", "arn:aws:s3:::b/${aws:username}/*")),
            "The policy variable ${aws:username} is not in Treadle's emulator yet.",
        ),
        (
            document(allow("*", Condition={"StringLike": {"a:b": "${aws:userid}"}})),
            "The policy variable ${aws:userid} is not in Treadle's emulator yet.",
        ),
    ],
)
def test_a_malformed_document_is_refused(policy: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as refused:
        PolicySet.compile([policy])
    assert refused.value.code == "MalformedPolicyDocument"
    assert refused.value.message.startswith(message)


# A slow evaluator, written from the documentation's words, as the judge of the compiled one


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


@settings(max_examples=400, deadline=None)
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


# Policies of resources


def queue_policy(**more: Any) -> dict[str, Any]:
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": QUEUE,
            "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
            **more,
        }
    )


def admits(
    policy: Mapping[str, Any],
    *,
    service: str | None = None,
    arn: str | None = None,
    action: str = "sqs:SendMessage",
    resource: str = QUEUE,
    source: str = TOPIC,
) -> bool:
    context = {"aws:SourceArn": source}
    return resource_policy_allows(
        policy, action, resource, principal_service=service, principal_arn=arn, context=context
    )


def test_a_queue_policy_lets_its_topic_in_and_nobody_else() -> None:
    policy = queue_policy()
    assert admits(policy, service="sns.amazonaws.com")
    assert not admits(policy, service="sns.amazonaws.com", source=TOPIC + "-other")
    assert not admits(policy, service="events.amazonaws.com")
    assert not admits(policy, service="sns.amazonaws.com", action="sqs:ReceiveMessage")
    assert not admits(policy, service="sns.amazonaws.com", resource=QUEUE + "-other")
    assert not admits(policy, arn=SESSION)
    assert not admits({"Statement": []}, service="sns.amazonaws.com")


def test_a_queue_policy_denies_before_it_allows() -> None:
    policy = queue_policy()
    policy["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": QUEUE})
    assert not admits(policy, service="sns.amazonaws.com")


@pytest.mark.parametrize(
    ("principals", "arn", "expected"),
    [
        ("*", SESSION, True),
        ("*", None, True),
        ({"AWS": "*"}, None, True),
        ({"AWS": SESSION}, SESSION, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/step"}, SESSION, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/some/path/step"}, SESSION, True),
        ({"AWS": [f"arn:aws:iam::{ACCOUNT}:role/other", f"arn:aws:iam::{ACCOUNT}:role/step"]}, SESSION, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, SESSION, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, SESSION, True),
        ({"AWS": ACCOUNT}, f"arn:aws:iam::{ACCOUNT}:root", True),
        ({"AWS": "111111111111"}, SESSION, False),
        ({"Service": ["sns.amazonaws.com"]}, SESSION, False),
        ({"Federated": "cognito-identity.amazonaws.com"}, SESSION, False),
    ],
)
def test_principals_are_known_by_account_role_and_session(principals: Any, arn: str | None, *, expected: bool) -> None:
    assert admits(queue_policy(Principal=principals), arn=arn) is expected


def test_all_but_some_principals_can_be_denied() -> None:
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": SESSION}, "Action": "*", "Resource": "*"}
    policy = document({**statement, "Sid": "others"}, {"Effect": "Allow", "Principal": "*", **allow("*")})
    assert admits(policy, arn=SESSION)
    assert not admits(policy, arn=SESSION + "2")


def test_a_trust_policy_has_no_resource() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = f"arn:aws:iam::{ACCOUNT}:role/step"
    assert admits(document(trust), service="lambda.amazonaws.com", action="sts:AssumeRole", resource=role)
    assert not admits(document(trust), service="apigateway.amazonaws.com", action="sts:AssumeRole", resource=role)


@pytest.mark.parametrize(
    "principals",
    [None, {}, [], {"Who": "x"}, {"AWS": 5}, {"AWS": "step"}, {"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"}],
)
def test_a_malformed_principal_is_refused(principals: Any) -> None:
    with pytest.raises(AwsError, match="MalformedPolicyDocument"):
        admits(queue_policy(Principal=principals), arn=SESSION)


def test_a_resource_policy_without_principals_is_refused() -> None:
    with pytest.raises(AwsError, match="Missing required field Principal"):
        admits(document(allow("sqs:*")), arn=SESSION)


def test_refusals_are_in_the_words_of_aws() -> None:
    implicit = access_denied(SESSION, "dynamodb:PutItem", TABLE)
    assert implicit.message == (
        f"User: {SESSION} is not authorized to perform: dynamodb:PutItem on resource: {TABLE} "
        "because no identity-based policy allows the dynamodb:PutItem action"
    )
    assert access_denied(SESSION, "dynamodb:PutItem", TABLE, explicitly=True).message == (
        f"User: {SESSION} is not authorized to perform: dynamodb:PutItem on resource: {TABLE} "
        "with an explicit deny in an identity-based policy"
    )


# In the running emulator, through boto3


def credentials_of(emulator: Dev, role: str, statements: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Credentials of a new role that has one policy, as boto3's arguments."""
    iam, sts = emulator.client("iam"), emulator.client("sts")
    trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(document(*statements)))
    issued = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["SessionToken"],
    }


def refused(call: Callable[..., object], **params: Any) -> tuple[str, str]:
    """The code and the message by which a call is refused."""
    with pytest.raises(ClientError) as raised:
        call(**params)
    error: dict[str, str] = dict(raised.value.response.get("Error", {}))  # type: ignore[arg-type]
    return error["Code"], error["Message"]


_REFUSED_CALLS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "1"}}}, "AccessDeniedException", "dynamodb:GetItem"),
    ("dynamodb", "describe_table", {"TableName": "t"}, "AccessDeniedException", "dynamodb:DescribeTable"),
    ("sqs", "list_queues", {}, "AccessDenied", "sqs:ListQueues"),
    ("sns", "publish", {"TopicArn": TOPIC, "Message": "m"}, "AuthorizationError", "sns:Publish"),
    ("s3", "get_object", {"Bucket": "bucket", "Key": "k"}, "AccessDenied", "s3:GetObject"),
    ("s3", "list_objects_v2", {"Bucket": "bucket"}, "AccessDenied", "s3:ListBucket"),
    ("lambda", "invoke", {"FunctionName": "f"}, "AccessDeniedException", "lambda:InvokeFunction"),
    ("iam", "list_roles", {}, "AccessDenied", "iam:ListRoles"),
    ("cloudformation", "list_stacks", {}, "AccessDenied", "cloudformation:ListStacks"),
    ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "AccessDenied", "cloudwatch:PutMetricData"),
    ("logs", "describe_log_groups", {}, "AccessDeniedException", "logs:DescribeLogGroups"),
    ("events", "list_rules", {}, "AccessDeniedException", "events:ListRules"),
    ("scheduler", "list_schedules", {}, "AccessDeniedException", "scheduler:ListSchedules"),
    ("ssm", "get_parameter", {"Name": "/a"}, "AccessDeniedException", "ssm:GetParameter"),
    ("secretsmanager", "get_secret_value", {"SecretId": "s"}, "AccessDeniedException", "secretsmanager:GetSecretValue"),
    ("kms", "list_keys", {}, "AccessDeniedException", "kms:ListKeys"),
    ("apigatewayv2", "get_apis", {}, "AccessDeniedException", "apigateway:GET"),
]


def test_a_role_without_permissions_is_refused_everywhere_in_each_protocol(emulator: Dev) -> None:
    credentials = credentials_of(emulator, "powerless", [deny("*", "arn:aws:none:::nothing")])
    seen: list[tuple[str, str, str]] = []
    for service, method, params, _, _ in _REFUSED_CALLS:
        code, message = refused(getattr(emulator.client(service, credentials), method), **params)
        words = re.match(r"User: \S+/powerless/test is not authorized to perform: (\S+) on resource: ", message)
        seen.append((service, code, words[1] if words else message))
    assert seen == [(service, code, action) for service, _, _, code, action in _REFUSED_CALLS]


def test_a_role_may_do_what_its_policy_says_until_that_is_changed(emulator: Dev) -> None:
    emulator.client("s3").create_bucket(Bucket="of-the-role")
    mine = allow("s3:*Object", "arn:aws:s3:::of-the-role/mine/*")
    credentials = credentials_of(emulator, "writer", [mine])
    s3 = emulator.client("s3", credentials)
    s3.put_object(Bucket="of-the-role", Key="mine/a b", Body=b"hello")
    assert s3.get_object(Bucket="of-the-role", Key="mine/a b")["Body"].read() == b"hello"
    code, message = refused(s3.put_object, Bucket="of-the-role", Key="other", Body=b"hello")
    assert (code, message.split(" because ")[1]) == (
        "AccessDenied",
        "no identity-based policy allows the s3:PutObject action",
    )
    changed = json.dumps(document(mine, deny("s3:Get*")))
    emulator.client("iam").put_role_policy(RoleName="writer", PolicyName="p", PolicyDocument=changed)
    _, message = refused(s3.get_object, Bucket="of-the-role", Key="mine/a b")
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_a_role_may_always_ask_who_it_is(emulator: Dev) -> None:
    credentials = credentials_of(emulator, "anonymous", [deny("*")])
    answer = emulator.client("sts", credentials).get_caller_identity()
    assert answer["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/anonymous/test"

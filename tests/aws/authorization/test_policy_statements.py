"""Decisions on policies of roles, by IAM's rules one by one."""

from __future__ import annotations

from typing import Any

import pytest

from support.aws import ACCOUNT
from support.policies import (
    ALLOWED,
    EXPLICITLY_DENIED,
    IMPLICITLY_DENIED,
    QUEUE,
    SESSION,
    TABLE,
    allow,
    decide,
    deny,
    document,
)
from treadle_local.aws.authorization.policy import Decision, PolicySet
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Target


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
    ],
)
def test_a_malformed_document_is_refused(policy: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as refused:
        PolicySet.compile([policy])
    assert refused.value.code == "MalformedPolicyDocument"
    assert refused.value.message.startswith(message)

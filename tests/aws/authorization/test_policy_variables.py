"""Policy variables, filled in from the context of a call."""

from __future__ import annotations

from typing import Any

import pytest

from support.policies import ALLOWED, EXPLICITLY_DENIED, IMPLICITLY_DENIED, allow, decide, deny
from treadle_local.aws.authorization.policy import Decision, PolicySet
from treadle_local.aws.service import Target

_OBJECT = "arn:aws:s3:::b/ann/x"


@pytest.mark.parametrize(
    ("pattern", "context", "expected"),
    [
        ("arn:aws:s3:::b/${aws:username}/*", {"aws:username": "ann"}, ALLOWED),
        ("arn:aws:s3:::b/${AWS:UserName}/*", {"aws:username": "ann"}, ALLOWED),
        ("arn:aws:s3:::b/${aws:username}/*", {"aws:username": "bob"}, IMPLICITLY_DENIED),
        ("arn:aws:s3:::b/${aws:username}/*", {"aws:username": "*"}, IMPLICITLY_DENIED),
        ("arn:aws:s3:::b/${aws:username}/*", {}, IMPLICITLY_DENIED),
        ("arn:aws:s3:::b/${aws:username}/*", {"aws:username": ["ann", "bob"]}, IMPLICITLY_DENIED),
        ("arn:aws:s3:::b/${aws:username, 'ann'}/*", {}, ALLOWED),
        ("arn:aws:s3:::b/${aws:username, 'bob'}/*", {}, IMPLICITLY_DENIED),
        ("arn:aws:s3:::b/${aws:PrincipalTag/team}/${k:v}", {"aws:PrincipalTag/team": "ann", "k:v": "x"}, ALLOWED),
    ],
)
def test_variables_in_resources(pattern: str, context: dict[str, Any], expected: Decision) -> None:
    assert decide([allow("*", pattern)], resource=_OBJECT, context=context) is expected


def test_variables_in_what_a_statement_leaves_out() -> None:
    others = {**deny("*"), "NotResource": "arn:aws:s3:::b/${aws:username}/*"}
    del others["Resource"]
    for name, expected in (("ann", ALLOWED), ("bob", EXPLICITLY_DENIED)):
        context = {"aws:username": name}
        assert decide([allow("*"), others], resource=_OBJECT, context=context) is expected


@pytest.mark.parametrize(
    ("operator", "value", "context", "expected"),
    [
        ("StringEquals", "${aws:username}", {"aws:username": "ann"}, ALLOWED),
        ("StringEquals", "${aws:username}", {"aws:username": "bob"}, IMPLICITLY_DENIED),
        ("StringEquals", "${aws:username}", {}, IMPLICITLY_DENIED),
        ("StringLike", "${aws:username}*", {"aws:username": "a"}, ALLOWED),
        ("StringLike", "${aws:username}", {"aws:username": "a*"}, IMPLICITLY_DENIED),
        ("StringNotEquals", "${aws:username}", {"aws:username": "ann"}, IMPLICITLY_DENIED),
        ("ForAnyValue:StringEquals", ["x", "${aws:username}"], {"aws:username": "ann"}, ALLOWED),
    ],
)
def test_variables_in_conditions(operator: str, value: object, context: dict[str, str], expected: Decision) -> None:
    statement = allow("*", Condition={operator: {"k:name": value}})
    assert decide([statement], context={"k:name": "ann", **context}) is expected


def test_policies_of_the_older_version_have_no_variables() -> None:
    policies = PolicySet.compile([{"Version": "2008-10-17", "Statement": allow("*", "arn:aws:s3:::b/${aws:username}")}])
    context = {"aws:username": "ann"}
    assert policies.decide(Target("s3:GetObject", "arn:aws:s3:::b/ann"), context) is IMPLICITLY_DENIED
    assert policies.decide(Target("s3:GetObject", "arn:aws:s3:::b/${aws:username}"), context) is ALLOWED

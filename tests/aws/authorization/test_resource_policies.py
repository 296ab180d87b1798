"""Policies of resources, principals and the words of refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from support.aws import ACCOUNT
from support.policies import QUEUE, SESSION, TABLE, TOPIC, allow, document, topic_may_send, trust
from treadle_local.aws.authorization.policy import resource_policy_allows
from treadle_local.aws.errors import AwsError, access_denied


def queue_policy(**more: Any) -> dict[str, Any]:
    return document(topic_may_send(QUEUE, TOPIC, **more))


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
    role = f"arn:aws:iam::{ACCOUNT}:role/step"
    assert admits(trust("lambda.amazonaws.com"), service="lambda.amazonaws.com", action="sts:AssumeRole", resource=role)
    assert not admits(
        trust("lambda.amazonaws.com"), service="apigateway.amazonaws.com", action="sts:AssumeRole", resource=role
    )


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

"""Managed policies, the simulator and the account's details, in boto3 against the running emulator."""

from __future__ import annotations

import json

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.policies import QUEUE, allow, deny, document
from support.roles import new_role, session_of

_AWS = "arn:aws:iam::aws:policy"


def test_the_default_version_of_an_attached_policy_is_in_force(emulator: Dev) -> None:
    iam = emulator.client("iam")
    name, role = new_role(emulator)
    policy = iam.create_policy(PolicyName=unique("p"), PolicyDocument=json.dumps(document(allow("iam:ListRoles"))))
    arn = policy["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    theirs = emulator.client("iam", session_of(emulator, role))
    assert theirs.list_roles()["Roles"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document(deny("*"))))
    assert theirs.list_roles()["Roles"]
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert refusal(theirs.list_roles)[0] == "AccessDenied"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == document(deny("*"))
    assert [one["VersionId"] for one in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v2", "v1"]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"][0]["RoleName"] == name


def test_a_policy_is_deleted_when_nobody_has_it_and_one_version_is_left(emulator: Dev) -> None:
    iam = emulator.client("iam")
    name, _ = new_role(emulator)
    text = json.dumps(document(allow("s3:*")))
    arn = iam.create_policy(PolicyName=unique("p"), PolicyDocument=text)["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text)
    assert refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=text)[0] == "LimitExceeded"
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    assert refusal(iam.delete_policy, PolicyArn=arn) == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    )
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v1")[0] == "DeleteConflict"
    for number in range(2, 6):
        iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{number}")
    iam.delete_policy(PolicyArn=arn)
    assert refusal(iam.get_policy, PolicyArn=arn) == ("NoSuchEntity", f"Policy {arn} was not found.")


def test_a_role_has_ten_managed_policies(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    iam = emulator.client("iam")
    name, _ = new_role(emulator)
    text = json.dumps(document(allow("s3:*")))
    arns = [iam.create_policy(PolicyName=unique("p"), PolicyDocument=text)["Policy"]["Arn"] for _ in range(11)]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.attach_role_policy(RoleName=name, PolicyArn=arns[0])
    assert refusal(iam.attach_role_policy, RoleName=name, PolicyArn=arns[10]) == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerRole: 10",
    )
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == arns[:10]


@pytest.mark.parametrize("name", ["AWSLambdaBasicExecutionRole", "AWSLambdaSQSQueueExecutionRole"])
def test_the_policies_that_aws_manages_for_lambda_are_there_and_nobody_s_to_change(emulator: Dev, name: str) -> None:
    iam = emulator.client("iam")
    arn = f"{_AWS}/service-role/{name}"
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    document_of = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert "logs:PutLogEvents" in document_of["Document"]["Statement"][0]["Action"]
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "AccessDenied"
    missing = f"{_AWS}/service-role/NoSuchPolicy"
    role, _ = new_role(emulator)
    assert refusal(iam.attach_role_policy, RoleName=role, PolicyArn=missing) == (
        "NoSuchEntity",
        f"Policy {missing} does not exist or is not attachable.",
    )


def test_the_simulator_says_what_a_call_would_be_told(emulator: Dev) -> None:
    iam = emulator.client("iam")
    condition = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    _, arn = new_role(emulator, allow("sqs:*", QUEUE), deny("sqs:Purge*"), allow("sns:*", Condition=condition))
    results = iam.simulate_principal_policy(
        PolicySourceArn=arn,
        ActionNames=["sqs:SendMessage", "sqs:PurgeQueue", "s3:GetObject", "sns:Publish"],
        ResourceArns=[QUEUE],
    )["EvaluationResults"]
    decisions = {one["EvalActionName"]: one["EvalDecision"] for one in results}
    assert decisions == {
        "sqs:SendMessage": "allowed",
        "sqs:PurgeQueue": "explicitDeny",
        "s3:GetObject": "implicitDeny",
        "sns:Publish": "implicitDeny",
    }
    assert results[0]["MatchedStatements"][0]["SourcePolicyId"] == "p"
    assert results[3]["MissingContextValues"] == ["aws:principaltag/team"]
    custom = iam.simulate_custom_policy(
        PolicyInputList=[json.dumps(document(allow("sns:*", Condition=condition)))],
        PermissionsBoundaryPolicyInputList=[json.dumps(document(allow("sqs:*")))],
        ActionNames=["sns:Publish"],
        ContextEntries=[
            {"ContextKeyName": "aws:PrincipalTag/team", "ContextKeyValues": ["blue"], "ContextKeyType": "string"}
        ],
    )["EvaluationResults"][0]
    assert custom["EvalDecision"] == "implicitDeny"
    assert custom["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_the_account_s_details_have_roles_with_their_policies(emulator: Dev) -> None:
    iam = emulator.client("iam")
    name, _ = new_role(emulator, allow("s3:*"))
    details = list(iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"]))
    role = next(one for page in details for one in page["RoleDetailList"] if one["RoleName"] == name)
    assert role["RolePolicyList"] == [{"PolicyName": "p", "PolicyDocument": document(allow("s3:*"))}]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/{name}"
    assert iam.get_account_summary()["SummaryMap"]["AttachedPoliciesPerRoleQuota"] == 10

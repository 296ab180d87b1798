"""Roles and their inline policies, in boto3 against the running emulator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.judges import aws_cli_json
from support.policies import allow, document, trust
from support.roles import new_role

_TRUST = json.dumps(trust("lambda.amazonaws.com"))


def _padded(characters: int, **more: Any) -> str:
    """A policy of so many characters, besides white space."""
    statement = {**allow("s3:GetObject", "arn:aws:s3:::b/"), **more}
    bare = len(json.dumps(document(statement), separators=(",", ":")))
    statement["Resource"] = "arn:aws:s3:::b/" + "x" * (characters - bare)
    return json.dumps(document(statement), indent=4)


def test_a_role_is_made_read_changed_and_deleted(emulator: Dev) -> None:
    iam, name = emulator.client("iam"), unique("Role")
    made = iam.create_role(
        RoleName=name,
        Path="/app/",
        AssumeRolePolicyDocument=_TRUST,
        Description="one",
        MaxSessionDuration=7200,
        Tags=[{"Key": "team", "Value": "blue"}],
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/app/{name}"
    assert made["RoleId"].startswith("AROA")
    assert made["AssumeRolePolicyDocument"] == json.loads(_TRUST)
    iam.update_role(RoleName=name, Description="two")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust("events.amazonaws.com")))
    read = iam.get_role(RoleName=name)["Role"]
    assert (read["Description"], read["MaxSessionDuration"]) == ("two", 7200)
    assert read["AssumeRolePolicyDocument"] == trust("events.amazonaws.com")
    assert read["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert name in [role["RoleName"] for role in iam.list_roles(PathPrefix="/app/")["Roles"]]
    iam.delete_role(RoleName=name)
    assert refusal(iam.get_role, RoleName=name) == ("NoSuchEntity", f"The role with name {name} cannot be found.")
    assert refusal(iam.delete_role, RoleName=name)[0] == "NoSuchEntity"


def test_a_role_s_name_is_taken_in_any_letters(emulator: Dev) -> None:
    iam, name = emulator.client("iam"), unique("Role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=_TRUST)
    code, message = refusal(iam.create_role, RoleName=name.upper(), AssumeRolePolicyDocument=_TRUST)
    assert (code, message) == ("EntityAlreadyExists", f"Role with name {name.upper()} already exists.")


def test_a_role_with_policies_is_not_deleted(emulator: Dev) -> None:
    iam = emulator.client("iam")
    name, _ = new_role(emulator, allow("s3:*"))
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName=name, PolicyArn=basic)
    assert refusal(iam.delete_role, RoleName=name) == (
        "DeleteConflict",
        "Cannot delete entity, must detach all policies first.",
    )
    iam.detach_role_policy(RoleName=name, PolicyArn=basic)
    assert refusal(iam.delete_role, RoleName=name) == (
        "DeleteConflict",
        "Cannot delete entity, must delete policies first.",
    )
    assert refusal(iam.detach_role_policy, RoleName=name, PolicyArn=basic)[0] == "NoSuchEntity"
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)


def test_inline_policies_are_kept_as_they_were_written(emulator: Dev) -> None:
    iam = emulator.client("iam")
    name, _ = new_role(emulator)
    written = document(allow("s3:GetObject", "arn:aws:s3:::b/ä +%&/*"))
    iam.put_role_policy(RoleName=name, PolicyName="b", PolicyDocument=json.dumps(written, ensure_ascii=False, indent=1))
    iam.put_role_policy(RoleName=name, PolicyName="a", PolicyDocument=json.dumps(document(allow("s3:*"))))
    assert iam.get_role_policy(RoleName=name, PolicyName="b")["PolicyDocument"] == written
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["a", "b"]
    iam.delete_role_policy(RoleName=name, PolicyName="a")
    assert refusal(iam.get_role_policy, RoleName=name, PolicyName="a") == (
        "NoSuchEntity",
        "The role policy with name a cannot be found.",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        (json.dumps(document(allow("GetObject"))), "Actions/Conditions must be prefaced by a vendor"),
        (json.dumps(document(allow("s3:*", "bucket"))), 'Resource bucket must be in ARN format or "*".'),
        (json.dumps(document(allow("s3:*", Principal="*"))), "Policy document should not specify a principal."),
        (json.dumps(document(allow("s3:*", Condition={"StringIs": {"a:b": "c"}}))), "Invalid Condition type"),
        (json.dumps({"Version": "2013-01-01", "Statement": allow("*")}), "Policy document must be version 2012-10-17"),
    ],
)
def test_a_malformed_policy_is_refused_where_it_is_written(emulator: Dev, text: str, message: str) -> None:
    iam = emulator.client("iam")
    name, _ = new_role(emulator)
    code, told = refusal(iam.put_role_policy, RoleName=name, PolicyName="p", PolicyDocument=text)
    assert (code, told[: len(message)]) == ("MalformedPolicyDocument", message)
    assert refusal(iam.create_policy, PolicyName=unique("p"), PolicyDocument=text)[0] == "MalformedPolicyDocument"
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"Effect": "Allow", "Action": "sts:AssumeRole"}, "Missing required field Principal"),
        (
            {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole", "Resource": "*"},
            "Has prohibited field Resource",
        ),
        (
            {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject"},
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/nobody"},
                "Action": "sts:AssumeRole",
            },
            f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:role/nobody"',
        ),
    ],
)
def test_a_malformed_trust_policy_is_refused(emulator: Dev, statement: dict[str, Any], message: str) -> None:
    iam = emulator.client("iam")
    text = json.dumps(document(statement))
    assert refusal(iam.create_role, RoleName=unique("role"), AssumeRolePolicyDocument=text) == (
        "MalformedPolicyDocument",
        message,
    )


def test_policies_have_aws_s_sizes_without_white_space(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    iam = emulator.client("iam")
    name, _ = new_role(emulator)
    half = _padded(5120)
    iam.put_role_policy(RoleName=name, PolicyName="one", PolicyDocument=half)
    iam.put_role_policy(RoleName=name, PolicyName="two", PolicyDocument=half)
    assert refusal(iam.put_role_policy, RoleName=name, PolicyName="two", PolicyDocument=_padded(5121)) == (
        "LimitExceeded",
        f"Maximum policy size of 10240 bytes exceeded for role {name}",
    )
    iam.create_policy(PolicyName=unique("p"), PolicyDocument=_padded(6144))
    assert refusal(iam.create_policy, PolicyName=unique("p"), PolicyDocument=_padded(6145)) == (
        "LimitExceeded",
        "Cannot exceed quota for PolicySize: 6144",
    )
    bare = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole", "Sid": ""}
    room = 2048 - len(json.dumps(document(bare), separators=(",", ":")))
    for extra, expected in ((0, None), (1, "LimitExceeded")):
        text = json.dumps(document({**bare, "Sid": "x" * (room + extra)}), indent=2)
        if expected is None:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=text)
        else:
            assert refusal(iam.update_assume_role_policy, RoleName=name, PolicyDocument=text)[0] == expected


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"RoleName": "r" * 65}, "less than or equal to 64"),
        ({"RoleName": "a b"}, "regular expression pattern"),
        ({"RoleName": "ok", "Path": "app"}, "regular expression pattern"),
        ({"RoleName": "ok", "MaxSessionDuration": 43201}, "less than or equal to 43200"),
    ],
)
def test_names_and_numbers_are_checked_by_the_service_s_model(
    emulator: Dev, params: dict[str, Any], words: str
) -> None:
    code, message = refusal(emulator.client("iam").create_role, AssumeRolePolicyDocument=_TRUST, **params)
    assert (code, words in message) == ("ValidationError", True), message


def test_tags_are_case_insensitive_and_fifty(emulator: Dev) -> None:
    iam = emulator.client("iam")
    name, _ = new_role(emulator)
    iam.tag_role(RoleName=name, Tags=[{"Key": "Team", "Value": "1"}])
    iam.tag_role(RoleName=name, Tags=[{"Key": "team", "Value": "2"}])
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "team", "Value": "2"}]
    twice = [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]
    assert refusal(iam.tag_role, RoleName=name, Tags=twice)[0] == "InvalidInput"
    iam.tag_role(RoleName=name, Tags=[{"Key": str(number), "Value": ""} for number in range(49)])
    assert refusal(iam.tag_role, RoleName=name, Tags=[{"Key": "more", "Value": ""}])[0] == "LimitExceeded"
    iam.untag_role(RoleName=name, TagKeys=["TEAM"])
    assert len(iam.list_role_tags(RoleName=name)["Tags"]) == 49


def test_lists_come_in_pages(emulator: Dev) -> None:
    iam, path = emulator.client("iam"), f"/{unique('path')}/"
    names = [unique("role") for _ in range(3)]
    for name in names:
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=_TRUST)
    pages = list(iam.get_paginator("list_roles").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2}))
    assert [len(page["Roles"]) for page in pages] == [2, 1]
    assert sorted(role["RoleName"] for page in pages for role in page["Roles"]) == sorted(names)


def test_the_aws_cli_reads_what_boto3_wrote(emulator: Dev) -> None:
    name, arn = new_role(emulator, allow("s3:*"))
    assert aws_cli_json(emulator.endpoint, "iam", "get-role", "--role-name", name)["Role"]["Arn"] == arn


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("create_user", {"UserName": "u"}),
        ("create_group", {"GroupName": "g"}),
        ("create_access_key", {}),
        ("create_instance_profile", {"InstanceProfileName": "i"}),
    ],
)
def test_users_groups_and_the_like_are_refused_by_name(emulator: Dev, operation: str, params: dict[str, str]) -> None:
    code, message = refusal(getattr(emulator.client("iam"), operation), **params)
    assert (code, message.endswith("is not in Treadle's emulator yet")) == ("InvalidAction", True)
    assert emulator.client("iam").list_users()["Users"] == []

"""Secrets Manager through boto3 and the AWS CLI."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.judges import aws_cli, aws_cli_json
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.secretsmanager.service import SecretsManager

DAY = 86_400


@pytest.fixture
def secrets(emulator: Dev) -> Any:
    return emulator.client("secretsmanager")


def token() -> str:
    return str(uuid.uuid4())


def text(client: Any, name: str, **which: Any) -> str:
    return str(client.get_secret_value(SecretId=name, **which)["SecretString"])


def test_a_secret_is_found_by_name_arn_and_partial_arn(secrets: Any) -> None:
    name = unique("app/db")
    made = secrets.create_secret(Name=name, SecretString="s3cret", Description="why")
    arn = made["ARN"]
    assert re.fullmatch(rf"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{name}-[A-Za-z0-9]{{6}}", arn)
    for wanted in (name, arn, arn[:-7]):
        found = secrets.get_secret_value(SecretId=wanted)
        assert (found["ARN"], found["Name"], found["SecretString"]) == (arn, name, "s3cret")
        assert (found["VersionId"], found["VersionStages"]) == (made["VersionId"], ["AWSCURRENT"])
    assert refusal(secrets.get_secret_value, SecretId=f"{arn[:-1]}!") == (
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )


def test_bytes_come_back_as_they_went_in(secrets: Any) -> None:
    name = unique("binary")
    secrets.create_secret(Name=name, SecretBinary=b"\x00\xff")
    assert secrets.get_secret_value(SecretId=name)["SecretBinary"] == b"\x00\xff"


def test_a_request_is_done_once_for_its_token(secrets: Any) -> None:
    name, first = unique("once"), token()
    made = secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=first)
    again = secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=first)
    assert (again["ARN"], again["VersionId"]) == (made["ARN"], first)
    assert refusal(secrets.create_secret, Name=name, SecretString="b", ClientRequestToken=first)[0] == (
        "ResourceExistsException"
    )
    assert refusal(secrets.create_secret, Name=name, SecretString="a")[0] == "ResourceExistsException"
    second = token()
    for _ in range(2):
        secrets.put_secret_value(SecretId=name, SecretString="b", ClientRequestToken=second)
    code, _ = refusal(secrets.put_secret_value, SecretId=name, SecretString="c", ClientRequestToken=second)
    assert code == "ResourceExistsException"
    assert len(secrets.list_secret_version_ids(SecretId=name)["Versions"]) == 2


def test_stages_move_as_values_are_put(secrets: Any) -> None:
    name = unique("stages")
    first = secrets.create_secret(Name=name, SecretString="1")["VersionId"]
    second = secrets.put_secret_value(SecretId=name, SecretString="2")["VersionId"]
    pending = secrets.put_secret_value(SecretId=name, SecretString="3", VersionStages=["AWSPENDING"])["VersionId"]
    assert secrets.describe_secret(SecretId=name)["VersionIdsToStages"] == {
        first: ["AWSPREVIOUS"],
        second: ["AWSCURRENT"],
        pending: ["AWSPENDING"],
    }
    assert text(secrets, name) == "2"
    assert text(secrets, name, VersionStage="AWSPREVIOUS") == "1"
    assert text(secrets, name, VersionId=pending) == "3"
    code, _ = refusal(
        secrets.update_secret_version_stage, SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=pending
    )
    assert code == "InvalidParameterException"
    secrets.update_secret_version_stage(
        SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=pending, RemoveFromVersionId=second
    )
    assert text(secrets, name) == "3"
    assert text(secrets, name, VersionStage="AWSPREVIOUS") == "2"
    listed = {version.get("VersionId") for version in secrets.list_secret_version_ids(SecretId=name)["Versions"]}
    assert listed == {second, pending}
    every = secrets.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    assert {version.get("VersionId") for version in every} == {first, second, pending}
    code, message = refusal(secrets.get_secret_value, SecretId=name, VersionStage="OTHER")
    assert (code, message.endswith("staging label: OTHER")) == ("ResourceNotFoundException", True)


def test_an_update_changes_the_value_and_what_is_said_of_it(secrets: Any) -> None:
    name = unique("update")
    secrets.create_secret(Name=name, SecretString="1")
    assert "VersionId" not in secrets.update_secret(SecretId=name, Description="new")
    secrets.update_secret(SecretId=name, SecretString="2")
    assert (text(secrets, name), secrets.describe_secret(SecretId=name)["Description"]) == ("2", "new")


def test_a_deleted_secret_can_be_restored_until_its_window_is_over(emulator: Dev, secrets: Any) -> None:
    name = unique("gone")
    secrets.create_secret(Name=name, SecretString="1")
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    assert refusal(secrets.get_secret_value, SecretId=name)[0] == "InvalidRequestException"
    assert refusal(secrets.create_secret, Name=name, SecretString="2")[0] == "InvalidRequestException"
    assert "DeletedDate" in secrets.describe_secret(SecretId=name)
    emulator.advance(6 * DAY)
    secrets.restore_secret(SecretId=name)
    assert text(secrets, name) == "1"
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    emulator.advance(7 * DAY)
    assert refusal(secrets.describe_secret, SecretId=name)[0] == "ResourceNotFoundException"
    secrets.create_secret(Name=name, SecretString="2")
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert refusal(secrets.describe_secret, SecretId=name)[0] == "ResourceNotFoundException"
    assert refusal(secrets.delete_secret, SecretId=name, RecoveryWindowInDays=6)[0] == "InvalidParameterException"


def test_secrets_are_listed_by_filters_in_pages(secrets: Any) -> None:
    prefix = unique("list")
    for index in range(3):
        secrets.create_secret(
            Name=f"{prefix}-{index}", SecretString="v", Tags=[{"Key": "team", "Value": f"{prefix}{index}"}]
        )
    pages = secrets.get_paginator("list_secrets").paginate(
        Filters=[{"Key": "name", "Values": [prefix]}], PaginationConfig={"PageSize": 2}
    )
    names = [[secret.get("Name") for secret in page["SecretList"]] for page in pages]
    assert names == [[f"{prefix}-0", f"{prefix}-1"], [f"{prefix}-2"]]

    def found(*filters: Any) -> list[Any]:
        return [secret.get("Name") for secret in secrets.list_secrets(Filters=list(filters))["SecretList"]]

    assert found({"Key": "tag-value", "Values": [f"{prefix.upper()}1"]}) == [f"{prefix}-1"]
    assert found({"Key": "name", "Values": [prefix]}, {"Key": "name", "Values": [f"!{prefix}-0"]}) == [
        f"{prefix}-1",
        f"{prefix}-2",
    ]
    secrets.delete_secret(SecretId=f"{prefix}-0")
    assert f"{prefix}-0" not in found({"Key": "name", "Values": [prefix]})


def test_many_secrets_are_got_at_once(secrets: Any) -> None:
    name = unique("batch")
    secrets.create_secret(Name=name, SecretString="v")
    answer = secrets.batch_get_secret_value(SecretIdList=[name, "nobody"])
    assert [value.get("SecretString") for value in answer["SecretValues"]] == ["v"]
    assert [(error.get("SecretId"), error.get("ErrorCode")) for error in answer["Errors"]] == [
        ("nobody", "ResourceNotFoundException")
    ]


def test_passwords_have_what_is_asked_of_them(secrets: Any) -> None:
    password = secrets.get_random_password(PasswordLength=20, ExcludePunctuation=True, ExcludeCharacters="abc0")
    assert re.fullmatch(r"[A-Zd-z1-9]{20}", password["RandomPassword"])
    assert len(secrets.get_random_password()["RandomPassword"]) == 32
    assert refusal(secrets.get_random_password, PasswordLength=3)[0] == "InvalidParameterException"


def test_tags_and_policies_go_with_a_secret(secrets: Any) -> None:
    name = unique("policy")
    secrets.create_secret(Name=name, SecretString="v")
    secrets.tag_resource(SecretId=name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    secrets.untag_resource(SecretId=name, TagKeys=["a"])
    assert secrets.describe_secret(SecretId=name)["Tags"] == [{"Key": "b", "Value": "2"}]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=policy)
    assert json.loads(secrets.get_resource_policy(SecretId=name)["ResourcePolicy"]) == json.loads(policy)
    secrets.delete_resource_policy(SecretId=name)
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=name)
    assert refusal(secrets.put_resource_policy, SecretId=name, ResourcePolicy="{")[0] == (
        "MalformedPolicyDocumentException"
    )


def test_the_policy_of_a_secret_is_offered_by_its_arn() -> None:
    service = SecretsManager(Region(), ManualClock())
    arn = service.handle("CreateSecret", {"Name": "n", "SecretString": "v"}, ROOT)["ARN"]
    assert service.policy_of(arn) is None
    statement = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    service.handle("PutResourcePolicy", {"SecretId": "n", "ResourcePolicy": policy}, ROOT)
    assert (service.policy_of(arn) or {})["Statement"] == [statement]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Name": "sp ace", "SecretString": "v"}, "InvalidParameterException"),
        ({"Name": "n", "SecretString": "v", "SecretBinary": b"v"}, "InvalidParameterException"),
        ({"Name": "n", "SecretString": "x" * 65_537}, "InvalidParameterException"),
        ({"Name": "n", "AddReplicaRegions": [{"Region": "eu-west-1"}]}, "UnknownOperationException"),
    ],
)  # fmt: skip
def test_secrets_that_are_refused(secrets: Any, params: Any, code: str) -> None:
    assert refusal(secrets.create_secret, **params)[0] == code


def test_rotation_is_refused_by_name(secrets: Any) -> None:
    name = unique("rotate")
    secrets.create_secret(Name=name, SecretString="v")
    code, message = refusal(secrets.rotate_secret, SecretId=name)
    assert (code, "secretsmanager RotateSecret" in message) == ("UnknownOperationException", True)


def test_the_aws_cli_makes_and_reads_a_secret(emulator: Dev) -> None:
    name = unique("cli")
    made = aws_cli_json(
        emulator.endpoint, "secretsmanager", "create-secret", "--name", name, "--secret-string", "s3cret"
    )
    assert made["Name"] == name
    got = aws_cli(
        *(emulator.endpoint, "secretsmanager", "get-secret-value", "--secret-id", name),
        *("--query", "SecretString", "--output", "text"),
    )
    assert got.stdout.strip() == "s3cret"

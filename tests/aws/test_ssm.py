"""Parameter Store through boto3 and the AWS CLI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.judges import aws_cli, aws_cli_json
from support.lambda_account import make_role
from support.policies import allow, document


@pytest.fixture
def ssm(emulator: Dev) -> Any:
    return emulator.client("ssm")


def put(ssm: Any, name: str, value: str = "v", **more: Any) -> Any:
    return ssm.put_parameter(Name=name, Value=value, **{"Type": "String", **more})


def test_a_parameter_comes_back_with_its_version_and_arn(ssm: Any) -> None:
    name = f"/{unique('app')}/url"
    assert put(ssm, name, "https://a")["Version"] == 1
    found = ssm.get_parameter(Name=name)["Parameter"]
    assert found.get("Value") == "https://a"
    assert found.get("ARN") == f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter{name}"
    assert (found.get("Type"), found.get("Version"), found.get("DataType")) == ("String", 1, "text")
    assert ssm.get_parameter(Name=found.get("ARN", ""))["Parameter"].get("Name") == name


def test_overwriting_makes_a_version_and_needs_to_be_said(ssm: Any) -> None:
    name = unique("plain")
    put(ssm, name, "1")
    assert refusal(ssm.put_parameter, Name=name, Value="2", Type="String")[0] == "ParameterAlreadyExists"
    assert put(ssm, name, "2", Overwrite=True)["Version"] == 2
    assert ssm.get_parameter(Name=f"{name}:1")["Parameter"].get("Value") == "1"
    assert ssm.get_parameter(Name=f"{name}:2")["Parameter"].get("Selector") == ":2"
    assert refusal(ssm.get_parameter, Name=f"{name}:3")[0] == "ParameterVersionNotFound"
    history = ssm.get_parameter_history(Name=name)["Parameters"]
    assert [entry.get("Value") for entry in history] == ["1", "2"]


def test_a_secure_string_is_never_shown_without_decryption(ssm: Any) -> None:
    name = f"/{unique('secret')}/key"
    put(ssm, name, "p4ssw0rd", Type="SecureString")
    hidden = ssm.get_parameter(Name=name)["Parameter"].get("Value", "")
    assert "p4ssw0rd" not in hidden
    assert len(hidden) > 100
    assert ssm.get_parameter(Name=name)["Parameter"].get("Value") == hidden
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"].get("Value") == "p4ssw0rd"
    described = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"]
    assert described[0].get("KeyId") == "alias/aws/ssm"
    assert "p4ssw0rd" not in json.dumps(described, default=str)


def test_ten_parameters_are_got_at_once_and_no_more(ssm: Any) -> None:
    root = f"/{unique('ten')}"
    names = [f"{root}/{index}" for index in range(10)]
    for name in names:
        put(ssm, name, Type="SecureString")
    answer = ssm.get_parameters(Names=[*names[:9], f"{root}/none"], WithDecryption=True)
    assert {found.get("Name") for found in answer["Parameters"]} == set(names[:9])
    assert answer["InvalidParameters"] == [f"{root}/none"]
    code, message = refusal(ssm.get_parameters, Names=[*names, "eleventh"])
    assert code == "ValidationException"
    assert "less than or equal to 10" in message


def test_a_path_is_read_by_level_or_whole_in_pages_of_ten(ssm: Any) -> None:
    root = f"/{unique('path')}"
    for index in range(12):
        put(ssm, f"{root}/{index:02d}")
    put(ssm, f"{root}/deep/er")
    put(ssm, f"{root}x")
    first = ssm.get_parameters_by_path(Path=root)
    second = ssm.get_parameters_by_path(Path=f"{root}/", NextToken=first.get("NextToken", ""))
    names = [found.get("Name") for found in (*first["Parameters"], *second["Parameters"])]
    assert names == [f"{root}/{index:02d}" for index in range(12)]
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=root, Recursive=True)
    assert sum(len(found["Parameters"]) for found in pages) == 13
    assert refusal(ssm.get_parameters_by_path, Path=root[1:])[0] == "ValidationException"
    assert refusal(ssm.get_parameters_by_path, Path=root, MaxResults=11)[0] == "ValidationException"
    assert refusal(ssm.get_parameters_by_path, Path=root, NextToken="?")[0] == "InvalidNextToken"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("aws-thing", "ValidationException"),
        ("SSMthing", "ValidationException"),
        ("/ssm/thing", "ValidationException"),
        ("/aws/thing", "AccessDeniedException"),
        ("no/slash/first", "ValidationException"),
        ("/spa ce", "ValidationException"),
        ("//", "ValidationException"),
        ("/" + "/".join("abcdefghijklmnop"), "HierarchyLevelLimitExceededException"),
    ],
)
def test_names_that_aws_refuses_are_refused(ssm: Any, name: str, code: str) -> None:
    assert refusal(ssm.put_parameter, Name=name, Value="v", Type="String")[0] == code


def test_fifteen_levels_are_a_name(ssm: Any) -> None:
    put(ssm, f"/{unique('deep')}/" + "/".join("abcdefghijklmn"))


@pytest.mark.parametrize(("tier", "limit"), [("Standard", 4096), ("Advanced", 8192), ("Intelligent-Tiering", 8192)])
def test_each_tier_has_its_limit(ssm: Any, tier: str, limit: int) -> None:
    name = unique("tier")
    put(ssm, name, "x" * limit, Tier=tier)
    code, message = refusal(ssm.put_parameter, Name=unique("tier"), Value="x" * (limit + 1), Type="String", Tier=tier)
    assert (code, str(limit) in message) == ("ValidationException", True)
    found = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"][0]
    assert found.get("Tier") == ("Standard" if tier == "Standard" else "Advanced")


def test_an_advanced_parameter_does_not_become_a_standard_one(ssm: Any) -> None:
    name = unique("tier")
    put(ssm, name, Tier="Advanced")
    code, message = refusal(ssm.put_parameter, Name=name, Value="v", Tier="Standard", Overwrite=True)
    assert (code, "downgrade" in message) == ("ValidationException", True)


def test_a_value_must_match_its_allowed_pattern(ssm: Any) -> None:
    name = unique("pattern")
    put(ssm, name, "123", AllowedPattern=r"^\d+$")
    code, _ = refusal(ssm.put_parameter, Name=name, Value="x", Overwrite=True, AllowedPattern=r"^\d+$")
    assert code == "ParameterPatternMismatchException"
    code, _ = refusal(ssm.put_parameter, Name=unique("p"), Value="x", Type="String", AllowedPattern="(")
    assert code == "InvalidAllowedPatternException"


def test_a_type_is_asked_for_and_secrecy_stays_as_it_is(ssm: Any) -> None:
    name = unique("type")
    assert refusal(ssm.put_parameter, Name=name, Value="v")[0] == "ValidationException"
    put(ssm, name)
    code, _ = refusal(ssm.put_parameter, Name=name, Value="v", Type="SecureString", Overwrite=True)
    assert code == "HierarchyTypeMismatchException"
    code, message = refusal(ssm.put_parameter, Name=name, Value="v", DataType="aws:ec2:image", Overwrite=True)
    assert (code, "aws:ec2:image" in message) == ("UnknownOperationException", True)


def test_a_hundred_versions_are_kept_and_a_labelled_one_is_not_dropped(ssm: Any) -> None:
    name = unique("versions")
    put(ssm, name)
    for _ in range(100):
        put(ssm, name, Overwrite=True)
    history = [
        found for page in ssm.get_paginator("get_parameter_history").paginate(Name=name) for found in page["Parameters"]
    ]
    assert [found.get("Version") for found in history] == list(range(2, 102))
    ssm.label_parameter_version(Name=name, ParameterVersion=2, Labels=["prod"])
    code, _ = refusal(ssm.put_parameter, Name=name, Value="v", Overwrite=True)
    assert code == "ParameterMaxVersionLimitExceeded"


def test_a_label_is_at_one_version_and_selects_it(ssm: Any) -> None:
    name = unique("label")
    put(ssm, name, "1")
    put(ssm, name, "2", Overwrite=True)
    assert ssm.label_parameter_version(Name=name, ParameterVersion=1, Labels=["live", "1st"])["InvalidLabels"] == [
        "1st"
    ]
    assert ssm.get_parameter(Name=f"{name}:live")["Parameter"].get("Value") == "1"
    ssm.label_parameter_version(Name=name, Labels=["live"])
    assert ssm.get_parameter(Name=f"{name}:live")["Parameter"].get("Value") == "2"
    assert [entry.get("Labels") for entry in ssm.get_parameter_history(Name=name)["Parameters"]] == [[], ["live"]]
    many = [f"l{index}" for index in range(10)]
    code, _ = refusal(ssm.label_parameter_version, Name=name, ParameterVersion=2, Labels=many)
    assert code == "ParameterVersionLabelLimitExceeded"
    removed = ssm.unlabel_parameter_version(Name=name, ParameterVersion=2, Labels=["live", "none"])
    assert (removed["RemovedLabels"], removed["InvalidLabels"]) == (["live"], ["none"])
    assert refusal(ssm.get_parameter, Name=f"{name}:live")[0] == "ParameterVersionNotFound"


def test_parameters_are_described_by_filters(ssm: Any) -> None:
    root = f"/{unique('filters')}"
    put(ssm, f"{root}/a/b", Description="first", Tags=[{"Key": "team", "Value": root}])
    put(ssm, f"{root}/c", "x,y", Type="StringList")

    def names(*filters: Any) -> list[str | None]:
        found = ssm.describe_parameters(ParameterFilters=list(filters))["Parameters"]
        return [parameter.get("Name") for parameter in found]

    assert names({"Key": "Path", "Option": "Recursive", "Values": [root]}) == [f"{root}/a/b", f"{root}/c"]
    assert names({"Key": "Path", "Values": [root]}) == [f"{root}/c"]
    assert names({"Key": "tag:team", "Values": [root]}) == [f"{root}/a/b"]
    assert names(
        {"Key": "Name", "Option": "Contains", "Values": [root[5:]]}, {"Key": "Type", "Values": ["StringList"]}
    ) == [f"{root}/c"]
    code, _ = refusal(ssm.describe_parameters, ParameterFilters=[{"Key": "Label", "Values": ["x"]}])
    assert code == "InvalidFilterKey"
    code, _ = refusal(
        ssm.describe_parameters, ParameterFilters=[{"Key": "Tier", "Option": "Contains", "Values": ["x"]}]
    )
    assert code == "InvalidFilterOption"


def test_tags_go_with_a_parameter(ssm: Any) -> None:
    name = unique("tags")
    put(ssm, name, Tags=[{"Key": "a", "Value": "1"}])
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=[{"Key": "b", "Value": "2"}])
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=name, TagKeys=["a"])
    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"] == [
        {"Key": "b", "Value": "2"}
    ]
    assert refusal(ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="nobody")[0] == "InvalidResourceId"
    code, _ = refusal(ssm.put_parameter, Name=name, Value="v", Overwrite=True, Tags=[{"Key": "c", "Value": "3"}])
    assert code == "ValidationException"


def test_what_is_deleted_is_gone(ssm: Any) -> None:
    name = unique("gone")
    put(ssm, name)
    ssm.delete_parameter(Name=name)
    assert refusal(ssm.get_parameter, Name=name)[0] == "ParameterNotFound"
    assert refusal(ssm.delete_parameter, Name=name)[0] == "ParameterNotFound"
    put(ssm, name)
    answer = ssm.delete_parameters(Names=[name, "nobody"])
    assert (answer["DeletedParameters"], answer["InvalidParameters"]) == ([name], ["nobody"])


def test_other_parts_of_systems_manager_are_refused_by_name(ssm: Any) -> None:
    code, message = refusal(ssm.describe_instance_information)
    assert code == "UnknownOperationException"
    assert "ssm DescribeInstanceInformation" in message


def test_a_role_reads_the_parameters_that_it_is_granted_and_their_keys(emulator: Dev, ssm: Any) -> None:
    root = f"/{unique('iam')}"
    put(ssm, f"{root}/mine", "1", Type="SecureString")
    put(ssm, f"{root}/keyed", "2", Type="SecureString", KeyId="1234abcd")
    put(ssm, f"{root[1:]}-other", "3")
    role = make_role(emulator, service="ssm.amazonaws.com")
    granted = document(allow("ssm:GetParameter*", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter{root}/*"))
    iam = emulator.client("iam")
    name = role.rsplit("/", 1)[-1]
    iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=json.dumps(granted))
    anybody = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(anybody))
    keys = emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    limited = emulator.client(
        "ssm",
        {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        },
    )
    assert limited.get_parameter(Name=f"{root}/mine", WithDecryption=True)["Parameter"].get("Value") == "1"
    assert refusal(limited.get_parameter, Name=f"{root[1:]}-other")[0] == "AccessDeniedException"
    code, message = refusal(limited.get_parameter, Name=f"{root}/keyed", WithDecryption=True)
    assert (code, "kms:Decrypt" in message) == ("AccessDeniedException", True)
    limited.get_parameter(Name=f"{root}/keyed")


def test_the_aws_cli_puts_and_gets(emulator: Dev) -> None:
    name = f"/{unique('cli')}/key"
    done = aws_cli_json(
        emulator.endpoint, "ssm", "put-parameter", "--name", name, "--value", "s3cret", "--type", "SecureString"
    )
    assert done == {"Version": 1, "Tier": "Standard"}
    found = aws_cli_json(emulator.endpoint, "ssm", "get-parameters", "--names", name, "--with-decryption")
    assert found["Parameters"][0]["Value"] == "s3cret"
    gone = aws_cli(emulator.endpoint, "ssm", "get-parameter", "--name", "/nobody")
    assert gone.returncode != 0
    assert "(ParameterNotFound)" in gone.stderr

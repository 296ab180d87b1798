"""The Lambda service as boto3 sees it: functions, versions, aliases, tags and policies."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest

from support.aws import ACCOUNT, unique
from support.lambda_account import ECHO, FAILING, Account, invoke, make_role, refused, zipped

# functions


def test_a_created_function_is_active_and_has_the_defaults_of_aws(account: Account) -> None:
    name = account.make()
    account.client.get_waiter("function_active_v2").wait(FunctionName=name)
    found = account.client.get_function(FunctionName=name)
    configuration = found["Configuration"]
    assert configuration["FunctionArn"] == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    expected = {
        "Timeout": 3,
        "MemorySize": 128,
        "Architectures": ["x86_64"],
        "Version": "$LATEST",
        "PackageType": "Zip",
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        "LastUpdateStatus": "Successful",
    }
    assert {key: configuration[key] for key in expected} == expected


def test_every_form_of_a_functions_name_leads_to_it(account: Account) -> None:
    name = account.make(Publish=True)
    client = account.client
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    partial, full = f"{ACCOUNT}:function:{name}", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    for form in (name, f"function:{name}", partial, full):
        assert client.get_function_configuration(FunctionName=form)["Version"] == "$LATEST"
        assert client.get_function_configuration(FunctionName=f"{form}:live")["Version"] == "1"
        assert client.get_function_configuration(FunctionName=form, Qualifier="1")["Version"] == "1"
    with refused("InvalidParameterValueException", "does not match the specified qualifier"):
        client.get_function(FunctionName=f"{name}:live", Qualifier="1")
    with refused("ResourceNotFoundException", f"Function not found: {full}:other"):
        client.get_function(FunctionName=f"{name}:other")
    with refused("ResourceNotFoundException", "not reachable in this region"):
        client.get_function(FunctionName=full.replace("us-east-1", "eu-west-1"))
    with refused("InvalidParameterValueException", "Aliases and versions do not support this operation"):
        client.update_function_configuration(FunctionName=f"{name}:live", Timeout=5)


def test_the_code_of_a_function_can_be_downloaded(account: Account) -> None:
    code = account.client.get_function(FunctionName=account.make())["Code"]
    with urllib.request.urlopen(code["Location"], timeout=10) as answer:
        assert answer.read() == zipped(ECHO)


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ({"Role": "arn:aws:iam::000000000000:role/nobody"}, "InvalidParameterValueException", "cannot be assumed by"),
        ({"Role": "not-an-arn"}, "ValidationException", "at 'role' failed to satisfy constraint"),
        ({"Runtime": "python1.0"}, "InvalidParameterValueException", "Member must satisfy enum value set"),
        ({"Runtime": "python3.6"}, "InvalidParameterValueException", "no longer supported for creating"),
        ({"Handler": "two words"}, "ValidationException", "at 'handler' failed to satisfy constraint"),
        ({"MemorySize": 10_241}, "InvalidParameterValueException", "less than or equal to 10240"),
        ({"Timeout": 901}, "ValidationException", "Value '901' at 'timeout'"),
        ({"EphemeralStorage": {"Size": 10_241}}, "InvalidParameterValueException", "less than or equal to 10240"),
        ({"Environment": {"Variables": {"BIG": "x" * 4096}}}, "InvalidParameterValueException", "exceeded the 4KB"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException", "request: AWS_REGION"),
        ({"Environment": {"Variables": {"1A": "x"}}}, "ValidationException", "Map keys must satisfy constraint"),
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException", "Could not unzip uploaded file"),
        ({"Code": {}}, "InvalidParameterValueException", "Please provide a source for function code"),
        ({"FunctionName": "a b"}, "ValidationException", "at 'functionName' failed to satisfy constraint"),
        ({"FunctionName": "a" * 65}, "ValidationException", "length less than or equal to 64"),
        ({"Architectures": ["x86"]}, "ValidationException", "[x86_64, arm64]"),
        ({"LoggingConfig": {"SystemLogLevel": "WARN"}}, "InvalidParameterValueException", "LogFormat is set to JSON"),
        ({"Tags": {str(number): "" for number in range(51)}}, "InvalidParameterValueException", "tag limit"),
        ({"PackageType": "Image"}, "InvalidParameterValueException", "not in Treadle's emulator yet"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "InvalidParameterValueException", "SnapStart"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "InvalidParameterValueException", "VpcConfig"),
    ],
)
def test_what_aws_refuses_in_a_new_function_is_refused(
    account: Account, setting: dict[str, Any], code: str, words: str
) -> None:
    settings = account.settings() | setting
    with refused(code, words):
        account.client.create_function(**settings)
    names = [one["FunctionName"] for one in account.client.list_functions()["Functions"]]
    assert settings["FunctionName"] not in names


def test_all_violations_of_the_model_are_named_at_once(account: Account) -> None:
    with refused("ValidationException", "2 validation errors detected"):
        account.client.create_function(**account.settings() | {"Handler": "a b", "Description": "x" * 257})


def test_a_role_that_does_not_trust_lambda_is_refused(account: Account) -> None:
    other = make_role(account.emulator, service="ec2.amazonaws.com")
    with refused("InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."):
        account.make(Role=other)


def test_an_existing_name_is_refused(account: Account) -> None:
    name = account.make()
    with refused("ResourceConflictException", f"Function already exist: {name}"):
        account.make(FunctionName=name)


def test_code_is_read_from_s3_and_a_missing_object_is_refused(account: Account) -> None:
    s3, bucket = account.emulator.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="code.zip", Body=zipped(ECHO))
    name = account.make(Code={"S3Bucket": bucket, "S3Key": "code.zip"})
    assert account.client.get_function(FunctionName=name)["Configuration"]["CodeSize"] == len(zipped(ECHO))
    with refused("InvalidParameterValueException", "S3 Error Code: NoSuchKey"):
        account.make(Code={"S3Bucket": bucket, "S3Key": "other.zip"})
    with refused("InvalidParameterValueException", "S3 Error Code: NoSuchBucket"):
        account.client.update_function_code(FunctionName=name, S3Bucket=unique("bucket"), S3Key="code.zip")


def test_a_package_that_unzips_to_more_than_250_mb_is_refused(account: Account) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("zeros", b"")
        archive.getinfo("zeros").file_size = 262_144_000  # what the directory says, written when the archive is closed
    with refused("InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes"):
        account.make(Code={"ZipFile": buffer.getvalue()})


def test_an_update_changes_what_it_names_and_nothing_else(account: Account) -> None:
    name = account.make(Description="first", Environment={"Variables": {"KEY": "1"}}, Timeout=5)
    client = account.client
    before = client.get_function_configuration(FunctionName=name)
    after = client.update_function_configuration(FunctionName=name, MemorySize=512)
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    changing = {"MemorySize", "RevisionId", "LastModified", "ResponseMetadata"}
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }
    assert after["MemorySize"] == 512
    with refused("PreconditionFailedException", "does not match the latest Revision Id"):
        client.update_function_configuration(FunctionName=name, Timeout=9, RevisionId=before["RevisionId"])
    emptied = client.update_function_configuration(FunctionName=name, Environment={"Variables": {}})
    assert "Environment" not in emptied


def test_a_deleted_function_is_gone_with_all_that_hung_on_it(account: Account) -> None:
    name = account.make(Publish=True)
    client = account.client
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.delete_function(FunctionName=name)
    for operation in ("get_function", "delete_function", "invoke", "list_versions_by_function", "list_aliases"):
        with refused("ResourceNotFoundException", f"function:{name}"):
            getattr(client, operation)(FunctionName=name)


def test_functions_are_listed_in_pages(account: Account) -> None:
    mine = {account.make() for _ in range(3)}
    pages = account.client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    listed = [function["FunctionName"] for page in pages for function in page["Functions"]]
    assert mine <= set(listed)
    assert len(listed) == len(set(listed))


def test_tags_are_put_on_functions_only(account: Account) -> None:
    name = account.make(Tags={"a": "1", "b": "2"}, Publish=True)
    client = account.client
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"b": "3", "c": "4"})
    client.untag_resource(Resource=arn, TagKeys=["a"])
    assert client.list_tags(Resource=arn)["Tags"] == {"b": "3", "c": "4"}
    assert client.get_function(FunctionName=name)["Tags"] == {"b": "3", "c": "4"}
    with refused("InvalidParameterValueException", "Tags on function aliases and versions are not supported"):
        client.tag_resource(Resource=f"{arn}:1", Tags={"a": "1"})


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("create_function_url_config", {"FunctionName": "x", "AuthType": "NONE"}),
        (
            "put_provisioned_concurrency_config",
            {"FunctionName": "x", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1},
        ),
        ("list_code_signing_configs", {}),
    ],
)
def test_operations_that_are_not_there_are_refused_by_name(
    account: Account, operation: str, params: Mapping[str, Any]
) -> None:
    with refused("UnknownOperationException", "not in Treadle's emulator yet"):
        getattr(account.client, operation)(**params)


def test_the_account_is_described(account: Account) -> None:
    account.make()
    settings = account.client.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountUsage"]["FunctionCount"] >= 1


# versions and aliases


def test_publishing_without_a_change_makes_no_new_version(account: Account) -> None:
    name = account.make()
    client = account.client
    assert client.publish_version(FunctionName=name, Description="one")["Version"] == "1"
    assert client.publish_version(FunctionName=name, Description="two")["Description"] == "one"
    client.update_function_configuration(FunctionName=name, Timeout=7)
    second = client.publish_version(FunctionName=name)
    assert (second["Version"], second["FunctionArn"].rpartition(":")[2]) == ("2", "2")
    client.update_function_code(FunctionName=name, ZipFile=zipped(ECHO))
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    assert client.update_function_code(FunctionName=name, ZipFile=zipped(FAILING), Publish=True)["Version"] == "3"
    versions = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST", "1", "2", "3"]
    assert [one["Timeout"] for one in versions] == [7, 3, 7, 7]
    with refused("InvalidParameterValueException", "is different from current CodeSHA256 in $LATEST"):
        client.publish_version(FunctionName=name, CodeSha256="other")


def test_version_numbers_are_not_used_again_after_a_function_is_made_anew(account: Account) -> None:
    name = account.make(Publish=True)
    account.client.delete_function(FunctionName=name)
    account.make(FunctionName=name)
    assert account.client.publish_version(FunctionName=name)["Version"] == "2"


def test_a_dry_run_of_new_code_changes_nothing(account: Account) -> None:
    name = account.make()
    before = account.client.get_function_configuration(FunctionName=name)
    tried = account.client.update_function_code(FunctionName=name, ZipFile=zipped(FAILING), DryRun=True)
    assert tried["CodeSha256"] != before["CodeSha256"]
    assert account.client.get_function_configuration(FunctionName=name)["CodeSha256"] == before["CodeSha256"]


def test_an_alias_points_to_versions_that_exist(account: Account) -> None:
    name = account.make(Publish=True)
    client = account.client
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    with refused("ResourceNotFoundException", f"Function not found: {arn}:9"):
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="9")
    with refused("ResourceNotFoundException", "Function not found"):
        client.create_alias(FunctionName=unique("none"), Name="live", FunctionVersion="$LATEST")
    assert client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")["AliasArn"] == f"{arn}:live"
    with refused("ResourceConflictException", f"Alias already exists: {arn}:live"):
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with refused("ValidationException", "at 'name'"):
        client.create_alias(FunctionName=name, Name="12", FunctionVersion="1")
    assert client.update_alias(FunctionName=name, Name="live", FunctionVersion="1")["FunctionVersion"] == "1"
    assert [one["Name"] for one in client.list_aliases(FunctionName=name)["Aliases"]] == ["live"]
    with refused("ResourceConflictException", "the following aliases reference it: [live]"):
        client.delete_function(FunctionName=name, Qualifier="1")
    client.delete_alias(FunctionName=name, Name="live")
    with refused("ResourceNotFoundException", f"Cannot find alias arn: {arn}:live"):
        client.get_alias(FunctionName=name, Name="live")
    client.delete_function(FunctionName=name, Qualifier="1")
    with refused("ResourceNotFoundException"):
        client.get_function(FunctionName=name, Qualifier="1")


def test_the_weights_of_an_alias_are_checked_and_kept(account: Account) -> None:
    name = account.make(Publish=True)
    client = account.client
    client.update_function_configuration(FunctionName=name, Timeout=4)
    client.publish_version(FunctionName=name)

    def create(version: str, weights: Mapping[str, float]) -> Any:
        routing = {"AdditionalVersionWeights": weights}
        return client.create_alias(FunctionName=name, Name="live", FunctionVersion=version, RoutingConfig=routing)

    with refused("InvalidParameterValueException", "$LATEST is not supported for an alias pointing to more than 1"):
        create("$LATEST", {"1": 0.5})
    with refused("InvalidParameterValueException", "is already included in routing configuration"):
        create("1", {"1": 0.5})
    with refused("ValidationException", "Map keys must satisfy constraint"):
        create("1", {"$LATEST": 0.5})
    with refused("ValidationException", "Map value must satisfy constraint"):
        create("1", {"2": 1.5})
    assert create("1", {"2": 1.0})["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 1.0}}
    assert invoke(client, f"{name}:live", {})["version"] == "2"
    client.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    assert invoke(client, f"{name}:live", {})["version"] == "1"


# policies


def test_permissions_make_the_policy_of_what_they_were_given_to(account: Account) -> None:
    name = account.make(Publish=True)
    client = account.client
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}:live"
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:topic"
    grant = {"FunctionName": name, "StatementId": "sns", "Action": "lambda:InvokeFunction", "Qualifier": "live"}
    answer = client.add_permission(**grant, Principal="sns.amazonaws.com", SourceArn=topic, SourceAccount=ACCOUNT)
    expected = {
        "Sid": "sns",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceAccount": ACCOUNT}, "ArnLike": {"AWS:SourceArn": topic}},
    }
    assert json.loads(answer["Statement"]) == expected
    policy = json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [expected]}
    with refused("ResourceConflictException", "The statement id (sns) provided already exists"):
        client.add_permission(**grant, Principal="sns.amazonaws.com")
    with refused("ResourceNotFoundException", "The resource you requested does not exist."):
        client.get_policy(FunctionName=name)
    with refused("ResourceNotFoundException", "Statement other is not found in resource policy."):
        client.remove_permission(FunctionName=name, Qualifier="live", StatementId="other")
    client.remove_permission(FunctionName=name, Qualifier="live", StatementId="sns")
    with refused("ResourceNotFoundException", "No policy is associated with the given resource."):
        client.remove_permission(FunctionName=name, Qualifier="live", StatementId="sns")


def test_permissions_that_aws_refuses_are_refused(account: Account) -> None:
    name = account.make()
    client = account.client
    grant = {"FunctionName": name, "StatementId": "one", "Action": "lambda:InvokeFunction"}
    with refused("InvalidParameterValueException", "The provided principal was invalid"):
        client.add_permission(**grant, Principal="somebody")
    with refused("ResourceNotFoundException", "Function not found"):
        client.add_permission(**grant | {"FunctionName": unique("none")}, Principal=ACCOUNT)
    with refused("ResourceNotFoundException", f"{name}:7"):
        client.add_permission(**grant, Principal=ACCOUNT, Qualifier="7")
    with refused("InvalidParameterValueException", "do not support adding policies for $LATEST"):
        client.add_permission(**grant, Principal=ACCOUNT, Qualifier="$LATEST")
    with refused("PolicyLengthExceededException", "is bigger than the limit (20480)"):
        for number in range(100):
            client.add_permission(**grant | {"StatementId": f"{number}-{'x' * 90}"}, Principal=ACCOUNT)

"""The Lambda service as boto3 sees it: functions, versions, aliases, policies, mappings, and real invocations."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.functions.model import FunctionVersion, InvokeOutcome, InvokeRequest
from treadle_local.functions.service import LambdaService

ACCOUNT = "000000000000"
ECHO = """
import os

def handler(event, context):
    return {"event": event, "version": context.function_version, "arn": context.invoked_function_arn,
            "request": context.aws_request_id, "greeting": os.environ.get("GREETING")}
"""
FAILING = """
import os

def handler(event, context):
    print("about to fail")
    with open(os.environ["RUNS"], "a") as runs:
        runs.write("run\\n")
    raise ValueError("no luck")
"""


class Emulator(Protocol):
    endpoint: str

    def client(self, service: str) -> Any: ...

    def advance(self, seconds: float) -> None: ...


def zipped(source: str, name: str = "app.py") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), source)
    return buffer.getvalue()


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "the condition did not become true in time"


@contextmanager
def refused(code: str, words: str = "") -> Generator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response.get("Error", {})
    assert (error.get("Code"), words in error.get("Message", "")) == (code, True), error


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_role(emulator: Emulator, service: str = "lambda.amazonaws.com", actions: tuple[str, ...] = ()) -> str:
    iam = emulator.client("iam")
    name = fresh("role")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"]
    if actions:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=document)
    return arn


def make_queue(emulator: Emulator, **attributes: str) -> tuple[str, str]:
    name = fresh("queue")
    url: str = emulator.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


@dataclass(frozen=True)
class Account:
    """A role that may do everything with queues, and functions made with it."""

    emulator: Emulator
    client: Any
    role: str

    def make(self, source: str = ECHO, **settings: Any) -> str:
        name = fresh("function")
        self.client.create_function(**(self.settings(source) | {"FunctionName": name} | settings))
        return name

    def settings(self, source: str = ECHO) -> dict[str, Any]:
        return {
            "FunctionName": fresh("function"),
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Role": self.role,
            "Code": {"ZipFile": zipped(source)},
        }


@pytest.fixture
def account(emulator: Emulator) -> Account:
    return Account(
        emulator,
        emulator.client("lambda"),
        make_role(emulator, actions=("sqs:*", "dynamodb:*", "lambda:InvokeFunction", "logs:*")),
    )


def invoke(client: Any, name: str, payload: object, **more: Any) -> Any:
    answer = client.invoke(FunctionName=name, Payload=json.dumps(payload).encode(), **more)
    return json.loads(answer["Payload"].read())


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
    if "Error" in code:  # the address is offered only where the endpoint serves it
        pytest.skip(code["Error"]["Message"])
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
        (
            {"Layers": [f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:x:1"]},
            "InvalidParameterValueException",
            "Layers of a function is not in Treadle's emulator yet",
        ),
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
    s3, bucket = account.emulator.client("s3"), fresh("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="code.zip", Body=zipped(ECHO))
    name = account.make(Code={"S3Bucket": bucket, "S3Key": "code.zip"})
    assert account.client.get_function(FunctionName=name)["Configuration"]["CodeSize"] == len(zipped(ECHO))
    with refused("InvalidParameterValueException", "S3 Error Code: NoSuchKey"):
        account.make(Code={"S3Bucket": bucket, "S3Key": "other.zip"})
    with refused("InvalidParameterValueException", "S3 Error Code: NoSuchBucket"):
        account.client.update_function_code(FunctionName=name, S3Bucket=fresh("bucket"), S3Key="code.zip")


def test_a_package_that_unzips_to_more_than_250_mb_is_refused(account: Account) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(10):
            archive.writestr(f"zeros-{number}", bytes(25 * 1024 * 1024))
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
        ("publish_layer_version", {"LayerName": "x", "Content": {"ZipFile": b"x"}}),
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
        client.create_alias(FunctionName=fresh("none"), Name="live", FunctionVersion="$LATEST")
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
        client.add_permission(**grant | {"FunctionName": fresh("none")}, Principal=ACCOUNT)
    with refused("ResourceNotFoundException", f"{name}:7"):
        client.add_permission(**grant, Principal=ACCOUNT, Qualifier="7")
    with refused("InvalidParameterValueException", "do not support adding policies for $LATEST"):
        client.add_permission(**grant, Principal=ACCOUNT, Qualifier="$LATEST")
    with refused("PolicyLengthExceededException", "is bigger than the limit (20480)"):
        for number in range(100):
            client.add_permission(**grant | {"StatementId": f"{number}-{'x' * 90}"}, Principal=ACCOUNT)


# invocation


def test_a_function_answers_and_knows_how_it_was_invoked(account: Account) -> None:
    name = account.make(Environment={"Variables": {"GREETING": "hello"}}, Publish=True)
    client = account.client
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    answer = client.invoke(FunctionName=name, Payload=b'{"a": [1, 2.5, "\xc3\xa9"]}')
    document = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["ExecutedVersion"], "FunctionError" in answer) == (200, "$LATEST", False)
    assert document["event"] == {"a": [1, 2.5, "é"]}
    assert (document["arn"], document["greeting"]) == (arn, "hello")
    pinned = invoke(client, name, {}, Qualifier="1")
    assert (pinned["version"], pinned["arn"]) == ("1", f"{arn}:1")
    assert json.loads(client.invoke(FunctionName=name)["Payload"].read())["event"] == {}


def test_new_code_is_what_runs_next(account: Account) -> None:
    name = account.make("def handler(event, context):\n    return 'old'\n")
    assert invoke(account.client, name, {}) == "old"
    account.client.update_function_code(
        FunctionName=name, ZipFile=zipped("def handler(event, context):\n    return 'new'\n")
    )
    assert invoke(account.client, name, {}) == "new"


def test_a_failing_function_is_reported_with_its_log(account: Account, tmp_path: Path) -> None:
    name = account.make(FAILING, Environment={"Variables": {"RUNS": str(tmp_path / "runs")}})
    answer = account.client.invoke(FunctionName=name, LogType="Tail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    document = json.loads(answer["Payload"].read())
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "no luck")
    assert "about to fail" in base64.b64decode(answer["LogResult"]).decode()


def test_a_dry_run_invokes_nothing(account: Account, tmp_path: Path) -> None:
    name = account.make(FAILING, Environment={"Variables": {"RUNS": str(tmp_path / "runs")}})
    assert account.client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    assert not (tmp_path / "runs").exists()


def test_payloads_that_aws_refuses_are_refused(account: Account) -> None:
    name = account.make()
    with refused("InvalidRequestContentException", "Could not parse request body into json"):
        account.client.invoke(FunctionName=name, Payload=b"{no json")
    with refused("RequestTooLargeException", "1048577 byte payload is too large for the Event invocation type"):
        account.client.invoke(FunctionName=name, InvocationType="Event", Payload=b'"' + b"x" * 1_048_575 + b'"')
    with refused("RequestTooLargeException", "Request must be smaller than 6291556 bytes"):
        account.client.invoke(FunctionName=name, Payload=b'"' + b"x" * 6_291_556 + b'"')
    with refused("InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."):
        account.client.invoke(FunctionName=name, ClientContext="no base64!")


def test_reserved_concurrency_of_zero_throttles(account: Account) -> None:
    name = account.make()
    session: Any = boto3.session.Session()
    client = session.client(
        "lambda",
        endpoint_url=account.emulator.endpoint,
        region_name="us-east-1",
        aws_access_key_id="root",
        aws_secret_access_key="root",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    with refused("TooManyRequestsException", "Rate Exceeded."):
        client.invoke(FunctionName=name)
    client.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert invoke(client, name, 1)["event"] == 1
    with refused("InvalidParameterValueException", "below its minimum value of [100]"):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901)


def test_a_failed_asynchronous_event_is_run_three_times_and_then_recorded(account: Account, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    url, arn = make_queue(account.emulator)
    name = account.make(FAILING, Environment={"Variables": {"RUNS": str(runs)}})
    account.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    answer = account.client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202
    eventually(runs.exists)
    received: list[Any] = []
    sqs = account.emulator.client("sqs")

    def arrived() -> bool:
        account.emulator.advance(1)
        received.extend(sqs.receive_message(QueueUrl=url).get("Messages", []))
        return bool(received)

    eventually(arrived)
    record = json.loads(received[0]["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"n": 1}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responsePayload"]["errorMessage"] == "no luck"
    assert runs.read_text() == "run\n" * 3


def test_the_settings_of_asynchronous_invocation_are_kept_per_qualifier(account: Account) -> None:
    name = account.make(Publish=True)
    client = account.client
    _, arn = make_queue(account.emulator)
    with refused("ResourceNotFoundException", "$LATEST doesn't have an EventInvokeConfig"):
        client.get_function_event_invoke_config(FunctionName=name)
    client.put_function_event_invoke_config(FunctionName=name, Qualifier="1", MaximumRetryAttempts=0)
    updated = client.update_function_event_invoke_config(
        FunctionName=name,
        Qualifier="1",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnSuccess": {"Destination": arn}},
    )
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (0, 60)
    assert updated["DestinationConfig"] == {"OnSuccess": {"Destination": arn}, "OnFailure": {}}
    put = client.put_function_event_invoke_config(FunctionName=name, Qualifier="1", MaximumEventAgeInSeconds=90)
    assert "MaximumRetryAttempts" not in put
    assert len(client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]) == 1
    client.delete_function_event_invoke_config(FunctionName=name, Qualifier="1")
    with refused("InvalidParameterValueException", "at least one of error handling or destination setting"):
        client.put_function_event_invoke_config(FunctionName=name)
    with refused("InvalidParameterValueException", "You can't specify the function as a destination for itself."):
        itself = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
        client.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnFailure": {"Destination": itself}}
        )
    powerless = account.make(Role=make_role(account.emulator))
    with refused("InvalidParameterValueException", "does not have permissions to call SendMessage on"):
        client.put_function_event_invoke_config(
            FunctionName=powerless, DestinationConfig={"OnFailure": {"Destination": arn}}
        )


# event source mappings


def test_a_mapping_is_made_changed_found_and_deleted(account: Account) -> None:
    name = account.make()
    client = account.client
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
    _, arn = make_queue(account.emulator)
    made = client.create_event_source_mapping(
        EventSourceArn=arn, FunctionName=f"{name}:live", FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    assert (made["BatchSize"], made["State"], made["FunctionArn"].rpartition(":")[2]) == (10, "Enabled", "live")
    updated = client.update_event_source_mapping(
        UUID=made["UUID"],
        BatchSize=100,
        MaximumBatchingWindowInSeconds=1,
        ScalingConfig={"MaximumConcurrency": 2},
        FilterCriteria={"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]},
        Enabled=False,
    )
    assert (updated["State"], updated["ScalingConfig"]) == ("Disabled", {"MaximumConcurrency": 2})
    found = client.get_event_source_mapping(UUID=made["UUID"])
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    cleared = client.update_event_source_mapping(UUID=made["UUID"], ScalingConfig={}, FilterCriteria={})
    assert "ScalingConfig" not in cleared
    assert "FilterCriteria" not in cleared
    listed = client.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
    assert [one["UUID"] for one in listed] == [made["UUID"]]
    assert client.delete_event_source_mapping(UUID=made["UUID"])["State"] == "Deleting"
    with refused("ResourceNotFoundException", "The resource you requested does not exist."):
        client.get_event_source_mapping(UUID=made["UUID"])


def test_a_second_mapping_of_the_same_queue_and_function_is_refused(account: Account) -> None:
    name = account.make()
    client = account.client
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
    _, arn = make_queue(account.emulator)
    made = client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)
    client.create_event_source_mapping(EventSourceArn=arn, FunctionName=f"{name}:live")
    with refused("ResourceConflictException", f"update or delete the existing mapping with UUID {made['UUID']}"):
        client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ({"FunctionName": "nobody"}, "InvalidParameterValueException", "Function does not exist"),
        ({"BatchSize": 11}, "InvalidParameterValueException", "batch window in seconds must be greater than 0"),
        ({"BatchSize": 10_001}, "ValidationException", "at 'batchSize'"),
        ({"ScalingConfig": {"MaximumConcurrency": 1001}}, "ValidationException", "'scalingConfig.maximumConcurrency'"),
        ({"MaximumBatchingWindowInSeconds": 301}, "ValidationException", "'maximumBatchingWindowInSeconds'"),
        ({"StartingPosition": "LATEST"}, "InvalidParameterValueException", "StartingPosition is not valid for SQS"),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}},
            "InvalidParameterValueException",
            "Invalid filter pattern definition.",
        ),
        (
            {"EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:no-queue"},
            "InvalidParameterValueException",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (
            {"EventSourceArn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/x"},
            "InvalidParameterValueException",
            "kinesis is not in Treadle's emulator yet",
        ),
        ({"Topics": ["topic"]}, "InvalidParameterValueException", "Topics of an event source mapping"),
    ],
)
def test_what_aws_refuses_in_a_mapping_is_refused(
    account: Account, setting: dict[str, Any], code: str, words: str
) -> None:
    _, arn = make_queue(account.emulator)
    with refused(code, words):
        wanted: dict[str, Any] = {"EventSourceArn": arn, "FunctionName": account.make()}
        account.client.create_event_source_mapping(**wanted | setting)
    assert account.client.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"] == []


def test_a_queue_that_hides_messages_for_less_than_the_functions_timeout_is_refused(account: Account) -> None:
    name = account.make(Timeout=31)
    _, arn = make_queue(account.emulator, VisibilityTimeout="30")
    with refused(
        "InvalidParameterValueException",
        "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds",
    ):
        account.client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)


def test_a_role_that_may_not_read_the_queue_is_refused(account: Account) -> None:
    name = account.make(Role=make_role(account.emulator, actions=("sqs:SendMessage",)))
    _, arn = make_queue(account.emulator)
    with refused(
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
    ):
        account.client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)


# the timing of asynchronous invocations, to the second


@dataclass
class Surroundings:
    """A backing whose functions answer from a script; everything else is allowed."""

    clock: ManualClock
    answers: list[InvokeOutcome | AwsError]
    runs: list[float] = field(default_factory=list[float])
    sent: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    async def read_object(self, bucket: str, key: str) -> bytes:
        raise AwsError("NoSuchKey", "The specified key does not exist.", status=404)

    def trusts(self, role_arn: str, service_principal: str) -> bool | None:
        return True

    def role_allows(self, role_arn: str, action: str, resource: str) -> bool:
        return True

    async def invoke(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        self.runs.append(self.clock.now())
        answer = self.answers.pop(0)
        if isinstance(answer, AwsError):
            raise answer
        return answer

    def source_exists(self, arn: str) -> bool:
        return True

    def queue_visibility_timeout(self, arn: str) -> int | None:
        return None

    def function_changed(self, name: str) -> None:
        return

    def mappings_changed(self) -> None:
        return

    async def send_to(self, destination_arn: str, body: str) -> None:
        self.sent.append((destination_arn, json.loads(body)))


FAILED = InvokeOutcome(b'{"errorMessage": "no"}', "Unhandled")
SUCCEEDED = InvokeOutcome(b'"yes"')
THROTTLED = AwsError("TooManyRequestsException", "Rate Exceeded.", status=429)
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:destination"


@dataclass
class Scene:
    surroundings: Surroundings
    service: LambdaService
    dropped: list[str]

    async def call(self, operation: str, **params: Any) -> Any:
        result = self.service.handle(operation, {"FunctionName": "f", **params}, ROOT)
        return result if isinstance(result, dict) else await result

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: int) -> None:
        """Lets time pass second by second, with all that happens in each."""
        for _ in range(seconds):
            await self.settle()
            self.surroundings.clock.advance(1)
        await self.settle()

    def runs(self) -> list[float]:
        return self.surroundings.runs

    def conditions(self) -> list[tuple[str, int]]:
        contexts = [body["requestContext"] for _, body in self.surroundings.sent]
        return [(context["condition"], context["approximateInvokeCount"]) for context in contexts]


def play(answers: list[InvokeOutcome | AwsError], script: Callable[[Scene], Coroutine[Any, Any, None]]) -> Scene:
    async def run() -> Scene:
        clock, dropped = ManualClock(0.0), list[str]()
        surroundings = Surroundings(clock, answers)
        service = LambdaService(Region(), clock, surroundings, lambda _, reason: dropped.append(reason))
        scene = Scene(surroundings, service, dropped)
        role = f"arn:aws:iam::{ACCOUNT}:role/any"
        code = {"ZipFile": zipped(ECHO)}
        await scene.call("CreateFunction", Role=role, Runtime="python3.13", Handler="app.handler", Code=code)
        await script(scene)
        await service.close()
        return scene

    return asyncio.run(run())


def test_retries_come_after_one_and_then_two_minutes() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(400)

    scene = play([FAILED, FAILED, FAILED], script)
    assert scene.runs() == [0.0, 60.0, 180.0]
    assert scene.dropped == ['an asynchronous event was dropped: RetriesExhausted after 3 runs: {"errorMessage": "no"}']


def test_a_success_after_a_retry_is_recorded_once() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("PutFunctionEventInvokeConfig", DestinationConfig={"OnSuccess": {"Destination": QUEUE}})
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(100)

    scene = play([FAILED, SUCCEEDED], script)
    assert scene.conditions() == [("Success", 2)]
    assert scene.surroundings.sent[0][1]["responsePayload"] == "yes"
    assert scene.dropped == []


def test_no_retry_is_made_where_none_is_wanted() -> None:
    async def script(scene: Scene) -> None:
        destination = {"OnFailure": {"Destination": QUEUE}}
        await scene.call("PutFunctionEventInvokeConfig", MaximumRetryAttempts=0, DestinationConfig=destination)
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(400)

    scene = play([FAILED], script)
    assert scene.conditions() == [("RetriesExhausted", 1)]


def test_an_event_older_than_its_maximum_age_is_given_up() -> None:
    async def script(scene: Scene) -> None:
        destination = {"OnFailure": {"Destination": QUEUE}}
        await scene.call("PutFunctionEventInvokeConfig", MaximumEventAgeInSeconds=100, DestinationConfig=destination)
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(99)
        assert scene.conditions() == []
        await scene.pass_time(1)

    scene = play([FAILED, FAILED], script)
    assert scene.runs() == [0.0, 60.0]
    assert scene.conditions() == [("EventAgeExceeded", 2)]


def test_throttles_back_off_and_count_as_no_attempt() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("PutFunctionEventInvokeConfig", DestinationConfig={"OnSuccess": {"Destination": QUEUE}})
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(10)

    scene = play([THROTTLED, THROTTLED, THROTTLED, SUCCEEDED], script)
    assert scene.runs() == [0.0, 1.0, 3.0, 7.0]
    assert scene.conditions() == [("Success", 1)]


def test_reserved_concurrency_of_zero_sends_events_straight_to_the_failure_destination() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("PutFunctionEventInvokeConfig", DestinationConfig={"OnFailure": {"Destination": QUEUE}})
        await scene.call("PutFunctionConcurrency", ReservedConcurrentExecutions=0)
        await scene.call("Invoke", InvocationType="Event", Payload=b"[1]")
        await scene.settle()

    scene = play([], script)
    assert scene.conditions() == [("ZeroReservedConcurrency", 0)]
    assert scene.surroundings.sent[0][1]["requestPayload"] == [1]


def test_an_event_of_a_function_that_is_deleted_meanwhile_is_reported() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("Invoke", InvocationType="Event")
        await scene.settle()
        await scene.call("DeleteFunction")
        await scene.pass_time(61)

    scene = play([FAILED], script)
    assert len(scene.dropped) == 1
    assert "Function not found" in scene.dropped[0]


def test_events_that_are_not_done_when_the_emulator_stops_are_reported() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(5)

    scene = play([FAILED], script)
    assert scene.dropped == ["an asynchronous event was dropped: the emulator stopped before it was done"]

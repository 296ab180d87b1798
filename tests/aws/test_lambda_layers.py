"""Layers as boto3, the AWS CLI and CloudFormation see them, and as a function's imports do."""

from __future__ import annotations

import asyncio
import io
import json
import stat
import urllib.request
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.aws import ACCOUNT, unique
from support.bounds import check_bound, unchecked
from support.dev import Dev
from support.judges import Ministack, aws_cli_json
from support.lambda_account import ECHO, Account, invoke, refused, zipped
from support.policies import allow
from support.roles import new_session
from support.stacks import create, delete, physical_ids, update
from support.templates import ref, template
from treadle_local.functions.code import package
from treadle_local.functions.layers import Layers
from treadle_local.functions.model import FunctionVersion, LoggingSettings

MISSING = "The resource you requested does not exist."
INVALID = "InvalidParameterValueException"
UNZIPPED_BYTES = 262_144_000
IMPORTING = """
import first, shared

def handler(event, context):
    return [first.NAME, shared.NAME, first.__file__.rsplit("/python/", 1)[1]]
"""


def layer_zip(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def said_to_be(size: int) -> bytes:
    """A zip of one file that is said to have this many bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("zeros", (1980, 1, 1, 0, 0, 0)), b"")
        archive.getinfo("zeros").file_size = size
    return buffer.getvalue()


def publish(client: Any, name: str, content: bytes = b"", **settings: Any) -> dict[str, Any]:
    zip_file = content or layer_zip({"python/first.py": "NAME = 'first'"})
    published: dict[str, Any] = client.publish_layer_version(LayerName=name, Content={"ZipFile": zip_file}, **settings)
    return published


def arn(name: str, number: int = 1) -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:{name}:{number}"


# the life of a layer


def test_a_published_version_is_told_in_every_way_and_can_be_downloaded(account: Account) -> None:
    client, name = account.client, unique("layer")
    content = layer_zip({"python/one.py": ""})
    settings = {
        "Description": "what all need",
        "CompatibleRuntimes": ["python3.13", "python3.12"],
        "CompatibleArchitectures": ["arm64"],
        "LicenseInfo": "MIT",
    }
    published = publish(client, name, content, **settings)
    assert published["LayerVersionArn"] == arn(name)
    assert published["LayerArn"] == arn(name).removesuffix(":1")
    assert {key: published[key] for key in settings} == settings
    assert published["Content"]["CodeSize"] == len(content)
    same = [
        client.get_layer_version(LayerName=name, VersionNumber=1),
        client.get_layer_version(LayerName=published["LayerArn"], VersionNumber=1),
        client.get_layer_version_by_arn(Arn=published["LayerVersionArn"]),
    ]
    for found in same:
        del found["ResponseMetadata"]
        assert found == {key: value for key, value in published.items() if key != "ResponseMetadata"}
    with urllib.request.urlopen(same[0]["Content"]["Location"], timeout=10) as answer:
        assert answer.read() == content


def test_numbers_go_on_after_versions_are_deleted(account: Account) -> None:
    client, name = account.client, unique("layer")
    assert [publish(client, name)["Version"] for _ in range(3)] == [1, 2, 3]
    client.delete_layer_version(LayerName=name, VersionNumber=3)
    client.delete_layer_version(LayerName=name, VersionNumber=3)
    assert [one["Version"] for one in client.list_layer_versions(LayerName=name)["LayerVersions"]] == [2, 1]
    assert publish(client, name)["Version"] == 4
    with refused("ResourceNotFoundException", MISSING):
        client.get_layer_version(LayerName=name, VersionNumber=3)


def test_listings_are_filtered_and_paged(account: Account) -> None:
    client, names = account.client, sorted(unique("layer") for _ in range(2))
    for name in names:
        publish(client, name, CompatibleRuntimes=["ruby3.4"])
        publish(client, name, CompatibleRuntimes=["java25"], CompatibleArchitectures=["arm64"])
    for setting, number in (({"CompatibleRuntime": "ruby3.4"}, 1), ({"CompatibleArchitecture": "arm64"}, 2)):
        pages = client.get_paginator("list_layers").paginate(PaginationConfig={"PageSize": 1}, **setting)
        listed = [layer for page in pages for layer in page["Layers"] if layer["LayerName"] in names]
        assert [(one["LayerName"], one["LatestMatchingVersion"]["Version"]) for one in listed] == [
            (name, number) for name in names
        ]
        versions = client.list_layer_versions(LayerName=names[0], **setting)["LayerVersions"]
        assert [one["Version"] for one in versions] == [number]
    pages = client.get_paginator("list_layer_versions").paginate(LayerName=names[0], PaginationConfig={"PageSize": 1})
    assert [[one["Version"] for one in page["LayerVersions"]] for page in pages] == [[2], [1]]
    assert client.list_layer_versions(LayerName=unique("layer"))["LayerVersions"] == []


def test_a_layer_is_read_from_s3(account: Account) -> None:
    s3, bucket, content = account.emulator.client("s3"), unique("bucket"), layer_zip({"python/one.py": ""})
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="layer.zip", Body=content)
    place = {"S3Bucket": bucket, "S3Key": "layer.zip"}
    published = account.client.publish_layer_version(LayerName=unique("layer"), Content=place)
    assert published["Content"]["CodeSize"] == len(content)
    with refused(INVALID, "S3 Error Code: NoSuchKey"):
        account.client.publish_layer_version(LayerName=unique("layer"), Content=place | {"S3Key": "other.zip"})


# layers of functions


def test_a_function_imports_from_its_layers_and_the_later_one_wins(account: Account) -> None:
    client, one, two = account.client, unique("layer"), unique("layer")
    packages = "python/lib/python3.13/site-packages"
    files = {f"{packages}/first.py": "NAME = 'first'", "python/shared.py": "NAME = 'one'"}
    arns = [
        publish(client, one, layer_zip(files))["LayerVersionArn"],
        publish(client, two, layer_zip({"python/shared.py": "NAME = 'two'"}))["LayerVersionArn"],
    ]
    name = account.make(IMPORTING, Layers=arns)
    assert invoke(client, name, {}) == ["first", "two", "lib/python3.13/site-packages/first.py"]
    changed = client.update_function_configuration(FunctionName=name, Layers=arns[::-1])
    assert [layer["Arn"] for layer in changed["Layers"]] == arns[::-1]
    assert changed["Layers"][1]["CodeSize"] == len(layer_zip(files))
    assert invoke(client, name, {})[1] == "one"
    assert "Layers" not in client.update_function_configuration(FunctionName=name, Layers=[])
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    assert "No module named 'first'" in json.loads(answer["Payload"].read())["errorMessage"]


def test_a_functions_own_module_comes_before_a_layers_and_a_layers_before_the_runtimes(account: Account) -> None:
    content = layer_zip({"python/app.py": "no python at all", "python/boto3.py": "NAME = 'of the layer'"})
    layer = publish(account.client, unique("layer"), content)["LayerVersionArn"]
    name = account.make("import boto3\n\ndef handler(event, context):\n    return boto3.NAME\n", Layers=[layer])
    assert invoke(account.client, name, {}) == "of the layer"


def test_a_function_keeps_a_layer_that_is_deleted_and_no_other_gets_it(account: Account) -> None:
    client, layer = account.client, unique("layer")
    used = publish(client, layer)["LayerVersionArn"]
    source = "import first\n\ndef handler(event, context):\n    return first.NAME\n"
    name = account.make(source, Layers=[used], Publish=True)
    client.delete_layer_version(LayerName=layer, VersionNumber=1)
    changed = client.update_function_configuration(FunctionName=name, Timeout=4)
    assert [one["Arn"] for one in changed["Layers"]] == [used]
    assert [invoke(client, f"{name}{qualifier}", {}) for qualifier in ("", ":1")] == ["first", "first"]
    with refused(INVALID, f"Layer version {used} does not exist."):
        account.make(Layers=[used])


def test_what_aws_refuses_in_the_layers_of_a_function_is_refused(account: Account) -> None:
    client = account.client
    layers = [publish(client, unique("layer"))["LayerVersionArn"] for _ in range(6)]
    name = account.make()
    second = publish(client, layers[0].split(":")[6])["LayerVersionArn"]
    one_layer = f"{layers[0]} and {second} are versions of the same layer."
    with unchecked(account.emulator, "lambda") as anything:
        update = anything.update_function_configuration
        check_bound(
            update,
            {"FunctionName": name, "Layers": layers[:5]},
            {"FunctionName": name, "Layers": layers},
            INVALID,
            "Cannot reference more than 5 layers.",
        )
        for wrong, code, words in (
            ([layers[0], second], INVALID, f"in the same function. {one_layer}"),
            ([arn("nothing")], INVALID, f"Layer version {arn('nothing')} does not exist."),
            ([layers[0].replace("us-east-1", "eu-west-1")], INVALID, "expected to be in region us-east-1."),
            ([layers[0].removesuffix(":1")], "ValidationException", "at 'layers' failed to satisfy constraint"),
            ([layers[0].replace(ACCOUNT, "017000801446")], INVALID, "a layer of another account is not in Treadle's"),
        ):
            with refused(code, words):
                update(FunctionName=name, Layers=wrong)
            with refused(code, words):
                anything.create_function(**account.settings() | {"Layers": wrong})
    assert len(client.get_function_configuration(FunctionName=name)["Layers"]) == 5


def test_code_and_layers_have_250_mb_together(account: Account) -> None:
    client = account.client
    code = len(ECHO)
    fits, more = (
        publish(client, unique("layer"), said_to_be(UNZIPPED_BYTES - code + extra))["LayerVersionArn"]
        for extra in (0, 1)
    )
    words = f"of {UNZIPPED_BYTES} bytes. The actual size is {UNZIPPED_BYTES + 1} bytes."
    check_bound(account.make, {"Layers": [fits]}, {"Layers": [more]}, INVALID, words)
    name = account.make(Layers=[fits])
    with refused(INVALID, words):
        client.update_function_code(FunctionName=name, ZipFile=zipped(f"{ECHO}#"))
    with refused(INVALID, f"Layers consume more than the available size of {UNZIPPED_BYTES} bytes"):
        client.update_function_configuration(FunctionName=name, Layers=[fits, more])


def test_what_aws_refuses_in_a_layer_is_refused(account: Account) -> None:
    with unchecked(account.emulator, "lambda") as client:
        call = client.publish_layer_version
        base = {"LayerName": unique("layer"), "Content": {"ZipFile": layer_zip({"a": ""})}}
        cases: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
            (
                {"Description": "x" * 256},
                {"Description": "x" * 257},
                "ValidationException",
                "less than or equal to 256",
            ),
            (
                {"LicenseInfo": "x" * 512},
                {"LicenseInfo": "x" * 513},
                "ValidationException",
                "less than or equal to 512",
            ),
            ({"LayerName": "x" * 140}, {"LayerName": "x" * 141}, "ValidationException", "at 'layerName'"),
            (
                {"CompatibleRuntimes": ["python3.13"] * 15},
                {"CompatibleRuntimes": ["python3.13"] * 16},
                "ValidationException",
                "less than or equal to 15",
            ),
            (
                {"Content": {"ZipFile": said_to_be(UNZIPPED_BYTES - 1)}},
                {"Content": {"ZipFile": said_to_be(UNZIPPED_BYTES)}},
                INVALID,
                f"Unzipped size must be smaller than {UNZIPPED_BYTES} bytes",
            ),
            ({}, {"CompatibleRuntimes": ["python4.0"]}, "ValidationException", "Value '[python4.0]' at"),
            ({}, {"CompatibleArchitectures": ["x86"]}, "ValidationException", "[x86_64, arm64]"),
            ({}, {"Content": {"ZipFile": b"no zip"}}, INVALID, "Could not unzip uploaded file"),
            ({}, {"Content": {}}, INVALID, "Please provide a source"),
        ]
        for taken, beyond, code, words in cases:
            check_bound(call, base | taken, base | beyond, code, words)
        with refused(INVALID, "Layer Version Cannot be less than 1."):
            client.get_layer_version(LayerName=base["LayerName"], VersionNumber=0)
        for missing in ({"LayerName": unique("layer"), "VersionNumber": 1}, base | {"VersionNumber": 99}):
            with refused("ResourceNotFoundException", MISSING):
                client.get_layer_version(LayerName=missing["LayerName"], VersionNumber=missing["VersionNumber"])
        with refused("ValidationException", "at 'arn' failed to satisfy constraint"):
            client.get_layer_version_by_arn(Arn=arn("x").removesuffix(":1"))


# permissions


def test_a_layer_version_has_a_policy(account: Account) -> None:
    client, name = account.client, unique("layer")
    publish(client, name)
    version = {"LayerName": name, "VersionNumber": 1}
    granted = {"Action": "lambda:GetLayerVersion", "Principal": "*"}
    with refused("ResourceNotFoundException", "No policy is associated with the given resource."):
        client.get_layer_version_policy(**version)
    added = client.add_layer_version_permission(**version, StatementId="all", OrganizationId="o-abcdefghij", **granted)
    assert json.loads(added["Statement"]) == {
        "Sid": "all",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": arn(name),
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
    }
    found = client.get_layer_version_policy(**version)
    assert found["RevisionId"] == added["RevisionId"]
    assert json.loads(found["Policy"])["Statement"] == [json.loads(added["Statement"])]
    with refused("ResourceConflictException", "The statement id (all) provided already exists."):
        client.add_layer_version_permission(**version, StatementId="all", **granted)
    with refused("PreconditionFailedException", "Call the GetLayerPolicy API"):
        client.add_layer_version_permission(**version, StatementId="more", RevisionId="old", **granted)
    with refused("ResourceNotFoundException", f"Layer version {arn(name, 2)} does not exist."):
        client.add_layer_version_permission(LayerName=name, VersionNumber=2, StatementId="all", **granted)
    with refused("ResourceNotFoundException", "Statement other is not found in resource policy."):
        client.remove_layer_version_permission(**version, StatementId="other")
    with refused("ValidationException", "at 'action' failed to satisfy constraint"):
        client.add_layer_version_permission(**version, StatementId="x", Action="lambda:Get", Principal="*")
    client.remove_layer_version_permission(**version, StatementId="all")
    with refused("ResourceNotFoundException", "No policy is associated with the given resource."):
        client.get_layer_version_policy(**version)


def test_who_gives_a_function_a_layer_must_be_allowed_to_read_it(account: Account) -> None:
    layer = publish(account.client, unique("layer"))["LayerVersionArn"]
    makes = allow(["lambda:CreateFunction", "iam:PassRole"])
    client = account.emulator.client("lambda", new_session(account.emulator, makes))
    client.create_function(**account.settings())
    with refused("AccessDeniedException", f"lambda:GetLayerVersion on resource: {layer}"):
        client.create_function(**account.settings() | {"Layers": [layer]})
    reads = allow(["lambda:GetLayerVersion"], layer)
    client = account.emulator.client("lambda", new_session(account.emulator, makes, reads))
    client.create_function(**account.settings() | {"Layers": [layer]})
    client.get_layer_version_by_arn(Arn=layer)
    with refused("AccessDeniedException", "lambda:PublishLayerVersion on resource"):
        publish(client, unique("layer"))


# other doors


def test_the_aws_cli_publishes_a_layer(emulator: Dev, tmp_path: Path) -> None:
    name, archive = unique("layer"), tmp_path / "layer.zip"
    archive.write_bytes(layer_zip({"python/one.py": ""}))
    publishing = ("lambda", "publish-layer-version", "--layer-name", name, "--zip-file", f"fileb://{archive}")
    published = aws_cli_json(emulator.endpoint, *publishing, "--compatible-runtimes", "python3.13")
    listed = aws_cli_json(emulator.endpoint, "lambda", "list-layer-versions", "--layer-name", name)
    assert [one["LayerVersionArn"] for one in listed["LayerVersions"]] == [published["LayerVersionArn"]]


def test_a_stack_replaces_a_layer_that_changes_and_its_function_goes_on(account: Account) -> None:
    s3, bucket, name = account.emulator.client("s3"), unique("bucket"), unique("layers")
    cloudformation, layer_name = account.emulator.client("cloudformation"), unique("layer")
    s3.create_bucket(Bucket=bucket)
    for text in ("old", "new"):
        s3.put_object(Bucket=bucket, Key=text, Body=layer_zip({"python/first.py": f"NAME = '{text}'"}))
    source = "import first\n\ndef handler(event, context):\n    return first.NAME\n"

    def body(key: str) -> str:
        layer = {"LayerName": layer_name, "Content": {"S3Bucket": bucket, "S3Key": key}, "Description": key}
        function = {"Code": {"ZipFile": source}, "Handler": "index.handler", "Role": account.role}
        permission = {"LayerVersionArn": ref("Layer"), "Action": "lambda:GetLayerVersion", "Principal": ACCOUNT}
        return template(
            {
                "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": layer},
                "Open": {"Type": "AWS::Lambda::LayerVersionPermission", "Properties": permission},
                "Function": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {**function, "Runtime": "python3.13", "Layers": [ref("Layer")]},
                },
            }
        )

    assert create(cloudformation, name, body("old")) == "CREATE_COMPLETE"
    before = physical_ids(cloudformation, name)
    assert before["Layer"] == arn(layer_name)
    assert before["Open"].startswith(f"{before['Layer']}#")
    assert invoke(account.client, before["Function"], {}) == "old"
    drift = cloudformation.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    found = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=drift)
    assert found["StackDriftStatus"] == "IN_SYNC"
    assert update(cloudformation, name, body("new")) == "UPDATE_COMPLETE"
    after = physical_ids(cloudformation, name)
    assert (after["Layer"], after["Function"]) == (arn(layer_name, 2), before["Function"])
    assert invoke(account.client, after["Function"], {}) == "new"
    with pytest.raises(ClientError, match=MISSING):
        account.client.get_layer_version_by_arn(Arn=before["Layer"])
    assert delete(cloudformation, name) == "GONE"
    assert account.client.list_layer_versions(LayerName=layer_name)["LayerVersions"] == []


def test_ministack_says_the_same_of_layers(emulator: Dev, ministack: Ministack) -> None:
    name = unique("layer")

    def told(client: Any) -> list[object]:
        said: list[object] = []
        for number in range(2):
            published = publish(client, name, Description=str(number), CompatibleRuntimes=["python3.13"])
            said.append({key: published[key] for key in ("LayerVersionArn", "Version", "Description")})
            said.append(published["Content"]["CodeSha256"])
        client.delete_layer_version(LayerName=name, VersionNumber=2)
        said.append(publish(client, name)["Version"])
        said.append([one["Version"] for one in client.list_layer_versions(LayerName=name)["LayerVersions"]])
        for number in (0, 2):
            with pytest.raises(ClientError) as caught:
                client.get_layer_version(LayerName=name, VersionNumber=number)
            said.append(caught.value.response.get("Error"))
        client.add_layer_version_permission(
            LayerName=name, VersionNumber=1, StatementId="a", Action="lambda:GetLayerVersion", Principal="*"
        )
        said.append(json.loads(client.get_layer_version_policy(LayerName=name, VersionNumber=1)["Policy"]))
        return said

    assert told(emulator.client("lambda")) == told(ministack.client("lambda"))


# on the disk


def version_with(*contents: bytes) -> FunctionVersion:
    packages = tuple(package(content) for content in contents)
    names = tuple(arn(f"layer-{number}") for number in range(len(contents)))
    settings = ("f", "1", arn("f"), "python3.13", "app.handler", "role", packages[0], LoggingSettings("logs"))
    return FunctionVersion(*settings, layers=names, layer_packages=packages)


def test_nothing_of_a_layer_gets_out_of_its_folder(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../outside", "x")
        archive.writestr("/absolute", "x")
        archive.writestr("a/../../outside", "x")
        for name, target in (("up", "../.."), ("way", "/etc"), ("inner", "lib/tool"), ("round", "round")):
            link = zipfile.ZipInfo(name)
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, target)
        archive.writestr("way/passwd", "x")
        tool = zipfile.ZipInfo("lib/tool")
        tool.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(tool, "#!/bin/sh")
    layers, version = Layers(tmp_path / "cache"), version_with(buffer.getvalue())
    (folder,) = asyncio.run(layers.folders(version))
    everything = sorted(str(path.relative_to(tmp_path / "cache" / folder.name)) for path in folder.rglob("*"))
    assert everything == ["inner", "lib", "lib/tool", "way", "way/passwd"]
    assert (folder / "inner").resolve() == (folder / "lib" / "tool").resolve()
    assert (folder / "lib" / "tool").stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in tmp_path.rglob("*") if path.name == "outside") == []


def test_layers_are_unpacked_once_and_laid_over_one_another(tmp_path: Path) -> None:
    layers = Layers(tmp_path)
    one = layer_zip({"python/a.py": "1", "python/b.py": "1", "bin": "a file"})
    two = layer_zip({"python/b.py": "2", "bin/tool": "in a folder"})
    version = version_with(one, two)
    root = asyncio.run(layers.root(version))
    assert root is not None
    found = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}
    assert found == {"python/a.py": "1", "python/b.py": "2", "bin/tool": "in a folder"}
    made = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert len(made) == 3
    asyncio.run(layers.root(version))
    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == made


def test_functions_with_different_layers_start_at_the_same_time(account: Account) -> None:
    names = [unique("layer") for _ in range(4)]
    arns = [publish(account.client, name, layer_zip({"python/name.py": f"NAME = {name!r}"})) for name in names]
    source = "import name\n\ndef handler(event, context):\n    return name.NAME\n"
    functions: list[str] = [account.make(source, Layers=[one["LayerVersionArn"]]) for one in arns]

    def run(function: str) -> object:
        return invoke(account.client, function, None)

    with ThreadPoolExecutor(len(functions)) as pool:
        assert list(pool.map(run, functions)) == names

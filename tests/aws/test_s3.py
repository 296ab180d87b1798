"""What Treadle and its users do with S3, through boto3, presigned addresses and the AWS CLI."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from support.aws import refusal, unique
from support.dev import Dev
from support.judges import aws_cli


@pytest.fixture
def s3(emulator: Dev) -> Any:
    return emulator.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    return name


def body(client: Any, bucket: str, key: str, **more: Any) -> bytes:
    return bytes(client.get_object(Bucket=bucket, Key=key, **more)["Body"].read())


def test_objects_are_put_got_copied_and_deleted(s3: Any, bucket: str) -> None:
    put = s3.put_object(
        Bucket=bucket, Key="a/b c+d.txt", Body=b"text", Metadata={"who": "me"}, ContentType="text/plain"
    )
    assert put["ETag"] == f'"{hashlib.md5(b"text", usedforsecurity=False).hexdigest()}"'
    head = s3.head_object(Bucket=bucket, Key="a/b c+d.txt")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (4, "text/plain", {"who": "me"})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a/b c+d.txt"})
    assert body(s3, bucket, "copy") == b"text"
    s3.delete_object(Bucket=bucket, Key="copy")
    assert refusal(s3.get_object, Bucket=bucket, Key="copy") == ("NoSuchKey", "The specified key does not exist.")
    assert refusal(s3.head_object, Bucket=bucket, Key="copy")[0] == "404"
    assert refusal(s3.get_object, Bucket=unique("none"), Key="k")[0] == "NoSuchBucket"


def test_a_write_may_ask_that_there_be_nothing_yet(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="lock", Body=b"1", IfNoneMatch="*")
    assert refusal(s3.put_object, Bucket=bucket, Key="lock", Body=b"2", IfNoneMatch="*")[0] == "PreconditionFailed"
    assert body(s3, bucket, "lock") == b"1"
    tag = s3.head_object(Bucket=bucket, Key="lock")["ETag"]
    assert refusal(s3.put_object, Bucket=bucket, Key="lock", Body=b"3", IfMatch='"0"')[0] == "PreconditionFailed"
    s3.put_object(Bucket=bucket, Key="lock", Body=b"3", IfMatch=tag)
    assert refusal(s3.get_object, Bucket=bucket, Key="lock", IfMatch=tag)[0] == "PreconditionFailed"
    now = s3.head_object(Bucket=bucket, Key="lock")["ETag"]
    assert refusal(s3.get_object, Bucket=bucket, Key="lock", IfNoneMatch=now)[0] == "304"


def test_checksums_are_checked_and_told(s3: Any, bucket: str) -> None:
    right = base64.b64encode(hashlib.sha256(b"text").digest()).decode()
    s3.put_object(Bucket=bucket, Key="sum", Body=b"text", ChecksumSHA256=right)
    assert s3.head_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")["ChecksumSHA256"] == right
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    assert refusal(s3.put_object, Bucket=bucket, Key="bad", Body=b"text", ChecksumSHA256=wrong)[0] == "BadDigest"


def test_ranges_are_got(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    part = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert (part["Body"].read(), part["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert body(s3, bucket, "k", Range="bytes=-3") == b"789"
    assert refusal(s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-12")[0] == "InvalidRange"


def test_large_objects_come_in_parts(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="large")["UploadId"]
    chunks = (b"a" * 5 * 1024 * 1024, b"end")
    parts: Any = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=bucket, Key="large", PartNumber=number, UploadId=upload, Body=chunk)["ETag"],
        }
        for number, chunk in enumerate(chunks, 1)
    ]
    listed = s3.list_parts(Bucket=bucket, Key="large", UploadId=upload)["Parts"]
    assert [part.get("PartNumber") for part in listed] == [1, 2]
    done = s3.complete_multipart_upload(Bucket=bucket, Key="large", UploadId=upload, MultipartUpload={"Parts": parts})
    assert done["ETag"].endswith('-2"')
    assert s3.head_object(Bucket=bucket, Key="large")["ContentLength"] == len(chunks[0]) + 3
    gone = s3.create_multipart_upload(Bucket=bucket, Key="other")["UploadId"]
    s3.abort_multipart_upload(Bucket=bucket, Key="other", UploadId=gone)
    assert refusal(s3.list_parts, Bucket=bucket, Key="other", UploadId=gone)[0] == "NoSuchUpload"


def test_versions_are_kept_where_that_is_asked(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    assert body(s3, bucket, "k", VersionId=first) == b"1"
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    assert refusal(s3.get_object, Bucket=bucket, Key="k")[0] == "NoSuchKey"
    listed = s3.list_object_versions(Bucket=bucket)
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (2, 1)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert body(s3, bucket, "k") == b"2"


def test_settings_of_a_bucket_are_kept(s3: Any, bucket: str) -> None:
    rule: Any = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    (kept,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (kept.get("ID"), kept.get("Expiration")) == ("old", {"Days": 3})
    encryption: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=encryption)
    found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert found[0].get("ApplyServerSideEncryptionByDefault") == {"SSEAlgorithm": "AES256"}
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    block: Any = dict.fromkeys(names, True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == policy
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "1"}]


def test_what_a_bucket_does_not_have_is_refused_by_its_own_code(s3: Any, bucket: str) -> None:
    assert refusal(s3.get_bucket_policy, Bucket=bucket)[0] == "NoSuchBucketPolicy"
    assert refusal(s3.get_bucket_lifecycle_configuration, Bucket=bucket)[0] == "NoSuchLifecycleConfiguration"
    assert refusal(s3.get_bucket_tagging, Bucket=bucket)[0] == "NoSuchTagSet"
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert refusal(s3.delete_bucket, Bucket=bucket)[0] == "BucketNotEmpty"
    assert refusal(s3.create_bucket, Bucket="Not_A_Name")[0] == "InvalidBucketName"


def test_objects_are_listed_in_pages_and_deleted_together(s3: Any, bucket: str) -> None:
    for index in range(5):
        s3.put_object(Bucket=bucket, Key=f"logs/{index}/x", Body=b"x", Tagging="kind=log")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="logs/", PaginationConfig={"PageSize": 2}
    )
    keys = [[entry.get("Key", "") for entry in page["Contents"]] for page in pages]
    assert [len(page) for page in keys] == [2, 2, 1]
    folders = s3.list_objects_v2(Bucket=bucket, Prefix="logs/", Delimiter="/")
    assert (folders["KeyCount"], len(folders["CommonPrefixes"])) == (5, 5)
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="logs/3/x")
    assert [entry.get("Key") for entry in after["Contents"]] == ["logs/4/x"]
    assert s3.get_object_tagging(Bucket=bucket, Key="logs/0/x")["TagSet"] == [{"Key": "kind", "Value": "log"}]
    everything: Any = [{"Key": key} for page in keys for key in page]
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [*everything, {"Key": "nobody"}]})
    assert len(deleted["Deleted"]) == 6
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_presigned_addresses_work_without_credentials(emulator: Dev, s3: Any, bucket: str) -> None:
    session: Any = boto3.session.Session()
    signed = session.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=emulator.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(signature_version="s3v4"),
    )
    put = signed.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "up"}, ExpiresIn=60)
    with urllib.request.urlopen(urllib.request.Request(put, data=b"sent", method="PUT"), timeout=10) as answer:
        assert answer.status == 200
    get = signed.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "up"}, ExpiresIn=60)
    with urllib.request.urlopen(get, timeout=10) as answer:
        assert answer.read() == b"sent"
    signed.close()
    assert body(s3, bucket, "up") == b"sent"
    # Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
    expired = re.sub(r"X-Amz-Date=\d{8}T", "X-Amz-Date=20200101T", get)
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(expired, timeout=10)
    assert b"<Message>Request has expired</Message>" in refused.value.read()
    refused.value.close()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{emulator.endpoint}/{bucket}/up", timeout=10)
    assert caught.value.code == 403
    caught.value.close()


def test_the_aws_cli_copies_and_syncs(emulator: Dev, s3: Any, bucket: str, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    (folder / "deep").mkdir(parents=True)
    (folder / "index.html").write_text("<p>")
    (folder / "deep" / "large.bin").write_bytes(b"x" * 9 * 1024 * 1024)
    for file in (folder / "index.html", folder / "deep" / "large.bin"):  # S3 keeps whole seconds
        os.utime(file, (1_700_000_000, 1_700_000_000))
    done = aws_cli(emulator.endpoint, "s3", "sync", str(folder), f"s3://{bucket}/site", "--no-progress")
    assert (done.returncode, done.stderr) == (0, "")
    assert s3.head_object(Bucket=bucket, Key="site/deep/large.bin")["ContentLength"] == 9 * 1024 * 1024
    again = aws_cli(emulator.endpoint, "s3", "sync", str(folder), f"s3://{bucket}/site", "--no-progress")
    assert again.stdout == ""
    back = tmp_path / "back.html"
    assert aws_cli(emulator.endpoint, "s3", "cp", f"s3://{bucket}/site/index.html", str(back)).returncode == 0
    assert back.read_text() == "<p>"
    assert aws_cli(emulator.endpoint, "s3", "rm", f"s3://{bucket}", "--recursive").returncode == 0
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

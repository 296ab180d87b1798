"""The emulator's listeners, byte by byte: what clients other than boto3 and browsers send, and what they may not do."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError

import pytest

from support.aws import ACCOUNT, unique
from support.dev import Dev
from support.policies import allow, document

HEALTH = b"GET /__treadle/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def connected(url: str) -> Generator[socket.socket]:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


def all_of(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def exchange(url: str, sent: bytes) -> bytes:
    with connected(url) as connection:
        connection.sendall(sent)
        return all_of(connection)


def statuses(received: bytes) -> list[int]:
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


def test_pipelined_requests_are_answered_in_order(emulator: Dev) -> None:
    last = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    received = exchange(emulator.http_url, HEALTH + b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n" + last)
    assert statuses(received) == [200, 404, 200]


def test_what_cannot_be_read_is_refused_after_the_requests_before_it(emulator: Dev) -> None:
    slow = b"GET /_aws/execute-api/none/$default/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert statuses(exchange(emulator.endpoint, slow + b"\x00garbage\r\n\r\n")) == [404, 400]


def test_a_head_is_answered_with_the_length_and_without_the_body(emulator: Dev) -> None:
    request = HEALTH.replace(b"GET", b"HEAD").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    head, _, body = exchange(emulator.http_url, request).partition(b"\r\n\r\n")
    assert b"content-length: 19" in head
    assert body == b""


def test_an_http_1_0_client_gets_its_connection_kept_only_where_it_asks(emulator: Dev) -> None:
    plain = exchange(emulator.http_url, b"GET /__treadle/health HTTP/1.0\r\n\r\n")
    assert (statuses(plain), b"connection: close" in plain) == ([200], True)
    kept = b"GET /__treadle/health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    received = exchange(emulator.http_url, kept + b"GET /__treadle/health HTTP/1.0\r\n\r\n")
    assert statuses(received) == [200, 200]
    assert received.count(b"connection: keep-alive") == 1


def test_a_chunked_body_is_read_whole_and_a_client_that_waits_is_told_to_go_on(emulator: Dev) -> None:
    head = (
        b"POST /__treadle/clock HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with connected(emulator.endpoint) as connection:
        connection.sendall(head)
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b'a\r\n{"advance_\r\n' + b'c\r\nseconds": 0}\r\n' + b"0\r\n\r\n")
        assert statuses(all_of(connection)) == [200]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"not HTTP at all\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 404),
    ],
    ids=["headers", "address", "garbage", "websocket"],
)
def test_a_request_that_is_refused_gets_one_answer(emulator: Dev, sent: bytes, status: int) -> None:
    assert statuses(exchange(emulator.http_url, sent)) == [status]


def test_an_upgrade_that_is_not_known_is_ignored(emulator: Dev) -> None:
    request = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n")
    assert statuses(exchange(emulator.http_url, request)) == [200]


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "-1", "1e300", "null", '"x"'])
def test_the_clock_cannot_be_broken(emulator: Dev, seconds: str) -> None:
    body = b'{"advance_seconds": ' + seconds.encode() + b"}"
    assert emulator.request(emulator.endpoint, "POST", "/__treadle/clock", body, _json()).status == 400
    emulator.advance(0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{}", 'the body has no key "advance_seconds"'),
        (b'{"advance": 1}', 'the body has no key "advance_seconds"'),
        (b"[1]", 'the body has no key "advance_seconds"'),
        (b"soon", "the body is no JSON"),
        (b'{"advance_seconds": "1"}', '"advance_seconds" must be a number, not "1"'),
        (b'{"advance_seconds": -1}', '"advance_seconds" must be from 0 to '),
    ],
)
def test_the_clock_says_what_is_wrong_with_a_request(emulator: Dev, body: bytes, told: str) -> None:
    answer = emulator.request(emulator.endpoint, "POST", "/__treadle/clock", body, _json())

    assert (answer.status, answer.json()["error"].startswith(told)) == (400, True), answer.body


def _json() -> dict[str, str]:
    return {"content-type": "application/json"}


# who may call


def test_a_page_on_the_web_reaches_nothing(emulator: Dev) -> None:
    rebound = emulator.request(emulator.endpoint, "GET", "/", None, {"host": "evil.example:4566"})
    assert rebound.status == 403
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        form = emulator.request(emulator.endpoint, "POST", "/x?X-Amz-Signature=1", b"<Delete/>", {"origin": origin})
        assert form.status == 403
    own = emulator.request(
        emulator.endpoint, "POST", "/__treadle/clock", b"{}", _json() | {"origin": "http://localhost:5173"}
    )
    assert own.status == 400


def test_the_clock_is_turned_by_no_form(emulator: Dev) -> None:
    form = {"content-type": "text/plain"}
    answer = emulator.request(emulator.endpoint, "POST", "/__treadle/clock", b'{"advance_seconds": 1}', form)
    assert answer.status == 415
    assert "-H 'content-type: application/json'" in answer.body.decode()


@pytest.mark.parametrize(
    "query", ["", "?X-Amz-Signature=1", "?X-Amz-Signature=1&X-Amz-Credential=a/b/us-east-1/iam/aws4_request"]
)
def test_an_unsigned_request_is_refused(emulator: Dev, query: str) -> None:
    body = b"Action=CreateUser&UserName=intruder&Version=2010-05-08"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert emulator.request(emulator.endpoint, "POST", f"/{query}", body, headers).status == 403
    names = [user["UserName"] for user in emulator.client("iam").list_users()["Users"]]
    assert "intruder" not in names


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/bucket/key"), ("PUT", "/bucket"), ("GET", "/"), ("GET", "/bucket?list-type=2")]
)
def test_an_unsigned_request_that_s3_alone_can_be_meant_by_is_refused_in_its_xml(
    emulator: Dev, method: str, path: str
) -> None:
    answer = emulator.request(emulator.endpoint, method, path, None, {})
    assert (answer.status, answer.headers["content-type"]) == (403, "application/xml")
    assert b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message>" in answer.body
    head = emulator.request(emulator.endpoint, "HEAD", "/bucket/key", None, {})
    assert (head.status, head.body) == (403, b"")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/", {"x-amz-target": "DynamoDB_20120810.ListTables"}),
        ("GET", "/2015-03-31/functions", {}),
        ("GET", "/v2/apis", {}),
        ("POST", "/000000000000/queue", {}),
    ],
)
def test_other_unsigned_requests_are_refused_in_json(
    emulator: Dev, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = emulator.request(emulator.endpoint, method, path, None, headers)
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationToken")


def test_moto_s_own_addresses_are_not_to_be_had(emulator: Dev) -> None:
    emulator.client("s3").create_bucket(Bucket=(bucket := unique("bucket")))
    query = "uploads=&X-Amz-Signature=1&X-Amz-Credential=a/b/us-east-1/s3/aws4_request"
    for path in ("/moto-api/reset", "/%6doto-api/reset"):
        assert emulator.request(emulator.endpoint, "POST", f"{path}?{query}", b"", {}).status == 400
    assert bucket in [one["Name"] for one in emulator.client("s3").list_buckets()["Buckets"]]


def _assumed(emulator: Dev, *actions: str) -> dict[str, str]:
    """Session credentials of a new role that may do `actions`."""
    iam, name = emulator.client("iam"), unique("role")
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if actions:
        policy = json.dumps(document(allow(list(actions))))
        iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=policy)
    issued = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["SessionToken"],
    }


def test_a_presigned_address_is_worth_what_its_signer_may_do(emulator: Dev) -> None:
    s3 = emulator.client("s3")
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a b.txt", Body=b"text")

    def fetch(client: Any) -> int:
        url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b.txt"})
        try:
            with urllib.request.urlopen(url) as answer:
                assert answer.read() == b"text"
                return int(answer.status)
        except HTTPError as refusal:
            refusal.close()
            return refusal.code

    assert fetch(s3) == 200
    assert fetch(emulator.client("s3", _assumed(emulator, "s3:GetObject"))) == 200
    assert fetch(emulator.client("s3", _assumed(emulator))) == 403


def test_a_session_s_key_without_its_token_is_refused_in_any_alphabet(emulator: Dev) -> None:
    key = _assumed(emulator)["aws_access_key_id"]
    scope = f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0"
    for token in ("", "wrong", "wr\u00f6ng"):
        headers = {"authorization": scope, "x-amz-security-token": token}
        headers["content-type"] = "application/x-www-form-urlencoded"
        body = b"Action=GetCallerIdentity&Version=2011-06-15"
        assert emulator.request(emulator.endpoint, "POST", "/", body, headers).status == 403

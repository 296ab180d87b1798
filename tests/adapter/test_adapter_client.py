"""The adapter's AWS client: signatures, endpoints, retries, and connections that go away."""

from __future__ import annotations

import string
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from treadle.aws.client import AwsClient
from treadle.aws.connections import Connections
from treadle.aws.endpoints import connections_endpoint, endpoint_of
from treadle.aws.errors import is_gone
from treadle.aws.sigv4 import Credentials, signed_headers
from treadle.errors import AwsCallError, ConfigurationError

from .fake_aws import FakeAws, Reply, failure, xml_failure

PRINTABLE = st.text(st.sampled_from(string.ascii_letters + string.digits + " /+=:;,'\"%~"), max_size=30)
TOKENS = st.text(st.sampled_from(string.ascii_letters + string.digits + "+/="), min_size=1, max_size=60)
NAMES = st.from_regex(r"x-[a-z]{1,12}(-[a-z0-9]{1,8})?", fullmatch=True)
WS_ENDPOINT = "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/dev"
HOSTS = st.sampled_from(["127.0.0.1:4566", "localhost:80", "sqs.eu-west-1.amazonaws.com", "[::1]:4566", "a.b:8443"])


@given(
    headers=st.dictionaries(
        NAMES.filter(lambda name: name not in ("x-amz-date", "x-amzn-trace-id")), PRINTABLE, max_size=6
    ),
    body=st.binary(max_size=200),
    host=HOSTS,
    service=st.sampled_from(["dynamodb", "sns", "sqs", "execute-api"]),
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1"]),
    secret=TOKENS,
    token=TOKENS | st.just(""),
)
def test_signatures_are_botocores(
    headers: dict[str, str], body: bytes, host: str, service: str, region: str, secret: str, token: str
) -> None:
    theirs = AWSRequest("POST", f"http://{host}/", headers={**headers, "host": host}, data=body)
    SigV4Auth(BotocoreCredentials("AKIDEXAMPLE", secret, token or None), service, region).add_auth(theirs)
    at = datetime.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = signed_headers(
        headers,
        body,
        host=host,
        service=service,
        region=region,
        credentials=Credentials("AKIDEXAMPLE", secret, token),
        at_seconds=at.timestamp(),
    )
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours.get("x-amz-security-token", "") == token


SEGMENTS = st.text(min_size=1, max_size=20).filter(lambda text: text not in (".", ".."))


@given(segments=st.lists(SEGMENTS, min_size=1, max_size=4), method=st.sampled_from(["GET", "POST", "DELETE"]))
def test_signatures_of_paths_are_botocores(segments: list[str], method: str) -> None:
    path = "/" + "/".join(quote(segment, safe="@") for segment in segments)
    theirs = AWSRequest(method, f"https://a.example{path}", headers={"host": "a.example"}, data=b"{}")
    SigV4Auth(BotocoreCredentials("AKIDEXAMPLE", "secret"), "execute-api", "us-east-1").add_auth(theirs)
    at = datetime.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = signed_headers(
        {},
        b"{}",
        host="a.example",
        service="execute-api",
        region="us-east-1",
        credentials=Credentials("AKIDEXAMPLE", "secret"),
        at_seconds=at.timestamp(),
        method=method,
        path=path,
        body_sha256=sha256(b"{}").hexdigest(),
    )
    assert ours["authorization"] == theirs.headers["Authorization"]


@given(
    service=st.sampled_from(["dynamodb", "execute-api", "lambda", "sns", "sqs", "ssm"]),
    method=st.sampled_from(["POST", "GET", "DELETE"]),
    segments=st.lists(SEGMENTS, max_size=3),
    headers=st.dictionaries(NAMES.filter(lambda name: name != "x-amzn-trace-id"), PRINTABLE, max_size=3),
    text=st.text(max_size=50),
    token=TOKENS | st.just(""),
    at=st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 31)),
)
def test_signatures_at_any_time_by_any_clock_are_botocores(
    service: str, method: str, segments: list[str], headers: dict[str, str], text: str, token: str, at: datetime
) -> None:
    moment = at.replace(tzinfo=UTC)
    headers.pop("x-amz-date", None)
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    body = text.encode()
    theirs = AWSRequest(method, f"https://a.example{path}", headers={**headers, "host": "a.example"}, data=body)
    signer: Any = SigV4Auth(BotocoreCredentials("AKIDEXAMPLE", "secret", token or None), service, "us-east-1")
    theirs.context["timestamp"] = f"{moment:%Y%m%dT%H%M%SZ}"
    signer._modify_request_before_signing(theirs)
    to_sign = signer.string_to_sign(theirs, signer.canonical_request(theirs))
    signer._inject_signature_to_request(theirs, signer.signature(to_sign, theirs))
    ours = signed_headers(
        headers,
        body,
        host="a.example",
        service=service,
        region="us-east-1",
        credentials=Credentials("AKIDEXAMPLE", "secret", token),
        at_seconds=moment.timestamp(),
        method=method,
        path=path,
    )
    assert ours["x-amz-date"] == theirs.context["timestamp"]
    assert ours["authorization"] == theirs.headers["Authorization"]


@pytest.mark.parametrize(
    ("address", "elsewhere", "url", "path"),
    [
        (WS_ENDPOINT, "", "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "/dev"),
        (WS_ENDPOINT, "http://127.0.0.1:4566", "http://127.0.0.1:4566", "/_aws/execute-api/a1b2c3d4e5/dev"),
    ],
)
def test_connections_are_reached_at_the_stage_of_their_api(
    monkeypatch: pytest.MonkeyPatch, address: str, elsewhere: str, url: str, path: str
) -> None:
    monkeypatch.setenv("TREADLE_WS_ENDPOINT", address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
    endpoint, found = connections_endpoint()
    assert (endpoint.url, found) == (url, path)
    assert endpoint_of("execute-api", "eu-west-1", "aws").url == url


@pytest.mark.parametrize(
    "address", ["", "a1b2c3d4e5", "https://a.execute-api.eu-west-1.amazonaws.com", "wss://a.b/dev"]
)
def test_an_address_that_is_no_stages_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("TREADLE_WS_ENDPOINT", address)
    with pytest.raises(ConfigurationError, match="TREADLE_WS_ENDPOINT"):
        connections_endpoint()


def test_posts_and_closes_name_the_connection_in_a_signed_path(aws: FakeAws, client: AwsClient) -> None:
    aws.sockets["L0SM9cOFvHcCIhw="] = []
    connections = Connections(client)
    connections.post("L0SM9cOFvHcCIhw=", b'{"a":1}', sha256(b'{"a":1}').hexdigest())
    assert aws.sockets["L0SM9cOFvHcCIhw="] == [{"a": 1}]
    connections.close("L0SM9cOFvHcCIhw=")
    with pytest.raises(AwsCallError) as raised:
        connections.close("L0SM9cOFvHcCIhw=")
    assert is_gone(raised.value)
    assert [asked.operation for asked in aws.asked] == ["PostToConnection", "DeleteConnection", "DeleteConnection"]
    assert {asked.path.rpartition("/")[2] for asked in aws.asked} == {"L0SM9cOFvHcCIhw%3D"}
    assert "/execute-api/aws4_request" in aws.asked[0].headers["authorization"]
    assert {asked.connection for asked in aws.asked} == {0}


def test_calls_at_once_do_not_wait_for_each_other(aws: FakeAws, client: AwsClient) -> None:
    aws.sockets |= {"slow=": [], "quick=": []}
    aws.held["slow="] = release = threading.Event()
    connections = Connections(client)
    slow = threading.Thread(target=connections.post, args=("slow=", b"{}", sha256(b"{}").hexdigest()))
    slow.start()
    connections.post("quick=", b"{}", sha256(b"{}").hexdigest())
    assert (aws.sockets["quick="], aws.sockets["slow="]) == ([{}], [])
    release.set()
    slow.join()
    assert aws.sockets["slow="] == [{}]


def test_the_members_of_an_error_are_kept(aws: FakeAws, client: AwsClient) -> None:
    aws.replies["Op"] = [Reply(400, b'{"__type": "x#ConditionalCheckFailedException", "Item": {"a": {"S": "b"}}}')]
    with pytest.raises(AwsCallError) as raised:
        call(client)
    assert raised.value.details["Item"] == {"a": {"S": "b"}}


@pytest.mark.parametrize(
    ("environment", "service", "partition", "url"),
    [
        ({}, "sqs", "aws", "https://sqs.eu-west-1.amazonaws.com"),
        ({}, "dynamodb", "aws-cn", "https://dynamodb.eu-west-1.amazonaws.com.cn"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566/"}, "sns", "aws", "http://127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SNS": "https://b:443"}, "sns", "aws", "https://b"),
        ({"AWS_ENDPOINT_URL": "http://[::1]:4566"}, "sns", "aws", "http://[::1]:4566"),
    ],
)
def test_endpoints_come_from_the_environment_or_the_region(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], service: str, partition: str, url: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert endpoint_of(service, "eu-west-1", partition).url == url


def test_an_endpoint_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="partition aws-moon is unknown"):
        endpoint_of("sqs", "moon-1", "aws-moon")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:4566")
    with pytest.raises(ConfigurationError, match="no endpoint URL"):
        endpoint_of("sqs", "us-east-1", "aws")


@pytest.fixture
def client(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsClient]:
    for name, value in {
        **aws.environment,
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
    }.items():
        monkeypatch.setenv(name, value)
    made = AwsClient("us-east-1", "aws", lambda: 30.0)
    yield made
    made.close()


def call(client: AwsClient) -> dict[str, object]:
    return client.json_call("sqs", "Op", "AmazonSQS", "queue q", {"A": "é"})


@pytest.mark.parametrize(
    "fault",
    [
        failure("ThrottlingException"),
        failure("ProvisionedThroughputExceededException"),
        failure("InternalFailure", status=500),
        Reply(503, b"<html>busy</html>"),
        Reply(502, b""),
        Reply(drop=True),
    ],
)
def test_a_fault_that_passes_is_tried_again(aws: FakeAws, client: AwsClient, fault: Reply) -> None:
    aws.replies["Op"] = [fault, Reply(body=b'{"ok":1}')]
    assert call(client) == {"ok": 1}
    assert aws.of("Op") == [{"A": "é"}] * 2


def test_three_attempts_are_all(aws: FakeAws, client: AwsClient) -> None:
    aws.replies["Op"] = [failure("SlowDown", "calm", status=503)] * 5
    with pytest.raises(AwsCallError, match="sqs:Op on queue q failed with SlowDown: calm") as raised:
        call(client)
    assert (len(aws.of("Op")), raised.value.status) == (3, 503)


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        (failure("ResourceNotFoundException", "no table"), "ResourceNotFoundException", "no table"),
        (Reply(400, b'{"__type":"AWS.Simple#Gone","Message":"m"}'), "Gone", "m"),
        (Reply(400, b"{}", {"x-amzn-ErrorType": "Bad:http://x"}), "Bad", "{}"),
        (Reply(400, b"what"), "HTTP 400", "what"),
        (Reply(413, b"[]"), "HTTP 413", "[]"),
        (xml_failure("NotFound", "a &lt;b&gt;"), "NotFound", "a <b>"),
    ],
)
def test_an_error_that_stays_is_raised_at_once(
    aws: FakeAws, client: AwsClient, reply: Reply, code: str, message: str
) -> None:
    aws.replies["Op"] = [reply]
    with pytest.raises(AwsCallError) as raised:
        call(client)
    assert (raised.value.aws_code, raised.value.message) == (code, message)
    assert len(aws.asked) == 1


def test_a_kept_connection_that_was_closed_is_replaced_at_once(aws: FakeAws, client: AwsClient) -> None:
    call(client)
    aws.replies["Op"] = [Reply(drop=True)]
    started = time.monotonic()
    call(client)
    assert time.monotonic() - started < 0.5
    assert [asked.connection for asked in aws.asked] == [0, 0, 1]


def test_a_connection_that_ends_with_the_response_is_not_used_again(aws: FakeAws, client: AwsClient) -> None:
    aws.replies["Op"] = [Reply(headers={"Connection": "close"}, close=True)]
    call(client)
    call(client)
    assert [asked.connection for asked in aws.asked] == [0, 1]


def test_chunked_and_large_responses_are_read_whole(aws: FakeAws, client: AwsClient) -> None:
    large = b'{"text":"' + b"x" * 1_000_000 + b'"}'
    aws.replies["Op"] = [Reply(body=b'{"a": [1, 2]}', chunked=True), Reply(body=large), Reply()]
    assert call(client) == {"a": [1, 2]}
    assert len(str(call(client)["text"])) == 1_000_000
    assert call(client) == {}
    assert {asked.connection for asked in aws.asked} == {0}


def test_a_wrong_clock_is_corrected_by_the_answers_date(aws: FakeAws, client: AwsClient) -> None:
    theirs = datetime.now(UTC) + timedelta(hours=2)
    date = {"Date": format_datetime(theirs.replace(microsecond=0), usegmt=True)}
    aws.replies["Op"] = [failure("InvalidSignatureException", "Signature expired", headers=date), Reply(), Reply()]
    call(client)
    call(client)
    wrong, right, later = (asked.headers["x-amz-date"] for asked in aws.asked)
    assert wrong < f"{theirs - timedelta(hours=1):%Y%m%dT%H%M%SZ}"
    assert right >= f"{theirs - timedelta(seconds=2):%Y%m%dT%H%M%SZ}"
    assert later >= right


def test_a_wrong_secret_is_no_wrong_clock(aws: FakeAws, client: AwsClient) -> None:
    aws.replies["Op"] = [failure("InvalidSignatureException", "no match")]
    with pytest.raises(AwsCallError, match="no match"):
        call(client)
    assert len(aws.asked) == 1


def test_nothing_is_sent_when_the_time_is_over(aws: FakeAws, client: AwsClient) -> None:
    late = AwsClient("us-east-1", "aws", lambda: 0.04)
    with pytest.raises(AwsCallError, match="no time left"):
        call(late)
    assert aws.asked == []


def test_a_server_that_does_not_answer_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, client: AwsClient) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        end = time.monotonic() + 0.4
        hurried = AwsClient("us-east-1", "aws", lambda: end - time.monotonic())
        with pytest.raises(AwsCallError, match="UNREACHABLE"):
            call(hurried)
        assert time.monotonic() < end + 0.3


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, client: AwsClient) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY is not set"):
        call(client)

"""The `@connections` API by boto3: posting to clients, looking at them, disconnecting them, and who may.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from support.aws import ACCOUNT, unique
from support.dev import Dev, wait_until
from support.lambda_account import Account, make_role, refused
from support.policies import allow, document
from support.websocket import CONTINUATION, TEXT, RefusedError, WebSocketClient
from support.websocket_api import STAGE, SocketApi

ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture(scope="module")
def account(emulator: Dev) -> Account:
    return Account(emulator, emulator.client("lambda"), make_role(emulator, actions=("execute-api:*",)))


@pytest.fixture(scope="module")
def api(account: Account) -> SocketApi:
    api = SocketApi(account)
    for key in ("$connect", "$disconnect", "$default"):
        api.route(key)
    return api


@pytest.fixture(scope="module")
def management(emulator: Dev) -> Any:
    return emulator.client("apigatewaymanagementapi")


def management_at(url: str, keys: Mapping[str, str] = ROOT) -> Any:
    session: Any = boto3.session.Session(region_name="us-east-1")
    return session.client("apigatewaymanagementapi", endpoint_url=url, **keys)


def session_with(emulator: Dev, *statements: Mapping[str, Any]) -> Mapping[str, str]:
    """Credentials of a new role with these statements."""
    iam, name = emulator.client("iam"), unique("role")
    trusting = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusting))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=json.dumps(document(*statements)))
    issued = emulator.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["SessionToken"],
    }


# posting


def test_a_post_is_one_text_message(api: SocketApi, management: Any) -> None:
    with api.connect() as client:
        identity = api.connection_id(client)
        management.post_to_connection(ConnectionId=identity, Data='{"é": 1}'.encode())
        frame = client.receive()
        assert (frame.opcode, frame.payload.decode(), frame.is_final) == (TEXT, '{"é": 1}', True)


@pytest.mark.parametrize("path", ["/_aws/execute-api/{api}/dev", "/dev", ""])
def test_a_connection_is_reached_at_every_address(api: SocketApi, path: str) -> None:
    client_of_aws = management_at(api.dev.endpoint + path.format(api=api.id))
    with api.connect() as client:
        client_of_aws.post_to_connection(ConnectionId=api.connection_id(client), Data=b"hello")
        assert client.message() == "hello"
    client_of_aws.close()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 131_072])
def test_a_post_may_have_up_to_128_kb(api: SocketApi, management: Any, size: int) -> None:
    with api.connect() as client:
        management.post_to_connection(ConnectionId=api.connection_id(client), Data=b"x" * size)
        assert client.message() == "x" * size


def test_a_long_post_comes_in_frames_of_32_kb(api: SocketApi, management: Any) -> None:
    """Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""
    with api.connect() as client:
        management.post_to_connection(ConnectionId=api.connection_id(client), Data=b"x" * 70_000)
        frames = [client.receive() for _ in range(3)]
    assert [(frame.opcode, len(frame.payload), frame.is_final) for frame in frames] == [
        (TEXT, 32_768, False),
        (CONTINUATION, 32_768, False),
        (CONTINUATION, 70_000 - 65_536, True),
    ]


def test_a_post_over_128_kb_is_too_large(api: SocketApi, management: Any) -> None:
    with api.connect() as client:
        identity = api.connection_id(client)
        with refused("PayloadTooLargeException"):
            management.post_to_connection(ConnectionId=identity, Data=b"x" * 131_073)
        management.post_to_connection(ConnectionId=identity, Data=b"still open")
        assert client.message() == "still open"


def test_a_post_that_is_no_text_is_made_one(api: SocketApi, management: Any) -> None:
    with api.connect() as client:
        management.post_to_connection(ConnectionId=api.connection_id(client), Data=b"a\xffb")
        assert client.message() == "a\ufffdb"


def test_posts_come_in_the_order_in_which_they_were_made(api: SocketApi, management: Any) -> None:
    with api.connect() as client:
        identity = api.connection_id(client)
        for number in range(100):
            management.post_to_connection(ConnectionId=identity, Data=str(number).encode())
        assert [client.message() for _ in range(100)] == [str(number) for number in range(100)]


def test_a_client_that_does_not_read_is_429(api: SocketApi, management: Any) -> None:
    """Source: https://docs.aws.amazon.com/apigatewaymanagementapi/latest/reference (LimitExceededException)"""
    with api.connect() as client:
        identity = api.connection_id(client)

        def is_full() -> bool:
            try:
                management.post_to_connection(ConnectionId=identity, Data=b"x" * 131_072)
            except management.exceptions.LimitExceededException:
                return True
            return False

        wait_until("429", is_full)
        assert client.message() == "x" * 131_072  # nothing that was accepted is lost
        client.close()


# gone


def test_a_connection_that_is_closed_is_gone(api: SocketApi, management: Any) -> None:
    with api.connect() as client:
        identity = api.connection_id(client)
        client.close()
        assert client.closing()[0] == 1000
    for call in (management.get_connection, management.delete_connection):
        with refused("GoneException"):
            call(ConnectionId=identity)
    with refused("GoneException"):
        management.post_to_connection(ConnectionId=identity, Data=b"x")


def test_a_connection_that_never_was_is_gone(management: Any) -> None:
    with refused("GoneException"):
        management.post_to_connection(ConnectionId="eHrdFcnvvHcCE-w=", Data=b"x")


def test_a_connection_is_gone_at_another_apis_address(api: SocketApi) -> None:
    for path in (f"/_aws/execute-api/{api.id}/other", "/_aws/execute-api/another/dev"):
        elsewhere = management_at(api.dev.endpoint + path)
        with api.connect() as client, refused("GoneException"):
            elsewhere.post_to_connection(ConnectionId=api.connection_id(client), Data=b"x")
        elsewhere.close()


def test_a_connection_does_not_exist_before_connect_has_answered(api: SocketApi) -> None:
    """Source: https://repost.aws/knowledge-center/410-gone-api-gateway"""
    with api.connect("?reply=early") as client:
        wait_until("refused", lambda: "410 GoneException" in api.lines("REFUSED "))
        client.text('{"reply":"late"}')
        assert client.message() == "late"


# looking and disconnecting


def test_a_connection_is_described(api: SocketApi, management: Any, emulator: Dev) -> None:
    with api.connect(headers={"User-Agent": "me"}) as client:
        identity = api.connection_id(client)
        connected_ms = api.event("CONNECT", client)["requestContext"]["connectedAt"]
        first = management.get_connection(ConnectionId=identity)
        assert first["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "me"}
        assert first["ConnectedAt"] == datetime.fromtimestamp(connected_ms / 1000, UTC)
        emulator.advance(5)
        management.post_to_connection(ConnectionId=identity, Data=b"x")
        second = management.get_connection(ConnectionId=identity)
        assert (second["LastActiveAt"] - first["LastActiveAt"]).total_seconds() == pytest.approx(5, abs=0.01)
        assert second["ConnectedAt"] == first["ConnectedAt"]


def test_a_deleted_connection_is_closed_with_1000(api: SocketApi, management: Any) -> None:
    with api.connect() as client:
        identity = api.connection_id(client)
        management.delete_connection(ConnectionId=identity)
        assert client.closing() == (1000, "Connection Closed Normally")
        with refused("GoneException"):
            management.get_connection(ConnectionId=identity)
        client.close()
        assert client.is_ended()
        context = api.event("DISCONNECT", client)["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (1000, "Connection Closed Normally")


# who may


@pytest.mark.parametrize(
    ("resource", "may_post", "may_look"),
    [
        ("{api}/dev/POST/@connections/*", True, False),
        ("{api}/dev/*", True, True),
        ("{api}/*/*/@connections/*", True, True),
        ("{api}/prod/POST/@connections/*", False, False),
        ("another/dev/POST/@connections/*", False, False),
        ("{api}/dev/POST/@connections/{connection}", True, False),
    ],
)
def test_a_role_may_do_what_its_policy_allows(
    api: SocketApi, emulator: Dev, resource: str, may_post: bool, may_look: bool
) -> None:
    with api.connect() as client:
        identity = api.connection_id(client)
        place = resource.format(api=api.id, connection=identity)
        granted = allow("execute-api:ManageConnections", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{place}")
        management = emulator.client("apigatewaymanagementapi", session_with(emulator, granted))

        expected = contextlib.nullcontext() if may_post else refused("AccessDeniedException", "POST/@connections")
        with expected:
            management.post_to_connection(ConnectionId=identity, Data=b"x")
        expected = contextlib.nullcontext() if may_look else refused("AccessDeniedException", "GET/@connections")
        with expected:
            management.get_connection(ConnectionId=identity)


def test_an_unsigned_request_is_refused(api: SocketApi) -> None:
    with api.connect() as client:
        path = f"{api.path}/@connections/{quote(api.connection_id(client))}"
        answer = api.dev.request(api.dev.endpoint, "POST", path, b"x", None)
    assert answer.status == 403


# many


def test_500_clients_connect_at_once_and_each_gets_its_own(account: Account) -> None:
    api = SocketApi(account)
    api.route("$default")
    with ThreadPoolExecutor(25) as threads, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(client) for client in threads.map(api.connect, [""] * 500)]
        ids = {client: json.loads(_told(client))["connectionId"] for client in clients}
        assert len(set(ids.values())) == 500
        connection = http.client.HTTPConnection(api.dev.endpoint.removeprefix("http://"), timeout=20)
        scope = "Credential=test/20260101/us-east-1/execute-api/aws4_request"
        for number, client in enumerate(clients):
            place = f"/_aws/execute-api/{api.id}/{STAGE}/@connections/{quote(ids[client])}"
            headers = {"authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
            connection.request("POST", place, str(number).encode(), headers)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"")
        connection.close()
        assert [client.message() for client in clients] == [str(number) for number in range(500)]


def _told(client: WebSocketClient) -> str:
    client.text('{"raise":true}')
    return client.message()


def test_a_refused_client_never_was(api: SocketApi, management: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        api.connect("?raise=1")
    identity = json.loads(caught.value.body)["connectionId"]
    with refused("GoneException"):
        management.get_connection(ConnectionId=identity)

"""WebSocket APIs through real sockets: connecting, messages and their routes, the events that functions see.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    APIGatewayWebSocketConnectEventModel,
    APIGatewayWebSocketDisconnectEventModel,
    APIGatewayWebSocketMessageEventModel,
)

from support import stacks
from support.aws import ACCOUNT, unique
from support.dev import Dev
from support.lambda_account import Account, make_role, refused
from support.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RefusedError, WebSocketClient, encode
from support.websocket_api import SocketApi


@pytest.fixture(scope="module")
def account(emulator: Dev) -> Account:
    return Account(emulator, emulator.client("lambda"), make_role(emulator, actions=("execute-api:*",)))


@pytest.fixture(scope="module")
def api(account: Account) -> SocketApi:
    api = SocketApi(account)
    for key in ("$connect", "$disconnect", "$default", "join", "leave"):
        api.route(key)
    return api


@pytest.fixture(scope="module")
def bare(account: Account) -> SocketApi:
    """An API with the route `join` only."""
    api = SocketApi(account)
    api.route("join")
    return api


# connecting


def test_the_handshake_is_that_of_the_protocol(api: SocketApi) -> None:
    with api.connect(headers={"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}) as client:
        assert client.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert client.headers["upgrade"].lower() == "websocket"
        assert client.headers["connection"].lower() == "upgrade"
        assert "sec-websocket-extensions" not in client.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-WebSocket-Version": "8"}, 400),
        ({"Sec-WebSocket-Version": None}, 400),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": "short"}, 400),
    ],
)
def test_a_malformed_handshake_is_refused(api: SocketApi, headers: Mapping[str, str | None], status: int) -> None:
    with pytest.raises(RefusedError) as caught:
        api.connect(headers=headers)
    assert caught.value.status == status


def test_other_stages_and_apis_are_forbidden(api: SocketApi) -> None:
    for path in (f"/_aws/execute-api/{api.id}/other", "/_aws/execute-api/nothing/dev"):
        with pytest.raises(RefusedError) as caught:
            WebSocketClient(api.dev.endpoint, path)
        assert (caught.value.status, json.loads(caught.value.body)) == (403, {"message": "Forbidden"})


def test_a_request_without_an_upgrade_is_forbidden(api: SocketApi) -> None:
    answer = api.dev.request(api.dev.endpoint, "GET", api.path, None, None)
    assert (answer.status, answer.json()) == (403, {"message": "Forbidden"})


def test_any_path_below_the_stage_connects(api: SocketApi) -> None:
    with WebSocketClient(api.dev.endpoint, f"{api.path}/any/path?k=v") as client:
        assert client.status == 101


def test_an_api_without_a_connect_route_lets_everybody_in(bare: SocketApi) -> None:
    with bare.connect() as client:
        assert client.status == 101


@pytest.mark.parametrize("status", [200, 201, 299])
def test_connect_is_accepted_with_any_2xx(api: SocketApi, status: int) -> None:
    with api.connect(f"?status={status}") as client:
        assert client.status == 101


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 500, 501])
def test_connect_is_refused_with_the_functions_own_status(api: SocketApi, status: int) -> None:
    with pytest.raises(RefusedError) as caught:
        api.connect(f"?status={status}&body=Authentication%20failed")
    assert (caught.value.status, caught.value.body) == (status, b"Authentication failed")


@pytest.mark.parametrize("query", ["?raise=1", "?result=null", '?result={"ok":true}', "?result=[]", "?status=99"])
def test_connect_fails_with_502_where_the_function_does(api: SocketApi, query: str) -> None:
    with pytest.raises(RefusedError) as caught:
        api.connect(query.replace('"', "%22"))
    assert caught.value.status == 502
    assert json.loads(caught.value.body).keys() == {"message", "connectionId", "requestId"}


def test_a_function_that_may_not_be_invoked_is_a_500(account: Account) -> None:
    closed = SocketApi(account, permitted=False)
    closed.route("$connect")
    with pytest.raises(RefusedError) as caught:
        closed.connect()
    assert caught.value.status == 500
    assert json.loads(caught.value.body)["message"] == "Internal server error"

    account.client.add_permission(
        FunctionName=closed.function,
        StatementId="connect",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{closed.id}/*/$connect",
    )
    with closed.connect() as client:
        assert client.status == 101


def test_the_integrations_role_must_allow_the_invocation(account: Account, emulator: Dev) -> None:
    role = make_role(emulator, "apigateway.amazonaws.com")
    api = SocketApi(account, permitted=False, CredentialsArn=role)
    api.route("$connect")
    with pytest.raises(RefusedError) as caught:
        api.connect()
    assert caught.value.status == 500

    policy = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": api.function_arn}
    emulator.client("iam").put_role_policy(
        RoleName=role.rsplit("/", 1)[-1],
        PolicyName="invoke",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [policy]}),
    )
    with api.connect() as client:
        assert client.status == 101


def test_a_connect_that_outlasts_its_integration_is_a_504(account: Account) -> None:
    api = SocketApi(account, TimeoutInMillis=300)
    api.route("$connect")
    with pytest.raises(RefusedError) as caught:
        api.connect("?wait=2")
    assert caught.value.status == 504


def test_the_subprotocol_is_what_the_function_says(api: SocketApi) -> None:
    offered = {"Sec-WebSocket-Protocol": "Authorization, token"}
    with api.connect("?protocol=Authorization", headers=offered) as client:
        assert client.headers["sec-websocket-protocol"] == "Authorization"
    with api.connect(headers=offered) as client:
        assert "sec-websocket-protocol" not in client.headers


def test_what_is_sent_ahead_of_the_answer_is_not_lost(api: SocketApi) -> None:
    early = encode(TEXT, b'{"action":"join","reply":"a"}') + encode(TEXT, b'{"action":"join","reply":"b"}')
    with WebSocketClient(api.dev.endpoint, f"{api.path}?wait=0.2", early=early) as client:
        assert {client.message(), client.message()} == {"a", "b"}


# events


def test_the_connect_event_has_the_shape_that_aws_documents(api: SocketApi) -> None:
    headers = {"User-Agent": "me", "X-Custom": "v", "Cookie": "k=1"}
    with api.connect("?a=1&a=2&b=x%20y+z&c=", headers=headers) as client:
        event = api.event("CONNECT", client)
    APIGatewayWebSocketConnectEventModel.model_validate(event)

    assert event["queryStringParameters"] == {"a": "2", "b": "x y z", "c": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["x y z"], "c": [""]}
    host = api.dev.endpoint.removeprefix("http://")
    seen = event["headers"]
    assert (seen["Host"], seen["User-Agent"], seen["X-Custom"], seen["Cookie"]) == (host, "me", "v", "k=1")
    assert (seen["Sec-WebSocket-Version"], seen["X-Forwarded-For"]) == ("13", "127.0.0.1")
    assert (seen["X-Forwarded-Proto"], seen["X-Forwarded-Port"]) == ("http", host.split(":")[1])
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", seen["X-Amzn-Trace-Id"])
    assert not {"Upgrade", "Connection"} & seen.keys()
    assert event["multiValueHeaders"] == {name: [value] for name, value in seen.items()}
    assert (event["isBase64Encoded"], "body" in event) == (False, False)

    context = event["requestContext"]
    assert (context["routeKey"], context["eventType"], context["messageDirection"]) == ("$connect", "CONNECT", "IN")
    assert (context["apiId"], context["stage"], context["domainName"]) == (api.id, "dev", host)
    assert context["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "me"}
    assert context["requestId"] == context["extendedRequestId"]
    assert re.fullmatch(r"[\w-]{15}=", context["connectionId"])
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context["requestTime"])
    assert context["connectedAt"] <= context["requestTimeEpoch"]


def test_a_connect_without_a_query_has_no_parameters(api: SocketApi) -> None:
    with api.connect() as client:
        event = api.event("CONNECT", client)
    assert not {"queryStringParameters", "multiValueQueryStringParameters"} & event.keys()


def test_the_message_event_has_the_shape_that_aws_documents(api: SocketApi) -> None:
    with api.connect() as client:
        connected = api.event("CONNECT", client)["requestContext"]
        client.text('{"action": "join", "é": 1}')
        event = api.event("MESSAGE", client)
    APIGatewayWebSocketMessageEventModel.model_validate(event)

    context = event["requestContext"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"action": "join", "é": 1}', False)
    assert (context["routeKey"], context["eventType"]) == ("join", "MESSAGE")
    for name in ("connectionId", "connectedAt", "domainName", "stage", "apiId", "identity"):
        assert context[name] == connected[name]
    assert context["requestId"] != connected["requestId"]
    assert re.fullmatch(r"[\w-]{15}=", context["messageId"])
    assert not {"headers", "queryStringParameters"} & event.keys()


def test_the_disconnect_event_has_the_shape_that_aws_documents(api: SocketApi) -> None:
    with api.connect() as client:
        client.close(4001, "enough")
        assert client.closing() == (4001, "enough")
        event = api.event("DISCONNECT", client)
    APIGatewayWebSocketDisconnectEventModel.model_validate(event)
    context = event["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (4001, "enough")
    assert (context["routeKey"], context["eventType"]) == ("$disconnect", "DISCONNECT")
    assert event["headers"] == {"Host": client.address, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}


def test_a_close_without_a_status_is_1005(api: SocketApi) -> None:
    with api.connect() as client:
        client.close(None)
        assert client.closing() == (1005, "")
        assert client.is_ended()
        context = api.event("DISCONNECT", client)["requestContext"]
    assert context["disconnectStatusCode"] == 1005
    assert context["disconnectReason"] == "Client-side close frame status not set"


def test_a_lost_connection_is_1006(api: SocketApi) -> None:
    client = api.connect()
    client.drop()
    assert api.event("DISCONNECT", client)["requestContext"]["disconnectStatusCode"] == 1006


# routes


@pytest.mark.parametrize(
    ("message", "route"),
    [
        ('{"action":"join"}', "join"),
        ('{"action":"leave","x":[1]}', "leave"),
        ('{"action":"other"}', "$default"),
        ('{"action":{"join":1}}', "$default"),
        ('{"action":null}', "$default"),
        ('{"action":"$connect"}', "$default"),
        ('{"action":"$disconnect"}', "$default"),
        ("{}", "$default"),
        ("[1]", "$default"),
        ('"join"', "$default"),
        ("join", "$default"),
        ("", "$default"),
        ("[" * 100_000, "$default"),
    ],
    ids=lambda value: value[:24],
)
def test_a_message_goes_to_the_route_that_it_names(api: SocketApi, message: str, route: str) -> None:
    with api.connect() as client:
        for start in range(0, max(len(message), 1), 32_000):
            part = message[start : start + 32_000].encode()
            client.frame(TEXT if not start else CONTINUATION, part, is_final=start + 32_000 >= len(message))
        assert api.event("MESSAGE", client)["requestContext"]["routeKey"] == route


@pytest.mark.parametrize(
    ("expression", "message", "route"),
    [
        ("$request.body.a.b", {"a": {"b": "x"}}, "x"),
        ("${request.body.service}/${request.body.action}", {"service": "chat", "action": "x"}, "chat/x"),
        ("v$request.body.version", {"version": 2}, "v2"),
        ("$request.body.flag", {"flag": True}, "true"),
    ],
)
def test_a_selection_expression_may_be_composed(account: Account, expression: str, message: object, route: str) -> None:
    api = SocketApi(account, expression=expression)
    api.route("$connect")
    api.route(route)
    with api.connect() as client:
        client.text(json.dumps(message))
        assert api.event("MESSAGE", client)["requestContext"]["routeKey"] == route


def test_a_message_that_no_route_takes_is_forbidden(bare: SocketApi) -> None:
    with bare.connect() as client:
        client.text('{"action":"other"}')
        answer = client.message()
    assert re.fullmatch(r'\{"message": "Forbidden", "connectionId":"[\w-]{15}=", "requestId":"[\w-]{15}="\}', answer)


def test_a_function_that_fails_is_told_and_the_connection_stays(api: SocketApi) -> None:
    with api.connect() as client:
        client.text('{"action":"join","raise":true}')
        assert json.loads(client.message())["message"] == "Internal server error"
        client.text('{"action":"join","reply":"still here"}')
        assert client.message() == "still here"


def test_what_a_function_returns_for_a_message_goes_nowhere(api: SocketApi) -> None:
    with api.connect() as client:
        client.text('{"action":"join","result":{"statusCode":500,"body":"not for you"}}')
        client.text('{"action":"join","reply":"next"}')
        assert client.message() == "next"


def test_a_new_route_is_there_with_the_next_message(account: Account) -> None:
    api = SocketApi(account)
    api.route("join")
    with api.connect() as client:
        client.text('{"action":"late","reply":"x"}')
        assert json.loads(client.message())["message"] == "Forbidden"
        api.route("late")
        client.text('{"action":"late","reply":"x"}')
        assert client.message() == "x"


def test_messages_of_one_connection_run_side_by_side(api: SocketApi) -> None:
    with api.connect() as client:
        client.text('{"action":"join","wait":1.5,"reply":"slow"}')
        client.text('{"action":"join","reply":"fast"}')
        assert [client.message(), client.message()] == ["fast", "slow"]


def test_a_burst_of_messages_is_dealt_with_whole(api: SocketApi) -> None:
    with api.connect() as client:
        frames = (encode(TEXT, json.dumps({"action": "join", "reply": str(n)}).encode()) for n in range(400))
        client.socket.sendall(b"".join(frames))
        assert {client.message() for _ in range(400)} == {str(n) for n in range(400)}
        client.text('{"action":"join","reply":"and on"}')
        assert client.message() == "and on"


def test_a_client_that_goes_while_it_connects_leaves_nothing(api: SocketApi) -> None:
    with pytest.raises(TimeoutError):
        WebSocketClient(api.dev.endpoint, f"{api.path}?wait=1", seconds=0.2)
    with api.connect() as client:
        assert client.status == 101


def test_a_connection_ends_when_its_api_is_deleted(account: Account) -> None:
    api = SocketApi(account)
    api.route("join")
    with api.connect() as client:
        api.delete()
        assert client.closing() == (1001, "Going away")


# frames


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 32_768])
def test_a_message_may_have_any_length_up_to_a_frames(api: SocketApi, size: int) -> None:
    with api.connect() as client:
        client.text("x" * size)
        assert len(api.event("MESSAGE", client)["body"]) == size


def test_a_fragmented_message_is_one_message(api: SocketApi) -> None:
    text = json.dumps({"action": "join", "text": "é" * 60_000}, ensure_ascii=False).encode()
    assert 120_000 < len(text) <= 131_072
    with api.connect() as client:
        size = 32_767  # splits a character
        for start in range(0, len(text), size):
            opcode = TEXT if start == 0 else CONTINUATION
            client.frame(opcode, text[start : start + size], is_final=start + size >= len(text))
            if start == 0:
                client.frame(PING, b"between")  # control frames may come in between
        assert client.receive().opcode == PONG
        assert api.event("MESSAGE", client)["body"].encode() == text


def test_a_ping_is_answered_with_its_payload(api: SocketApi) -> None:
    with api.connect() as client:
        client.frame(PING, b"are you there")
        frame = client.receive()
        assert (frame.opcode, frame.payload) == (PONG, b"are you there")
        client.frame(PONG, b"unasked")
        client.text('{"action":"join","reply":"x"}')
        assert client.message() == "x"


def test_a_frame_over_32_kb_is_1009(api: SocketApi) -> None:
    with api.connect() as client:
        client.text("x" * 32_769)
        assert client.closing()[0] == 1009
        assert api.event("DISCONNECT", client)["requestContext"]["disconnectStatusCode"] == 1009


def test_a_message_over_128_kb_is_1009(api: SocketApi) -> None:
    with api.connect() as client:
        for number in range(4):
            client.frame(CONTINUATION if number else TEXT, b"x" * 32_768, is_final=False)
        client.frame(CONTINUATION, b"x")
        assert client.closing()[0] == 1009


def test_a_message_of_128_kb_is_taken(api: SocketApi) -> None:
    with api.connect() as client:
        for number in range(4):
            client.frame(CONTINUATION if number else TEXT, b"x" * 32_768, is_final=number == 3)
        assert len(api.event("MESSAGE", client)["body"]) == 131_072


def test_a_binary_frame_is_1003(api: SocketApi) -> None:
    """Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-binary-media-types.html"""
    with api.connect() as client:
        client.frame(BINARY, b"\x00\x01")
        assert client.closing()[0] == 1003
        assert client.is_ended()


def test_text_that_is_not_utf_8_is_1007(api: SocketApi) -> None:
    with api.connect() as client:
        client.frame(TEXT, b"\xff\xfe")
        assert client.closing()[0] == 1007


@pytest.mark.parametrize(
    "frames",
    [
        [encode(TEXT, b"x", is_masked=False)],
        [encode(3, b"x")],
        [encode(11, b"x")],
        [encode(TEXT, b"x", reserved=4)],
        [encode(CONTINUATION, b"x")],
        [encode(TEXT, b"x", is_final=False), encode(TEXT, b"y")],
        [encode(PING, b"x", is_final=False)],
        [encode(PING, b"x" * 126)],
        [encode(CLOSE, b"\x03")],
        [encode(CLOSE, (1005).to_bytes(2, "big"))],
        [encode(CLOSE, (999).to_bytes(2, "big"))],
    ],
    ids=[
        "unmasked",
        "reserved opcode",
        "reserved control opcode",
        "reserved bit",
        "continuation of nothing",
        "text within text",
        "fragmented ping",
        "long ping",
        "half a status",
        "status for no status",
        "status out of range",
    ],
)
def test_a_breach_of_the_protocol_is_1002(api: SocketApi, frames: list[bytes]) -> None:
    with api.connect() as client:
        client.socket.sendall(b"".join(frames))
        assert client.closing()[0] == 1002
        assert client.is_ended()


def test_messages_ahead_of_a_close_in_the_same_packet_are_taken(api: SocketApi) -> None:
    with api.connect() as client:
        client.socket.sendall(encode(TEXT, b'{"action":"join"}') + encode(CLOSE, (1000).to_bytes(2, "big")))
        assert client.closing()[0] == 1000
        assert api.event("MESSAGE", client)["requestContext"]["routeKey"] == "join"


def test_frames_may_come_in_any_pieces(api: SocketApi) -> None:
    data = encode(TEXT, b'{"action":"join","reply":"whole"}')
    with api.connect() as client:
        for byte in data:
            client.socket.sendall(bytes([byte]))
        assert client.message() == "whole"


# the control plane


def test_a_websocket_api_has_a_wss_endpoint(api: SocketApi, emulator: Dev) -> None:
    client = emulator.client("apigatewayv2")
    expected = f"wss://{api.id}.execute-api.us-east-1.amazonaws.com"
    assert client.get_api(ApiId=api.id)["ApiEndpoint"] == expected
    listed = {each["ApiId"]: each["ApiEndpoint"] for each in client.get_apis()["Items"]}
    assert listed[api.id] == expected
    assert client.update_api(ApiId=api.id, Description="d")["ApiEndpoint"] == expected


def test_what_the_gateway_does_not_do_is_refused_by_name(api: SocketApi, emulator: Dev) -> None:
    client = emulator.client("apigatewayv2")
    with refused("BadRequestException", "RouteSelectionExpression"):
        client.create_api(Name="x", ProtocolType="WEBSOCKET")
    with refused("BadRequestException", "request.header.x"):
        client.create_api(Name="x", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.header.x")
    with refused("BadRequestException", "AuthorizationType AWS_IAM"):
        client.create_route(ApiId=api.id, RouteKey="x", AuthorizationType="AWS_IAM")
    with refused("BadRequestException", "RouteResponseSelectionExpression"):
        client.create_route(ApiId=api.id, RouteKey="x", RouteResponseSelectionExpression="$default")
    with refused("BadRequestException", "IntegrationType MOCK"):
        client.create_integration(ApiId=api.id, IntegrationType="MOCK")
    with refused("BadRequestException", "29000 ms"):
        client.create_integration(ApiId=api.id, IntegrationType="AWS_PROXY", TimeoutInMillis=29_001)
    with refused("UnknownOperationException", "CreateRouteResponse"):
        client.create_route_response(ApiId=api.id, RouteId="x", RouteResponseKey="$default")


def test_a_stack_makes_a_websocket_api(account: Account, emulator: Dev) -> None:
    name = account.make("def handler(event, context):\n    return {'statusCode': 200}\n")
    role = make_role(emulator, "apigateway.amazonaws.com", ("lambda:InvokeFunction",))
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    api, integration = {"Ref": "Api"}, {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}

    def resource(kind: str, **properties: object) -> dict[str, Any]:
        return {"Type": f"AWS::ApiGatewayV2::{kind}", "Properties": properties}

    template: dict[str, Any] = {
        "Resources": {
            "Api": resource(
                "Api", Name=unique("api"), ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.type"
            ),
            "Stage": resource("Stage", ApiId=api, StageName="dev", AutoDeploy=True),
            "Integration": resource(
                "Integration", ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=uri, CredentialsArn=role
            ),
            "Connect": resource("Route", ApiId=api, RouteKey="$connect", Target=integration, AuthorizationType="NONE"),
            "Default": resource("Route", ApiId=api, RouteKey="$default", Target=integration),
        },
        "Outputs": {
            "Id": {"Value": api},
            "Endpoint": {"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}},
        },
    }
    cloudformation = emulator.client("cloudformation")
    stack = unique("sockets")
    assert stacks.create(cloudformation, stack, json.dumps(template)) == "CREATE_COMPLETE"
    outputs = stacks.outputs(cloudformation, stack)
    assert outputs["Endpoint"] == f"wss://{outputs['Id']}.execute-api.us-east-1.amazonaws.com"

    with WebSocketClient(emulator.endpoint, f"/_aws/execute-api/{outputs['Id']}/dev") as client:
        template["Resources"]["Join"] = resource("Route", ApiId=api, RouteKey="join", Target=integration)
        template["Resources"]["Api"]["Properties"]["RouteSelectionExpression"] = "$request.body.action"
        assert stacks.update(cloudformation, stack, json.dumps(template)) == "UPDATE_COMPLETE"
        client.frame(PING)
        assert client.receive().opcode == PONG  # a connection stays through changes of its API
        assert stacks.delete(cloudformation, stack) == "GONE"
        assert client.closing() == (1001, "Going away")

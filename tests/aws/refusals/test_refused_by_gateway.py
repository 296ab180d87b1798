"""Bounds of requests to an HTTP API, at n and n + 1."""

from __future__ import annotations

from typing import Any

import pytest

from support.aws import ACCOUNT, unique
from support.dev import Dev
from support.lambda_account import Account, make_role

HEADER_BYTES = 10_240
FUNCTION = "def handler(event, context):\n    return 'x' * int(event['queryStringParameters']['size'])\n"
LAMBDA_BYTES = 6_291_556


@pytest.fixture(scope="module")
def path(emulator: Dev) -> str:
    """The path of an API's route to a function that returns as much as it is asked for."""
    gateway: Any = emulator.client("apigatewayv2")
    api = gateway.create_api(Name=unique("api"), ProtocolType="HTTP")["ApiId"]
    name = Account(emulator, emulator.client("lambda"), make_role(emulator)).make(FUNCTION, Timeout=20)
    integration = gateway.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}",
        PayloadFormatVersion="2.0",
        CredentialsArn=make_role(emulator, "apigateway.amazonaws.com", ("lambda:InvokeFunction",)),
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="GET /sized", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return f"/_aws/execute-api/{api}/$default/sized"


def test_the_line_and_the_headers_of_a_request_have_10_kb(emulator: Dev, path: str) -> None:
    """Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
    target = f"{path}?size=1"
    fixed = f"GET {target} HTTP/1.1", emulator.endpoint.removeprefix("http://"), "identity"
    room = HEADER_BYTES - sum(map(len, fixed))

    def status(size: int) -> int:
        return emulator.request(emulator.endpoint, "GET", target, None, {"x-pad": "x" * size}).status

    assert (status(room), status(room + 1)) == (200, 431)


def test_a_response_beyond_6_mb_is_an_error_of_the_server(emulator: Dev, path: str) -> None:
    """Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html,
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """

    def status(size: int) -> int:
        return emulator.request(emulator.endpoint, "GET", f"{path}?size={size - 2}", None, None).status

    assert (status(LAMBDA_BYTES), status(LAMBDA_BYTES + 1)) == (200, 500)

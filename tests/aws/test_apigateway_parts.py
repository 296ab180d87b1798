"""API Gateway's routes and integrations: their settings, their limits, and how they hold on to each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import unique
from support.dev import Dev
from support.lambda_account import refused

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import ApiGatewayV2Client

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:some:live"
INVOCATIONS = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
ROLE = "arn:aws:iam::000000000000:role/r"


class Parts:
    """One API, asked without naming it each time."""

    def __init__(self, client: ApiGatewayV2Client, **settings: Any) -> None:
        self.client = client
        self.id: str = client.create_api(Name=unique("api"), **settings)["ApiId"]
        web_socket = settings["ProtocolType"] == "WEBSOCKET"
        self._usual: dict[str, Any] = {"IntegrationType": "AWS_PROXY", "IntegrationUri": INVOCATIONS}
        if not web_socket:
            self._usual |= {"IntegrationUri": FUNCTION, "PayloadFormatVersion": "2.0"}

    def integrate(self, **settings: Any) -> dict[str, Any]:
        members = {name: value for name, value in {**self._usual, **settings}.items() if value is not None}
        answer = cast("dict[str, Any]", self.client.create_integration(ApiId=self.id, **members))
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def route(self, key: str, **settings: Any) -> dict[str, Any]:
        answer = cast("dict[str, Any]", self.client.create_route(ApiId=self.id, RouteKey=key, **settings))
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.fixture(scope="module")
def client(emulator: Dev) -> ApiGatewayV2Client:
    return cast("ApiGatewayV2Client", emulator.client("apigatewayv2"))


@pytest.fixture
def http(client: ApiGatewayV2Client) -> Iterator[Parts]:
    api = Parts(client, ProtocolType="HTTP")
    yield api
    client.delete_api(ApiId=api.id)


@pytest.fixture
def sockets(client: ApiGatewayV2Client) -> Iterator[Parts]:
    api = Parts(client, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    yield api
    client.delete_api(ApiId=api.id)


# integrations


def test_an_integration_of_an_http_api_is_as_aws_shows_it(http: Parts) -> None:
    made = http.integrate(CredentialsArn=ROLE, Description="d")
    identity = made.pop("IntegrationId")
    assert made == {
        "ConnectionType": "INTERNET",
        "CredentialsArn": ROLE,
        "Description": "d",
        "IntegrationMethod": "POST",
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": FUNCTION,
        "PayloadFormatVersion": "2.0",
        "TimeoutInMillis": 30_000,
    }
    shown: Any = http.client.get_integration(ApiId=http.id, IntegrationId=identity)
    assert {**made, "IntegrationId": identity}.items() <= shown.items()


def test_an_integration_of_a_websocket_api_is_as_aws_shows_it(sockets: Parts) -> None:
    made = sockets.integrate()
    del made["IntegrationId"]
    assert made == {
        "ConnectionType": "INTERNET",
        "IntegrationMethod": "POST",
        "IntegrationResponseSelectionExpression": "${integration.response.statuscode}",
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": INVOCATIONS,
        "PassthroughBehavior": "WHEN_NO_MATCH",
        "PayloadFormatVersion": "1.0",
        "TimeoutInMillis": 29_000,
    }


def test_timeouts_have_the_limits_of_their_protocol(http: Parts, sockets: Parts) -> None:
    for api, longest in ((http, 30_000), (sockets, 29_000)):
        for milliseconds in (50, longest):
            assert api.integrate(TimeoutInMillis=milliseconds)["TimeoutInMillis"] == milliseconds
        with refused("BadRequestException", f"Timeout should be between 50 ms and {longest} ms"):
            api.integrate(TimeoutInMillis=longest + 1)


def test_a_timeout_below_50_ms_is_refused(emulator: Dev, http: Parts) -> None:
    scope = "a/20260101/us-east-1/apigateway/aws4_request"
    headers = {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=0", "content-type": "application/json"}
    place = f"/v2/apis/{http.id}/integrations/{http.integrate()['IntegrationId']}"
    answers = [  # boto3 would not send it
        emulator.request(emulator.endpoint, "PATCH", place, {"timeoutInMillis": milliseconds}, headers)
        for milliseconds in (49, 50)
    ]
    assert [answer.status for answer in answers] == [400, 200]
    assert answers[0].json()["message"] == "Timeout should be between 50 ms and 30000 ms"


def test_a_function_is_named_by_its_arn_or_by_the_address_of_its_invocations(http: Parts, sockets: Parts) -> None:
    for uri in (FUNCTION, FUNCTION.removesuffix(":live"), INVOCATIONS):
        assert http.integrate(IntegrationUri=uri)["IntegrationUri"] == uri
    with refused("BadRequestException", "Invalid integration URI"):
        sockets.integrate(IntegrationUri=FUNCTION)  # HTTP APIs only
    for uri in ("some", "https://example.com", "arn:aws:sqs:us-east-1:000000000000:q", INVOCATIONS + "/more"):
        with refused("BadRequestException", "Invalid integration URI"):
            http.integrate(IntegrationUri=uri)
    with refused("BadRequestException", "stage variable"):
        http.integrate(IntegrationUri=FUNCTION.replace("some", "${stageVariables.name}"))
    with refused("BadRequestException", "IntegrationUri"):
        http.integrate(IntegrationUri=None)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PayloadFormatVersion": None}, "PayloadFormatVersion is a required parameter"),
        ({"PayloadFormatVersion": "1.0"}, "PayloadFormatVersion 1.0 of an HTTP API is not in Treadle's emulator yet"),
        ({"PayloadFormatVersion": "3.0"}, "PayloadFormatVersion"),
        ({"IntegrationType": "MOCK"}, "IntegrationType MOCK is not supported for HTTP APIs"),
        ({"IntegrationType": "HTTP_PROXY"}, "IntegrationType HTTP_PROXY is not in Treadle's emulator yet"),
        ({"IntegrationSubtype": "SQS-SendMessage"}, "IntegrationSubtype of an integration is not in Treadle's"),
        ({"RequestParameters": {"append:header.x": "y"}}, "RequestParameters of an integration is not in Treadle's"),
        ({"ResponseParameters": {"200": {"append:header.x": "y"}}}, "ResponseParameters"),
        ({"TlsConfig": {"ServerNameToVerify": "x"}}, "TlsConfig"),
        ({"ConnectionType": "VPC_LINK"}, "VPC_LINK"),
        ({"ConnectionType": "VPC_LINK", "ConnectionId": "c"}, "ConnectionId"),
        ({"RequestTemplates": {"a": "b"}}, "RequestTemplates is not supported for HTTP APIs"),
        ({"PassthroughBehavior": "NEVER"}, "PassthroughBehavior is not supported for HTTP APIs"),
        ({"IntegrationMethod": "LOOK"}, "IntegrationMethod"),
        ({"CredentialsArn": "role"}, "not the ARN of a role"),
        ({"CredentialsArn": "arn:aws:iam::*:user/*"}, "is not in Treadle's emulator yet"),
    ],
)
def test_integrations_of_http_apis_that_are_refused(http: Parts, settings: dict[str, Any], words: str) -> None:
    with refused("BadRequestException", words):
        http.integrate(**settings)
    assert http.client.get_integrations(ApiId=http.id)["Items"] == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PayloadFormatVersion": "2.0"}, "2.0 is not supported for WEBSOCKET APIs"),
        ({"IntegrationType": "HTTP_PROXY"}, "IntegrationType HTTP_PROXY is not in Treadle's emulator yet"),
        ({"ContentHandlingStrategy": "CONVERT_TO_TEXT"}, "ContentHandlingStrategy"),
        ({"RequestTemplates": {"$default": "{}"}}, "RequestTemplates"),
        ({"ResponseParameters": {"200": {"a": "b"}}}, "ResponseParameters is not supported for WEBSOCKET APIs"),
        ({"IntegrationSubtype": "SQS-SendMessage"}, "IntegrationSubtype is not supported for WEBSOCKET APIs"),
    ],
)
def test_integrations_of_websocket_apis_that_are_refused(sockets: Parts, settings: dict[str, Any], words: str) -> None:
    with refused("BadRequestException", words):
        sockets.integrate(**settings)


def test_an_update_of_an_integration_is_checked_as_a_whole(http: Parts) -> None:
    identity = http.integrate(CredentialsArn=ROLE, TimeoutInMillis=100)["IntegrationId"]
    place: Any = {"ApiId": http.id, "IntegrationId": identity}
    changed: Any = http.client.update_integration(**place, IntegrationUri=INVOCATIONS, CredentialsArn="")
    assert (changed["IntegrationUri"], changed["TimeoutInMillis"]) == (INVOCATIONS, 100)
    assert "CredentialsArn" not in changed
    with refused("BadRequestException", "Timeout"):
        http.client.update_integration(**place, TimeoutInMillis=30_001)
    with refused("BadRequestException", "PayloadFormatVersion is a required parameter"):
        http.client.update_integration(**place, PayloadFormatVersion="")
    assert http.client.get_integration(**place)["TimeoutInMillis"] == 100
    http.client.delete_integration(**place)
    with refused("NotFoundException", f"Invalid Integration identifier specified {identity}"):
        http.client.update_integration(**place, TimeoutInMillis=50)


# routes


def test_a_route_is_as_aws_shows_it(http: Parts) -> None:
    target = f"integrations/{http.integrate()['IntegrationId']}"
    made = http.route("GET /pets/{id}", Target=target, OperationName="getPet")
    identity = made.pop("RouteId")
    assert made == {
        "ApiKeyRequired": False,
        "AuthorizationType": "NONE",
        "OperationName": "getPet",
        "RouteKey": "GET /pets/{id}",
        "Target": target,
    }
    shown: Any = http.client.get_route(ApiId=http.id, RouteId=identity)
    assert {**made, "RouteId": identity}.items() <= shown.items()
    http.client.delete_route(ApiId=http.id, RouteId=identity)
    with refused("NotFoundException", f"Invalid Route identifier specified {identity}"):
        http.client.get_route(ApiId=http.id, RouteId=identity)


def test_a_route_key_is_unique_in_its_api(http: Parts) -> None:
    http.route("GET /pets")
    other = http.route("POST /pets")["RouteId"]
    with refused("ConflictException", "Route with key GET /pets already exists for this API"):
        http.route("GET /pets")
    with refused("ConflictException", "already exists"):
        http.client.update_route(ApiId=http.id, RouteId=other, RouteKey="GET /pets")
    http.client.update_route(ApiId=http.id, RouteId=other, RouteKey="POST /pets", OperationName="o")
    http.client.update_route(ApiId=http.id, RouteId=other, RouteKey="PUT /pets")
    assert [route["RouteKey"] for route in http.client.get_routes(ApiId=http.id)["Items"]] == ["GET /pets", "PUT /pets"]


@pytest.mark.parametrize(
    "key", ["$default", "GET /", "ANY /a", "PATCH /a/{b}/c.d~e", "GET /a/", "OPTIONS /{proxy+}", "HEAD /a:b/{c.d}"]
)
def test_route_keys_of_http_apis(http: Parts, key: str) -> None:
    assert http.route(key)["RouteKey"] == key


@pytest.mark.parametrize(
    "key",
    [
        "$connect",
        "pets",
        "GET",
        "GET pets",
        "LOOK /a",
        "get /a",
        "GET  /a",
        "GET //",
        "GET /{a+}/b",
        "GET /{a",
        "GET /x{a}",
    ],
)
def test_route_keys_that_http_apis_do_not_have(http: Parts, key: str) -> None:
    with refused("BadRequestException", "The provided route key is not formatted properly for HTTP protocol"):
        http.route(key)


def test_a_websocket_api_takes_any_route_key(sockets: Parts) -> None:
    for key in ("$connect", "$disconnect", "$default", "join", "GET /pets", "a b"):
        assert sockets.route(key)["RouteKey"] == key


def test_a_target_must_be_there(http: Parts) -> None:
    identity = http.integrate()["IntegrationId"]
    for target in ("integrations/none", identity, f"authorizers/{identity}"):
        with refused("BadRequestException", "Invalid target"):
            http.route("GET /a", Target=target)
    route = http.route("GET /a", Target=f"integrations/{identity}")["RouteId"]
    assert "Target" not in http.client.update_route(ApiId=http.id, RouteId=route, Target="")


def test_an_integration_that_routes_target_is_not_deleted(http: Parts) -> None:
    identity = http.integrate()["IntegrationId"]
    route = http.route("GET /a", Target=f"integrations/{identity}")["RouteId"]
    with refused("ConflictException", f"referenced by the following Routes with Ids: [{route}]"):
        http.client.delete_integration(ApiId=http.id, IntegrationId=identity)
    http.client.delete_route(ApiId=http.id, RouteId=route)
    http.client.delete_integration(ApiId=http.id, IntegrationId=identity)


@pytest.mark.parametrize(
    "settings",
    [
        {"AuthorizationType": "AWS_IAM"},
        {"AuthorizationType": "JWT", "AuthorizerId": "a"},
        {"AuthorizerId": "a"},
        {"AuthorizationScopes": ["s"]},
        {"ApiKeyRequired": True},
        {"ModelSelectionExpression": "m"},
        {"RequestModels": {"$default": "m"}},
        {"RequestParameters": {"route.request.querystring.a": {"Required": True}}},
        {"RouteResponseSelectionExpression": "$default"},
    ],
)
def test_what_no_route_does_is_refused_by_name(http: Parts, sockets: Parts, settings: dict[str, Any]) -> None:
    for api in (http, sockets):
        with refused("BadRequestException", "of a route is not in Treadle's emulator yet"):
            api.route("$default", **settings)
    http.route("$default", AuthorizationType="NONE", ApiKeyRequired=False)


# limits


def test_an_api_has_300_routes_and_300_integrations_at_most(http: Parts) -> None:
    for number in range(300):
        http.route(f"GET /{number}")
        http.integrate()
    with refused("TooManyRequestsException", "Maximum number of Routes for this API has been reached"):
        http.route("GET /one-more")
    with refused("TooManyRequestsException", "Maximum number of Integrations for this API has been reached"):
        http.integrate()


def test_the_parts_of_an_api_go_with_it(client: ApiGatewayV2Client) -> None:
    api = Parts(client, ProtocolType="HTTP")
    integration, route = api.integrate()["IntegrationId"], api.route("GET /a")["RouteId"]
    client.create_stage(ApiId=api.id, StageName="s", AutoDeploy=True)
    client.delete_api(ApiId=api.id)
    with refused("NotFoundException", "API"):
        client.get_integration(ApiId=api.id, IntegrationId=integration)
    with refused("NotFoundException", "API"):
        client.get_route(ApiId=api.id, RouteId=route)
    with refused("NotFoundException", "API"):
        client.get_stages(ApiId=api.id)

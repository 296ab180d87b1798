"""API Gateway's APIs, stages and tags, over both protocols; what they refuse and how they are listed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import unique
from support.dev import Dev
from support.lambda_account import refused

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import ApiGatewayV2Client

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:some:live"


@pytest.fixture(scope="module")
def client(emulator: Dev) -> ApiGatewayV2Client:
    return cast("ApiGatewayV2Client", emulator.client("apigatewayv2"))


@pytest.fixture
def http(client: ApiGatewayV2Client) -> Iterator[str]:
    api = client.create_api(Name=unique("api"), ProtocolType="HTTP")["ApiId"]
    yield api
    client.delete_api(ApiId=api)


@pytest.fixture
def sockets(client: ApiGatewayV2Client) -> Iterator[str]:
    made = client.create_api(
        Name=unique("sockets"), ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )
    yield made["ApiId"]
    client.delete_api(ApiId=made["ApiId"])


def without_metadata(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def arn(api: str, stage: str | None = None) -> str:
    return f"arn:aws:apigateway:us-east-1::/apis/{api}" + (f"/stages/{stage}" if stage else "")


# APIs


def test_an_http_api_is_as_aws_shows_it(client: ApiGatewayV2Client) -> None:
    cors: Any = {"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET", "POST"], "MaxAge": 300}
    made = client.create_api(
        Name="shop", ProtocolType="HTTP", Description="d", Version="1", Tags={"a": "b"}, CorsConfiguration=cors
    )
    identity = made["ApiId"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert re.fullmatch("[a-z0-9]{10}", identity)
    shown = without_metadata(made)
    created = shown.pop("CreatedDate")
    assert created.tzinfo is not None
    assert shown == {
        "ApiEndpoint": f"https://{identity}.execute-api.us-east-1.amazonaws.com",
        "ApiId": identity,
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "CorsConfiguration": cors,
        "Description": "d",
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "Name": "shop",
        "ProtocolType": "HTTP",
        "RouteSelectionExpression": "$request.method $request.path",
        "Tags": {"a": "b"},
        "Version": "1",
    }
    assert without_metadata(client.get_api(ApiId=identity)) == {**shown, "CreatedDate": created}
    assert client.delete_api(ApiId=identity)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("NotFoundException", f"Invalid API identifier specified 000000000000:{identity}"):
        client.get_api(ApiId=identity)


def test_an_update_changes_what_it_has_and_an_empty_value_unsets(client: ApiGatewayV2Client, http: str) -> None:
    client.update_api(ApiId=http, Description="d", CorsConfiguration={"AllowOrigins": ["*"]})
    changed: Any = client.update_api(ApiId=http, Name="other", Description="")
    assert changed["Name"] == "other"
    assert "Description" not in changed
    assert client.get_api(ApiId=http)["CorsConfiguration"] == {"AllowOrigins": ["*"]}
    client.delete_cors_configuration(ApiId=http)
    assert "CorsConfiguration" not in client.get_api(ApiId=http)


def test_the_protocols_have_members_of_their_own(client: ApiGatewayV2Client, http: str, sockets: str) -> None:
    with refused("BadRequestException", "RouteSelectionExpression must be"):
        client.update_api(ApiId=http, RouteSelectionExpression="$request.body.action")
    with refused("BadRequestException", "DisableSchemaValidation"):
        client.update_api(ApiId=http, DisableSchemaValidation=True)
    with refused("BadRequestException", "ApiKeySelectionExpression"):
        client.update_api(ApiId=http, ApiKeySelectionExpression="$context.authorizer.usageIdentifierKey")
    with refused("BadRequestException", "CorsConfiguration"):
        client.update_api(ApiId=sockets, CorsConfiguration={"AllowOrigins": ["*"]})
    with refused("BadRequestException", "HTTP APIs only"):
        client.create_api(
            Name="x", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action", Target=FUNCTION
        )
    with refused("BadRequestException", "RouteSelectionExpression is required"):
        client.update_api(ApiId=sockets, RouteSelectionExpression="")
    client.update_api(ApiId=http, RouteSelectionExpression="${request.method} ${request.path}")
    client.update_api(ApiId=sockets, RouteSelectionExpression="${request.body.type}", DisableSchemaValidation=True)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"Name": "n" * 129}, "Name"),
        ({"Name": ""}, "Name"),
        ({"Description": "d" * 1025}, "Description"),
        ({"IpAddressType": "ipv6"}, "IpAddressType"),
        ({"CorsConfiguration": {"MaxAge": 86_401}}, "MaxAge"),
        ({"CorsConfiguration": {"AllowMethods": ["LOOK"]}}, "AllowMethods"),
        ({"CorsConfiguration": {"AllowOrigins": ["*"], "AllowCredentials": True}}, "allowCredentials"),
    ],
)
def test_malformed_members_of_an_api_are_refused(
    client: ApiGatewayV2Client, http: str, members: dict[str, Any], words: str
) -> None:
    before = without_metadata(client.get_api(ApiId=http))
    with refused("BadRequestException", words):
        client.update_api(ApiId=http, **members)
    assert without_metadata(client.get_api(ApiId=http)) == before


def test_wrong_types_on_the_wire_are_refused(emulator: Dev, client: ApiGatewayV2Client, http: str) -> None:
    headers = {
        "authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/apigateway/aws4_request, Signature=0",
        "content-type": "application/json",
    }
    for body in ({"name": 5}, {"disableExecuteApiEndpoint": "yes"}, {"corsConfiguration": {"maxAge": "1"}}):
        answer = emulator.request(emulator.endpoint, "PATCH", f"/v2/apis/{http}", body, headers)
        assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "SerializationException")
    assert client.get_api(ApiId=http)["DisableExecuteApiEndpoint"] is False


# quick create


def test_quick_create_makes_all_parts(client: ApiGatewayV2Client) -> None:
    api = client.create_api(Name="quick", ProtocolType="HTTP", Target=FUNCTION)["ApiId"]
    (integration,) = client.get_integrations(ApiId=api)["Items"]
    (route,) = client.get_routes(ApiId=api)["Items"]
    (stage,) = client.get_stages(ApiId=api)["Items"]
    assert (integration.get("IntegrationUri"), integration.get("PayloadFormatVersion")) == (FUNCTION, "2.0")
    assert (route["RouteKey"], route.get("Target")) == ("$default", f"integrations/{integration.get('IntegrationId')}")
    assert (stage["StageName"], stage.get("AutoDeploy")) == ("$default", True)
    assert all(part.get("ApiGatewayManaged") for part in (integration, route, stage))

    client.update_api(ApiId=api, Target=FUNCTION + "2", RouteKey="GET /x")
    assert client.get_integrations(ApiId=api)["Items"][0].get("IntegrationUri") == FUNCTION + "2"
    assert client.get_routes(ApiId=api)["Items"][0]["RouteKey"] == "GET /x"
    with refused("BadRequestException", "manages"):
        client.update_route(ApiId=api, RouteId=route.get("RouteId", ""), RouteKey="GET /y")
    with refused("BadRequestException", "manages"):
        client.update_stage(ApiId=api, StageName="$default", AutoDeploy=False)
    client.delete_api(ApiId=api)


def test_quick_create_of_what_is_not_there_is_refused_and_leaves_nothing(client: ApiGatewayV2Client, http: str) -> None:
    before = len(client.get_apis()["Items"])
    with refused("BadRequestException", "A URL as Target"):
        client.create_api(Name="x", ProtocolType="HTTP", Target="https://example.com")
    with refused("BadRequestException", "not formatted properly"):
        client.create_api(Name="x", ProtocolType="HTTP", Target=FUNCTION, RouteKey="pets")
    with refused("BadRequestException", "Target"):
        client.create_api(Name="x", ProtocolType="HTTP", RouteKey="GET /pets")
    with refused("BadRequestException", "created with them"):
        client.update_api(ApiId=http, Target=FUNCTION)
    assert len(client.get_apis()["Items"]) == before


# stages


def test_a_stage_is_as_aws_shows_it(client: ApiGatewayV2Client, http: str) -> None:
    made = without_metadata(client.create_stage(ApiId=http, StageName="prod", StageVariables={"a": "1"}))
    assert made.pop("CreatedDate") == made.pop("LastUpdatedDate")
    assert made == {
        "AutoDeploy": False,
        "DefaultRouteSettings": {"DetailedMetricsEnabled": False},
        "RouteSettings": {},
        "StageName": "prod",
        "StageVariables": {"a": "1"},
        "Tags": {},
    }
    with refused("ConflictException", "already exists"):
        client.create_stage(ApiId=http, StageName="prod")
    client.delete_stage(ApiId=http, StageName="prod")
    with refused("NotFoundException", "Stage"):
        client.get_stage(ApiId=http, StageName="prod")


def test_an_update_of_a_stage_merges_its_maps(client: ApiGatewayV2Client, http: str) -> None:
    for key in ("GET /a", "GET /b"):
        client.create_route(ApiId=http, RouteKey=key)
    client.create_stage(
        ApiId=http,
        StageName="prod",
        Description="d",
        StageVariables={"a": "1", "b": "2"},
        RouteSettings={"GET /a": {"ThrottlingBurstLimit": 1}},
        AccessLogSettings={"DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:g", "Format": "$x"},
    )
    changed = client.update_stage(
        ApiId=http,
        StageName="prod",
        StageVariables={"a": "", "c": "3"},
        RouteSettings={"GET /b": {"ThrottlingRateLimit": 0.5}},
    )
    assert changed["StageVariables"] == {"b": "2", "c": "3"}
    assert changed["RouteSettings"] == {"GET /a": {"ThrottlingBurstLimit": 1}, "GET /b": {"ThrottlingRateLimit": 0.5}}
    assert changed["Description"] == "d"

    client.delete_route_settings(ApiId=http, StageName="prod", RouteKey="GET /a")
    client.delete_access_log_settings(ApiId=http, StageName="prod")
    stage = client.get_stage(ApiId=http, StageName="prod")
    assert stage["RouteSettings"].keys() == {"GET /b"}
    assert "AccessLogSettings" not in stage


def test_what_a_stage_cannot_have_is_refused(client: ApiGatewayV2Client, http: str, sockets: str) -> None:
    for name in ("a b", "$other", "x" * 129):
        with refused("BadRequestException", "StageName"):
            client.create_stage(ApiId=http, StageName=name)
    with refused("NotFoundException", "Unable to find Route by key GET /none within the provided RouteSettings"):
        client.create_stage(ApiId=http, StageName="x", RouteSettings={"GET /none": {}})
    with refused("BadRequestException", "Execution logs are not supported on protocolType HTTP"):
        client.create_stage(ApiId=http, StageName="x", DefaultRouteSettings={"LoggingLevel": "INFO"})
    with refused("BadRequestException", "ClientCertificateId"):
        client.create_stage(ApiId=sockets, StageName="x", ClientCertificateId="c")
    with refused("NotFoundException", "Deployment"):
        client.create_stage(ApiId=http, StageName="x", DeploymentId="none")
    with refused("BadRequestException", "StageVariables"):
        client.create_stage(ApiId=http, StageName="x", StageVariables={"a": "€"})
    client.create_stage(ApiId=sockets, StageName="x", DefaultRouteSettings={"LoggingLevel": "INFO"})


def test_an_api_has_10_stages_at_most(client: ApiGatewayV2Client, http: str) -> None:
    for number in range(10):
        client.create_stage(ApiId=http, StageName=f"s{number}")
    with refused("TooManyRequestsException", "Maximum number of Stages for this API has been reached"):
        client.create_stage(ApiId=http, StageName="one-more")


# tags


def test_tags_of_apis_and_stages(client: ApiGatewayV2Client, http: str) -> None:
    client.create_stage(ApiId=http, StageName="$default", Tags={"a": "1"})
    for resource in (arn(http), arn(http, "$default")):
        client.tag_resource(ResourceArn=resource, Tags={"b": "2", "c": ""})
        client.untag_resource(ResourceArn=resource, TagKeys=["c", "none"])
    assert client.get_tags(ResourceArn=arn(http))["Tags"] == {"b": "2"}
    assert client.get_api(ApiId=http)["Tags"] == {"b": "2"}
    assert client.get_stage(ApiId=http, StageName="$default")["Tags"] == {"a": "1", "b": "2"}


def test_50_tags_are_the_most(client: ApiGatewayV2Client, http: str) -> None:
    client.tag_resource(ResourceArn=arn(http), Tags={f"k{number}": "v" for number in range(50)})
    client.tag_resource(ResourceArn=arn(http), Tags={"k0": "other"})
    with refused("BadRequestException", "50 tags"):
        client.tag_resource(ResourceArn=arn(http), Tags={"one-more": "v"})


def test_tags_of_what_is_not_there_are_refused(client: ApiGatewayV2Client, http: str) -> None:
    with refused("NotFoundException", "API"):
        client.get_tags(ResourceArn=arn("none"))
    with refused("NotFoundException", "Stage"):
        client.get_tags(ResourceArn=arn(http, "none"))
    with refused("BadRequestException", "ARN"):
        client.get_tags(ResourceArn="arn:aws:apigateway:eu-west-1::/apis/" + http)


# listing


def test_lists_come_in_pages_that_changes_do_not_disturb(client: ApiGatewayV2Client, http: str) -> None:
    made = [client.create_route(ApiId=http, RouteKey=f"GET /{number}")["RouteId"] for number in range(5)]
    first = client.get_routes(ApiId=http, MaxResults="2")
    assert [route.get("RouteId") for route in first["Items"]] == made[:2]
    client.delete_route(ApiId=http, RouteId=made[1])
    second = client.get_routes(ApiId=http, MaxResults="3", NextToken=first.get("NextToken", ""))
    assert [route.get("RouteId") for route in second["Items"]] == made[2:]
    assert "NextToken" not in second
    pages = client.get_paginator("get_routes").paginate(ApiId=http, PaginationConfig={"PageSize": 1})
    assert [route.get("RouteId") for page in pages for route in page["Items"]] == [made[0], *made[2:]]


@pytest.mark.parametrize("most", ["0", "501", "many", "-1"])
def test_a_malformed_page_is_refused(client: ApiGatewayV2Client, most: str) -> None:
    with refused("BadRequestException", "MaxResults"):
        client.get_apis(MaxResults=most)
    with refused("BadRequestException", "NextToken"):
        client.get_apis(NextToken=most + "x")


def test_all_lists_have_pages(client: ApiGatewayV2Client, http: str) -> None:
    for name in ("a", "b"):
        client.create_stage(ApiId=http, StageName=name)
        client.create_route(ApiId=http, RouteKey=f"GET /{name}")
        client.create_integration(
            ApiId=http, IntegrationType="AWS_PROXY", IntegrationUri=FUNCTION, PayloadFormatVersion="2.0"
        )
        client.create_deployment(ApiId=http)
    for listed in (client.get_stages, client.get_routes, client.get_integrations, client.get_deployments):
        page: Any = listed(ApiId=http, MaxResults="1")
        assert len(page["Items"]) == 1
        rest: Any = listed(ApiId=http, NextToken=page["NextToken"])
        assert len(rest["Items"]) == 1


# what is not there


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("create_authorizer", {"ApiId": "a", "AuthorizerType": "JWT", "IdentitySource": ["x"], "Name": "n"}),
        ("get_authorizers", {"ApiId": "a"}),
        ("create_domain_name", {"DomainName": "example.com"}),
        ("get_domain_names", {}),
        ("create_api_mapping", {"ApiId": "a", "DomainName": "d", "Stage": "s"}),
        ("create_model", {"ApiId": "a", "Name": "n", "Schema": "{}"}),
        ("create_vpc_link", {"Name": "n", "SubnetIds": []}),
        ("create_integration_response", {"ApiId": "a", "IntegrationId": "i", "IntegrationResponseKey": "k"}),
        ("create_route_response", {"ApiId": "a", "RouteId": "r", "RouteResponseKey": "k"}),
        ("import_api", {"Body": "{}"}),
        ("reimport_api", {"ApiId": "a", "Body": "{}"}),
        ("export_api", {"ApiId": "a", "OutputType": "JSON", "Specification": "OAS30"}),
        ("reset_authorizers_cache", {"ApiId": "a", "StageName": "s"}),
    ],
)
def test_what_is_not_built_is_refused_by_name(
    client: ApiGatewayV2Client, operation: str, members: dict[str, Any]
) -> None:
    name = "".join(word.capitalize() for word in operation.split("_"))
    with refused("UnknownOperationException", f"apigatewayv2 {name} is not in Treadle's emulator yet"):
        getattr(client, operation)(**members)


def test_rest_apis_are_refused_by_name(emulator: Dev) -> None:
    with refused("UnknownOperationException", "apigateway CreateRestApi is not in Treadle's emulator yet"):
        emulator.client("apigateway").create_rest_api(name="x")

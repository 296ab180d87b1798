"""What a stage of an HTTP API serves: its deployment, and the CORS headers of its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import ACCOUNT, unique
from support.dev import Answer, Dev
from support.lambda_account import Account, make_role, refused

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import ApiGatewayV2Client

FUNCTION = """
import json

def handler(event, context):
    return {
        "statusCode": 200,
        "headers": {"access-control-allow-origin": "mine", "access-control-other": "mine", "x-a": "b"},
        "body": event["routeKey"],
    }
"""
ORIGIN = "http://localhost:1234"
PREFLIGHT = {"origin": ORIGIN, "access-control-request-method": "GET"}


@pytest.fixture(scope="module")
def client(emulator: Dev) -> ApiGatewayV2Client:
    return cast("ApiGatewayV2Client", emulator.client("apigatewayv2"))


@pytest.fixture(scope="module")
def function(emulator: Dev) -> str:
    name = Account(emulator, emulator.client("lambda"), make_role(emulator)).make(FUNCTION, Timeout=20)
    emulator.client("lambda").add_permission(
        FunctionName=name,
        StatementId="apis",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


class Served:
    """An HTTP API with one integration, asked at its stages."""

    def __init__(self, emulator: Dev, client: ApiGatewayV2Client, function: str) -> None:
        self._emulator = emulator
        self.client = client
        self.id = client.create_api(Name=unique("api"), ProtocolType="HTTP")["ApiId"]
        self.integration = client.create_integration(
            ApiId=self.id, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
        )["IntegrationId"]

    def route(self, key: str) -> str:
        return self.client.create_route(ApiId=self.id, RouteKey=key, Target=f"integrations/{self.integration}")[
            "RouteId"
        ]

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        return self._emulator.request(
            self._emulator.endpoint, method, f"/_aws/execute-api/{self.id}/{path}", None, headers
        )


@pytest.fixture
def api(emulator: Dev, client: ApiGatewayV2Client, function: str) -> Served:
    return Served(emulator, client, function)


# deployments


def test_a_stage_serves_its_deployment_until_it_has_another(api: Served) -> None:
    api.route("GET /a")
    first = api.client.create_deployment(ApiId=api.id, Description="d")
    assert (first["AutoDeployed"], first["DeploymentStatus"], first["Description"]) == (False, "DEPLOYED", "d")
    api.client.create_stage(ApiId=api.id, StageName="prod", DeploymentId=first["DeploymentId"])
    api.route("GET /b")
    assert (api.ask("prod/a").status, api.ask("prod/b").status) == (200, 404)

    second = api.client.create_deployment(ApiId=api.id, StageName="prod")["DeploymentId"]
    assert api.client.get_stage(ApiId=api.id, StageName="prod")["DeploymentId"] == second
    assert api.ask("prod/b").status == 200
    api.client.update_stage(ApiId=api.id, StageName="prod", DeploymentId=first["DeploymentId"])
    assert api.ask("prod/b").status == 404

    api.client.delete_deployment(ApiId=api.id, DeploymentId=second)
    with refused("BadRequestException", "Active stages pointing to this deployment must be moved or deleted"):
        api.client.delete_deployment(ApiId=api.id, DeploymentId=first["DeploymentId"])
    changed = api.client.update_deployment(ApiId=api.id, DeploymentId=first["DeploymentId"], Description="e")
    assert changed["Description"] == "e"
    assert api.client.get_deployment(ApiId=api.id, DeploymentId=first["DeploymentId"])["Description"] == "e"
    with refused("NotFoundException", "Deployment"):
        api.client.get_deployment(ApiId=api.id, DeploymentId=second)


def test_a_stage_that_deploys_automatically_serves_all_changes(api: Served) -> None:
    api.client.create_stage(ApiId=api.id, StageName="dev", AutoDeploy=True)
    route = api.route("GET /a")
    assert api.ask("dev/a").status == 200
    stage = api.client.get_stage(ApiId=api.id, StageName="dev")
    (deployment,) = api.client.get_deployments(ApiId=api.id)["Items"]
    assert (deployment.get("DeploymentId"), deployment.get("AutoDeployed")) == (stage["DeploymentId"], True)
    assert stage["LastDeploymentStatusMessage"].endswith(f"'{stage['DeploymentId']}'")

    api.client.update_stage(ApiId=api.id, StageName="dev", AutoDeploy=False)
    api.client.delete_route(ApiId=api.id, RouteId=route)
    assert api.ask("dev/a").status == 200
    api.client.update_stage(ApiId=api.id, StageName="dev", AutoDeploy=True)
    assert api.ask("dev/a").status == 404


def test_a_stage_without_a_deployment_serves_nothing(api: Served) -> None:
    api.route("$default")
    api.client.create_stage(ApiId=api.id, StageName="empty")
    assert [api.ask(f"{stage}/a").status for stage in ("empty", "none")] == [404, 404]


def test_deployments_that_are_refused(api: Served) -> None:
    with refused("BadRequestException", "At least one route is required before deploying the Api."):
        api.client.create_deployment(ApiId=api.id)
    api.route("$default")
    api.client.create_stage(ApiId=api.id, StageName="dev", AutoDeploy=True)
    with refused("BadRequestException", "deploys automatically"):
        api.client.create_deployment(ApiId=api.id, StageName="dev")
    with refused("NotFoundException", "Stage"):
        api.client.create_deployment(ApiId=api.id, StageName="none")
    made = api.client.create_deployment(ApiId=api.id)["DeploymentId"]
    with refused("BadRequestException", "deploys automatically"):
        api.client.update_stage(ApiId=api.id, StageName="dev", DeploymentId=made)


def test_an_api_without_its_own_endpoint_is_not_found_at_it(api: Served) -> None:
    api.route("$default")
    api.client.create_stage(ApiId=api.id, StageName="$default", AutoDeploy=True)
    assert api.ask("$default/a").status == 200
    api.client.update_api(ApiId=api.id, DisableExecuteApiEndpoint=True)
    assert api.ask("$default/a").status == 404


# CORS


@pytest.fixture
def shared(api: Served) -> Served:
    api.client.create_stage(ApiId=api.id, StageName="dev", AutoDeploy=True)
    api.route("GET /a")
    return api


def allow(api: Served, **configuration: Any) -> None:
    api.client.delete_cors_configuration(ApiId=api.id)
    api.client.update_api(ApiId=api.id, CorsConfiguration=cast("Any", configuration))


def cors_headers(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def test_without_a_configuration_the_function_answers_for_itself(shared: Served) -> None:
    answer = shared.ask("dev/a", headers={"origin": ORIGIN})
    assert cors_headers(answer) == {"access-control-allow-origin": "mine", "access-control-other": "mine"}
    assert shared.ask("dev/a", "OPTIONS", PREFLIGHT).status == 404


def test_a_preflight_that_no_route_takes_is_answered(shared: Served) -> None:
    allow(
        shared,
        AllowOrigins=["https://example.com", ORIGIN],
        AllowMethods=["GET", "POST"],
        AllowHeaders=["x-a", "x-b"],
        ExposeHeaders=["x-c"],
        AllowCredentials=True,
        MaxAge=300,
    )
    for path in ("a", "any/thing"):
        answer = shared.ask(f"dev/{path}", "OPTIONS", PREFLIGHT)
        assert (answer.status, answer.body) == (204, b"")
        assert cors_headers(answer) == {
            "access-control-allow-origin": ORIGIN,
            "access-control-allow-methods": "GET,POST",
            "access-control-allow-headers": "x-a,x-b",
            "access-control-allow-credentials": "true",
            "access-control-max-age": "300",
        }
    asks_for_nothing = shared.ask("dev/a", "OPTIONS", {"origin": ORIGIN})
    assert (asks_for_nothing.status, cors_headers(asks_for_nothing)) == (204, {})


def test_the_configuration_wins_over_the_functions_headers(shared: Served) -> None:
    allow(shared, AllowOrigins=[ORIGIN], ExposeHeaders=["x-a"], AllowCredentials=True)
    answer = shared.ask("dev/a", headers={"origin": ORIGIN})
    assert (answer.status, answer.body, answer.headers["x-a"]) == (200, b"GET /a", "b")
    assert cors_headers(answer) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "x-a",
    }
    assert cors_headers(shared.ask("dev/a")) == {}


def test_an_origin_that_is_not_allowed_gets_no_headers(shared: Served) -> None:
    allow(shared, AllowOrigins=["https://example.com"], AllowMethods=["*"])
    assert cors_headers(shared.ask("dev/a", headers={"origin": ORIGIN})) == {}
    answer = shared.ask("dev/a", "OPTIONS", PREFLIGHT)
    assert (answer.status, cors_headers(answer)) == (204, {})


@pytest.mark.parametrize(("allowed", "said"), [("*", "*"), ("http://*", ORIGIN), ("https://*", None)])
def test_origins_with_a_star(shared: Served, allowed: str, said: str | None) -> None:
    allow(shared, AllowOrigins=[allowed])
    assert cors_headers(shared.ask("dev/a", headers={"origin": ORIGIN})).get("access-control-allow-origin") == said


def test_a_route_that_takes_the_preflight_answers_it(shared: Served) -> None:
    allow(shared, AllowOrigins=["*"], AllowMethods=["*"], AllowHeaders=["authorization", "*"], MaxAge=600)
    shared.route("OPTIONS /a")
    answer = shared.ask("dev/a", "OPTIONS", PREFLIGHT)
    assert (answer.status, answer.body) == (200, b"OPTIONS /a")
    assert cors_headers(answer) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "*",
        "access-control-allow-headers": "authorization,*",
        "access-control-max-age": "600",
    }

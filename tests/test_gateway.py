"""HTTP APIs through HTTP: the event as a function sees it, and the response made of what it returns.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.aws import ACCOUNT, unique
from support.dev import Answer, Dev
from support.lambda_account import Account, make_role

ECHO = """
import json

def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""
SAY = """
import json

def handler(event, context):
    return json.loads(event["body"])
"""
WAIT = """
import time

def handler(event, context):
    time.sleep(2)
    return {}
"""


class Api:
    """An HTTP API in front of functions, asked on the AWS port."""

    def __init__(self, account: Account, stage: str = "$default") -> None:
        self.dev = account.emulator
        self._account = account
        self._client = self.dev.client("apigatewayv2")
        self._stage = stage
        self.id: str = self._client.create_api(Name=unique("api"), ProtocolType="HTTP")["ApiId"]
        self._client.create_stage(ApiId=self.id, StageName=stage, AutoDeploy=True)

    def integrate(self, source: str, **settings: Any) -> str:
        """A new function behind the API; the target of routes to it."""
        name = self._account.make(source, Timeout=20)
        self._account.client.add_permission(
            FunctionName=name,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{self.id}/*",
        )
        made = self._client.create_integration(
            ApiId=self.id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}",
            PayloadFormatVersion="2.0",
            **settings,
        )
        return f"integrations/{made['IntegrationId']}"

    def route(self, key: str, target: str) -> None:
        self._client.create_route(ApiId=self.id, RouteKey=key, Target=target)

    def request(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        address = f"/_aws/execute-api/{self.id}/{self._stage}{path}"
        return self.dev.request(self.dev.endpoint, method, address, body, headers)

    def event(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        answer = self.request(method, path, body, headers)
        assert answer.status == 200, answer.body
        return answer.json()


@pytest.fixture(scope="module")
def account(emulator: Dev) -> Account:
    return Account(emulator, emulator.client("lambda"), make_role(emulator))


@pytest.fixture(scope="module")
def echo(account: Account) -> Api:
    api = Api(account)
    target = api.integrate(ECHO)
    for key in (
        "GET /pets",
        "POST /pets",
        "GET /pets/{petId}",
        "GET /pets/{id}/toys/{toy}",
        "GET /pets/dog",
        "ANY /files/{path+}",
        "GET /files/{name}",
    ):
        api.route(key, target)
    return api


@pytest.fixture(scope="module")
def say(account: Account) -> Api:
    api = Api(account)
    api.route("$default", api.integrate(SAY))
    return api


# events


def test_the_event_has_the_shape_that_aws_documents(echo: Api) -> None:
    event = echo.event("GET", "/pets?a=1&a=2&b=x%20y+z&c=", headers={"User-Agent": "me", "X-Custom": "v"})

    context = event.pop("requestContext")
    headers = event.pop("headers")
    assert event == {
        "version": "2.0",
        "routeKey": "GET /pets",
        "rawPath": "/pets",
        "rawQueryString": "a=1&a=2&b=x%20y+z&c=",
        "queryStringParameters": {"a": "1,2", "b": "x y z", "c": ""},
        "isBase64Encoded": False,
    }
    host = echo.dev.endpoint.removeprefix("http://")
    assert (headers["x-custom"], headers["user-agent"], headers["host"]) == ("v", "me", host)
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert headers["x-forwarded-port"] == host.split(":")[1]
    assert context["http"] == {
        "method": "GET",
        "path": "/pets",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "me",
    }
    assert (context["accountId"], context["apiId"], context["stage"]) == (ACCOUNT, echo.id, "$default")
    assert context["routeKey"] == "GET /pets"
    assert {"domainName", "domainPrefix", "requestId", "time", "timeEpoch"} <= context.keys()


def test_repeated_headers_are_joined_and_cookies_are_a_list(echo: Api) -> None:
    connection = http.client.HTTPConnection(echo.dev.endpoint.removeprefix("http://"), timeout=20)
    connection.putrequest("GET", f"/_aws/execute-api/{echo.id}/$default/pets")
    for name, value in (("X-One", "a"), ("x-one", "b"), ("Cookie", "k=1; l=2"), ("Cookie", "m=3")):
        connection.putheader(name, value)
    connection.endheaders()
    event = json.loads(connection.getresponse().read())
    connection.close()

    assert event["headers"]["x-one"] == "a,b"
    assert event["cookies"] == ["k=1", "l=2", "m=3"]
    assert "cookie" not in event["headers"]


@pytest.mark.parametrize(
    ("path", "route", "parameters"),
    [
        ("/pets/a%20b%2Fc%C3%A9", "GET /pets/{petId}", {"petId": "a b/cé"}),
        ("/pets/dog", "GET /pets/dog", None),
        ("/pets/1/toys/ball", "GET /pets/{id}/toys/{toy}", {"id": "1", "toy": "ball"}),
        ("/files/a", "GET /files/{name}", {"name": "a"}),
        ("/files/a/b", "ANY /files/{path+}", {"path": "a/b"}),
    ],
)
def test_path_parameters_are_decoded(echo: Api, path: str, route: str, parameters: dict[str, str] | None) -> None:
    event = echo.event("GET", path)
    assert (event["routeKey"], event.get("pathParameters")) == (route, parameters)


def test_a_method_without_a_route_is_not_found(echo: Api) -> None:
    for method in ("HEAD", "OPTIONS", "DELETE"):
        answer = echo.request(method, "/pets")
        assert (answer.status, answer.headers["content-type"]) == (404, "application/json")
    assert echo.request("GET", "/nothing").json() == {"message": "Not Found"}


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", "text/csv", "application/xml"])
def test_a_text_body_is_text(echo: Api, kind: str) -> None:
    event = echo.event("POST", "/pets", "é\n".encode(), {"content-type": kind})
    assert (event["body"], event["isBase64Encoded"]) == ("é\n", False)


@pytest.mark.parametrize("kind", ["application/octet-stream", "image/png", "application/x-www-form-urlencoded"])
def test_any_other_body_is_base64(echo: Api, kind: str) -> None:
    event = echo.event("POST", "/pets", b"\x00\xff", {"content-type": kind})
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"\x00\xff", True)


def test_an_empty_body_is_none(echo: Api) -> None:
    assert "body" not in echo.event("POST", "/pets")


def test_the_path_of_a_named_stage_begins_with_it(account: Account) -> None:
    api = Api(account, stage="prod")
    api.route("GET /pets", api.integrate(ECHO))
    event = api.event("GET", "/pets")
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == ("/prod/pets", "/prod/pets")
    assert event["requestContext"]["stage"] == "prod"


def test_bodies_over_the_limits_are_refused(echo: Api) -> None:
    assert echo.request("POST", "/pets", b"x" * (10 * 1024 * 1024 + 1)).status == 413
    assert echo.request("POST", "/pets", b"x" * (7 * 1024 * 1024)).status == 500  # more than Lambda takes


def test_a_route_is_there_with_the_next_request(account: Account) -> None:
    api = Api(account)
    target = api.integrate(ECHO)
    assert api.request("GET", "/late").status == 404
    api.route("GET /late", target)
    assert api.request("GET", "/late").status == 200


# responses


def test_a_result_becomes_the_response(say: Api) -> None:
    result = {
        "statusCode": 201,
        "headers": {"Content-Type": "text/html", "X-Number": 5, "X-True": True},
        "cookies": ["a=1; Secure", "b=2"],
        "body": "<p>é</p>",
    }
    connection = http.client.HTTPConnection(say.dev.endpoint.removeprefix("http://"), timeout=20)
    connection.request(
        "POST",
        f"/_aws/execute-api/{say.id}/$default/",
        json.dumps(result),
        {"content-type": "application/json"},
    )
    answer = connection.getresponse()
    assert (answer.status, answer.read().decode()) == (201, "<p>é</p>")
    assert (answer.getheader("content-type"), answer.getheader("x-number")) == ("text/html", "5")
    assert answer.headers.get_all("set-cookie") == ["a=1; Secure", "b=2"]
    connection.close()


@pytest.mark.parametrize(
    ("result", "body", "content_type"),
    [
        ({"message": "hello", "n": 1}, b'{"message": "hello", "n": 1}', "application/json"),
        ("hello", b"hello", "application/json"),
        ([1, 2], b"[1, 2]", "application/json"),
        ({"statusCode": 200, "body": "x"}, b"x", "text/plain; charset=utf-8"),
        ({"statusCode": 200, "isBase64Encoded": True, "body": "AP8="}, b"\x00\xff", "text/plain; charset=utf-8"),
    ],
)
def test_a_result_in_any_form_becomes_a_body(say: Api, result: object, body: bytes, content_type: str) -> None:
    answer = say.request("POST", "/", result)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, body, content_type)


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": 100},
        {"statusCode": 200, "isBase64Encoded": True, "body": "?"},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "headers": {"x\r\nset-cookie: a": "b"}},
    ],
)
def test_a_malformed_result_is_an_internal_server_error(say: Api, result: object) -> None:
    answer = say.request("POST", "/", result)
    assert (answer.status, answer.json()) == (500, {"message": "Internal Server Error"})


def test_a_header_value_adds_no_header(say: Api) -> None:
    answer = say.request("POST", "/", {"statusCode": 200, "headers": {"x-a": "b\r\nset-cookie: stolen=1"}, "body": ""})
    assert answer.status == 200
    assert "set-cookie" not in answer.headers


def test_a_response_without_content_leaves_the_connection_in_order(say: Api) -> None:
    connection = http.client.HTTPConnection(say.dev.endpoint.removeprefix("http://"), timeout=20)
    for status in (204, 304, 200):
        body = json.dumps({"statusCode": status, "body": "text"})
        connection.request("POST", f"/_aws/execute-api/{say.id}/$default/", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (status, b"text" if status == 200 else b"")
    connection.close()


def test_a_function_that_raises_is_an_internal_server_error(say: Api) -> None:
    answer = say.request("POST", "/", b"{no json", {"content-type": "application/json"})
    assert (answer.status, answer.json()) == (500, {"message": "Internal Server Error"})


def test_a_function_that_outlasts_its_integration_is_a_503(account: Account) -> None:
    api = Api(account)
    api.route("GET /slow", api.integrate(WAIT, TimeoutInMillis=300))
    answer = api.request("GET", "/slow")
    assert (answer.status, answer.json()) == (503, {"message": "Service Unavailable"})


def test_requests_to_slow_functions_are_worked_on_at_once(account: Account) -> None:
    api = Api(account)
    together = "import os, time\n\ndef handler(event, context):\n    time.sleep(1)\n    return {'pid': os.getpid()}\n"
    api.route("GET /slow", api.integrate(together))
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(api.request, ["GET"] * 4, ["/slow"] * 4))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json()["pid"] for answer in answers}) == 4

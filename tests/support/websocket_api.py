"""A WebSocket API in front of one function, which does what its messages say and tells what it sees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from support.aws import ACCOUNT, unique
from support.dev import wait_until
from support.lambda_account import Account
from support.websocket import WebSocketClient

STAGE = "dev"
_OBEDIENT = """
import json, os, time, urllib.parse, urllib.request

def handler(event, context):
    print("EVENT " + json.dumps(event))
    asked = dict(event.get("queryStringParameters") or {})
    try:
        message = json.loads(event.get("body") or "")
        asked.update(message if isinstance(message, dict) else {})
    except (ValueError, RecursionError):
        pass
    time.sleep(float(asked.get("wait", 0)))
    if "raise" in asked:
        raise ValueError("asked to")
    if "reply" in asked:
        post(event["requestContext"], asked["reply"])
    if "result" in asked:
        return json.loads(asked["result"]) if isinstance(asked["result"], str) else asked["result"]
    headers = {"sec-websocket-protocol": asked["protocol"]} if "protocol" in asked else {}
    return {"statusCode": int(asked.get("status", 200)), "headers": headers, "body": asked.get("body", "")}

def post(context, text):
    place = f"{context['apiId']}/{context['stage']}/@connections/{urllib.parse.quote(context['connectionId'])}"
    scope = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/execute-api/aws4_request"
    request = urllib.request.Request(
        f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{place}",
        text.encode(),
        {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"],
        },
    )
    try:
        urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as problem:
        print("REFUSED " + str(problem.code) + " " + problem.headers.get("x-amzn-errortype", ""))
"""


class SocketApi:
    """An API on the AWS port."""

    def __init__(
        self, account: Account, *, permitted: bool = True, expression: str = "$request.body.action", **settings: Any
    ) -> None:
        self.dev = account.emulator
        self._client = self.dev.client("apigatewayv2")
        self.id: str = self._client.create_api(
            Name=unique("sockets"), ProtocolType="WEBSOCKET", RouteSelectionExpression=expression
        )["ApiId"]
        self._client.create_stage(ApiId=self.id, StageName=STAGE, AutoDeploy=True)
        self.function = account.make(_OBEDIENT, Timeout=20)
        self.function_arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{self.function}"
        if permitted:
            account.client.add_permission(
                FunctionName=self.function,
                StatementId="all",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
            )
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{self.function_arn}/invocations"
        made = self._client.create_integration(
            ApiId=self.id, IntegrationType="AWS_PROXY", IntegrationUri=uri, **settings
        )
        self._target = f"integrations/{made['IntegrationId']}"
        self.path = f"/_aws/execute-api/{self.id}/{STAGE}"

    def route(self, key: str) -> None:
        self._client.create_route(ApiId=self.id, RouteKey=key, Target=self._target)

    def delete(self) -> None:
        self._client.delete_api(ApiId=self.id)

    def connect(self, query: str = "", headers: Mapping[str, str | None] | None = None) -> WebSocketClient:
        return WebSocketClient(self.dev.endpoint, self.path + query, headers)

    def lines(self, prefix: str) -> list[str]:
        """What its function printed after a prefix, in order."""
        printed = self.dev.all("printed", step=self.function)
        return [line["text"].removeprefix(prefix) for line in printed if line["text"].startswith(prefix)]

    def event(self, kind: str, client: WebSocketClient, number: int = 0) -> dict[str, Any]:
        """An event of a connection, which must have a `$connect` route; the first of its kind unless told otherwise."""

        def look() -> dict[str, Any] | None:
            events: list[dict[str, Any]] = [json.loads(line) for line in self.lines("EVENT ")]
            opening = (event for event in events if event.get("headers", {}).get("X-Mark") == client.mark)
            ids = [event["requestContext"]["connectionId"] for event in opening]
            of_kind = [event for event in events if event["requestContext"]["eventType"] == kind]
            found = [event for event in of_kind if event["requestContext"]["connectionId"] in ids]
            return found[number] if len(found) > number else None

        return wait_until(f"a {kind} event", look)

    def connection_id(self, client: WebSocketClient) -> str:
        identity: str = self.event("CONNECT", client)["requestContext"]["connectionId"]
        return identity

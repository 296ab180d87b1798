"""What an app did, as clients of AWS see it: the answers, and when all is quiet the tables and dead-letter queues."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from support.dev import wait_until

from .random_app import RandomApp, Request

_QUIET_LOOKS = 3
_BETWEEN_LOOKS_SECONDS = 0.15
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

Lines = list[str]
ClientOf = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Target:
    """Where an app is deployed: an AWS endpoint, clients for it, and the stack that it is in."""

    endpoint: str
    client: ClientOf
    stack: str

    def outputs(self) -> dict[str, str]:
        described = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}

    def resources(self, kind: str) -> list[str]:
        """The physical ids of the stack's resources of one type."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        found = [entry for page in pages for entry in page["StackResourceSummaries"]]
        return sorted(entry["PhysicalResourceId"] for entry in found if entry["ResourceType"] == kind)


def transcript(target: Target, app: RandomApp) -> Lines:
    """One line for each thing that happened, in an order that does not depend on time."""
    prefix = f"/_aws/execute-api/{target.outputs()['HttpApiId']}/$default"
    lines = [_answered(target, prefix, request) for request in app.requests]
    _wait_for_quiet(target)
    lines += [_answered(target, prefix, request) for request in app.looks]
    return lines + _rows(target) + _dead_letters(target)


def _answered(target: Target, prefix: str, request: Request) -> str:
    connection = http.client.HTTPConnection(target.endpoint.removeprefix("http://"), timeout=60)
    body = None if request.body is None else json.dumps(request.body).encode()
    headers = {**request.headers, **({"content-type": "application/json"} if body is not None else {})}
    try:
        connection.request(request.method, prefix + request.path, body, headers)
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    said = [response.status, response.getheader("content-type"), response.getheader("x-made-by"), text]
    return f"{request.method} {request.path} -> {json.dumps(said, ensure_ascii=False)}"


def _queues(target: Target) -> list[str]:
    return target.resources("AWS::SQS::Queue")


def _is_dead_letter(url: str) -> bool:
    return url.endswith("--dead")


def _wait_for_quiet(target: Target) -> None:
    """Returns when no queue holds a message and nothing has been written for some looks."""
    queues = [url for url in _queues(target) if not _is_dead_letter(url)]
    seen: list[Lines] = []

    def quiet() -> bool:
        time.sleep(_BETWEEN_LOOKS_SECONDS)
        if any(_waiting(target, url) for url in queues):
            seen.clear()
            return False
        seen.append([*_rows(target), *(str(_waiting(target, url)) for url in _queues(target))])
        return len(seen) > _QUIET_LOOKS and all(look == seen[-1] for look in seen[-_QUIET_LOOKS:])

    wait_until("all messages are worked off", quiet, 60)


def _waiting(target: Target, url: str) -> int:
    found = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
    return sum(int(count) for count in found["Attributes"].values())


def _rows(target: Target) -> Lines:
    """The items of the app's state and streams; versions count writes, times are the machine's: both are left out."""
    lines: Lines = []
    for table in target.resources("AWS::DynamoDB::Table"):
        pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        items = [item for page in pages for item in page["Items"]]
        lines += sorted(f"{table}: {_plain(item)}" for item in items)
    return lines


def _plain(item: dict[str, Any]) -> str:
    kept = {name: value for name, value in item.items() if name in ("group", "key", "id", "value")}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, default=str)


def _dead_letters(target: Target) -> Lines:
    lines: Lines = []
    for url in filter(_is_dead_letter, _queues(target)):
        name = url.rsplit("/", 1)[-1]
        for message in _received(target, url):
            attributes = cast("dict[str, Any]", message.get("MessageAttributes", {}))
            told = {
                key: attributes.get(key, {}).get("StringValue") for key in ("errorType", "errorMessage", "attempts")
            }
            lines.append(f"{name}: {message['Body']} {json.dumps(told)}")
    return sorted(lines)


def _received(target: Target, url: str) -> Sequence[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    while True:
        answer = target.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600, MessageAttributeNames=["All"]
        )
        if not answer.get("Messages"):
            return list(found.values())
        found |= {message["MessageId"]: message for message in answer["Messages"]}

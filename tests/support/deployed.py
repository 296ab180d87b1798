"""Deploying to an emulator of AWS as people do it: by the command, with no terminal."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from support.command import Done, treadle
from support.dev import Answer
from support.judges import aws_environment


class Cloud(Protocol):
    """Treadle's emulator or another: where it answers, and clients for it."""

    @property
    def endpoint(self) -> str: ...

    def client(self, service: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Project:
    """A project and where it is deployed to."""

    cloud: Cloud
    folder: Path

    def run(self, command: str, *arguments: str, stage: str = "prod") -> Done:
        """Runs `treadle deploy` or `treadle remove` for a stage, with root's keys."""
        environment = aws_environment(self.cloud.endpoint)
        return treadle(command, self.folder, "--stage", stage, *arguments, environment=environment)

    def events(self, command: str, *arguments: str, stage: str = "prod") -> list[dict[str, Any]]:
        """What the command says with `--json`, which must go well."""
        done = self.run(command, "--yes", "--json", *arguments, stage=stage)
        assert done.code == 0, done.err + done.out
        return [json.loads(line) for line in done.out.splitlines()]


def the(kind: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """The only event of a kind."""
    (found,) = [event for event in events if event["event"] == kind]
    return found


def request(method: str, url: str, body: object = None) -> Answer:
    """One request; the body goes as JSON."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=40)
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, parts.path, data, {"content-type": "application/json"})
        response = connection.getresponse()
        return Answer(response.status, response.read(), dict(response.getheaders()))
    finally:
        connection.close()


def items(cloud: Cloud, table: str) -> list[dict[str, Any]]:
    """All items of a table."""
    found: list[dict[str, Any]] = cloud.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    return found


def names_of(cloud: Cloud, prefix: str) -> list[str]:
    """The names of everything of an app that costs something or keeps something."""
    functions = [one["FunctionName"] for one in cloud.client("lambda").list_functions()["Functions"]]
    queues = [url.rsplit("/", 1)[-1] for url in cloud.client("sqs").list_queues().get("QueueUrls", [])]
    topics = [one["TopicArn"].rsplit(":", 1)[-1] for one in cloud.client("sns").list_topics()["Topics"]]
    tables = cloud.client("dynamodb").list_tables()["TableNames"]
    groups = [one["logGroupName"] for one in cloud.client("logs").describe_log_groups()["logGroups"]]
    roles = [one["RoleName"] for one in cloud.client("iam").list_roles()["Roles"]]
    rules = [one["Name"] for one in cloud.client("events").list_rules()["Rules"]]
    apis = [one["Name"] for one in cloud.client("apigatewayv2").get_apis()["Items"]]
    every = [*functions, *queues, *topics, *tables, *groups, *roles, *rules, *apis]
    return sorted(name for name in every if name.removeprefix("/aws/lambda/").startswith(prefix))

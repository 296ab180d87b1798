"""A fake of the services behind CloudFormation, for tests that need one that waits or fails at a chosen moment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from support.aws import ACCOUNT
from support.templates import Json, resource, template
from treadle_local.aws.errors import AwsError


class Account:
    """A fake of the services behind the engine: topics only, each with its display name.

    Calls wait at the gate and fail where a test says so; `fail_at` counts the calls that make or change a topic.
    """

    def __init__(self) -> None:
        self.topics: dict[str, str] = {}
        self.calls: list[str] = []
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()
        self.failing: set[tuple[str, str]] = set()
        self.fail_at = -1

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> Json:
        self.calls.append(operation)
        name: str = params.get("Name") or params.get("TopicArn", "").rsplit(":", 1)[-1]
        if operation == "CreateTopic":
            self.asked.set()
            if self.gate is not None:
                await self.gate.wait()
        if operation in ("CreateTopic", "SetTopicAttributes"):
            self._refuse_reserved_tags(params)
            self.fail_at -= 1
            if self.fail_at == 0 or (operation, name) in self.failing:
                raise AwsError("Throttled", "too many calls")
        match operation:
            case "CreateTopic":
                self.topics[name] = params["Attributes"].get("DisplayName", "")
                return {"TopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"}
            case "SetTopicAttributes":
                self.topics[name] = params["AttributeValue"]
            case "DeleteTopic":
                self.topics.pop(name, None)
            case "GetTopicAttributes" if name not in self.topics:
                raise AwsError("NotFound", "Topic does not exist")
            case _:
                pass
        return {}

    def _refuse_reserved_tags(self, params: Mapping[str, Any]) -> None:
        if any(tag["Key"].startswith("aws:") for tag in params.get("Tags", [])):
            raise AwsError("InvalidParameter", "tag keys cannot start with aws:")


def topics(*names: str, display: str = "") -> str:
    return template({name: resource("SNS::Topic", {"TopicName": name, "DisplayName": display}) for name in names})

"""Functions, roles and queues for the tests of the Lambda service."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.aws import ACCOUNT, unique
from support.dev import Dev
from support.policies import allow, document, trust

ECHO = """
import os

def handler(event, context):
    return {"event": event, "version": context.function_version, "arn": context.invoked_function_arn,
            "request": context.aws_request_id, "greeting": os.environ.get("GREETING")}
"""
FAILING = """
import os

def handler(event, context):
    print("about to fail")
    with open(os.environ["RUNS"], "a") as runs:
        runs.write("run\\n")
    raise ValueError("no luck")
"""


def zipped(source: str, name: str = "app.py") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), source)
    return buffer.getvalue()


@contextmanager
def refused(code: str, words: str = "") -> Generator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response.get("Error", {})
    assert (error.get("Code"), words in error.get("Message", "")) == (code, True), error


def make_role(emulator: Dev, service: str = "lambda.amazonaws.com", actions: tuple[str, ...] = ()) -> str:
    iam = emulator.client("iam")
    name = unique("role")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(service)))["Role"]["Arn"]
    if actions:
        granted = json.dumps(document(allow(list(actions))))
        iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=granted)
    return arn


def make_queue(emulator: Dev, **attributes: str) -> tuple[str, str]:
    name = unique("queue")
    url: str = emulator.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


@dataclass(frozen=True)
class Account:
    """A role that may do everything with queues, and functions made with it."""

    emulator: Dev
    client: Any
    role: str

    def make(self, source: str = ECHO, **settings: Any) -> str:
        name = unique("function")
        self.client.create_function(**(self.settings(source) | {"FunctionName": name} | settings))
        return name

    def settings(self, source: str = ECHO) -> dict[str, Any]:
        return {
            "FunctionName": unique("function"),
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Role": self.role,
            "Code": {"ZipFile": zipped(source)},
        }


def invoke(client: Any, name: str, payload: object, **more: Any) -> Any:
    answer = client.invoke(FunctionName=name, Payload=json.dumps(payload).encode(), **more)
    return json.loads(answer["Payload"].read())

"""Least privilege, enforced: every statement of every role is needed, and the lack of one is named in the terminal."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from support.dev import Dev, wait_until
from support.projects import messaging
from treadle_infra.compile import compile_project
from treadle_infra.options import usual_options

ROLES = {
    "messaging--dev--SendMessage",
    "messaging--dev--ProcessMessage",
    "messaging--dev--DailySummary",
    "messaging--dev--http-api--gateway",
    "messaging--dev--_treadle-websocket",
    "messaging--dev--_treadle-broadcast",
}


def statements(folder: Path) -> list[tuple[str, str]]:
    """(role, Sid) of every statement that is synthesized for the messaging example."""
    project = messaging(folder)
    assembly = compile_project(project, "dev", usual_options(project)).assembly
    assert assembly is not None
    template: Any = assembly.template
    return [
        (resource["Properties"]["RoleName"], statement["Sid"])
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with Dev(messaging(tmp_path_factory.mktemp("permissions")), "--clock", "manual", "--no-watch") as running:
        yield running


def test_the_roles_are_those_that_this_module_takes_apart(tmp_path: Path) -> None:
    assert {role for role, _ in statements(tmp_path)} == ROLES


@pytest.mark.timeout(300)
def test_removing_any_statement_of_any_role_is_a_refusal_that_names_the_action(dev: Dev, tmp_path: Path) -> None:
    iam = dev.client("iam")
    for role, sid in statements(tmp_path):
        policy = iam.list_role_policies(RoleName=role)["PolicyNames"][0]
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        removed = next(one for one in document["Statement"] if one["Sid"] == sid)
        kept = [one for one in document["Statement"] if one["Sid"] != sid]
        actions = [removed["Action"]] if isinstance(removed["Action"], str) else removed["Action"]
        before = len(dev.happenings)

        _put(iam, role, policy, {**document, "Statement": kept or [_nothing()]})
        _restart_functions(dev)
        _use_everything(dev)
        if "sqs:SendMessage" in actions:  # only what is given up needs a dead-letter queue
            _give_up_something(dev)

        def denied(actions: list[str] = actions, before: int = before) -> bool:
            return any(_refuses(one, actions) for one in dev.happenings[before:])

        wait_until(f"a refusal of {actions} for {role} without {sid}", denied)
        _put(iam, role, policy, document)
        dev.advance(400)


def _refuses(happening: dict[str, Any], actions: list[str]) -> bool:
    """A refusal that names one of the actions, or the trouble of an event that has nowhere to go."""
    if happening["event"] == "trouble" and "sqs:SendMessage" in actions:
        return "no permission" in str(happening["text"])
    return happening["event"] == "denied" and happening["action"] in actions


def _use_everything(dev: Dev) -> None:
    """A client that follows, a request with all that follows from it, and the cron step."""
    with contextlib.suppress(WebSocketException, OSError), connect(dev.ready["ws"]) as socket:
        subscription = {"streamName": "messages", "groupId": "default", "subscriptionId": "s"}
        socket.send(json.dumps({"type": "join", "data": subscription}))
        with contextlib.suppress(TimeoutError):
            socket.recv(timeout=3)
        dev.http("POST", "/messages", {"text": "hi", "userId": "u1"})
        with contextlib.suppress(TimeoutError):
            socket.recv(timeout=0.5)
    dev.http("POST", "/messages", {"text": "hi", "userId": "u1"})
    firing = {"schedule": "messaging--dev--DailySummary", "time": "2026-11-22T09:00:00Z", "id": "test", "manual": True}
    payload = json.dumps({"treadle.cron": firing})
    dev.client("lambda").invoke(FunctionName="messaging--dev--DailySummary", Qualifier="live", Payload=payload)
    dev.advance(6)


def _give_up_something(dev: Dev) -> None:
    """A message, a change of a stream and an invocation that nobody can make sense of."""
    sqs = dev.client("sqs")
    url = sqs.get_queue_url(QueueName="messaging--dev--ProcessMessage")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="not json")
    poison = {"group": {"S": "default"}, "id": {"S": uuid.uuid4().hex}, "value": {"S": "no object"}}
    dev.client("dynamodb").put_item(TableName="messaging--dev--messages--stream", Item=poison)
    nonsense: dict[str, Any] = {"FunctionName": "messaging--dev--DailySummary", "Payload": "{}"}

    def failures() -> int:
        return len(dev.all("logged", step="DailySummary", level="error"))

    before = failures()
    dev.client("lambda").invoke(Qualifier="live", InvocationType="Event", **nonsense)
    for run, seconds in ((1, 61), (2, 121)):  # Lambda's two retries
        wait_until("a failed run", lambda run=run: failures() >= before + run)  # type: ignore[misc]
        dev.advance(seconds)


def _put(iam: Any, role: str, policy: str, document: dict[str, Any]) -> None:
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def _nothing() -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}


def _restart_functions(dev: Dev) -> None:
    """New environments: what is said once for each of them is said again."""
    functions = dev.client("lambda")
    for function in functions.list_functions()["Functions"]:
        name, description = function["FunctionName"], function["Description"]
        functions.update_function_configuration(FunctionName=name, Description=f"{description[:200]}.")

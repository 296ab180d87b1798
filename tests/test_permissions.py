"""Least privilege, enforced: every statement of every role is needed, and the lack of one is named in the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.dev import Dev, wait_until
from support.projects import messaging
from treadle_infra.compile import compile_project
from treadle_infra.options import usual_options

ROLES = ("messaging--dev--SendMessage", "messaging--dev--ProcessMessage", "messaging--dev--http-api--gateway")


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
    assert {role for role, _ in statements(tmp_path)} == set(ROLES)


def test_removing_any_statement_of_any_role_is_a_refusal_that_names_the_action(dev: Dev, tmp_path: Path) -> None:
    iam = dev.client("iam")
    for role, sid in statements(tmp_path):
        policy = iam.list_role_policies(RoleName=role)["PolicyNames"][0]
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        removed = next(one for one in document["Statement"] if one["Sid"] == sid)
        kept = [one for one in document["Statement"] if one["Sid"] != sid]
        actions = [removed["Action"]] if isinstance(removed["Action"], str) else removed["Action"]
        before = len(dev.all("denied"))

        _put(iam, role, policy, {**document, "Statement": kept or [_nothing()]})
        _restart_functions(dev)
        dev.http("POST", "/messages", {"text": "hi", "userId": "u1"})
        if "sqs:SendMessage" in actions:  # only a message that is given up needs the dead-letter queue
            _send_malformed(dev)
        dev.advance(6)

        def denied(actions: list[str] = actions, before: int = before) -> bool:
            return any(one["action"] in actions for one in dev.all("denied")[before:])

        wait_until(f"a refusal of {actions} for {role} without {sid}", denied)
        _put(iam, role, policy, document)
        dev.advance(400)


def _put(iam: Any, role: str, policy: str, document: dict[str, Any]) -> None:
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def _nothing() -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}


def _restart_functions(dev: Dev) -> None:
    """New environments: what is said once for each of them is said again."""
    functions = dev.client("lambda")
    for step in ("SendMessage", "ProcessMessage"):
        name = f"messaging--dev--{step}"
        description = functions.get_function_configuration(FunctionName=name)["Description"]
        functions.update_function_configuration(FunctionName=name, Description=f"{description[:200]}.")


def _send_malformed(dev: Dev) -> None:
    sqs = dev.client("sqs")
    url = sqs.get_queue_url(QueueName="messaging--dev--ProcessMessage")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="not json")

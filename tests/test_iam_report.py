"""`treadle dev --iam-report` and `GET /__treadle/iam`: what is granted, and what of it was used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.aws import refusal, unique
from support.dev import Dev, wait_until
from support.policies import allow
from support.projects import messaging
from support.roles import new_role, session_of


def read_report(dev: Dev) -> dict[str, Any]:
    answer = dev.request(dev.endpoint, "GET", "/__treadle/iam", None, None)
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def holder(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in (*report["roles"], *report["resources"]) if one["name"] == name)
    return found


def test_uses_are_counted_by_statement_and_what_was_refused_is_told(emulator: Dev) -> None:
    name, arn = new_role(
        emulator,
        {**allow(["ssm:Get*", "ssm:PutParameter"], "arn:aws:ssm:*:*:parameter/report/*"), "Sid": "Parameters"},
        {**allow("sns:Publish", "arn:aws:sns:*:*:nothing"), "Sid": "Unneeded"},
    )
    ssm = emulator.client("ssm", session_of(emulator, arn))
    ssm.put_parameter(Name="/report/a", Value="1", Type="String")
    for _ in range(3):
        ssm.get_parameter(Name="/report/a")
    assert refusal(ssm.get_parameter, Name="/other")[0] == "AccessDeniedException"
    found = holder(read_report(emulator), name)
    parameters, unneeded = found["granted"]
    assert (parameters["policy"], parameters["sid"], parameters["used"]) == ("p", "Parameters", 4)
    assert parameters["actions"] == {"ssm:Get*": 3, "ssm:PutParameter": 1}
    assert parameters["unused"] == []
    assert (unneeded["used"], unneeded["unused"]) == (0, ["sns:Publish", "arn:aws:sns:*:*:nothing"])
    assert [(one["action"], one["count"]) for one in found["denied"]] == [("ssm:GetParameter", 1)]


def test_what_a_resource_lets_a_role_do_is_a_use_of_its_statement(emulator: Dev) -> None:
    _, role = new_role(emulator, allow("sns:Publish", "arn:aws:sns:*:*:nothing"))
    arn = f"arn:aws:sqs:us-east-1:000000000000:{unique('lent')}"
    statement = {**allow("sqs:SendMessage", arn), "Principal": {"AWS": role}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    queue = emulator.client("sqs").create_queue(QueueName=arn.rsplit(":", 1)[-1], Attributes={"Policy": policy})[
        "QueueUrl"
    ]
    emulator.client("sqs", session_of(emulator, role)).send_message(QueueUrl=queue, MessageBody="hello")
    (granted,) = holder(read_report(emulator), arn)["granted"]
    assert (granted["used"], granted["unused"]) == (1, [])


def test_only_get_reads_the_report(emulator: Dev) -> None:
    assert emulator.request(emulator.endpoint, "POST", "/__treadle/iam", {}, None).status == 405


def test_on_stop_dev_tells_of_each_step_what_was_granted_and_used(tmp_path: Path) -> None:
    with Dev(messaging(tmp_path), "--clock", "manual", "--no-watch", "--iam-report") as dev:
        assert dev.http("POST", "/messages", {"text": "hi", "userId": "u1"}).status == 201
        wait_until("the message is worked off", lambda: dev.all("handled", step="ProcessMessage"))
        queue = holder(read_report(dev), "arn:aws:sqs:us-east-1:000000000000:messaging--dev--ProcessMessage")
        assert [(one["by"], one["action"]) for one in queue["used"]] == [("sns.amazonaws.com", "sqs:SendMessage")]
    told = dev.first("permissions")
    assert told is not None
    grants = {
        grant["sid"]: grant for role in told["roles"] if role["step"] == "SendMessage" for grant in role["granted"]
    }
    assert set(grants) >= {"Logs", "Publish", "State"}
    assert grants["Publish"]["unused"] == []
    summary = next(role for role in told["roles"] if role["step"] == "DailySummary")
    assert all(grant["used"] == 0 for grant in summary["granted"] if grant["sid"] == "State")


def test_without_the_option_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with Dev(tmp_path / "empty", "--no-watch") as dev:
        pass
    assert dev.first("permissions") is None

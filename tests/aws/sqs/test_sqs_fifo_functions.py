"""Functions fed from FIFO queues: each group's messages in order, one after the other, a failed one first again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import refusal
from support.dev import wait_until
from support.fifo import create_fifo, create_fifo_with_dead_letters, send
from support.lambda_account import Account
from support.queues import arn_of, bodies, counts, receive

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

# writes down what it is given; what is named in `fail` fails, and with it the rest of its group in the batch
NOTING = """
import json, os, pathlib

def handler(event, context):
    fail = pathlib.Path({folder!r}, "fail").read_text().split()
    failed, groups = [], set()
    for record in event["Records"]:
        group = record["attributes"]["MessageGroupId"]
        if record["body"] in fail or group in groups:
            groups.add(group)
            failed.append({{"itemIdentifier": record["messageId"]}})
    with open(pathlib.Path({folder!r}, "seen"), "a") as seen:
        seen.write(json.dumps(event["Records"]) + "\\n")
    return {{"batchItemFailures": failed}}
"""


def _noting(account: Account, folder: Path, url: str, **mapping: Any) -> None:
    (folder / "fail").write_text("a2")
    (folder / "seen").touch()
    account.client.create_event_source_mapping(
        FunctionName=account.make(NOTING.format(folder=str(folder))),
        EventSourceArn=arn_of(url),
        FunctionResponseTypes=["ReportBatchItemFailures"],
        **mapping,
    )


def _records(folder: Path) -> list[list[dict[str, Any]]]:
    return [json.loads(line) for line in (folder / "seen").read_text().splitlines()]


def _seen(folder: Path, group: str) -> list[str]:
    return [record["body"] for batch in _records(folder) for record in batch if record["body"][0] == group]


def test_a_failed_message_keeps_its_group_back_until_it_comes_again(
    account: Account, sqs: SQSClient, tmp_path: Path
) -> None:
    url = create_fifo(sqs, VisibilityTimeout="60")
    for body in ("a1", "a2", "a3", "b1", "b2"):
        send(sqs, url, body)
    _noting(account, tmp_path, url, BatchSize=10)
    wait_until("both groups", lambda: len(_seen(tmp_path, "a")) == 3 and len(_seen(tmp_path, "b")) == 2)
    wait_until("what succeeded is deleted", lambda: counts(sqs, url) == (0, 2, 0))
    send(sqs, url, "a4")
    send(sqs, url, "b3")
    wait_until("the other group goes on", lambda: _seen(tmp_path, "b") == ["b1", "b2", "b3"])
    assert _seen(tmp_path, "a") == ["a1", "a2", "a3"]
    (tmp_path / "fail").write_text("")
    account.emulator.advance(60)
    wait_until("the rest of the group", lambda: _seen(tmp_path, "a") == ["a1", "a2", "a3", "a2", "a3", "a4"])
    wait_until("an empty queue", lambda: counts(sqs, url) == (0, 0, 0))


def test_a_record_of_a_fifo_queue_has_its_attributes(account: Account, sqs: SQSClient, tmp_path: Path) -> None:
    url = create_fifo(sqs)
    sent = send(sqs, url, "b1", MessageDeduplicationId="d")
    _noting(account, tmp_path, url)
    (record,) = wait_until("the batch", lambda: _records(tmp_path))[0]
    assert {name: record["attributes"][name] for name in record["attributes"] if name.startswith(("Me", "Se"))} == {
        "MessageGroupId": "b",
        "MessageDeduplicationId": "d",
        "SequenceNumber": sent["SequenceNumber"],
        "SenderId": record["attributes"]["SenderId"],
        "SentTimestamp": record["attributes"]["SentTimestamp"],
    }


def test_a_group_is_worked_on_by_one_invocation_at_a_time(account: Account, sqs: SQSClient, tmp_path: Path) -> None:
    url = create_fifo(sqs)
    for number in range(12):
        send(sqs, url, f"{'abc'[number % 3]}{number}")
    _noting(account, tmp_path, url, BatchSize=2, ScalingConfig={"MaximumConcurrency": 2})
    wait_until("all", lambda: sum(len(_seen(tmp_path, group)) for group in "abc") == 12)
    for place, group in enumerate("abc"):
        assert _seen(tmp_path, group) == [f"{group}{number}" for number in range(place, 12, 3)]


def test_a_message_that_fails_too_often_lets_its_group_go_on(account: Account, sqs: SQSClient, tmp_path: Path) -> None:
    url, dead_letters = create_fifo_with_dead_letters(sqs, VisibilityTimeout="60")
    for body in ("a1", "a2"):
        send(sqs, url, body)
    _noting(account, tmp_path, url, BatchSize=1)
    wait_until("the failure", lambda: _seen(tmp_path, "a") == ["a1", "a2"])
    send(sqs, url, "a3")
    account.emulator.advance(60)
    wait_until("the next of the group", lambda: _seen(tmp_path, "a") == ["a1", "a2", "a3"])
    assert bodies(receive(sqs, dead_letters)) == ["a2"]


@pytest.mark.parametrize("settings", [{"MaximumBatchingWindowInSeconds": 1}, {"BatchSize": 11}])
def test_a_mapping_of_a_fifo_queue_has_no_window_and_batches_of_ten(
    account: Account, sqs: SQSClient, settings: dict[str, int]
) -> None:
    url, name = create_fifo(sqs), account.make()
    code, text = refusal(
        lambda: account.client.create_event_source_mapping(FunctionName=name, EventSourceArn=arn_of(url), **settings)
    )
    assert (code, "for FIFO queues" in text) == ("InvalidParameterValueException", True)

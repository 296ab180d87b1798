"""Policies on queues: what SQS writes and takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import ACCOUNT, refusal
from support.queues import arn_of, create_queue

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

OTHER = "111122223333"
STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}


def _policy(sqs: SQSClient, url: str) -> Any:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes")
    return json.loads(found["Policy"]) if found else None


def test_permissions_are_statements_of_the_policy(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    sqs.add_permission(QueueUrl=url, Label="one", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    sqs.add_permission(
        QueueUrl=url, Label="two", AWSAccountIds=[OTHER, ACCOUNT], Actions=["ReceiveMessage", "DeleteMessage"]
    )
    first, second = (f"arn:aws:iam::{account}:root" for account in (OTHER, ACCOUNT))
    resource = arn_of(url)
    two = {
        "Sid": "two",
        "Effect": "Allow",
        "Principal": {"AWS": [first, second]},
        "Action": ["SQS:ReceiveMessage", "SQS:DeleteMessage"],
        "Resource": resource,
    }
    assert _policy(sqs, url) == {
        "Version": "2008-10-17",
        "Id": f"{resource}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "one",
                "Effect": "Allow",
                "Principal": {"AWS": first},
                "Action": "SQS:SendMessage",
                "Resource": resource,
            },
            two,
        ],
    }
    assert refusal(lambda: sqs.add_permission(QueueUrl=url, Label="one", AWSAccountIds=[ACCOUNT], Actions=["*"])) == (
        "InvalidParameterValue",
        "Value one for parameter Label is invalid. Reason: Already exists.",
    )
    sqs.remove_permission(QueueUrl=url, Label="one")
    assert _policy(sqs, url)["Statement"] == [two]
    sqs.remove_permission(QueueUrl=url, Label="two")
    assert _policy(sqs, url) is None
    assert refusal(lambda: sqs.remove_permission(QueueUrl=url, Label="two")) == (
        "InvalidParameterValue",
        "Value two for parameter Label is invalid. Reason: can't find label.",
    )


def test_a_permission_joins_a_policy_that_was_set(sqs: SQSClient) -> None:
    url = create_queue(sqs, Policy=json.dumps({"Version": "2012-10-17", "Statement": STATEMENT}))
    sqs.add_permission(QueueUrl=url, Label="one", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    policy = _policy(sqs, url)
    assert (policy["Version"], policy["Statement"][0], len(policy["Statement"])) == ("2012-10-17", STATEMENT, 2)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Actions": ["Nonsense"]}, "InvalidParameterValue"),
        ({"Actions": ["SendMessage"] * 8}, "OverLimit"),
        ({"AWSAccountIds": ["12345"]}, "InvalidParameterValue"),
        ({"Label": "x" * 81}, "InvalidParameterValue"),
        ({"Label": "not allowed"}, "InvalidParameterValue"),
        ({"AWSAccountIds": []}, "MissingParameter"),
        ({"Actions": []}, "MissingParameter"),
    ],
)
def test_a_permission_is_checked(sqs: SQSClient, changed: dict[str, Any], code: str) -> None:
    url = create_queue(sqs)
    params: Any = {"QueueUrl": url, "Label": "l", "AWSAccountIds": [OTHER], "Actions": ["SendMessage"]}
    sqs.add_permission(**(params | {"Label": "x" * 80, "Actions": ["SendMessage"] * 7}))
    assert refusal(lambda: sqs.add_permission(**(params | changed)))[0] == code


def _of(statements: int, actions: int = 1) -> str:
    statement = {**STATEMENT, "Action": ["sqs:SendMessage"] * actions}
    return json.dumps({"Statement": [statement] * statements}, separators=(",", ":"))


def _sized(size: int) -> str:
    text = _of(1)
    return text + " " * (size - len(text))


@pytest.mark.parametrize(("most", "more"), [(_of(20), _of(21)), (_of(1, 7), _of(1, 8)), (_sized(8_192), _sized(8_193))])
def test_a_policy_is_taken_up_to_its_limits(sqs: SQSClient, most: str, more: str) -> None:
    url = create_queue(sqs, Policy=most)
    found: Any = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    assert found["Policy"] == most, "byte for byte"
    assert refusal(lambda: create_queue(sqs, Policy=more))[0] == "InvalidAttributeValue"


@pytest.mark.parametrize(
    "statement",
    [
        {**STATEMENT, "Effect": "Perhaps"},
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": "*", "Resource": "*"},
        {**STATEMENT, "Action": []},
        "text",
    ],
)
def test_a_malformed_statement_is_refused(sqs: SQSClient, statement: object) -> None:
    policy = json.dumps({"Statement": [statement]})
    assert refusal(lambda: create_queue(sqs, Policy=policy)) == (
        "InvalidAttributeValue",
        "Invalid value for the parameter Policy.",
    )

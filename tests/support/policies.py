"""Policies of tests, and how they are decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from support.aws import ACCOUNT
from treadle_local.aws.authorization.policy import Decision, PolicySet
from treadle_local.aws.service import Target

ALLOWED, IMPLICITLY_DENIED, EXPLICITLY_DENIED = Decision
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:orders"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/step/run"

Values = str | Sequence[str]


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def topic_may_send(queue: object, topic: object, **more: Any) -> dict[str, Any]:
    """The statement that lets a topic send to a queue; both are ARNs, or what a template has for them."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        **more,
    }


def trust(service: str | list[str]) -> dict[str, Any]:
    """The trust policy of a role that a service, or any of several, may assume."""
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def decide(
    statements: Sequence[Mapping[str, Any]],
    action: str = "dynamodb:GetItem",
    resource: str = TABLE,
    context: Mapping[str, Values] | None = None,
) -> Decision:
    return PolicySet.compile([document(*statements)]).decide(Target(action, resource), context or {})

"""Policies on queues: what SQS takes as one, and the statements that AddPermission writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from treadle_local.sqs.errors import (
    invalid_attribute,
    invalid_parameter,
    missing_parameter,
    too_many_actions,
)
from treadle_local.sqs.settings import QueuePolicy

POLICY_BYTES_LIMIT = 8_192
STATEMENTS_LIMIT = 20
ACTIONS_LIMIT = 7
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html"""

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_SHAREABLE_ACTIONS = frozenset(
    {
        *("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "PurgeQueue"),
        *("GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "ListQueueTags"),
        *("StartMessageMoveTask", "CancelMessageMoveTask", "ListMessageMoveTasks", "*"),
    }
)
"""What one account may allow another.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-using-identity-based-policies.html
"""


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object that the text is, or None."""
    try:
        document: object = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", document) if isinstance(document, dict) else None


def parse_policy(text: str) -> QueuePolicy | None:
    """The policy, or None for empty text, which removes one. Raises: `InvalidAttributeValue`."""
    if not text:
        return None
    if len(text.encode()) > POLICY_BYTES_LIMIT:
        raise invalid_attribute("Policy", f"A policy has at most {POLICY_BYTES_LIMIT} bytes.")
    document = json_object(text)
    if document is None:
        raise invalid_attribute("Policy")
    statements = _statements(document)
    if "Statement" not in document:
        raise invalid_attribute("Policy")
    if len(statements) > STATEMENTS_LIMIT:
        raise invalid_attribute("Policy", f"A policy has at most {STATEMENTS_LIMIT} statements.")
    for statement in statements:
        _check_statement(statement)
    return QueuePolicy(document, text)


def with_permission(
    policy: QueuePolicy | None, queue_arn: str, label: str, account_ids: Sequence[str], actions: Sequence[str]
) -> QueuePolicy:
    """The policy with a statement by which other accounts may do `actions` on the queue.

    Raises: `InvalidParameterValue`, `MissingParameter`, `OverLimit`.
    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html
    """
    _check_permission(label, account_ids, actions)
    document: dict[str, Any] = (
        {"Version": "2008-10-17", "Id": f"{queue_arn}/SQSDefaultPolicy", "Statement": []}
        if policy is None
        else dict(policy.document)
    )
    statements = _statements(document)
    if any(statement.get("Sid") == label for statement in statements):
        raise invalid_parameter(label, "Label", "Already exists.")
    added = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_many([f"arn:aws:iam::{account}:root" for account in account_ids])},
        "Action": _one_or_many([f"SQS:{action}" for action in actions]),
        "Resource": queue_arn,
    }
    return _written({**document, "Statement": [*statements, added]})


def without_permission(policy: QueuePolicy | None, label: str) -> QueuePolicy | None:
    """The policy without the statement of this label; None when no other is left.

    Raises: `InvalidParameterValue`.
    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_RemovePermission.html
    """
    document = {} if policy is None else policy.document
    statements = _statements(document)
    left = [statement for statement in statements if statement.get("Sid") != label]
    if len(left) == len(statements):
        raise invalid_parameter(label, "Label", "can't find label.")
    return _written({**document, "Statement": left}) if left else None


def _written(document: dict[str, Any]) -> QueuePolicy:
    return QueuePolicy(document, json.dumps(document, separators=(",", ":")))


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given: object = document.get("Statement", [])
    listed = cast("list[object]", given) if isinstance(given, list) else [given]
    if not all(isinstance(statement, dict) for statement in listed):
        raise invalid_attribute("Policy")
    return cast("list[Mapping[str, Any]]", listed)


def _check_statement(statement: Mapping[str, Any]) -> None:
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise invalid_attribute("Policy")
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise invalid_attribute("Policy")
    given: object = statement.get("Action", statement.get("NotAction"))
    actions = cast("list[object]", given) if isinstance(given, list) else [given]
    if not actions or not all(isinstance(action, str) and action for action in actions):
        raise invalid_attribute("Policy")
    if len(actions) > ACTIONS_LIMIT:
        raise invalid_attribute("Policy", f"{len(actions)} Actions were found, maximum allowed is {ACTIONS_LIMIT}.")


def _check_permission(label: str, account_ids: Sequence[str], actions: Sequence[str]) -> None:
    for name, value in (("Label", label), ("AWSAccountIds", account_ids), ("Actions", actions)):
        if not value:
            raise missing_parameter(name)
    if not _LABEL.fullmatch(label):
        raise invalid_parameter(
            label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
    for account in account_ids:
        if not _ACCOUNT.fullmatch(account):
            raise invalid_parameter(account, "PrincipalId", "Unable to verify.")
    if len(actions) > ACTIONS_LIMIT:
        raise too_many_actions(len(actions), ACTIONS_LIMIT)
    for action in actions:
        if action not in _SHAREABLE_ACTIONS:
            raise invalid_parameter(
                f"SQS:{action}", "ActionName", "Please refer to the appropriate WSDL for a list of valid actions."
            )


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values

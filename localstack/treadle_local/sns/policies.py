"""Access policies of topics: the one that every topic begins with, statements added and removed, what is checked.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from treadle_local.sns.errors import invalid
from treadle_local.sns.topics import Document, Topic

_OWNER_ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)
_ACTIONS = frozenset(action.lower() for action in (*_OWNER_ACTIONS, "Receive"))
_ACCOUNT = re.compile(r"\d{12}")
_POLICY_BYTES = 30 * 1024
_STATEMENTS_LIMIT = 100


def policy_of(topic: Topic, account: str) -> Document:
    """The policy in force: the topic's own, else that which lets its owner do everything."""
    return topic.settings.policy or _default_policy(topic.arn, account)


def parse_policy(text: str) -> Document:
    """A policy as an attribute's value, checked for what SNS says no to.

    Raises: `InvalidParameter`, for an action that no topic's policy can be about above all.
    """
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise invalid("Policy Error: null")
    document = cast("dict[str, Any]", value)
    if len(text.encode()) > _POLICY_BYTES:
        raise invalid(f"Policy Error: a policy has at most {_POLICY_BYTES} bytes")
    statements = _statements(document)
    if len(statements) > _STATEMENTS_LIMIT:
        raise invalid(f"Policy Error: a policy has at most {_STATEMENTS_LIMIT} statements")
    for statement in statements:
        _check_statement(statement)
    return Document(document, text)


def with_permission(
    policy: Document, topic_arn: str, label: str, accounts: Sequence[str], actions: Sequence[str]
) -> Document:
    """The policy with one more statement. Raises: `InvalidParameter`.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_AddPermission.html
    """
    statements = _statements(policy.value)
    if any(statement.get("Sid") == label for statement in statements):
        raise invalid("Statement already exists")
    if not all(_ACCOUNT.fullmatch(account) for account in accounts):
        raise invalid("Policy Error: PrincipalNotFound")
    for action in actions:
        _check_action(action)
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_many([f"arn:aws:iam::{account}:root" for account in accounts])},
        "Action": _one_or_many([f"SNS:{action}" for action in actions]),
        "Resource": topic_arn,
    }
    return _document({**policy.value, "Statement": [*statements, statement]})


def without_permission(policy: Document, label: str) -> Document:
    """The policy without the statement of that label, if it has one."""
    kept = [statement for statement in _statements(policy.value) if statement.get("Sid") != label]
    return _document({**policy.value, "Statement": kept})


def _document(value: dict[str, Any]) -> Document:
    return Document(value, json.dumps(value, separators=(",", ":")))


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Raises `InvalidParameter` where there are none that could be read."""
    given: object = document.get("Statement")
    statements = cast("list[object]", given) if isinstance(given, list) else [given]
    if not all(isinstance(statement, dict) for statement in statements):
        raise invalid("Policy Error: null")
    return cast("list[Mapping[str, Any]]", statements)


def _check_statement(statement: Mapping[str, Any]) -> None:
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise invalid("Policy Error: null")
    if not any(name in statement for name in ("Principal", "NotPrincipal")):
        raise invalid("Policy Error: null")
    given: object = statement.get("Action", statement.get("NotAction"))
    actions = cast("list[object]", given) if isinstance(given, list) else [given]
    for action in actions:
        if not isinstance(action, str):
            raise invalid("Policy Error: null")
        _check_action(action)


def _check_action(action: str) -> None:
    """A policy of a topic is about what can be done with a topic: `sns:*` would be about more than that."""
    service, colon, name = action.rpartition(":")
    in_scope = name.lower() in _ACTIONS or ("*" in name and name != "*") or "?" in name
    if not in_scope or (colon and service.lower() != "sns"):
        raise invalid("Policy statement action out of service scope!")


def _one_or_many(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


@lru_cache(maxsize=4096)
def _default_policy(topic_arn: str, account: str) -> Document:
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _OWNER_ACTIONS],
        "Resource": topic_arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    return _document({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})

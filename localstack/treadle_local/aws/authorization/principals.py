"""The Principal element of a resource's policy: who a statement is about.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from treadle_local.aws.authorization.elements import malformed, mapping, texts

_ACCOUNT = re.compile(r"\d{12}")
_SESSION = re.compile(r"arn:aws:sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")
_ARN_OF_IAM = re.compile(r"arn:aws:(?:iam|sts)::\d{12}:.+")
_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an AWS service (`sns.amazonaws.com`) or an identity by its ARN; anybody when both are None."""

    service: str | None = None
    arn: str | None = None


def compile_principals(element: Any) -> Callable[[Principal], bool]:
    """Decides whether a principal is among those of a Principal element.

    Raises: AwsError MalformedPolicyDocument.
    """
    if element == "*":
        return lambda _principal: True
    kinds = mapping(element)
    if not kinds:
        raise malformed("Missing required field Principal")
    if unknown := set(kinds) - _KINDS:
        raise malformed(f"Invalid principal in policy: {min(unknown)}")
    services = frozenset(texts(kinds.get("Service", [])))
    identities = frozenset(map(_identity, texts(kinds.get("AWS", []))))
    if "*" in identities:
        return lambda _principal: True
    return lambda principal: principal.service in services or not identities.isdisjoint(_names(principal.arn))


def _identity(text: str) -> str:
    """A principal in the form that `_names` gives: an account is its root, a role goes by its name without a path."""
    if text == "*":
        return text
    if _ACCOUNT.fullmatch(text):
        return f"arn:aws:iam::{text}:root"
    if not _ARN_OF_IAM.fullmatch(text) or "*" in text:
        raise malformed(f'Invalid principal in policy: "AWS":"{text}"')
    account_and_type, slash, path = text.partition(":role/")
    return f"{account_and_type}{slash}{path.rpartition('/')[2]}" if slash else text


def _names(arn: str | None) -> frozenset[str]:
    """All principals that an identity is: itself, its account, and the role of its session."""
    if arn is None:
        return frozenset()
    names = {arn, f"arn:aws:iam::{arn.split(':')[4]}:root"}
    if session := _SESSION.fullmatch(arn):
        names.add(f"arn:aws:iam::{session['account']}:role/{session['role']}")
    return frozenset(names)

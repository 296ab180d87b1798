"""The Principal element of a resource's policy: who a statement is about.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

from treadle_local.aws.authorization.elements import malformed, mapping, texts

_ACCOUNT = re.compile(r"\d{12}")
_SESSION = re.compile(r"arn:aws:sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")
_ARN_OF_IAM = re.compile(r"arn:aws:(?:iam|sts)::\d{12}:.+")
_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})


class Match(IntEnum):
    """How closely a Principal element names somebody.

    What is allowed to an account takes a policy of its role's as well. What is allowed to a role is the role's within
    its permissions boundary; what is allowed to its session, or to anybody, is allowed as it stands.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-id-rdp.html
    """

    NONE = 0
    ACCOUNT = 1
    ROLE = 2
    DIRECT = 3


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an AWS service (`sns.amazonaws.com`) or an identity by its ARN; anybody when both are None."""

    service: str | None = None
    arn: str | None = None


def compile_principals(element: Any) -> Callable[[Principal], Match]:
    """Decides how a principal is among those of a Principal element.

    Raises: AwsError MalformedPolicyDocument.
    """
    if element == "*":
        return _anybody
    kinds = mapping(element)
    if not kinds:
        raise malformed("Missing required field Principal")
    if unknown := set(kinds) - _KINDS:
        raise malformed(f"Invalid principal in policy: {min(unknown)}")
    services = frozenset(texts(kinds.get("Service", [])))
    identities = frozenset(map(_identity, texts(kinds.get("AWS", []))))
    if "*" in identities:
        return _anybody

    def match(principal: Principal) -> Match:
        if principal.service is not None:
            return Match.DIRECT if principal.service in services else Match.NONE
        return max((how for name, how in _names(principal.arn) if name in identities), default=Match.NONE)

    return match


def _anybody(_principal: Principal) -> Match:
    return Match.DIRECT


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


@lru_cache(maxsize=1024)
def _names(arn: str | None) -> tuple[tuple[str, Match], ...]:
    """All principals that an identity is: itself, its account, and the role of its session."""
    if arn is None:
        return ()
    account = f"arn:aws:iam::{arn.split(':')[4]}:root"
    if arn == account:
        return ((account, Match.DIRECT),)
    names = ((arn, Match.DIRECT), (account, Match.ACCOUNT))
    if session := _SESSION.fullmatch(arn):
        return (*names, (f"arn:aws:iam::{session['account']}:role/{session['role']}", Match.ROLE))
    return names

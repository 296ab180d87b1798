"""What the account has: roles with their inline policies, and managed policies with their versions."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote

from treadle_local.aws.authorization.roles import RolePolicies
from treadle_local.aws.service import Region, Result
from treadle_local.iam.refusals import no_policy, no_role

_ID_CHARACTERS = string.ascii_uppercase + string.digits
_ID_LENGTH = 17


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A policy document, as it was given and as JSON."""

    text: str
    value: Mapping[str, Any] = field(compare=False)

    @property
    def encoded(self) -> str:
        """As IAM's answers carry it.

        Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
        """
        return quote(self.text, safe="")


@dataclass(slots=True)
class Role:
    """A role; `attached` are the ARNs of its managed policies, in the order in which they were attached."""

    name: str
    path: str
    arn: str
    id: str
    created: datetime
    trust: PolicyText
    description: str | None = None
    longest_session_seconds: int = 3600
    boundary: str | None = None
    inline: dict[str, PolicyText] = field(default_factory=dict[str, PolicyText])
    attached: dict[str, None] = field(default_factory=dict[str, None])
    tags: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a managed policy."""

    id: str
    document: PolicyText
    created: datetime


@dataclass(slots=True)
class ManagedPolicy:
    """A managed policy, AWS's or the account's own."""

    name: str
    path: str
    arn: str
    id: str
    created: datetime
    updated: datetime
    versions: dict[str, Version]
    default: str = "v1"
    latest: int = 1
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def is_of_aws(self) -> bool:
        """Whether AWS keeps it: nobody else can change it."""
        return self.arn.startswith("arn:aws:iam::aws:")

    @property
    def document(self) -> PolicyText:
        """The document of the default version, which is the one in force."""
        return self.versions[self.default].document


class Store:
    """Everything by name or ARN; whoever changes something says so with `changed`."""

    def __init__(self, region: Region, now: Callable[[], datetime], on_change: Callable[[], None]) -> None:
        self.region = region
        self.now = now
        self._on_change = on_change
        self.roles: dict[str, Role] = {}
        self.policies: dict[str, ManagedPolicy] = {}
        self._read: dict[str, RolePolicies] = {}

    def changed(self) -> None:
        """Makes a change count from the next call on."""
        self._read.clear()
        self._on_change()

    def role(self, name: str) -> Role:
        """Raises: AwsError NoSuchEntity."""
        role = self.roles.get(name)
        if role is None:
            raise no_role(name)
        return role

    def policy(self, arn: str) -> ManagedPolicy:
        """Raises: AwsError NoSuchEntity."""
        policy = self.policies.get(arn)
        if policy is None:
            raise no_policy(arn)
        return policy

    def arn(self, kind: str, path: str, name: str) -> str:
        return f"arn:aws:iam::{self.region.account}:{kind}{path}{name}"

    def role_policies(self, name: str) -> RolePolicies | None:
        """What decides about a role's calls, as it is now; None where there is no such role."""
        known = self._read.get(name)
        if known is not None:
            return known
        role = self.roles.get(name)
        if role is None:
            return None
        attached = (self.policies[arn].document for arn in role.attached)
        boundary = self.policies.get(role.boundary or "")
        read = self._read[name] = RolePolicies(
            trust=role.trust.value,
            documents=tuple(policy.value for policy in (*role.inline.values(), *attached)),
            boundary=None if boundary is None else boundary.document.value,
            arn=role.arn,
            id=role.id,
            tags=dict(role.tags),
            longest_session_seconds=role.longest_session_seconds,
        )
        return read

    def attached_to(self, arn: str) -> list[Role]:
        """The roles that have a managed policy."""
        return [role for role in self.roles.values() if arn in role.attached]

    def bounded_by(self, arn: str) -> list[Role]:
        """The roles whose permissions boundary a managed policy is."""
        return [role for role in self.roles.values() if role.boundary == arn]


def new_id(prefix: str) -> str:
    """A unique id as IAM makes them: `AROA…` for roles, `ANPA…` for managed policies.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    return prefix + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))


def pairs(tags: Mapping[str, str]) -> list[Result]:
    """Tags in AWS's shape."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def parsed(text: str) -> object:
    """The JSON value of a text. Raises: ValueError."""
    return cast("object", json.loads(text))

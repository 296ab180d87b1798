"""What roles and resources are granted, and which of it was really used: the report of `treadle dev --iam-report`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from treadle_local.aws.authorization.elements import listed, texts
from treadle_local.aws.authorization.principals import Match, Principal
from treadle_local.aws.authorization.statements import Statement, compile_document
from treadle_local.aws.authorization.usage import Usage
from treadle_local.aws.authorization.variables import widen
from treadle_local.aws.authorization.wildcards import Matcher, globs, resources
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ACCOUNT_ID

Documents = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Policy documents by whose they are (a role's name, a resource's ARN) and by their own names."""

_DEFAULT_OF_TOPICS = "__default_statement_ID"
"""The statement that every topic begins with, which is nobody's grant.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """One statement that allows something, with how often each of its actions and resources was used."""

    policy: str
    sid: str
    actions: Mapping[str, int]
    resources: Mapping[str, int]
    used: int

    @property
    def unused(self) -> tuple[str, ...]:
        """The actions and resources that were granted for nothing."""
        counts = (*self.actions.items(), *self.resources.items())
        return tuple(what for what, count in counts if count == 0)


@dataclass(frozen=True, slots=True)
class Used:
    """An action on a resource, by whom, and how often; of a resource's policy the services that it let in."""

    by: str
    action: str
    resource: str
    count: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A role or a resource with a policy. `step` is filled in by who knows the app."""

    name: str
    kind: str
    granted: tuple[Grant, ...]
    used: tuple[Used, ...]
    denied: tuple[Used, ...]
    step: str | None = None


@dataclass(frozen=True, slots=True)
class PermissionsReport:
    """All roles and all resources that have policies, in order of their names."""

    roles: tuple[Holder, ...] = ()
    resources: tuple[Holder, ...] = ()


def report(roles: Documents, policies: Documents, usage: Usage) -> PermissionsReport:
    """The report on `roles` (their identity policies) and `policies` (those of resources)."""
    allowed, denied = _listed(usage.allowed), _listed(usage.denied)
    return PermissionsReport(
        tuple(_role(name, documents, allowed, denied) for name, documents in sorted(roles.items())),
        tuple(_resource(arn, documents, allowed, denied) for arn, documents in sorted(policies.items())),
    )


def as_json(found: PermissionsReport) -> dict[str, Any]:
    """The report as `GET /__treadle/iam` answers it."""
    return {
        "roles": [_holder_json(holder) for holder in found.roles],
        "resources": [_holder_json(holder) for holder in found.resources],
    }


def _holder_json(holder: Holder) -> dict[str, Any]:
    return {
        "name": holder.name,
        "step": holder.step,
        "granted": [
            {
                "policy": grant.policy,
                "sid": grant.sid,
                "used": grant.used,
                "actions": dict(grant.actions),
                "resources": dict(grant.resources),
                "unused": list(grant.unused),
            }
            for grant in holder.granted
        ],
        "used": [_used_json(used) for used in holder.used],
        "denied": [_used_json(used) for used in holder.denied],
    }


def _used_json(used: Used) -> dict[str, Any]:
    return {"by": used.by, "action": used.action, "resource": used.resource, "count": used.count}


def _listed(counts: Mapping[tuple[str, str, str], int]) -> list[Used]:
    return [Used(*use, count) for use, count in sorted(counts.items())]


def _role(
    name: str, documents: Mapping[str, Mapping[str, Any]], allowed: Iterable[Used], denied: Iterable[Used]
) -> Holder:
    used = [use for use in allowed if use.by == name]
    return Holder(
        name,
        "role",
        tuple(_grants(documents, used, of_resource=False)),
        tuple(used),
        tuple(use for use in denied if use.by == name),
    )


def _resource(
    arn: str, documents: Mapping[str, Mapping[str, Any]], allowed: Iterable[Used], denied: Iterable[Used]
) -> Holder:
    """A resource's uses are those by AWS's services; what it lets roles do counts as theirs, and for its statements."""

    def concerning(uses: Iterable[Used]) -> list[Used]:
        return [use for use in uses if use.resource == arn and "." in use.by]

    granted = tuple(_grants(documents, [use for use in allowed if use.resource == arn], of_resource=True))
    return Holder(arn, "resource", granted, tuple(concerning(allowed)), tuple(concerning(denied)))


def _grants(documents: Mapping[str, Mapping[str, Any]], used: list[Used], *, of_resource: bool) -> Iterable[Grant]:
    for name, document in documents.items():
        for number, statement in enumerate(listed(document.get("Statement")), 1):
            written = cast("Mapping[str, Any]", statement)
            if written.get("Effect") == "Allow" and written.get("Sid") != _DEFAULT_OF_TOPICS:
                yield _grant(name, number, written, document, used, of_resource=of_resource)


def _grant(
    policy: str,
    number: int,
    written: Mapping[str, Any],
    document: Mapping[str, Any],
    used: list[Used],
    *,
    of_resource: bool,
) -> Grant:
    """Conditions are left aside: what the statement covers and was allowed counts as its use."""
    compiled = _compiled({**document, "Statement": [written]}, of_resource=of_resource)
    uses = [use for use in used if compiled is not None and _covers(compiled, use)]
    actions, patterns = texts(written.get("Action", [])), texts(written.get("Resource", []))
    return Grant(
        policy,
        str(written.get("Sid") or number),
        {action: _sum(uses, globs([action.lower()]), lambda use: use.action.lower()) for action in actions},
        {arn: _sum(uses, resources([widen(arn)]), lambda use: use.resource) for arn in patterns},
        sum(use.count for use in uses),
    )


def _compiled(document: Mapping[str, Any], *, of_resource: bool) -> Statement | None:
    try:
        return compile_document(document, of_resource=of_resource)[0]
    except AwsError:
        return None


def _covers(statement: Statement, use: Used) -> bool:
    if not statement.covers_action(use.action.lower()):
        return False
    if use.resource != "*" and not statement.covers_resource(use.resource):
        return False
    return statement.covers_principal is None or statement.covers_principal(_principal(use.by)) is not Match.NONE


def _principal(name: str) -> Principal:
    return Principal(name) if "." in name else Principal(arn=f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}/session")


def _sum(uses: Iterable[Used], matches: Matcher, part: Callable[[Used], str]) -> int:
    return sum(use.count for use in uses if use.resource == "*" or matches(part(use)))

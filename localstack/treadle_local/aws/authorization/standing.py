"""Who a caller is to policies: the principal of its session, the keys of its identity, and what it can have at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from treadle_local.aws.authorization.evaluation import Authority
from treadle_local.aws.authorization.policy import PolicySet
from treadle_local.aws.authorization.principals import Principal
from treadle_local.aws.authorization.request_context import ContextValues, context_of
from treadle_local.aws.authorization.roles import Document, RolePolicies
from treadle_local.aws.service import Caller, Region


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """What a session was given beyond its role: policies that limit it, tags, and further condition keys.

    The tags whose keys are `transitive` go on to sessions that this one begins.
    """

    policies: tuple[Document, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    transitive: frozenset[str] = frozenset()
    keys: ContextValues = field(default_factory=dict[str, str | Sequence[str]])


NO_TERMS = SessionTerms()


@dataclass(frozen=True, slots=True)
class Standing:
    """A caller as policies see it, its keys in lower case; `authority` is None where its role is gone."""

    principal: Principal
    keys: Mapping[str, Sequence[str]]
    authority: Authority | None


def standing(region: Region, caller: Caller, role: RolePolicies | None, terms: SessionTerms) -> Standing:
    """The standing of a role's session.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html (principal)
    """
    role_arn = role.arn if role is not None and role.arn else f"arn:aws:iam::{region.account}:role/{caller.role}"
    role_id = role.id if role is not None and role.id else caller.access_key
    tags = {**(role.tags if role is not None else {}), **terms.tags}
    keys: dict[str, str | Sequence[str]] = {
        "aws:PrincipalArn": role_arn,
        "aws:PrincipalAccount": region.account,
        "aws:PrincipalType": "AssumedRole",
        "aws:PrincipalIsAWSService": "false",
        "aws:userid": f"{role_id}:{caller.session}",
        "aws:RequestedRegion": region.name,
        "aws:ResourceAccount": region.account,
        **{f"aws:PrincipalTag/{name}": value for name, value in tags.items()},
        **terms.keys,
    }
    return Standing(Principal(arn=caller.arn), context_of(keys), _authority(role, terms))


def _authority(role: RolePolicies | None, terms: SessionTerms) -> Authority | None:
    if role is None:
        return None
    return Authority(
        PolicySet.compile(role.documents),
        None if role.boundary is None else PolicySet.compile([role.boundary]),
        PolicySet.compile(terms.policies) if terms.policies else None,
    )


def standing_of_root(region: Region, caller: Caller) -> Standing:
    """The standing of the account's root, whom only the policies of resources can deny something."""
    keys: dict[str, str | Sequence[str]] = {
        "aws:PrincipalArn": caller.arn,
        "aws:PrincipalAccount": region.account,
        "aws:PrincipalType": "Account",
        "aws:PrincipalIsAWSService": "false",
        "aws:userid": region.account,
        "aws:RequestedRegion": region.name,
        "aws:ResourceAccount": region.account,
    }
    return Standing(Principal(arn=caller.arn), context_of(keys), None)

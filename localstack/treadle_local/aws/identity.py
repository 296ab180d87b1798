"""Who calls, and what they may do: session credentials that this emulator issued are held to what policies say."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treadle_local.aws.authorization.evaluation import ALLOWED, Authority, PolicyKind, Verdict
from treadle_local.aws.authorization.policy import NO_ADMISSION, Decision, PolicySet, ResourcePolicy
from treadle_local.aws.authorization.principals import Match, Principal
from treadle_local.aws.authorization.request_context import LazyContext, Source, context_of_service
from treadle_local.aws.authorization.resources import Resources
from treadle_local.aws.authorization.roles import RolePolicies
from treadle_local.aws.authorization.standing import NO_TERMS, SessionTerms, Standing, standing, standing_of_root
from treadle_local.aws.authorization.usage import Usage
from treadle_local.aws.errors import AwsError, access_denied
from treadle_local.aws.service import ROOT, Caller, Region, Target

_MOST_STANDINGS = 4096
_BY_TRUST = frozenset({"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"})
"""What a role's trust policy must allow, whatever the caller's own policies say."""
_NOTHING = Authority(PolicySet(()))
_UNTRUSTED = Verdict(Decision.IMPLICITLY_DENIED, PolicyKind.TRUST)
_ALWAYS_FOR_ROOT = frozenset(
    {
        *("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
        *("sqs:GetQueueAttributes", "sqs:SetQueueAttributes"),
    }
)
"""What lets the account's root mend a policy that denies everything to everybody.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html
"""


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials of a role; `expires_at` None for a function's environment's, which live as long as it."""

    access_key: str
    secret_key: str
    token: str
    caller: Caller
    expires_at: float | None
    terms: SessionTerms = NO_TERMS


@dataclass(frozen=True, slots=True)
class Denial:
    """A call that was refused, for whoever watches."""

    caller: Caller
    action: str
    resource: str
    message: str


class Identity:
    """Issues credentials and decides calls. A key that was not issued here belongs to the account's root."""

    def __init__(
        self,
        roles: Callable[[str], RolePolicies | None],
        now: Callable[[], float],
        on_denied: Callable[[Denial], None],
        region: Region | None = None,
    ) -> None:
        self._roles = roles
        self._now = now
        self._on_denied = on_denied
        self._region = region or Region()
        self.resources = Resources()
        self.usage = Usage()
        self._sessions: dict[str, Session] = {}
        self._standings: dict[Caller, Standing] = {}
        self._root = standing_of_root(self._region, ROOT)

    # credentials

    def issue(
        self, role: str, session: str, lifetime_seconds: float | None = None, terms: SessionTerms = NO_TERMS
    ) -> Session:
        """New credentials for a role's session."""
        key = f"ASIA{secrets.token_hex(8).upper()}"
        expires_at = None if lifetime_seconds is None else self._now() + lifetime_seconds
        issued = Session(
            key, secrets.token_urlsafe(30), secrets.token_urlsafe(60), Caller(key, role, session), expires_at, terms
        )
        self._sessions[key] = issued
        return issued

    def caller(self, access_key: str, token: str) -> Caller:
        """Who a request's access key and session token belong to.

        Raises AwsError ExpiredToken, InvalidClientTokenId.
        """
        session = self._sessions.get(access_key)
        if session is None:
            return ROOT
        if not secrets.compare_digest(session.token.encode(), token.encode()):
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", status=403)
        if session.expires_at is not None and session.expires_at <= self._now():
            raise AwsError("ExpiredToken", "The security token included in the request is expired", status=403)
        return session.caller

    def terms(self, caller: Caller) -> SessionTerms:
        """What a caller's session was given beyond its role."""
        session = self._sessions.get(caller.access_key)
        return NO_TERMS if session is None else session.terms

    def invalidate(self) -> None:
        """Forgets compiled policies; called after every change in IAM."""
        self._standings.clear()

    # decisions on callers

    def concerns_root(self, service: str) -> bool:
        """Whether a policy of some resource of the service could deny root anything."""
        return service == "sts" or self.resources.has_policies(service)

    def authorize(self, caller: Caller, targets: Sequence[Target], keys: Source | None = None) -> None:
        """Returns when the caller may do everything in `targets`; `keys` are those of its request.

        Raises: AwsError AccessDeniedException for the first that it may not.
        """
        role = caller.role
        if role is None:
            self._authorize_root(targets, keys)
            return
        standing = self._standings.get(caller) or self._standing_of(caller)
        for target in targets:
            verdict = self._evaluate(standing, target, keys)
            if verdict.decision is Decision.ALLOWED:
                self.usage.count(role, target.action, target.resource)
            else:
                raise self.refusal(caller, target, verdict)

    def allows(self, role: str, target: Target) -> bool:
        """Whether a role may do a thing, without anybody being refused."""
        caller = Caller(role=role)
        standing = self._standings.get(caller) or self._standing_of(caller)
        if self._evaluate(standing, target, None).decision is not Decision.ALLOWED:
            return False
        self.usage.count(role, target.action, target.resource)
        return True

    def refusal(self, caller: Caller, target: Target, verdict: Verdict) -> AwsError:
        """The error of a call that is refused; whoever watches is told."""
        explicitly = verdict.decision is Decision.EXPLICITLY_DENIED
        of_trust = verdict.kind is PolicyKind.RESOURCE and target.action in _BY_TRUST
        kind = PolicyKind.TRUST if of_trust else verdict.kind
        refusal = access_denied(caller.arn, target.action, target.resource, explicitly=explicitly, policy=kind.value)
        self.usage.count_denied(caller.role or "root", target.action, target.resource)
        self._on_denied(Denial(caller, target.action, target.resource, refusal.message))
        return refusal

    def _evaluate(self, standing: Standing, target: Target, keys: Source | None) -> Verdict:
        authority = standing.authority or _NOTHING
        by_trust = target.action in _BY_TRUST
        policy = self.resources.policy(target.resource)
        if (policy is None or not policy.denies_something) and not by_trust and authority.allows_anyhow(target):
            return ALLOWED
        context = self._context(standing, target, keys)
        admission = (
            NO_ADMISSION
            if policy is None
            else policy.admit(standing.principal, target.action, target.resource, context)
        )
        if admission.match is Match.NONE and not admission.denied and by_trust:
            return _UNTRUSTED
        return authority.evaluate(target, admission, context)

    def _authorize_root(self, targets: Sequence[Target], keys: Source | None) -> None:
        for target in targets:
            policy, by_trust = self.resources.policy(target.resource), target.action in _BY_TRUST
            if policy is None and by_trust:
                raise self.refusal(ROOT, target, _UNTRUSTED)
            if policy is None or not (policy.denies_something or by_trust) or target.action in _ALWAYS_FOR_ROOT:
                continue
            context = self._context(self._root, target, keys)
            admission = policy.admit(self._root.principal, target.action, target.resource, context)
            if admission.denied:
                raise self.refusal(ROOT, target, Verdict(Decision.EXPLICITLY_DENIED, PolicyKind.RESOURCE))
            if by_trust and admission.match is Match.NONE:
                raise self.refusal(ROOT, target, _UNTRUSTED)

    def _context(self, standing: Standing, target: Target, keys: Source | None) -> LazyContext:
        return LazyContext(target, standing.keys, self._now, keys, self.resources.tags)

    def _standing_of(self, caller: Caller) -> Standing:
        if len(self._standings) >= _MOST_STANDINGS:
            self._standings.clear()
        found = standing(self._region, caller, self._roles(caller.role or ""), self.terms(caller))
        self._standings[caller] = found
        return found

    # decisions on services

    def admits(
        self,
        service: str,
        policy: Mapping[str, Any] | None,
        action: str,
        resource: str,
        source_arn: str,
    ) -> bool:
        """Whether a resource's policy lets an AWS service act on it on behalf of `source_arn`.

        Raises: AwsError MalformedPolicyDocument.
        """
        if policy is None or not self._admits(
            self.resources.compiled(resource, policy), service, Target(action, resource), source_arn
        ):
            self.usage.count_denied(service, action, resource)
            return False
        self.usage.count(service, action, resource)
        return True

    def trusts(self, role_arn: str, service: str, source_arn: str | None = None) -> bool | None:
        """Whether a service may assume a role on behalf of `source_arn`; None where there is no such role."""
        name = role_arn.rsplit("/", 1)[-1]
        role = self._roles(name)
        if role is None:
            return None
        trust = self.resources.compiled(role_arn, role.trust)
        trusted = self._admits(trust, service, Target("sts:AssumeRole", role_arn), source_arn)
        count = self.usage.count if trusted else self.usage.count_denied
        count(service, "sts:AssumeRole", role_arn)
        return trusted

    def service_session(self, role_arn: str, service: str, session: str, source_arn: str | None = None) -> Caller:
        """The caller that a service is when it has assumed a role.

        Raises: AwsError AccessDeniedException where the role does not trust it, or is gone.
        """
        if not self.trusts(role_arn, service, source_arn):
            raise access_denied(service, "sts:AssumeRole", role_arn, policy=PolicyKind.TRUST.value)
        return Caller(role=role_arn.rsplit("/", 1)[-1], session=session)

    def _admits(self, policy: ResourcePolicy, service: str, target: Target, source_arn: str | None) -> bool:
        keys = context_of_service(self._region.account, service, source_arn)
        context = LazyContext(target, keys, self._now, None, self.resources.tags)
        admission = policy.admit(Principal(service), target.action, target.resource, context)
        return not admission.denied and admission.match is not Match.NONE

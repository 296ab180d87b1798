"""Who calls, and what they may do: session credentials that this emulator issued are held to their role's policies."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from treadle_local.aws.authorization.policy import Decision, PolicySet
from treadle_local.aws.errors import AwsError, access_denied
from treadle_local.aws.moto_bridge import RolePolicies
from treadle_local.aws.service import ROOT, Caller, Target


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials of a role; `expires_at` None for a function's environment's, which live as long as it."""

    access_key: str
    secret_key: str
    token: str
    caller: Caller
    expires_at: float | None


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
    ) -> None:
        self._roles = roles
        self._now = now
        self._on_denied = on_denied
        self._sessions: dict[str, Session] = {}
        self._policies: dict[str, PolicySet | None] = {}

    def issue(self, role: str, session: str, lifetime_seconds: float | None = None) -> Session:
        """New credentials for a role's session."""
        key = f"ASIA{secrets.token_hex(8).upper()}"
        expires_at = None if lifetime_seconds is None else self._now() + lifetime_seconds
        issued = Session(
            key, secrets.token_urlsafe(30), secrets.token_urlsafe(60), Caller(key, role, session), expires_at
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

    def invalidate(self) -> None:
        """Forgets compiled policies; called after every change in IAM."""
        self._policies.clear()

    def authorize(self, caller: Caller, targets: Sequence[Target]) -> None:
        """Returns when the caller may do everything in `targets`.

        Raises: AwsError AccessDeniedException for the first that it may not.
        """
        if caller.role is None:
            return
        policies = self._policies_of(caller.role)
        for target in targets:
            decision = self._decide(policies, target, caller)
            if decision is not Decision.ALLOWED:
                explicitly = decision is Decision.EXPLICITLY_DENIED
                refusal = access_denied(caller.arn, target.action, target.resource, explicitly=explicitly)
                self._on_denied(Denial(caller, target.action, target.resource, refusal.message))
                raise refusal

    @staticmethod
    def _decide(policies: PolicySet | None, target: Target, caller: Caller) -> Decision:
        if policies is None:  # the role is gone
            return Decision.IMPLICITLY_DENIED
        return policies.decide(target, {"aws:PrincipalArn": caller.arn})

    def allows(self, role: str, target: Target) -> bool:
        """Whether a role may do a thing, without anybody being refused."""
        policies = self._policies_of(role)
        return policies is not None and policies.decide(target, {}) is Decision.ALLOWED

    def _policies_of(self, role: str) -> PolicySet | None:
        if role not in self._policies:
            found = self._roles(role)
            self._policies[role] = None if found is None else PolicySet.compile(found.documents)
        return self._policies[role]

"""All policies that apply to a call within one account, put together as AWS does.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from treadle_local.aws.authorization.policy import Admission, Decision, PolicySet
from treadle_local.aws.authorization.principals import Match
from treadle_local.aws.authorization.variables import Context
from treadle_local.aws.service import Target


class PolicyKind(Enum):
    """Which kind of policy a decision comes from, in the words of AWS's refusals."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    TRUST = "role trust policy"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision and the kind of policy that it comes from."""

    decision: Decision
    kind: PolicyKind


ALLOWED = Verdict(Decision.ALLOWED, PolicyKind.IDENTITY)
ALLOWED_BY_RESOURCE = Verdict(Decision.ALLOWED, PolicyKind.RESOURCE)
_DENIED = {kind: Verdict(Decision.EXPLICITLY_DENIED, kind) for kind in PolicyKind}
_NOT_ALLOWED = {kind: Verdict(Decision.IMPLICITLY_DENIED, kind) for kind in PolicyKind}


@dataclass(frozen=True, slots=True)
class Authority:
    """What a role's session can have: the role's policies within its permissions boundary and the session's policy."""

    identity: PolicySet
    boundary: PolicySet | None = None
    session: PolicySet | None = None

    def allows_anyhow(self, target: Target) -> bool:
        """True where the role's policies alone decide and allow the target, whatever the rest of the call."""
        return self.boundary is None and self.session is None and self.identity.allows_anyhow(target)

    def evaluate(self, target: Target, admission: Admission, context: Context) -> Verdict:
        """The decision on one target, given what the resource's own policy says.

        A denial outweighs all. What the resource allows to the session itself, or to anybody, is not limited by
        policies that merely do not allow it; what it allows to the role is limited by the boundary and the session's.
        """
        identity = self.identity.decide_in(target, context)
        if identity is Decision.EXPLICITLY_DENIED:
            return _DENIED[PolicyKind.IDENTITY]
        if admission.denied:
            return _DENIED[PolicyKind.RESOURCE]
        limits = [
            (kind, policies.decide_in(target, context))
            for kind, policies in ((PolicyKind.BOUNDARY, self.boundary), (PolicyKind.SESSION, self.session))
            if policies is not None
        ]
        for kind, decision in limits:
            if decision is Decision.EXPLICITLY_DENIED:
                return _DENIED[kind]
        if admission.match is Match.DIRECT:
            return ALLOWED_BY_RESOURCE
        if identity is not Decision.ALLOWED and admission.match is not Match.ROLE:
            return _NOT_ALLOWED[PolicyKind.IDENTITY]
        for kind, decision in limits:
            if decision is not Decision.ALLOWED:
                return _NOT_ALLOWED[kind]
        return ALLOWED if identity is Decision.ALLOWED else ALLOWED_BY_RESOURCE

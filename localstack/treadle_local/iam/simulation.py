"""The policy simulator: what policies would say, without anything being done.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from treadle_local.aws.authorization.evaluation import Authority
from treadle_local.aws.authorization.policy import NO_ADMISSION, Admission, Decision, PolicySet, ResourcePolicy
from treadle_local.aws.authorization.principals import Principal
from treadle_local.aws.service import Params, Result, Target
from treadle_local.iam.documents import identity_policy
from treadle_local.iam.paging import page
from treadle_local.iam.refusals import invalid, no_role
from treadle_local.iam.store import PolicyText, Role, Store, parsed

_DECISIONS = {
    Decision.ALLOWED: "allowed",
    Decision.IMPLICITLY_DENIED: "implicitDeny",
    Decision.EXPLICITLY_DENIED: "explicitDeny",
}
_REFUSED = ("OrderedOrganizationPolicyInputList", "ResourceHandlingOption")

# A policy's name and kind, as matched statements tell them, with its document.
_Source = tuple[str, str, Mapping[str, Any]]


class _Asked:
    """The context that the caller gave, and the keys that it lacked."""

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self._values = {str(entry["ContextKeyName"]).lower(): list(entry["ContextKeyValues"]) for entry in entries}
        self.missing: dict[str, None] = {}

    def get(self, key: str, /) -> Sequence[str] | None:
        if key not in self._values:
            self.missing[key] = None
        return self._values.get(key)


def simulate_custom_policy(store: Store, params: Params) -> Result:
    return _simulated(store, params, _given(params))


def simulate_principal_policy(store: Store, params: Params) -> Result:
    role = _role(store, params["PolicySourceArn"])
    own: list[_Source] = [(name, "Role", policy.value) for name, policy in role.inline.items()]
    attached = (store.policies[arn] for arn in role.attached)
    own += [(policy.name, "IAM Policy", policy.document.value) for policy in attached]
    boundary = store.policies.get(role.boundary or "")
    return _simulated(store, params, [*own, *_given(params)], None if boundary is None else boundary.document)


def _given(params: Params) -> list[_Source]:
    texts: Sequence[str] = params.get("PolicyInputList", ())
    return [
        (f"PolicyInputList.{number}", "IAM Policy", identity_policy(text).value) for number, text in enumerate(texts, 1)
    ]


def _role(store: Store, arn: str) -> Role:
    name = arn.rsplit("/", 1)[-1]
    if ":role/" not in arn:
        raise invalid(f"{arn} is no role: users and groups are not in Treadle's emulator yet")
    role = store.roles.get(name)
    if role is None:
        raise no_role(name)
    return role


def _simulated(store: Store, params: Params, sources: Sequence[_Source], boundary: PolicyText | None = None) -> Result:
    for member in _REFUSED:
        if params.get(member):
            raise invalid(f"{member} is not in Treadle's emulator yet")
    limits = [identity_policy(text) for text in params.get("PermissionsBoundaryPolicyInputList", ())] or (
        [boundary] if boundary is not None else []
    )
    authority = Authority(
        PolicySet.compile([document for _, _, document in sources]),
        PolicySet.compile([limit.value for limit in limits]) if limits else None,
    )
    pairs = [(action, arn) for action in params["ActionNames"] for arn in params.get("ResourceArns") or ("*",)]
    results = [_result(store, params, authority, sources, Target(action, arn)) for action, arn in pairs]
    return page("EvaluationResults", results, params, lambda result: result)


def _result(store: Store, params: Params, authority: Authority, sources: Sequence[_Source], target: Target) -> Result:
    asked = _Asked(params.get("ContextEntries", ()))
    verdict = authority.evaluate(target, _admission(store, params, target, asked), asked)
    matched = [
        {"SourcePolicyId": name, "SourcePolicyType": kind}
        for name, kind, document in sources
        if PolicySet.compile([document]).decide_in(target, asked) is not Decision.IMPLICITLY_DENIED
    ]
    result: Result = {
        "EvalActionName": target.action,
        "EvalResourceName": target.resource,
        "EvalDecision": _DECISIONS[verdict.decision],
        "MatchedStatements": matched,
        "MissingContextValues": list(asked.missing),
    }
    if authority.boundary is not None:
        within = authority.boundary.decide_in(target, asked) is Decision.ALLOWED
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
    return result


def _admission(store: Store, params: Params, target: Target, asked: _Asked) -> Admission:
    if not params.get("ResourcePolicy"):
        return NO_ADMISSION
    document: Any = parsed(params["ResourcePolicy"])
    caller = params.get("CallerArn") or params.get("PolicySourceArn") or f"arn:aws:iam::{store.region.account}:root"
    return ResourcePolicy(document).admit(Principal(arn=str(caller)), target.action, target.resource, asked)

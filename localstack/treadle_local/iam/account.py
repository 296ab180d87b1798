"""What the account has, in one answer.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from treadle_local.aws.service import Params, Result
from treadle_local.iam.documents import MOST_INLINE_CHARACTERS, MOST_MANAGED_CHARACTERS, MOST_TRUST_CHARACTERS
from treadle_local.iam.managed_policies import MOST_ATTACHED, MOST_POLICIES, MOST_VERSIONS, reference, rendered
from treadle_local.iam.paging import page
from treadle_local.iam.roles import MOST_ROLES
from treadle_local.iam.roles import rendered as rendered_role
from treadle_local.iam.store import ManagedPolicy, Role, Store

_KINDS = frozenset({"Role", "LocalManagedPolicy", "AWSManagedPolicy", "User", "Group"})


def get_account_authorization_details(store: Store, params: Params) -> Result:
    kinds = set(params.get("Filter") or _KINDS)
    wanted = {policy.arn for policy in store.policies.values() if policy.is_of_aws and store.attached_to(policy.arn)}
    policies = [
        policy
        for policy in store.policies.values()
        if ("LocalManagedPolicy" in kinds and not policy.is_of_aws)
        or ("AWSManagedPolicy" in kinds and policy.arn in wanted)
    ]
    roles = list(store.roles.values()) if "Role" in kinds else []
    everything: list[Role | ManagedPolicy] = [*roles, *policies]
    listed = page("All", everything, params, lambda one: one)
    shown: list[Role | ManagedPolicy] = listed.pop("All")
    return {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": [_role(store, one) for one in shown if isinstance(one, Role)],
        "Policies": [_policy(store, one) for one in shown if isinstance(one, ManagedPolicy)],
        **listed,
    }


def get_account_summary(store: Store, _params: Params) -> Result:
    """Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html"""
    own = [policy for policy in store.policies.values() if not policy.is_of_aws]
    return {
        "SummaryMap": {
            "Roles": len(store.roles),
            "RolesQuota": MOST_ROLES,
            "Policies": len(own),
            "PoliciesQuota": MOST_POLICIES,
            "PolicyVersionsInUse": sum(len(policy.versions) for policy in own),
            "VersionsPerPolicyQuota": MOST_VERSIONS,
            "AttachedPoliciesPerRoleQuota": MOST_ATTACHED,
            "PolicySizeQuota": MOST_MANAGED_CHARACTERS,
            "RolePolicySizeQuota": MOST_INLINE_CHARACTERS,
            "AssumeRolePolicySizeQuota": MOST_TRUST_CHARACTERS,
            "Users": 0,
            "Groups": 0,
        }
    }


def _role(store: Store, role: Role) -> Result:
    shown = rendered_role(role)
    for member in ("Description", "MaxSessionDuration"):
        shown.pop(member, None)
    return {
        **shown,
        "InstanceProfileList": [],
        "RolePolicyList": [
            {"PolicyName": name, "PolicyDocument": policy.encoded} for name, policy in role.inline.items()
        ],
        "AttachedManagedPolicies": [reference(store.policies[arn]) for arn in role.attached],
        "RoleLastUsed": {},
    }


def _policy(store: Store, policy: ManagedPolicy) -> Result:
    shown = rendered(store, policy)
    shown.pop("Tags", None)
    versions = [
        {
            "Document": version.document.encoded,
            "VersionId": version.id,
            "IsDefaultVersion": version.id == policy.default,
            "CreateDate": version.created,
        }
        for version in policy.versions.values()
    ]
    return {**shown, "PolicyVersionList": versions}

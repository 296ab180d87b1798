"""AWS IAM in the emulator: operations by name, and what each needs to be allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from treadle_local.aws.authorization import actions
from treadle_local.aws.authorization.roles import RolePolicies
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.functions.constraints import check
from treadle_local.iam import account, inline_policies, managed_policies, roles, simulation, tags
from treadle_local.iam.aws_managed import aws_managed_policies
from treadle_local.iam.refusals import not_built
from treadle_local.iam.store import Store

_HANDLERS: Mapping[str, Callable[[Store, Params], Result]] = {
    "AttachRolePolicy": managed_policies.attach_role_policy,
    "CreatePolicy": managed_policies.create_policy,
    "CreatePolicyVersion": managed_policies.create_policy_version,
    "CreateRole": roles.create_role,
    "DeletePolicy": managed_policies.delete_policy,
    "DeletePolicyVersion": managed_policies.delete_policy_version,
    "DeleteRole": roles.delete_role,
    "DeleteRolePermissionsBoundary": roles.delete_role_permissions_boundary,
    "DeleteRolePolicy": inline_policies.delete_role_policy,
    "DetachRolePolicy": managed_policies.detach_role_policy,
    "GetAccountAuthorizationDetails": account.get_account_authorization_details,
    "GetAccountSummary": account.get_account_summary,
    "GetPolicy": managed_policies.get_policy,
    "GetPolicyVersion": managed_policies.get_policy_version,
    "GetRole": roles.get_role,
    "GetRolePolicy": inline_policies.get_role_policy,
    "ListAttachedRolePolicies": managed_policies.list_attached_role_policies,
    "ListEntitiesForPolicy": managed_policies.list_entities_for_policy,
    "ListPolicies": managed_policies.list_policies,
    "ListPolicyTags": tags.list_policy_tags,
    "ListPolicyVersions": managed_policies.list_policy_versions,
    "ListRolePolicies": inline_policies.list_role_policies,
    "ListRoleTags": tags.list_role_tags,
    "ListRoles": roles.list_roles,
    "PutRolePermissionsBoundary": roles.put_role_permissions_boundary,
    "PutRolePolicy": inline_policies.put_role_policy,
    "SetDefaultPolicyVersion": managed_policies.set_default_policy_version,
    "SimulateCustomPolicy": simulation.simulate_custom_policy,
    "SimulatePrincipalPolicy": simulation.simulate_principal_policy,
    "TagPolicy": tags.tag_policy,
    "TagRole": tags.tag_role,
    "UntagPolicy": tags.untag_policy,
    "UntagRole": tags.untag_role,
    "UpdateAssumeRolePolicy": roles.update_assume_role_policy,
    "UpdateRole": roles.update_role,
    "UpdateRoleDescription": roles.update_role_description,
}
_EMPTY = {
    "ListAccountAliases": "AccountAliases",
    "ListGroups": "Groups",
    "ListInstanceProfiles": "InstanceProfiles",
    "ListUsers": "Users",
}
"""Lists of what cannot be made here, and so is not there."""


class Iam:
    """The IAM service of the account. `on_change` is called after every change that decisions depend on."""

    def __init__(self, region: Region, clock: Clock, on_change: Callable[[], None]) -> None:
        self._region = region

        def now() -> datetime:
            return datetime.fromtimestamp(int(clock.now()), UTC)

        self._store = Store(region, now, on_change)
        self._store.policies = {policy.arn: policy for policy in aws_managed_policies(now())}

    def role(self, name: str) -> RolePolicies | None:
        """What decides what a role may do, as it is now; None where there is no such role."""
        return self._store.role_policies(name)

    def granted(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """All roles with their inline and attached policies, by names."""
        return {
            name: {
                **{policy: document.value for policy, document in role.inline.items()},
                **{arn: self._store.policies[arn].document.value for arn in role.attached},
            }
            for name, role in self._store.roles.items()
        }

    def policy_of(self, arn: str) -> Mapping[str, Any] | None:
        """The trust policy of a role."""
        role = self._store.roles.get(arn.rsplit("/", 1)[-1]) if ":role/" in arn else None
        return None if role is None else role.trust.value

    def policy_document(self, arn: str) -> Mapping[str, Any] | None:
        """What a managed policy says now; None where there is none of this ARN."""
        policy = self._store.policies.get(arn)
        return None if policy is None else policy.document.value

    def tags_of(self, arn: str) -> Mapping[str, str]:
        """The tags of a role or policy."""
        name = arn.rsplit("/", 1)[-1]
        found = self._store.roles.get(name) if ":role/" in arn else self._store.policies.get(arn)
        return {} if found is None else found.tags

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        """Does the operation, at once."""
        if operation in _EMPTY:
            return {_EMPTY[operation]: [], "IsTruncated": False}
        handler = _HANDLERS.get(operation)
        if handler is None:
            raise not_built(operation)
        try:
            check(operation, params, "iam")
        except AwsError as refusal:
            if refusal.code != "ValidationException":
                raise
            raise AwsError("ValidationError", refusal.message) from None
        return handler(self._store, params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """See `Service`. Roles that exist are asked for with their path."""
        wanted = actions.targets(self._region, "iam", operation, params)
        role = self._store.roles.get(str(params.get("RoleName")))
        if role is None or operation == "CreateRole":
            return wanted
        return [Target(target.action, role.arn, target.context) for target in wanted]

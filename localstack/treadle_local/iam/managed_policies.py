"""Managed policies and their versions, and what they are attached to.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
"""

from __future__ import annotations

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.iam.documents import managed_policy
from treadle_local.iam.paging import page
from treadle_local.iam.refusals import conflict, exceeded, exists, invalid, no_policy, no_version, not_attachable
from treadle_local.iam.store import ManagedPolicy, Store, Version, new_id, pairs
from treadle_local.iam.tags import added

MOST_VERSIONS, MOST_ATTACHED, MOST_POLICIES = 5, 10, 1500
"""Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def create_policy(store: Store, params: Params) -> Result:
    name, path, now = params["PolicyName"], params.get("Path", "/"), store.now()
    own = [policy for policy in store.policies.values() if not policy.is_of_aws]
    if any(policy.name.lower() == name.lower() for policy in own):
        raise exists(f"A policy called {name} already exists. Duplicate names are not allowed.")
    if len(own) >= MOST_POLICIES:
        raise exceeded(f"Cannot exceed quota for PoliciesPerAccount: {MOST_POLICIES}")
    policy = ManagedPolicy(
        name=name,
        path=path,
        arn=store.arn("policy", path, name),
        id=new_id("ANPA"),
        created=now,
        updated=now,
        versions={"v1": Version("v1", managed_policy(params["PolicyDocument"]), now)},
        description=params.get("Description"),
        tags=added({}, params.get("Tags", ())),
    )
    store.policies[policy.arn] = policy
    return {"Policy": rendered(store, policy)}


def get_policy(store: Store, params: Params) -> Result:
    return {"Policy": rendered(store, store.policy(params["PolicyArn"]))}


def list_policies(store: Store, params: Params) -> Result:
    scope, prefix = params.get("Scope", "All"), params.get("PathPrefix", "/")
    found = [
        policy
        for policy in sorted(store.policies.values(), key=lambda policy: policy.name)
        if policy.path.startswith(prefix)
        and (scope == "All" or policy.is_of_aws == (scope == "AWS"))
        and (not params.get("OnlyAttached") or store.attached_to(policy.arn))
    ]
    return page("Policies", found, params, lambda policy: _listed(store, policy))


def delete_policy(store: Store, params: Params) -> Result:
    policy = _own(store, params["PolicyArn"])
    if store.attached_to(policy.arn) or store.bounded_by(policy.arn):
        raise conflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's "
            "versions. The default version is deleted with the policy."
        )
    del store.policies[policy.arn]
    return {}


def create_policy_version(store: Store, params: Params) -> Result:
    policy, now = _own(store, params["PolicyArn"]), store.now()
    document = managed_policy(params["PolicyDocument"])
    if len(policy.versions) >= MOST_VERSIONS:
        raise exceeded(
            f"A managed policy can have up to {MOST_VERSIONS} versions. Before you create a new version, you must "
            "delete an existing version."
        )
    policy.latest += 1
    version = Version(f"v{policy.latest}", document, now)
    policy.versions[version.id] = version
    policy.updated = now
    if params.get("SetAsDefault"):
        policy.default = version.id
    store.changed()
    return {"PolicyVersion": _version(policy, version)}


def get_policy_version(store: Store, params: Params) -> Result:
    policy = store.policy(params["PolicyArn"])
    version = _version_of(policy, params["VersionId"])
    return {"PolicyVersion": {"Document": version.document.encoded, **_version(policy, version)}}


def list_policy_versions(store: Store, params: Params) -> Result:
    policy = store.policy(params["PolicyArn"])
    return page("Versions", list(policy.versions.values())[::-1], params, lambda version: _version(policy, version))


def set_default_policy_version(store: Store, params: Params) -> Result:
    policy = _own(store, params["PolicyArn"])
    policy.default = _version_of(policy, params["VersionId"]).id
    policy.updated = store.now()
    store.changed()
    return {}


def delete_policy_version(store: Store, params: Params) -> Result:
    policy = _own(store, params["PolicyArn"])
    version = _version_of(policy, params["VersionId"])
    if version.id == policy.default:
        raise conflict("Cannot delete the default version of a policy.")
    del policy.versions[version.id]
    return {}


def attach_role_policy(store: Store, params: Params) -> Result:
    role, arn = store.role(params["RoleName"]), params["PolicyArn"]
    if not arn.startswith("arn:"):
        raise invalid(f"ARN {arn} is not valid.")
    if arn not in store.policies:
        raise not_attachable(arn)
    if arn not in role.attached and len(role.attached) >= MOST_ATTACHED:
        raise exceeded(f"Cannot exceed quota for PoliciesPerRole: {MOST_ATTACHED}")
    role.attached[arn] = None
    store.changed()
    return {}


def detach_role_policy(store: Store, params: Params) -> Result:
    role, arn = store.role(params["RoleName"]), params["PolicyArn"]
    if arn not in role.attached:
        raise no_policy(arn)
    del role.attached[arn]
    store.changed()
    return {}


def list_attached_role_policies(store: Store, params: Params) -> Result:
    prefix = params.get("PathPrefix", "/")
    attached = [store.policies[arn] for arn in store.role(params["RoleName"]).attached]
    found = [policy for policy in attached if policy.path.startswith(prefix)]
    return page("AttachedPolicies", found, params, reference)


def list_entities_for_policy(store: Store, params: Params) -> Result:
    arn = store.policy(params["PolicyArn"]).arn
    wanted, usage = params.get("EntityFilter"), params.get("PolicyUsageFilter", "PermissionsPolicy")
    roles = store.bounded_by(arn) if usage == "PermissionsBoundary" else store.attached_to(arn)
    found = roles if wanted in (None, "Role") else []
    listed = page("PolicyRoles", found, params, lambda role: {"RoleName": role.name, "RoleId": role.id})
    return {"PolicyGroups": [], "PolicyUsers": [], **listed}


def reference(policy: ManagedPolicy) -> Result:
    """An attached policy in AWS's shape."""
    return {"PolicyName": policy.name, "PolicyArn": policy.arn}


def rendered(store: Store, policy: ManagedPolicy) -> Result:
    """A managed policy in AWS's shape."""
    shown = _listed(store, policy)
    if policy.description is not None:
        shown["Description"] = policy.description
    if policy.tags:
        shown["Tags"] = pairs(policy.tags)
    return shown


def _listed(store: Store, policy: ManagedPolicy) -> Result:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default,
        "AttachmentCount": len(store.attached_to(policy.arn)),
        "PermissionsBoundaryUsageCount": len(store.bounded_by(policy.arn)),
        "IsAttachable": True,
        "CreateDate": policy.created,
        "UpdateDate": policy.updated,
    }


def _version(policy: ManagedPolicy, version: Version) -> Result:
    return {
        "VersionId": version.id,
        "IsDefaultVersion": version.id == policy.default,
        "CreateDate": version.created,
    }


def _version_of(policy: ManagedPolicy, identifier: str) -> Version:
    version = policy.versions.get(identifier)
    if version is None:
        raise no_version(policy.arn, identifier)
    return version


def _own(store: Store, arn: str) -> ManagedPolicy:
    policy = store.policy(arn)
    if policy.is_of_aws:
        raise AwsError("AccessDenied", f"Cannot perform the operation on the AWS managed policy {arn}.", status=403)
    return policy

"""Roles, their trust policies and permissions boundaries.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html and its neighbours.
"""

from __future__ import annotations

from treadle_local.aws.service import Params, Result
from treadle_local.iam.documents import trust_policy
from treadle_local.iam.paging import page
from treadle_local.iam.refusals import conflict, exceeded, exists, not_attachable
from treadle_local.iam.store import Role, Store, new_id, pairs
from treadle_local.iam.tags import added

MOST_ROLES = 5000
"""What AWS raises the quota of 1,000 to: a large app has more, and `treadle check` says that it must be raised.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""


def create_role(store: Store, params: Params) -> Result:
    name, path = params["RoleName"], params.get("Path", "/")
    if any(known.lower() == name.lower() for known in store.roles):
        raise exists(f"Role with name {name} already exists.")
    if len(store.roles) >= MOST_ROLES:
        raise exceeded(f"Cannot exceed quota for RolesPerAccount: {MOST_ROLES}")
    role = Role(
        name=name,
        path=path,
        arn=store.arn("role", path, name),
        id=new_id("AROA"),
        created=store.now(),
        trust=trust_policy(params["AssumeRolePolicyDocument"], store),
        description=params.get("Description"),
        longest_session_seconds=params.get("MaxSessionDuration", 3600),
        boundary=_boundary(store, params.get("PermissionsBoundary")),
        tags=added({}, params.get("Tags", ())),
    )
    store.roles[name] = role
    store.changed()
    return {"Role": rendered(role)}


def get_role(store: Store, params: Params) -> Result:
    return {"Role": {**rendered(store.role(params["RoleName"])), "RoleLastUsed": {}}}


def list_roles(store: Store, params: Params) -> Result:
    prefix = params.get("PathPrefix", "/")
    found = [role for _, role in sorted(store.roles.items()) if role.path.startswith(prefix)]
    return page("Roles", found, params, _listed)


def update_role(store: Store, params: Params) -> Result:
    role = store.role(params["RoleName"])
    role.description = params.get("Description", role.description)
    role.longest_session_seconds = params.get("MaxSessionDuration", role.longest_session_seconds)
    store.changed()
    return {}


def update_role_description(store: Store, params: Params) -> Result:
    role = store.role(params["RoleName"])
    role.description = params["Description"]
    return {"Role": rendered(role)}


def update_assume_role_policy(store: Store, params: Params) -> Result:
    role = store.role(params["RoleName"])
    role.trust = trust_policy(params["PolicyDocument"], store)
    store.changed()
    return {}


def delete_role(store: Store, params: Params) -> Result:
    role = store.role(params["RoleName"])
    if role.attached:
        raise conflict("Cannot delete entity, must detach all policies first.")
    if role.inline:
        raise conflict("Cannot delete entity, must delete policies first.")
    del store.roles[role.name]
    store.changed()
    return {}


def put_role_permissions_boundary(store: Store, params: Params) -> Result:
    role = store.role(params["RoleName"])
    role.boundary = _boundary(store, params["PermissionsBoundary"])
    store.changed()
    return {}


def delete_role_permissions_boundary(store: Store, params: Params) -> Result:
    store.role(params["RoleName"]).boundary = None
    store.changed()
    return {}


def rendered(role: Role) -> Result:
    """A role in AWS's shape."""
    shown: Result = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": role.trust.encoded,
        "MaxSessionDuration": role.longest_session_seconds,
    }
    if role.description is not None:
        shown["Description"] = role.description
    if role.boundary is not None:
        shown["PermissionsBoundary"] = boundary_of(role.boundary)
    if role.tags:
        shown["Tags"] = pairs(role.tags)
    return shown


def boundary_of(arn: str) -> Result:
    """A permissions boundary in AWS's shape."""
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def _listed(role: Role) -> Result:
    """Lists show neither boundary nor tags.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
    """
    shown = rendered(role)
    shown.pop("PermissionsBoundary", None)
    shown.pop("Tags", None)
    return shown


def _boundary(store: Store, arn: str | None) -> str | None:
    if arn is not None and arn not in store.policies:
        raise not_attachable(arn)
    return arn

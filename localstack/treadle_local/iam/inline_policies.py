"""Policies within a role."""

from __future__ import annotations

from treadle_local.aws.service import Params, Result
from treadle_local.iam.documents import inline_policy
from treadle_local.iam.paging import page
from treadle_local.iam.refusals import no_role_policy
from treadle_local.iam.store import PolicyText, Role, Store


def put_role_policy(store: Store, params: Params) -> Result:
    role, name = store.role(params["RoleName"]), params["PolicyName"]
    others = (policy for known, policy in role.inline.items() if known != name)
    role.inline[name] = inline_policy(params["PolicyDocument"], others, role.name)
    store.changed()
    return {}


def get_role_policy(store: Store, params: Params) -> Result:
    role = store.role(params["RoleName"])
    policy = _named(role, params["PolicyName"])
    return {"RoleName": role.name, "PolicyName": params["PolicyName"], "PolicyDocument": policy.encoded}


def delete_role_policy(store: Store, params: Params) -> Result:
    role = store.role(params["RoleName"])
    _named(role, params["PolicyName"])
    del role.inline[params["PolicyName"]]
    store.changed()
    return {}


def list_role_policies(store: Store, params: Params) -> Result:
    return page("PolicyNames", sorted(store.role(params["RoleName"]).inline), params, lambda name: name)


def _named(role: Role, name: str) -> PolicyText:
    policy = role.inline.get(name)
    if policy is None:
        raise no_role_policy(name)
    return policy

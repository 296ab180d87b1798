"""The policies of layer versions: which other accounts may use them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.functions.layer_store import Layer, LayerStore, LayerVersion
from treadle_local.functions.layer_versions import numbered
from treadle_local.functions.permissions import check_size, policy_document, principal_of
from treadle_local.functions.refusals import conflict, not_found
from treadle_local.functions.registry import Policy, new_revision


class LayerPermissions:
    """The operations on them."""

    def __init__(self, store: LayerStore) -> None:
        self._store = store

    def add(self, params: Params) -> Result:
        layer, version = self._find(params)
        policy = layer.policies.get(version.number) or Policy(new_revision())
        sid = params["StatementId"]
        if sid in policy.statements:
            raise conflict(
                f"The statement id ({sid}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
        _check_revision(policy, params)
        statement = _statement(version.arn, params)
        check_size({**policy.statements, sid: statement})
        policy.statements[sid] = statement
        policy.revision_id = new_revision()
        layer.policies[version.number] = policy
        return {"Statement": json.dumps(statement, separators=(",", ":")), "RevisionId": policy.revision_id}

    def remove(self, params: Params) -> Result:
        layer, version = self._find(params)
        policy = layer.policies.get(version.number)
        sid = params["StatementId"]
        if policy is None or sid not in policy.statements:
            raise not_found(f"Statement {sid} is not found in resource policy.")
        _check_revision(policy, params)
        del policy.statements[sid]
        policy.revision_id = new_revision()
        if not policy.statements:
            del layer.policies[version.number]
        return {}

    def get(self, params: Params) -> Result:
        layer, version = self._find(params)
        policy = layer.policies.get(version.number)
        if policy is None:
            raise not_found("No policy is associated with the given resource.")
        document = json.dumps(policy_document(policy.statements), separators=(",", ":"))
        return {"Policy": document, "RevisionId": policy.revision_id}

    def document(self, arn: str) -> dict[str, Any] | None:
        """The policy document of a layer version; None where it has none."""
        reference = self._store.reference(arn)
        layer = self._store.layers.get(reference.name)
        policy = layer.policies.get(reference.number) if layer is not None and reference.number is not None else None
        return None if policy is None else policy_document(policy.statements)

    def _find(self, params: Params) -> tuple[Layer, LayerVersion]:
        reference = numbered(self._store, params)
        version = self._store.find(reference)
        if version is None:
            raise not_found(f"Layer version {reference.arn} does not exist.")
        return self._store.layers[reference.name], version


def _check_revision(policy: Policy, params: Params) -> None:
    if params.get("RevisionId") not in (None, policy.revision_id):
        message = (
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetLayerPolicy API to retrieve the latest Revision Id"
        )
        raise AwsError("PreconditionFailedException", message, status=412, fields={"Type": "User"})


def _statement(arn: str, params: Params) -> Mapping[str, Any]:
    """One statement. Source: https://docs.aws.amazon.com/lambda/latest/dg/permissions-layer-cross-account.html"""
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": principal_of(params["Principal"]),
        "Action": params["Action"],
        "Resource": arn,
    }
    if params.get("OrganizationId"):
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": params["OrganizationId"]}}
    return statement

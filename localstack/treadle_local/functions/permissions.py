"""Resource policies of functions, versions and aliases: who else, services above all, may do what with them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.functions.model import LATEST
from treadle_local.functions.references import FunctionReference, parse
from treadle_local.functions.refusals import conflict, invalid, not_found, not_here
from treadle_local.functions.registry import Policy, Registry, new_revision

# Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (resource-based policy)
_MAXIMUM_POLICY_BYTES = 20_480
_ACCOUNT = re.compile(r"\d{12}")
_SERVICE = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com|amazon\.com)(\.cn)?")
_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:.+")


class Permissions:
    """The operations on resource policies."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add(self, params: Params) -> Result:
        if params.get("FunctionUrlAuthType") or params.get("InvokedViaFunctionUrl"):
            raise not_here("A function URL's permission")
        reference = self._reference(params)
        function, _ = self._registry.find_qualified(reference)
        policy = function.policies.get(reference.qualifier) or Policy(new_revision())
        _check_revision(policy, params)
        sid = params["StatementId"]
        if sid in policy.statements:
            raise conflict(
                f"The statement id ({sid}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
        statement = _statement(reference.qualified_arn, params)
        check_size({**policy.statements, sid: statement})
        policy.statements[sid] = statement
        policy.revision_id = new_revision()
        function.policies[reference.qualifier] = policy
        return {"Statement": json.dumps(statement, separators=(",", ":"))}

    def remove(self, params: Params) -> Result:
        reference = self._reference(params)
        function, _ = self._registry.find_qualified(reference)
        policy = function.policies.get(reference.qualifier)
        if policy is None:
            raise not_found("No policy is associated with the given resource.")
        _check_revision(policy, params)
        sid = params["StatementId"]
        if policy.statements.pop(sid, None) is None:
            raise not_found(f"Statement {sid} is not found in resource policy.")
        policy.revision_id = new_revision()
        if not policy.statements:
            del function.policies[reference.qualifier]
        return {}

    def get(self, params: Params) -> Result:
        reference = self._reference(params)
        function, _ = self._registry.find_qualified(reference)
        policy = function.policies.get(reference.qualifier)
        if policy is None:
            raise not_found("The resource you requested does not exist.")
        document = json.dumps(policy_document(policy.statements), separators=(",", ":"))
        return {"Policy": document, "RevisionId": policy.revision_id}

    def document(self, function_name_or_arn: str) -> dict[str, Any] | None:
        """The policy document of a function, version or alias as its name or ARN is given; None where it has none."""
        reference = parse(function_name_or_arn, None, self._registry.region)
        function = self._registry.functions.get(reference.name)
        policy = function.policies.get(reference.qualifier) if function is not None else None
        return None if policy is None else policy_document(policy.statements)

    def _reference(self, params: Params) -> FunctionReference:
        reference = self._registry.reference(params)
        if reference.qualifier == LATEST:
            raise invalid("We currently do not support adding policies for $LATEST.")
        return reference


def policy_document(statements: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A resource policy of these statements."""
    return {"Version": "2012-10-17", "Id": "default", "Statement": [dict(one) for one in statements.values()]}


def check_size(statements: Mapping[str, Mapping[str, Any]]) -> None:
    """Returns when a policy may have these statements together. Raises PolicyLengthExceededException."""
    size = len(json.dumps(policy_document(statements), separators=(",", ":")).encode())
    if size > _MAXIMUM_POLICY_BYTES:
        message = f"The final policy size ({size}) is bigger than the limit ({_MAXIMUM_POLICY_BYTES})."
        raise AwsError("PolicyLengthExceededException", message, fields={"Type": "User"})


def _check_revision(policy: Policy, params: Params) -> None:
    if params.get("RevisionId") not in (None, policy.revision_id):
        message = (
            "The RevisionId provided does not match the latest RevisionId. "
            "Call the GetPolicy API to retrieve the latest Policy"
        )
        raise AwsError("PreconditionFailedException", message, status=412, fields={"Type": "User"})


def _statement(resource: str, params: Params) -> dict[str, Any]:
    """One statement, in the form in which Lambda keeps it.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    """
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": principal_of(params["Principal"]),
        "Action": params["Action"],
        "Resource": resource,
    }
    equals = {
        key: params[member]
        for member, key in (
            ("SourceAccount", "AWS:SourceAccount"),
            ("EventSourceToken", "lambda:EventSourceToken"),
            ("PrincipalOrgID", "aws:PrincipalOrgID"),
        )
        if params.get(member)
    }
    condition: dict[str, Any] = {"StringEquals": equals} if equals else {}
    if params.get("SourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": params["SourceArn"]}
    if condition:
        statement["Condition"] = condition
    return statement


def principal_of(principal: str) -> str | dict[str, str]:
    """A statement's `Principal` for an account, an ARN, a service or everybody."""
    if principal == "*":
        return "*"
    if _ACCOUNT.fullmatch(principal):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    if _ARN.fullmatch(principal):
        return {"AWS": principal}
    if _SERVICE.fullmatch(principal):
        return {"Service": principal}
    raise invalid("The provided principal was invalid. Please check the principal and try again.")

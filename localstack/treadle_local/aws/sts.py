"""STS: who am I, and credentials of a role for its session.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from treadle_local.aws.authorization.elements import malformed
from treadle_local.aws.authorization.roles import Document, RolePolicies
from treadle_local.aws.authorization.standing import SessionTerms
from treadle_local.aws.authorization.statements import compile_document
from treadle_local.aws.errors import AwsError
from treadle_local.aws.identity import Identity
from treadle_local.aws.service import Caller, Params, Region, Result, Target

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")
_SHORTEST_SECONDS, _LONGEST_SECONDS, _DEFAULT_SECONDS, _LONGEST_CHAINED_SECONDS = 900, 43_200, 3600, 3600
_MOST_POLICY_CHARACTERS, _MOST_POLICY_ARNS, _MOST_TAGS = 2048, 10, 50
_REFUSED = ("SerialNumber", "TokenCode", "ProvidedContexts")


class Sts:
    """The operations that the adapter, the AWS CLI and users' code call; the others are refused by name."""

    def __init__(
        self,
        region: Region,
        now: Callable[[], float],
        identity: Identity,
        roles: Callable[[str], RolePolicies | None],
        managed_policy: Callable[[str], Document | None],
    ) -> None:
        self._region = region
        self._now = now
        self._identity = identity
        self._roles = roles
        self._managed_policy = managed_policy

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        match operation:
            case "GetCallerIdentity":
                return {"UserId": self._user_id(caller), "Account": self._region.account, "Arn": caller.arn}
            case "AssumeRole":
                return self._assume_role(params, caller)
            case _:
                raise AwsError("InvalidAction", f"{operation} is not in Treadle's emulator yet")

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """See `Service`. The role's trust policy must allow each of these actions too.

        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html (AWS STS)
        """
        if operation == "GetCallerIdentity":  # allowed to everybody, whatever the policies say
            return ()
        resource = str(params.get("RoleArn", "*"))
        if operation != "AssumeRole":
            return (Target(f"sts:{operation}", resource),)
        keys: dict[str, str | Sequence[str]] = {
            key: params[member]
            for member, key in (
                ("ExternalId", "sts:ExternalId"),
                ("RoleSessionName", "sts:RoleSessionName"),
                ("SourceIdentity", "sts:SourceIdentity"),
                ("TransitiveTagKeys", "sts:TransitiveTagKeys"),
            )
            if params.get(member)
        }
        actions = ["AssumeRole"]
        actions += ["TagSession"] if params.get("Tags") else []
        actions += ["SetSourceIdentity"] if params.get("SourceIdentity") else []
        return [Target(f"sts:{action}", resource, keys) for action in actions]

    def _user_id(self, caller: Caller) -> str:
        if caller.role is None:
            return self._region.account
        role = self._roles(caller.role)
        return f"{role.id if role is not None else caller.access_key}:{caller.session}"

    def _assume_role(self, params: Params, caller: Caller) -> Result:
        """Credentials for a session; that the role's trust policy allows it has been decided before."""
        role_arn, session_name = str(params["RoleArn"]), str(params["RoleSessionName"])
        name = role_arn.rsplit("/", 1)[-1]
        role = self._roles(name)
        if role is None:  # the caller is not told that it does not exist
            message = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            raise AwsError("AccessDenied", message, status=403)
        _check(params, session_name)
        lifetime_seconds = _lifetime_seconds(params, role, caller)
        terms = self._terms(params, caller)
        session = self._identity.issue(name, session_name, lifetime_seconds, terms)
        return {
            "Credentials": {
                "AccessKeyId": session.access_key,
                "SecretAccessKey": session.secret_key,
                "SessionToken": session.token,
                "Expiration": datetime.fromtimestamp(self._now() + lifetime_seconds, UTC),
            },
            "AssumedRoleUser": {"AssumedRoleId": f"{role.id}:{session_name}", "Arn": session.caller.arn},
            **({"PackedPolicySize": 0} if not (params.get("Policy") or params.get("Tags")) else _packed(params)),
            **({"SourceIdentity": params["SourceIdentity"]} if params.get("SourceIdentity") else {}),
        }

    def _terms(self, params: Params, caller: Caller) -> SessionTerms:
        inherited = self._identity.terms(caller)
        tags = {key: value for key, value in inherited.tags.items() if key in inherited.transitive}
        tags |= {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
        if len(tags) > _MOST_TAGS:
            raise AwsError("ValidationError", f"A session can have up to {_MOST_TAGS} tags")
        issued = datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        keys: dict[str, str | Sequence[str]] = {"aws:TokenIssueTime": issued}
        if params.get("SourceIdentity"):
            keys["aws:SourceIdentity"] = str(params["SourceIdentity"])
        return SessionTerms(
            policies=tuple(self._session_policies(params)),
            tags=tags,
            transitive=inherited.transitive | frozenset(params.get("TransitiveTagKeys", ())),
            keys=keys,
        )

    def _session_policies(self, params: Params) -> list[Document]:
        """The documents that limit the session. Raises: AwsError MalformedPolicyDocument."""
        arns = [str(named["arn"]) for named in params.get("PolicyArns", ())]
        if len(arns) > _MOST_POLICY_ARNS:
            raise AwsError("ValidationError", f"A session can have up to {_MOST_POLICY_ARNS} managed policies")
        documents: list[Document] = []
        for arn in arns:
            found = self._managed_policy(arn)
            if found is None:
                raise malformed(f"The policy {arn} does not exist or is not attachable.")
            documents.append(found)
        return [*documents, _document(params["Policy"])] if params.get("Policy") else documents


def _document(text: str) -> Document:
    if len(text) > _MOST_POLICY_CHARACTERS:
        constraint = f"Member must have length less than or equal to {_MOST_POLICY_CHARACTERS}"
        message = f"1 validation error detected: Value at 'policy' failed to satisfy constraint: {constraint}"
        raise AwsError("ValidationError", message)
    try:
        document: object = json.loads(text)
    except ValueError:
        raise malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict):
        raise malformed("Syntax errors in policy.")
    checked = cast("Mapping[str, Any]", document)
    compile_document(checked)
    return checked


def _packed(params: Params) -> Result:
    """How much of what may be packed into a session token there is, in percent; AWS packs tighter than this."""
    written = len(params.get("Policy") or "") + sum(len(t["Key"]) + len(t["Value"]) for t in params.get("Tags", ()))
    return {"PackedPolicySize": max(1, min(100, 100 * written // (2 * _MOST_POLICY_CHARACTERS)))}


def _check(params: Params, session_name: str) -> None:
    if not _SESSION_NAME.fullmatch(session_name):
        raise AwsError("ValidationError", f"'{session_name}' is not a session name: 2 to 64 of [\\w+=,.@-]")
    external_id = params.get("ExternalId")
    if external_id is not None and not _EXTERNAL_ID.fullmatch(str(external_id)):
        raise AwsError("ValidationError", f"'{external_id}' is no external id: 2 to 1224 of [\\w+=,.@:/-]")
    for member in _REFUSED:
        if params.get(member):
            raise AwsError("InvalidAction", f"AssumeRole with {member} is not in Treadle's emulator yet")


def _lifetime_seconds(params: Params, role: RolePolicies, caller: Caller) -> int:
    """Raises: AwsError ValidationError."""
    seconds = int(params.get("DurationSeconds", _DEFAULT_SECONDS))
    if not _SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS:
        raise AwsError("ValidationError", f"DurationSeconds must be {_SHORTEST_SECONDS} to {_LONGEST_SECONDS}")
    if caller.role is not None and seconds > _LONGEST_CHAINED_SECONDS:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise AwsError("ValidationError", message)
    if seconds > role.longest_session_seconds:
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise AwsError("ValidationError", message)
    return seconds

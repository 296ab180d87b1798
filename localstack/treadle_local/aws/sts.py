"""STS: who am I, and credentials of a role for its session."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from treadle_local.aws.authorization.policy import resource_policy_allows
from treadle_local.aws.errors import AwsError
from treadle_local.aws.identity import Identity
from treadle_local.aws.moto_bridge import RolePolicies
from treadle_local.aws.service import Caller, Params, Region, Result, Target

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
_SHORTEST_SECONDS, _LONGEST_SECONDS, _DEFAULT_SECONDS = 900, 43_200, 3600
"""Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""


class Sts:
    """The operations that the adapter, the AWS CLI and users' code call; the others are refused by name."""

    def __init__(
        self, region: Region, now: Callable[[], float], identity: Identity, roles: Callable[[str], RolePolicies | None]
    ) -> None:
        self._region = region
        self._now = now
        self._identity = identity
        self._roles = roles

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        match operation:
            case "GetCallerIdentity":
                user = f"{caller.access_key}:{caller.session}" if caller.role else self._region.account
                return {"UserId": user, "Account": self._region.account, "Arn": caller.arn}
            case "AssumeRole":
                return self._assume_role(params, caller)
            case _:
                raise AwsError("InvalidAction", f"{operation} is not in Treadle's emulator yet")

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        if operation == "GetCallerIdentity":  # allowed to everybody, whatever the policies say
            return ()
        return (Target(f"sts:{operation}", str(params.get("RoleArn", "*"))),)

    def _assume_role(self, params: Params, caller: Caller) -> Result:
        role_arn, session_name = str(params["RoleArn"]), str(params["RoleSessionName"])
        lifetime_seconds = int(params.get("DurationSeconds", _DEFAULT_SECONDS))
        if not _SESSION_NAME.fullmatch(session_name):
            raise AwsError("ValidationError", f"'{session_name}' is not a session name: 2 to 64 of [\\w+=,.@-]")
        if not _SHORTEST_SECONDS <= lifetime_seconds <= _LONGEST_SECONDS:
            raise AwsError("ValidationError", f"DurationSeconds must be {_SHORTEST_SECONDS} to {_LONGEST_SECONDS}")
        name = role_arn.rsplit("/", 1)[-1]
        role = self._roles(name)
        if role is None or not resource_policy_allows(
            role.trust,
            "sts:AssumeRole",
            role_arn,
            principal_service=None,
            principal_arn=caller.arn,
            context={},
        ):
            message = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            raise AwsError("AccessDenied", message, status=403)
        session = self._identity.issue(name, session_name, lifetime_seconds)
        return {
            "Credentials": {
                "AccessKeyId": session.access_key,
                "SecretAccessKey": session.secret_key,
                "SessionToken": session.token,
                "Expiration": datetime.fromtimestamp(self._now() + lifetime_seconds, UTC),
            },
            "AssumedRoleUser": {"AssumedRoleId": f"{session.access_key}:{session_name}", "Arn": session.caller.arn},
            "PackedPolicySize": 0,
        }

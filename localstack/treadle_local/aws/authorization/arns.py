"""Resource ARNs built from the names that calls carry."""

from __future__ import annotations

from treadle_local.aws.service import Params, Region, Target

ANY = "*"
"""The resource of an action that IAM cannot limit to a resource."""


def named(region: Region, service: str, kind: str, name: object) -> str:
    """The ARN of a resource that a call names, or the name itself where that is an ARN already.

    `kind` is what stands before the name: `table/`, `function:`, or nothing.
    """
    text = str(name)
    return text if text.startswith("arn:") else region.arn(service, f"{kind}{text}")


def global_arn(region: Region, service: str, resource: str) -> str:
    """The ARN of a resource that is in no region."""
    return f"arn:aws:{service}::{region.account}:{resource}"


def first(params: Params, *names: str) -> str | None:
    """The first of some parameters that a call has."""
    return next((str(params[name]) for name in names if params.get(name)), None)


def pass_role(role_arn: object, service: str) -> list[Target]:
    """What it takes to hand a role to an AWS service: nothing when the call names none.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    """
    if not role_arn:
        return []
    return [Target("iam:PassRole", str(role_arn), {"iam:PassedToService": f"{service}.amazonaws.com"})]

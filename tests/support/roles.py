"""Roles of tests, and the credentials of their sessions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from support.aws import ACCOUNT, unique
from support.dev import Dev
from support.policies import document

ROOT_MAY_ASSUME = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}


def new_role(
    emulator: Dev,
    *statements: Mapping[str, Any],
    trust: Sequence[Mapping[str, Any]] = (ROOT_MAY_ASSUME,),
    **more: Any,
) -> tuple[str, str]:
    """Name and ARN of a new role with these statements in its one inline policy, if there are any."""
    iam, name = emulator.client("iam"), unique("role")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document(*trust)), **more)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document(*statements)))
    return name, arn


def session_of(
    emulator: Dev, arn: str, session: str = "test", caller: Mapping[str, str] | None = None, **more: Any
) -> dict[str, str]:
    """Credentials of a new session of a role, as boto3's arguments."""
    sts = emulator.client("sts", caller)
    issued = sts.assume_role(RoleArn=arn, RoleSessionName=session, **more)["Credentials"]
    return {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["SessionToken"],
    }


def new_session(emulator: Dev, *statements: Mapping[str, Any], **more: Any) -> dict[str, str]:
    """Credentials of a session of a new role."""
    return session_of(emulator, new_role(emulator, *statements)[1], **more)

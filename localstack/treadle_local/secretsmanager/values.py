"""Values of secrets: put, got, and moved between stages; each request with a token is done once.

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.secretsmanager.refusals import (
    invalid_parameter,
    invalid_request,
    not_here,
    value_not_found,
)
from treadle_local.secretsmanager.secrets import CURRENT, Secret, Store, Version

_LIMIT_BYTES = 65_536
_MOST_STAGES = 20
_BATCH = 20
_TOKEN_LENGTHS = range(32, 65)


def value_of(params: Params) -> tuple[str | None, str | None] | None:
    """The text or the bytes of a request; None where it has neither. Raises: AwsError InvalidParameterException."""
    text, binary = params.get("SecretString"), params.get("SecretBinary")
    if text is not None and binary is not None:
        raise invalid_parameter("You can't specify both a binary secret value and a string secret value.")
    if text is None and binary is None:
        return None
    size = len(str(text).encode()) if text is not None else len(str(binary)) * 3 // 4
    if not 1 <= size <= _LIMIT_BYTES:
        raise invalid_parameter(f"A secret value must be 1 to {_LIMIT_BYTES} bytes long.")
    return text, binary


def new_version_id(params: Params) -> str:
    """The token of the request, which becomes the version's id. Raises: AwsError InvalidParameterException."""
    token = str(params.get("ClientRequestToken") or uuid.uuid4())
    if len(token) not in _TOKEN_LENGTHS:
        raise invalid_parameter("ClientRequestToken must be 32-64 characters long.")
    return token


def put_version(
    secret: Secret, version_id: str, value: tuple[str | None, str | None], stages: list[str], now: float
) -> Version:
    """A new version with its stages; the same one again for the same request.

    Raises: AwsError ResourceExistsException where the token has been used for another value.
    """
    known = secret.versions.get(version_id)
    if known is not None:
        if known.value != value:
            raise AwsError(
                "ResourceExistsException",
                "You can't use ClientRequestToken "
                f"{version_id} because that value is already in use for a version of secret {secret.arn}.",
            )
        return known
    version = secret.versions[version_id] = Version(version_id, *value, now)
    if secret.at_stage(CURRENT) is None and CURRENT not in stages:
        stages = [*stages, CURRENT]  # the first version is always the current one
    for stage in stages:
        secret.move(stage, version)
    secret.changed = now
    secret.prune()
    return version


def put_secret_value(store: Store, params: Params, now: float) -> Result:
    secret, value = store.at(params), value_of(params)
    if value is None:
        raise invalid_request("You must provide either SecretString or SecretBinary.")
    if params.get("RotationToken"):
        raise not_here("The rotation of secrets")
    stages = [str(stage) for stage in params.get("VersionStages") or [CURRENT]]
    if len(stages) > _MOST_STAGES:
        raise invalid_parameter(f"A version can have at most {_MOST_STAGES} staging labels.")
    version = put_version(secret, new_version_id(params), value, stages, now)
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.id,
        "VersionStages": list(version.stages),
    }


def get_secret_value(store: Store, params: Params, now: float) -> Result:
    secret = store.at(params)
    return _shown(secret, _wanted(secret, params), now)


def _wanted(secret: Secret, params: Params) -> Version:
    version_id, stage = params.get("VersionId"), params.get("VersionStage")
    if version_id is not None:
        found = secret.versions.get(str(version_id))
        if found is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"Secrets Manager can't find the specified secret value for VersionId: {version_id}",
            )
        if stage is not None and stage not in found.stages:
            raise invalid_request("You provided a VersionStage that is not associated to the provided VersionId.")
        return found
    found = secret.at_stage(str(stage or CURRENT))
    if found is None:
        raise value_not_found(str(stage or CURRENT))
    return found


def _shown(secret: Secret, version: Version, now: float) -> Result:
    # AWS tells the day only
    secret.accessed = version.accessed = now // 86_400 * 86_400
    shown: Result = {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.id,
        "VersionStages": list(version.stages),
        "CreatedDate": version.created,
    }
    if version.text is not None:
        shown["SecretString"] = version.text
    if version.binary is not None:
        shown["SecretBinary"] = version.binary
    return shown


def batch_get_secret_value(store: Store, params: Params, now: float) -> Result:
    if params.get("Filters"):
        raise not_here("BatchGetSecretValue by filters")
    names = [str(name) for name in params.get("SecretIdList") or ()]
    if not 1 <= len(names) <= _BATCH:
        raise invalid_parameter(f"SecretIdList must have 1 to {_BATCH} members.")
    found: list[Mapping[str, Any]] = []
    errors: list[Mapping[str, Any]] = []
    for name in names:
        try:
            found.append(get_secret_value(store, {"SecretId": name}, now))
        except AwsError as refusal:
            errors.append({"SecretId": name, "ErrorCode": refusal.code, "Message": refusal.message})
    return {"SecretValues": found, "Errors": errors}


def list_secret_version_ids(store: Store, params: Params) -> Result:
    secret = store.at(params, even_deleted=True)
    versions = [
        {
            "VersionId": version.id,
            "VersionStages": list(version.stages),
            "CreatedDate": version.created,
            **({"LastAccessedDate": version.accessed} if version.accessed is not None else {}),
        }
        for version in secret.versions.values()
        if version.stages or params.get("IncludeDeprecated")
    ]
    return {"Versions": versions, "ARN": secret.arn, "Name": secret.name}


def update_secret_version_stage(store: Store, params: Params, now: float) -> Result:
    secret, stage = store.at(params), str(params.get("VersionStage") or "")
    target, source = params.get("MoveToVersionId"), params.get("RemoveFromVersionId")
    holder = secret.at_stage(stage)
    for version_id in (target, source):
        if version_id is not None and version_id not in secret.versions:
            raise AwsError(
                "ResourceNotFoundException",
                f"Secrets Manager can't find the specified secret version: {version_id}.",
            )
    if holder is not None and holder.id != source and holder.id != target:
        raise invalid_parameter(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version "
            f"{holder.id}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    if target is None and stage == CURRENT:
        raise invalid_parameter(
            f"You can only move staging label {CURRENT} to a different secret version. It can't be completely removed."
        )
    secret.move(stage, secret.versions[str(target)] if target is not None else None)
    secret.changed = now
    return {"ARN": secret.arn, "Name": secret.name}

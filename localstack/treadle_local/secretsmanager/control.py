"""Secrets themselves: made, changed, listed, deleted after some days, tagged; and their resource policies.

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from treadle_local.aws.authorization.statements import compile_document
from treadle_local.aws.errors import AwsError
from treadle_local.aws.pages import page
from treadle_local.aws.service import Params, Result
from treadle_local.secretsmanager.refusals import invalid_parameter, invalid_request, not_here
from treadle_local.secretsmanager.secrets import CURRENT, Secret, Store
from treadle_local.secretsmanager.values import new_version_id, put_version, value_of

_PAGE = 100
_DAYS = range(7, 31)
_DEFAULT_DAYS = 30
_DAY = 86_400
_MOST_TAGS = 50
_POLICY_LIMIT = 20_480
_FILTERS = ("description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all")


def create_secret(store: Store, params: Params, now: float) -> Result:
    name, value = str(params.get("Name") or ""), value_of(params)
    if params.get("AddReplicaRegions"):
        raise not_here("The replication of secrets")
    known = store.find(name) if not name.startswith("arn:") else None
    version_id = new_version_id(params)
    if known is not None:
        return _again(known, version_id, value)
    tags = _checked_tags(params.get("Tags") or (), {})
    secret = store.add(name, now)
    secret.description, secret.key_id, secret.tags = params.get("Description"), params.get("KmsKeyId"), tags
    answer: Result = {"ARN": secret.arn, "Name": name}
    if value is None:
        return answer
    return {**answer, "VersionId": put_version(secret, version_id, value, [CURRENT], now).id}


def _again(known: Secret, version_id: str, value: tuple[str | None, str | None] | None) -> Result:
    """The answer to a request that was answered before; any other is refused."""
    version = known.versions.get(version_id)
    if known.deleted is None and version is not None and version.value == value:
        return {"ARN": known.arn, "Name": known.name, "VersionId": version.id}
    if known.deleted is not None:
        raise invalid_request(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    message = f"The operation failed because the secret {known.name} already exists."
    raise AwsError("ResourceExistsException", message)


def update_secret(store: Store, params: Params, now: float) -> Result:
    secret, value = store.at(params), value_of(params)
    version_id = new_version_id(params)
    answer: Result = {"ARN": secret.arn, "Name": secret.name}
    if value is not None:
        answer["VersionId"] = put_version(secret, version_id, value, [CURRENT], now).id
    if params.get("Description") is not None:
        secret.description = params["Description"]
    if params.get("KmsKeyId") is not None:
        secret.key_id = params["KmsKeyId"] or None
    secret.changed = now
    return answer


def describe_secret(store: Store, params: Params) -> Result:
    secret = store.at(params, even_deleted=True)
    return {**secret.described(), "VersionIdsToStages": secret.stages()}


def delete_secret(store: Store, params: Params, now: float) -> Result:
    days, is_forced = params.get("RecoveryWindowInDays"), bool(params.get("ForceDeleteWithoutRecovery"))
    if days is not None and is_forced:
        raise invalid_parameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
    days = _DEFAULT_DAYS if days is None else days
    if days not in _DAYS:
        raise invalid_parameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
    secret_id = str(params.get("SecretId", ""))
    if is_forced and secret_id and store.find(secret_id) is None:
        # AWS takes it for done already
        return {"ARN": secret_id, "Name": secret_id, "DeletionDate": now}
    secret = store.at(params, even_deleted=is_forced)
    if is_forced:
        store.remove(secret)
        return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": now}
    secret.deleted, secret.gone = now, now + days * _DAY
    return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": secret.gone}


def restore_secret(store: Store, params: Params) -> Result:
    secret = store.at(params, even_deleted=True)
    secret.deleted = secret.gone = None
    return {"ARN": secret.arn, "Name": secret.name}


def list_secrets(store: Store, params: Params) -> Result:
    filters = [_checked_filter(one) for one in params.get("Filters") or ()]
    most = params.get("MaxResults", _PAGE)
    if not isinstance(most, int) or not 1 <= most <= _PAGE:
        raise invalid_parameter(f"MaxResults must be 1 to {_PAGE}.")
    wanted = [
        secret
        for secret in store
        if (secret.deleted is None or params.get("IncludePlannedDeletion"))
        and all(_meets(secret, key, values) for key, values in filters)
    ]
    try:
        found, token = page(wanted, lambda secret: secret.name, most, params.get("NextToken"))
    except ValueError:
        raise AwsError("InvalidNextTokenException", "The NextToken value is invalid.") from None
    if params.get("SortOrder") == "desc":
        found.reverse()
    shown = [{**secret.described(), "SecretVersionsToStages": secret.stages()} for secret in found]
    return {"SecretList": shown} if token is None else {"SecretList": shown, "NextToken": token}


def _checked_filter(given: Mapping[str, Any]) -> tuple[str, list[str]]:
    key, values = str(given.get("Key") or ""), [str(value) for value in given.get("Values") or ()]
    if key not in _FILTERS:
        raise invalid_parameter(f"'{key}' is no key of a filter: these are {', '.join(_FILTERS)}.")
    if key in {"primary-region", "owning-service"}:
        raise not_here(f"The filter {key}")
    return key, values


def _meets(secret: Secret, key: str, values: list[str]) -> bool:
    """Whether a fact of the secret begins with one of the values, or with none of those that have `!` in front."""
    facts = {
        "name": [secret.name],
        "description": [secret.description or ""],
        "tag-key": list(secret.tags),
        "tag-value": list(secret.tags.values()),
    }
    found = [fact for part in facts.values() for fact in part] if key == "all" else facts[key]
    # names are compared with their case, all else without
    folded = found if key == "name" else [fact.lower() for fact in found]

    def begins(value: str) -> bool:
        return any(fact.startswith(value if key == "name" else value.lower()) for fact in folded)

    return any(not begins(value[1:]) if value.startswith("!") else begins(value) for value in values)


def tag_resource(store: Store, params: Params) -> Result:
    secret = store.at(params, even_deleted=True)
    secret.tags = _checked_tags(params.get("Tags") or (), secret.tags)
    return {}


def untag_resource(store: Store, params: Params) -> Result:
    secret = store.at(params, even_deleted=True)
    for key in params.get("TagKeys") or ():
        secret.tags.pop(str(key), None)
    return {}


def _checked_tags(pairs: Any, present: Mapping[str, str]) -> dict[str, str]:
    tags = {**present, **{str(pair["Key"]): str(pair.get("Value", "")) for pair in pairs}}
    if len(tags) > _MOST_TAGS:
        raise invalid_parameter(f"A secret can have at most {_MOST_TAGS} tags.")
    return tags


def put_resource_policy(store: Store, params: Params) -> Result:
    secret, text = store.at(params), str(params.get("ResourcePolicy") or "")
    if not 1 <= len(text) <= _POLICY_LIMIT:
        raise invalid_parameter(f"A resource policy must be 1 to {_POLICY_LIMIT} characters long.")
    try:
        document: Any = json.loads(text)
        compile_document(document, of_resource=True)
    except (AwsError, AttributeError, TypeError, ValueError) as problem:
        message = f"This resource policy contains a syntax error: {problem}"
        raise AwsError("MalformedPolicyDocumentException", message) from None
    secret.policy = text
    return {"ARN": secret.arn, "Name": secret.name}


def get_resource_policy(store: Store, params: Params) -> Result:
    secret = store.at(params)
    answer: Result = {"ARN": secret.arn, "Name": secret.name}
    return answer if secret.policy is None else {**answer, "ResourcePolicy": secret.policy}


def delete_resource_policy(store: Store, params: Params) -> Result:
    secret = store.at(params)
    secret.policy = None
    return {"ARN": secret.arn, "Name": secret.name}

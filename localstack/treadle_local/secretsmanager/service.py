"""Secrets Manager in the emulator; rotation and replication are refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.authorization import actions
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.secretsmanager import control, values
from treadle_local.secretsmanager.passwords import get_random_password
from treadle_local.secretsmanager.refusals import not_here
from treadle_local.secretsmanager.secrets import Store

_TIMED: Mapping[str, Callable[[Store, Params, float], Result]] = {
    "CreateSecret": control.create_secret,
    "UpdateSecret": control.update_secret,
    "DeleteSecret": control.delete_secret,
    "PutSecretValue": values.put_secret_value,
    "GetSecretValue": values.get_secret_value,
    "BatchGetSecretValue": values.batch_get_secret_value,
    "UpdateSecretVersionStage": values.update_secret_version_stage,
}
_OTHERS: Mapping[str, Callable[[Store, Params], Result]] = {
    "DescribeSecret": control.describe_secret,
    "RestoreSecret": control.restore_secret,
    "ListSecrets": control.list_secrets,
    "ListSecretVersionIds": values.list_secret_version_ids,
    "TagResource": control.tag_resource,
    "UntagResource": control.untag_resource,
    "PutResourcePolicy": control.put_resource_policy,
    "GetResourcePolicy": control.get_resource_policy,
    "DeleteResourcePolicy": control.delete_resource_policy,
    "GetRandomPassword": lambda _store, params: get_random_password(params),
}


class SecretsManager:
    """The service of one region. Values are kept as they are given; nothing is encrypted in the emulator's memory."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self._region = region
        self._clock = clock
        self._store = Store(region)

    def policy_of(self, arn: str) -> Mapping[str, Any] | None:
        """The resource policy of a secret."""
        secret = self._store.find(arn)
        if secret is None or secret.policy is None:
            return None
        policy: Mapping[str, Any] = json.loads(secret.policy)
        return policy

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        now = self._clock.now()
        self._store.expire(now)
        if operation in _TIMED:
            return _TIMED[operation](self._store, params, now)
        if operation in _OTHERS:
            return _OTHERS[operation](self._store, params)
        raise not_here(f"secretsmanager {operation}")

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """The secrets by their whole ARNs; what is asked of many is asked of each."""
        if operation == "BatchGetSecretValue":
            named = [str(name) for name in params.get("SecretIdList") or ()]
            each = [target for name in named for target in self.targets("GetSecretValue", {"SecretId": name})]
            return [Target("secretsmanager:BatchGetSecretValue", "*"), *each]
        secret = self._store.find(str(params.get("SecretId", "")))
        known = params if secret is None else {**params, "SecretId": secret.arn}
        return actions.targets(self._region, "secretsmanager", operation, known)

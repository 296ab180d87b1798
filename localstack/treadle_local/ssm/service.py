"""Systems Manager's Parameter Store in the emulator; what else Systems Manager does is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from treadle_local.aws.authorization import actions
from treadle_local.aws.authorization.arns import named
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.aws.services import unknown_operation
from treadle_local.clock import Clock
from treadle_local.ssm import reads, tags, writes
from treadle_local.ssm.parameters import DEFAULT_KEY, Store

_OPERATIONS: Mapping[str, Callable[[Store, Params], Result]] = {
    "GetParameter": reads.get_parameter,
    "GetParameters": reads.get_parameters,
    "GetParametersByPath": reads.get_parameters_by_path,
    "GetParameterHistory": reads.get_parameter_history,
    "DescribeParameters": reads.describe_parameters,
    "DeleteParameter": writes.delete_parameter,
    "DeleteParameters": writes.delete_parameters,
    "LabelParameterVersion": writes.label_parameter_version,
    "UnlabelParameterVersion": writes.unlabel_parameter_version,
    "AddTagsToResource": tags.add_tags,
    "RemoveTagsFromResource": tags.remove_tags,
    "ListTagsForResource": tags.list_tags,
}


class Ssm:
    """The service of one region. Values are kept as they are given; nothing is encrypted in the emulator's memory."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self._clock = clock
        self._store = Store(region)

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        if operation == "PutParameter":
            return writes.put_parameter(self._store, params, self._clock.now(), caller)
        found = _OPERATIONS.get(operation)
        if found is None:
            raise unknown_operation("ssm", operation)
        return found(self._store, params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """The parameters by their ARNs, and the keys of secure ones.

        A key other than the account's own must allow kms:Decrypt to whoever reads with decryption, kms:Encrypt (of an
        advanced parameter kms:GenerateDataKey) to whoever writes. It is asked for by the name that was given: an alias
        is not followed to its key.
        Source: https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
        """
        asked = list(actions.targets(self._store.region, "ssm", operation, params))
        if operation == "PutParameter" and params.get("KeyId") not in (None, "", DEFAULT_KEY):
            action = "kms:GenerateDataKey" if params.get("Tier") == "Advanced" else "kms:Encrypt"
            asked.append(self._key_target(action, str(params["KeyId"])))
        if params.get("WithDecryption"):
            keys = {key for key in self._keys_of(operation, params) if key != DEFAULT_KEY}
            asked += [self._key_target("kms:Decrypt", key) for key in sorted(keys)]
        return asked

    def _keys_of(self, operation: str, params: Params) -> list[str]:
        if operation == "GetParametersByPath":
            path = str(params.get("Path", "")).rstrip("/") + "/"
            found = [parameter for parameter in self._store if parameter.name.startswith(path)]
        else:
            names = [str(name) for name in params.get("Names") or [params.get("Name", "")]]
            plain = [name if name.startswith("arn:") else name.partition(":")[0] for name in names]
            found = [one for one in map(self._store.find, plain) if one is not None]
        return [parameter.latest.key_id for parameter in found if parameter.latest.key_id is not None]

    def _key_target(self, action: str, key: str) -> Target:
        return Target(action, named(self._store.region, "kms", "" if key.startswith("alias/") else "key/", key))

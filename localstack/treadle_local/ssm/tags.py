"""Tags of parameters.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.ssm.parameters import Parameter, Store
from treadle_local.ssm.refusals import constraint, not_here

_MOST_TAGS = 50
_KEY_LIMIT, _VALUE_LIMIT = 128, 256


def checked_tags(pairs: Iterable[Mapping[str, str]], present: Mapping[str, str]) -> dict[str, str]:
    """The tags present, with the given ones over them. Raises: AwsError: ValidationException, TooManyTagsError."""
    tags = {pair["Key"]: pair["Value"] for pair in pairs}
    for key, value in tags.items():
        if not 1 <= len(key) <= _KEY_LIMIT:
            raise constraint(key, "tags.key", f"have length between 1 and {_KEY_LIMIT}")
        if len(value) > _VALUE_LIMIT:
            raise constraint(value, "tags.value", f"have length less than or equal to {_VALUE_LIMIT}")
    if len(present.keys() | tags.keys()) > _MOST_TAGS:
        message = "The Targets parameter includes too many tags. Remove one or more tags and try the command again."
        raise AwsError("TooManyTagsError", message)
    return {**present, **tags}


def add_tags(store: Store, params: Params) -> Result:
    parameter = _parameter(store, params)
    parameter.tags = checked_tags(params.get("Tags") or (), parameter.tags)
    return {}


def remove_tags(store: Store, params: Params) -> Result:
    parameter = _parameter(store, params)
    for key in params.get("TagKeys") or ():
        parameter.tags.pop(str(key), None)
    return {}


def list_tags(store: Store, params: Params) -> Result:
    tags = _parameter(store, params).tags
    return {"TagList": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


def _parameter(store: Store, params: Params) -> Parameter:
    kind = params.get("ResourceType")
    if kind != "Parameter":
        raise not_here(f"tags of the resource type {kind}")
    parameter = store.find(str(params.get("ResourceId")))
    if parameter is None:
        raise AwsError("InvalidResourceId", "The resource ID isn't valid. Verify that you entered the correct ID.")
    return parameter

"""Tags of roles and policies.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from treadle_local.aws.service import Params, Result
from treadle_local.iam.paging import page
from treadle_local.iam.refusals import exceeded, invalid
from treadle_local.iam.store import Store, pairs

MOST_TAGS = 50


def tag_role(store: Store, params: Params) -> Result:
    role = store.role(params["RoleName"])
    role.tags = added(role.tags, params["Tags"])
    store.changed()
    return {}


def untag_role(store: Store, params: Params) -> Result:
    role = store.role(params["RoleName"])
    role.tags = _without(role.tags, params["TagKeys"])
    store.changed()
    return {}


def list_role_tags(store: Store, params: Params) -> Result:
    return page("Tags", pairs(store.role(params["RoleName"]).tags), params, lambda tag: tag)


def tag_policy(store: Store, params: Params) -> Result:
    policy = store.policy(params["PolicyArn"])
    policy.tags = added(policy.tags, params["Tags"])
    return {}


def untag_policy(store: Store, params: Params) -> Result:
    policy = store.policy(params["PolicyArn"])
    policy.tags = _without(policy.tags, params["TagKeys"])
    return {}


def list_policy_tags(store: Store, params: Params) -> Result:
    return page("Tags", pairs(store.policy(params["PolicyArn"]).tags), params, lambda tag: tag)


def added(tags: Mapping[str, str], given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The tags with those given, whose keys take the place of the same ones in other letters.

    Raises: AwsError InvalidInput, LimitExceeded.
    """
    wanted = {tag["Key"]: tag["Value"] for tag in given}
    folded = {key.lower() for key in wanted}
    if len(folded) != len(list(given)):
        raise invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") and not key.startswith("aws:cloudformation:") for key in folded):
        raise invalid("Tag keys beginning with aws: are reserved for system use.")
    merged = {key: value for key, value in tags.items() if key.lower() not in folded} | wanted
    if sum(not key.startswith("aws:") for key in merged) > MOST_TAGS:
        raise exceeded("The number of tags has reached the maximum limit.")
    return merged


def _without(tags: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    gone = {key.lower() for key in keys}
    return {key: value for key, value in tags.items() if key.lower() not in gone}

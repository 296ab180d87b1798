"""Tags of APIs and stages, which are named by their ARNs.

Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/tags-resource-arn.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from treadle_local.apigateway.members import MapOf, Text, given
from treadle_local.apigateway.refusals import bad_request, not_found
from treadle_local.apigateway.store import Store
from treadle_local.aws.service import Params, Result

_MOST_TAGS = 50
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging.html"""
TAGS = MapOf(Text(256), key=Text(128))
_ARN = re.compile(r"arn:aws:apigateway:(?P<region>[^:]+)::/apis/(?P<api>[^/]+)(?:/stages/(?P<stage>[^/]+))?")


def tag_resource(store: Store, params: Params) -> Result:
    tags = _tags(store, params)
    tags.update(checked_tags(given({"Tags": TAGS}, params).get("Tags") or {}, tags))
    return {}


def untag_resource(store: Store, params: Params) -> Result:
    tags = _tags(store, params)
    for key in params.get("TagKeys") or ():
        tags.pop(key, None)
    return {}


def get_tags(store: Store, params: Params) -> Result:
    return {"Tags": dict(_tags(store, params))}


def checked_tags(tags: Mapping[str, Any], present: Mapping[str, str]) -> dict[str, str]:
    """Tags that may be added to those that are there already.

    Tags that begin with `aws:` are taken, since the stack engine sets them through this door too.
    Raises: AwsError BadRequestException.
    """
    if len(present.keys() | tags.keys()) > _MOST_TAGS:
        raise bad_request(f"A resource can have at most {_MOST_TAGS} tags")
    return dict(tags)


def _tags(store: Store, params: Params) -> dict[str, str]:
    text = str(params.get("ResourceArn"))
    arn = _ARN.fullmatch(text)
    if arn is None or arn["region"] != store.region.name:
        raise bad_request(f"Invalid resource ARN: {text}")
    api = store.api({"ApiId": arn["api"]})
    if arn["stage"] is None:
        return api.tags
    if arn["stage"] not in api.stages:
        raise not_found("Stage", arn["stage"])
    return api.stages[arn["stage"]].tags

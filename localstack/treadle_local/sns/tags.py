"""Tags of topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from treadle_local.aws.service import Caller, Params, Result
from treadle_local.sns.errors import invalid, invalid_because, resource_does_not_exist, tag_limit
from treadle_local.sns.topics import Topic, Topics

# Source: https://docs.aws.amazon.com/sns/latest/dg/sns-tags.html
_TAGS_LIMIT = 50
_KEY_LIMIT, _VALUE_LIMIT = 128, 256


class TagOperations:
    """The operations on tags; each takes and returns AWS's shapes.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_TagResource.html
    """

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    def tag_resource(self, params: Params, caller: Caller) -> Result:
        topic = self._tagged(params)
        tags = topic.tags | parse_tags(params.get("Tags") or ())
        if len(tags) > _TAGS_LIMIT:
            raise tag_limit()
        topic.tags = tags
        return {}

    def untag_resource(self, params: Params, caller: Caller) -> Result:
        topic = self._tagged(params)
        for key in params.get("TagKeys") or ():
            topic.tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, params: Params, caller: Caller) -> Result:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tagged(params).tags.items()]}

    def _tagged(self, params: Params) -> Topic:
        topic = self._topics.find(params.get("ResourceArn") or "")
        if topic is None:
            raise resource_does_not_exist()
        return topic


def parse_tags(given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Raises: `InvalidParameter`, `TagLimitExceeded`."""
    tags = {str(tag.get("Key") or ""): str(tag.get("Value") or "") for tag in given}
    if len(tags) != len(given):
        raise invalid("Duplicated keys are not allowed.")
    if not all(1 <= len(key) <= _KEY_LIMIT and len(value) <= _VALUE_LIMIT for key, value in tags.items()):
        raise invalid_because("Tags", f"A key has 1 to {_KEY_LIMIT} characters, a value up to {_VALUE_LIMIT}.")
    if len(tags) > _TAGS_LIMIT:
        raise tag_limit()
    return tags

"""The control plane of SNS: topics, their attributes and policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from treadle_local.aws.service import Caller, Params, Result
from treadle_local.sns.arns import check_arn, is_fifo
from treadle_local.sns.errors import invalid, invalid_because, missing, not_in_the_emulator
from treadle_local.sns.paging import page
from treadle_local.sns.policies import policy_of, with_permission, without_permission
from treadle_local.sns.subscription_limits import check_subscriptions
from treadle_local.sns.tags import parse_tags
from treadle_local.sns.topic_attributes import topic_attributes, with_topic_attributes
from treadle_local.sns.topics import Topic, Topics, TopicSettings

# Source: https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo")


class TopicOperations:
    """The operations on topics; each takes and returns AWS's shapes.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_Operations.html
    """

    def __init__(self, topics: Topics, on_topic_deleted: Callable[[str], None]) -> None:
        self._topics = topics
        self._on_topic_deleted = on_topic_deleted

    def create_topic(self, params: Params, caller: Caller) -> Result:
        name: str = params.get("Name") or ""
        attributes: Mapping[str, str] = params.get("Attributes") or {}
        fifo = attributes.get("FifoTopic", "").lower() == "true"
        _check_name(name, fifo)
        if params.get("DataProtectionPolicy"):
            raise not_in_the_emulator("DataProtectionPolicy is")
        tags = parse_tags(params.get("Tags") or ())
        arn = self._topics.region.arn("sns", name)
        existing = self._topics.find(arn)
        if existing is None:
            self._topics.add(Topic(arn, with_topic_attributes(TopicSettings(fifo=fifo), attributes), tags))
        elif with_topic_attributes(existing.settings, attributes) != existing.settings:
            raise invalid_because("Attributes", "Topic already exists with different attributes")
        elif tags and tags != existing.tags:
            raise invalid_because("Tags", "Topic already exists with different tags")
        return {"TopicArn": arn}

    def delete_topic(self, params: Params, caller: Caller) -> Result:
        arn = params.get("TopicArn")
        check_arn(arn, "TopicArn", self._topics.region)
        self._topics.remove(str(arn))
        self._on_topic_deleted(str(arn))
        return {}

    def list_topics(self, params: Params, caller: Caller) -> Result:
        arns, token = page([topic.arn for topic in self._topics], params.get("NextToken"))
        return {"Topics": [{"TopicArn": arn} for arn in arns], **token}

    def get_topic_attributes(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        return {"Attributes": topic_attributes(topic, self._topics.region)}

    def set_topic_attributes(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        name = params.get("AttributeName") or ""
        if name == "FifoTopic":
            raise invalid("AttributeName")
        settings = with_topic_attributes(topic.settings, {name: params.get("AttributeValue") or ""})
        check_subscriptions(settings, len(topic.subscriptions))
        topic.settings = settings
        return {}

    def add_permission(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        for name in ("Label", "AWSAccountId", "ActionName"):
            if not params.get(name):
                raise missing(name)
        policy = policy_of(topic, self._topics.region.account)
        changed = with_permission(policy, topic.arn, params["Label"], params["AWSAccountId"], params["ActionName"])
        topic.settings = replace(topic.settings, policy=changed)
        return {}

    def remove_permission(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        label = params.get("Label")
        if not label:
            raise missing("Label")
        policy = policy_of(topic, self._topics.region.account)
        topic.settings = replace(topic.settings, policy=without_permission(policy, label))
        return {}


def _check_name(name: str, fifo: bool) -> None:
    """Without the attribute FifoTopic, a name that ends in .fifo has a character that names do not have."""
    if fifo and not _FIFO_NAME.fullmatch(name):
        raise invalid(
            "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, "
            "numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
            if not is_fifo(name) or len(name) > 256
            else "Topic Name"
        )
    if not fifo and not _NAME.fullmatch(name):
        raise invalid("Topic Name")

"""What is published: one message with its subject and attributes, checked as SNS checks it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from treadle_local.aws.service import Params
from treadle_local.sns.errors import invalid, invalid_because
from treadle_local.sns.message_attributes import parse_attributes
from treadle_local.sns.topics import Protocol, TopicSettings
from treadle_local.sqs.message import NO_ATTRIBUTES, MessageAttribute, attributes_bytes

# Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_SUBJECT = re.compile(r"[!-~][ -~]{0,99}")
_ID = re.compile(r"[!-~]{1,128}")

_ONE_BODY: Mapping[str, str] = MappingProxyType(dict[str, str]())


@dataclass(frozen=True, slots=True)
class Publication:
    """A message as it was published, checked against what its topic takes.

    `bodies` are those that `MessageStructure` gives single protocols in place of `body`. `size_bytes` is what counts
    against the topic's limit: the message and the attributes' names, types and values. `deduplication_id` is there
    for FIFO topics.
    """

    body: str
    bodies: Mapping[str, str]
    subject: str | None
    attributes: Mapping[str, MessageAttribute]
    group_id: str | None
    deduplication_id: str | None
    size_bytes: int

    def body_for(self, protocol: Protocol) -> str:
        return self.bodies.get(protocol, self.body) if self.bodies else self.body


def build_publication(params: Params, topic: TopicSettings) -> Publication:
    """The publication that a Publish (or an entry of a batch) describes; its size is not judged here.

    Raises: `InvalidParameter`, `ParameterValueInvalid`.
    Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    message = params.get("Message")
    if not isinstance(message, str) or not message:
        raise invalid("Empty message")
    try:
        encoded = message.encode()
    except UnicodeEncodeError:
        raise invalid_because("Message", "not valid UTF-8") from None
    subject = params.get("Subject")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise invalid("Subject")
    group_id, deduplication_id = _ids(params, topic, encoded)
    given = params.get("MessageAttributes")
    attributes = parse_attributes(given) if given else NO_ATTRIBUTES
    structure = params.get("MessageStructure")
    body, bodies = (message, _ONE_BODY) if not structure else _bodies(message, structure)
    return Publication(
        body=body,
        bodies=bodies,
        subject=subject,
        attributes=attributes,
        group_id=group_id,
        deduplication_id=deduplication_id,
        size_bytes=len(encoded) + (attributes_bytes(attributes) if attributes else 0),
    )


def _ids(params: Params, topic: TopicSettings, message: bytes) -> tuple[str | None, str | None]:
    """Group and de-duplication id. A standard topic may have groups, for the fair queues among its subscribers."""
    group_id = params.get("MessageGroupId")
    deduplication_id = params.get("MessageDeduplicationId")
    if group_id is not None and not _ID.fullmatch(group_id):
        raise invalid_because("MessageGroupId", "1 to 128 alphanumeric and punctuation characters")
    if not topic.fifo:
        if deduplication_id is not None:
            raise invalid_because(
                "MessageDeduplicationId",
                "The request includes MessageDeduplicationId parameter that is not valid for this topic type",
            )
        return group_id, None
    if group_id is None:
        raise invalid("The MessageGroupId parameter is required for FIFO topics")
    if deduplication_id is None:
        if not topic.content_based_deduplication:
            raise invalid(
                "The topic should either have ContentBasedDeduplication enabled "
                "or MessageDeduplicationId provided explicitly"
            )
        return group_id, hashlib.sha256(message).hexdigest()
    if not _ID.fullmatch(deduplication_id):
        raise invalid_because("MessageDeduplicationId", "1 to 128 alphanumeric and punctuation characters")
    return group_id, deduplication_id


def _bodies(message: str, structure: str) -> tuple[str, Mapping[str, str]]:
    """The default body and those of single protocols; values that are no strings are ignored."""
    if structure != "json":
        raise invalid("MessageStructure")
    try:
        document: object = json.loads(message)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise invalid("Message Structure - JSON message body failed to parse")
    bodies = {name: text for name, text in cast("dict[str, object]", document).items() if isinstance(text, str)}
    if "default" not in bodies:
        raise invalid("Message Structure - No default entry in JSON message body")
    return bodies.pop("default"), bodies

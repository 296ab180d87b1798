"""What is published: one message with its subject and attributes, checked as SNS checks it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from treadle_local.aws.service import Params
from treadle_local.sns.errors import invalid, invalid_attribute_value, invalid_because
from treadle_local.sqs.contents import binary_value, is_attribute_name, is_number
from treadle_local.sqs.message import NO_ATTRIBUTES, MessageAttribute, attributes_bytes, new_message_id

_SUBJECT = re.compile(r"[!-~][ -~]{0,99}")
_GROUP_ID = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Publication:
    """A message as it was published.

    `body` is what queues get of it (`MessageStructure` may give each protocol its own).
    `size_bytes` is what counts against the topic's limit: the message and the attributes' names, types and values.
    """

    message_id: str
    body: str
    subject: str | None
    attributes: Mapping[str, MessageAttribute]
    group_id: str | None
    size_bytes: int


def build_publication(params: Params) -> Publication:
    """The publication that a Publish (or an entry of a batch) describes.

    Raises: `InvalidParameter`, `ParameterValueInvalid`.
    Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    message = params.get("Message")
    if not isinstance(message, str) or not message:
        raise invalid("Empty message")
    try:
        message_bytes = len(message.encode())
    except UnicodeEncodeError:
        raise invalid_because("Message", "not valid UTF-8") from None
    subject = params.get("Subject")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise invalid("Subject")
    group_id = params.get("MessageGroupId")
    if group_id is not None and not _GROUP_ID.fullmatch(group_id):
        raise invalid_because("MessageGroupId", "1 to 128 alphanumeric and punctuation characters")
    if params.get("MessageDeduplicationId") is not None:
        raise invalid_because(
            "MessageDeduplicationId",
            "The request includes MessageDeduplicationId parameter that is not valid for this topic type",
        )
    given: Mapping[str, Mapping[str, Any]] | None = params.get("MessageAttributes")
    attributes = {name: _attribute(name, value) for name, value in given.items()} if given else NO_ATTRIBUTES
    return Publication(
        message_id=new_message_id(),
        body=_body_for_queues(message, params.get("MessageStructure")),
        subject=subject,
        attributes=attributes,
        group_id=group_id,
        size_bytes=message_bytes + attributes_bytes(attributes),
    )


def _body_for_queues(message: str, structure: str | None) -> str:
    if structure is None or structure == "":
        return message
    if structure != "json":
        raise invalid("MessageStructure")
    try:
        document: object = json.loads(message)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise invalid("Message Structure - JSON message body failed to parse")
    bodies = cast("dict[str, object]", document)
    if "default" not in bodies:
        raise invalid("Message Structure - No default entry in JSON message body")
    body = bodies.get("sqs", bodies["default"])
    if not isinstance(body, str):
        raise invalid("Message Structure - The value of an entry in the JSON message body must be a string")
    return body


def _attribute(name: str, value: Mapping[str, Any]) -> MessageAttribute:
    """Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html"""
    if not is_attribute_name(name):
        raise invalid_attribute_value(
            f"The message attribute name '{name}' is invalid: up to 256 alphanumeric characters, hyphens, underscores "
            "and periods, not beginning with AWS. or Amazon., no period at an end or after another."
        )
    data_type = value.get("DataType") or ""
    kind = data_type.partition(".")[0]
    if kind not in ("String", "Number", "Binary"):
        raise invalid_attribute_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
            "prefixes is Binary, Number, and String."
        )
    given = value.get("BinaryValue" if kind == "Binary" else "StringValue")
    if not given:
        raise invalid_attribute_value(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute "
            f"type '{data_type}'."
        )
    if kind == "Binary":
        try:
            return MessageAttribute(data_type, binary_value(given))
        except ValueError:
            raise invalid_attribute_value(f"The value of message attribute '{name}' is not valid base64.") from None
    if kind == "Number" and not is_number(given):
        raise invalid_attribute_value(f"Could not cast message attribute '{name}' value to number.")
    return MessageAttribute(data_type, given)

"""What a message may consist of: its characters, its attributes and its size, checked as SQS checks them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from treadle_local.aws.service import Params
from treadle_local.sqs.errors import invalid_contents, invalid_parameter, invalid_value, missing_parameter
from treadle_local.sqs.message import (
    NO_ATTRIBUTES,
    Message,
    MessageAttribute,
    attributes_bytes,
    attributes_md5,
    md5,
    new_message_id,
)

MESSAGE_ATTRIBUTES_LIMIT = 10
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ATTRIBUTE_NAME = re.compile(r"(?!(?i:aws\.|amazon\.))(?!\.)(?!.*\.\.)(?!.*\.$)[A-Za-z0-9_.-]{1,256}")
_TOKEN = re.compile(r"[!-~]{1,128}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def has_forbidden_characters(text: str) -> bool:
    """True for text that a queue does not carry.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    return not text.isprintable() and _FORBIDDEN.search(text) is not None


def build_message(params: Params, sent_at: float, sender_id: str) -> tuple[Message, int]:
    """The message that a SendMessage (or an entry of a batch) describes, and its size in bytes.

    The size is that of the body and of the attributes; system attributes do not count.

    Raises: `InvalidMessageContents`, `InvalidParameterValue`, `MissingParameter`.
    """
    body = params.get("MessageBody")
    if not isinstance(body, str) or not body:
        raise missing_parameter("MessageBody")
    if has_forbidden_characters(body):
        raise invalid_contents()
    group_id = check_token(params, "MessageGroupId")
    deduplication_id = check_token(params, "MessageDeduplicationId")
    attributes = parse_attributes(params.get("MessageAttributes"))
    if len(attributes) > MESSAGE_ATTRIBUTES_LIMIT:
        raise invalid_value(
            f"Number of message attributes [{len(attributes)}] exceeds "
            f"the allowed maximum [{MESSAGE_ATTRIBUTES_LIMIT}]."
        )
    encoded = body.encode()
    message = Message(
        message_id=new_message_id(),
        body=body,
        body_md5=md5(encoded),
        sent_at=sent_at,
        sender_id=sender_id,
        attributes=attributes,
        attributes_md5=attributes_md5(attributes),
        trace_header=_trace_header(params.get("MessageSystemAttributes")),
        group_id=group_id,
        deduplication_id=deduplication_id,
    )
    return message, len(encoded) + attributes_bytes(attributes)


def check_token(params: Params, name: str) -> str | None:
    """A group, de-duplication or attempt id. Raises: `InvalidParameterValue`.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    token: object = params.get(name)
    if token is None:
        return None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise invalid_parameter(
            token, name, f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
        )
    return token


def parse_attributes(given: Mapping[str, Mapping[str, Any]] | None) -> Mapping[str, MessageAttribute]:
    """The message attributes of a call. Raises: `InvalidParameterValue`."""
    if not given:
        return NO_ATTRIBUTES
    return {name: _attribute(name, value) for name, value in given.items()}


def binary_value(value: str | bytes) -> bytes:
    """A blob parameter's bytes; on the JSON wire it is base64 text. Raises ValueError."""
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def is_number(text: str) -> bool:
    """True for what SQS and SNS take as the value of a Number attribute."""
    return _NUMBER.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def is_attribute_name(name: str) -> bool:
    """True for a legal name of a message attribute.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
    """
    return _ATTRIBUTE_NAME.fullmatch(name) is not None


def _attribute(name: str, value: Mapping[str, Any]) -> MessageAttribute:
    if not is_attribute_name(name):
        raise invalid_value(
            f"Message (user) attribute name '{name}' is invalid. It can contain alphanumeric characters, underscore, "
            "hyphen and period, at most 256; it must not start with AWS. or Amazon., start or end with a period, "
            "or have periods in succession."
        )
    data_type = value.get("DataType") or ""
    if not data_type:
        raise invalid_value(f"The message attribute '{name}' must contain non-empty message attribute type.")
    if value.get("StringListValues") or value.get("BinaryListValues"):
        raise invalid_value(f"Message attribute list values in message (user) attribute '{name}' are not supported.")
    kind = data_type.partition(".")[0]
    if kind not in ("String", "Number", "Binary") or len(data_type) > 256 or has_forbidden_characters(data_type):
        raise invalid_value(
            f"The type of message (user) attribute '{name}' is invalid. "
            "You must use only the following supported type prefixes: Binary, Number, String."
        )
    given = value.get("BinaryValue" if kind == "Binary" else "StringValue")
    if not given:
        raise invalid_value(f"The message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.")
    if kind == "Binary":
        try:
            return MessageAttribute(data_type, binary_value(given))
        except ValueError:
            raise invalid_value(f"The value of message (user) attribute '{name}' is not valid base64.") from None
    if has_forbidden_characters(given):
        raise invalid_contents()
    if kind == "Number" and not is_number(given):
        raise invalid_value(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    return MessageAttribute(data_type, given)


def _trace_header(system_attributes: Mapping[str, Mapping[str, Any]] | None) -> str | None:
    if not system_attributes:
        return None
    for name in system_attributes:
        if name != "AWSTraceHeader":
            raise invalid_value(f"Message system attribute name '{name}' is invalid.")
    header = _attribute("AWSTraceHeader", system_attributes["AWSTraceHeader"])
    if header.data_type != "String" or not isinstance(header.value, str):
        raise invalid_value("Message system attribute 'AWSTraceHeader' must be of type 'String'.")
    return header.value

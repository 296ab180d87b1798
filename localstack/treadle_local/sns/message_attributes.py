"""Message attributes of a publication, checked as SNS checks them.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.sns.errors import invalid_attribute_value
from treadle_local.sqs.contents import binary_value, is_attribute_name, is_number
from treadle_local.sqs.message import MessageAttribute

_NAME_LIMIT = 256
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")


def parse_attributes(given: Mapping[str, Mapping[str, Any]]) -> Mapping[str, MessageAttribute]:
    """The message attributes of a call. Raises: `ParameterValueInvalid`, `ValidationError`."""
    return {name: _attribute(name, value) for name, value in given.items()}


def _attribute(name: str, value: Mapping[str, Any]) -> MessageAttribute:
    if not is_attribute_name(name):
        raise invalid_attribute_value(_wrong_name(name))
    data_type: str | None = value.get("DataType")
    if data_type is None:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value null at 'messageAttributes.{name}.member.dataType' "
            "failed to satisfy constraint: Member must not be null",
        )
    kind = data_type.partition(".")[0]
    if kind not in ("String", "Number", "Binary"):
        raise invalid_attribute_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
            "prefixes is Binary, Number, and String."
        )
    field, other = ("Binary", "String") if kind == "Binary" else ("String", "Binary")
    given = value.get(f"{field}Value")
    if not given:
        raise invalid_attribute_value(
            f"The message attribute '{name}' with type '{data_type}' must use field '{field}'."
            if value.get(f"{other}Value")
            else f"The message attribute '{name}' must contain non-empty message attribute value for message attribute "
            f"type '{data_type}'."
        )
    return MessageAttribute(data_type, _value(name, kind, given))


def _value(name: str, kind: str, given: Any) -> str | bytes:
    if kind == "Binary":
        try:
            return binary_value(given)
        except ValueError:
            raise invalid_attribute_value(f"The value of message attribute '{name}' is not valid base64.") from None
    text = str(given)
    if kind == "Number" and not is_number(text):
        raise invalid_attribute_value(f"Could not cast message attribute '{name}' value to number.")
    return text


def _wrong_name(name: str) -> str:
    if not name:
        return "The message attribute name must not be empty."
    if len(name) > _NAME_LIMIT:
        return f"Length of message attribute name must be less than {_NAME_LIMIT} bytes."
    strange = _NOT_IN_NAMES.search(name)
    if strange is not None:
        return (
            f"Invalid non-alphanumeric character '#x{ord(strange[0]):X}' was found in the message attribute name. "
            "Can only include alphanumeric characters, hyphens, underscores, or dots."
        )
    if name.startswith("."):
        return "Invalid message attribute name starting with character '.' was found."
    if name.endswith("."):
        return "Invalid message attribute name ending with character '.' was found."
    if ".." in name:
        return "Message attribute name can not have successive '.' character."
    return f"The message attribute name '{name}' is invalid: it begins with AWS. or Amazon."

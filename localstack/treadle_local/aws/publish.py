"""SNS Publish in the query protocol, written out by hand: it is on the path of every event."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from itertools import count
from typing import Any

from treadle_local.aws.wire import unreadable
from treadle_local.aws.xml_output import text_of

_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
_PLAIN = (
    "TopicArn",
    "Message",
    "Subject",
    "MessageStructure",
    "MessageGroupId",
    "MessageDeduplicationId",
    "TargetArn",
    "PhoneNumber",
)
_ENVELOPE_FIELDS = frozenset({"Action", "Version"})


def publish_params(form: Mapping[str, str]) -> dict[str, Any] | None:
    """The parameters of a form as clients write it; None when it holds anything else, for the general way to read."""
    params: dict[str, Any] = {name: form[name] for name in _PLAIN if name in form}
    read = len(params) + sum(name in form for name in _ENVELOPE_FIELDS)
    attributes: dict[str, dict[str, Any]] = {}
    for number in count(1):
        entry = f"MessageAttributes.entry.{number}."
        name = form.get(entry + "Name")
        if name is None:
            break
        attributes[name] = _attribute(form, entry + "Value.")
        read += 1 + len(attributes[name])
    if read != len(form):
        return None
    return {**params, "MessageAttributes": attributes} if attributes else params


def published(result: Mapping[str, Any]) -> tuple[str, str]:
    """The namespace and the inner XML of the answer."""
    members = "".join(f"<{name}>{text_of(value)}</{name}>" for name, value in result.items())
    return _NAMESPACE, f"<PublishResult>{members}</PublishResult>"


def _attribute(form: Mapping[str, str], value: str) -> dict[str, Any]:
    attribute: dict[str, Any] = {}
    for member in ("DataType", "StringValue"):
        text = form.get(value + member)
        if text is not None:
            attribute[member] = text
    binary = form.get(value + "BinaryValue")
    if binary is not None:
        try:
            attribute["BinaryValue"] = b64decode(binary, validate=True)
        except Base64Error as error:
            raise unreadable(error) from error
    return attribute

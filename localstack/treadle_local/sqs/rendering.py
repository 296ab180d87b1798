"""Received messages in the shape of the SQS API, with the attributes that the receiver asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from treadle_local.aws.service import Result
from treadle_local.sqs.errors import unknown_attribute
from treadle_local.sqs.message import MessageAttribute, ReceivedMessage, attributes_md5

_SYSTEM_ATTRIBUTES = frozenset(
    {
        *("SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"),
        *("SequenceNumber", "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn"),
    }
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which attributes a receive returns: system attributes by name, message attributes by name or prefix."""

    system: frozenset[str]
    all_attributes: bool
    names: frozenset[str]
    prefixes: tuple[str, ...]

    def attributes_of(self, attributes: Mapping[str, MessageAttribute]) -> Mapping[str, MessageAttribute]:
        if self.all_attributes:
            return attributes
        return {
            name: attribute
            for name, attribute in attributes.items()
            if name in self.names or (self.prefixes and name.startswith(self.prefixes))
        }


@lru_cache(maxsize=1024)
def selection(system_names: tuple[str, ...], attribute_names: tuple[str, ...]) -> Selection:
    """What the names of a ReceiveMessage call stand for: `All`, exact names, and `prefix.*`.

    Raises: `InvalidAttributeName`.
    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """
    for name in system_names:
        if name != "All" and name not in _SYSTEM_ATTRIBUTES:
            raise unknown_attribute(name)
    return Selection(
        system=_SYSTEM_ATTRIBUTES if "All" in system_names else frozenset(system_names),
        all_attributes="All" in attribute_names or ".*" in attribute_names,
        names=frozenset(attribute_names),
        prefixes=tuple(name[:-2] for name in attribute_names if name.endswith(".*")),
    )


def render(received: ReceivedMessage, chosen: Selection) -> Result:
    """One element of `Messages`."""
    message = received.message
    result: Result = {
        "MessageId": message.message_id,
        "ReceiptHandle": received.receipt,
        "MD5OfBody": message.body_md5,
        "Body": message.body,
    }
    if chosen.system and (system := _system_attributes(received, chosen.system)):
        result["Attributes"] = system
    if message.attributes and (attributes := chosen.attributes_of(message.attributes)):
        whole = len(attributes) == len(message.attributes)
        result["MD5OfMessageAttributes"] = message.attributes_md5 if whole else attributes_md5(attributes)
        result["MessageAttributes"] = {name: render_attribute(attribute) for name, attribute in attributes.items()}
    return result


def render_attribute(attribute: MessageAttribute) -> dict[str, str | bytes]:
    """A `MessageAttributeValue`."""
    if isinstance(attribute.value, str):
        return {"DataType": attribute.data_type, "StringValue": attribute.value}
    return {"DataType": attribute.data_type, "BinaryValue": attribute.value}


def _system_attributes(received: ReceivedMessage, names: frozenset[str]) -> dict[str, str]:
    message = received.message
    values = {
        "SenderId": message.sender_id,
        "SentTimestamp": str(int(message.sent_at * 1000)),
        "ApproximateReceiveCount": str(received.receive_count),
        "ApproximateFirstReceiveTimestamp": str(int(received.first_received_at * 1000)),
        "SequenceNumber": received.sequence_number,
        "MessageDeduplicationId": message.deduplication_id,
        "MessageGroupId": message.group_id,
        "AWSTraceHeader": message.trace_header,
        "DeadLetterQueueSourceArn": received.dead_letter_source_arn,
    }
    return {name: value for name, value in values.items() if value is not None and name in names}

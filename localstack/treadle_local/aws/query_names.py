"""Names of the query protocol that AWS's models no longer have, since SQS's clients speak JSON now.

SQS still takes what older clients send. Its lists and maps are flat: `AttributeName.1=All`, `Attribute.1.Name=…` and
`Attribute.1.Value=…`; what the protocol else calls `member`, `key` and `value` has names of its own.
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html and
the query protocol's examples in https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMESPACES = {"sqs": "http://queue.amazonaws.com/doc/2012-11-05/"}

_ELEMENTS = {
    "AWSAccountIdList": "AWSAccountId",
    "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName",
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "BinaryList": "BinaryListValue",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "QueueUrlList": "QueueUrl",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
    "StringList": "StringListValue",
    "TagKeyList": "TagKey",
}
"""Shape of a list -> name of each of its elements."""
_ENTRIES = {
    "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
    "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
    "MessageSystemAttributeMap": ("Attribute", "Name", "Value"),
    "QueueAttributeMap": ("Attribute", "Name", "Value"),
    "TagMap": ("Tag", "Key", "Value"),
}
"""Shape of a map -> names of each of its entries, of the key in it and of the value."""

Description = Mapping[str, Any]


def with_query_names(description: Description, namespace: str) -> dict[str, Any]:
    """The description of a service (a model as AWS publishes it) with the names of its query protocol."""
    shapes = {name: _named(name, shape) for name, shape in description["shapes"].items()}
    metadata = {**description["metadata"], "xmlNamespace": namespace}
    return {**description, "metadata": metadata, "shapes": shapes}


def _named(name: str, shape: Description) -> Description:
    if name in _ELEMENTS:
        return {**shape, "member": {**shape["member"], "locationName": _ELEMENTS[name]}}
    if name in _ENTRIES:
        entry, key, value = _ENTRIES[name]
        return {
            **shape,
            "locationName": entry,
            "key": {**shape["key"], "locationName": key},
            "value": {**shape["value"], "locationName": value},
        }
    return shape

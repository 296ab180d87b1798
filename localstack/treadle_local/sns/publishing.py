"""Publish and PublishBatch: what is checked before a message goes out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Result
from treadle_local.sns.contents import build_publication
from treadle_local.sns.delivery import Delivery
from treadle_local.sns.errors import invalid, invalid_because, not_in_the_emulator
from treadle_local.sns.fifo_log import Published
from treadle_local.sns.topics import Topics

_BATCH_LIMIT = 10
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class PublishOperations:
    """The operations that publish; delivery is done when they return."""

    def __init__(self, topics: Topics, delivery: Delivery) -> None:
        self._topics = topics
        self._delivery = delivery

    def publish(self, params: Params, caller: Caller) -> Result:
        """Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
        arn = params.get("TopicArn")
        topic = self._topics.find(arn) if arn else None
        if topic is None:
            if params.get("PhoneNumber"):
                raise not_in_the_emulator("Publishing to a PhoneNumber is")
            target = params.get("TargetArn")
            if arn is None and target is None:
                raise invalid("TopicArn or TargetArn Reason: no value for required parameter")
            if arn is None and ":endpoint/" in str(target):
                raise invalid_because("TargetArn", "No endpoint found for the target arn specified")
            topic = self._topics.at(arn, "TopicArn") if arn is not None else self._topics.at(target, "TargetArn")
        publication = build_publication(params, topic.settings)
        if publication.size_bytes > topic.settings.message_limit_bytes:
            raise invalid("Message too long")
        return _told(self._delivery.publish(topic, publication))

    def publish_batch(self, params: Params, caller: Caller) -> Result:
        """All entries in their order, or none: AWS refuses the whole call for what is wrong with one of them.

        Source: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
        """
        topic = self._topics.at(params.get("TopicArn"))
        entries: Sequence[Mapping[str, Any]] = params.get("PublishBatchRequestEntries") or ()
        _check_entries(entries)
        publications = [build_publication(entry, topic.settings) for entry in entries]
        if sum(publication.size_bytes for publication in publications) > topic.settings.message_limit_bytes:
            raise AwsError("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
        successful = [
            {"Id": entry["Id"], **_told(self._delivery.publish(topic, publication))}
            for entry, publication in zip(entries, publications, strict=True)
        ]
        return {"Successful": successful, "Failed": []}


def _told(published: Published) -> Result:
    if published.sequence_number is None:
        return {"MessageId": published.message_id}
    return {"MessageId": published.message_id, "SequenceNumber": published.sequence_number}


def _check_entries(entries: Sequence[Mapping[str, Any]]) -> None:
    if not entries:
        raise AwsError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(entries) > _BATCH_LIMIT:
        raise AwsError("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
    ids = [entry.get("Id") or "" for entry in entries]
    if not all(_ENTRY_ID.fullmatch(entry_id) for entry_id in ids):
        raise AwsError(
            "InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification."
        )
    if len(set(ids)) != len(ids):
        raise AwsError("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")

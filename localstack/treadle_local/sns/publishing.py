"""Publish and PublishBatch: what is checked before a message goes out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Result
from treadle_local.sns.contents import Publication, build_publication
from treadle_local.sns.delivery import Delivery
from treadle_local.sns.errors import invalid, not_in_the_emulator
from treadle_local.sns.topics import Topic, Topics

_BATCH_LIMIT = 10
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class PublishOperations:
    """The operations that publish; delivery is done when they return.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
    """

    def __init__(self, topics: Topics, delivery: Delivery) -> None:
        self._topics = topics
        self._delivery = delivery

    def publish(self, params: Params, caller: Caller) -> Result:
        if params.get("PhoneNumber"):
            raise not_in_the_emulator("Publishing to a PhoneNumber is")
        target = params.get("TargetArn")
        arn = params.get("TopicArn") or target
        if not arn:
            raise invalid("TopicArn or TargetArn Reason: no value for required parameter")
        topic = self._topics.at(arn, "TargetArn" if arn == target else "TopicArn")
        publication = _within_limit(topic, build_publication(params))
        self._delivery.deliver(topic, publication)
        return {"MessageId": publication.message_id}

    def publish_batch(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        entries: Sequence[Mapping[str, Any]] = params.get("PublishBatchRequestEntries") or ()
        _check_entries(entries)
        publications: list[tuple[str, Publication]] = []
        failed: list[Result] = []
        size_bytes = 0
        for entry in entries:
            try:
                publication = build_publication(entry)
                size_bytes += publication.size_bytes
                publications.append((entry["Id"], _within_limit(topic, publication)))
            except AwsError as error:
                failed.append(
                    {
                        "Id": entry["Id"],
                        "Code": error.code,
                        "Message": error.message,
                        "SenderFault": error.fault == "Sender",
                    }
                )
        if size_bytes > topic.settings.message_limit_bytes:
            raise AwsError("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
        for _, publication in publications:
            self._delivery.deliver(topic, publication)
        successful = [{"Id": entry_id, "MessageId": publication.message_id} for entry_id, publication in publications]
        return {"Successful": successful, "Failed": failed}


def _within_limit(topic: Topic, publication: Publication) -> Publication:
    if publication.size_bytes > topic.settings.message_limit_bytes:
        raise invalid("Message too long")
    return publication


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

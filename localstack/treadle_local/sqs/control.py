"""The control plane of SQS: queues, their attributes and their tags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from treadle_local.aws.service import Caller, Params, Result
from treadle_local.clock import Clock
from treadle_local.sqs.attributes import to_attributes, with_attributes
from treadle_local.sqs.errors import (
    invalid_parameter,
    invalid_value,
    missing_parameter,
    purge_in_progress,
    queue_deleted_recently,
    queue_does_not_exist,
    queue_name_exists,
    unknown_attribute,
)
from treadle_local.sqs.paging import page
from treadle_local.sqs.policies import with_permission, without_permission
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.registry import RegisteredQueue, Registry
from treadle_local.sqs.settings import QueueSettings

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9_-]+\.fifo")
_TAGS_LIMIT = 50
_PURGE_INTERVAL_SECONDS = 60
_COUNT_ATTRIBUTES = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_KNOWN_ATTRIBUTES = frozenset(
    {
        *_COUNT_ATTRIBUTES,
        *("QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "Policy", "RedrivePolicy", "RedriveAllowPolicy"),
        *("VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "DelaySeconds"),
        *("ReceiveMessageWaitTimeSeconds", "SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"),
        *("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit", "All"),
    }
)


class QueueOperations:
    """The operations on queues as a whole; each takes and returns AWS's shapes.

    Tags that begin with `aws:` are taken, since the stack engine sets them through this door too. Its queues may be
    created anew at once after they were deleted: CloudFormation tries until SQS lets it, for 60 seconds.
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    def create_queue(self, params: Params, caller: Caller) -> Result:
        """Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html"""
        name: str = params.get("QueueName") or ""
        attributes: Mapping[str, str] = params.get("Attributes") or {}
        fifo = attributes.get("FifoQueue", "").lower() == "true"
        _check_name(name, fifo)
        existing = self._registry.named(name)
        if existing is not None:
            _check_same(existing.queue.settings, attributes)
            return {"QueueUrl": self._registry.url(name)}
        tags = dict[str, str]()
        _add_tags(tags, params.get("tags") or {}, name)
        if self._registry.rests(name, self._clock.now()) and not _is_of_a_stack(tags):
            raise queue_deleted_recently()
        settings = with_attributes(QueueSettings(fifo=fifo), attributes)
        arn = self._registry.arn(name)
        self._check_redrive(settings, arn)
        queue = Queue(arn, settings, self._clock, self._registry.resolve)
        self._registry.add(RegisteredQueue(queue, tags, self._clock.now()))
        return {"QueueUrl": self._registry.url(name)}

    def delete_queue(self, params: Params, caller: Caller) -> Result:
        registered = self._at(params)
        self._registry.remove(registered, self._clock.now())
        registered.queue.close()
        return {}

    def get_queue_url(self, params: Params, caller: Caller) -> Result:
        name: str = params.get("QueueName") or ""
        owner = params.get("QueueOwnerAWSAccountId") or self._registry.region.account
        if owner != self._registry.region.account or self._registry.named(name) is None:
            raise queue_does_not_exist()
        return {"QueueUrl": self._registry.url(name)}

    def list_queues(self, params: Params, caller: Caller) -> Result:
        prefix: str = params.get("QueueNamePrefix") or ""
        names = [registered.queue.name for registered in self._registry if registered.queue.name.startswith(prefix)]
        return self._page_of_urls("QueueUrls", names, params)

    def list_dead_letter_source_queues(self, params: Params, caller: Caller) -> Result:
        arn = self._at(params).queue.arn
        names = [
            registered.queue.name
            for registered in self._registry
            if (redrive := registered.queue.settings.redrive) and redrive.dead_letter_arn == arn
        ]
        return {"queueUrls": [], **self._page_of_urls("queueUrls", names, params)}

    def get_queue_attributes(self, params: Params, caller: Caller) -> Result:
        registered = self._at(params)
        names: Sequence[str] = params.get("AttributeNames") or ()
        for name in names:
            if name not in _KNOWN_ATTRIBUTES:
                raise unknown_attribute(name)
        if not names:
            return {}
        queue = registered.queue
        counts = queue.counts()
        found = to_attributes(queue.settings)
        found["QueueArn"] = queue.arn
        found["CreatedTimestamp"] = str(int(registered.created_at))
        found["LastModifiedTimestamp"] = str(int(registered.modified_at))
        found |= zip(_COUNT_ATTRIBUTES, map(str, (counts.visible, counts.in_flight, counts.delayed)), strict=True)
        if "All" not in names:
            found = {name: found[name] for name in names if name in found}
        return {"Attributes": found} if found else {}

    def set_queue_attributes(self, params: Params, caller: Caller) -> Result:
        registered = self._at(params)
        queue = registered.queue
        settings = with_attributes(queue.settings, params.get("Attributes") or {})
        if settings.redrive != queue.settings.redrive:
            self._check_redrive(settings, queue.arn)
        queue.apply(settings)
        registered.modified_at = self._clock.now()
        return {}

    def purge_queue(self, params: Params, caller: Caller) -> Result:
        registered = self._at(params)
        now = self._clock.now()
        if registered.purged_at is not None and now - registered.purged_at < _PURGE_INTERVAL_SECONDS:
            raise purge_in_progress(registered.queue.name)
        registered.purged_at = now
        registered.queue.purge()
        return {}

    def add_permission(self, params: Params, caller: Caller) -> Result:
        registered = self._at(params)
        queue = registered.queue
        policy = with_permission(
            queue.settings.policy,
            queue.arn,
            params.get("Label") or "",
            params.get("AWSAccountIds") or (),
            params.get("Actions") or (),
        )
        queue.apply(replace(queue.settings, policy=policy))
        registered.modified_at = self._clock.now()
        return {}

    def remove_permission(self, params: Params, caller: Caller) -> Result:
        registered = self._at(params)
        queue = registered.queue
        policy = without_permission(queue.settings.policy, params.get("Label") or "")
        queue.apply(replace(queue.settings, policy=policy))
        registered.modified_at = self._clock.now()
        return {}

    def tag_queue(self, params: Params, caller: Caller) -> Result:
        registered = self._at(params)
        _add_tags(registered.tags, params.get("Tags") or {}, registered.queue.name)
        return {}

    def untag_queue(self, params: Params, caller: Caller) -> Result:
        registered = self._at(params)
        for key in params.get("TagKeys") or ():
            registered.tags.pop(key, None)
        return {}

    def list_queue_tags(self, params: Params, caller: Caller) -> Result:
        tags = self._at(params).tags
        return {"Tags": dict(tags)} if tags else {}

    def _at(self, params: Params) -> RegisteredQueue:
        url = params.get("QueueUrl")
        if not url:
            raise missing_parameter("QueueUrl")
        return self._registry.at(url)

    def _page_of_urls(self, member: str, names: Sequence[str], params: Params) -> Result:
        some, token = page(names, params.get("MaxResults"), params.get("NextToken"))
        result: Result = {member: [self._registry.url(name) for name in some]} if some else {}
        if token:
            result["NextToken"] = token
        return result

    def _check_redrive(self, settings: QueueSettings, source_arn: str) -> None:
        redrive = settings.redrive
        if redrive is None:
            return
        target = self._registry.resolve(redrive.dead_letter_arn)
        if target is None:
            raise invalid_parameter(redrive.text, "RedrivePolicy", "Dead letter target does not exist.")
        if target.settings.fifo != settings.fifo:
            # the two periods are AWS's
            raise invalid_parameter(
                redrive.text, "RedrivePolicy", "Dead-letter queue must be same type of queue as the source.."
            )
        allow = target.settings.redrive_allow
        if allow is not None and not allow.permits(source_arn):
            raise invalid_parameter(
                redrive.text, "RedrivePolicy", "The dead letter target does not allow this queue as a source."
            )


def _check_name(name: str, fifo: bool) -> None:
    if fifo and not _FIFO_NAME.fullmatch(name):
        raise invalid_value(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
            "must end with .fifo suffix and be 1 to 80 in length."
        )
    if not fifo and not _NAME.fullmatch(name):
        raise invalid_value("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")


def _check_same(settings: QueueSettings, attributes: Mapping[str, str]) -> None:
    """Raises `QueueNameExists` for the first attribute that the existing queue has otherwise."""
    for name, value in attributes.items():
        if with_attributes(settings, {name: value}) != settings:
            raise queue_name_exists(name)


def _is_of_a_stack(tags: Mapping[str, str]) -> bool:
    return "aws:cloudformation:stack-id" in tags


def _add_tags(tags: dict[str, str], added: Mapping[str, str], queue_name: str) -> None:
    for key, value in added.items():
        if not 1 <= len(key) <= 128:
            raise invalid_value("Tag keys must be between 1 and 128 characters in length.")
        if len(value) > 256:
            raise invalid_value("Tag values must be between 0 and 256 characters in length.")
    if len(tags | dict(added)) > _TAGS_LIMIT:
        raise invalid_value(f"Too many tags added for queue {queue_name}.")
    tags.update(added)

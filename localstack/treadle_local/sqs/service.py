"""Amazon SQS in the emulator: operations by name, and what each needs to be allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.sqs.control import QueueOperations
from treadle_local.sqs.errors import not_in_the_emulator
from treadle_local.sqs.exchange import MessageOperations
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.registry import Registry, split_url

Handler = Callable[[Params, Caller], Result | Awaitable[Result]]

_NOT_BUILT = frozenset(
    {"AddPermission", "RemovePermission", "StartMessageMoveTask", "CancelMessageMoveTask", "ListMessageMoveTasks"}
)
_ACTIONS_OF_BATCHES = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}


class Sqs:
    """The SQS service of one region: standard queues. FIFO queues are refused by name."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self._registry = Registry(region)
        queues = QueueOperations(self._registry, clock)
        messages = MessageOperations(self._registry, clock)
        self._handlers: Mapping[str, Handler] = {
            "SendMessage": messages.send_message,
            "SendMessageBatch": messages.send_message_batch,
            "ReceiveMessage": messages.receive_message,
            "DeleteMessage": messages.delete_message,
            "DeleteMessageBatch": messages.delete_message_batch,
            "ChangeMessageVisibility": messages.change_message_visibility,
            "ChangeMessageVisibilityBatch": messages.change_message_visibility_batch,
            "CreateQueue": queues.create_queue,
            "DeleteQueue": queues.delete_queue,
            "GetQueueUrl": queues.get_queue_url,
            "ListQueues": queues.list_queues,
            "ListDeadLetterSourceQueues": queues.list_dead_letter_source_queues,
            "GetQueueAttributes": queues.get_queue_attributes,
            "SetQueueAttributes": queues.set_queue_attributes,
            "PurgeQueue": queues.purge_queue,
            "TagQueue": queues.tag_queue,
            "UntagQueue": queues.untag_queue,
            "ListQueueTags": queues.list_queue_tags,
        }

    @property
    def base_url(self) -> str:
        """Where the emulator's AWS endpoint answers; queue URLs begin with it."""
        return self._registry.base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._registry.base_url = url.rstrip("/")

    def resolve(self, arn: str) -> Queue | None:
        """The queue with this ARN, if it is there."""
        return self._registry.resolve(arn)

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        """Does the operation; answers at once, except for a receive that waits for messages."""
        handler = self._handlers.get(operation)
        if handler is None:
            if operation in _NOT_BUILT:
                raise not_in_the_emulator(f"{operation} is")
            raise AwsError("UnknownOperationException", f"The operation {operation} is not one of Amazon SQS.")
        return handler(params, caller)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """The action on the queue; the batches need the action of their single form.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
        """
        url = params.get("QueueUrl")
        name = params.get("QueueName")
        return _targets(self._registry.region, operation, str(url) if url else None, str(name) if name else None)


@lru_cache(maxsize=4096)
def _targets(region: Region, operation: str, url: str | None, name: str | None) -> tuple[Target, ...]:
    action = f"sqs:{_ACTIONS_OF_BATCHES.get(operation, operation)}"
    if url is not None:
        name = split_url(url)[1]
    return (Target(action, region.arn("sqs", name) if name else "*"),)

"""Amazon SQS in the emulator: operations by name, and what each needs to be allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.sqs.attributes import to_attributes
from treadle_local.sqs.control import QueueOperations
from treadle_local.sqs.exchange import MessageOperations
from treadle_local.sqs.keeping import KeptMove
from treadle_local.sqs.moves import MessageMoves, source_of_handle
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.registry import Registry, split_url

Handler = Callable[[Params, Caller], Result | Awaitable[Result]]

_ACTIONS_OF_MOVES = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_ACTIONS_OF_BATCHES = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}


class Sqs:
    """The SQS service of one region: standard and FIFO queues."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self._registry = Registry(region)
        queues = QueueOperations(self._registry, clock)
        messages = MessageOperations(self._registry, clock)
        moves = self._moves = MessageMoves(self._registry, clock)
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
            "AddPermission": queues.add_permission,
            "RemovePermission": queues.remove_permission,
            "StartMessageMoveTask": moves.start_message_move_task,
            "ListMessageMoveTasks": moves.list_message_move_tasks,
            "CancelMessageMoveTask": moves.cancel_message_move_task,
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

    def on_queue(self, callback: Callable[[Queue], None]) -> None:
        """Calls back with each queue that is made."""
        self._registry.on_queue.append(callback)

    def restore_move(self, source: Queue, move: KeptMove) -> None:
        """Takes over a move task that was kept; `all_queues_are_there` has it go on."""
        self._moves.restore(source, move)

    def all_queues_are_there(self) -> None:
        """Is told once, when all queues are there that outlive the process."""
        self._moves.go_on()

    def calls_that_make(self, name: str) -> Sequence[tuple[str, Params]]:
        """The operations that make a queue as it is now; empty where there is none of that name.

        What names another queue comes last: the two may name each other.
        """
        registered = self._registry.named(name)
        if registered is None:
            return ()
        attributes = to_attributes(registered.queue.settings)
        redrive = attributes.pop("RedrivePolicy", None)
        make = "CreateQueue", {"QueueName": name, "Attributes": attributes, "tags": registered.tags}
        if redrive is None:
            return (make,)
        changes = {"QueueUrl": self._registry.url(name), "Attributes": {"RedrivePolicy": redrive}}
        return make, ("SetQueueAttributes", changes)

    def resolve(self, arn: str) -> Queue | None:
        """The queue with this ARN, if it is there."""
        return self._registry.resolve(arn)

    def policy_of(self, arn: str) -> Mapping[str, Any] | None:
        """The policy of a queue."""
        queue = self._registry.resolve(arn)
        policy = None if queue is None else queue.settings.policy
        return None if policy is None else policy.document

    def tags_of(self, arn: str) -> Mapping[str, str]:
        """The tags of a queue."""
        queue = self._registry.resolve(arn)
        registered = None if queue is None else self._registry.named(queue.name)
        return {} if registered is None else registered.tags

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        """Does the operation; answers at once, except for a receive that waits for messages."""
        handler = self._handlers.get(operation)
        if handler is None:
            raise AwsError("UnknownOperationException", f"The operation {operation} is not one of Amazon SQS.")
        return handler(params, caller)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """The action on the queue; the batches need the action of their single form.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
        """
        if operation.endswith(("MessageMoveTask", "MessageMoveTasks")):
            return _move_targets(operation, params)
        url = params.get("QueueUrl")
        name = params.get("QueueName")
        return _targets(self._registry.region, operation, str(url) if url else None, str(name) if name else None)


def _move_targets(operation: str, params: Params) -> tuple[Target, ...]:
    """What a caller needs to move messages: to take them from one queue and to send them to the other.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
    """
    source = params.get("SourceArn") or source_of_handle(params.get("TaskHandle") or "") or "*"
    own = Target(f"sqs:{operation}", str(source))
    if operation != "StartMessageMoveTask":
        return (own,)
    taking = (Target(f"sqs:{action}", str(source)) for action in _ACTIONS_OF_MOVES)
    destination = params.get("DestinationArn")
    return (own, *taking, *([Target("sqs:SendMessage", str(destination))] if destination else ()))


@lru_cache(maxsize=4096)
def _targets(region: Region, operation: str, url: str | None, name: str | None) -> tuple[Target, ...]:
    action = f"sqs:{_ACTIONS_OF_BATCHES.get(operation, operation)}"
    if url is not None:
        name = split_url(url)[1]
    return (Target(action, region.arn("sqs", name) if name else "*"),)

"""Hands the changes of tables on to the steps that have triggers on them, through the queues of those steps.

A change that has been handed on to one step and not to another comes again, and is then not handed on twice by the same
process; another process may do so: like every message, a change comes at least once.
"""

from __future__ import annotations

import json

from treadle.changes.outbox import MESSAGE_BYTES_LIMIT, NotTaken, Outgoing, send_all
from treadle.changes.records import ChangeRecord
from treadle.errors import AwsCallError, TreadleError, UnroutableEvent
from treadle.live.dead_letter import put_aside
from treadle.live.process import SystemProcess, handler_of
from treadle.logger import Logger
from treadle.manifest import table_trigger
from treadle.message import change_attribute, transportable
from treadle.names import CHANGES
from treadle.trace import trace_of_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.changes.records import Change
    from treadle.manifest import TableTrigger
    from treadle.resources import Resources
    from treadle.shapes import Event, LambdaContext, LambdaHandler

SYSTEM = "changes"
_REMEMBERED = 10_000
_NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class ChangeTooLarge(TreadleError):  # noqa: N818 - stands in dead-lettered messages
    """A change with its old and its new value does not fit into a message."""

    code = "change-too-large"


def start(process: SystemProcess | None = None) -> LambdaHandler:
    """The handler that Lambda calls for each batch.

    Raises: ManifestError.
    """
    started = process or SystemProcess(SYSTEM)
    return handler_of(started, _FanOut(started).serve)


class _Reaction:
    """A step that is triggered by changes, with the trigger."""

    __slots__ = ("is_fifo", "step", "trigger")

    def __init__(self, document: dict[str, Any]) -> None:
        self.step: str = document["step"]
        self.is_fifo: bool = document["fifo"]
        self.trigger: TableTrigger = table_trigger(document, "treadle/system.json")


class _FanOut:
    """What lives as long as the process: who is triggered by what, and what has been handed on."""

    __slots__ = ("_process", "_reactions", "_sent")

    def __init__(self, process: SystemProcess) -> None:
        self._process = process
        self._reactions = [_Reaction(document) for document in process.slice.triggers]
        self._sent: dict[str, None] = {}

    def serve(self, event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
        """`{"batchItemFailures": [...]}`: the first record that is to come again, and all behind it with it.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
        """
        events: list[Event] = event.get("Records") or []
        if not events or any(record.get("eventSource") != "aws:dynamodb" for record in events):
            raise UnroutableEvent("this function takes the changes of tables, and nothing else")
        records = [ChangeRecord(record) for record in events]
        batch = _Batch(self._process.resources(lambda_context), lambda_context.aws_request_id)
        messages = self._messages(records, batch)
        send_all(batch.resources.client, messages)
        for message in messages:
            if message.error is None:
                self._sent[message.name] = None
            else:
                batch.failed(message.number, records[message.number], message.error)
        for name in list(self._sent)[: max(0, len(self._sent) - _REMEMBERED)]:
            del self._sent[name]
        if batch.stopped is None:
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": records[batch.stopped].sequence_number}]}

    def _messages(self, records: list[ChangeRecord], batch: _Batch) -> list[Outgoing]:
        """What is to be sent: a message for each change and each trigger on it, without what has been sent before."""
        tables: dict[str, str | None] = {batch.resources.names.state_table(): None}
        tables.update((batch.resources.names.stream_table(stream), stream) for stream in self._process.slice.streams)
        messages: list[Outgoing] = []
        for number, record in enumerate(records):
            try:
                change = record.change(tables)
                found = [] if change is None else self._of(number, record, change, batch.resources)
            except TreadleError as error:
                batch.failed(number, record, error)
                continue
            messages += (message for message in found if message.name not in self._sent)
        return messages

    def _of(self, number: int, record: ChangeRecord, change: Change, resources: Resources) -> list[Outgoing]:
        messages: list[Outgoing] = []
        reactions = [reaction for reaction in self._reactions if change.fits(reaction.trigger)]
        body = transportable(_encode(change.payload())) if reactions else ""
        for reaction in reactions:
            key = reaction.trigger.key
            attribute = change_attribute(record.written_by, key, record.event_id)
            name = f"{record.event_id} {reaction.step} {key}"
            place = _place(change, name) if reaction.is_fifo else None
            queue = resources.queue_url(resources.names.queue(reaction.step, fifo=reaction.is_fifo))
            message = Outgoing(number, name, queue, body, attribute, place)
            if message.size > MESSAGE_BYTES_LIMIT:
                raise ChangeTooLarge(
                    f"the change of `{change.key}` in group `{change.group}` has {message.size:,} bytes with the old "
                    f"and the new value; a queue takes {MESSAGE_BYTES_LIMIT:,}"
                )
            messages.append(message)
        return messages


class _Batch:
    """One invocation's changes. `stopped` is the number of the first that is to come again."""

    __slots__ = ("_aside", "_request_id", "resources", "stopped")

    def __init__(self, resources: Resources, request_id: str) -> None:
        self.resources = resources
        self._request_id = request_id
        self._aside: set[int] = set()
        self.stopped: int | None = None

    def failed(self, number: int, record: ChangeRecord, error: Exception) -> None:
        """Puts aside a change that can never be handed on; all others come again."""
        trace_id = trace_of_text(record.written_by).trace_id
        logger = Logger(trace_id=trace_id, step=CHANGES, flows=(), request_id=self._request_id)
        if _is_final(error):
            if number in self._aside:
                return
            logger.failure("A change could not be handed on; it is dead-lettered", error)
            try:
                put_aside(self.resources, record.event, error, trace_id, CHANGES)
            except Exception as failure:
                logger.failure("The change could not be dead-lettered; it comes again", failure)
            else:
                self._aside.add(number)
                return
        else:
            logger.failure("A change could not be handed on; it comes again", error)
        self.stopped = number if self.stopped is None else min(self.stopped, number)


def _is_final(error: Exception) -> bool:
    """Whether the next attempt would end alike: a queue that is not there belongs to a step that is not there."""
    if isinstance(error, AwsCallError):
        return error.aws_code in _NO_QUEUE
    return isinstance(error, TreadleError) or (isinstance(error, NotTaken) and error.is_final)


def _place(change: Change, name: str) -> tuple[str, str]:
    """The group and the de-duplication id in a FIFO queue: the changes of one value come in their order."""
    import hashlib

    group = json.dumps([change.stream, change.group, change.key])
    return hashlib.sha256(group.encode()).hexdigest(), hashlib.sha256(name.encode()).hexdigest()

"""Event source mappings at work: queues polled in batches, functions invoked with them, what succeeded deleted.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html, .../services-sqs-errorhandling.html
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.identity import Identity
from treadle_local.aws.service import Caller, Region, Target
from treadle_local.clock import Clock
from treadle_local.functions.batch_failures import failures
from treadle_local.functions.event_filters import compile_filters
from treadle_local.functions.model import EventSourceMapping, InvokeRequest
from treadle_local.functions.service import LambdaService
from treadle_local.ids import new_uuid
from treadle_local.json_bytes import json_bytes
from treadle_local.sqs.message import ReceivedMessage
from treadle_local.sqs.queue import Queue

CONCURRENT_BATCHES = 5
"""How many batches a mapping has under way: what Lambda begins with for a standard queue."""
_LONG_POLL_SECONDS = 20
_LINGER_SECONDS = 0.002
"""What a batch that is not full waits for more, so that the step that sends is done before the next one takes its
place on the processor. On AWS what is sent is there after some milliseconds too.
"""
_PAUSE_AFTER_REFUSAL_SECONDS = 5.0
_QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What the execution role must allow, or Lambda cannot poll.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch that a function has worked on, for whoever watches. `failed` counts records that will come again.

    `source_arn` is the queue's or the table stream's.
    """

    function: str
    source_arn: str
    size: int
    failed: int
    request_id: str
    problem: str | None = None


class Pollers:
    """One poller per enabled mapping. `refresh` makes them match the mappings; `close` ends all."""

    def __init__(
        self,
        region: Region,
        clock: Clock,
        identity: Identity,
        functions: LambdaService,
        queue: Callable[[str], Queue | None],
        on_batch: Callable[[Batch], None],
    ) -> None:
        self._region = region
        self._clock = clock
        self._identity = identity
        self._functions = functions
        self._queue = queue
        self._on_batch = on_batch
        self._pollers: dict[str, _Poller] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def refresh(self) -> None:
        """Starts, replaces and ends pollers so that each enabled mapping has one with its present settings."""
        queues = (mapping for mapping in self._functions.mappings() if mapping.stream is None)
        wanted = {mapping.uuid: mapping for mapping in queues if mapping.enabled}
        for identifier, poller in tuple(self._pollers.items()):
            if wanted.get(identifier) != poller.mapping:
                self._end(poller)
                del self._pollers[identifier]
        for identifier, mapping in wanted.items():
            if identifier not in self._pollers and self.queue(mapping) is not None:
                self._pollers[identifier] = _Poller(self, mapping)

    def polled(self) -> frozenset[str]:
        """The ARNs of the queues that are being polled now."""
        return frozenset(poller.mapping.source_arn for poller in self._pollers.values() if poller.is_running())

    def quiet(self) -> bool:
        """Whether no batch is under way and no message is there to be received but by those who wait for the clock."""
        return not self._ending and all(poller.is_quiet() for poller in self._pollers.values())

    def queue(self, mapping: EventSourceMapping) -> Queue | None:
        """The queue that a mapping names, as it is now; None where it was deleted."""
        return self._queue(mapping.source_arn)

    def now(self) -> float:
        return self._clock.now()

    async def pause(self) -> None:
        """Returns when what was refused may be tried again."""
        await self._clock.sleep(_PAUSE_AFTER_REFUSAL_SECONDS)

    def _end(self, poller: _Poller) -> None:
        ending = asyncio.get_running_loop().create_task(poller.finish())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Ends all; batches under way are given up: their messages come again."""
        pollers, self._pollers = list(self._pollers.values()), {}
        ending = tuple(self._ending)
        for task in ending:
            task.cancel()
        await asyncio.gather(*(poller.give_up() for poller in pollers), *ending, return_exceptions=True)

    # one batch

    async def wait_for_permission(self, mapping: EventSourceMapping) -> None:
        """Returns when the function's role may use the queue; a refusal is reported each time it is tried."""
        while True:
            try:
                version, _ = self._functions.resolve(mapping.function_arn, None)
                caller = Caller(role=version.role_arn.rsplit("/", 1)[-1], session=version.name)
                targets = [Target(action, mapping.source_arn) for action in _QUEUE_ACTIONS]
                self._identity.authorize(caller, targets)
            except AwsError:  # refused, or the function is gone: its mapping outlives it, as on AWS
                await self.pause()
            else:
                return

    def wanted(self, mapping: EventSourceMapping, queue: Queue, message: ReceivedMessage) -> bool:
        """Whether the message is for the function; one that the mapping filters out is deleted from the queue.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-sqs
        """
        if not mapping.filters:
            return True
        record = _record(message, mapping.source_arn, self._region)
        passes = compile_filters(mapping.filters).pass_message(record)
        if not passes and not queue.closed:
            _delete(queue, message)
        return passes

    async def work(self, mapping: EventSourceMapping, queue: Queue, messages: Sequence[ReceivedMessage]) -> None:
        """Invokes the function with a batch and deletes from the queue what it does not report as failed.

        A batch from a FIFO queue may have messages of several groups, each group's in order. What failed keeps its
        group from coming until it comes again itself, since the queue gives out none of a group that is in flight.
        Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html (FIFO queues)
        """
        request_id = new_uuid()
        payload = sqs_event(messages, mapping.source_arn, self._region)
        try:
            version, invoked_arn = self._functions.resolve(mapping.function_arn, None)
            request = InvokeRequest("RequestResponse", request_id, invoked_arn)
            outcome = await self._functions.run(version, payload, request)
            failed, problem = failures(mapping, [message.message.message_id for message in messages], outcome)
        except AwsError as refusal:
            failed, problem = {message.message.message_id for message in messages}, refusal.message
        for message in messages:
            if message.message.message_id not in failed and not queue.closed:
                _delete(queue, message)
        function = mapping.function_arn.split(":")[6]
        self._on_batch(Batch(function, mapping.source_arn, len(messages), len(failed), request_id, problem))


class _Poller:
    """The loop of one mapping. A queue that is deleted and made again under its name is polled again."""

    def __init__(self, pollers: Pollers, mapping: EventSourceMapping) -> None:
        self.mapping = mapping
        self._pollers = pollers
        self._slots = asyncio.Semaphore(mapping.maximum_concurrency or CONCURRENT_BATCHES)
        self._batches: set[asyncio.Task[None]] = set()
        self._waits_for_clock = False
        self._lingers = False
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._ended)

    def is_running(self) -> bool:
        return not self._task.done()

    def is_quiet(self) -> bool:
        """Whether nothing happens here until a message comes or the clock is turned."""
        queue = None if self._waits_for_clock else self._pollers.queue(self.mapping)
        return not self._batches and not self._lingers and (queue is None or not queue.has_receivable())

    async def finish(self) -> None:
        """Polls no more; returns when the batches under way are done. Cancelled, it gives them up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            while self._batches:
                await asyncio.wait(self._batches)
        except asyncio.CancelledError:
            await self.give_up()
            raise

    async def give_up(self) -> None:
        """Polls no more and leaves the batches under way; their messages come again."""
        for task in (self._task, *self._batches):
            task.cancel()
        await asyncio.gather(self._task, *self._batches, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._waits_for_clock = True
            await self._pollers.wait_for_permission(self.mapping)
            queue = self._pollers.queue(self.mapping)
            if queue is None:
                await self._pollers.pause()
                continue
            self._waits_for_clock = False
            await self._slots.acquire()
            messages: Sequence[ReceivedMessage] = ()
            try:
                messages = await self._receive(queue)
            except AwsError:  # the queue was deleted while we waited
                continue
            finally:
                if not messages:
                    self._slots.release()
            if messages:
                self._work(queue, messages)

    async def _receive(self, queue: Queue) -> Sequence[ReceivedMessage]:
        """A batch: what is there, or what comes within the mapping's window after the first message.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html (batching window)
        """
        messages = await self._receive_wanted(queue, self.mapping.batch_size, _LONG_POLL_SECONDS)
        if 0 < len(messages) < self.mapping.batch_size:
            await self._linger(queue, messages)
        end = self._pollers.now() + self.mapping.window_seconds
        while messages and len(messages) < self.mapping.batch_size and (left := end - self._pollers.now()) > 0:
            try:
                messages += await self._receive_wanted(queue, self.mapping.batch_size - len(messages), left)
            except asyncio.CancelledError:
                self._work(queue, messages)
                raise
            except AwsError:
                break
        return messages

    async def _linger(self, queue: Queue, messages: list[ReceivedMessage]) -> None:
        """Lets whoever sent the first message end what it is doing, and takes what has come meanwhile."""
        self._lingers = True
        try:
            await asyncio.sleep(_LINGER_SECONDS)
            with contextlib.suppress(AwsError):  # the queue was deleted while we waited
                messages += await self._receive_wanted(queue, self.mapping.batch_size - len(messages), 0)
        except asyncio.CancelledError:
            self._work(queue, messages)
            raise
        finally:
            self._lingers = False

    async def _receive_wanted(self, queue: Queue, most: int, wait_seconds: float) -> list[ReceivedMessage]:
        received = await queue.receive(most, wait_seconds, None)
        return [message for message in received if self._pollers.wanted(self.mapping, queue, message)]

    def _work(self, queue: Queue, messages: Sequence[ReceivedMessage]) -> None:
        batch = asyncio.get_running_loop().create_task(self._pollers.work(self.mapping, queue, messages))
        self._batches.add(batch)
        batch.add_done_callback(self._done)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a queue is polled no more", "exception": task.exception(), "task": task}
            )

    def _done(self, batch: asyncio.Task[None]) -> None:
        self._batches.discard(batch)
        self._slots.release()
        if not batch.cancelled() and batch.exception() is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a batch was not worked on to its end", "exception": batch.exception(), "task": batch}
            )


def _delete(queue: Queue, message: ReceivedMessage) -> None:
    """Deletes a message, unless it is in a FIFO queue and visible again by now: then it will come again."""
    with contextlib.suppress(AwsError):
        queue.delete(message.receipt)


def sqs_event(messages: Sequence[ReceivedMessage], queue_arn: str, region: Region) -> bytes:
    """The event of a batch. Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    records = [_record(received, queue_arn, region) for received in messages]
    return json_bytes({"Records": records})


def _record(received: ReceivedMessage, queue_arn: str, region: Region) -> dict[str, Any]:
    message = received.message
    attributes = {
        "ApproximateReceiveCount": str(received.receive_count),
        "SentTimestamp": str(int(message.sent_at * 1000)),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(int(received.first_received_at * 1000)),
    }
    if message.trace_header is not None:
        attributes["AWSTraceHeader"] = message.trace_header
    if message.group_id is not None:
        attributes["MessageGroupId"] = message.group_id
    if message.deduplication_id is not None:
        attributes["MessageDeduplicationId"] = message.deduplication_id
    if received.sequence_number is not None:
        attributes["SequenceNumber"] = received.sequence_number
    if received.dead_letter_source_arn is not None:
        attributes["DeadLetterQueueSourceArn"] = received.dead_letter_source_arn
    record: dict[str, Any] = {
        "messageId": message.message_id,
        "receiptHandle": received.receipt,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {name: _attribute(value) for name, value in message.attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region.name,
    }
    if message.attributes_md5:
        record["md5OfMessageAttributes"] = message.attributes_md5
    return record


def _attribute(attribute: Any) -> dict[str, Any]:
    value = attribute.value
    shape: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": attribute.data_type}
    if isinstance(value, bytes):
        return {"binaryValue": base64.b64encode(value).decode("ascii"), **shape}
    return {"stringValue": value, **shape}

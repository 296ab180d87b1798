"""The data plane of SQS as operations: messages in and out, one by one and in batches."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Result
from treadle_local.clock import Clock
from treadle_local.sqs.contents import build_message, check_token
from treadle_local.sqs.errors import (
    batch_too_long,
    empty_batch,
    entry_ids_not_distinct,
    invalid_entry_id,
    invalid_parameter,
    invalid_value,
    message_too_long,
    missing_parameter,
    no_deduplication,
    too_many_entries,
    too_many_in_flight,
    wrong_queue_type,
    wrong_type,
)
from treadle_local.sqs.message import Message, MessageAttribute, ReceivedMessage, Sent, attributes_md5
from treadle_local.sqs.queue import VISIBILITY_LIMIT_SECONDS, Queue
from treadle_local.sqs.registry import Registry
from treadle_local.sqs.rendering import Selection, render, selection
from treadle_local.sqs.settings import MAXIMUM_MESSAGE_BYTES

_BATCH_LIMIT = 10
_DELAY_LIMIT_SECONDS = 900
_WAIT_LIMIT_SECONDS = 20
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class MessageOperations:
    """The operations on messages; each takes and returns AWS's shapes.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    def send_message(self, params: Params, caller: Caller) -> Result:
        queue = self._queue(params)
        message, size_bytes = build_message(params, self._clock.now(), sender_id(caller))
        delay_seconds = _check_message(queue, params, size_bytes)
        return _with_ids(_digests(message), queue.send(message, delay_seconds))

    def send_message_batch(self, params: Params, caller: Caller) -> Result:
        queue = self._queue(params)
        now, sender = self._clock.now(), sender_id(caller)
        accepted: list[tuple[Message, int | None]] = []
        answers: list[Result] = []
        sizes_bytes: list[int] = []

        def send(entry: Params) -> Result:
            message, size_bytes = build_message(entry, now, sender)
            sizes_bytes.append(size_bytes)
            delay_seconds = _check_message(queue, entry, size_bytes)
            accepted.append((queue.admit(message), delay_seconds))
            answers.append(_digests(message))
            return answers[-1]

        entries = _entries(params, "SendMessageBatchRequestEntry")
        if queue.settings.fifo:
            _check_fifo_entries(queue, entries)
        result = _each(entries, send)
        if sum(sizes_bytes) > MAXIMUM_MESSAGE_BYTES:
            raise batch_too_long(MAXIMUM_MESSAGE_BYTES, sum(sizes_bytes))
        for answer, sent in zip(answers, queue.send_all(accepted), strict=True):
            _with_ids(answer, sent)
        return result

    def receive_message(self, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        queue = self._queue(params)
        most = _integer(params, "MaxNumberOfMessages", 1)
        if not 1 <= most <= _BATCH_LIMIT:
            raise invalid_parameter(most, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
        wait_seconds = _integer(params, "WaitTimeSeconds", queue.settings.receive_wait_seconds)
        if not 0 <= wait_seconds <= _WAIT_LIMIT_SECONDS:
            raise invalid_parameter(wait_seconds, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
        timeout_seconds = _visibility_timeout(params)
        attempt_id = check_token(params, "ReceiveRequestAttemptId")
        if attempt_id is not None and not queue.settings.fifo:
            raise wrong_queue_type(attempt_id, "ReceiveRequestAttemptId")
        chosen = selection(
            tuple(params.get("AttributeNames") or ()) + tuple(params.get("MessageSystemAttributeNames") or ()),
            tuple(params.get("MessageAttributeNames") or ()),
        )
        messages = queue.receive_now(most, timeout_seconds, attempt_id)
        if messages:
            return _received(messages, chosen)
        if wait_seconds:
            return _wait(queue, most, wait_seconds, timeout_seconds, attempt_id, chosen)
        if queue.in_flight_limit_reached and not queue.settings.fifo:
            raise too_many_in_flight()
        return {}

    def delete_message(self, params: Params, caller: Caller) -> Result:
        self._queue(params).delete(_receipt(params))
        return {}

    def delete_message_batch(self, params: Params, caller: Caller) -> Result:
        queue = self._queue(params)

        def delete(entry: Params) -> Result:
            queue.delete(_receipt(entry))
            return {}

        return _each(_entries(params, "DeleteMessageBatchRequestEntry"), delete)

    def change_message_visibility(self, params: Params, caller: Caller) -> Result:
        _change_visibility(self._queue(params), params)
        return {}

    def change_message_visibility_batch(self, params: Params, caller: Caller) -> Result:
        queue = self._queue(params)

        def change(entry: Params) -> Result:
            _change_visibility(queue, entry)
            return {}

        return _each(_entries(params, "ChangeMessageVisibilityBatchRequestEntry"), change)

    def _queue(self, params: Params) -> Queue:
        url = params.get("QueueUrl")
        if not url:
            raise missing_parameter("QueueUrl")
        return self._registry.at(url).queue


async def _wait(
    queue: Queue, most: int, wait_seconds: int, timeout_seconds: int | None, attempt_id: str | None, chosen: Selection
) -> Result:
    return _received(await queue.receive(most, wait_seconds, timeout_seconds, attempt_id), chosen)


def sender_id(caller: Caller) -> str:
    """What `SenderId` tells of who sent: the account for its root, else role and session."""
    return caller.arn.split(":")[4] if caller.role is None else f"{caller.role}:{caller.session}"


def _check_message(queue: Queue, params: Params, size_bytes: int) -> int | None:
    """The delay of the message, after its size was found to be within the queue's limit."""
    if size_bytes > queue.settings.maximum_message_bytes:
        raise message_too_long(queue.settings.maximum_message_bytes)
    if params.get("DelaySeconds") is None:
        return None
    delay_seconds = _integer(params, "DelaySeconds", 0)
    if not 0 <= delay_seconds <= _DELAY_LIMIT_SECONDS:
        raise invalid_parameter(delay_seconds, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
    if queue.settings.fifo:
        if delay_seconds:
            raise wrong_queue_type(delay_seconds, "DelaySeconds")
        return None
    return delay_seconds


def _check_fifo_entries(queue: Queue, entries: Sequence[Params]) -> None:
    """Refuses the whole batch for an entry without group or without de-duplication id, as SQS does."""
    for entry in entries:
        if not entry.get("MessageGroupId"):
            raise invalid_value("The request must contain the parameter MessageGroupId.")
        if not entry.get("MessageDeduplicationId") and not queue.settings.content_based_deduplication:
            raise no_deduplication()


def _with_ids(answer: Result, sent: Sent) -> Result:
    answer["MessageId"] = sent.message_id
    if sent.sequence_number is not None:
        answer["SequenceNumber"] = sent.sequence_number
    return answer


def _digests(message: Message) -> Result:
    """The answer to a sender but for the ids that the queue gives."""
    result: Result = {"MD5OfMessageBody": message.body_md5}
    if message.attributes_md5:
        result["MD5OfMessageAttributes"] = message.attributes_md5
    if message.trace_header is not None:
        header = {"AWSTraceHeader": MessageAttribute("String", message.trace_header)}
        result["MD5OfMessageSystemAttributes"] = attributes_md5(header)
    return result


def _received(messages: Sequence[ReceivedMessage], chosen: Selection) -> Result:
    return {"Messages": [render(message, chosen) for message in messages]} if messages else {}


def _receipt(params: Params) -> str:
    receipt = params.get("ReceiptHandle")
    if not receipt:
        raise missing_parameter("ReceiptHandle")
    return str(receipt)


def _integer(params: Params, name: str, default: int) -> int:
    value = params.get(name, default)
    if not isinstance(value, int):
        raise wrong_type(name)
    return value


def _visibility_timeout(params: Params) -> int | None:
    if params.get("VisibilityTimeout") is None:
        return None
    timeout_seconds = _integer(params, "VisibilityTimeout", 0)
    if not 0 <= timeout_seconds <= VISIBILITY_LIMIT_SECONDS:
        raise invalid_parameter(timeout_seconds, "VisibilityTimeout", "Must be between 0 and 43200, if provided.")
    return timeout_seconds


def _change_visibility(queue: Queue, params: Params) -> None:
    timeout_seconds = _visibility_timeout(params)
    if timeout_seconds is None:
        raise missing_parameter("VisibilityTimeout")
    queue.change_visibility(_receipt(params), timeout_seconds)


def _entries(params: Params, entry_name: str) -> Sequence[Params]:
    """The entries of a batch, after what concerns the batch as a whole was found to be right."""
    entries: Sequence[Mapping[str, Any]] = params.get("Entries") or ()
    if not entries:
        raise empty_batch(entry_name)
    if len(entries) > _BATCH_LIMIT:
        raise too_many_entries(len(entries))
    ids: set[str] = set()
    for entry in entries:
        entry_id = entry.get("Id") or ""
        if not _ENTRY_ID.fullmatch(entry_id):
            raise invalid_entry_id()
        if entry_id in ids:
            raise entry_ids_not_distinct(entry_id)
        ids.add(entry_id)
    return entries


def _each(entries: Sequence[Params], do: Callable[[Params], Result]) -> Result:
    """Does every entry of a batch; what fails is reported beside what succeeds, and stops nothing else."""
    successful: list[Result] = []
    failed: list[Result] = []
    for entry in entries:
        try:
            done = do(entry)
            done["Id"] = entry["Id"]
            successful.append(done)
        except AwsError as error:
            failed.append(
                {
                    "Id": entry["Id"],
                    "SenderFault": error.fault == "Sender",
                    "Code": error.query_code or error.code,
                    "Message": error.message,
                }
            )
    return {"Successful": successful, "Failed": failed}

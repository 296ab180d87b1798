"""Serves a batch of messages: each runs the handler by itself, and ends in success, a retry or the dead-letter queue.

The adapter dead-letters itself, with the reason, at the attempt after the last retry. The queue's own redrive comes
later: it is for processes that were killed.
Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from treadle.errors import HopLimitExceeded, InvalidMessage, MalformedMessage
from treadle.invocation import Invocation
from treadle.message import ATTRIBUTE, HOP_LIMIT, Message
from treadle.process import RESERVED_MS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.manifest import Manifest, TableTrigger
    from treadle.process import StepProcess
    from treadle.record import Result
    from treadle.shapes import Event, LambdaContext

MAX_BACKOFF_SECONDS = 900
_ERROR_MESSAGE_LIMIT = 1000
_NOT_RETRIED = (MalformedMessage, InvalidMessage, HopLimitExceeded)


def serve_batch(process: StepProcess, event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
    """`{"batchItemFailures": [...]}`: the messages that stay in the queue. All others are done, or dead-lettered.

    No further message is begun without the handler's whole time for it.
    """
    records: list[Event] = event["Records"]
    staying: list[str] = []
    needed_ms = RESERVED_MS + 1000 * (process.manifest.timeout_seconds or 0)
    for index, record in enumerate(records):
        if index and lambda_context.get_remaining_time_in_millis() < needed_ms:
            staying.extend(left["messageId"] for left in records[index:])
            break
        message = Message(record)
        if _serve(process, message, lambda_context) == "retry":
            staying.append(message.message_id)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in staying]}


def backoff_seconds(manifest: Manifest, attempt: int) -> int:
    """How long a message waits after its attempt number `attempt` (from 1): 2, 4, 8 s, and so on up to 15 minutes."""
    if manifest.has_fixed_backoff:
        return manifest.backoff_seconds
    return int(min(MAX_BACKOFF_SECONDS, manifest.backoff_seconds * 2 ** min(attempt - 1, 16)))


def _serve(process: StepProcess, message: Message, lambda_context: LambdaContext) -> Result:
    limit_seconds = process.handler_seconds(lambda_context)
    change = message.origin.change
    changed = None if change is None else process.manifest.table_triggers.get(change)
    invocation = Invocation(process, lambda_context, _trigger(message, changed), message.origin, limit_seconds)
    try:
        _check_hops(process, message)
        data = message.data()
        if change is None:
            _check_input(process, message, invocation, data)
        invocation.run(data, cause=changed or message.origin.topic)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if invocation.record.error is None:
            invocation.record.fail(error, process.project_root)
        result = _failed(process, message, invocation, error, lambda_context)
    else:
        result = "skipped" if invocation.skipped else "ok"
    invocation.record.write(result)
    return result


def _trigger(message: Message, changed: TableTrigger | None) -> dict[str, object]:
    trigger: dict[str, object] = {"kind": "event", "messageId": message.message_id, "attempt": message.attempt}
    origin = message.origin
    if changed is not None:
        trigger.update(changed.record())
    if origin.topic is not None:
        trigger["topic"] = origin.topic
    if origin.emit_id is not None:
        trigger["emitId"] = origin.emit_id
    if message.sent_ms is not None:
        trigger["sentMs"] = message.sent_ms
    return trigger


def _check_hops(process: StepProcess, message: Message) -> None:
    origin = message.origin
    if origin.hops > HOP_LIMIT:
        path = " -> ".join([*origin.path, process.manifest.step])
        what = "emits and changes" if process.manifest.table_triggers else "emits"
        raise HopLimitExceeded(f"{origin.hops} {what} follow from one request, the limit is {HOP_LIMIT}: ... -> {path}")


def _check_input(process: StepProcess, message: Message, invocation: Invocation, data: object) -> None:
    """Raises InvalidMessage where the step's `input` is enforced and the message does not fit it."""
    schemas = process.manifest.input_schemas
    topic = message.origin.topic
    if topic is None and len(schemas) == 1:  # put into the queue by hand: it can be meant for this topic only
        topic = next(iter(schemas))
    schema = None if topic is None else schemas.get(topic)
    details = [] if schema is None else schema.problems(data)
    if not details:
        return
    if schema is not None and schema.is_enforced:
        reasons = "; ".join(f"{one['path'] or 'the message'} {one['message']}" for one in details)
        raise InvalidMessage(f"the message does not fit `input`: {reasons}")
    invocation.logger.warn(f"a message of {topic} does not fit `input`", {"details": details})


def _failed(
    process: StepProcess, message: Message, invocation: Invocation, error: BaseException, lambda_context: LambdaContext
) -> Result:
    manifest, logger = process.manifest, invocation.logger
    final = isinstance(error, _NOT_RETRIED) or message.attempt > manifest.max_retries
    if final:
        logger.failure(f"{manifest.step} failed at attempt {message.attempt}; the message is dead-lettered", error)
        return _dead_letter(process, message, invocation, error, lambda_context)
    seconds = backoff_seconds(manifest, message.attempt)
    attempts = manifest.max_retries + 1
    logger.failure(f"{manifest.step} failed at attempt {message.attempt} of {attempts}; next in {seconds} s", error)
    from treadle.aws.sqs import change_visibility

    try:
        resources = process.resources(lambda_context)
        queue = resources.queue_url(resources.names.queue(manifest.step, fifo=manifest.is_fifo))
        change_visibility(resources.client, queue, message.receipt_handle, seconds)
    except Exception as failure:
        logger.failure("The wait before the retry could not be set; the queue's visibility timeout holds", failure)
    return "retry"


def _dead_letter(
    process: StepProcess, message: Message, invocation: Invocation, error: BaseException, lambda_context: LambdaContext
) -> Result:
    """Moves the message to the step's dead-letter queue; where that fails it stays, and the queue's redrive is next."""
    from treadle.aws.sqs import attribute_text, send_message

    attributes = {
        "errorType": attribute_text(type(error).__name__),
        "errorMessage": attribute_text(str(error)[:_ERROR_MESSAGE_LIMIT]),
        "traceId": message.origin.trace_id,
        "step": attribute_text(process.manifest.step),
        "attempts": str(message.attempt),
    }
    if message.attribute:
        attributes[ATTRIBUTE] = message.attribute
    try:
        resources = process.resources(lambda_context)
        name = resources.names.dead_letter_queue(process.manifest.step, fifo=process.manifest.is_fifo)
        place = (message.group, message.message_id) if process.manifest.is_fifo else None
        send_message(resources.client, resources.queue_url(name), message.body, attributes, place)
    except Exception as failure:
        invocation.logger.failure("The message could not be dead-lettered; it stays in the queue", failure)
        return "retry"
    return "dead-letter"

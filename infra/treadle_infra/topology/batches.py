"""How many messages a function gets at once, and how long it may then take: every message has the handler's whole time.

Messages of a batch run one after another, so a function whose timeout were the handler's would be killed in the middle
of a batch of slow messages, and those already done would come again.
"""

from __future__ import annotations

from dataclasses import dataclass

from treadle_infra.app.model import HttpTrigger, QueueSettings, Step

LARGEST_BATCH = 10
"""What SQS hands out at once without a batching window.

Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""
HTTP_TIMEOUT_SECONDS = 29
"""One second less than an HTTP API waits, so that the function's own error is the one that is told."""
QUEUE_TIMEOUT_SECONDS = 30
FUNCTION_TIMEOUT_LIMIT_SECONDS = 900
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
SLACK_SECONDS = 5
"""What a batch may need beside its handlers' time: a cold start, retries and dead letters."""
VISIBILITY_PER_HANDLER_TIMEOUT = 6
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of one step. `handler_seconds` is for one request or message, `function_seconds` for a whole batch."""

    handler_seconds: int
    function_seconds: int
    batch_size: int
    visibility_seconds: int


def timing(step: Step, settings: QueueSettings | None) -> Timing:
    """The times of a step with these queue settings (None: without a queue).

    A step that asks for more time than the default gets its messages one at a time, so that they run beside each other
    in as many environments as it takes. So does one with a FIFO queue: in a batch, a message would count the failures
    of those before it as attempts of its own.
    """
    answers_http = any(isinstance(trigger, HttpTrigger) for trigger in step.triggers)
    handler = step.timeout_seconds or (HTTP_TIMEOUT_SECONDS if answers_http else QUEUE_TIMEOUT_SECONDS)
    if settings is None:
        slack = 0 if answers_http else SLACK_SECONDS
        return Timing(handler, max(handler, min(FUNCTION_TIMEOUT_LIMIT_SECONDS, handler + slack)), 1, 0)
    visibility = settings.visibility_timeout_seconds
    limit = min(
        HTTP_TIMEOUT_SECONDS if answers_http else FUNCTION_TIMEOUT_LIMIT_SECONDS,
        FUNCTION_TIMEOUT_LIMIT_SECONDS if visibility is None else visibility,
    )
    batch = max(1, min(LARGEST_BATCH, (limit - SLACK_SECONDS) // handler))
    if handler > QUEUE_TIMEOUT_SECONDS or settings.is_fifo:
        batch = 1
    function = max(handler, min(limit, handler * batch + SLACK_SECONDS))
    if visibility is None:
        visibility = max(VISIBILITY_PER_HANDLER_TIMEOUT * handler, function + handler)
    return Timing(handler, function, batch, visibility)

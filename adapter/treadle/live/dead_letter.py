"""Puts aside the records of changes that can go no further, with the reason, in the function's dead-letter queue."""

from __future__ import annotations

import json

from treadle.aws.sqs import attribute_text, send_message
from treadle.names import BROADCAST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.resources import Resources
    from treadle.shapes import Event

BODY_BYTES_LIMIT = 1_000_000
"""A little less than a message may have, attributes included.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""
_ERROR_MESSAGE_LIMIT = 1000
_IMAGES = ("NewImage", "OldImage")


def put_aside(
    resources: Resources, record: Event, error: BaseException, trace_id: str, function: str = BROADCAST
) -> None:
    """Sends a record as it came; one that is too large for a message goes without its images of the row.

    The attributes are those of a step's dead letters. A change is attempted once: no retry mends what it says.
    Raises: AwsCallError.
    """
    body = json.dumps(record, separators=(",", ":"))
    if len(body) > BODY_BYTES_LIMIT:
        change: dict[str, Any] = record["dynamodb"]
        kept = {name: value for name, value in change.items() if name not in _IMAGES}
        body = json.dumps({**record, "dynamodb": kept}, separators=(",", ":"))
    attributes = {
        "errorType": attribute_text(type(error).__name__),
        "errorMessage": attribute_text(str(error)[:_ERROR_MESSAGE_LIMIT]),
        "traceId": trace_id,
        "step": function,
        "attempts": "1",
    }
    queue = resources.queue_url(resources.names.dead_letter_queue(function))
    send_message(resources.client, queue, body, attributes)

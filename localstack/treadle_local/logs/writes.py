"""PutLogEvents: what of a batch is taken.

Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from treadle_local.aws.service import Result
from treadle_local.logs.refusals import invalid

_BATCH_LIMIT_EVENTS = 10_000
_BATCH_LIMIT_BYTES = 1_048_576
_EVENT_OVERHEAD_BYTES = 26
_SPAN_MS = 86_400_000
_OLDEST_MS = 14 * 86_400_000
_NEWEST_MS = 2 * 3_600_000


def check_batch(events: Sequence[Mapping[str, Any]]) -> None:
    """Raises: AwsError InvalidParameterException for a batch that is refused as a whole."""
    if not 1 <= len(events) <= _BATCH_LIMIT_EVENTS:
        raise invalid(
            f"1 validation error detected: Value at 'logEvents' failed to satisfy constraint: "
            f"Member must have length between 1 and {_BATCH_LIMIT_EVENTS}"
        )
    size = 0
    last = None
    for event in events:
        timestamp, message = event.get("timestamp"), event.get("message")
        if not isinstance(timestamp, int) or timestamp < 0 or not isinstance(message, str) or not message:
            raise invalid("A log event has a timestamp in milliseconds and a message that is not empty.")
        if last is not None and timestamp < last:
            raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
        last = timestamp
        size += len(message.encode("utf-8", "surrogatepass")) + _EVENT_OVERHEAD_BYTES
    if size > _BATCH_LIMIT_BYTES:
        raise invalid(f"Upload too large: {size} bytes exceeds limit of {_BATCH_LIMIT_BYTES}")
    if events[-1]["timestamp"] - events[0]["timestamp"] > _SPAN_MS:
        raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")


def taken(
    events: Sequence[Mapping[str, Any]], now: int, retention_days: int | None
) -> tuple[Sequence[Mapping[str, Any]], Result]:
    """The events that are neither too old nor too new, and what the answer says of the others."""
    expired = now - (retention_days * _SPAN_MS if retention_days is not None else _OLDEST_MS)
    start, end = 0, len(events)
    rejected: dict[str, int] = {}
    too_old = sum(event["timestamp"] < now - _OLDEST_MS for event in events)
    past_retention = sum(event["timestamp"] < expired for event in events)
    too_new = sum(event["timestamp"] > now + _NEWEST_MS for event in events)
    if too_old:
        rejected["tooOldLogEventEndIndex"] = start = too_old
    if past_retention > too_old:
        rejected["expiredLogEventEndIndex"] = start = past_retention
    if too_new:
        rejected["tooNewLogEventStartIndex"] = end = len(events) - too_new
    return events[start:end], {"rejectedLogEventsInfo": rejected} if rejected else {}

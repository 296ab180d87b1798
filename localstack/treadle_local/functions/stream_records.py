"""Records of table streams as functions get them, and the document that tells of those given up."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NamedTuple

from treadle_local.dynamodb.change_stream import Change, ChangeStream
from treadle_local.functions.model import EventSourceMapping

MAXIMUM_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Of an event. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_OPENING, _CLOSING = b'{"Records":[', b"]}"
ENVELOPE_BYTES = len(_OPENING) + len(_CLOSING)

Entry = tuple[int, Change]
"""A change and its number in the stream."""


class StreamRecord(NamedTuple):
    """A change that goes to a function; `body` is its JSON."""

    number: int
    change: Change
    body: bytes


class Condition(Enum):
    """Why records were given up, in the document's words."""

    RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
    AGE_EXCEEDED = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True)
class Run:
    """The latest invocation with some records."""

    request_id: str
    executed_version: str
    function_error: str | None
    problem: str | None


def shape(stream: ChangeStream, number: int, change: Change) -> dict[str, Any]:
    """One record of the event.

    Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html, and for items whose time to live was over
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    record = stream.record(number, change)
    if change.expired:
        record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    record["eventSourceARN"] = stream.arn
    return record


def rendered(stream: ChangeStream, entry: Entry) -> StreamRecord:
    text = json.dumps(shape(stream, *entry), ensure_ascii=False, separators=(",", ":"))
    return StreamRecord(*entry, text.encode("utf-8", "surrogatepass"))


def event(records: Sequence[StreamRecord]) -> bytes:
    """The event of a batch."""
    return _OPENING + b",".join([record.body for record in records]) + _CLOSING


def failure_document(
    mapping: EventSourceMapping,
    stream: ChangeStream,
    records: Sequence[StreamRecord],
    condition: Condition,
    invocations: int,
    run: Run | None,
    now: float,
) -> str:
    """What an on-failure destination is told of records that were given up.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    first, last = records[0], records[-1]
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": run.request_id if run is not None else str(uuid.uuid4()),
            "functionArn": mapping.function_arn,
            "condition": condition.value,
            "approximateInvokeCount": invocations,
        },
        "responseContext": None
        if run is None
        else {"statusCode": 200, "executedVersion": run.executed_version, "functionError": run.function_error},
        "version": "1.0",
        "timestamp": _moment(now, "milliseconds"),
        "DDBStreamBatchInfo": {
            "shardId": stream.shard_id,
            "startSequenceNumber": str(first.number),
            "endSequenceNumber": str(last.number),
            "approximateArrivalOfFirstRecord": _moment(first.change.time, "seconds"),
            "approximateArrivalOfLastRecord": _moment(last.change.time, "seconds"),
            "batchSize": len(records),
            "streamArn": stream.arn,
        },
    }
    return json.dumps(document, separators=(",", ":"))


def _moment(seconds: float, precision: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=precision).replace("+00:00", "Z")

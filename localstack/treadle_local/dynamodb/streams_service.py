"""The DynamoDB Streams API: unmodified clients read the change streams of tables.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.authorization import actions
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.dynamodb import shard_iterators
from treadle_local.dynamodb.change_stream import Change, ChangeStream
from treadle_local.dynamodb.change_streams import ChangeStreams
from treadle_local.dynamodb.errors import invalid, malformed
from treadle_local.dynamodb.parameters import choice, integer, mapping, member
from treadle_local.dynamodb.shard_iterators import ShardIterator

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
MOST_RECORDS = 1_000
MOST_BYTES = 1024 * 1024
_MOST_LISTED = 100

_STREAM_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[a-zA-Z0-9_.-]+/stream/.+")
_ITERATOR_TYPES = ("TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP")


class DynamoDbStreams:
    """A service of the AWS endpoint; see `Service`."""

    def __init__(self, region: Region, clock: Clock, streams: ChangeStreams) -> None:
        self._region = region
        self._clock = clock
        self._streams = streams
        self._operations: Mapping[str, Callable[[Params], Result]] = {
            "DescribeStream": self._describe,
            "GetRecords": self._records,
            "GetShardIterator": self._iterator,
            "ListStreams": self._list,
        }

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        """See `Service`."""
        do = self._operations.get(operation)
        if do is None:
            raise AwsError("UnknownOperationException", f"{operation} is no operation of DynamoDB Streams.")
        return do(params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """See `Service`."""
        return actions.targets(self._region, "dynamodbstreams", operation, params)

    def _list(self, params: Params) -> Result:
        streams = self._streams.of_table(params.get("TableName"))
        limit = integer(params, "Limit", 1, _MOST_LISTED) or _MOST_LISTED
        after = params.get("ExclusiveStartStreamArn")
        arns = [stream.arn for stream in streams]
        if after is not None:
            streams = streams[arns.index(after) + 1 :] if after in arns else ()
        result: Result = {
            "Streams": [
                {"StreamArn": stream.arn, "TableName": stream.schema.name, "StreamLabel": stream.label}
                for stream in streams[:limit]
            ]
        }
        if len(streams) > limit:
            result["LastEvaluatedStreamArn"] = streams[limit - 1].arn
        return result

    def _describe(self, params: Params) -> Result:
        stream = self._stream(params)
        integer(params, "Limit", 1, _MOST_LISTED)
        first: str | None = params.get("ExclusiveStartShardId")
        children_only = params.get("ShardFilter") is not None and _child_filter(params)
        shown = not children_only and (first is None or first < stream.shard_id)
        return {
            "StreamDescription": {
                "StreamArn": stream.arn,
                "StreamLabel": stream.label,
                "StreamStatus": "ENABLED" if stream.closed_at is None else "DISABLED",
                "StreamViewType": stream.view,
                "CreationRequestDateTime": int(stream.created_at),
                "TableName": stream.schema.name,
                "KeySchema": [
                    {"AttributeName": key.name, "KeyType": kind}
                    for key, kind in zip(stream.schema.key.attributes, ("HASH", "RANGE"), strict=False)
                ],
                "Shards": [_shard(stream)] if shown else [],
            }
        }

    def _iterator(self, params: Params) -> Result:
        stream = self._stream(params)
        if member(params, "ShardId") != stream.shard_id:
            raise _not_found(f"Requested resource not found: Shard: {params['ShardId']} in stream: {stream.arn}")
        member(params, "ShardIteratorType")
        number = self._place(stream, choice(params, "ShardIteratorType", _ITERATOR_TYPES, ""), params)
        return {"ShardIterator": ShardIterator(stream.arn, number, self._clock.now()).text()}

    def _place(self, stream: ChangeStream, kind: str, params: Params) -> int:
        """The number of the first record that an iterator of this type gives.

        Raises: ValidationException, TrimmedDataAccessException.
        """
        by_number = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
        if by_number != (params.get("SequenceNumber") is not None):
            raise invalid(f"SequenceNumber is {'required' if by_number else 'not allowed'} with {kind}")
        if (kind == "AT_TIMESTAMP") != (params.get("Timestamp") is not None):
            raise invalid(f"Timestamp is {'required' if kind == 'AT_TIMESTAMP' else 'not allowed'} with {kind}")
        oldest = stream.oldest_number()
        match kind:
            case "TRIM_HORIZON":
                return oldest
            case "LATEST":
                return stream.next_number
            case "AT_TIMESTAMP":
                return max(oldest, stream.number_at(self._moment(params["Timestamp"])))
            case _:
                number = _sequence_number(stream, params["SequenceNumber"])
                place = number + (kind == "AFTER_SEQUENCE_NUMBER")
                if place == stream.starting_number and oldest == stream.starting_number + 1:
                    return oldest
                return _not_trimmed(place, oldest)

    def _moment(self, timestamp: object) -> float:
        if not isinstance(timestamp, int | float) or isinstance(timestamp, bool):
            raise malformed("Unexpected token received from parser: Timestamp")
        if timestamp > self._clock.now():
            raise invalid("Timestamp cannot be in the future")
        return float(timestamp)

    def _records(self, params: Params) -> Result:
        iterator = shard_iterators.parse(str(member(params, "ShardIterator")))
        limit = integer(params, "Limit", 1) or MOST_RECORDS
        if limit > MOST_RECORDS:
            raise AwsError("LimitExceededException", f"Limit must be at most {MOST_RECORDS}.")
        stream = self._streams.find(iterator.stream_arn)
        if stream is None:
            raise _stream_not_found(iterator.stream_arn)
        now = self._clock.now()
        iterator.check_age(now)
        start = _not_trimmed(iterator.number, stream.oldest_number())
        records = _page(stream, start, limit)
        result: Result = {"Records": records}
        after = start + len(records)
        if stream.closed_at is None or after < stream.next_number:
            result["NextShardIterator"] = ShardIterator(stream.arn, after, now).text()
        return result

    def _stream(self, params: Params) -> ChangeStream:
        arn = str(member(params, "StreamArn"))
        if not _STREAM_ARN.fullmatch(arn):
            raise invalid("Invalid StreamArn")
        stream = self._streams.find(arn)
        if stream is None:
            raise _stream_not_found(arn)
        return stream


def _page(stream: ChangeStream, start: int, limit: int) -> list[dict[str, Any]]:
    """The records from a number on: as many as were asked for, or the first beyond a megabyte."""
    records: list[dict[str, Any]] = []
    size = 0
    for number, change in stream.between(start, start + limit):
        record = _with_identity(stream.record(number, change), change)
        size += record["dynamodb"]["SizeBytes"]
        if records and size > MOST_BYTES:
            break
        records.append(record)
    return records


def _with_identity(record: dict[str, Any], change: Change) -> dict[str, Any]:
    """Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Identity.html"""
    if change.expired:
        record["userIdentity"] = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    return record


def _shard(stream: ChangeStream) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": str(stream.starting_number)}
    if stream.closed_at is not None:
        numbers["EndingSequenceNumber"] = str(stream.next_number - 1)
    return {"ShardId": stream.shard_id, "SequenceNumberRange": numbers}


def _child_filter(params: Params) -> bool:
    choice(mapping(params, "ShardFilter"), "Type", ("CHILD_SHARDS",), "CHILD_SHARDS")
    return True


def _sequence_number(stream: ChangeStream, text: object) -> int:
    """The number of a record that is, or was, in the stream. Raises ValidationException."""
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal():
        raise invalid(f"Invalid SequenceNumber: {text}")
    if not stream.starting_number <= int(text) < stream.next_number:
        raise invalid(f"Invalid SequenceNumber: {text} is not in shard {stream.shard_id}")
    return int(text)


def _not_trimmed(number: int, oldest: int) -> int:
    if number < oldest:
        raise AwsError(
            "TrimmedDataAccessException",
            "The operation attempted to read past the oldest stream record in a shard.",
        )
    return number


def _not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message)


def _stream_not_found(arn: str) -> AwsError:
    return _not_found(f"Requested resource not found: Stream: {arn} not found")

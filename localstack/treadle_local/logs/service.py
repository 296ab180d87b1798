"""CloudWatch Logs: streams and events are kept here, groups and their settings by moto, behind one service."""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Sequence

from treadle_local.aws.authorization import actions
from treadle_local.aws.errors import AwsError
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.logs import reads
from treadle_local.logs.refusals import group_not_found, invalid, stream_not_found
from treadle_local.logs.store import Event, LogGroup, LogStream
from treadle_local.logs.writes import check_batch, taken

_STREAM_NAME = re.compile(r"[^:*]{1,512}")
_GROUP_OF_ARN = re.compile(r"arn:aws:logs:[^:]+:\d+:log-group:([^:]+)(?::.*)?")

# What reads events in ways that are not built: moto would take it and find nothing.
_REFUSED = frozenset(
    {
        "CreateExportTask",
        "CreateLogAnomalyDetector",
        "CreateScheduledQuery",
        "GetLogGroupFields",
        "GetLogObject",
        "GetLogRecord",
        "GetQueryResults",
        "PutAccountPolicy",
        "PutMetricFilter",
        "PutSubscriptionFilter",
        "PutTransformer",
        "StartLiveTail",
        "StartQuery",
        "StopQuery",
        "TestMetricFilter",
        "TestTransformer",
    }
)


class Logs:
    """The service. `append` is how functions' output comes in."""

    def __init__(self, region: Region, clock: Clock, moto: Moto) -> None:
        self._region = region
        self._clock = clock
        self._moto = moto
        self._groups: dict[str, LogGroup] = {}
        self._numbers = itertools.count(1)

    def append(self, group_name: str, stream_name: str, text: str, time_ms: int) -> None:
        """Keeps a line of a function; makes its stream. Does nothing where the group is gone.

        `time_ms` is the machine's time, as all that a function says of time: what it is kept for counts from now.
        """
        group = self._groups.get(group_name)
        if group is None:
            return
        now = int(self._clock.now() * 1000)
        stream = group.streams.get(stream_name) or group.add_stream(stream_name, now)
        group.add(stream, Event(time_ms, next(self._numbers), now, stream_name, text, now))

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        match operation:
            case "PutLogEvents":
                return self._put_log_events(params)
            case "GetLogEvents":
                return reads.get_log_events(params, self._stream(params))
            case "FilterLogEvents":
                return reads.filter_log_events(params, self._group(params))
            case "DescribeLogStreams":
                group = self._group(params)
                prefix = self._region.arn("logs", f"log-group:{group.name}:log-stream:")
                return reads.describe_log_streams(params, group, lambda name: prefix + name)
            case "CreateLogStream":
                return self._create_log_stream(params)
            case "DeleteLogStream":
                self._group(params).remove_stream(self._stream(params).name)
                return {}
            case _ if operation in _REFUSED:
                raise AwsError("UnknownOperationException", f"logs {operation} is not in Treadle's emulator yet")
            case _:
                return self._control(operation, params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        return actions.targets(self._region, "logs", operation, params)

    # groups, which moto keeps

    async def _control(self, operation: str, params: Params) -> Result:
        result = await self._moto.call("logs", operation, params)
        name = str(params.get("logGroupName", ""))
        match operation:
            case "CreateLogGroup":
                self._groups[name] = LogGroup(name)
            case "DeleteLogGroup":
                self._groups.pop(name, None)
            case "PutRetentionPolicy":
                self._groups[name].retention_days = int(params["retentionInDays"])
            case "DeleteRetentionPolicy":
                self._groups[name].retention_days = None
            case "DescribeLogGroups":
                for described in result.get("logGroups", ()):
                    described["storedBytes"] = self._groups[described["logGroupName"]].stored_bytes
            case _:
                pass
        return result

    def _group(self, params: Params) -> LogGroup:
        name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
        if (name is None) == (identifier is None):
            raise invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")
        wanted = str(name if identifier is None else identifier)
        if (arn := _GROUP_OF_ARN.fullmatch(wanted)) is not None:
            wanted = arn[1]
        group = self._groups.get(wanted)
        if group is None:
            raise group_not_found()
        group.expire(int(self._clock.now() * 1000))
        return group

    def _stream(self, params: Params) -> LogStream:
        stream = self._group(params).streams.get(str(params.get("logStreamName")))
        if stream is None:
            raise stream_not_found()
        return stream

    # streams and events

    def _create_log_stream(self, params: Params) -> Result:
        group, name = self._group(params), str(params.get("logStreamName", ""))
        if not _STREAM_NAME.fullmatch(name):
            raise invalid(
                f"1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [^:*]*"
            )
        if name in group.streams:
            raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
        group.add_stream(name, int(self._clock.now() * 1000))
        return {}

    def _put_log_events(self, params: Params) -> Result:
        events = params.get("logEvents") or ()
        check_batch(events)
        stream, group = self._stream(params), self._group(params)
        now = int(self._clock.now() * 1000)
        kept, said = taken(events, now, group.retention_days)
        for event in kept:
            timestamp, message = event["timestamp"], event["message"]
            group.add(stream, Event(timestamp, next(self._numbers), now, stream.name, message, timestamp))
        return {"nextSequenceToken": f"{next(self._numbers):056d}", **said}

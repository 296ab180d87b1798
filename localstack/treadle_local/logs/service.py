"""CloudWatch Logs: groups, streams and events, metrics made of them, and queries; all else is refused by name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from treadle_local.aws.authorization import actions
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.cloudwatch.series import Metrics
from treadle_local.logs import reads
from treadle_local.logs.embedded import may_be_embedded, publish
from treadle_local.logs.groups import Groups
from treadle_local.logs.metric_filters import MetricFilters
from treadle_local.logs.queries import Queries
from treadle_local.logs.refusals import invalid, stream_not_found
from treadle_local.logs.store import Event, LogStream
from treadle_local.logs.writes import check_batch, taken

_STREAM_NAME = re.compile(r"[^:*]{1,512}")


class Logs:
    """The service. `append` is how functions' output comes in."""

    def __init__(self, region: Region, clock: Clock, metrics: Metrics) -> None:
        self._region = region
        self._clock = clock
        self._metrics = metrics
        self._groups = Groups(region, clock)
        self._filters = MetricFilters(clock, self._groups, metrics)
        self._queries = Queries(region, clock, self._groups)
        self._numbers = itertools.count(1)
        self.catch_up: Callable[[], None] = lambda: None
        """Has told what functions have said and was put off; whoever reads finds it."""
        self._handlers: Mapping[str, Callable[[Params], Result | Awaitable[Result]]] = {
            **self._groups.operations,
            **self._filters.operations,
            "DeleteLogGroup": self._delete_log_group,
            "PutLogEvents": self._put_log_events,
            "GetLogEvents": lambda params: reads.get_log_events(params, self._stream(params)),
            "FilterLogEvents": lambda params: reads.filter_log_events(params, self._groups.at(params)),
            "DescribeLogStreams": self._describe_log_streams,
            "CreateLogStream": self._create_log_stream,
            "DeleteLogStream": self._delete_log_stream,
            "StartQuery": self._queries.start,
            "GetQueryResults": self._queries.results,
            "StopQuery": self._queries.stop,
            "DescribeQueries": self._queries.describe,
        }

    def append(self, group_name: str, stream_name: str, text: str, time_ms: int) -> None:
        """Keeps a line of a function; makes its stream. Does nothing where the group is gone.

        `time_ms` is the machine's time, as all that a function says of time: what it is kept for counts from now.
        """
        group = self._groups.find(group_name)
        if group is None:
            return
        now = int(self._clock.now() * 1000)
        stream = group.streams.get(stream_name) or group.add_stream(stream_name, now)
        group.add(stream, Event(time_ms, next(self._numbers), now, stream_name, text, now))
        if may_be_embedded(text):
            publish(text, now / 1000, self._metrics)

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        handler = self._handlers.get(operation)
        if handler is None:
            raise AwsError("UnknownOperationException", f"logs {operation} is not in Treadle's emulator yet")
        self.catch_up()
        return handler(params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        return actions.targets(self._region, "logs", operation, params)

    def _delete_log_group(self, params: Params) -> Result:
        self._filters.forget(self._groups.at(params).name)
        return self._groups.operations["DeleteLogGroup"](params)

    def _stream(self, params: Params) -> LogStream:
        stream = self._groups.at(params).streams.get(str(params.get("logStreamName")))
        if stream is None:
            raise stream_not_found()
        return stream

    # streams and events

    def _create_log_stream(self, params: Params) -> Result:
        group, name = self._groups.at(params), str(params.get("logStreamName", ""))
        if not _STREAM_NAME.fullmatch(name):
            raise invalid(
                f"1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [^:*]*"
            )
        if name in group.streams:
            raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
        group.add_stream(name, int(self._clock.now() * 1000))
        return {}

    def _delete_log_stream(self, params: Params) -> Result:
        self._groups.at(params).remove_stream(self._stream(params).name)
        return {}

    def _describe_log_streams(self, params: Params) -> Result:
        group = self._groups.at(params)
        prefix = self._region.arn("logs", f"log-group:{group.name}:log-stream:")
        return reads.describe_log_streams(params, group, lambda name: prefix + name)

    def _put_log_events(self, params: Params) -> Result:
        events = params.get("logEvents") or ()
        check_batch(events)
        stream, group = self._stream(params), self._groups.at(params)
        now = int(self._clock.now() * 1000)
        kept, said = taken(events, now, group.retention_days)
        for event in kept:
            timestamp, message = event["timestamp"], event["message"]
            group.add(stream, Event(timestamp, next(self._numbers), now, stream.name, message, timestamp))
            if may_be_embedded(message):
                publish(message, None, self._metrics)
        return {"nextSequenceToken": f"{next(self._numbers):056d}", **said}

"""GetLogEvents, FilterLogEvents and DescribeLogStreams."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.service import Params, Result
from treadle_local.logs.patterns import parse_pattern
from treadle_local.logs.refusals import invalid, stream_not_found
from treadle_local.logs.store import Event, Key, LogGroup, LogStream, Timeline

EVENTS_LIMIT = 10_000
"""Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""
_ANSWER_LIMIT_BYTES = 1_000_000
_STREAMS_LIMIT = 50
_FILTERED_STREAMS_LIMIT = 100
_PATTERN_LIMIT = 1024
_SLICE = 2000
_SLICE_SECONDS = 0.005
"""How long a search may keep the event loop before the others have a turn."""

_FAR = 1 << 62
_DIGITS = 20
_EVENT_TOKEN = re.compile(r"([fb])/(\d{20})(\d{20})")


def get_log_events(params: Params, stream: LogStream) -> Result:
    """A page of one stream; forward from its beginning with `startFromHead`, else backward from its end.

    Each token leads on in its direction, and to itself where there is nothing more.
    """
    lower, upper = _range(params, end_included=False)
    limit = _limit(params, EVENTS_LIMIT)
    token = params.get("nextToken")
    forward, position = _position(token) if token is not None else (bool(params.get("startFromHead")), None)
    if forward:
        start = lower if position is None else max(lower, position)
        found = [event for event in stream.events.after(start, limit) if event.key < upper]
        found = _within_answer(found)
    else:
        end = upper if position is None else min(upper, position)
        found = [event for event in stream.events.before(end, limit) if event.key > lower]
        found = _within_answer(found[::-1])[::-1]
    if found:
        first, last = found[0].key, found[-1].key
    elif position is not None:
        first = last = position
    else:
        first = last = (max(0, lower[0]) if forward else _last_key(stream.events, upper)[0], 0)
    return {
        "events": [
            {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingested} for event in found
        ],
        "nextForwardToken": _event_token("f", last),
        "nextBackwardToken": _event_token("b", first),
    }


def _last_key(events: Timeline, upper: Key) -> Key:
    found = events.before(upper, 1)
    return found[0].key if found else (0, 0)


def _position(token: object) -> tuple[bool, Key]:
    parts = _EVENT_TOKEN.fullmatch(str(token))
    if parts is None:
        raise invalid("The specified nextToken is invalid.")
    return parts[1] == "f", (int(parts[2]), int(parts[3]))


def _event_token(direction: str, key: Key) -> str:
    return f"{direction}/{key[0]:0{_DIGITS}d}{key[1]:0{_DIGITS}d}"


async def filter_log_events(params: Params, group: LogGroup) -> Result:
    """A page of what matches in a group, in order of time. The search lets others have their turn."""
    lower, upper = _range(params, end_included=True)
    limit = _limit(params, EVENTS_LIMIT)
    matches = _matcher(params, group)
    start = lower
    if (token := params.get("nextToken")) is not None:
        start = max(lower, _position(token)[1])
    found: list[Event] = []
    size = 0
    began = time.perf_counter()
    while True:
        events = group.events.after(start, _SLICE)
        for event in events:
            if event.timestamp > upper[0]:
                events = []
                break
            start = event.key
            if matches(event):
                found.append(event)
                size += len(event.message)
                if len(found) == limit or size >= _ANSWER_LIMIT_BYTES:
                    return _page(found, _event_token("f", start))
        if len(events) < _SLICE:
            return _page(found, None)
        if time.perf_counter() - began > _SLICE_SECONDS:
            await asyncio.sleep(0)
            began = time.perf_counter()


def _page(found: Sequence[Event], token: str | None) -> Result:
    result: Result = {"events": [_filtered(event) for event in found], "searchedLogStreams": []}
    if token is not None:
        result["nextToken"] = token
    return result


def _filtered(event: Event) -> Mapping[str, Any]:
    return {
        "logStreamName": event.stream,
        "timestamp": event.timestamp,
        "message": event.message,
        "ingestionTime": event.ingested,
        "eventId": f"{event.number:056d}",
    }


def _matcher(params: Params, group: LogGroup) -> Callable[[Event], bool]:
    pattern = str(params.get("filterPattern") or "")
    if len(pattern) > _PATTERN_LIMIT:
        raise invalid(f"The filter pattern is longer than {_PATTERN_LIMIT} characters.")
    text = parse_pattern(pattern)
    names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
    if names and prefix is not None:
        raise invalid("LogStreamNamePrefix and LogStreamNames are mutually exclusive.")
    if names:
        wanted = frozenset(map(str, names))
        if len(wanted) > _FILTERED_STREAMS_LIMIT:
            raise invalid(f"At most {_FILTERED_STREAMS_LIMIT} log streams can be searched by name.")
        if wanted - group.streams.keys():
            raise stream_not_found()
        return lambda event: event.stream in wanted and (text is None or text(event.message))
    if prefix:
        return lambda event: event.stream.startswith(prefix) and (text is None or text(event.message))
    return lambda event: text is None or text(event.message)


def describe_log_streams(params: Params, group: LogGroup, arn: Callable[[str], str]) -> Result:
    """A page of a group's streams, by name or by the time of their last event."""
    by_time = params.get("orderBy", "LogStreamName") == "LastEventTime"
    prefix = params.get("logStreamNamePrefix")
    if by_time and prefix is not None:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    descending = bool(params.get("descending"))
    limit = _limit(params, _STREAMS_LIMIT)
    streams = [stream for stream in group.streams.values() if prefix is None or stream.name.startswith(prefix)]
    keyed = sorted(((_order(stream, by_time=by_time), stream.name), stream) for stream in streams)
    names = [stream for _, stream in (reversed(keyed) if descending else keyed)]
    start = 0
    if (token := params.get("nextToken")) is not None:
        start = next((index + 1 for index, stream in enumerate(names) if stream.name == token), -1)
        if start < 0:
            raise invalid("The specified nextToken is invalid.")
    page = names[start : start + limit]
    result: Result = {"logStreams": [_described(stream, arn) for stream in page]}
    if start + limit < len(names):
        result["nextToken"] = page[-1].name
    return result


def _order(stream: LogStream, *, by_time: bool) -> int:
    last = stream.events.last() if by_time else None
    return last.timestamp if last is not None else 0


def _described(stream: LogStream, arn: Callable[[str], str]) -> Mapping[str, Any]:
    described: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "arn": arn(stream.name),
        "storedBytes": 0,  # as AWS says of every stream since 2019
        "uploadSequenceToken": f"{stream.last_ingested or stream.created:056d}",
    }
    first, last = stream.events.first(), stream.events.last()
    if first is not None and last is not None:
        described |= {"firstEventTimestamp": first.timestamp, "lastEventTimestamp": last.timestamp}
    if stream.last_ingested is not None:
        described["lastIngestionTime"] = stream.last_ingested
    return described


def _range(params: Params, *, end_included: bool) -> tuple[Key, Key]:
    """The keys between which (exclusively) the wanted events are."""
    start, end = params.get("startTime"), params.get("endTime")
    if start is not None and end is not None and start > end:
        raise invalid("startTime cannot be after endTime.")
    lower = (int(start), -1) if start is not None else (-1, -1)
    if end is None:
        return lower, (_FAR, _FAR)
    return lower, (int(end), _FAR) if end_included else (int(end), -1)


def _limit(params: Params, most: int) -> int:
    limit = params.get("limit", most)
    if not isinstance(limit, int) or not 1 <= limit <= most:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value between 1 and {most}"
        )
    return limit


def _within_answer(events: Sequence[Event]) -> list[Event]:
    """As many of the first events as an answer takes, one at least."""
    kept: list[Event] = []
    size = 0
    for event in events:
        size += len(event.message)
        if kept and size > _ANSWER_LIMIT_BYTES:
            break
        kept.append(event)
    return kept

"""StartQuery and what follows: a query is run when it is started, in turns with everybody else.

Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Region, Result
from treadle_local.clock import Clock
from treadle_local.logs.groups import Groups
from treadle_local.logs.insights.query import DEFAULT_LIMIT, MOST_ROWS, Query, parse_query
from treadle_local.logs.insights.records import Record
from treadle_local.logs.refusals import invalid
from treadle_local.logs.store import LogGroup

_MOST_GROUPS = 50
_QUERY_LIMIT = 10_000
_KEPT = 100
_SLICE = 200
_SLICE_SECONDS = 0.005
_LATEST_SECONDS = 1 << 32


@dataclass(frozen=True, slots=True)
class Finished:
    """A query that was run, and what it found."""

    id: str
    text: str
    group: str
    created: int
    results: Sequence[Any]
    statistics: Mapping[str, float]


class Queries:
    """The operations of Logs Insights; the last queries are kept."""

    def __init__(self, region: Region, clock: Clock, groups: Groups) -> None:
        self._region = region
        self._clock = clock
        self._groups = groups
        self._finished: dict[str, Finished] = {}

    async def start(self, params: Params) -> Result:
        text = str(params.get("queryString") or "")
        if not 1 <= len(text) <= _QUERY_LIMIT:
            raise invalid(f"The query must be 1 to {_QUERY_LIMIT} characters long.")
        if params.get("queryLanguage") not in (None, "CWLI"):
            raise AwsError("UnknownOperationException", f"{params['queryLanguage']} is not in Treadle's emulator yet")
        start, end, limit = params.get("startTime"), params.get("endTime"), params.get("limit", DEFAULT_LIMIT)
        if not isinstance(start, int) or not isinstance(end, int) or start > end:
            raise invalid("Start time must be before end time, and both are given.")
        if not isinstance(limit, int) or not 1 <= limit <= MOST_ROWS:
            raise invalid(f"Value '{limit}' at 'limit' must be from 1 to {MOST_ROWS}")
        groups, query = self._chosen(params), parse_query(text)
        records, statistics = await self._search(groups, query, _milliseconds(start), _milliseconds(end + 1) - 1)
        name = str(uuid.uuid4())
        results = query.results(records, limit)
        created = int(self._clock.now() * 1000)
        self._finished[name] = Finished(name, text, groups[0].name, created, results, statistics)
        if len(self._finished) > _KEPT:
            del self._finished[next(iter(self._finished))]
        return {"queryId": name}

    def _chosen(self, params: Params) -> list[LogGroup]:
        ways = ("logGroupName", "logGroupNames", "logGroupIdentifiers")
        given = [way for way in ways if params.get(way)]
        if len(given) != 1:
            raise invalid(f"Exactly one of {', '.join(ways)} must be specified.")
        names = params[given[0]] if given[0] != "logGroupName" else [params["logGroupName"]]
        if len(names) > _MOST_GROUPS:
            raise invalid(f"At most {_MOST_GROUPS} log groups can be queried.")
        return [self._groups.named(name) for name in names]

    async def _search(
        self, groups: Sequence[LogGroup], query: Query, start: int, end: int
    ) -> tuple[list[Record], Mapping[str, float]]:
        """The records that pass the query's filters, in order of time. Lets others have their turn."""
        found: list[Record] = []
        scanned, size, began = 0, 0, time.perf_counter()
        for group in groups:
            log = f"{self._region.account}:{group.name}"
            key = (start, -1)
            while events := group.events.after(key, _SLICE):
                within = [event for event in events if event.timestamp <= end]
                scanned += len(within)
                size += sum(len(event.message) for event in within)
                found += [record for record in (Record(event, log) for event in within) if query.admits(record)]
                key = events[-1].key
                if len(within) < len(events):
                    break
                if time.perf_counter() - began > _SLICE_SECONDS:
                    await asyncio.sleep(0)
                    began = time.perf_counter()
        found.sort(key=lambda record: record.event.key)
        numbers = {"recordsMatched": len(found), "recordsScanned": scanned, "bytesScanned": size}
        return found, {name: float(number) for name, number in numbers.items()}

    def results(self, params: Params) -> Result:
        query = self._find(params)
        return {
            "queryLanguage": "CWLI",
            "results": list(query.results),
            "statistics": dict(query.statistics),
            "status": "Complete",
        }

    def stop(self, params: Params) -> Result:
        query = self._find(params)
        raise invalid(f"The query {query.id} has ended already.")

    def describe(self, params: Params) -> Result:
        status, group = params.get("status"), params.get("logGroupName")
        most = params.get("maxResults", 1000)
        wanted = [one for one in self._finished.values() if group in (None, one.group) and status in (None, "Complete")]
        shown = [
            {
                "queryLanguage": "CWLI",
                "queryId": one.id,
                "queryString": one.text,
                "status": "Complete",
                "createTime": one.created,
                "logGroupName": one.group,
            }
            for one in reversed(wanted)
        ]
        return {"queries": shown[:most]}

    def _find(self, params: Params) -> Finished:
        found = self._finished.get(str(params.get("queryId")))
        if found is None:
            raise AwsError("ResourceNotFoundException", f"Query {params.get('queryId')} does not exist.")
        return found


def _milliseconds(seconds: int) -> int:
    """Times are in seconds; what is too late for that is in milliseconds already."""
    return seconds if seconds > _LATEST_SECONDS else seconds * 1000

"""Reads many log groups as one through CloudWatch Logs' own API: the emulator's, or that of a deployed stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from treadle_local.observe.lines import Line, json_object, parse_line

_READERS = 8


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One event of a step's log. Entries are in order by their time (ms since the epoch)."""

    time_ms: int
    event_id: str
    step: str
    text: str

    @property
    def line(self) -> Line:
        return parse_line(self.text)

    def fields(self) -> Mapping[str, Any]:
        """The members of the JSON object that it is; none for other text."""
        return json_object(self.text) or {}


Groups = Mapping[str, str]
"""Log groups by the step whose they are."""


class Logs:
    """The log groups of an app's functions.

    `call(method, **params)` does one call of a boto3 client of CloudWatch Logs; `missing` are those of its errors that
    say that a group is gone.
    """

    def __init__(self, call: Callable[..., Any], is_missing: Callable[[Exception], bool]) -> None:
        self._call = call
        self._is_missing = is_missing

    def read(self, groups: Groups, *, since_ms: int = 0, pattern: str = "") -> list[Entry]:
        """All entries from `since_ms` on that match a filter pattern, in order of time."""
        return sorted(self._read_all({step: (group, since_ms) for step, group in groups.items()}, pattern))

    def _read_all(self, wanted: Mapping[str, tuple[str, int]], pattern: str) -> list[Entry]:
        if len(wanted) <= 1:
            return [
                entry for step, (group, since) in wanted.items() for entry in self._one(step, group, since, pattern)
            ]
        with ThreadPoolExecutor(min(_READERS, len(wanted))) as pool:
            reads = [pool.submit(self._one, step, group, since, pattern) for step, (group, since) in wanted.items()]
            return [entry for read in reads for entry in read.result()]

    def _one(self, step: str, group: str, since_ms: int, pattern: str) -> Sequence[Entry]:
        found: list[Entry] = []
        params: dict[str, Any] = {"logGroupName": group, "startTime": max(0, since_ms)}
        if pattern:
            params["filterPattern"] = pattern
        while True:
            try:
                answer = self._call("filter_log_events", **params)
            except Exception as problem:
                if self._is_missing(problem):
                    return found
                raise
            found += [Entry(event["timestamp"], event["eventId"], step, event["message"]) for event in answer["events"]]
            token = answer.get("nextToken")
            if not token:
                return found
            params["nextToken"] = token

    def follow(
        self,
        groups: Callable[[], Groups],
        *,
        since_ms: int,
        pattern: str = "",
        overlap_ms: int,
        pause: Callable[[], None],
    ) -> Iterator[Entry]:
        """Entries from `since_ms` on, and then what comes, for ever; each once.

        Each turn reads again what is at most `overlap_ms` older than the newest entry of its group: events that came
        in late are among that. `pause` waits between two turns.
        """
        newest: dict[str, int] = {}
        seen: dict[str, dict[str, int]] = {}
        while True:
            wanted = {
                step: (group, max(since_ms, newest.get(group, since_ms) - overlap_ms))
                for step, group in groups().items()
            }
            fresh: list[Entry] = []
            for entry in self._read_all(wanted, pattern):
                group, start_ms = wanted[entry.step]
                known = seen.setdefault(group, {})
                if entry.event_id not in known:
                    fresh.append(entry)
                    known[entry.event_id] = entry.time_ms
                newest[group] = max(newest.get(group, start_ms), entry.time_ms)
            yield from sorted(fresh)
            for group, known in seen.items():
                oldest = newest[group] - overlap_ms
                seen[group] = {event_id: time_ms for event_id, time_ms in known.items() if time_ms >= oldest}
            pause()

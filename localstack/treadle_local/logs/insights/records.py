"""What a query looks at: one log event and the fields that it has, found in JSON when they are asked for."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, TypeAlias

from treadle_local.aws.wire import is_document, is_sequence
from treadle_local.logs.store import Event

Value: TypeAlias = str | float | bool | None

_REPORT = re.compile(
    r"REPORT RequestId: (?P<requestId>\S+)\s+Duration: (?P<duration>[\d.]+) ms\s+Billed Duration: "
    r"(?P<billedDuration>[\d.]+) ms\s+Memory Size: (?P<memorySize>\d+) MB\s+Max Memory Used: (?P<maxMemoryUsed>\d+) MB"
    r"(?:\s+Init Duration: (?P<initDuration>[\d.]+) ms)?"
)
_LINE_OF_LAMBDA = re.compile(r"(?P<type>START|END|REPORT) RequestId: (?P<requestId>\S+)")
_UNREAD: Any = object()


def moment(milliseconds: float) -> str:
    """As Insights writes times: `2026-01-31 12:00:00.000`."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


class Record:
    """An event in a query. `made` are the fields that the query makes of it."""

    __slots__ = ("_document", "event", "group", "made")

    def __init__(self, event: Event, group: str) -> None:
        self.event = event
        self.group = group
        self.made: dict[str, Value] = {}
        self._document: Any = _UNREAD

    def get(self, name: str) -> Value:
        """The value of a field; None where the event has none of that name."""
        if name in self.made:
            return self.made[name]
        return self._system(name) if name.startswith("@") else self._discovered(name)

    def _system(self, name: str) -> Value:
        event = self.event
        match name:
            case "@message":
                return event.message
            case "@timestamp":
                return float(event.timestamp)
            case "@ingestionTime":
                return float(event.ingested)
            case "@logStream":
                return event.stream
            case "@log":
                return self.group
            case "@ptr":
                return f"{event.number:056d}"
            case _:
                return self._of_lambda(name[1:])

    def _of_lambda(self, name: str) -> Value:
        """What Insights finds in the lines that Lambda writes as text."""
        line = _LINE_OF_LAMBDA.match(self.event.message)
        if line is None:
            return None
        report = _REPORT.match(self.event.message)
        found = {**line.groupdict(), **(report.groupdict() if report is not None else {})}.get(name)
        return found if found is None or name in {"type", "requestId"} else float(found)

    def _discovered(self, name: str) -> Value:
        if self._document is _UNREAD:
            self._document = _read(self.event.message)
        return _plain(_walk(self._document, name))


def _read(message: str) -> Any:
    if not message.lstrip().startswith("{"):
        return None
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        return None


def _walk(document: Any, name: str) -> Any:
    """What a dotted name finds: by its whole first, as members may have dots, and then part by part."""
    if is_document(document):
        if name in document:
            return document[name]
        position = name.find(".")
        while position >= 0:
            if name[:position] in document:
                return _walk(document[name[:position]], name[position + 1 :])
            position = name.find(".", position + 1)
        return None
    if is_sequence(document):
        head, _, rest = name.partition(".")
        if head.isdecimal() and int(head) < len(document):
            return _walk(document[int(head)], rest) if rest else document[int(head)]
    return None


def _plain(value: Any) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def number_of(value: Value) -> float | None:
    """The number that a value is or spells."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return value
    try:
        return float(value)
    except ValueError:
        return None


def text_of(value: Value) -> str:
    """A value as results show it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.12g}"
    return "" if value is None else str(value)

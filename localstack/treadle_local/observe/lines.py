"""What a line in a function's log is: said by a step, printed, a record of a run, or Lambda's own word on it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from treadle.names import SYSTEM_PREFIX

Level = Literal["debug", "info", "warn", "error"]

OWN_FIELDS = frozenset({"level", "time", "msg", "traceId", "step", "flows", "requestId"})
"""What the adapter's logger puts into each line besides what it is given."""
_LEVELS: Mapping[str, Level] = {"debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error"}


# Source: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
_SYSTEM_STARTS = ("REPORT RequestId: ", "START RequestId: ", "END RequestId: ", "INIT_START Runtime Version: ")
_TEXT_REPORT = re.compile(r"REPORT RequestId: (?P<request>\S+)\tDuration: (?P<duration>[0-9]+(?:\.[0-9]+)?) ms\t")
_TEXT_STATUS = re.compile(r"\tStatus: (\w+)")
_TEXT_ERROR = re.compile(r"\tError Type: (\S+)")
_TEXT_MEMORY = re.compile(r"\tMemory Size: (\d+) MB")


@dataclass(frozen=True, slots=True)
class Said:
    """A call of a step's logger; `fields` are those it was given."""

    level: Level
    message: str
    trace_id: str | None
    request_id: str | None
    fields: Mapping[str, Any]
    time_ms: float | None = None
    """Of the function's own clock, since the epoch"""


@dataclass(frozen=True, slots=True)
class Raised:
    """An error that left the handler, as Lambda's runtime client tells it: AWS's error document."""

    document: Mapping[str, Any]

    @property
    def headline(self) -> str:
        return f"{self.document['errorType']}: {self.document['errorMessage']}"

    @property
    def fields(self) -> Mapping[str, Any]:
        """The same error as the adapter's logger has it."""
        return {
            "errorType": self.document["errorType"],
            "errorMessage": self.document["errorMessage"],
            "stack": "".join(str(frame) for frame in self.document.get("stackTrace") or ()),
        }


@dataclass(frozen=True, slots=True)
class Recorded:
    """The invocation record of one run of a handler."""

    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reported:
    """Lambda's `platform.report` (`REPORT` in plain text) of one invocation. Times in milliseconds.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report
    """

    request_id: str
    status: str
    """success, failure, error or timeout"""
    duration_ms: float
    error_type: str | None = None
    """What became of the process, such as Runtime.ExitError, where that and not the handler failed"""
    memory_mb: int = 0

    @property
    def is_end_of_process(self) -> bool:
        """Whether the function was ended half-way: it could not say so itself."""
        return self.status == "timeout" or self.error_type is not None

    def reason(self) -> str:
        """What a person is told of an invocation that did not succeed."""
        if self.status == "timeout":
            return f"killed: it took longer than its timeout ({self.duration_ms:.0f} ms)"
        match self.error_type:
            case "Runtime.OutOfMemory":
                return f"killed: it took more memory than its {self.memory_mb} MB ({self.duration_ms:.0f} ms)"
            case "Runtime.ExitError":
                return f"its process ended before it answered ({self.duration_ms:.0f} ms)"
            case other:
                return f"ended by Lambda without a record ({other or self.status}, {self.duration_ms:.0f} ms)"


@dataclass(frozen=True, slots=True)
class Platform:
    """Another line of Lambda's own, such as `platform.start`; in plain text `START`, `END` and `INIT_START`."""

    type: str


@dataclass(frozen=True, slots=True)
class Text:
    """A line that a step printed."""

    text: str


Line = Said | Raised | Recorded | Reported | Platform | Text


def is_system(step: str) -> bool:
    """Whether the step is one of Treadle's own functions."""
    return step.startswith(SYSTEM_PREFIX)


def parse_line(text: str) -> Line:
    """What the line is. Never raises: what cannot be read was printed."""
    value = json_object(text)
    if value is None:
        return _plain(text)
    if value.get("treadle") == "invocation":
        return Recorded(value)
    kind, level = value.get("type"), value.get("level")
    if isinstance(kind, str) and kind.startswith("platform.") and "record" in value:
        return _report(value["record"]) if kind == "platform.report" else Platform(kind)
    if "msg" in value and isinstance(level, str) and level in _LEVELS:
        return Said(
            level=_LEVELS[level],
            message=str(value["msg"]),
            trace_id=_text(value.get("traceId")),
            request_id=_text(value.get("requestId")),
            fields={name: given for name, given in value.items() if name not in OWN_FIELDS},
            time_ms=time_ms if isinstance(time_ms := value.get("time"), int | float) else None,
        )
    if "errorType" in value and "errorMessage" in value:
        return Raised(value)
    return Text(text)


def _plain(text: str) -> Line:
    """A line that is no JSON: printed, unless Lambda says it of a function that logs plain text."""
    if not text.startswith(_SYSTEM_STARTS):
        return Text(text)
    found = _TEXT_REPORT.match(text)
    if found is None:
        return Platform("platform.text")
    status = _TEXT_STATUS.search(text)
    error, memory = _TEXT_ERROR.search(text), _TEXT_MEMORY.search(text)
    return Reported(
        found["request"],
        status[1] if status else "success",
        float(found["duration"]),
        error[1] if error else None,
        int(memory[1]) if memory else 0,
    )


def _report(record: Any) -> Line:
    given: Mapping[str, Any] = cast("Mapping[str, Any]", record) if isinstance(record, dict) else {}
    metrics: Mapping[str, Any] = given.get("metrics") or {}
    return Reported(
        str(given.get("requestId", "")),
        str(given.get("status", "")),
        float(metrics.get("durationMs") or 0),
        _text(given.get("errorType")),
        int(metrics.get("memorySizeMB") or 0),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def json_object(text: str) -> Mapping[str, Any] | None:
    """The JSON object that a text is; None for any other text."""
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else None

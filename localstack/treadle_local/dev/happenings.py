"""What `treadle dev` has to tell, as values; the CLI decides how it looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle_infra.app.findings import Finding
from treadle_local.observe.lines import Level
from treadle_local.observe.permissions import PermissionsReport


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that takes a while has begun."""

    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong with the project. `kept_running` is set when an earlier version goes on in spite of it."""

    findings: tuple[Finding, ...]
    kept_running: bool = False


@dataclass(frozen=True, slots=True)
class ResourceFailed:
    """A resource that CloudFormation could not make, with the step it came from."""

    logical_id: str
    resource_type: str
    reason: str
    step: str | None
    source: str | None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything is deployed and every queue is polled."""

    http_url: str
    ws_url: str
    aws_url: str
    clock: str
    seconds: float
    routes: tuple[tuple[str, str], ...]
    """(route key, step) pairs"""
    subscriptions: tuple[tuple[str, str], ...]
    """(topic, step) pairs"""
    curl: str | None = None
    """A command that calls the first route."""
    streams: tuple[str, ...] = ()
    schedules: tuple[PlannedFiring, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspected:
    """A step waits for a debugger on a loopback port."""

    step: str
    port: int


@dataclass(frozen=True, slots=True)
class PlannedFiring:
    """When a cron step runs next: `next` (aware) is None where it never will again. `timezone` None means UTC."""

    step: str
    expression: str
    timezone: str | None
    next: datetime | None


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The project was compiled and deployed anew; `steps` are those that changed, `removed` what is gone."""

    steps: tuple[str, ...]
    removed: tuple[str, ...]
    seconds: float
    parts: tuple[str, ...] = ()
    """What else changed: "stream `chat`", "authentication"; where there is neither step nor part, it is settings"""


@dataclass(frozen=True, slots=True)
class Mended:
    """Errors that were told are gone; `left` counts those that are still there."""

    errors: int
    left: int


@dataclass(frozen=True, slots=True)
class Requested:
    """An HTTP request was answered. `step` and `trace_id` are None where no step was reached."""

    method: str
    path: str
    status: int
    duration_ms: float
    step: str | None
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Handled:
    """A step has worked on a message, by its invocation record."""

    step: str
    record: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Logged:
    """A step's logger was called."""

    step: str
    level: Level
    message: str
    trace_id: str | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Printed:
    """A step wrote a line to its standard output or error."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Fired:
    """A step's schedule has come round. `time` is the moment that was planned, in UTC."""

    step: str
    schedule: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Connected:
    """A WebSocket client has connected."""

    connection_id: str
    path: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A WebSocket connection has ended. `code` is the close code, `seconds` how long it lasted."""

    connection_id: str
    code: int
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """A WebSocket client was not let in; `status` is the HTTP status that it got."""

    path: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Announced:
    """A stream's change was sent to those who follow it."""

    stream: str
    group: str
    id: str | None
    change: str
    """create, update, delete, or event for an ephemeral one"""
    delivered: int
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Denied:
    """A call was refused because the step's role does not allow it."""

    step: str
    action: str
    resource: str
    message: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something failed outside a handler; `text` says whether it is tried again, dead-lettered or given up."""

    step: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Permissions:
    """What each step was granted and what of it was used; told when the run ends, where that was asked for."""

    report: PermissionsReport


Happening = (
    Progress
    | Found
    | ResourceFailed
    | Ready
    | Inspected
    | Reloaded
    | Mended
    | Requested
    | Handled
    | Logged
    | Printed
    | Fired
    | Connected
    | Disconnected
    | Rejected
    | Announced
    | Denied
    | Trouble
    | Permissions
)
Tell = Callable[[Happening], None]

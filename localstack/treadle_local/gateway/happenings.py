"""What happens at WebSocket APIs, for whoever watches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connected:
    """A client has connected; `function` is the ARN of what `$connect` ran."""

    connection_id: str
    path: str
    function: str | None
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A client was not let in."""

    path: str
    status: int
    reason: str
    function: str | None
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Received:
    """A message was dealt with, or `$disconnect` was; `problem` says why it came to nothing.

    `route_key` is None where no route takes it.
    """

    connection_id: str
    route_key: str | None
    size: int
    function: str | None
    duration_ms: float
    problem: str | None


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection has ended, `seconds` after it began on the emulator's clock."""

    connection_id: str
    code: int
    reason: str
    seconds: float


SocketHappening = Connected | Refused | Received | Disconnected


def ignore(happening: SocketHappening) -> None:
    """For where nobody watches."""

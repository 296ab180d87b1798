"""Requests and responses of the emulator's listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

Headers = Sequence[tuple[str, str]]


@dataclass(slots=True)
class Request:
    """One HTTP request, whole. `path` is percent-encoded as sent; header names are in lower case and in order.

    `wants_websocket` says that it asks to go on as a WebSocket; an `Upgrade` is an answer to such a request only.
    """

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    client: str = "127.0.0.1"
    http_version: str = "1.1"
    wants_websocket: bool = False
    _index: dict[str, str] | None = field(default=None, repr=False)

    def header(self, name: str, default: str = "") -> str:
        """The value of a header by its lower-case name; the last one where it is repeated."""
        if self._index is None:
            self._index = dict(self.headers)
        return self._index.get(name, default)


@dataclass(slots=True)
class Response:
    """One HTTP response; Content-Length is added when it is sent."""

    status: int
    body: bytes = b""
    headers: Headers = ()


class Tenant(asyncio.Protocol):
    """What a connection is handed over to by an upgrade, `connection_made` first."""

    def shut_down(self) -> None:
        """The listener closes: ends the conversation in an orderly way, within a second."""
        raise NotImplementedError


@dataclass(slots=True)
class Upgrade:
    """The answer that accepts an upgrade: status 101 with these headers, then the connection is the tenant's.

    `abandoned` is called instead where the client has gone meanwhile.
    """

    headers: Headers
    tenant: Tenant
    abandoned: Callable[[], None]


Answer = Response | Upgrade
Handler = Callable[[Request], Answer | Awaitable[Answer]]
"""Answers at once where it can: a plain Response costs no task, nor does a future, which must not raise."""


def reason(status: int) -> str:
    """The reason phrase of a status, `Unknown` for one that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"

"""The Lambda Runtime API: what AWS's runtime clients poll for events and answer to.

Beside AWS's calls it has one of its own: an answer whose path ends in `/next` asks for the next event too.
One listener serves all environments; each has a path of its own that nobody can guess, since any process on the
machine can reach the port. Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from treadle_local.http.messages import Request, Response
from treadle_local.http.server import Listener, listen

_ACCEPTED = Response(202, b'{"status":"OK"}', (("content-type", "application/json"),))

_TURNS = 2
"""One until who invoked it goes on, one until that one's caller does."""


class RuntimeClient(Protocol):
    """One environment, as its runtime client sees it."""

    def next_event(self) -> Response | asyncio.Future[Response]:
        """Answers when there is an event to work on."""
        ...

    def responded(self, request_id: str, body: bytes) -> None: ...

    def failed(self, request_id: str, body: bytes) -> None: ...

    def init_failed(self, body: bytes) -> None: ...


class RuntimeApi:
    """Routes the runtime clients' calls to their environments."""

    def __init__(self) -> None:
        self._clients: dict[str, RuntimeClient] = {}
        self._listener: Listener | None = None

    async def start(self) -> None:
        self._listener = await listen(self._handle, "127.0.0.1", 0)

    async def close(self) -> None:
        if self._listener is not None:
            await self._listener.close()

    def address(self, token: str) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API for one environment."""
        assert self._listener is not None  # noqa: S101 - start() is the first call
        return f"127.0.0.1:{self._listener.port}/{token}"

    def attach(self, token: str, client: RuntimeClient) -> None:
        self._clients[token] = client

    def detach(self, token: str) -> None:
        self._clients.pop(token, None)

    def _handle(self, request: Request) -> Response | asyncio.Future[Response]:
        # /<token>/2018-06-01/runtime/<...>
        segments = request.path.split("/")
        client = self._clients.get(segments[1]) if len(segments) > 4 else None
        if client is None:
            return Response(403, b'{"errorMessage":"no such environment","errorType":"Forbidden"}')
        match request.method, segments[4:]:
            case "GET", ["invocation", "next"]:
                return client.next_event()
            case "POST", ["invocation", request_id, "response", *more]:
                client.responded(request_id, request.body)
                return client.next_event() if more == ["next"] else _accepted_later()
            case "POST", ["invocation", request_id, "error", *more]:
                client.failed(request_id, request.body)
                return client.next_event() if more == ["next"] else _accepted_later()
            case "POST", ["init", "error"]:
                client.init_failed(request.body)
            case _:
                return Response(404, b'{"errorMessage":"no such path","errorType":"NotFound"}')
        return _ACCEPTED


def _accepted_later() -> asyncio.Future[Response]:
    """Some turns of the event loop later: it wakes the process, and who waits for its answer is to have that first."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[Response] = loop.create_future()

    def wait(turns: int) -> None:
        if turns:
            loop.call_soon(wait, turns - 1)
        elif not accepted.done():  # the process may have gone
            accepted.set_result(_ACCEPTED)

    wait(_TURNS)
    return accepted

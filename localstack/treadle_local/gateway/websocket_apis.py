"""The data plane of WebSocket APIs: connections, the functions behind their routes, and what is sent to clients."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, cast

from treadle_local.apigateway.service import ApiGateway
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Region
from treadle_local.clock import Clock
from treadle_local.functions.model import InvokeOutcome
from treadle_local.gateway import websocket_event as event
from treadle_local.gateway.happenings import Connected, Disconnected, Received, Refused, SocketHappening
from treadle_local.gateway.http_api import INVOCATION_PATH
from treadle_local.gateway.invocation import Invoker
from treadle_local.gateway.websocket_connection import Connection, RefusalError
from treadle_local.gateway.websocket_limits import Limits
from treadle_local.gateway.websocket_routes import Route, WebSocketTable, websocket_table
from treadle_local.http.messages import Answer, Headers, Request, Response, Upgrade
from treadle_local.http.websocket import UnreadError, WebSocket, handshake

_FORBIDDEN = "Forbidden"
_FAILED = "Internal server error"
_TIMED_OUT = "Endpoint request timed out"
_GONE = (1006, "the client was gone before it was let in")
_SUBPROTOCOL = "sec-websocket-protocol"
_log = logging.getLogger("treadle.websocket")


class WebSocketApis:
    """All WebSocket APIs. Connections outlive their routes and their stage, but not their API: see `drop`.

    Messages of one connection start in the order in which they came and then run side by side, as API Gateway
    promises no order; MOST_AT_ONCE of them, then the client is not read from.
    """

    def __init__(
        self,
        region: Region,
        clock: Clock,
        api_gateway: ApiGateway,
        invoker: Invoker,
        on_happening: Callable[[SocketHappening], None],
        quiet: Callable[[], bool] = lambda: True,
    ) -> None:
        self._region = region
        self._clock = clock
        self._api_gateway = api_gateway
        self._invoker = invoker
        self._on_happening = on_happening
        self._connecting = 0
        self._connections: dict[str, Connection] = {}
        self._limits = Limits(clock, self._connections.values, quiet)
        self._tasks: set[asyncio.Task[None]] = set()

    def drop(self, api_id: str) -> None:
        """Ends the connections to an API that is gone."""
        for connection in tuple(self._connections.values()):
            if connection.client.api_id == api_id:
                connection.expire()

    def is_quiet(self) -> bool:
        """Whether no client waits for an answer to its connecting, and no function for a message runs."""
        return not self._tasks and not self._connecting

    def find(self, connection_id: str) -> Connection | None:
        """An open connection; not one whose `$connect` is still running."""
        return self._connections.get(connection_id)

    async def close(self) -> None:
        """Ends all work; the sockets are the listeners' to end."""
        await self._limits.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # connecting

    def upgrade_path(self, request: Request) -> Coroutine[Any, Any, Answer]:
        """Answers an upgrade below INVOCATION_PATH; what follows the stage does not matter."""
        api_id, _, rest = request.path.removeprefix(INVOCATION_PATH).partition("/")
        return self.upgrade(request, api_id, rest.partition("/")[0].replace("%24", "$"))

    async def upgrade(self, request: Request, api_id: str, stage: str) -> Answer:
        """Accepts or refuses a client as the API's `$connect` route does, whatever the path.

        A web page of any origin may connect, as to API Gateway, which does not look at `Origin`.
        """
        started = time.perf_counter()
        self._connecting += 1
        route = None
        try:
            accepted = handshake(request)
            if accepted.status != 101:
                raise RefusalError(accepted.status, "malformed WebSocket handshake", accepted)
            table = self._table(api_id, stage)
            if table is None:
                raise RefusalError(403, _FORBIDDEN)
            route = table.routes.get(event.CONNECT)
            connection = self._connection(request, api_id, stage)
            chosen = await self._connect_unless_gone(connection, route, request)
        except RefusalError as refusal:
            duration_ms = (time.perf_counter() - started) * 1000
            self._on_happening(Refused(request.path, refusal.status, refusal.reason, _function(route), duration_ms))
            return refusal.response
        finally:
            self._connecting -= 1
        duration_ms = (time.perf_counter() - started) * 1000
        connection.welcome = Connected(connection.client.connection_id, request.path, _function(route), duration_ms)
        connection.socket = WebSocket(connection)
        client = connection.client
        return Upgrade((*accepted.headers, *chosen), connection.socket, lambda: self._gone(client))

    def _connection(self, request: Request, api_id: str, stage: str) -> Connection:
        client = event.Client(
            event.new_id(),
            api_id,
            stage,
            request.header("host"),
            request.client,
            request.header("user-agent"),
            self._clock.now(),
        )
        return Connection(client, self)

    async def _connect_unless_gone(self, connection: Connection, route: Route | None, request: Request) -> Headers:
        """What `_connect` gives; where the client goes meanwhile, `$disconnect` follows on what `$connect` began."""
        work = asyncio.ensure_future(self._connect(connection, route, request))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._spawn(self._abandon(connection.client, work))
            raise

    async def _abandon(self, client: event.Client, connecting: asyncio.Future[Headers]) -> None:
        try:
            await connecting
        except RefusalError:
            return
        await self._disconnect(client, *_GONE)

    def _gone(self, client: event.Client) -> None:
        self._spawn(self._disconnect(client, *_GONE))

    async def _connect(self, connection: Connection, route: Route | None, request: Request) -> Headers:
        """The headers that `$connect` adds to the acceptance. Raises RefusalError.

        Without a route or an integration everybody is let in. The statuses are those that AWS's users see: the
        function's own where it is not 2xx, 502 where the function fails; AWS's page has 401 and 403 only.
        Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html
        """
        if route is None or route.integration is None:
            return ()
        client, request_id = connection.client, event.new_id()
        payload = event.connect_event(client, request, request_id, self._clock.now())
        try:
            outcome = await self._invoke(client, route, payload, request_id)
        except AwsError as refusal:
            raise RefusalError.for_client(500, refusal.message, _FAILED, client, request_id) from refusal
        if outcome is None:
            raise RefusalError.for_client(504, "the function takes too long", _TIMED_OUT, client, request_id)
        if outcome.function_error is not None:
            raise RefusalError.for_client(502, "the function failed", _FAILED, client, request_id)
        result = _object(outcome.payload)
        status = _status(result.get("statusCode"))
        if status is None:
            raise RefusalError.for_client(502, "the function returned no statusCode", _FAILED, client, request_id)
        if not 200 <= status <= 299:
            raise RefusalError(status, "the function refused it", Response(status, _body(result)))
        return _subprotocol(result)

    # what a connection tells

    def opened(self, connection: Connection) -> None:
        """The client knows that it is connected: from here on the connection exists."""
        self._connections[connection.client.connection_id] = connection
        connection.active()
        self._limits.watch()
        if connection.welcome is not None:
            self._on_happening(connection.welcome)

    def received(self, connection: Connection, text: str) -> None:
        self._spawn(self._message(connection, text))

    def ended(self, connection: Connection, code: int, reason: str, *, announce: bool) -> None:
        client = connection.client
        del self._connections[client.connection_id]
        seconds = self._clock.now() - client.connected_at
        self._on_happening(Disconnected(client.connection_id, code, reason, seconds))
        if announce:
            self._spawn(self._disconnect(client, code, reason))

    def now(self) -> float:
        return self._clock.now()

    # messages

    async def _message(self, connection: Connection, text: str) -> None:
        started = time.perf_counter()
        client, request_id, at_ms = connection.client, event.new_id(), connection.next_message_ms(self._clock.now())
        route, problem = None, None
        try:
            table = self._table(client.api_id, client.stage)
            route = table.select(text) if table is not None else None
            if route is None:
                problem = "no route takes it"
                _tell(connection, _FORBIDDEN, request_id)
            else:
                payload = event.message_event(client, route.key, text, request_id, at_ms / 1000)
                problem = await self._problem_of(client, route, payload, request_id)
                if problem is not None:
                    _tell(connection, _FAILED, request_id)
        finally:
            connection.done()
        self._say_received(client, route, len(text.encode()), started, problem)

    async def _disconnect(self, client: event.Client, code: int, reason: str) -> None:
        """Best effort, as at API Gateway: whatever comes of it, nobody waits for it."""
        started = time.perf_counter()
        table = self._table(client.api_id, client.stage)
        route = table.routes.get(event.DISCONNECT) if table is not None else None
        if route is not None:
            request_id = event.new_id()
            payload = event.disconnect_event(client, code, reason, request_id, self._clock.now())
            problem = await self._problem_of(client, route, payload, request_id)
            self._say_received(client, route, 0, started, problem)

    def _say_received(
        self, client: event.Client, route: Route | None, size: int, started: float, problem: str | None
    ) -> None:
        key = route.key if route is not None else None
        duration_ms = (time.perf_counter() - started) * 1000
        self._on_happening(Received(client.connection_id, key, size, _function(route), duration_ms, problem))

    async def _problem_of(self, client: event.Client, route: Route, payload: bytes, request_id: str) -> str | None:
        """Runs a route's function; None when it went well. What it returns is of no interest to anybody."""
        if route.integration is None:
            return "the route has no integration"
        try:
            outcome = await self._invoke(client, route, payload, request_id)
        except AwsError as refusal:
            return refusal.message
        if outcome is None:
            return "the function takes too long"
        return "the function failed" if outcome.function_error is not None else None

    async def _invoke(
        self, client: event.Client, route: Route, payload: bytes, request_id: str
    ) -> InvokeOutcome | None:
        assert route.integration is not None  # noqa: S101 - both callers have looked
        source_arn = self._region.arn("execute-api", f"{client.api_id}/{client.stage}/{route.key}")
        self._invoker.check_policy(route.integration, source_arn)
        return await self._invoker.invoke(route.integration, payload, request_id)

    # routes

    def _table(self, api_id: str, stage: str) -> WebSocketTable | None:
        """The routes that a stage serves; None where there is no such stage of a WebSocket API."""
        deployment = self._api_gateway.find_deployment(api_id, stage)
        if deployment is None or deployment.protocol != "WEBSOCKET":
            return None
        return None if deployment.settings.get("DisableExecuteApiEndpoint") else websocket_table(deployment)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            _log.error("a WebSocket message came to nothing", exc_info=problem)


def _tell(connection: Connection, message: str, request_id: str) -> None:
    try:
        connection.send(RefusalError.text(message, connection.client, request_id))
    except UnreadError:
        return  # it does not read what it was sent before either


def _function(route: Route | None) -> str | None:
    return route.integration.function_arn if route is not None and route.integration is not None else None


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        result = json.loads(payload)
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", result) if isinstance(result, dict) else {}


def _status(value: object) -> int | None:
    try:
        status = int(cast("str", value))
    except (TypeError, ValueError):
        return None
    return status if 200 <= status <= 599 else None


def _body(result: Mapping[str, Any]) -> bytes:
    body = result.get("body") or ""
    return (body if isinstance(body, str) else json.dumps(body)).encode("utf-8", "surrogatepass")


def _subprotocol(result: Mapping[str, Any]) -> Headers:
    """The only header of the function's that reaches the client.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html
    """
    headers = result.get("headers")
    if not isinstance(headers, dict):
        return ()
    given = cast("Mapping[str, object]", headers)
    return tuple(
        (_SUBPROTOCOL, str(value).replace("\r", " ").replace("\n", " "))
        for name, value in given.items()
        if name.lower() == _SUBPROTOCOL
    )[:1]

"""The data plane of HTTP APIs: routes as API Gateway keeps them, functions invoked as their role or policy allows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from treadle_local.apigateway.service import ApiGateway
from treadle_local.apigateway.store import Deployment
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Region
from treadle_local.clock import Clock
from treadle_local.functions.invocation import MAXIMUM_SYNCHRONOUS_BYTES
from treadle_local.gateway import cors, event
from treadle_local.gateway.invocation import Invoker
from treadle_local.gateway.routes import Match, route_table
from treadle_local.http.messages import Request, Response
from treadle_local.ids import new_uuid

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_HEADER_BYTES = 10_240
"""The request line and the values of all headers together.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
"""

INVOCATION_PATH = "/_aws/execute-api/"
"""Any API of the emulator answers at `/_aws/execute-api/<api id>/<stage>/<path>` on the AWS port."""

_log = logging.getLogger("treadle.gateway")
_REFUSALS = {"ForbiddenException": event.FORBIDDEN}


class Exchange(NamedTuple):
    """One answered request, for whoever watches."""

    method: str
    path: str
    status: int
    duration_ms: float
    function: str | None
    trace_id: str | None
    api_id: str = ""
    stage: str = ""


@dataclass(slots=True)
class _Asked:
    """A request on its way to its answer."""

    request: Request
    api_id: str
    stage: str
    path: str
    started: float
    answer: asyncio.Future[Response]
    is_settled: bool = False


class HttpApis:
    """All HTTP APIs."""

    def __init__(
        self,
        region: Region,
        clock: Clock,
        api_gateway: ApiGateway,
        invoker: Invoker,
        on_exchange: Callable[[Exchange], None],
    ) -> None:
        self._region = region
        self._clock = clock
        self._api_gateway = api_gateway
        self._invoker = invoker
        self._on_exchange = on_exchange
        self._working: set[asyncio.Task[None]] = set()

    def answer_path(self, request: Request) -> asyncio.Future[Response]:
        """Answers a request below INVOCATION_PATH."""
        rest = request.path.removeprefix(INVOCATION_PATH)
        api_id, _, rest = rest.partition("/")
        stage, slash, path = rest.partition("/")
        return self.answer(request, api_id, stage.replace("%24", "$"), slash + path or "/")

    def with_route(self, api_ids: Sequence[str], request: Request) -> str:
        """The first of these APIs whose default stage has a route for the request; the very first where none has."""
        for api_id in api_ids:
            deployment = self._deployment(api_id, "$default")
            if deployment is not None and route_table(deployment).match(request.method, request.path) is not None:
                return api_id
        return api_ids[0]

    def answer(self, request: Request, api_id: str, stage: str, path: str) -> asyncio.Future[Response]:
        """Answers a request to an API as API Gateway does, its error bodies included. The future raises nothing."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Response] = loop.create_future()
        # not the listener's task: the function goes on when API Gateway, or its client, has given up on it
        work = loop.create_task(self._answer(_Asked(request, api_id, stage, path, time.perf_counter(), answer)))
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        return answer

    async def _answer(self, asked: _Asked) -> None:
        request, deployment, match = asked.request, None, None
        try:
            deployment = self._deployment(asked.api_id, asked.stage)
            match = route_table(deployment).match(request.method, asked.path) if deployment is not None else None
            if match is None:
                response = event.NOT_FOUND
            elif _header_bytes(request) > MAX_HEADER_BYTES:
                response = event.HEADERS_TOO_LARGE
            elif len(request.body) > MAX_BODY_BYTES:
                response = event.TOO_LARGE
            else:
                response = await self._integrate(asked, match, deployment)
        except AwsError as refusal:
            response = _REFUSALS.get(refusal.code, event.FAILED)
        except asyncio.CancelledError:  # the emulator stops
            asked.answer.cancel()
            raise
        except Exception:
            _log.exception("an API failed on %s %s", request.method, request.path)
            response = event.FAILED
        self._settle(asked, match, deployment, response)

    def _settle(self, asked: _Asked, match: Match | None, deployment: Deployment | None, response: Response) -> None:
        """Answers and tells of it, unless the integration's time was over before."""
        request = asked.request
        if asked.is_settled:
            return
        asked.is_settled = True
        if deployment is not None and (configuration := deployment.settings.get("CorsConfiguration")):
            if match is None and request.method == "OPTIONS":
                response = cors.options_response(configuration, request)
            else:
                response = cors.with_cors(configuration, request, response)
        if not asked.answer.done():  # else the client has gone
            asked.answer.set_result(response)
        duration_ms = (time.perf_counter() - asked.started) * 1000
        function = match.integration.function_arn if match is not None else None
        trace_id = next((value for name, value in response.headers if name == "x-trace-id"), None)
        path, api_id, stage = asked.path, asked.api_id, asked.stage
        self._on_exchange(
            Exchange(request.method, path, response.status, duration_ms, function, trace_id, api_id, stage)
        )

    async def _integrate(self, asked: _Asked, match: Match, deployment: Deployment | None) -> Response:
        request, api_id, stage = asked.request, asked.api_id, asked.stage
        path = asked.path if stage == "$default" else f"/{stage}{asked.path}"
        payload = event.http_event(
            request, match, api_id=api_id, stage=stage, path=path, region=self._region, now=self._clock.now()
        )
        if len(payload) > MAXIMUM_SYNCHRONOUS_BYTES:
            return event.FAILED  # Lambda takes no event of that size, and API Gateway does not say so
        self._invoker.check_policy(match.integration, self._source_arn(api_id, stage, request.method, match.route_key))
        late = partial(self._settle, asked, match, deployment, event.UNAVAILABLE)
        timer = asyncio.get_running_loop().call_later(self._invoker.patience_seconds(match.integration), late)
        try:
            outcome = await self._invoker.run(match.integration, payload, new_uuid())
        finally:
            timer.cancel()
        if outcome.function_error is not None:
            return event.FAILED
        return event.http_response(outcome.payload)

    def _source_arn(self, api_id: str, stage: str, method: str, route_key: str) -> str:
        """The ARN of a request to a route, as a function's policy names it.

        Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html
        """
        _, space, route_path = route_key.partition(" ")
        return self._region.arn("execute-api", f"{api_id}/{stage}/{method + route_path if space else route_key}")

    def _deployment(self, api_id: str, stage: str) -> Deployment | None:
        """What answers at a stage; None where nothing does. Raises: AwsError ForbiddenException for a WebSocket API."""
        deployment = self._api_gateway.find_deployment(api_id, stage)
        if deployment is None or deployment.settings.get("DisableExecuteApiEndpoint"):
            return None
        if deployment.protocol == "WEBSOCKET":
            raise AwsError("ForbiddenException", "a WebSocket API takes no requests but upgrades", status=403)
        return deployment


def _header_bytes(request: Request) -> int:
    target = f"{request.path}?{request.query}" if request.query else request.path
    line = f"{request.method} {target} HTTP/{request.http_version}"
    return len(line) + sum(len(value) for _, value in request.headers)

"""The emulator put together: one AWS endpoint, its services, the functions and the queue pollers behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from treadle_infra.interpreters import Interpreter
from treadle_local.apigateway.service import ApiGateway
from treadle_local.aws.authorization.policy import resource_policy_allows
from treadle_local.aws.endpoint import Endpoint
from treadle_local.aws.errors import AwsError, access_denied
from treadle_local.aws.identity import Denial, Identity
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.aws.services import NotBuilt, Services
from treadle_local.aws.sts import Sts
from treadle_local.clock import LONGEST_ADVANCE_SECONDS, Clock, ManualClock
from treadle_local.cloudformation.events import StackEvent
from treadle_local.cloudformation.service import CloudFormation
from treadle_local.dynamodb.service import DynamoDbItems
from treadle_local.dynamodb.streams_service import DynamoDbStreams
from treadle_local.functions.logs import LogLine
from treadle_local.functions.model import FunctionVersion, InvokeOutcome, InvokeRequest
from treadle_local.functions.pollers import Batch, Pollers
from treadle_local.functions.runtime import Runtime, SessionCredentials
from treadle_local.functions.service import LambdaService
from treadle_local.functions.stream_pollers import StreamPollers
from treadle_local.gateway.connections import Connections, is_connections_path
from treadle_local.gateway.happenings import SocketHappening, ignore
from treadle_local.gateway.http_api import INVOCATION_PATH, Exchange, HttpApis
from treadle_local.gateway.websocket_apis import WebSocketApis
from treadle_local.http.messages import Answer, Request, Response
from treadle_local.http.server import Listener, listen
from treadle_local.logs.service import Logs
from treadle_local.schedules.happenings import ScheduleHappening, log_trouble
from treadle_local.schedules.service import Schedules
from treadle_local.sns.service import Sns
from treadle_local.sqs.service import Sqs

_CODE_PATH = "/__treadle/code/"
_CALLBACKS_AT_ONCE = 500
_PENDING_EVENTS = 1_000
"""So many events of asynchronous invocations may be under way before the clock is turned on."""
_NO_FORMS = (
    "add the header `content-type: application/json` (curl: -H 'content-type: application/json'): "
    "without it this could come from any web page that is open in a browser on this machine"
)


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told what happens inside; each is called on the event loop's thread and must not block."""

    stack_event: Callable[[StackEvent], None]
    exchange: Callable[[Exchange], None]
    batch: Callable[[Batch], None]
    log: Callable[[LogLine], None]
    denied: Callable[[Denial], None]
    undelivered: Callable[[str, str, str], None]
    dropped: Callable[[str, str], None]
    schedule: Callable[[ScheduleHappening], None] = log_trouble
    socket: Callable[[SocketHappening], None] = ignore


class Emulator:
    """AWS on a loopback port. `start` binds it, `close` leaves no process, no task and no thread behind."""

    def __init__(
        self,
        *,
        moto: Moto,
        region: Region,
        clock: Clock,
        watcher: Watcher,
        interpreter: Interpreter,
        runtime_folder: Callable[[], Path],
        code_cache: Path,
        local_environment: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.region = region
        self.clock = clock
        self.moto = moto
        self._watcher = watcher
        self.local_environment = local_environment
        self._listener: Listener | None = None
        self._unlogged: set[str] = set()
        self._turning = asyncio.Lock()
        self.items = DynamoDbItems(region, clock, lambda _table: None)
        self.services = Services(moto, self.items)
        self.api_gateway = ApiGateway(region, clock)
        self.logs = Logs(region, clock, moto)
        self.identity = Identity(moto.role, clock.now, watcher.denied)
        self.sqs = Sqs(region, clock)
        self.sns = Sns(region, clock, self.sqs, queue_accepts, watcher.undelivered)
        self.runtime = Runtime(region, self, interpreter, runtime_folder, code_cache)
        self.functions = LambdaService(region, clock, self, watcher.dropped)
        self.cloudformation = CloudFormation(region, clock, self, watcher.stack_event)
        self.apis = HttpApis(region, clock, self.api_gateway, self.functions, self.identity, watcher.exchange)
        self.web_sockets = WebSocketApis(
            region, clock, self.api_gateway, self.functions, self.identity, watcher.socket, self.quiet
        )
        self.connections = Connections(region, self.identity, self.web_sockets)
        self.pollers = Pollers(region, clock, self.identity, self.functions, self.sqs.resolve, watcher.batch)
        self.stream_pollers = StreamPollers(
            clock, self.identity, self.functions, self, self.items.streams.find, watcher.batch, watcher.dropped
        )
        self.schedules = Schedules(
            region, clock, moto, self.functions, self.sqs, self.sns, self.identity, self.trusts, watcher.schedule
        )
        self.services.own.update(
            {
                "apigateway": NotBuilt("apigateway"),
                "apigatewayv2": self.api_gateway,
                "events": self.schedules.events,
                "scheduler": self.schedules.scheduler,
                "dynamodbstreams": DynamoDbStreams(region, clock, self.items.streams),
                "sqs": self.sqs,
                "sns": self.sns,
                "lambda": self.functions,
                "logs": self.logs,
                "cloudformation": self.cloudformation,
                "sts": Sts(region, clock.now, self.identity, moto.role),
            }
        )
        self.services.on_change("iam", self.identity.invalidate)
        self.api_gateway.on_delete(self.web_sockets.drop)

    async def start(self, host: str, port: int) -> None:
        """Binds the AWS port. Raises TreadleError `port-busy`."""
        endpoint = Endpoint(self.region, self.services, self.identity, self._internal, self.connections.answer)
        await self.runtime.start()
        self._listener = await listen(endpoint, host, port)
        self.sqs.base_url = self.endpoint_url()
        self.functions.base_url = self.endpoint_url()

    async def close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        await self.web_sockets.close()
        await self.cloudformation.stop()
        self.schedules.close()
        await self.pollers.close()
        await self.stream_pollers.close()
        await self.functions.close()
        await self.runtime.close()
        self.moto.close()

    @property
    def port(self) -> int:
        assert self._listener is not None  # noqa: S101 - start() is the first call
        return self._listener.port

    def quiet(self) -> bool:
        """Whether nothing is under way: no invocation, no message or record on its way to one."""
        parts = (self.pollers.quiet, self.stream_pollers.quiet, self.schedules.quiet, self.functions.quiet)
        return all(part() for part in parts)

    # /__treadle and other addresses that are not AWS's

    def _internal(self, request: Request) -> Answer | Awaitable[Answer] | None:
        if request.path.startswith(INVOCATION_PATH):
            if is_connections_path(request.path):
                return None  # signed, as every call of AWS
            return self.web_sockets.upgrade_path(request) if request.wants_websocket else self.apis.answer_path(request)
        if request.path == "/__treadle/clock":
            return self._clock_request(request)
        if request.path.startswith(_CODE_PATH):
            package = self.functions.code(request.path.removeprefix(_CODE_PATH).removesuffix(".zip"))
            if package is not None:
                return Response(200, package.read(), (("content-type", "application/zip"),))
        return None

    def _clock_request(self, request: Request) -> Response | Awaitable[Response]:
        if request.method == "GET":
            return _json(200, {"now": self.clock.now(), "clock": self.clock.kind})
        if request.method != "POST":
            return _json(405, {"error": "GET tells the time; POST turns the clock"})
        if not request.header("content-type").startswith("application/json"):
            return _json(415, {"error": _NO_FORMS})
        if not isinstance(self.clock, ManualClock):
            return _json(409, {"error": "the clock is the real one; start with --clock manual to turn it by hand"})
        problem, end = _end_of_turn(self.clock, request.body)
        return self._turn(self.clock, end) if problem is None else _json(400, {"error": problem})

    async def _turn(self, clock: ManualClock, end: float) -> Response:
        """Turns the clock, with turns for others in between; a year of firings must not be accepted all at once."""
        async with self._turning:
            while not clock.advance_towards(end, _CALLBACKS_AT_ONCE):
                await asyncio.sleep(0)
                while self.functions.pending_events() > _PENDING_EVENTS:  # noqa: ASYNC110 - it is no event of anybody's
                    await asyncio.sleep(0.01)
        return _json(200, {"now": clock.now()})

    # what CloudFormation reaches services through

    async def call(self, service: str, operation: str, params: Params) -> Result:
        return await self.services.call(service, operation, params)

    # what the runtime needs around it

    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def credentials(self, role_arn: str, session: str) -> SessionCredentials:
        issued = self.identity.issue(role_arn.rsplit("/", 1)[-1], session)
        return SessionCredentials(issued.access_key, issued.secret_key, issued.token)

    def log(self, version: FunctionVersion, stream: str, line: LogLine) -> None:
        group = version.logging.group
        target = Target("logs:PutLogEvents", self.region.arn("logs", f"log-group:{group}:log-stream:{stream}"))
        caller = Caller(role=version.role_arn.rsplit("/", 1)[-1], session=version.name)
        if self.identity.allows(caller.role or "", target):
            self.logs.append(group, stream, line.text, line.time_ms)
        elif stream not in self._unlogged:  # said once for each environment: its lines are on the terminal all the same
            self._unlogged.add(stream)
            refusal = access_denied(caller.arn, target.action, target.resource)
            self._watcher.denied(Denial(caller, target.action, target.resource, refusal.message))
        self._watcher.log(line)

    # what the Lambda service needs around it

    async def read_object(self, bucket: str, key: str) -> bytes:
        found = await self.moto.call("s3", "GetObject", {"Bucket": bucket, "Key": key})
        body = found["Body"]
        if not isinstance(body, bytes):
            raise AwsError("InternalFailure", f"s3://{bucket}/{key} could not be read", status=500)
        return body

    def trusts(self, role_arn: str, service_principal: str) -> bool | None:
        role = self.moto.role(role_arn.rsplit("/", 1)[-1])
        if role is None:
            return None
        return resource_policy_allows(
            role.trust,
            "sts:AssumeRole",
            role_arn,
            principal_service=service_principal,
            principal_arn=None,
            context={"aws:SourceAccount": self.region.account},
        )

    def role_allows(self, role_arn: str, action: str, resource: str) -> bool:
        return self.identity.allows(role_arn.rsplit("/", 1)[-1], Target(action, resource))

    async def invoke(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        return await self.runtime.invoke(version, payload, request)

    def source_exists(self, arn: str) -> bool:
        return self.sqs.resolve(arn) is not None or self.items.streams.find(arn) is not None

    def queue_visibility_timeout(self, arn: str) -> int | None:
        queue = self.sqs.resolve(arn)
        return None if queue is None else queue.settings.visibility_timeout_seconds

    def function_changed(self, name: str) -> None:
        self.runtime.function_changed(name)

    def mappings_changed(self) -> None:
        self.pollers.refresh()
        self.stream_pollers.refresh()

    async def send_to(self, destination_arn: str, body: str) -> None:
        name = destination_arn.rsplit(":", 1)[-1]
        if ":sqs:" in destination_arn:
            url = f"{self.endpoint_url()}/{self.region.account}/{name}"
            await self.services.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": body})
        else:
            await self.services.call("sns", "Publish", {"TopicArn": destination_arn, "Message": body})


def queue_accepts(
    policy: dict[str, object], action: str, resource: str, service_principal: str, source_arn: str
) -> bool:
    """Whether a queue's policy lets a service send to it on behalf of a resource (a topic)."""
    return resource_policy_allows(
        policy,
        action,
        resource,
        principal_service=service_principal,
        principal_arn=None,
        context={"aws:SourceArn": source_arn},
    )


def _json(status: int, value: object) -> Response:
    return Response(status, json.dumps(value).encode(), (("content-type", "application/json"),))


def _end_of_turn(clock: ManualClock, body: bytes) -> tuple[str | None, float]:
    """What is wrong with the body, or the time that it turns the clock to."""
    try:
        wanted: object = json.loads(body)
    except ValueError:
        return 'the body is no JSON; it must be {"advance_seconds": n}', 0.0
    if not isinstance(wanted, dict) or "advance_seconds" not in wanted:
        return 'the body has no key "advance_seconds"; it must be {"advance_seconds": n}', 0.0
    seconds = cast("Mapping[str, object]", wanted)["advance_seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return f'"advance_seconds" must be a number, not {json.dumps(seconds, ensure_ascii=False)}', 0.0
    try:
        return None, clock.end_of(float(seconds))
    except (ValueError, OverflowError):
        return f'"advance_seconds" must be from 0 to {LONGEST_ADVANCE_SECONDS}: the clock goes forward only', 0.0

"""The emulator put together: one AWS endpoint, its services, the functions and the queue pollers behind it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from treadle_infra.interpreters import Interpreter
from treadle_local.apigateway.service import ApiGateway
from treadle_local.aws.authorization.buckets import BucketPolicies
from treadle_local.aws.authorization.resources import register
from treadle_local.aws.authorization.standing import SessionTerms
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
from treadle_local.cloudwatch.actions import Receivers
from treadle_local.cloudwatch.published import ApiMetrics, FunctionMetrics, ScheduleMetrics
from treadle_local.cloudwatch.published_queues import QueueMetrics
from treadle_local.cloudwatch.series import Metrics
from treadle_local.cloudwatch.service import CloudWatch
from treadle_local.dynamodb.dynamodb import DynamoDb
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
from treadle_local.gateway.invocation import Invoker
from treadle_local.gateway.websocket_apis import WebSocketApis
from treadle_local.http.messages import Answer, Request, Response
from treadle_local.http.server import Listener, listen
from treadle_local.iam.service import Iam
from treadle_local.logs.service import Logs
from treadle_local.observe.permissions import PermissionsReport, as_json, report
from treadle_local.observe.policies import resources_with_policies
from treadle_local.persist.persistence import Persistence
from treadle_local.schedules.happenings import Firing, ScheduleHappening, Undelivered, log_trouble
from treadle_local.schedules.service import Schedules
from treadle_local.secretsmanager.service import SecretsManager
from treadle_local.sns.service import Sns
from treadle_local.sqs.service import Sqs
from treadle_local.ssm.service import Ssm

_CODE_PATH = "/__treadle/code/"
_CALLBACKS_AT_ONCE = 500
_PATIENCE_SECONDS = 0.5
"""Real ones, for which the clock waits at most before it is turned."""
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
        local_environment: Callable[[str], Mapping[str, str]] = lambda _function: {},
        project_folder: Callable[[str], Path | None] = lambda _function: None,
        persistence: Persistence | None = None,
    ) -> None:
        self.region = region
        self.clock = clock
        self.moto = moto
        self.unlimited_objects: set[tuple[str, str]] = set()
        """Buckets and keys of layers that may have any size."""
        self._watcher = watcher
        self._persistence = persistence
        self.local_environment = local_environment
        self.project_folder = project_folder
        self._listener: Listener | None = None
        self._unlogged: set[str] = set()
        self._log_streams: set[tuple[str, str]] = set()
        self._turning = asyncio.Lock()
        self.items = DynamoDbItems(region, clock, lambda _table: None)
        self.dynamodb = DynamoDb(region, clock, self.items)
        self.services = Services(moto)
        self.api_gateway = ApiGateway(region, clock)
        metrics = Metrics()
        self.logs = Logs(region, clock, metrics)
        self.iam = Iam(region, clock, lambda: self.identity.invalidate())
        self.identity = Identity(self.iam.role, clock.now, watcher.denied, region)
        self.buckets = BucketPolicies()
        self.sqs = Sqs(region, clock)
        self.runtime = Runtime(region, self, interpreter, runtime_folder, code_cache)
        self.logs.catch_up = self.runtime.report
        self.functions = LambdaService(region, clock, self, watcher.dropped)
        self.sns = Sns(region, clock, self.sqs, self.functions, self._queue_accepts, watcher.undelivered)
        self.cloudwatch = CloudWatch(
            region, clock, metrics, Receivers(self.sns, self.functions, self.functions.resource_policy)
        )
        self._function_metrics = FunctionMetrics(metrics, clock)
        self._api_metrics = ApiMetrics(metrics, clock)
        self._schedule_metrics = ScheduleMetrics(metrics, clock)
        self.functions.on_throttled(self._function_metrics.throttled)
        self._queue_metrics = QueueMetrics(metrics, clock)
        self.sqs.on_queue(self._queue_metrics.add)
        self.cloudformation = CloudFormation(region, clock, self, self._stack_event)
        invoker = Invoker(self.functions, self.identity, self.runtime.is_inspected)
        self.apis = HttpApis(region, clock, self.api_gateway, invoker, self._exchanged)
        self.web_sockets = WebSocketApis(region, clock, self.api_gateway, invoker, watcher.socket, self.quiet)
        self.connections = Connections(region, self.identity, self.web_sockets)
        self.pollers = Pollers(region, clock, self.identity, self.functions, self.sqs.resolve, watcher.batch)
        self.stream_pollers = StreamPollers(
            clock, self.identity, self.functions, self, self.items.streams.find, watcher.batch, watcher.dropped
        )
        self.schedules = Schedules(
            region, clock, moto, self.functions, self.sqs, self.sns, self.identity, self.trusts, self._scheduled
        )
        self.services.own.update(
            {
                "apigateway": NotBuilt("apigateway"),
                "apigatewayv2": self.api_gateway,
                "events": self.schedules.events,
                "scheduler": self.schedules.scheduler,
                "dynamodb": self.dynamodb,
                "dynamodbstreams": DynamoDbStreams(region, clock, self.items.streams),
                "sqs": self.sqs,
                "sns": self.sns,
                "secretsmanager": SecretsManager(region, clock),
                "ssm": Ssm(region, clock),
                "iam": self.iam,
                "lambda": self.functions,
                "logs": self.logs,
                "cloudformation": self.cloudformation,
                "cloudwatch": self.cloudwatch,
                "sts": Sts(region, clock.now, self.identity, self.iam.role, self.iam.policy_document),
            }
        )
        self.services.on_change("s3", self.buckets.changed)
        register(self.identity.resources, {**self.services.own, "s3": self.buckets})
        self.api_gateway.on_delete(self.web_sockets.drop)

    async def start(self, host: str, port: int) -> None:
        """Binds the AWS port. Raises TreadleError `port-busy`."""
        if self._persistence is not None:
            await self._persistence.attach(self.items, self.sqs, self._tags_of, self.call)
        endpoint = Endpoint(
            self.region, self.services, self.identity, self._internal, self.connections.answer, self._persistence
        )
        await self.runtime.start()
        self._listener = await listen(endpoint, host, port)
        self.sqs.base_url = self.endpoint_url()
        self.dynamodb.base_url = self.endpoint_url()
        self.functions.base_url = self.endpoint_url()

    async def close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        await self.web_sockets.close()
        await self.cloudformation.stop()
        self.schedules.close()
        self.cloudwatch.close()
        self._queue_metrics.close()
        await self.pollers.close()
        await self.stream_pollers.close()
        await self.functions.close()
        await self.runtime.close()
        if self._persistence is not None:
            self._persistence.close()
        self.moto.close()

    @property
    def port(self) -> int:
        assert self._listener is not None  # noqa: S101 - start() is the first call
        return self._listener.port

    def quiet(self) -> bool:
        """Whether nothing is under way: no invocation, no message or record on its way to one, no turn of the clock."""
        parts = (self.pollers.quiet, self.stream_pollers.quiet, self.schedules.quiet, self.functions.quiet)
        return not self._turning.locked() and all(part() for part in parts)

    # /__treadle and other addresses that are not AWS's

    def _internal(self, request: Request) -> Answer | Awaitable[Answer] | None:
        if request.path.startswith(INVOCATION_PATH):
            if is_connections_path(request.path):
                return None  # signed, as every call of AWS
            return self.web_sockets.upgrade_path(request) if request.wants_websocket else self.apis.answer_path(request)
        if request.path == "/__treadle/iam":
            return self._permissions_request(request)
        if request.path == "/__treadle/clock":
            return self._clock_request(request)
        if request.path.startswith(_CODE_PATH):
            package = self.functions.code(request.path.removeprefix(_CODE_PATH).removesuffix(".zip"))
            if package is not None:
                return Response(200, package.read(), (("content-type", "application/zip"),))
        return None

    async def _permissions_request(self, request: Request) -> Response:
        if request.method != "GET":
            return _json(405, {"error": "GET tells what is granted and what of it was used"})
        return _json(200, as_json(await self.permissions()))

    async def permissions(self) -> PermissionsReport:
        """What roles and resources are granted, and what of it was used since the emulator started."""
        policies: dict[str, dict[str, Mapping[str, object]]] = {}
        for arn in await resources_with_policies(self.services, self.region):
            document = self.identity.resources.document(arn)
            if document is not None:
                policies[arn] = {"policy": document}
        return report(self.iam.granted(), policies, self.identity.usage)

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
        await self._settled()
        async with self._turning:
            while not clock.advance_towards(end, _CALLBACKS_AT_ONCE):
                await asyncio.sleep(0)
                while self.functions.pending_events() > _PENDING_EVENTS:  # noqa: ASYNC110 - it is no event of anybody's
                    await asyncio.sleep(0.01)
            if self._persistence is not None:
                self._persistence.keep_clock(clock.now())
                self._persistence.settle()
        return _json(200, {"now": clock.now()})

    async def _settled(self) -> None:
        """Returns when nothing is under way: what a step is doing now takes no day. A step that hangs may be timed."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not self.quiet() and time.monotonic() < end:  # noqa: ASYNC110 - to be quiet is no event of anybody's
            await asyncio.sleep(0.005)

    def _tags_of(self, service: str, name: str) -> Mapping[str, str]:
        resource = f"table/{name}" if service == "dynamodb" else name
        return self.identity.resources.tags(self.region.arn(service, resource))

    # what CloudFormation reaches services through

    async def call(self, service: str, operation: str, params: Params) -> Result:
        return await self.services.call(service, operation, params)

    # what is noted on its way to whoever watches

    def _stack_event(self, event: StackEvent) -> None:
        if self._persistence is not None:
            self._persistence.rollbacks.watch(event)
        self._watcher.stack_event(event)

    def _exchanged(self, exchange: Exchange) -> None:
        self._api_metrics.count(exchange.api_id, exchange.stage, exchange.status, exchange.duration_ms)
        self._watcher.exchange(exchange)

    def _scheduled(self, happening: ScheduleHappening) -> None:
        if isinstance(happening, Firing):
            self._schedule_metrics.fired(happening.source_arn, happening.name)
        elif isinstance(happening, Undelivered):
            self._schedule_metrics.failed(happening.source_arn, happening.name)
        self._watcher.schedule(happening)

    # what the runtime needs around it

    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def credentials(self, role_arn: str, session: str) -> SessionCredentials:
        function_arn = self.region.arn("lambda", f"function:{session}")
        terms = SessionTerms(keys={"lambda:SourceFunctionArn": function_arn})
        issued = self.identity.issue(role_arn.rsplit("/", 1)[-1], session, terms=terms)
        return SessionCredentials(issued.access_key, issued.secret_key, issued.token)

    def log(self, version: FunctionVersion, stream: str, lines: Sequence[LogLine]) -> None:
        group = version.logging.group
        resource = self.region.arn("logs", f"log-group:{group}:log-stream:{stream}")
        caller = Caller(role=version.role_arn.rsplit("/", 1)[-1], session=version.name)
        begun = (group, stream) in self._log_streams
        actions = ("logs:PutLogEvents",) if begun else ("logs:CreateLogStream", "logs:PutLogEvents")
        wanted = [Target(action, resource) for action in actions]
        target = next((one for one in wanted if not self.identity.allows(caller.role or "", one)), None)
        if target is None:
            self._log_streams.add((group, stream))
            for line in lines:
                self.logs.append(group, stream, line.text, line.time_ms)
        elif stream not in self._unlogged:  # said once for each environment: its lines are on the terminal all the same
            self._unlogged.add(stream)
            refusal = access_denied(caller.arn, target.action, target.resource)
            self._watcher.denied(Denial(caller, target.action, target.resource, refusal.message))
        for line in lines:
            self._watcher.log(line)

    # what the Lambda service needs around it

    def is_unlimited(self, bucket: str, key: str) -> bool:
        return (bucket, key) in self.unlimited_objects

    async def read_object(self, bucket: str, key: str) -> bytes:
        deposited = self.moto.deposited(bucket, key)
        if deposited is not None:
            return deposited
        found = await self.moto.call("s3", "GetObject", {"Bucket": bucket, "Key": key})
        body = found["Body"]
        if not isinstance(body, bytes):
            raise AwsError("InternalFailure", f"s3://{bucket}/{key} could not be read", status=500)
        return body

    def trusts(self, role_arn: str, service_principal: str, source_arn: str | None = None) -> bool | None:
        return self.identity.trusts(role_arn, service_principal, source_arn)

    def role_allows(self, role_arn: str, action: str, resource: str) -> bool:
        return self.identity.allows(role_arn.rsplit("/", 1)[-1], Target(action, resource))

    async def invoke(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        running = self.runtime.invoke(version, payload, request)
        return await self._function_metrics.measure(version.name, request.invoked_arn, running)

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

    def _queue_accepts(
        self, policy: Mapping[str, object], action: str, resource: str, service_principal: str, source_arn: str
    ) -> bool:
        """Whether a queue's policy lets a service send to it on behalf of a resource (a topic)."""
        return self.identity.admits(service_principal, policy, action, resource, source_arn)

    async def send_to(self, destination_arn: str, body: str) -> None:
        name = destination_arn.rsplit(":", 1)[-1]
        if ":sqs:" in destination_arn:
            url = f"{self.endpoint_url()}/{self.region.account}/{name}"
            await self.services.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": body})
        else:
            await self.services.call("sns", "Publish", {"TopicArn": destination_arn, "Message": body})


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

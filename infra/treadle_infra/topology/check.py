"""Topology -> findings: everything that AWS would refuse, said before anything is sent, with file and line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from treadle.names import Names
from treadle_infra.app.findings import Finding, SourceLocation, error, warning
from treadle_infra.app.scopes import app_name_problem, stage_name_problem
from treadle_infra.topology.grants import policy_document
from treadle_infra.topology.model import (
    Alias,
    AsynchronousSettings,
    ConnectionsTable,
    DeadLetterQueue,
    EventSourceMapping,
    Function,
    GatewayRole,
    HttpApi,
    HttpStage,
    Integration,
    Layer,
    LogGroup,
    Origin,
    Queue,
    QueuePolicy,
    Role,
    Route,
    Rule,
    RulePermission,
    Schedule,
    SchedulerRole,
    StateTable,
    StreamMapping,
    StreamTable,
    Subscription,
    Topic,
    Topology,
    WebSocketApi,
    WebSocketIntegration,
    WebSocketRoute,
    WebSocketStage,
)
from treadle_infra.topology.references import (
    AnyChangeStream,
    AnyTopic,
    ChangeStream,
    Connections,
    ConnectionsTableRef,
    DeadLetterQueueRef,
    ForeignResource,
    GrantTarget,
    HttpApiRef,
    LogStreams,
    QueueRef,
    Reference,
    RuleRef,
    SecretParameter,
    StateTableRef,
    StreamTableRef,
    TopicRef,
)

ROLE_QUOTA = 1_000
"""Roles of an account, unless it has asked for more. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
ROUTE_LIMIT = 300
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
INLINE_POLICY_LIMIT = 10_240
"""Characters of a role's inline policies together. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
QUEUE_POLICY_LIMIT_BYTES = 8_192
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html"""
_QUEUE_POLICY_FRAME_BYTES = 400
"""What a queue's policy takes at most besides the topics."""
SCHEDULE_EXPRESSION_LIMIT = 256
"""Characters. Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html"""
ENVIRONMENT_LIMIT_BYTES = 4_096
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


@dataclass(frozen=True, slots=True)
class _Range:
    """The values that AWS takes for one setting."""

    what: str
    low: int
    high: int


_MEMORY = _Range("memory in MB", 128, 10_240)
_TIMEOUT = _Range("timeout in seconds", 1, 900)
"""Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""
_VISIBILITY = _Range("visibility timeout in seconds", 0, 43_200)
_DELAY = _Range("delay in seconds", 0, 900)
_RECEIVES = _Range("number of receives (the retries and four more)", 1, 1_000)
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
_CONCURRENCY = _Range("concurrency", 2, 1_000)
"""Source: https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html"""


def check(topology: Topology) -> list[Finding]:
    """What AWS would refuse of this topology, all at once, in a stable order; empty where nothing would be."""
    return [
        *_check_scope(topology),
        *_check_schedules(topology),
        *_check_counts(topology),
        *_check_names(topology),
        *_check_functions(topology),
        *_check_queues(topology),
        *_check_policies(topology),
    ]


def _check_scope(topology: Topology) -> Iterator[Finding]:
    problems = (app_name_problem(topology.app), stage_name_problem(topology.stage))
    yield from (problem for problem in problems if problem is not None)


def _check_counts(topology: Topology) -> Iterator[Finding]:
    """A step's routes are behind one API, which other steps' have room in beside them."""
    counts: Counter[HttpApiRef] = Counter()
    for route in topology.of(Route):
        counts[route.api] += 1
        if counts[route.api] == ROUTE_LIMIT + 1:
            yield error(
                "too-many-routes",
                f"`{route.origin.step}` asks for more than the {ROUTE_LIMIT} routes that an HTTP API holds",
                where=route.origin.where,
                hint="make several steps of it",
            )
    roles = sum(1 for resource in topology.resources if isinstance(resource, Role | GatewayRole | SchedulerRole))
    if roles > ROLE_QUOTA:
        yield warning(
            "role-quota-exceeded",
            f"the app needs {roles:,} roles, and an account has {ROLE_QUOTA:,} unless it has asked for more",
            hint="ask for more in the console of Service Quotas: IAM, `Roles per account`, up to 5,000",
        )


def _check_names(topology: Topology) -> Iterator[Finding]:
    """No two resources of one kind may share a name; IAM does not tell upper from lower case."""
    owners: dict[tuple[str, str], Origin] = {}
    for kind, name, origin in _physical_names(topology):
        first = owners.setdefault((kind, name), origin)
        if first is not origin:
            yield error(
                "duplicate-name",
                f"the {kind} `{name}` is needed twice: by `{first.step}` ({first.where}) and by `{origin.step}`",
                where=origin.where,
                hint="rename one of them",
            )


def _physical_names(topology: Topology) -> Iterator[tuple[str, str, Origin]]:
    for resource in topology.resources:
        match resource:
            case Role() | GatewayRole() | SchedulerRole():
                yield "role", resource.name.lower(), resource.origin
            case Function():
                yield "function", resource.name, resource.origin
            case LogGroup():
                yield "log group", resource.name, resource.origin
            case Queue() | DeadLetterQueue():
                yield "queue", resource.name, resource.origin
            case Topic():
                yield "topic", resource.name, resource.origin
            case StateTable() | StreamTable() | ConnectionsTable():
                yield "table", resource.name, resource.origin
            case HttpApi() | WebSocketApi():
                yield "API", resource.name, resource.origin
            case Rule() | Schedule():
                yield "schedule", resource.name, resource.origin
            case Route():
                yield "route", resource.key, resource.origin
            case Alias() | QueuePolicy() | Subscription() | EventSourceMapping() | HttpStage() | Integration():
                continue  # named by what they belong to
            case StreamMapping() | WebSocketStage() | WebSocketIntegration() | WebSocketRoute():
                continue
            case RulePermission() | AsynchronousSettings() | Layer():
                continue
            case _:
                assert_never(resource)


def _check_functions(topology: Topology) -> Iterator[Finding]:
    for function in topology.of(Function):
        yield from _check_range(function.memory_mb, _MEMORY, "memory-out-of-range", function.origin)
        yield from _check_range(function.timeout_seconds, _TIMEOUT, "timeout-out-of-range", function.origin)
        size = sum(len(name.encode()) + len(value.encode()) for name, value in function.environment)
        if size > ENVIRONMENT_LIMIT_BYTES:
            largest = max(function.environment, key=lambda variable: len(variable[1]))[0]
            yield error(
                "environment-too-large",
                f"the environment of `{function.origin.step}` has {size} bytes and Lambda takes "
                f"{ENVIRONMENT_LIMIT_BYTES}; the largest variable is `{largest}`",
                where=function.origin.where,
            )
    yield from _check_http_timeouts(topology)


def _check_http_timeouts(topology: Topology) -> Iterator[Finding]:
    waits = {item.origin.step: item.timeout_milliseconds // 1000 for item in topology.of(Integration)}
    for function in topology.of(Function):
        longest = waits.get(function.origin.step)
        if longest is not None and function.timeout_seconds >= longest:
            yield error(
                "http-timeout-too-long",
                f"`{function.origin.step}` may run for {function.timeout_seconds} s, "
                f"but an HTTP API ends a request after {longest} s",
                where=function.origin.where,
                hint="answer at once and do the rest in a second step that this one emits to",
            )


def _check_queues(topology: Topology) -> Iterator[Finding]:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    timeouts = {function.origin.step: function.timeout_seconds for function in topology.of(Function)}
    for queue in topology.of(Queue):
        origin, visibility = queue.origin, queue.visibility_timeout_seconds
        yield from _check_range(visibility, _VISIBILITY, "visibility-timeout-out-of-range", origin)
        yield from _check_range(queue.delay_seconds, _DELAY, "delay-out-of-range", origin)
        yield from _check_range(queue.max_receive_count, _RECEIVES, "retries-out-of-range", origin)
        timeout = timeouts[origin.step]
        if visibility < timeout:
            yield error(
                "visibility-timeout-too-short",
                f"`{origin.step}` may run for {timeout} s, but its messages are handed out again after {visibility} s",
                where=origin.where,
                hint=f"set visibilityTimeout to {6 * timeout} (six times the timeout), or leave it out",
            )
    for mapping in topology.of(EventSourceMapping):
        if mapping.maximum_concurrency is not None:
            yield from _check_range(
                mapping.maximum_concurrency, _CONCURRENCY, "concurrency-out-of-range", mapping.origin
            )


def _check_range(value: int, allowed: _Range, code: str, origin: Origin) -> Iterator[Finding]:
    if not allowed.low <= value <= allowed.high:
        yield error(
            code,
            f"the {allowed.what} of `{origin.step}` must be {allowed.low} to {allowed.high}; got {value}",
            where=origin.where,
        )


def _check_schedules(topology: Topology) -> Iterator[Finding]:
    schedules: list[Rule | Schedule] = [*topology.of(Rule), *topology.of(Schedule)]
    for schedule in schedules:
        size = len(schedule.expression)
        if size > SCHEDULE_EXPRESSION_LIMIT:
            yield error(
                "schedule-expression-too-long",
                f"the times of `{schedule.origin.step}` take {size} characters on AWS and may take "
                f"{SCHEDULE_EXPRESSION_LIMIT}: `{schedule.expression[:60]}...`",
                where=schedule.origin.where,
                hint="make two cron triggers of it, or two steps",
            )


def _check_policies(topology: Topology) -> Iterator[Finding]:
    """Sizes with the longest region and partition there are, so that an app does not fit in one region only."""
    arns = _LongestArns(topology)
    for role in topology.of(Role):
        size = _json_size(policy_document(role.grants, arns.of))
        if size > INLINE_POLICY_LIMIT:
            yield _too_large("role-policy-too-large", "role", role.origin, size, INLINE_POLICY_LIMIT)
    for policy in topology.of(QueuePolicy):
        size = _QUEUE_POLICY_FRAME_BYTES + sum(len(arns.of(topic)) + len('"",') for topic in policy.topics)
        size += sum(len(arns.of_rule(rule)) + len('"",') for rule in policy.rules)
        # a dead-letter queue's policy names the topics of the queue's
        is_told_already = isinstance(policy.ref.queue, DeadLetterQueueRef) and not policy.rules
        if size > QUEUE_POLICY_LIMIT_BYTES and not is_told_already:
            yield _too_large("queue-policy-too-large", "queue", policy.origin, size, QUEUE_POLICY_LIMIT_BYTES)


def _too_large(code: str, whose: str, origin: Origin, size: int, limit: int) -> Finding:
    where: SourceLocation | None = origin.where
    return error(
        code,
        f"the policy of the {whose} of `{origin.step}` has {size} characters and AWS takes {limit}",
        where=where,
        hint="split the step: each half needs fewer topics, streams and permissions",
    )


def _json_size(document: object) -> int:
    return len(json.dumps(document, separators=(",", ":")))


class _LongestArns:
    """The ARN of whatever a grant names, in the partition and region with the longest names."""

    _PLACE = "us-gov-east-1-xxx:000000000000"

    def __init__(self, topology: Topology) -> None:
        self._names: dict[Reference, str] = {
            resource.ref: resource.name
            for resource in topology.resources
            if isinstance(
                resource,
                Topic | Queue | DeadLetterQueue | StateTable | StreamTable | ConnectionsTable | LogGroup | Rule,
            )
        }
        self._app_names = Names(topology.app, topology.stage)
        self._topic_prefix = self._app_names.topic_prefix()

    def of(self, target: GrantTarget) -> str:
        match target:
            case TopicRef():
                return self._arn("sns", self._names[target])
            case AnyTopic():
                return self._arn("sns", f"{self._topic_prefix}*")
            case QueueRef() | DeadLetterQueueRef():
                return self._arn("sqs", self._names[target])
            case StateTableRef() | StreamTableRef() | ConnectionsTableRef():
                return self._arn("dynamodb", f"table/{self._names[target]}")
            case ChangeStream(table):
                return self._arn("dynamodb", f"table/{self._names[table]}/stream/0000-00-00T00:00:00.000")
            case AnyChangeStream(table):
                return self._arn("dynamodb", f"table/{self._names[table]}/stream/*")
            case Connections(_, stage, method):
                return self._arn("execute-api", f"0123456789/{stage}/{method}/@connections/*")
            case LogStreams(log_group):
                return self._arn("logs", f"log-group:{self._names[log_group]}:*")
            case SecretParameter(secret):
                return self._arn("ssm", f"parameter{self._app_names.secret(secret)}")
            case ForeignResource(arn):
                return arn
            case _:
                assert_never(target)

    def of_rule(self, rule: RuleRef) -> str:
        return self._arn("events", f"rule/{self._names[rule]}")

    def _arn(self, service: str, name: str) -> str:
        return f"arn:aws-us-gov:{service}:{self._PLACE}:{name}"

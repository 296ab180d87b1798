"""Typed references: how one resource of a topology points at another, and what a grant may be about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class FunctionRef:
    step: str


@dataclass(frozen=True, slots=True)
class LayerRef:
    """The layer of one set of packages, by the key of their contents: other contents are another layer."""

    key: str


@dataclass(frozen=True, slots=True)
class AliasRef:
    step: str


@dataclass(frozen=True, slots=True)
class RoleRef:
    step: str


@dataclass(frozen=True, slots=True)
class LogGroupRef:
    step: str


@dataclass(frozen=True, slots=True)
class QueueRef:
    step: str


@dataclass(frozen=True, slots=True)
class DeadLetterQueueRef:
    step: str


@dataclass(frozen=True, slots=True)
class QueuePolicyRef:
    """The policy of one queue."""

    queue: QueueRef | DeadLetterQueueRef


@dataclass(frozen=True, slots=True)
class TopicRef:
    topic: str


@dataclass(frozen=True, slots=True)
class SubscriptionRef:
    step: str
    topic: str


@dataclass(frozen=True, slots=True)
class EventSourceMappingRef:
    step: str


@dataclass(frozen=True, slots=True)
class HttpApiRef:
    """`number` counts an app's HTTP APIs, from 1: one has room for so many routes only."""

    number: int = 1


@dataclass(frozen=True, slots=True)
class HttpStageRef:
    number: int = 1


@dataclass(frozen=True, slots=True)
class GatewayRoleRef:
    pass


@dataclass(frozen=True, slots=True)
class IntegrationRef:
    step: str


@dataclass(frozen=True, slots=True)
class RouteRef:
    """`path` is in API Gateway's form: `/orders/{id}`."""

    method: str
    path: str


@dataclass(frozen=True, slots=True)
class StateTableRef:
    pass


@dataclass(frozen=True, slots=True)
class StreamTableRef:
    stream: str


@dataclass(frozen=True, slots=True)
class ConnectionsTableRef:
    pass


@dataclass(frozen=True, slots=True)
class StreamMappingRef:
    stream: str


@dataclass(frozen=True, slots=True)
class TriggerMappingRef:
    """Of the change stream that triggers are on: a stream's, None for state's."""

    stream: str | None


@dataclass(frozen=True, slots=True)
class WebSocketApiRef:
    pass


@dataclass(frozen=True, slots=True)
class WebSocketStageRef:
    pass


@dataclass(frozen=True, slots=True)
class WebSocketIntegrationRef:
    pass


@dataclass(frozen=True, slots=True)
class WebSocketRouteRef:
    """`key` is API Gateway's: `$connect`, or a value of the route selection expression."""

    key: str


@dataclass(frozen=True, slots=True)
class RuleRef:
    """`number` counts the cron triggers of one step, from 0."""

    step: str
    number: int


@dataclass(frozen=True, slots=True)
class RulePermissionRef:
    rule: RuleRef


@dataclass(frozen=True, slots=True)
class ScheduleRef:
    """`number` counts the cron triggers of one step, from 0."""

    step: str
    number: int


@dataclass(frozen=True, slots=True)
class SchedulerRoleRef:
    pass


@dataclass(frozen=True, slots=True)
class AsynchronousSettingsRef:
    step: str


Reference = (
    FunctionRef
    | LayerRef
    | AliasRef
    | RoleRef
    | LogGroupRef
    | QueueRef
    | DeadLetterQueueRef
    | QueuePolicyRef
    | TopicRef
    | SubscriptionRef
    | EventSourceMappingRef
    | HttpApiRef
    | HttpStageRef
    | GatewayRoleRef
    | IntegrationRef
    | RouteRef
    | StateTableRef
    | StreamTableRef
    | ConnectionsTableRef
    | StreamMappingRef
    | TriggerMappingRef
    | WebSocketApiRef
    | WebSocketStageRef
    | WebSocketIntegrationRef
    | WebSocketRouteRef
    | RuleRef
    | RulePermissionRef
    | ScheduleRef
    | SchedulerRoleRef
    | AsynchronousSettingsRef
)


@dataclass(frozen=True, slots=True)
class AnyTopic:
    """Every topic of this app on this stage, those of later releases too: a prefix, not a list."""


@dataclass(frozen=True, slots=True)
class LogStreams:
    """Every log stream of a log group."""

    log_group: LogGroupRef


@dataclass(frozen=True, slots=True)
class SecretParameter:
    """The parameter with the value of one secret; it is in no stack."""

    secret: str


@dataclass(frozen=True, slots=True)
class ForeignResource:
    """A resource that is none of ours: an ARN (or `*`) as it was written."""

    arn: str


@dataclass(frozen=True, slots=True)
class ChangeStream:
    """The change stream of a table, as it is now."""

    table: StateTableRef | StreamTableRef


@dataclass(frozen=True, slots=True)
class AnyChangeStream:
    """The change streams that a table has had and will have: what listing them is allowed on."""

    table: StateTableRef | StreamTableRef


@dataclass(frozen=True, slots=True)
class Connections:
    """The WebSocket connections of one API's stage, for one HTTP method of API Gateway's connection calls."""

    api: WebSocketApiRef
    stage: str
    method: Literal["GET", "POST", "DELETE"]


GrantTarget = (
    TopicRef
    | AnyTopic
    | QueueRef
    | DeadLetterQueueRef
    | StateTableRef
    | StreamTableRef
    | ConnectionsTableRef
    | ChangeStream
    | AnyChangeStream
    | Connections
    | LogStreams
    | SecretParameter
    | ForeignResource
)

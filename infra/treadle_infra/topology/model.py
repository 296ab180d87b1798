"""The Topology: the cloud resources of an app on one stage. Made by `build_topology`, read by every interpreter.

Each member of `Resource` becomes exactly one resource of the template. A resource points at another by a typed
reference, never by a string, so that an interpreter decides what the edge becomes: a Ref, an ARN, a line in a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from treadle.names import SYSTEM_PREFIX
from treadle_infra.app.findings import SourceLocation
from treadle_infra.app.model import Cors, CronDialect
from treadle_infra.topology.references import (
    AliasRef,
    AsynchronousSettingsRef,
    ConnectionsTableRef,
    DeadLetterQueueRef,
    EventSourceMappingRef,
    FunctionRef,
    GatewayRoleRef,
    GrantTarget,
    HttpApiRef,
    HttpStageRef,
    IntegrationRef,
    LayerRef,
    LogGroupRef,
    QueuePolicyRef,
    QueueRef,
    RoleRef,
    RouteRef,
    RulePermissionRef,
    RuleRef,
    ScheduleRef,
    SchedulerRoleRef,
    StateTableRef,
    StreamMappingRef,
    StreamTableRef,
    SubscriptionRef,
    TopicRef,
    TriggerMappingRef,
    WebSocketApiRef,
    WebSocketIntegrationRef,
    WebSocketRouteRef,
    WebSocketStageRef,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose resource it is and the line that asked for it; both None for what the whole app shares."""

    step: str | None = None
    where: SourceLocation | None = None


SHARED = Origin()


@dataclass(frozen=True, slots=True)
class Grant:
    """IAM actions allowed on some resources; `sid` (letters and digits) is unique in its role."""

    sid: str
    actions: tuple[str, ...]
    targets: tuple[GrantTarget, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """The Lambda function of one step, or one of Treadle's own. `environment` holds pairs, sorted by name.

    `connections`: the WebSocket API where the connections of the app's streams are; None where it has none.
    """

    ref: FunctionRef
    name: str
    handler: str
    runtime: str
    architecture: str
    memory_mb: int
    timeout_seconds: int
    environment: tuple[tuple[str, str], ...]
    connections: WebSocketStageRef | None
    role: RoleRef
    log_group: LogGroupRef
    origin: Origin
    layers: tuple[LayerRef, ...] = ()

    @property
    def is_system(self) -> bool:
        """Whether it is one of Treadle's own, which no step stands for."""
        return self.ref.step.startswith(SYSTEM_PREFIX)


@dataclass(frozen=True, slots=True)
class Layer:
    """Third-party packages that functions run with; `packages` are like `six 1.17.0`, sorted."""

    ref: LayerRef
    name: str
    runtime: str
    architecture: str
    packages: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Alias:
    """The name under which every trigger invokes a function: only a release moves it to another version."""

    ref: AliasRef
    name: str
    function: FunctionRef
    origin: Origin


@dataclass(frozen=True, slots=True)
class Role:
    """The execution role of one function."""

    ref: RoleRef
    name: str
    grants: tuple[Grant, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class LogGroup:
    ref: LogGroupRef
    name: str
    retention_days: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class Queue:
    """Where messages wait for one function; one that fails `max_receive_count` times moves on."""

    ref: QueueRef
    name: str
    visibility_timeout_seconds: int
    delay_seconds: int
    retention_seconds: int
    max_retries: int
    max_receive_count: int
    dead_letter_queue: DeadLetterQueueRef
    origin: Origin
    is_fifo: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """Where a function's messages end that could not be worked off."""

    ref: DeadLetterQueueRef
    name: str
    retention_seconds: int
    origin: Origin
    is_fifo: bool = False


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """The right of some topics to send to one queue, and of some rules to leave there what they could not deliver."""

    ref: QueuePolicyRef
    topics: tuple[TopicRef, ...]
    rules: tuple[RuleRef, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Topic:
    """`is_fifo`: it keeps the order of each group for the FIFO queues among its subscribers."""

    ref: TopicRef
    name: str
    origin: Origin
    is_fifo: bool = False


@dataclass(frozen=True, slots=True)
class Subscription:
    """A queue's copy of every message of a topic; what cannot be delivered goes to the dead-letter queue."""

    ref: SubscriptionRef
    topic: TopicRef
    queue: QueueRef
    dead_letter_queue: DeadLetterQueueRef
    origin: Origin


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """What polls a queue and invokes the alias. `maximum_concurrency` None means: as much as there is."""

    ref: EventSourceMappingRef
    queue: QueueRef
    alias: AliasRef
    batch_size: int
    maximum_concurrency: int | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class HttpApi:
    """`cors` None: the API has no CORS configuration, and leaves the headers of it to its functions."""

    ref: HttpApiRef
    name: str
    origin: Origin
    cors: Cors | None = None


@dataclass(frozen=True, slots=True)
class HttpStage:
    ref: HttpStageRef
    api: HttpApiRef
    name: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class GatewayRole:
    """What the HTTP API assumes to invoke `alias` of every function whose name begins with `function_prefix`."""

    ref: GatewayRoleRef
    name: str
    function_prefix: str
    alias: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Integration:
    ref: IntegrationRef
    api: HttpApiRef
    alias: AliasRef
    role: GatewayRoleRef
    timeout_milliseconds: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class Route:
    """Requests of one method and path, and the integration that answers them."""

    ref: RouteRef
    api: HttpApiRef
    integration: IntegrationRef
    origin: Origin

    @property
    def key(self) -> str:
        """As API Gateway writes it: `GET /orders/{id}`."""
        return f"{self.ref.method} {self.ref.path}"


@dataclass(frozen=True, slots=True)
class StateTable:
    """`keeps_data`: the table outlives its stack and can be restored to a point in time.

    `has_changes`: its changes can be read, which triggers on them need.
    """

    ref: StateTableRef
    name: str
    keeps_data: bool
    origin: Origin
    has_changes: bool = False


@dataclass(frozen=True, slots=True)
class StreamTable:
    """`keeps_data`: the table outlives its stack and can be restored to a point in time."""

    ref: StreamTableRef
    name: str
    keeps_data: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class ConnectionsTable:
    """Who is connected and follows what; nothing in it outlives the connections."""

    ref: ConnectionsTableRef
    name: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """What reads a table's changes and invokes the alias; what fails for good ends in the dead-letter queue.

    `retries` counts the attempts after the first, -1 is without end. `begins_with_latest`: what was written before the
    mapping is there is left out. One batch of a shard is under way at a time: with more of them Lambda would keep the
    order of one item only, and the changes of a group come in order.
    Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    """

    ref: StreamMappingRef | TriggerMappingRef
    table: StateTableRef | StreamTableRef
    alias: AliasRef
    batch_size: int
    retries: int
    maximum_age_seconds: int
    dead_letter_queue: DeadLetterQueueRef
    origin: Origin
    begins_with_latest: bool = False


@dataclass(frozen=True, slots=True)
class WebSocketApi:
    """`route_selection` picks a message's route."""

    ref: WebSocketApiRef
    name: str
    route_selection: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class WebSocketStage:
    ref: WebSocketStageRef
    api: WebSocketApiRef
    name: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class WebSocketIntegration:
    ref: WebSocketIntegrationRef
    api: WebSocketApiRef
    alias: AliasRef
    role: GatewayRoleRef
    origin: Origin


@dataclass(frozen=True, slots=True)
class WebSocketRoute:
    ref: WebSocketRouteRef
    api: WebSocketApiRef
    integration: WebSocketIntegrationRef
    origin: Origin


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of EventBridge that invokes the alias at the times of `expression`, in UTC.

    `written` is the step's own expression, in its `dialect`.
    """

    ref: RuleRef
    name: str
    expression: str
    written: str
    dialect: CronDialect
    alias: AliasRef
    dead_letter_queue: DeadLetterQueueRef
    origin: Origin


@dataclass(frozen=True, slots=True)
class RulePermission:
    """The right of a rule to invoke its alias."""

    ref: RulePermissionRef
    rule: RuleRef
    alias: AliasRef
    origin: Origin


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule of EventBridge Scheduler that invokes the alias at the times of `expression` in `timezone`."""

    ref: ScheduleRef
    name: str
    expression: str
    written: str
    dialect: CronDialect
    timezone: str
    alias: AliasRef
    role: SchedulerRoleRef
    dead_letter_queue: DeadLetterQueueRef
    origin: Origin


@dataclass(frozen=True, slots=True)
class SchedulerRole:
    """What EventBridge Scheduler assumes to invoke the aliases, and to leave behind what it could not deliver."""

    ref: SchedulerRoleRef
    name: str
    aliases: tuple[AliasRef, ...]
    dead_letter_queues: tuple[DeadLetterQueueRef, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class AsynchronousSettings:
    """What becomes of an invocation that nobody waits for: retries, then the dead-letter queue."""

    ref: AsynchronousSettingsRef
    function: FunctionRef
    alias: AliasRef
    alias_name: str
    retries: int
    maximum_age_seconds: int
    dead_letter_queue: DeadLetterQueueRef
    origin: Origin


Resource = (
    Function
    | Layer
    | Alias
    | Role
    | LogGroup
    | Queue
    | DeadLetterQueue
    | QueuePolicy
    | Topic
    | Subscription
    | EventSourceMapping
    | HttpApi
    | HttpStage
    | GatewayRole
    | Integration
    | Route
    | StateTable
    | StreamTable
    | ConnectionsTable
    | StreamMapping
    | WebSocketApi
    | WebSocketStage
    | WebSocketIntegration
    | WebSocketRoute
    | Rule
    | RulePermission
    | Schedule
    | SchedulerRole
    | AsynchronousSettings
)

ResourceT = TypeVar("ResourceT", bound=Resource)


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything an app needs on one stage, in a stable order: what is shared first, then step by step.

    `tags` are the project's own, on every resource that has Treadle's.
    """

    app: str
    stage: str
    stack_name: str
    resources: tuple[Resource, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    def of(self, kind: type[ResourceT]) -> Iterator[ResourceT]:
        """The resources of one kind, in order."""
        return (resource for resource in self.resources if isinstance(resource, kind))

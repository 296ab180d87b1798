"""The Topology: the cloud resources of an app on one stage. Made by `build_topology`, read by every interpreter.

Each member of `Resource` becomes exactly one resource of the template. A resource points at another by a typed
reference, never by a string, so that an interpreter decides what the edge becomes: a Ref, an ARN, a line in a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from treadle_infra.app.findings import SourceLocation


@dataclass(frozen=True, slots=True)
class FunctionRef:
    step: str


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
    pass


@dataclass(frozen=True, slots=True)
class HttpStageRef:
    pass


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


Reference = (
    FunctionRef
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
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose resource it is and the line that asked for it; both None for what the whole app shares."""

    step: str | None = None
    where: SourceLocation | None = None


SHARED = Origin()


@dataclass(frozen=True, slots=True)
class AnyTopic:
    """Every topic of this app on this stage, those of later releases too: a prefix, not a list."""


@dataclass(frozen=True, slots=True)
class LogStreams:
    """Every log stream of a log group."""

    log_group: LogGroupRef


@dataclass(frozen=True, slots=True)
class ForeignResource:
    """A resource that is none of ours: an ARN (or `*`) as it was written."""

    arn: str


GrantTarget = (
    TopicRef | AnyTopic | QueueRef | DeadLetterQueueRef | StateTableRef | StreamTableRef | LogStreams | ForeignResource
)


@dataclass(frozen=True, slots=True)
class Grant:
    """IAM actions allowed on some resources; `sid` (letters and digits) is unique in its role."""

    sid: str
    actions: tuple[str, ...]
    targets: tuple[GrantTarget, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """The Lambda function of one step. `environment` holds pairs, sorted by name."""

    ref: FunctionRef
    name: str
    handler: str
    runtime: str
    architecture: str
    memory_mb: int
    timeout_seconds: int
    environment: tuple[tuple[str, str], ...]
    role: RoleRef
    log_group: LogGroupRef
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


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """Where a function's messages end that could not be worked off."""

    ref: DeadLetterQueueRef
    name: str
    retention_seconds: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """The right of some topics to send to one queue."""

    ref: QueuePolicyRef
    topics: tuple[TopicRef, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Topic:
    ref: TopicRef
    name: str
    origin: Origin


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
    ref: HttpApiRef
    name: str
    origin: Origin


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
    """`keeps_data`: the table outlives its stack and can be restored to a point in time."""

    ref: StateTableRef
    name: str
    keeps_data: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class StreamTable:
    """`keeps_data`: the table outlives its stack and can be restored to a point in time."""

    ref: StreamTableRef
    name: str
    keeps_data: bool
    origin: Origin


Resource = (
    Function
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
)

ResourceT = TypeVar("ResourceT", bound=Resource)


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything an app needs on one stage, in a stable order: what is shared first, then step by step."""

    app: str
    stage: str
    stack_name: str
    resources: tuple[Resource, ...] = ()

    def of(self, kind: type[ResourceT]) -> Iterator[ResourceT]:
        """The resources of one kind, in order."""
        return (resource for resource in self.resources if isinstance(resource, kind))

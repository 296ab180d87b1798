"""What makes streams live: their tables, who follows them, and the two functions between tables and followers."""

from __future__ import annotations

from collections.abc import Iterator

from treadle.names import BROADCAST, LIVE_ALIAS, WEBSOCKET, Names
from treadle_infra.app.model import App
from treadle_infra.topology.grants import broadcast_grants, websocket_grants
from treadle_infra.topology.layers import layers_of
from treadle_infra.topology.model import (
    SHARED,
    Alias,
    ConnectionsTable,
    DeadLetterQueue,
    Function,
    Grant,
    LogGroup,
    Origin,
    Resource,
    Role,
    StreamMapping,
    StreamTable,
    WebSocketApi,
    WebSocketIntegration,
    WebSocketRoute,
    WebSocketStage,
)
from treadle_infra.topology.references import (
    AliasRef,
    ConnectionsTableRef,
    DeadLetterQueueRef,
    FunctionRef,
    GatewayRoleRef,
    LogGroupRef,
    RoleRef,
    StreamMappingRef,
    StreamTableRef,
    WebSocketApiRef,
    WebSocketIntegrationRef,
    WebSocketRouteRef,
    WebSocketStageRef,
)
from treadle_infra.topology.settings import (
    DEAD_LETTER_RETENTION_SECONDS,
    environment,
)

ROUTE_SELECTION = "$request.body.type"
ROUTE_KEYS = ("$connect", "$disconnect", "$default", "join", "leave")

BROADCAST_BATCH_SIZE = 100
BROADCAST_RETRIES = 5
BROADCAST_MAXIMUM_AGE_SECONDS = 300
"""A change that could not be told for so long is none that a client waits for: it has synchronized anew since."""
WEBSOCKET_TIMEOUT_SECONDS = 29
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""
BROADCAST_TIMEOUT_SECONDS = 60
WEBSOCKET_MEMORY_MB = 256
BROADCAST_MEMORY_MB = 1024
"""It signs and sends a message to each of a thousand connections; Lambda gives CPU by memory.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""


def live_resources(app: App, names: Names, *, keeps_data: bool) -> Iterator[Resource]:
    """Everything that an app with streams has besides the functions of its steps."""
    for stream in app.streams:
        table = names.stream_table(stream.name)
        yield StreamTable(StreamTableRef(stream.name), table, keeps_data, Origin(where=stream.where))
    yield ConnectionsTable(ConnectionsTableRef(), names.connections_table(), SHARED)
    yield from _web_socket_api(names)
    grants = websocket_grants(app, names.stage)
    yield from _function(app, WEBSOCKET, "websocket", WEBSOCKET_TIMEOUT_SECONDS, WEBSOCKET_MEMORY_MB, grants, names)
    grants = broadcast_grants(app, names.stage)
    yield from _function(app, BROADCAST, "broadcast", BROADCAST_TIMEOUT_SECONDS, BROADCAST_MEMORY_MB, grants, names)
    dead_letter_queue = DeadLetterQueueRef(BROADCAST)
    queue_name = names.dead_letter_queue(BROADCAST)
    yield DeadLetterQueue(dead_letter_queue, queue_name, DEAD_LETTER_RETENTION_SECONDS, SHARED)
    for stream in app.streams:
        yield StreamMapping(
            ref=StreamMappingRef(stream.name),
            table=StreamTableRef(stream.name),
            alias=AliasRef(BROADCAST),
            batch_size=BROADCAST_BATCH_SIZE,
            retries=BROADCAST_RETRIES,
            maximum_age_seconds=BROADCAST_MAXIMUM_AGE_SECONDS,
            dead_letter_queue=dead_letter_queue,
            origin=Origin(where=stream.where),
        )


def _web_socket_api(names: Names) -> Iterator[Resource]:
    api, integration = WebSocketApiRef(), WebSocketIntegrationRef()
    yield WebSocketApi(api, names.websocket_api(), ROUTE_SELECTION, SHARED)
    yield WebSocketStage(WebSocketStageRef(), api, names.stage, SHARED)
    yield WebSocketIntegration(integration, api, AliasRef(WEBSOCKET), GatewayRoleRef(), SHARED)
    for key in ROUTE_KEYS:
        yield WebSocketRoute(WebSocketRouteRef(key), api, integration, SHARED)


def _function(
    app: App, name: str, entry: str, timeout_seconds: int, memory_mb: int, grants: tuple[Grant, ...], names: Names
) -> Iterator[Resource]:
    """One of Treadle's own functions with what belongs to it."""
    yield LogGroup(LogGroupRef(name), names.log_group(name), app.log_retention_days, SHARED)
    yield Role(RoleRef(name), names.role(name), grants, SHARED)
    yield Function(
        ref=FunctionRef(name),
        name=names.function(name),
        handler=f"treadle.entry.{entry}.handler",
        runtime=app.runtime,
        architecture=app.architecture,
        memory_mb=memory_mb,
        timeout_seconds=timeout_seconds,
        environment=environment(app, names),
        connections=WebSocketStageRef(),
        role=RoleRef(name),
        log_group=LogGroupRef(name),
        origin=SHARED,
        layers=layers_of(app, name),
    )
    yield Alias(AliasRef(name), LIVE_ALIAS, FunctionRef(name), SHARED)

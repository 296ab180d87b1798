"""What makes streams live: their tables, who follows them, and the two functions between tables and followers."""

from __future__ import annotations

from collections.abc import Iterator

from treadle.names import BROADCAST, WEBSOCKET, Names
from treadle_infra.app.model import App
from treadle_infra.topology.grants import broadcast_grants, websocket_grants
from treadle_infra.topology.model import (
    SHARED,
    ConnectionsTable,
    DeadLetterQueue,
    Origin,
    Resource,
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
    GatewayRoleRef,
    StreamMappingRef,
    StreamTableRef,
    WebSocketApiRef,
    WebSocketIntegrationRef,
    WebSocketRouteRef,
    WebSocketStageRef,
)
from treadle_infra.topology.settings import (
    DEAD_LETTER_RETENTION_SECONDS,
)
from treadle_infra.topology.system import system_function

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
    yield from system_function(app, WEBSOCKET, WEBSOCKET_TIMEOUT_SECONDS, WEBSOCKET_MEMORY_MB, grants, names)
    grants = broadcast_grants(app, names.stage)
    yield from system_function(app, BROADCAST, BROADCAST_TIMEOUT_SECONDS, BROADCAST_MEMORY_MB, grants, names)
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

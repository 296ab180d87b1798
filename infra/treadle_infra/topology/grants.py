"""Least privilege, step by step: what the source of a step shows that it does becomes what its role allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from treadle.names import BROADCAST, CHANGES, WEBSOCKET, logical_id
from treadle_infra.app.model import (
    App,
    CronTrigger,
    Json,
    Permission,
    Step,
    StreamTrigger,
    TableOperation,
    TableTrigger,
    TopicTrigger,
)
from treadle_infra.topology.model import (
    Grant,
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
    LogGroupRef,
    LogStreams,
    QueueRef,
    SecretParameter,
    StateTableRef,
    StreamTableRef,
    TopicRef,
    WebSocketApiRef,
)

_RECEIVE = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)
_TABLE_ACTIONS: dict[TableOperation, tuple[str, ...]] = {
    "get": ("dynamodb:GetItem",),
    "set": ("dynamodb:UpdateItem",),
    "update": ("dynamodb:GetItem", "dynamodb:UpdateItem"),
    "delete": ("dynamodb:DeleteItem",),
    "get_group": ("dynamodb:Query",),
    "clear": ("dynamodb:Query", "dynamodb:DeleteItem"),
    "send": ("dynamodb:UpdateItem",),
    "list_groups": ("dynamodb:Scan",),
}
"""What the adapter calls for each operation of the context; it reads and writes in no other way."""


def grants_for(step: Step, app: App) -> tuple[Grant, ...]:
    """What the role of `step` allows, in a stable order: logs, queue, topics, tables, then what its config asks for."""
    grants = [_log_grant(step.name)]
    if any(isinstance(trigger, TopicTrigger | TableTrigger) for trigger in step.triggers):
        grants.append(Grant("Queue", _RECEIVE, (QueueRef(step.name),)))
    if any(isinstance(trigger, TopicTrigger | TableTrigger | CronTrigger) for trigger in step.triggers):
        grants.append(_dead_letter_grant(step.name))
    publish = tuple(_publish_targets(step))
    if publish:
        grants.append(Grant("Publish", ("sns:Publish",), publish))
    grants += _table_grants(step, app)
    grants += _secret_grants(app)
    grants += (_permission_grant(number, permission) for number, permission in enumerate(step.permissions, start=1))
    return tuple(grants)


def policy_document(grants: Iterable[Grant], arn: Callable[[GrantTarget], Json]) -> dict[str, Json]:
    """The IAM policy of these grants; `arn` says what a target becomes, so that it can be a Ref or plain text.

    Example: {"Version": "2012-10-17",
    "Statement": [{"Sid": "Publish", "Effect": "Allow", "Action": ["sns:Publish"], "Resource": [{"Ref": "TopicSent"}]}]}
    """
    statements: list[Json] = [
        {
            "Sid": grant.sid,
            "Effect": "Allow",
            "Action": list(grant.actions),
            "Resource": [arn(target) for target in grant.targets],
        }
        for grant in grants
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def emitted_topics(step: Step) -> tuple[str, ...]:
    """The topics that `step` publishes to by name, sorted: those declared, or where none are, those in its source."""
    declared = None if step.emits is None else {emit.topic for emit in step.emits}
    return tuple(sorted(step.usage.topics if declared is None else declared))


def websocket_grants(app: App, stage: str) -> tuple[Grant, ...]:
    """What the function behind the WebSocket API may do: keep connections, read streams, answer whoever connected."""
    connections = ("DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
    return (
        _log_grant(WEBSOCKET),
        Grant("Connections", _dynamodb(connections), (ConnectionsTableRef(),)),
        Grant("Streams", _dynamodb(("GetItem", "Query")), tuple(StreamTableRef(stream.name) for stream in app.streams)),
        _connection_grant(stage),
        *(_secret_grants(app) if app.decides_access else ()),
    )


def broadcast_grants(app: App, stage: str) -> tuple[Grant, ...]:
    """What the function that tells of changes may do: read them, find out who follows, tell them."""
    return (
        _log_grant(BROADCAST),
        *_change_grants([StreamTableRef(stream.name) for stream in app.streams]),
        Grant("Connections", _dynamodb(("DeleteItem", "Query")), (ConnectionsTableRef(),)),
        _connection_grant(stage),
        _dead_letter_grant(BROADCAST),
    )


def changes_grants(app: App) -> tuple[Grant, ...]:
    """What the function that hands changes on to steps may do: read them, put them into those steps' queues."""
    triggered = tuple(QueueRef(step.name) for step in app.steps if step.table_triggers)
    return (
        _log_grant(CHANGES),
        *_change_grants(triggering_tables(app)),
        Grant("Queues", ("sqs:SendMessage",), triggered),
        _dead_letter_grant(CHANGES),
    )


def triggering_tables(app: App) -> list[StateTableRef | StreamTableRef]:
    """The tables whose changes a step is triggered by: the state's first, then those of streams, by name."""
    triggers = [trigger for step in app.steps for trigger in step.table_triggers]
    streams = sorted({trigger.stream for trigger in triggers if isinstance(trigger, StreamTrigger)})
    return [*([StateTableRef()] if app.reacts_to_state else []), *map(StreamTableRef, streams)]


def _change_grants(tables: Sequence[StateTableRef | StreamTableRef]) -> Iterable[Grant]:
    changes = ("DescribeStream", "GetRecords", "GetShardIterator")
    yield Grant("Changes", _dynamodb(changes), tuple(ChangeStream(table) for table in tables))
    yield Grant("ChangeStreams", ("dynamodb:ListStreams",), tuple(AnyChangeStream(table) for table in tables))


def _secret_grants(app: App) -> Iterable[Grant]:
    """AWS's own key for parameters may be used by whoever may read them, without a grant.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
    """
    if app.secrets:
        yield Grant("Secrets", ("ssm:GetParameters",), tuple(SecretParameter(secret) for secret in app.secrets))


def _log_grant(function: str) -> Grant:
    return Grant("Logs", ("logs:CreateLogStream", "logs:PutLogEvents"), (LogStreams(LogGroupRef(function)),))


def _dead_letter_grant(function: str) -> Grant:
    return Grant("DeadLetterQueue", ("sqs:SendMessage",), (DeadLetterQueueRef(function),))


def _connection_grant(stage: str) -> Grant:
    """Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html"""
    api = WebSocketApiRef()
    targets = (Connections(api, stage, "DELETE"), Connections(api, stage, "POST"))
    return Grant("ManageConnections", ("execute-api:ManageConnections",), targets)


def _dynamodb(operations: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"dynamodb:{operation}" for operation in operations)


def _publish_targets(step: Step) -> Iterable[GrantTarget]:
    if step.emits is None and step.usage.emits_computed_topic is not None:
        return [AnyTopic()]
    return [TopicRef(topic) for topic in emitted_topics(step)]


def _table_grants(step: Step, app: App) -> Iterable[Grant]:
    state = _table_actions(step.usage.state)
    if state:
        yield Grant("State", state, (StateTableRef(),))
    for stream in app.streams:
        actions = _table_actions(step.usage.streams.get(stream.name, frozenset()) | step.usage.any_stream)
        if actions:
            yield Grant(logical_id("Stream", stream.name), actions, (StreamTableRef(stream.name),))


def _table_actions(operations: Iterable[TableOperation]) -> tuple[str, ...]:
    return tuple(sorted({action for operation in operations for action in _TABLE_ACTIONS[operation]}))


def _permission_grant(number: int, permission: Permission) -> Grant:
    targets = tuple(ForeignResource(arn) for arn in sorted(set(permission.resources)))
    return Grant(f"Permission{number}", tuple(sorted(set(permission.actions))), targets)

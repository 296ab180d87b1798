"""Least privilege, step by step: what the source of a step shows that it does becomes what its role allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from treadle.names import logical_id
from treadle_infra.app.model import App, Json, Permission, Step, TableOperation, TopicTrigger
from treadle_infra.topology.model import (
    AnyTopic,
    DeadLetterQueueRef,
    ForeignResource,
    Grant,
    GrantTarget,
    LogGroupRef,
    LogStreams,
    QueueRef,
    StateTableRef,
    StreamTableRef,
    TopicRef,
)

_TABLE_ACTIONS: dict[TableOperation, tuple[str, ...]] = {
    "get": ("dynamodb:GetItem",),
    "set": ("dynamodb:UpdateItem",),
    "update": ("dynamodb:UpdateItem",),
    "delete": ("dynamodb:DeleteItem",),
    "get_group": ("dynamodb:Query",),
    "clear": ("dynamodb:Query", "dynamodb:DeleteItem"),
    "send": (),
}
"""What the adapter calls for each operation of the context; it reads and writes in no other way."""


def grants_for(step: Step, app: App) -> tuple[Grant, ...]:
    """What the role of `step` allows, in a stable order: logs, queue, topics, tables, then what its config asks for."""
    grants = [Grant("Logs", ("logs:CreateLogStream", "logs:PutLogEvents"), (LogStreams(LogGroupRef(step.name)),))]
    if any(isinstance(trigger, TopicTrigger) for trigger in step.triggers):
        grants += _queue_grants(step.name)
    publish = tuple(_publish_targets(step))
    if publish:
        grants.append(Grant("Publish", ("sns:Publish",), publish))
    grants += _table_grants(step, app)
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


def _queue_grants(step: str) -> list[Grant]:
    receive = (
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    )
    return [
        Grant("Queue", receive, (QueueRef(step),)),
        Grant("DeadLetterQueue", ("sqs:SendMessage",), (DeadLetterQueueRef(step),)),
    ]


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

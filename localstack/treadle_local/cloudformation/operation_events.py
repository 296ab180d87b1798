"""DescribeEvents: what has happened to a stack, operation by operation.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_OperationEvent.html
"""

from __future__ import annotations

import json
from typing import Any

from treadle_local.cloudformation.events import StackEvent
from treadle_local.cloudformation.operations import Operation
from treadle_local.cloudformation.responses import moment, present
from treadle_local.cloudformation.stacks import Stack


def operation_events(stack: Stack, operations: list[Operation], *, failed_only: bool = False) -> list[dict[str, Any]]:
    """The events of these operations of a stack, the newest first."""
    chosen = {each.id: each for each in operations}
    return [
        _event(each, chosen[each.operation_id])
        for each in reversed(stack.events)
        if each.operation_id in chosen and (each.is_failure or not failed_only)
    ]


def _event(each: StackEvent, operation: Operation) -> dict[str, Any]:
    properties = None if each.properties is None else json.dumps(each.properties, separators=(",", ":"))
    shown: dict[str, Any] = {
        "EventId": each.event_id,
        "StackId": each.stack_id,
        "OperationId": operation.id,
        "OperationType": operation.type.value,
        "EventType": _event_type(each),
        "LogicalResourceId": each.logical_id,
        "PhysicalResourceId": each.physical_id,
        "ResourceType": each.type,
        "ResourceStatus": each.status,
        "Timestamp": moment(each.timestamp),
        **present(ResourceStatusReason=each.reason, ResourceProperties=properties, ClientRequestToken=each.token),
    }
    if each.is_of_stack:
        shown |= {"OperationStatus": operation.status, "StartTime": moment(operation.started_at)}
        if operation.ended_at is not None:
            shown["EndTime"] = moment(operation.ended_at)
    return shown


def _event_type(each: StackEvent) -> str:
    if each.is_of_stack:
        return "STACK_EVENT"
    return "PROVISIONING_ERROR" if each.is_failure else "PROGRESS_EVENT"

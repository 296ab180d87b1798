"""Follows what CloudFormation does to a stack, from its events, to the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from treadle_infra.deploy.stacks import find_stack, says_it_is_missing

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import StackEventTypeDef

GONE = "DELETE_COMPLETE"
_QUIET_SECONDS = 20


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One thing that happened to a stack or to a resource of it; `status` is such as `CREATE_IN_PROGRESS`."""

    id: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None
    is_of_stack: bool

    @property
    def verb(self) -> str:
        """`create`, `update`, `delete`, `import`, `rollback`, …"""
        return self.status.split("_", 1)[0].lower()

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")

    @property
    def ends_the_stack(self) -> bool:
        """Whether CloudFormation has nothing more to do; a cleanup still to come is work."""
        return self.is_of_stack and self.status.endswith(("_COMPLETE", "_FAILED"))


def last_event_id(client: CloudFormationClient, stack_id: str) -> str | None:
    """The id of the newest event; what comes after it is new."""
    try:
        events = client.describe_stack_events(StackName=stack_id)["StackEvents"]
    except ClientError as problem:
        if says_it_is_missing(problem):
            return None
        raise
    return events[0]["EventId"] if events else None


def follow(
    client: CloudFormationClient,
    stack_id: str,
    after: str | None,
    see: Callable[[StackEvent], None],
    *,
    poll_seconds: float,
) -> str:
    """The status in which the stack ends; `see` gets each event that is newer than `after` once, oldest first.

    A stack that is gone ends in DELETE_COMPLETE.
    """
    heard = time.monotonic()
    while True:
        try:
            fresh = _newer_than(client, stack_id, after)
        except ClientError as problem:
            if says_it_is_missing(problem):
                return GONE
            raise
        for event in fresh:
            heard = time.monotonic()
            see(event)
            after = event.id
            if event.ends_the_stack:
                return event.status
        if time.monotonic() - heard > _QUIET_SECONDS:
            # an end that no event told of
            stack = find_stack(client, stack_id)
            if stack is None or not stack.status.endswith("_IN_PROGRESS"):
                return GONE if stack is None else stack.status
            heard = time.monotonic()
        time.sleep(poll_seconds)


def _newer_than(client: CloudFormationClient, stack_id: str, after: str | None) -> list[StackEvent]:
    # by id: where events are added meanwhile, the next page begins with the end of the one before
    newest_first: dict[str, StackEvent] = {}
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        for event in page["StackEvents"]:
            if event["EventId"] == after:
                return list(newest_first.values())[::-1]
            newest_first[event["EventId"]] = _event(event)
    return list(newest_first.values())[::-1]


def _event(event: StackEventTypeDef) -> StackEvent:
    physical_id = event.get("PhysicalResourceId", "")
    return StackEvent(
        id=event["EventId"],
        logical_id=event.get("LogicalResourceId", ""),
        physical_id=physical_id,
        type=event.get("ResourceType", ""),
        status=event.get("ResourceStatus", ""),
        reason=event.get("ResourceStatusReason"),
        is_of_stack=physical_id == event["StackId"],
    )

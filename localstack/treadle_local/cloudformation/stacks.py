"""A stack: what it was asked to be, what it has become, and all that happened on the way."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from treadle_local.aws.errors import AwsError
from treadle_local.cloudformation.deployment import Deployment
from treadle_local.cloudformation.events import STACK_TYPE, StackEvent
from treadle_local.cloudformation.operations import Operation, OperationType
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.undo import Undo

# States that CloudFormation calls stable: an update may begin from them, a rollback ends in the last of them.
# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html
UPDATABLE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
# States in which a failed operation has left what it had done, to be updated further or rolled back.
PRESERVED = frozenset({"CREATE_FAILED", "UPDATE_FAILED"})
IN_REVIEW = "REVIEW_IN_PROGRESS"

_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS")


@dataclass(slots=True, eq=False)
class Stack:
    """One stack. `deployment` is what it was last asked to be and is; times are seconds since the epoch.

    `unfinished` is the journal of operations that neither ended nor were undone; `was_stable` tells whether there is
    a state to go back to.
    """

    name: str
    id: str
    deployment: Deployment
    created_at: float
    capabilities: tuple[str, ...] = ()
    termination_protection: bool = False
    disable_rollback: bool = False
    status: str = "CREATE_IN_PROGRESS"
    status_reason: str | None = None
    updated_at: float | None = None
    deleted_at: float | None = None
    change_set_id: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    exports: Mapping[str, str] = field(default_factory=dict[str, str])
    resources: dict[str, StackResource] = field(default_factory=dict[str, StackResource])
    events: list[StackEvent] = field(default_factory=list[StackEvent])
    operations: list[Operation] = field(default_factory=list[Operation])
    unfinished: tuple[Undo, ...] = ()
    stopping: bool = False
    cancelling: bool = False
    was_stable: bool = False

    @property
    def is_deleted(self) -> bool:
        return self.status == "DELETE_COMPLETE"

    @property
    def in_review(self) -> bool:
        """Whether the stack is but a name for change sets, none of which was executed."""
        return self.status == IN_REVIEW

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and not self.in_review

    def repeats(self, token: str | None, kind: OperationType) -> bool:
        """Whether a call with this ClientRequestToken is one made before, whose answer its caller has not seen.

        Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
        Raises: TokenAlreadyExistsException where the token was that of another operation.
        """
        if token is None:
            return False
        kinds = [each.type for each in self.operations if each.token == token]
        if kinds and kind not in kinds:
            raise AwsError(
                "TokenAlreadyExistsException",
                f"The client request token [{token}] was used for another operation on the stack [{self.name}]",
            )
        return bool(kinds)

    @property
    def succeeded(self) -> bool:
        """Whether the stack is what it was last asked to be."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")

    @property
    def failures(self) -> tuple[StackEvent, ...]:
        """The failed resources of the last operation, the cause first."""
        last: list[StackEvent] = []
        for event in reversed(self.events):
            if event.is_failure and not event.is_of_stack:
                last.append(event)
            if event.type == STACK_TYPE and event.status in _BEGINNINGS:
                break
        return tuple(reversed(last))


def stack_resource_name(name: str) -> str:
    """The last part of a new stack's ARN."""
    return f"stack/{name}/{uuid.uuid4()}"

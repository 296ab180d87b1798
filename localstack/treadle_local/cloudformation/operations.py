"""What is done to a stack as a whole: each call that works on it, and each way back, is one operation."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import Enum


class OperationType(Enum):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_OperationEvent.html"""

    CREATE_STACK = "CREATE_STACK"
    UPDATE_STACK = "UPDATE_STACK"
    DELETE_STACK = "DELETE_STACK"
    CONTINUE_ROLLBACK = "CONTINUE_ROLLBACK"
    ROLLBACK = "ROLLBACK"


@dataclass(slots=True, eq=False)
class Operation:
    """One operation; times are seconds since the epoch, `token` is the caller's ClientRequestToken, and
    `cancelled_by` that of the call that has it undone."""

    type: OperationType
    started_at: float
    token: str | None = None
    ended_at: float | None = None
    failed: bool = False
    cancelled_by: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def end(self, now: float, *, failed: bool) -> None:
        if self.ended_at is None:
            self.ended_at, self.failed = now, failed

    @property
    def status(self) -> str:
        if self.ended_at is None:
            return "IN_PROGRESS"
        return "FAILED" if self.failed else "SUCCEEDED"

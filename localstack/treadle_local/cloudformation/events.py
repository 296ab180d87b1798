"""What happens to a stack and its resources, as it is told to those who watch."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STACK_TYPE = "AWS::CloudFormation::Stack"


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One line of DescribeStackEvents; `timestamp` is in seconds since the epoch."""

    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    timestamp: float
    reason: str | None = None
    properties: Mapping[str, Any] | None = None
    token: str | None = None
    operation_id: str = ""
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def is_failure(self) -> bool:
        return self.status.endswith("_FAILED")

    @property
    def is_of_stack(self) -> bool:
        return self.type == STACK_TYPE and self.physical_id == self.stack_id

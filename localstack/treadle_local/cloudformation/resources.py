"""One resource of a stack, as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from treadle_local.cloudformation.providers.base import Attributes, Model, Properties
from treadle_local.cloudformation.template import DeletionPolicy


@dataclass(frozen=True, slots=True)
class StackResource:
    """What is known of a resource: what it was made from, and what it became.

    `physical_id` is empty until the resource exists. `dependencies` are logical ids; they tell in which order
    resources go when the template they came from is no longer the stack's. `shown` are the properties as events tell
    them, where some of them are not to be seen.
    """

    logical_id: str
    type: str
    status: str
    changed_at: float
    model: Model
    physical_id: str = ""
    reason: str | None = None
    attributes: Attributes = field(default_factory=dict[str, str])
    dependencies: tuple[str, ...] = ()
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    metadata: Any = None
    shown: Properties | None = None

    @property
    def is_gone(self) -> bool:
        return self.status in ("DELETE_COMPLETE", "DELETE_SKIPPED")

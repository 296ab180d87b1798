"""Why a deployment or a removal failed: each failed resource as the step and the line it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from treadle_infra.deploy.change_sets import hint_for
from treadle_infra.deploy.events import StackEvent
from treadle_infra.deploy.origins import SHARED, Origin

_CALL_DETAILS = re.compile(r" ?\((?:Service|RequestToken|Request ID|SDK Attempt Count|HandlerErrorCode)[^()]*\)")
"""What CloudFormation adds of the call that a service refused, for programs."""
_NOISE = ("cancelled", "canceled")
"""What another resource's failure kept from being done."""


@dataclass(frozen=True, slots=True)
class FailedResource:
    """A resource that AWS refused; `while_undoing`: it was the rollback that failed on it."""

    logical_id: str
    type: str
    origin: Origin
    reason: str
    hint: str | None
    while_undoing: bool = False


def failed_resource(event: StackEvent, origins: dict[str, Origin], *, undoing: bool) -> FailedResource | None:
    """The failure that an event tells; None where it tells none, or only that another's failure stopped it."""
    if not event.failed or event.is_of_stack:
        return None
    reason = _CALL_DETAILS.sub("", event.reason or "AWS gives no reason").strip()
    if any(noise in reason.lower() for noise in _NOISE):
        return None
    origin = origins.get(event.logical_id, SHARED)
    return FailedResource(event.logical_id, event.type, origin, reason, _hint(event.type, reason), undoing)


def _hint(resource_type: str, reason: str) -> str | None:
    known = hint_for(reason)
    if known is None and resource_type in ("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        return "look at the step's `cron` and `timezone`: AWS takes fewer expressions than cron does"
    return known

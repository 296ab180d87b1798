"""Turns a stack's events into what is told, and keeps what failed."""

from __future__ import annotations

import time
from collections.abc import Collection

from treadle_infra.deploy.account import Account
from treadle_infra.deploy.events import StackEvent, follow
from treadle_infra.deploy.failures import FailedResource, failed_resource
from treadle_infra.deploy.happenings import Progress, ResourceMoved, Tell
from treadle_infra.deploy.losses import TABLE
from treadle_infra.deploy.origins import SHARED, Origin


class Watch:
    """Follows one change of a stack to its end."""

    def __init__(self, account: Account, origins: dict[str, Origin], expected: Collection[str], tell: Tell) -> None:
        """`expected`: the logical ids of what changes; of others only failures are told."""
        self._account = account
        self._origins = origins
        self._expected = expected
        self._tell = tell
        self._started = time.monotonic()
        self._undoing = False
        self._stack_reason: str | None = None
        self.failures: list[FailedResource] = []
        self.new_tables: list[str] = []
        """The names of tables that this change made, whether they stayed or not."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def until_the_end(self, stack_id: str, after: str | None) -> str:
        """The status in which the stack ends; a rollback is waited for."""
        status = follow(
            self._account.cloudformation, stack_id, after, self._see, poll_seconds=self._account.poll_seconds
        )
        if not self.failures and self._stack_reason is not None and (status.endswith("_FAILED") or self._undoing):
            self.failures.append(FailedResource("", "AWS::CloudFormation::Stack", SHARED, self._stack_reason, None))
        return status

    def _see(self, event: StackEvent) -> None:
        if event.is_of_stack:
            self._undoing = self._undoing or "ROLLBACK" in event.status
            if event.reason and ("ROLLBACK_IN_PROGRESS" in event.status or event.failed):
                self._stack_reason = event.reason
            return
        if event.type == TABLE and event.status == "CREATE_COMPLETE":
            self.new_tables.append(event.physical_id)
        failure = failed_resource(event, self._origins, undoing=self._undoing)
        if failure is not None:
            self.failures.append(failure)
        elif event.logical_id not in self._expected or (self._undoing and not event.physical_id):
            return  # what AWS calls deleted then was never made: something else may have its name
        self._tell(
            ResourceMoved(
                logical_id=event.logical_id,
                type=event.type,
                origin=self._origins.get(event.logical_id, SHARED),
                verb=event.verb,
                progress=_progress(event),
                reason=failure.reason if failure is not None else None,
                undoing=self._undoing,
                seconds=self.seconds,
            )
        )


def _progress(event: StackEvent) -> Progress:
    if event.failed:
        return "failed"
    if event.status == "DELETE_SKIPPED":
        return "kept"
    return "started" if event.status.endswith("_IN_PROGRESS") else "done"

"""What CloudFormation does with a whole stack: create, update, delete, and the way back from each failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import assert_never

from treadle_local.cloudformation.deployment import Deployment
from treadle_local.cloudformation.errors import NotYetKnownError, ResourceError
from treadle_local.cloudformation.graph import creation_order
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.template import DeletionPolicy
from treadle_local.cloudformation.undo import Changed, Created, Noted, Replaced, Undo
from treadle_local.cloudformation.work import StepFailedError, Work


class OnFailure(Enum):
    """What becomes of a stack whose creation fails."""

    ROLLBACK = "ROLLBACK"
    DELETE = "DELETE"
    DO_NOTHING = "DO_NOTHING"


class StoppedError(Exception):
    """The stack is to be deleted while it is being created: no further step is begun."""


_RETAINING = frozenset({DeletionPolicy.RETAIN, DeletionPolicy.RETAIN_EXCEPT_ON_CREATE})


async def create(work: Work, deployment: Deployment, on_failure: OnFailure, *, retain_except_on_create: bool) -> None:
    """Creates all resources of a new stack; leaves nothing behind where one of them fails.

    With `retain_except_on_create`, a failure deletes also what its deletion policy would retain.
    """
    try:
        outputs = await _deploy(work, deployment)
    except StepFailedError as failure:
        reason = f"The following resource(s) failed to create: [{failure.logical_id}]. "
        retaining = frozenset[DeletionPolicy]() if retain_except_on_create else frozenset({DeletionPolicy.RETAIN})
        match on_failure:
            case OnFailure.ROLLBACK:
                work.enter("ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
                failed = await _remove_all(work, retaining)
                if failed:
                    work.enter("ROLLBACK_FAILED", _failed_to_delete(failed))
                else:
                    work.enter("ROLLBACK_COMPLETE")
            case OnFailure.DELETE:
                await delete(work, f"{reason}Delete requested by user.", retaining=retaining)
            case OnFailure.DO_NOTHING:
                work.enter("CREATE_FAILED", reason)
            case _:
                assert_never(on_failure)
        return
    work.stack.outputs = outputs
    work.enter("CREATE_COMPLETE")


async def update(work: Work, deployment: Deployment) -> None:
    """Brings a stack to a new deployment, or back to where it was."""
    stack = work.stack
    before = dict(stack.resources)
    try:
        outputs = await _deploy(work, deployment)
    except StepFailedError as failure:
        work.enter(
            "UPDATE_ROLLBACK_IN_PROGRESS", f"The following resource(s) failed to update: [{failure.logical_id}]. "
        )
        await turn_back(work, work.journal)
        return
    stack.deployment, stack.outputs = deployment, outputs
    work.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    await _clean_up(work, deployment, before)
    work.enter("UPDATE_COMPLETE")


async def turn_back(work: Work, journal: Sequence[Undo], skip: Iterable[str] = ()) -> None:
    """Undoes what the journal of an update holds; what could not be undone waits for the next try.

    `skip` are logical ids that are taken to be as they were.
    """
    stack, skipped = work.stack, frozenset(skip)
    failed: list[str] = []
    for entry in reversed(journal):
        match entry:
            case Changed(before, attempted):
                if before.logical_id in skipped:
                    stack.resources[before.logical_id] = before
                elif not await work.restore(before, attempted):
                    failed.append(before.logical_id)
            case Replaced(before, _) | Noted(before):
                stack.resources[before.logical_id] = before
            case Created():
                pass
            case _:
                assert_never(entry)
    if failed:
        stack.unfinished = tuple(journal)
        work.enter(
            "UPDATE_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{', '.join(reversed(failed))}]. "
        )
        return
    stack.unfinished = ()
    work.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    for entry in reversed(journal):
        match entry:
            case Created(made):
                if made.deletion_policy is DeletionPolicy.RETAIN and made.physical_id:
                    work.skip(made)
                else:
                    await work.remove(made)
                del stack.resources[made.logical_id]
            case Replaced(_, made):
                await work.remove(made, listed=False)
            case Changed() | Noted():
                pass
            case _:
                assert_never(entry)
    work.enter("UPDATE_ROLLBACK_COMPLETE")


async def delete(
    work: Work,
    reason: str,
    *,
    retain: Iterable[str] = (),
    retaining: frozenset[DeletionPolicy] = _RETAINING,
) -> None:
    """Deletes all resources of a stack, dependents first; a failed deletion can be tried again.

    `retain` are logical ids that are left alone, `retaining` the policies that leave a resource alone.
    """
    stack = work.stack
    if stack.status != "DELETE_IN_PROGRESS":
        work.enter("DELETE_IN_PROGRESS", reason)
    for entry in reversed(stack.unfinished):
        if isinstance(entry, Replaced):
            await work.remove(entry.made, listed=False)
    stack.unfinished = ()
    if failed := await _remove_all(work, retaining, frozenset(retain)):
        stack.stopping = False
        work.enter("DELETE_FAILED", _failed_to_delete(failed))
        return
    stack.outputs = {}
    stack.deleted_at = work.around.clock.now()
    work.enter("DELETE_COMPLETE")


async def _deploy(work: Work, deployment: Deployment) -> Mapping[str, str]:
    """Settles every resource in order and returns the outputs. Raises: StepFailedError, StoppedError."""
    for logical_id in deployment.order:
        if work.stack.stopping:
            raise StoppedError
        await work.settle(deployment, logical_id)
    try:
        return deployment.outputs(work.stack.resources)
    except (ResourceError, NotYetKnownError) as failure:
        work.enter(work.stack.status, str(failure))
        raise StepFailedError(work.stack.name) from failure


async def _remove_all(
    work: Work, retaining: frozenset[DeletionPolicy], retain: frozenset[str] = frozenset()
) -> list[str]:
    """Removes the stack's resources and returns which could not be; what these depend on stays as well."""
    failed: list[str] = []
    needed: set[str] = set()
    for record in _last_first(work.stack.resources):
        retained = record.deletion_policy in retaining and record.status != "CREATE_FAILED"
        if record.is_gone:
            continue
        if retained or record.logical_id in retain:
            work.skip(record)
        elif record.logical_id in needed:
            needed.update(record.dependencies)
        elif not await work.remove(record):
            failed.append(record.logical_id)
            needed.update(record.dependencies)
    return failed


async def _clean_up(work: Work, deployment: Deployment, before: Mapping[str, StackResource]) -> None:
    """Removes what the update has replaced and what its template no longer has, dependents first.

    As on AWS, a failure here fails nothing: the event tells what is left.
    """
    stack = work.stack
    replaced = {entry.before.logical_id for entry in work.journal if isinstance(entry, Replaced)}
    for record in _last_first(before):
        if record.logical_id in replaced:
            declaration = deployment.template.resources[record.logical_id]
            await _let_go(work, record, declaration.update_replace_policy, listed=False)
        elif record.logical_id not in deployment.dependencies:
            await _let_go(work, record, record.deletion_policy, listed=True)
            del stack.resources[record.logical_id]


async def _let_go(work: Work, record: StackResource, policy: DeletionPolicy, *, listed: bool) -> None:
    if policy is DeletionPolicy.DELETE:
        await work.remove(record, listed=listed)
    else:
        work.skip(record, listed=listed)


def _last_first(records: Mapping[str, StackResource]) -> list[StackResource]:
    """The records so that each comes before those it depends on."""
    order = creation_order({logical_id: record.dependencies for logical_id, record in records.items()})
    return [records[logical_id] for logical_id in reversed(order)]


def _failed_to_delete(logical_ids: Sequence[str]) -> str:
    return f"The following resource(s) failed to delete: [{', '.join(logical_ids)}]. "

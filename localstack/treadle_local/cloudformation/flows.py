"""What CloudFormation does with a whole stack: create, update, delete, and the way back from each failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import assert_never

from treadle_local.cloudformation.deployment import Deployment
from treadle_local.cloudformation.errors import NotYetKnownError, ResourceError
from treadle_local.cloudformation.exports import check_exports
from treadle_local.cloudformation.graph import creation_order
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.template import RETAINING, DeletionPolicy
from treadle_local.cloudformation.undo import Adopted, Changed, Created, Noted, Replaced, Undo
from treadle_local.cloudformation.work import StepFailedError, Work


class OnFailure(Enum):
    """What becomes of a stack whose creation fails."""

    ROLLBACK = "ROLLBACK"
    DELETE = "DELETE"
    DO_NOTHING = "DO_NOTHING"


class StoppedError(Exception):
    """The stack is to be deleted while it is being created: no further step is begun."""


class _CancelledError(Exception):
    """The update is to be undone: no further step is begun."""


_NO_POLICY = frozenset[DeletionPolicy]()
_RETAIN = frozenset({DeletionPolicy.RETAIN})


async def create(work: Work, deployment: Deployment, on_failure: OnFailure, *, retain_except_on_create: bool) -> None:
    """Creates all resources of a new stack; leaves nothing behind where one of them fails.

    With `retain_except_on_create`, a failure deletes also what its deletion policy would retain.
    """
    stack = work.stack
    try:
        await _deploy(work, deployment)
    except StoppedError:
        work.operation.end(work.around.clock.now(), failed=True)
        raise
    except StepFailedError as failure:
        if stack.stopping:
            work.operation.end(work.around.clock.now(), failed=True)
            raise StoppedError from failure
        reason = f"The following resource(s) failed to create: [{failure.logical_id}]. "
        retaining = retained_by_rollback(retain_except_on_create=retain_except_on_create)
        match on_failure:
            case OnFailure.ROLLBACK:
                work.turn_around("ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
                await _release_adopted(work, work.journal)
                failed = await _remove_all(work, retaining)
                if failed:
                    work.enter("ROLLBACK_FAILED", _failed_to_delete(failed))
                else:
                    work.enter("ROLLBACK_COMPLETE")
            case OnFailure.DELETE:
                work.turn_around("DELETE_IN_PROGRESS", f"{reason}Delete requested by user.")
                stack.unfinished = tuple(work.journal)
                await delete(work, retaining=retaining)
            case OnFailure.DO_NOTHING:
                stack.unfinished = tuple(work.journal)
                work.enter("CREATE_FAILED", reason)
            case _:
                assert_never(on_failure)
        return
    work.enter("CREATE_COMPLETE")


def retained_by_rollback(*, retain_except_on_create: bool) -> frozenset[DeletionPolicy]:
    """The policies that keep a resource when the operation that created it is rolled back."""
    return _NO_POLICY if retain_except_on_create else _RETAIN


async def update(
    work: Work,
    deployment: Deployment,
    *,
    disable_rollback: bool = False,
    retain_except_on_create: bool = False,
    word: str = "UPDATE",
) -> None:
    """Brings a stack to a new deployment, or back to where it was; `word` is IMPORT where resources are imported.

    With `disable_rollback`, what was done before a failure stays, for a further update or a rollback.
    """
    stack = work.stack
    before = dict(stack.resources)
    retaining = retained_by_rollback(retain_except_on_create=retain_except_on_create)
    try:
        await _deploy(work, deployment)
    except _CancelledError:
        stack.cancelling = False
        if not stack.was_stable:  # its creation had failed, so that there is nothing to go back to
            stack.unfinished = tuple(work.journal)
            work.enter("UPDATE_FAILED", "User Initiated")
            return
        work.turn_around("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        await turn_back(work, work.journal, retaining=retaining)
    except StepFailedError as failure:
        failed = stack.resources.get(failure.logical_id)
        is_new = failed is not None and failed.status == "CREATE_FAILED"
        verb = "import" if word == "IMPORT" else "create" if is_new else "update"
        reason = f"The following resource(s) failed to {verb}: [{failure.logical_id}]. "
        if disable_rollback and word == "UPDATE":
            await work.settle_failed()
            stack.unfinished = tuple(work.journal)
            work.enter(f"{word}_FAILED", reason)
        else:
            work.turn_around(f"{word}_ROLLBACK_IN_PROGRESS", reason)
            await turn_back(work, work.journal, retaining=retaining, word=word)
    else:
        stack.deployment, stack.unfinished = deployment, ()
        if word == "UPDATE":
            work.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        await _clean_up(work, deployment, before)
        work.enter(f"{word}_COMPLETE")


async def turn_back(
    work: Work,
    journal: Sequence[Undo],
    skip: Iterable[str] = (),
    *,
    retaining: frozenset[DeletionPolicy] = _RETAIN,
    word: str = "UPDATE",
) -> None:
    """Undoes what the journal of an update holds; what could not be undone waits for the next try.

    `skip` are logical ids that are taken to be as they were, `retaining` the policies that keep what was created.
    """
    stack, skipped = work.stack, frozenset(skip)
    failed: list[str] = []
    for entry in reversed(journal):
        match entry:
            case Changed(before, attempted):
                if before.logical_id in skipped:
                    work.assume(before)
                elif not await work.restore(before, attempted):
                    failed.append(before.logical_id)
            case Replaced(before, _) | Noted(before):
                stack.resources[before.logical_id] = before
            case Created() | Adopted():
                pass
            case _:
                assert_never(entry)
    if failed:
        stack.unfinished = tuple(journal)
        work.enter(
            f"{word}_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{', '.join(reversed(failed))}]. "
        )
        return
    stack.unfinished = ()
    if word == "UPDATE":
        work.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    for entry in reversed(journal):
        match entry:
            case Created(made):
                kept = made.deletion_policy in retaining and made.status != "CREATE_FAILED"
                if kept and made.physical_id:
                    work.skip(made)
                else:
                    await work.remove(made)
                stack.resources.pop(made.logical_id, None)
            case Replaced(_, made):
                await work.remove(made, listed=False)
            case Adopted(made, observed):
                await work.release(made, observed)
                stack.resources.pop(made.logical_id, None)
            case Changed() | Noted():
                pass
            case _:
                assert_never(entry)
    work.enter(f"{word}_ROLLBACK_COMPLETE")


async def delete(
    work: Work,
    *,
    retain: Iterable[str] = (),
    retaining: frozenset[DeletionPolicy] = RETAINING,
) -> None:
    """Deletes all resources of a stack, dependents first; a failed deletion can be tried again.

    `retain` are logical ids that are left alone, `retaining` the policies that leave a resource alone.
    """
    stack = work.stack
    if stack.is_deleted:  # its creation has failed meanwhile, and was to end so
        work.operation.end(work.around.clock.now(), failed=False)
        return
    if stack.status != "DELETE_IN_PROGRESS":
        work.enter("DELETE_IN_PROGRESS", "User Initiated")
    left = await _remove_replaced(work, frozenset(retain))
    stack.unfinished = tuple(Replaced(record, record) for record in left)
    failed = [record.logical_id for record in left]
    if failed := failed + await _remove_all(work, retaining, frozenset(retain)):
        stack.stopping = False
        work.enter("DELETE_FAILED", _failed_to_delete(failed))
        return
    stack.outputs, stack.exports = {}, {}
    stack.deleted_at = work.around.clock.now()
    work.enter("DELETE_COMPLETE")


async def _remove_replaced(work: Work, retain: frozenset[str]) -> list[StackResource]:
    """Removes what an unfinished update keeps beside its stack's resources, and returns what could not be removed."""
    failed: list[StackResource] = []
    for entry in reversed(work.stack.unfinished):
        if isinstance(entry, Replaced) and entry.before.logical_id not in retain:
            record = entry.before if _is_of(work, entry.made) else entry.made
            if not await work.remove(record, listed=False):
                failed.append(record)
    return failed


def _is_of(work: Work, made: StackResource) -> bool:
    """Whether a replacement is what the stack now has under its logical id."""
    record = work.stack.resources.get(made.logical_id)
    return record is not None and record.physical_id == made.physical_id


async def _deploy(work: Work, deployment: Deployment) -> None:
    """Settles every resource in order and notes the outputs.

    Raises: StepFailedError, StoppedError, _CancelledError.
    """
    stack = work.stack
    for logical_id in deployment.order:
        if stack.stopping:
            raise StoppedError
        if stack.cancelling:
            raise _CancelledError
        await work.settle(deployment, logical_id)
    if stack.stopping:
        raise StoppedError
    if stack.cancelling:
        raise _CancelledError
    try:
        outputs, exports = deployment.outputs(stack.resources), deployment.exported(stack.resources)
        check_exports(stack.name, stack.exports, exports, work.around.exports())
    except (ResourceError, NotYetKnownError) as failure:
        work.enter(stack.status, str(failure))
        raise StepFailedError(stack.name) from failure
    stack.outputs, stack.exports = outputs, exports


async def _release_adopted(work: Work, journal: Sequence[Undo]) -> None:
    for entry in reversed(journal):
        if isinstance(entry, Adopted):
            await work.release(entry.made, entry.observed)
            work.stack.resources.pop(entry.made.logical_id, None)


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
    replaced: dict[str, list[StackResource]] = {}
    for entry in work.journal:
        if isinstance(entry, Replaced):
            replaced.setdefault(entry.before.logical_id, []).append(entry.before)
    for record in _last_first(before):
        logical_id = record.logical_id
        declaration = deployment.template.resources.get(logical_id)
        policy = record.deletion_policy if declaration is None else declaration.update_replace_policy
        for old in replaced.get(logical_id, ()):
            await _let_go(work, old, policy, listed=False)
        if logical_id not in deployment.dependencies:
            await _let_go(work, record, record.deletion_policy, listed=True)
            stack.resources.pop(logical_id, None)


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

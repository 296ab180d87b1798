"""What is cleared away after a deployment that failed."""

from __future__ import annotations

from dataclasses import dataclass

from treadle_infra.deploy.account import Account
from treadle_infra.deploy.events import follow, last_event_id
from treadle_infra.deploy.failures import FailedResource
from treadle_infra.deploy.happenings import Tell, Working
from treadle_infra.deploy.losses import TABLE, count_contents
from treadle_infra.deploy.stacks import Stack, resources_in
from treadle_infra.deploy.tables import delete_table
from treadle_infra.deploy.watching import Watch


@dataclass(frozen=True, slots=True)
class NotDeployed:
    """It was rolled back, or (`is_stuck`) not even that; `status` is the stack's now.

    `kept`: the names of tables that the deployment made and that are not empty, so that they stay.
    """

    status: str
    failures: tuple[FailedResource, ...]
    seconds: float
    is_stuck: bool
    kept: tuple[str, ...] = ()


def delete_stack(account: Account, stack: Stack) -> str:
    """The status in which the deletion of a stack ends."""
    client = account.cloudformation
    after = last_event_id(client, stack.id)
    client.delete_stack(StackName=stack.id)
    return follow(client, stack.id, after, lambda event: None, poll_seconds=account.poll_seconds)


def clean_up(account: Account, stack: Stack | None, status: str, watch: Watch, tell: Tell) -> NotDeployed:
    """How a failed deployment ended, after the tables that it made are gone too.

    A rollback keeps the tables of production stages, as a removal does, since it does not know whether they were
    taken back or hold something by now.
    """
    is_stuck = status.endswith("_FAILED")
    kept = () if is_stuck else _delete_new_tables(account, stack, watch, tell)
    return NotDeployed(status, tuple(watch.failures), watch.seconds, is_stuck, kept)


def _delete_new_tables(account: Account, stack: Stack | None, watch: Watch, tell: Tell) -> tuple[str, ...]:
    """Deletes the tables that this deployment made, as far as they are empty and in no stack; returns the others."""
    held = {resource.physical_id for resource in resources_in(account.cloudformation, stack)} if stack else set[str]()
    kept: list[str] = []
    for name in watch.new_tables:
        contents = count_contents(account, TABLE, name)
        if contents is None or name in held:
            continue  # gone already
        if contents.number:
            kept.append(name)
        else:
            tell(Working(f"removing the empty table {name}, which this deployment had made"))
            delete_table(account, name)
    return tuple(kept)

"""Takes a stage off AWS: what would go, then its stack, then a look whether anything is left."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from treadle_infra.app.findings import TreadleError
from treadle_infra.deploy.account import Account
from treadle_infra.deploy.aws_errors import aws_goes_on, error_message
from treadle_infra.deploy.deployment import signed_in
from treadle_infra.deploy.events import last_event_id
from treadle_infra.deploy.failures import FailedResource
from treadle_infra.deploy.happenings import Tell, Working
from treadle_infra.deploy.leftovers import Leftover, delete_log_groups, find_leftovers, log_groups_of
from treadle_infra.deploy.losses import LOG_GROUP, QUEUE, TABLE, Count, count_contents
from treadle_infra.deploy.origins import SHARED, Origin, Template, origins_of, resources_of
from treadle_infra.deploy.plan import RETAINING
from treadle_infra.deploy.stacks import (
    Stack,
    StackResource,
    check_ownership,
    quiet_stack,
    resources_in,
    template_of,
)
from treadle_infra.deploy.tables import delete_table, kept_tables
from treadle_infra.deploy.watching import Watch


@dataclass(frozen=True, slots=True)
class Doomed:
    """Something with contents that would go: a queue, a table, a log group. `contents` is None for log groups."""

    type: str
    name: str
    origin: Origin
    contents: Count | None


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A table that stays; `contents` as far as it could be counted."""

    name: str
    contents: Count | None


@dataclass(frozen=True, slots=True)
class Removal:
    """A removal that waits for a yes. `stack` is None where only kept tables are there.

    `going` holds what has contents, log groups outside of the stack too; `steps` the steps that go, `resources` all of
    the stack's; `kept` the tables that stay, which with `deletes_data` are going instead.
    """

    account: Account
    app: str
    stage: str
    stack: Stack | None
    template: Template
    resources: tuple[StackResource, ...]
    steps: tuple[str, ...]
    going: tuple[Doomed, ...]
    kept: tuple[KeptTable, ...]
    deletes_data: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return self.stack is None and not self.going and not self.tables_to_delete

    @property
    def tables_to_delete(self) -> tuple[str, ...]:
        """The names of the tables that the stack's deletion would leave and that go all the same."""
        return tuple(table.name for table in self.kept) if self.deletes_data else ()


@dataclass(frozen=True, slots=True)
class Removed:
    """The stack is gone. `leftovers` should be empty."""

    kept: tuple[KeptTable, ...]
    leftovers: tuple[Leftover, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class NotRemoved:
    """AWS could not delete everything; `status` is the stack's now."""

    status: str
    failures: tuple[FailedResource, ...]
    seconds: float


def prepare_removal(
    account: Account, app: str, stage: str, stack_name: str, *, deletes_data: bool, tell: Tell
) -> Removal:
    """What would go and what would stay. Raises TreadleError `stack-not-ours`."""
    client = account.cloudformation
    tell(signed_in(account, stack_name))
    stack = quiet_stack(account, stack_name, tell)
    if stack is not None:
        check_ownership(stack, app, stage)
    template: Template = {}
    if stack is not None and not stack.is_in_review:
        template = template_of(client, stack)
    resources = tuple(resources_in(client, stack)) if stack is not None else ()
    going = tuple(_doomed(account, template, resources))
    held = {one.name for one in going}
    alone = [name for name in log_groups_of(account, app, stage) if name not in held]
    going += tuple(Doomed(LOG_GROUP, name, SHARED, None) for name in alone)
    doomed_tables = {one.name for one in going if one.type == TABLE}
    kept = tuple(
        KeptTable(name, count_contents(account, TABLE, name))
        for name in kept_tables(account, app, stage)
        if name not in doomed_tables
    )
    steps = dict.fromkeys(origin.step for origin in origins_of(template).values() if origin.step is not None)
    return Removal(account, app, stage, stack, template, resources, tuple(steps), going, kept, deletes_data)


def _doomed(account: Account, template: Template, resources: tuple[StackResource, ...]) -> Iterator[Doomed]:
    """The queues, log groups and tables that the stack takes along."""
    origins, entries = origins_of(template), resources_of(template)
    for resource in resources:
        stays = entries.get(resource.logical_id, {}).get("DeletionPolicy") in RETAINING
        if resource.type not in (QUEUE, LOG_GROUP, TABLE) or stays or not resource.physical_id:
            continue
        is_queue = resource.type == QUEUE
        name = resource.physical_id.rsplit("/", 1)[-1] if is_queue else resource.physical_id
        contents = count_contents(account, resource.type, resource.physical_id)
        yield Doomed(resource.type, name, origins.get(resource.logical_id, SHARED), contents)


def _begin_deletion(account: Account, stack: Stack) -> None:
    try:
        account.cloudformation.delete_stack(StackName=stack.id, ClientRequestToken=f"treadle-{uuid.uuid4().hex}")
    except ClientError as problem:
        if "cannot be deleted while in status" not in error_message(problem):
            raise
        raise TreadleError(
            "stage-changed-meanwhile",
            f"somebody else began to change `{stack.name}` meanwhile; nothing was removed",
            hint="remove it again: that waits for the other one, and shows what there is to remove",
        ) from None


def remove(removal: Removal, tell: Tell) -> Removed | NotRemoved:
    """Deletes the stack, then the tables where that is wanted, then what Lambda made by itself; looks what is left.

    Raises TreadleError `stage-changed-meanwhile`.
    """
    account = removal.account
    held = {resource.logical_id for resource in removal.resources}
    watch = Watch(account, origins_of(removal.template), held, tell)
    if removal.stack is not None:
        after = last_event_id(account.cloudformation, removal.stack.id)
        _begin_deletion(account, removal.stack)
        with aws_goes_on(removal.stack.name):
            status = watch.until_the_end(removal.stack.id, after)
        if status != "DELETE_COMPLETE":
            return NotRemoved(status, tuple(watch.failures), watch.seconds)
    for table in removal.tables_to_delete:
        tell(Working(f"removing the table {table} with its data"))
        delete_table(account, table)
    delete_log_groups(account, removal.app, removal.stage)
    kept = () if removal.deletes_data else removal.kept
    tell(Working("looking whether anything is left"))
    leftovers = find_leftovers(account, removal.app, removal.stage, removal.resources, (table.name for table in kept))
    return Removed(kept, tuple(leftovers), watch.seconds)

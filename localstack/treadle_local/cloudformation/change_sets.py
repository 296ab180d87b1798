"""Change sets: what a stack would become, examined before anything is done, and then done or thrown away."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Region
from treadle_local.clock import Clock
from treadle_local.cloudformation.adoption import Adoption, Adoptions, RefusedError
from treadle_local.cloudformation.deployment import Deployment
from treadle_local.cloudformation.differences import differences
from treadle_local.cloudformation.engine import Engine, Manner, Wanted, check_updatable, differs
from treadle_local.cloudformation.errors import ResourceError, validation_error
from treadle_local.cloudformation.flows import OnFailure
from treadle_local.cloudformation.operations import Operation, OperationType
from treadle_local.cloudformation.plan import Action, Change
from treadle_local.cloudformation.stacks import Stack

# The wording by which clients, `aws cloudformation deploy` among them, know that there is nothing to do.
_NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
_ENDED = {"IN_PROGRESS": "EXECUTE_IN_PROGRESS", "SUCCEEDED": "EXECUTE_COMPLETE", "FAILED": "EXECUTE_FAILED"}


class ChangeSetType(Enum):
    """What executing a change set does to its stack."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    IMPORT = "IMPORT"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a call of CreateChangeSet asks for. `to_import` are the resources that type IMPORT names."""

    name: str
    type: ChangeSetType
    wanted: Wanted
    description: str | None = None
    token: str | None = None
    on_failure: OnFailure | None = None
    import_existing: bool = False
    to_import: tuple[Adoption, ...] = ()


@dataclass(slots=True, eq=False)
class ChangeSet:
    """One change set. `basis` is how many operations its stack had seen when it was made."""

    id: str
    stack: Stack
    proposal: Proposal
    deployment: Deployment
    created_at: float
    basis: int
    status: str = "CREATE_PENDING"
    status_reason: str | None = None
    changes: tuple[Change, ...] = ()
    imports: Mapping[str, str] = field(default_factory=dict[str, str])
    execution: Operation | None = None

    @property
    def name(self) -> str:
        return self.proposal.name

    @property
    def execution_status(self) -> str:
        if self.execution is not None:
            return _ENDED[self.execution.status]
        if self.status != "CREATE_COMPLETE":
            return "UNAVAILABLE"
        return "AVAILABLE" if len(self.stack.operations) == self.basis else "OBSOLETE"

    def fail(self, reason: str) -> None:
        self.status, self.status_reason = "FAILED", reason


class ChangeSets:
    """All change sets of an engine's stacks. Each is examined in a task of its own."""

    def __init__(self, engine: Engine, region: Region, clock: Clock, adoptions: Adoptions) -> None:
        self._engine = engine
        self._region = region
        self._clock = clock
        self._adoptions = adoptions
        self._of_stack: dict[str, dict[str, ChangeSet]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, stack: Stack) -> list[ChangeSet]:
        """The change sets of a stack, in the order in which they were made."""
        return [] if stack.is_deleted else list(self._of_stack.get(stack.id, {}).values())

    def __iter__(self) -> Iterator[ChangeSet]:
        for sets in self._of_stack.values():
            yield from sets.values()

    def find(self, name_or_id: str, stack: Stack | None) -> ChangeSet | None:
        """The change set of this name and stack, or of this id."""
        for each in self if stack is None else self.of(stack):
            if name_or_id in (each.id, each.name) and not each.stack.is_deleted:
                return each
        return None

    def create(self, stack_name: str, proposal: Proposal) -> ChangeSet:
        """Begins to examine what a stack would become; a new stack comes to be for that.

        Raises: ValidationError, AlreadyExistsException.
        """
        stack = self._stack(stack_name, proposal)
        if stack is not None and (existing := self._existing(stack, proposal)) is not None:
            return existing
        is_new = stack is None
        if stack is None:
            stack = self._engine.reserve(stack_name, proposal.wanted.tags)
        try:
            deployment = self._engine.plan(stack, proposal.wanted)
            self._adoptions.check(stack, deployment, proposal.to_import)
        except AwsError:
            if is_new:
                self._engine.discard(stack)
            raise
        made = ChangeSet(
            id=self._region.arn("cloudformation", f"changeSet/{proposal.name}/{uuid.uuid4()}"),
            stack=stack,
            proposal=proposal,
            deployment=deployment,
            created_at=self._clock.now(),
            basis=len(stack.operations),
        )
        self._of_stack.setdefault(stack.id, {})[made.name] = made
        self._of_stack = {key: sets for key, sets in self._of_stack.items() if not _is_over(sets)}
        task = asyncio.get_running_loop().create_task(self._examine(made))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return made

    def execute(self, chosen: ChangeSet, manner: Manner) -> None:
        """Begins to do what a change set proposes; all others of the stack are gone.

        Raises: InvalidChangeSetStatus, TokenAlreadyExistsException, ValidationError.
        """
        is_creation = chosen.proposal.type is ChangeSetType.CREATE
        kind = OperationType.CREATE_STACK if is_creation else OperationType.UPDATE_STACK
        if chosen.stack.repeats(manner.token, kind):
            return
        if chosen.status != "CREATE_COMPLETE":
            raise _not_executable(chosen, f"status of [{chosen.status}]")
        if chosen.execution_status != "AVAILABLE":
            raise _not_executable(chosen, f"execution status of [{chosen.execution_status}]")
        stack, proposal = chosen.stack, chosen.proposal
        if not stack.in_review:
            check_updatable(stack, disable_rollback=manner.disable_rollback, api="execute-change-set")
        deployment = replace(chosen.deployment, exports=self._engine.exports().values)
        is_import = proposal.type is ChangeSetType.IMPORT
        manner = replace(manner, imports=chosen.imports, word="IMPORT" if is_import else "UPDATE")
        self._of_stack[stack.id] = {chosen.name: chosen}
        stack.capabilities, stack.change_set_id = proposal.wanted.capabilities, chosen.id
        if is_creation:
            chosen.execution = self._engine.begin_creation(stack, deployment, manner)
        else:
            chosen.execution = self._engine.begin_update(stack, deployment, manner)

    def delete(self, chosen: ChangeSet) -> None:
        """Throws a change set away. Raises: InvalidChangeSetStatus while it is being executed."""
        if chosen.execution_status == "EXECUTE_IN_PROGRESS":
            raise AwsError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{chosen.id}] cannot be deleted in its current execution status of [EXECUTE_IN_PROGRESS]",
            )
        self._of_stack[chosen.stack.id].pop(chosen.name, None)

    async def stop(self) -> None:
        """Ends all examinations at once."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _stack(self, name: str, proposal: Proposal) -> Stack | None:
        """The stack that a proposal is for, or None where it is to be new. Raises: ValidationError."""
        stack = self._engine.find(name)
        exists = stack is not None and not stack.is_deleted and not stack.in_review
        match proposal.type:
            case ChangeSetType.CREATE:
                if exists:
                    raise validation_error(
                        f"Stack [{name}] already exists and cannot be created again with the changeSet "
                        f"[{proposal.name}]."
                    )
            case ChangeSetType.UPDATE:
                if not exists:
                    raise validation_error(f"Stack [{name}] does not exist")
            case ChangeSetType.IMPORT:
                pass
        if stack is not None and exists:
            check_updatable(stack, disable_rollback=True, api="create-change-set")
        return None if stack is None or stack.is_deleted else stack

    def _existing(self, stack: Stack, proposal: Proposal) -> ChangeSet | None:
        """The change set that a repeated call has made before. Raises: AlreadyExistsException for another call."""
        existing = self._of_stack.get(stack.id, {}).get(proposal.name)
        if existing is None or existing.execution_status in ("EXECUTE_COMPLETE", "EXECUTE_FAILED"):
            return None
        if proposal.token is not None and proposal.token == existing.proposal.token:
            return existing
        different = next(
            (attribute for attribute, one, other in _attributes(proposal, existing.proposal) if one != other),
            "ClientToken",
        )
        raise AwsError(
            "AlreadyExistsException",
            f"ChangeSet {existing.name} cannot be created due to a mismatch with existing attribute {different}",
        )

    async def _examine(self, made: ChangeSet) -> None:
        made.status = "CREATE_IN_PROGRESS"
        stack, proposal = made.stack, made.proposal
        try:
            made.imports = await self._adoptions.found(
                stack, made.deployment, proposal.to_import, existing=proposal.import_existing
            )
            made.changes = differences(stack.deployment, stack.resources, made.deployment, made.imports)
        except (RefusedError, ResourceError) as refusal:
            made.fail(str(refusal))
            return
        others = [each.logical_id for each in made.changes if each.action is not Action.IMPORT]
        if (
            proposal.type is ChangeSetType.IMPORT
            and made.deployment.template.outputs != stack.deployment.template.outputs
        ):
            made.fail("As part of the import operation, you cannot modify or add [Outputs]")
        elif proposal.type is ChangeSetType.IMPORT and others:
            made.fail(
                f"You have modified resources [{', '.join(others)}] in your template that are not being imported. "
                "Update, create or delete operations cannot be executed during import operations."
            )
        elif not made.changes and not differs(stack, made.deployment):
            made.fail(_NO_CHANGES)
        else:
            made.status = "CREATE_COMPLETE"


def _is_over(sets: Mapping[str, ChangeSet]) -> bool:
    return all(each.stack.is_deleted for each in sets.values())


def _attributes(one: Proposal, other: Proposal) -> Iterator[tuple[str, object, object]]:
    yield "Template", one.wanted.template.body, other.wanted.template.body
    yield "Parameters", one.wanted.parameters, other.wanted.parameters
    yield "Capabilities", one.wanted.capabilities, other.wanted.capabilities
    yield "Tags", one.wanted.tags, other.wanted.tags
    yield "Description", one.description, other.description
    yield "ChangeSetType", one.type, other.type


def _not_executable(chosen: ChangeSet, status: str) -> AwsError:
    return AwsError("InvalidChangeSetStatus", f"ChangeSet [{chosen.id}] cannot be executed in its current {status}")

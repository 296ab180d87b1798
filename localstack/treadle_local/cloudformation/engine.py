"""The stacks of one account and region: which calls they allow, and the tasks that work on them."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Region
from treadle_local.clock import Clock
from treadle_local.cloudformation import flows
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.deployment import Deployment, Identity, plan_deployment
from treadle_local.cloudformation.differences import differences
from treadle_local.cloudformation.errors import NotYetKnownError, ResourceError, validation_error
from treadle_local.cloudformation.events import StackEvent
from treadle_local.cloudformation.exports import Exports, exports_of
from treadle_local.cloudformation.flows import OnFailure
from treadle_local.cloudformation.operations import Operation, OperationType
from treadle_local.cloudformation.stacks import IN_REVIEW, PRESERVED, UPDATABLE, Stack, stack_resource_name
from treadle_local.cloudformation.template import NO_TEMPLATE, Template
from treadle_local.cloudformation.undo import Changed
from treadle_local.cloudformation.work import Surroundings, Work

_log = logging.getLogger(__name__)

# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_MAXIMUM_TAGS = 50
_BEGUN = "User Initiated"

_Flow: TypeAlias = Callable[[], Coroutine[object, object, None]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call wants a stack to be."""

    template: Template
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manner:
    """How an operation goes about it; `on_failure` counts where a stack is created, `disable_rollback` elsewhere.

    `imports` are the physical ids of resources to be adopted, by logical id; `word` begins the states of an update.
    """

    token: str | None = None
    on_failure: OnFailure = OnFailure.ROLLBACK
    disable_rollback: bool = False
    retain_except_on_create: bool = False
    imports: Mapping[str, str] = field(default_factory=dict[str, str])
    word: str = "UPDATE"


AS_USUAL = Manner()


class Engine:
    """All stacks, by id and by name. Every change of a stack runs in a task of its own, one at a time a stack."""

    def __init__(self, region: Region, clock: Clock, aws: Aws, on_event: Callable[[StackEvent], None]) -> None:
        self._region = region
        self._clock = clock
        self._around = Surroundings(region, clock, aws, on_event, self.owner_of, self.exports)
        self._stacks: dict[str, Stack] = {}
        self._by_name: dict[str, Stack] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[Stack]:
        """All stacks that ever were, the newest first."""
        return reversed(self._stacks.values())

    def find(self, name_or_id: str) -> Stack | None:
        """The stack of this name that is not deleted, or the one of this id."""
        named = self._by_name.get(name_or_id)
        return self._stacks.get(name_or_id) if named is None or named.is_deleted else named

    def exports(self) -> Exports:
        """What all stacks export and import."""
        return exports_of(self._by_name.values())

    def create(
        self, name: str, wanted: Wanted, manner: Manner = AS_USUAL, *, termination_protection: bool = False
    ) -> Stack:
        """Begins to create a stack. Raises: AlreadyExistsException, TokenAlreadyExistsException, ValidationError."""
        present = self.find(name)
        if present is not None and present.repeats(manner.token, OperationType.CREATE_STACK):
            return present
        stack = self._new(name, wanted)
        stack.termination_protection = termination_protection
        self.begin_creation(stack, stack.deployment, manner)
        return stack

    def reserve(self, name: str, tags: Mapping[str, str]) -> Stack:
        """A stack of this name that is nothing yet but a place for change sets. Raises: as `create`."""
        stack = self._new(name, Wanted(NO_TEMPLATE, tags=tags))
        self._work(stack, OperationType.CREATE_STACK, AS_USUAL).enter(IN_REVIEW, _BEGUN)
        stack.operations.clear()
        return stack

    def discard(self, stack: Stack) -> None:
        """Forgets a stack that was reserved in vain."""
        del self._stacks[stack.id], self._by_name[stack.name]

    def begin_creation(self, stack: Stack, deployment: Deployment, manner: Manner) -> Operation:
        """Begins to create what a new stack is to be."""
        stack.deployment = deployment
        stack.disable_rollback = manner.on_failure is OnFailure.DO_NOTHING
        work = self._work(stack, OperationType.CREATE_STACK, manner)
        work.enter("CREATE_IN_PROGRESS", _BEGUN)
        retain = manner.retain_except_on_create
        self._start(stack, lambda: flows.create(work, deployment, manner.on_failure, retain_except_on_create=retain))
        return work.operation

    def update(self, stack: Stack, wanted: Wanted, manner: Manner = AS_USUAL) -> Stack:
        """Begins to update a stack.

        Raises: TokenAlreadyExistsException, ValidationError, also where there is nothing to do.
        """
        if stack.repeats(manner.token, OperationType.UPDATE_STACK):
            return stack
        check_updatable(stack, disable_rollback=manner.disable_rollback, api="update-stack")
        deployment = self.plan(stack, wanted)
        if not differs(stack, deployment):
            raise validation_error("No updates are to be performed.")
        stack.capabilities = wanted.capabilities
        self.begin_update(stack, deployment, manner)
        return stack

    def plan(self, stack: Stack, wanted: Wanted) -> Deployment:
        """What a stack would become. Raises: ValidationError."""
        deployment = self._deployment(stack.deployment.identity, wanted)
        _check_types(stack, deployment)
        return deployment

    def begin_update(self, stack: Stack, deployment: Deployment, manner: Manner) -> Operation:
        """Begins to bring a stack to another deployment."""
        stack.updated_at = self._clock.now()
        stack.cancelling = False
        stack.disable_rollback = manner.disable_rollback
        work = self._work(stack, OperationType.UPDATE_STACK, manner)
        operation = work.operation
        work.journal.extend(stack.unfinished)
        work.enter(f"{manner.word}_IN_PROGRESS", _BEGUN)
        self._start(
            stack,
            lambda: flows.update(
                work,
                deployment,
                disable_rollback=manner.disable_rollback,
                retain_except_on_create=manner.retain_except_on_create,
                word=manner.word,
            ),
        )
        return operation

    def cancel_update(self, stack: Stack, token: str | None = None) -> None:
        """Has an update end with the resource at hand, and be undone. Raises: ValidationError."""
        if token is not None and stack.operations and stack.operations[-1].cancelled_by == token:
            return
        if stack.status != "UPDATE_IN_PROGRESS":
            raise validation_error("CancelUpdateStack cannot be called from current stack status")
        stack.cancelling = True
        stack.operations[-1].cancelled_by = token

    def delete(self, stack: Stack, *, retain: Iterable[str] = (), token: str | None = None) -> None:
        """Begins to delete a stack; one that is being created stops with the resource at hand.

        Raises: ValidationError for a protected stack, one that is being updated, one whose exports are in use.
        """
        if stack.is_deleted or stack.stopping or stack.status == "DELETE_IN_PROGRESS":
            return
        if stack.termination_protection:
            raise validation_error(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.in_progress and not stack.status.startswith(("CREATE_", "ROLLBACK_")):
            raise validation_error(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
        left = tuple(retain)
        if left and stack.status != "DELETE_FAILED":
            raise validation_error(
                f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which resources to retain "
                "only when the stack is in the DELETE_FAILED state."
            )
        self._check_exports_unused(stack)
        stack.stopping = True
        work = self._work(stack, OperationType.DELETE_STACK, Manner(token))
        if not stack.in_progress:
            work.enter("DELETE_IN_PROGRESS", _BEGUN)
        self._start(stack, lambda: flows.delete(work, retain=left))

    def roll_back(self, stack: Stack, manner: Manner) -> Operation:
        """Begins to bring a stack whose failed operation was left as it was to the state before it.

        A stack without such a state is deleted. Raises: ValidationError.
        """
        if stack.repeats(manner.token, OperationType.ROLLBACK):
            return stack.operations[-1]
        if stack.status not in PRESERVED:
            raise validation_error(f"RollbackStack cannot be called from current stack status [{stack.status}]")
        retaining = flows.retained_by_rollback(retain_except_on_create=manner.retain_except_on_create)
        work = self._work(stack, OperationType.ROLLBACK, manner)
        if not stack.was_stable:
            work.enter("DELETE_IN_PROGRESS", _BEGUN)
            self._start(stack, lambda: flows.delete(work, retaining=retaining))
            return work.operation
        work.enter("UPDATE_ROLLBACK_IN_PROGRESS", _BEGUN)
        self._start(stack, lambda: flows.turn_back(work, stack.unfinished, retaining=retaining))
        return work.operation

    def continue_rollback(
        self, stack: Stack, *, skip: Iterable[str] = (), force: bool = False, token: str | None = None
    ) -> None:
        """Tries again to bring a stack back whose failed update could not be undone. Raises: ValidationError."""
        if stack.repeats(token, OperationType.CONTINUE_ROLLBACK):
            return
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise validation_error(
                f"Stack:{stack.id} is in {stack.status} state and can not continue the update rollback."
            )
        failed = {
            entry.before.logical_id
            for entry in stack.unfinished
            if isinstance(entry, Changed) and stack.resources[entry.before.logical_id].status == "UPDATE_FAILED"
        }
        skipped = failed if force else set(skip)
        if unknown := sorted(skipped - failed):
            raise validation_error(
                "The following resources cannot be skipped because they are not in the UPDATE_FAILED state: "
                f"[{', '.join(unknown)}]"
            )
        work = self._work(stack, OperationType.CONTINUE_ROLLBACK, Manner(token))
        work.enter("UPDATE_ROLLBACK_IN_PROGRESS", _BEGUN)
        self._start(stack, lambda: flows.turn_back(work, stack.unfinished, skipped))

    async def settled(self, stack: Stack) -> Stack:
        """The stack, once nothing works on it any more."""
        while (task := self._tasks.get(stack.id)) is not None:
            await asyncio.wait({task})
        return stack

    async def stop(self) -> None:
        """Ends all work at once; stacks stay as they are."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _new(self, name: str, wanted: Wanted) -> Stack:
        _check_name(name)
        if self.find(name) is not None:
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        identity = Identity(self._region, name, self._region.arn("cloudformation", stack_resource_name(name)))
        deployment = self._deployment(identity, wanted)
        stack = Stack(name, identity.stack_id, deployment, self._clock.now(), wanted.capabilities)
        self._stacks[stack.id] = self._by_name[name] = stack
        return stack

    def _work(self, stack: Stack, kind: OperationType, manner: Manner) -> Work:
        operation = Operation(kind, self._clock.now(), manner.token)
        stack.operations.append(operation)
        return Work(self._around, stack, operation, imports=manner.imports)

    def _deployment(self, identity: Identity, wanted: Wanted) -> Deployment:
        _check_tags(wanted.tags)
        return plan_deployment(identity, wanted.template, wanted.parameters, wanted.tags, self.exports().values)

    def _check_exports_unused(self, stack: Stack) -> None:
        importers = self.exports().importers
        for name in stack.exports:
            if users := importers.get(name):
                raise validation_error(
                    f"Delete canceled. Cannot delete export {name} as it is in use by {' and '.join(users)}."
                )

    def _start(self, stack: Stack, flow: _Flow) -> None:
        earlier = self._tasks.get(stack.id)
        task = asyncio.get_running_loop().create_task(self._run(stack, flow, earlier))
        self._tasks[stack.id] = task
        task.add_done_callback(lambda done: self._finished(stack, done))

    async def _run(self, stack: Stack, flow: _Flow, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await asyncio.wait({earlier})
        try:
            await flow()
        except flows.StoppedError:
            _log.debug("the creation of %s stops for its deletion", stack.name)

    def _finished(self, stack: Stack, task: asyncio.Task[None]) -> None:
        if self._tasks.get(stack.id) is task:
            del self._tasks[stack.id]
        if stack.is_deleted and self._by_name.get(stack.name) is stack:
            del self._by_name[stack.name]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the work on stack %s ended with a fault of the emulator", stack.name, exc_info=error)

    def owner_of(self, kind: str, physical_id: str, asking: Stack) -> str | None:
        """The id of another stack that has a resource of this physical id, by which names it goes."""
        for stack in self._by_name.values():
            if stack is asking:
                continue
            for record in stack.resources.values():
                if record.type == kind and not record.is_gone and _is_named(record.physical_id, physical_id):
                    return stack.id
        return None


def _is_named(physical_id: str, name: str) -> bool:
    """Whether a physical id is of that name: the name itself, or an ARN or URL that ends in it."""
    return physical_id == name or physical_id.endswith((f":{name}", f"/{name}", f"|{name}"))


def differs(stack: Stack, deployment: Deployment) -> bool:
    """Whether an update would do anything."""
    before = stack.deployment
    if stack.status in PRESERVED or before.tags != deployment.tags:
        return True
    if differences(before, stack.resources, deployment):
        return True
    try:
        return (deployment.outputs(stack.resources), deployment.exported(stack.resources)) != (
            stack.outputs,
            stack.exports,
        )
    except (ResourceError, NotYetKnownError):
        return True


def check_updatable(stack: Stack, *, disable_rollback: bool, api: str) -> None:
    """Refuses an update of a stack whose state does not allow one. Raises: ValidationError."""
    if stack.status in PRESERVED:
        if not disable_rollback:
            raise validation_error(
                f"This stack is currently in a non-terminal [{stack.status}] state. To update the stack from this "
                f"state, please use the disable-rollback parameter with {api} API. To rollback to the last known "
                "good state, use the rollback-stack API"
            )
    elif stack.status not in UPDATABLE:
        raise validation_error(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def _check_types(stack: Stack, deployment: Deployment) -> None:
    """Refuses that a logical id becomes another type, as AWS does. Raises: ValidationError."""
    changed = [
        logical_id
        for logical_id in deployment.order
        if logical_id in stack.resources
        and stack.resources[logical_id].type != deployment.template.resources[logical_id].type
    ]
    if changed:
        raise validation_error(
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: [{', '.join(changed)}]"
        )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise validation_error(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > _MAXIMUM_TAGS:
        raise validation_error(f"Tags exceeded the maximum of {_MAXIMUM_TAGS}")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise validation_error("aws: prefixed tag key names are not allowed for external use.")

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
from treadle_local.cloudformation.errors import NotYetKnownError, ResourceError, validation_error
from treadle_local.cloudformation.events import StackEvent
from treadle_local.cloudformation.flows import OnFailure
from treadle_local.cloudformation.plan import changes
from treadle_local.cloudformation.stacks import UPDATABLE, Stack, stack_resource_name
from treadle_local.cloudformation.template import Template
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
    token: str | None = None


class Engine:
    """All stacks, by id and by name. Every change of a stack runs in a task of its own, one at a time a stack."""

    def __init__(self, region: Region, clock: Clock, aws: Aws, on_event: Callable[[StackEvent], None]) -> None:
        self._region = region
        self._clock = clock
        self._around = Surroundings(region, clock, aws, on_event, self._owner_of)
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

    def create(
        self,
        name: str,
        wanted: Wanted,
        *,
        on_failure: OnFailure = OnFailure.ROLLBACK,
        termination_protection: bool = False,
        retain_except_on_create: bool = False,
    ) -> Stack:
        """Begins to create a stack. Raises: AlreadyExistsException, ValidationError."""
        _check_name(name)
        if self.find(name) is not None:
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        identity = Identity(self._region, name, self._region.arn("cloudformation", stack_resource_name(name)))
        deployment = self._deployment(identity, wanted)
        stack = Stack(
            name=name,
            id=identity.stack_id,
            deployment=deployment,
            created_at=self._clock.now(),
            capabilities=wanted.capabilities,
            termination_protection=termination_protection,
            disable_rollback=on_failure is OnFailure.DO_NOTHING,
        )
        self._stacks[stack.id] = self._by_name[name] = stack
        work = Work(self._around, stack, wanted.token)
        work.enter("CREATE_IN_PROGRESS", _BEGUN)
        self._start(
            stack, lambda: flows.create(work, deployment, on_failure, retain_except_on_create=retain_except_on_create)
        )
        return stack

    def update(self, stack: Stack, wanted: Wanted) -> Stack:
        """Begins to update a stack. Raises: ValidationError, also where there is nothing to do."""
        if stack.status not in UPDATABLE:
            raise validation_error(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        deployment = self._deployment(stack.deployment.identity, wanted)
        _check_types(stack, deployment)
        if not _differs(stack, deployment):
            raise validation_error("No updates are to be performed.")
        stack.capabilities = wanted.capabilities
        stack.updated_at = self._clock.now()
        work = Work(self._around, stack, wanted.token)
        work.enter("UPDATE_IN_PROGRESS", _BEGUN)
        self._start(stack, lambda: flows.update(work, deployment))
        return stack

    def delete(self, stack: Stack, *, retain: Iterable[str] = (), token: str | None = None) -> None:
        """Begins to delete a stack; one that is being created stops with the resource at hand.

        Raises: ValidationError for a protected stack, or one that is being updated.
        """
        if stack.is_deleted or stack.stopping:
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
        stack.stopping = True
        work = Work(self._around, stack, token)
        if stack.id not in self._tasks:
            work.enter("DELETE_IN_PROGRESS", _BEGUN)
        self._start(stack, lambda: flows.delete(work, _BEGUN, retain=left))

    def continue_rollback(self, stack: Stack, *, skip: Iterable[str] = (), token: str | None = None) -> None:
        """Tries again to bring a stack back whose failed update could not be undone. Raises: ValidationError."""
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise validation_error(
                f"Stack:{stack.id} is in {stack.status} state and can not continue the update rollback."
            )
        work = Work(self._around, stack, token)
        work.enter("UPDATE_ROLLBACK_IN_PROGRESS", _BEGUN)
        self._start(stack, lambda: flows.turn_back(work, stack.unfinished, skip))

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

    def _deployment(self, identity: Identity, wanted: Wanted) -> Deployment:
        _check_tags(wanted.tags)
        return plan_deployment(identity, wanted.template, wanted.parameters, wanted.tags)

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

    def _owner_of(self, kind: str, physical_id: str, asking: Stack) -> str | None:
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


def _differs(stack: Stack, deployment: Deployment) -> bool:
    """Whether an update would do anything."""
    before = stack.deployment
    if changes(stack.resources, deployment) or before.tags != deployment.tags:
        return True
    try:
        return deployment.outputs(stack.resources) != stack.outputs
    except (ResourceError, NotYetKnownError):
        return True


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

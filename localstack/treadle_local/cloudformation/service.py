"""CloudFormation's API over the engine, and the direct way in for `treadle dev`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.cloudformation import requests
from treadle_local.cloudformation.adoption import Adoptions
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.change_set_calls import ChangeSetCalls
from treadle_local.cloudformation.change_sets import ChangeSets
from treadle_local.cloudformation.drift.service import Drift
from treadle_local.cloudformation.engine import Engine, Wanted
from treadle_local.cloudformation.events import StackEvent
from treadle_local.cloudformation.reading_calls import ReadingCalls
from treadle_local.cloudformation.stack_calls import StackCalls
from treadle_local.cloudformation.stacks import UPDATABLE, Stack

_NOTHING_TO_DO = "No updates are to be performed."


class CloudFormation:
    """The service `cloudformation`. Create, update and delete answer at once and go on in the background."""

    def __init__(
        self,
        region: Region,
        clock: Clock,
        aws: Aws,
        on_event: Callable[[StackEvent], None] = lambda event: None,
    ) -> None:
        self._region = region
        self._engine = Engine(region, clock, aws, on_event)
        self._change_sets = ChangeSets(self._engine, region, clock, Adoptions(self._engine, region, aws))
        change_set_calls = ChangeSetCalls(self._engine, self._change_sets, aws)
        drift = Drift(region, clock, aws, self._engine.find)
        self._operations: dict[str, Callable[[Params], Result | Awaitable[Result]]] = {
            **StackCalls(self._engine, aws).operations,
            **drift.told_by(ReadingCalls(self._engine, aws, change_set_calls.named).operations),
            **change_set_calls.operations,
            **drift.operations,
        }

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        """Does one operation. Raises: AwsError; what AWS has and this service has not is refused by its name."""
        done = self._operations.get(operation)
        if done is None:
            raise AwsError("UnknownOperationException", f"{operation} is not in Treadle's emulator yet")
        return done(params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """`cloudformation:<Operation>` on the stack's ARN, or on everything for calls that name no stack."""
        action = f"cloudformation:{operation}"
        name = params.get("StackName")
        change_set = params.get("ChangeSetName")
        if isinstance(change_set, str) and (found := self._change_sets.find(change_set, None)) is not None:
            name = name or found.stack.id
        if operation not in self._operations or not isinstance(name, str):
            return (Target(action, "*"),)
        stack = self._engine.find(name)
        if stack is not None:
            return (Target(action, stack.id),)
        return (
            Target(action, name if name.startswith("arn:") else self._region.arn("cloudformation", f"stack/{name}/*")),
        )

    async def deploy(
        self,
        name: str,
        template: str | Mapping[str, Any],
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Stack:
        """The stack of this name after it was created or updated; its status tells whether that went well.

        A stack that can only be deleted (its creation was rolled back) is deleted first; one that is as wanted
        already is returned as it is. All capabilities are granted. Raises: AwsError for what CloudFormation refuses
        before it begins.
        """
        body = template if isinstance(template, str) else json.dumps(template)
        wanted = Wanted(
            template=requests.checked_template(body),
            parameters=parameters or {},
            tags=tags or {},
            capabilities=("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
        )
        stack = self._engine.find(name)
        if stack is not None:
            await self._engine.settled(stack)
            if stack.status in UPDATABLE:
                try:
                    return await self._engine.settled(self._engine.update(stack, wanted))
                except AwsError as error:
                    if error.message == _NOTHING_TO_DO:
                        return stack
                    raise
            if not stack.is_deleted:
                self._engine.delete(stack)
                await self._engine.settled(stack)
        return await self._engine.settled(self._engine.create(name, wanted))

    async def remove(self, name: str) -> Stack | None:
        """The stack of this name after its deletion, or None where there is none. Raises: AwsError."""
        stack = self._engine.find(name)
        if stack is not None:
            await self._engine.settled(stack)
            self._engine.delete(stack)
            await self._engine.settled(stack)
        return stack

    def stack_names(self) -> tuple[str, ...]:
        """The names of the stacks that are there."""
        return tuple(stack.name for stack in self._engine if not stack.is_deleted)

    async def settled(self, name: str) -> Stack | None:
        """The stack of this name, once nothing works on it any more; None where there is none."""
        stack = self._engine.find(name)
        return None if stack is None else await self._engine.settled(stack)

    async def stop(self) -> None:
        """Ends what is going on; no task is left."""
        await self._change_sets.stop()
        await self._engine.stop()

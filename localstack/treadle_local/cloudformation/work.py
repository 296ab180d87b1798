"""One operation on one stack: its steps on single resources, each told as events and noted to be undone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from treadle_local.aws.service import Region
from treadle_local.clock import Clock
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.deployment import Deployment
from treadle_local.cloudformation.errors import AlreadyExistsError, CallError, NotYetKnownError, ResourceError
from treadle_local.cloudformation.events import STACK_TYPE, StackEvent
from treadle_local.cloudformation.exports import Exports
from treadle_local.cloudformation.operations import Operation, OperationType
from treadle_local.cloudformation.plan import Action, action_for
from treadle_local.cloudformation.providers.base import Attributes, Context, Model, Properties, ReservedTags
from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.stacks import UPDATABLE, Stack
from treadle_local.cloudformation.template import Declaration
from treadle_local.cloudformation.undo import Adopted, Changed, Created, Noted, Replaced, Undo

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_NO_MODEL = Model({})
_REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."
_INITIATED = "Resource creation Initiated"
# By which services refuse a name that is in use.
_TAKEN = frozenset(
    {
        "BucketAlreadyExists",
        "BucketAlreadyOwnedByYou",
        "ConflictException",
        "EntityAlreadyExists",
        "ResourceAlreadyExistsException",
        "ResourceConflictException",
        "ResourceInUseException",
    }
)


class StepFailedError(Exception):
    """A resource has failed and its event is written; the operation must end or turn back."""

    def __init__(self, logical_id: str) -> None:
        super().__init__(logical_id)
        self.logical_id = logical_id


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all operations of an engine share. `owner_of(type, physical id, stack)` is the id of another stack."""

    region: Region
    clock: Clock
    aws: Aws
    on_event: Callable[[StackEvent], None]
    owner_of: Callable[[str, str, Stack], str | None]
    exports: Callable[[], Exports]
    reserved_tags: ReservedTags = field(default_factory=ReservedTags)


@dataclass(slots=True)
class Work:
    """The steps of one operation on one stack.

    The journal goes on where an earlier operation left one. `imports` are the physical ids of resources to be
    adopted, by logical id.
    """

    around: Surroundings
    stack: Stack
    operation: Operation
    journal: list[Undo] = field(default_factory=list[Undo])
    imports: Mapping[str, str] = field(default_factory=dict[str, str])

    def enter(self, status: str, reason: str | None = None) -> None:
        """Brings the stack itself into a state; one in which nothing is in progress ends the operation."""
        stack = self.stack
        stack.status, stack.status_reason = status, reason
        if status in UPDATABLE:
            stack.was_stable = True
        self._tell(stack.name, stack.id, STACK_TYPE, status, reason)
        if not status.endswith("_IN_PROGRESS"):
            self.operation.end(self.around.clock.now(), failed=status.endswith("_FAILED"))

    def turn_around(self, status: str, reason: str) -> None:
        """Ends the operation as failed, and begins the one that undoes it."""
        now = self.around.clock.now()
        self.operation.end(now, failed=True)
        self.operation = Operation(OperationType.ROLLBACK, now, self.operation.cancelled_by or self.operation.token)
        self.stack.operations.append(self.operation)
        self.enter(status, reason)

    async def settle(self, deployment: Deployment, logical_id: str) -> None:
        """Makes a resource what the deployment says. Raises: StepFailedError."""
        declaration = deployment.template.resources[logical_id]
        record = self.stack.resources.get(logical_id)
        try:
            model = deployment.model(declaration, self.stack.resources)
        except (ResourceError, NotYetKnownError) as failure:
            self._refuse(declaration, record, str(failure))
            raise StepFailedError(logical_id) from failure
        wanted = StackResource(
            logical_id=logical_id,
            type=declaration.type,
            status="",
            changed_at=0.0,
            model=model,
            dependencies=deployment.dependencies[logical_id],
            deletion_policy=declaration.deletion_policy,
            metadata=declaration.metadata,
            shown=deployment.shown(declaration, self.stack.resources),
        )
        if record is not None and record.status == "CREATE_FAILED":
            await self._clear(record)
            record = None
        if record is None:
            await (self._adopt(wanted) if logical_id in self.imports else self._create(wanted))
            return
        match action_for(record, declaration, model):
            case Action.MODIFY:
                await self._change(record, wanted)
            case Action.REPLACE:
                await self._replace(record, wanted)
            case _:
                self.journal.append(Noted(record))
                self.stack.resources[logical_id] = replace(record, dependencies=wanted.dependencies, shown=wanted.shown)

    async def settle_failed(self) -> None:
        """Undoes the step that failed, as far as there was something before it; what was done before that stays.

        A resource that was not there before is left for the next operation to remove.
        """
        match self.journal[-1]:
            case Changed(before, attempted):
                try:
                    attributes = await self._update(before, attempted, before.model)
                except ResourceError:
                    return
                self.journal[-1] = Noted(before)
                self.stack.resources[before.logical_id] = replace(
                    self.stack.resources[before.logical_id], attributes=attributes
                )
            case Replaced(before, made):
                if await self.remove(made, listed=False):
                    self.journal[-1] = Noted(before)
            case Created() | Noted() | Adopted():
                pass

    async def release(self, made: StackResource, observed: Model) -> None:
        """Undoes an adoption: the resource stays, with the tags that it had."""
        self._record(replace(made, status="IMPORT_ROLLBACK_IN_PROGRESS", reason=None))
        try:
            tagged = replace(made.model, tags={**observed.tags, **_own(made.model.tags)})
            await self._update(made, tagged, replace(made.model, tags=observed.tags))
        except ResourceError as failure:
            self._record(replace(made, status="IMPORT_ROLLBACK_FAILED", reason=str(failure)))
        else:
            self._record(replace(made, status="IMPORT_ROLLBACK_COMPLETE", reason=None))

    def assume(self, before: StackResource) -> None:
        """Takes a resource to be as it was, whatever it is."""
        self._record(replace(before, status="UPDATE_COMPLETE", reason=None))

    async def restore(self, before: StackResource, attempted: Model) -> bool:
        """Undoes a change in place; false where that failed."""
        self._record(replace(before, status="UPDATE_IN_PROGRESS", reason=None))
        try:
            attributes = await self._update(before, attempted, before.model)
        except ResourceError as failure:
            self._record(replace(before, status="UPDATE_FAILED", reason=str(failure)))
            return False
        self._record(replace(before, status="UPDATE_COMPLETE", reason=None, attributes=attributes))
        return True

    async def remove(self, record: StackResource, *, listed: bool = True) -> bool:
        """Deletes a resource; false where that failed.

        `listed` says that the record is the stack's own under its logical id, and not one that another has replaced.
        """
        note = self._record if listed else self._tell_of
        if record.physical_id:
            note(replace(record, status="DELETE_IN_PROGRESS", reason=None))
            context = self._context(record.logical_id, record.physical_id)
            try:
                await _guarded(PROVIDERS[record.type].delete(context, record.model))
            except ResourceError as failure:
                note(replace(record, status="DELETE_FAILED", reason=str(failure)))
                return False
        note(replace(record, status="DELETE_COMPLETE", reason=None))
        return True

    def skip(self, record: StackResource, *, listed: bool = True) -> None:
        """Lets go of a resource that is to be retained."""
        (self._record if listed else self._tell_of)(replace(record, status="DELETE_SKIPPED", reason=None))

    async def _clear(self, failed: StackResource) -> None:
        """Removes what an earlier operation could not create, and left. Raises: StepFailedError."""
        if not await self.remove(failed):
            raise StepFailedError(failed.logical_id)
        self.journal = [
            entry
            for entry in self.journal
            if not (isinstance(entry, Created) and entry.made.logical_id == failed.logical_id)
        ]
        del self.stack.resources[failed.logical_id]

    async def _adopt(self, wanted: StackResource) -> None:
        """Takes over a resource that exists: its properties are left alone, its tags become the stack's as well."""
        physical_id = self.imports[wanted.logical_id]
        starting = self._record(replace(wanted, status="IMPORT_IN_PROGRESS", physical_id=physical_id))
        context = self._context(wanted.logical_id, physical_id)
        try:
            observed = await _guarded(PROVIDERS[wanted.type].read(context, wanted.model))
            if observed is None:
                raise ResourceError(f"Resource of type '{wanted.type}' with identifier '{physical_id}' was not found.")
            untagged = replace(wanted.model, tags=observed.tags)
            tagged = replace(wanted.model, tags={**observed.tags, **_own(wanted.model.tags)})
            attributes = await _guarded(PROVIDERS[wanted.type].update(context, untagged, tagged))
        except ResourceError as failure:
            self.journal.append(Adopted(starting, replace(wanted.model, tags=_own(wanted.model.tags))))
            self._record(replace(starting, status="IMPORT_FAILED", reason=str(failure)))
            raise StepFailedError(wanted.logical_id) from failure
        complete = replace(
            starting, status="IMPORT_COMPLETE", attributes=attributes, reason="Resource import completed."
        )
        self.journal.append(Adopted(self._record(complete), untagged))

    async def _create(self, wanted: StackResource) -> None:
        starting = self._record(replace(wanted, status="CREATE_IN_PROGRESS"))
        context = self._context(wanted.logical_id, "", self._initiated(starting))
        try:
            attributes = await self._make(context, wanted)
        except ResourceError as failure:
            failed = replace(
                starting, status="CREATE_FAILED", physical_id=context.physical_id, reason=self._explain(wanted, failure)
            )
            self.journal.append(Created(self._record(failed)))
            raise StepFailedError(wanted.logical_id) from failure
        complete = replace(starting, status="CREATE_COMPLETE", physical_id=context.physical_id, attributes=attributes)
        self.journal.append(Created(self._record(complete)))

    async def _replace(self, record: StackResource, wanted: StackResource) -> None:
        """Makes the new resource beside the old one, which goes in the end."""
        self._record(replace(record, status="UPDATE_IN_PROGRESS", reason=_REPLACING))
        starting = replace(wanted, status="UPDATE_IN_PROGRESS")
        context = self._context(wanted.logical_id, "", self._initiated(starting))
        try:
            _refuse_fixed_name(record, wanted)
            attributes = await self._make(context, wanted)
        except ResourceError as failure:
            if context.physical_id:
                self.journal.append(Replaced(record, replace(starting, physical_id=context.physical_id)))
            else:
                self.journal.append(Noted(record))
            self._record(replace(record, status="UPDATE_FAILED", reason=self._explain(wanted, failure)))
            raise StepFailedError(wanted.logical_id) from failure
        made = replace(starting, status="UPDATE_COMPLETE", physical_id=context.physical_id, attributes=attributes)
        self.journal.append(Replaced(record, self._record(made)))

    async def _change(self, record: StackResource, wanted: StackResource) -> None:
        self._record(replace(record, status="UPDATE_IN_PROGRESS", reason=None))
        self.journal.append(Changed(record, wanted.model))
        try:
            attributes = await self._update(record, record.model, wanted.model)
        except ResourceError as failure:
            self._record(replace(record, status="UPDATE_FAILED", reason=str(failure)))
            raise StepFailedError(record.logical_id) from failure
        self._record(replace(wanted, status="UPDATE_COMPLETE", physical_id=record.physical_id, attributes=attributes))

    async def _make(self, context: Context, wanted: StackResource) -> Attributes:
        attributes = await _guarded(PROVIDERS[wanted.type].create(context, wanted.model))
        if not context.physical_id:
            raise ResourceError(f"The provider of {wanted.type} named no physical id")
        return attributes

    async def _update(self, record: StackResource, before: Model, after: Model) -> Attributes:
        if not before.changed(after):
            return record.attributes
        context = self._context(record.logical_id, record.physical_id)
        return await _guarded(PROVIDERS[record.type].update(context, before, after))

    def _refuse(self, declaration: Declaration, record: StackResource | None, reason: str) -> None:
        """Notes that a resource's properties cannot be: nothing was called for it."""
        if record is None:
            failed = StackResource(
                declaration.logical_id, declaration.type, "CREATE_FAILED", 0.0, _NO_MODEL, reason=reason
            )
            self.journal.append(Created(self._record(failed)))
        else:
            self.journal.append(Noted(record))
            self._record(replace(record, status="UPDATE_FAILED", reason=reason))

    def _explain(self, wanted: StackResource, failure: ResourceError) -> str:
        """The failure's reason; where a name is taken by another stack, that stack is named."""
        name_property = PROVIDERS[wanted.type].schema.name_property
        name: str | None = None if name_property is None else wanted.model.properties.get(name_property)
        taken = isinstance(failure, AlreadyExistsError) or (isinstance(failure, CallError) and failure.code in _TAKEN)
        if not taken or name is None:
            return str(failure)
        owner = self.around.owner_of(wanted.type, name, self.stack)
        return f"{name} already exists" if owner is None else f"{name} already exists in stack {owner}"

    def _initiated(self, starting: StackResource) -> Callable[[str], None]:
        """What a context calls when the resource exists: it is told, and from then on known under its id."""

        def note(physical_id: str) -> None:
            begun = replace(starting, physical_id=physical_id, reason=_INITIATED)
            if starting.status == "CREATE_IN_PROGRESS":
                self._record(begun)
            else:
                self._tell_of(begun)

        return note

    def _context(self, logical_id: str, physical_id: str, on_initiated: Callable[[str], None] | None = None) -> Context:
        around = self.around
        return Context(
            aws=around.aws,
            region=around.region,
            stack_name=self.stack.name,
            logical_id=logical_id,
            reserved_tags=around.reserved_tags,
            physical_id=physical_id,
            on_initiated=on_initiated,
        )

    def _record(self, record: StackResource) -> StackResource:
        """Puts a resource's state into the stack, and tells it."""
        record = replace(record, changed_at=self.around.clock.now())
        self.stack.resources[record.logical_id] = record
        return self._tell_of(record)

    def _tell_of(self, record: StackResource) -> StackResource:
        shown = record.model.properties if record.shown is None else record.shown
        self._tell(record.logical_id, record.physical_id, record.type, record.status, record.reason, shown)
        return record

    def _tell(
        self,
        logical_id: str,
        physical_id: str,
        kind: str,
        status: str,
        reason: str | None,
        properties: Properties | None = None,
    ) -> None:
        stack = self.stack
        event = StackEvent(
            stack_id=stack.id,
            stack_name=stack.name,
            logical_id=logical_id,
            physical_id=physical_id,
            type=kind,
            status=status,
            timestamp=self.around.clock.now(),
            reason=reason,
            properties=properties,
            token=self.operation.token,
            operation_id=self.operation.id,
        )
        stack.events.append(event)
        self.around.on_event(event)


async def _guarded(step: Awaitable[_T]) -> _T:
    """The step's result; a fault of the emulator fails the resource and not the stack's whole operation."""
    try:
        return await step
    except ResourceError:
        raise
    except Exception as error:
        _log.exception("a CloudFormation provider failed")
        raise ResourceError(f"Internal failure of the emulator: {type(error).__name__}: {error}") from error


def _own(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that a caller may set."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _refuse_fixed_name(record: StackResource, wanted: StackResource) -> None:
    """Refuses a replacement that would have to bear the name of what it replaces. Raises: ResourceError."""
    name_property = PROVIDERS[wanted.type].schema.name_property
    if name_property is None:
        return
    name = wanted.model.properties.get(name_property)
    if name is not None and name == record.model.properties.get(name_property):
        raise ResourceError(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
            f"Rename {name} and update the stack again."
        )

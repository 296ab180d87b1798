"""Operations on one stack that cross each other or are asked for twice: none is half done, and none is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.aws import refusal, unique
from support.change_sets import execute, propose
from support.dev import Dev
from support.failing import client
from support.interrupted import Interrupted
from support.snapshots import changes, snapshot
from support.stacks import create, delete, history, update
from support.templates import Json, resource, template
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.cloudformation import CloudFormation, Stack, StackEvent

TWO_QUEUES: dict[str, Json] = {
    "First": resource("SQS::Queue", {"DelaySeconds": 1}),
    "Second": resource("SQS::Queue", {"DelaySeconds": 2}, DependsOn="First"),
}


class Meanwhile(Interrupted):
    """Does something else while a call of number `at` is under way; the calls in `failing` fail."""

    def __init__(self, emulator: Dev) -> None:
        super().__init__(emulator)
        self.at = -1
        self.failing: set[int] = set()
        self.meanwhile: Callable[[], object] = lambda: None

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if self.calls + 1 == self.at:
            self.meanwhile()
        self.fail_at = self.calls + 1 if self.calls + 1 in self.failing else -1
        return await super().call(service, operation, params)


def lived(emulator: Dev, life: Callable[[CloudFormation, Meanwhile, str], Coroutine[Any, Any, Stack]]) -> list[str]:
    """The stack's own states in a life after which nothing is left."""

    async def run() -> list[str]:
        aws, name = Meanwhile(emulator), unique("crossing")
        engine = CloudFormation(Region(), ManualClock(), aws)
        stack = await life(engine, aws, name)
        assert all(operation.ended_at is not None for operation in stack.operations)
        return [event.status for event in stack.events if event.is_of_stack]

    before = snapshot(emulator)
    states = asyncio.run(run())
    assert changes(before, snapshot(emulator)) == {}
    return states


async def asked(engine: CloudFormation, operation: str, **params: Any) -> Any:
    done = engine.handle(operation, params, ROOT)
    return await done if asyncio.iscoroutine(done) else done


@pytest.mark.parametrize(
    ("on_failure", "failing"), [("DELETE", {2}), ("ROLLBACK", {2}), ("DO_NOTHING", {2, 9}), ("DELETE", {99})]
)
def test_a_stack_deleted_while_it_is_created_is_deleted_once(emulator: Dev, on_failure: str, failing: set[int]) -> None:
    """However its creation ends: also where that fails and would have deleted, kept or undone it."""

    async def life(engine: CloudFormation, aws: Meanwhile, name: str) -> Stack:
        aws.failing, aws.at = failing, 2
        aws.meanwhile = lambda: engine.handle("DeleteStack", {"StackName": name}, ROOT)
        body = template(TWO_QUEUES)
        await asked(engine, "CreateStack", StackName=name, TemplateBody=body, OnFailure=on_failure)
        stack = await engine.settled(name)
        assert stack is not None
        return stack

    assert lived(emulator, life) == ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]


def test_an_update_is_refused_from_the_moment_of_the_deletion(emulator: Dev) -> None:
    """Also in the very moment in which the operation before has ended."""

    async def run() -> None:
        def at_once(event: StackEvent) -> None:
            if event.is_of_stack and event.status == "CREATE_COMPLETE":
                loop.call_soon(delete_and_update)

        def delete_and_update() -> None:
            engine.handle("DeleteStack", {"StackName": name}, ROOT)
            updating.append(asyncio.ensure_future(asked(engine, "UpdateStack", StackName=name, TemplateBody=other)))

        loop, name, updating = asyncio.get_running_loop(), unique("crossing"), list[asyncio.Future[Any]]()
        other = template({"First": resource("SQS::Queue", {})})
        engine = CloudFormation(Region(), ManualClock(), Meanwhile(emulator), at_once)
        await asked(engine, "CreateStack", StackName=name, TemplateBody=template(TWO_QUEUES))
        stack = await engine.settled(name)
        with pytest.raises(AwsError, match=r"does not exist|DELETE_IN_PROGRESS state and can not be updated"):
            await updating[0]
        await engine.settled(name)
        assert stack is not None
        assert stack.status == "DELETE_COMPLETE"

    before = snapshot(emulator)
    asyncio.run(run())
    assert changes(before, snapshot(emulator)) == {}


def test_a_cancelled_update_of_a_stack_that_never_came_up_goes_back_to_nothing(emulator: Dev) -> None:
    """There is no state to go back to: it stays as it is, to be updated again or deleted."""

    async def life(engine: CloudFormation, aws: Meanwhile, name: str) -> Stack:
        body = template(TWO_QUEUES)
        aws.failing, aws.at = {2}, 3
        aws.meanwhile = lambda: engine.handle("CancelUpdateStack", {"StackName": name}, ROOT)
        await asked(engine, "CreateStack", StackName=name, TemplateBody=body, OnFailure="DO_NOTHING")
        await engine.settled(name)
        await asked(engine, "UpdateStack", StackName=name, TemplateBody=body, DisableRollback=True)
        await engine.settled(name)
        stack = await engine.remove(name)
        assert stack is not None
        return stack

    states = lived(emulator, life)

    assert states[:4] == ["CREATE_IN_PROGRESS", "CREATE_FAILED", "UPDATE_IN_PROGRESS", "UPDATE_FAILED"]
    assert states[4:] == ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]


def test_a_deletion_takes_along_what_a_failed_update_has_replaced(emulator: Dev) -> None:
    """Where that cannot be deleted, the deletion has failed, and the next one tries it again."""
    replaced = {**TWO_QUEUES, "First": resource("SQS::Queue", {"QueueName": unique("replaced")})}

    async def life(engine: CloudFormation, aws: Meanwhile, name: str) -> Stack:
        stack = await engine.deploy(name, template(TWO_QUEUES))
        changed = {**replaced, "Second": resource("SQS::Queue", {"DelaySeconds": 3})}
        aws.failing = {aws.calls + 2, aws.calls + 4}  # the change of Second, and the first deletion
        await asked(engine, "UpdateStack", StackName=name, TemplateBody=template(changed), DisableRollback=True)
        await engine.settled(name)
        assert stack.status == "UPDATE_FAILED"
        await engine.remove(name)
        assert stack.status == "DELETE_FAILED"
        await engine.remove(name)
        return stack

    assert lived(emulator, life)[-2:] == ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]


def test_a_call_repeated_with_its_token_is_answered_and_done_once(emulator: Dev) -> None:
    """As a client does whose answer was lost on the way."""
    cloudformation, name = client(emulator), unique("token")
    for _ in range(2):
        assert create(cloudformation, name, template(TWO_QUEUES), ClientRequestToken="made") == "CREATE_COMPLETE"
    changed = {**TWO_QUEUES, "Second": resource("SQS::Queue", {"DelaySeconds": 3}, DependsOn="First")}
    for _ in range(2):
        assert update(cloudformation, name, template(changed), ClientRequestToken="changed") == "UPDATE_COMPLETE"
    proposed = propose(cloudformation, name, template(TWO_QUEUES))
    for _ in range(2):
        assert execute(cloudformation, proposed, ClientRequestToken="proposed") == "UPDATE_COMPLETE"
    own = [status for logical_id, status, _ in history(cloudformation, name) if logical_id == name]
    assert own.count("CREATE_IN_PROGRESS") == 1
    assert own.count("UPDATE_IN_PROGRESS") == 2

    assert refusal(lambda: update(cloudformation, name, template(changed), ClientRequestToken="made"))[0] == (
        "TokenAlreadyExistsException"
    )
    delete(cloudformation, name)


def test_a_change_set_is_executed_once_and_makes_all_others_void(emulator: Dev) -> None:
    cloudformation, name = client(emulator), unique("void")
    create(cloudformation, name, template(TWO_QUEUES))
    shapes = [{**TWO_QUEUES, "Second": resource("SQS::Queue", {"DelaySeconds": delay})} for delay in (3, 4, 5)]
    first, second, third = (propose(cloudformation, name, template(shape)) for shape in shapes)
    update(cloudformation, name, template({**TWO_QUEUES, "Third": resource("SQS::Queue", {})}))
    with pytest.raises(ClientError, match=r"execution status of \[OBSOLETE\]"):
        execute(cloudformation, first)

    fresh, other = (
        propose(cloudformation, name, template(shapes[1])),
        propose(cloudformation, name, template(shapes[2])),
    )
    assert execute(cloudformation, fresh) == "UPDATE_COMPLETE"
    with pytest.raises(ClientError, match=r"execution status of \[EXECUTE_COMPLETE\]"):
        execute(cloudformation, fresh)
    for gone in (other, second, third):
        with pytest.raises(ClientError, match="ChangeSetNotFound"):
            execute(cloudformation, gone)
    delete(cloudformation, name)

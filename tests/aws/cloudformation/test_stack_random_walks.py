"""Stacks live random lives, calls of services fail and operations cross each other: what AWS promises always holds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.aws import unique
from support.dev import Dev
from support.interrupted import Interrupted
from support.stacks import inventory
from support.templates import Json, ref, resource, template
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.cloudformation import CloudFormation
from treadle_local.cloudformation.events import StackEvent

# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
STABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_AGAIN = frozenset({"UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
NEXT: Mapping[str, frozenset[str]] = {
    "": frozenset({"CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"}),
    "REVIEW_IN_PROGRESS": frozenset({"CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}),
    "CREATE_IN_PROGRESS": frozenset({"CREATE_COMPLETE", "CREATE_FAILED", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"}),
    "CREATE_FAILED": _AGAIN,
    "ROLLBACK_IN_PROGRESS": frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_IN_PROGRESS"}),
    "ROLLBACK_COMPLETE": frozenset({"DELETE_IN_PROGRESS"}),
    "ROLLBACK_FAILED": frozenset({"DELETE_IN_PROGRESS"}),
    "UPDATE_IN_PROGRESS": frozenset(
        {"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS"}
    ),
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": frozenset({"UPDATE_COMPLETE"}),
    "UPDATE_FAILED": _AGAIN | {"UPDATE_ROLLBACK_IN_PROGRESS"},
    "UPDATE_ROLLBACK_IN_PROGRESS": frozenset(
        {"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"}
    ),
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": frozenset({"UPDATE_ROLLBACK_COMPLETE"}),
    "UPDATE_ROLLBACK_FAILED": frozenset({"UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"}),
    "DELETE_IN_PROGRESS": frozenset({"DELETE_COMPLETE", "DELETE_FAILED"}),
    "DELETE_FAILED": frozenset({"DELETE_IN_PROGRESS"}),
    "DELETE_COMPLETE": frozenset(),
    **dict.fromkeys(STABLE, _AGAIN),
}
REFUSALS = frozenset(
    {"AlreadyExistsException", "ChangeSetNotFound", "InvalidChangeSetStatus", "TokenAlreadyExistsException"}
    | {"ValidationError"}
)
SHAPES = 6


class Unreliable(Interrupted):
    """Other tasks run while a call is under way, and some calls fail; none does while a stack is tidied up.

    What a clean-up cannot delete is left, on AWS as well.
    """

    def __init__(self, emulator: Dev, dice: random.Random) -> None:
        super().__init__(emulator)
        self.dice = dice
        self.failing = 0.1
        self.is_tidying: Callable[[], bool] = lambda: False

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        for _ in range(self.dice.randrange(3)):
            await asyncio.sleep(0)
        fails = self.dice.random() < self.failing and not self.is_tidying()
        self.fail_at = self.calls + 1 if fails else -1
        return await super().call(service, operation, params)


def shape(number: int, prefix: str) -> str:
    """One of the templates that a stack becomes, each a step away from the others."""
    resources: dict[str, Json] = {
        "Queue": resource("SQS::Queue", {"QueueName": f"{prefix}-{number % 2}", "DelaySeconds": number}),
        "Topic": resource("SNS::Topic", {"DisplayName": f"shape {number}"}),
    }
    if number % 3 == 0:
        resources["Parameter"] = resource("SSM::Parameter", {"Type": "String", "Value": ref("Queue")})
    if number % 3 == 1:
        resources["Logs"] = resource("Logs::LogGroup", {"RetentionInDays": 7 if number == 1 else 30})
    return template(resources, Outputs={"Queue": {"Value": ref("Queue")}, "Shape": {"Value": str(number)}})


@dataclass
class Life:
    """One stack's name, what is called in its life, and what was seen."""

    engine: CloudFormation
    aws: Unreliable
    name: str
    told: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    sets: list[str] = field(default_factory=list[str])

    def see(self, event: StackEvent) -> None:
        if event.is_of_stack:
            seen = self.told.setdefault(event.stack_id, [""])
            assert event.status == seen[-1] or event.status in NEXT[seen[-1]], [*seen, event.status]
            seen.append(event.status)

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """The answer; empty where AWS would refuse the call in this state."""
        try:
            done = self.engine.handle(operation, params, ROOT)
            return dict(await done if isinstance(done, Awaitable) else done)
        except AwsError as refusal:
            if refusal.code not in REFUSALS:
                raise
            return {}

    async def described(self) -> dict[str, Any]:
        answer = await self.call("DescribeStacks", StackName=self.name)
        return answer["Stacks"][0] if answer else {}

    async def act(self) -> None:
        """Something that somebody may do at any time."""
        dice = self.aws.dice
        stack: dict[str, Any] = {"StackName": self.name}
        body = {"TemplateBody": shape(dice.randrange(SHAPES), self.name)}
        token = {"ClientRequestToken": f"t{dice.randrange(40)}"} if dice.random() < 0.4 else {}
        match dice.randrange(14):
            case 0 | 1:
                on_failure = dice.choice(["ROLLBACK", "DELETE", "DO_NOTHING"])
                await self.call("CreateStack", **stack, **body, **token, OnFailure=on_failure)
            case 2 | 3:
                await self.call("UpdateStack", **stack, **body, **token, DisableRollback=dice.random() < 0.4)
            case 4 | 5:
                kind = dice.choice(["CREATE", "UPDATE"])
                name = f"set{dice.randrange(4)}"
                made = await self.call("CreateChangeSet", **stack, **body, ChangeSetName=name, ChangeSetType=kind)
                self.sets += [made["Id"]] if made else []
            case 6 | 7 | 8 if self.sets:
                disable = {"DisableRollback": True} if dice.random() < 0.3 else {}
                await self.call("ExecuteChangeSet", ChangeSetName=dice.choice(self.sets), **token, **disable)
            case 9 if self.sets:
                await self.call("DeleteChangeSet", ChangeSetName=dice.choice(self.sets))
            case 10:
                await self.call("DeleteStack", **stack, **token)
            case 11:
                await self.call("CancelUpdateStack", **stack, **token)
            case 12:
                await self.call("ContinueUpdateRollback", **stack, **token, ForceRollback=dice.random() < 0.3)
            case _:
                await self.call("RollbackStack", **stack, **token)

    async def check(self) -> None:
        """What holds whatever is under way."""
        stack = await self.described()
        if not stack:
            return
        status = stack["StackStatus"]
        assert self.told[stack["StackId"]][-1] == status
        if status in STABLE:
            assert {output["OutputKey"] for output in stack["Outputs"]} == {"Queue", "Shape"}
            held = (await self.call("ListStackResources", StackName=self.name))["StackResourceSummaries"]
            there = [each for each in held if each["ResourceStatus"] != "DELETE_COMPLETE"]
            number = int(next(each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == "Shape"))
            assert len(there) == (2 if number % 3 == 2 else 3), (status, number, held)


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_a_stack_keeps_what_aws_promises_through_a_random_life(emulator: Dev, seed: int) -> None:
    """Its states follow on each other as AWS's do and each is told; its outputs are there when it is complete;
    whatever became of it, once deleted it has left nothing."""

    async def run() -> None:
        aws = Unreliable(emulator, random.Random(seed))  # noqa: S311 - not for secrets
        engine = CloudFormation(Region(), ManualClock(), aws, lambda event: life.see(event))
        life = Life(engine, aws, unique("life"))
        aws.is_tidying = lambda: any("CLEANUP" in seen[-1] for seen in life.told.values())
        for _ in range(40):
            await life.act()
            for _ in range(aws.dice.choice([0, 1, 5, 200])):
                await asyncio.sleep(0)
            await life.check()
        aws.failing = 0
        while await life.described():
            await engine.settled(life.name)
            await life.check()
            await life.call("DeleteStack", StackName=life.name)
        await engine.stop()

    before = inventory(emulator)
    asyncio.run(run())
    assert inventory(emulator) == before

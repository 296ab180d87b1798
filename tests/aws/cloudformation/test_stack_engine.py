"""The engine in process, where a test needs a service that waits or fails at a moment of its choice."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from support.account import Account, topics
from support.templates import resource, template
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.cloudformation import CloudFormation, StackEvent

Variant = tuple[str, str]
LOGICAL = st.sampled_from(["A", "B", "C", "D"])
VARIANT = st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["", "red", "blue"]))


def of_variants(variants: dict[str, Variant]) -> str:
    """One topic a variant, whose name is new for each logical id; every topic after those before it."""
    return template(
        {
            logical: resource(
                "SNS::Topic",
                {"TopicName": f"{logical}-{name}", "DisplayName": display},
                DependsOn=[other for other in variants if other < logical],
            )
            for logical, (name, display) in variants.items()
        }
    )


def topics_of(variants: dict[str, Variant]) -> dict[str, str]:
    return {f"{logical}-{name}": display for logical, (name, display) in variants.items()}


def test_deploy_creates_updates_leaves_alone_and_starts_over() -> None:
    async def run() -> None:
        account, told = Account(), list[StackEvent]()
        engine = CloudFormation(Region(), ManualClock(), account, told.append)
        made = await engine.deploy("app", topics("A"))
        assert (made.status, set(account.topics)) == ("CREATE_COMPLETE", {"A"})
        calls = len(account.calls)
        assert await engine.deploy("app", topics("A")) is made
        assert len(account.calls) == calls
        assert (await engine.deploy("app", topics("A", "B"))).status == "UPDATE_COMPLETE"
        account.failing.add(("CreateTopic", "C"))
        other = await engine.deploy("other", topics("C"))
        assert other.status == "ROLLBACK_COMPLETE"
        assert [each.reason for each in other.failures] == [
            "too many calls (Service: sns; Status Code: 400; Error Code: Throttled)"
        ]
        account.failing.clear()
        assert (await engine.deploy("other", topics("C"))).succeeded
        assert set(account.topics) == {"A", "B", "C"}
        await engine.remove("other")
        await engine.remove("app")
        assert account.topics == {}
        assert told[-1].status == "DELETE_COMPLETE"

    asyncio.run(run())


def test_a_stack_that_is_being_created_can_be_deleted() -> None:
    async def run() -> None:
        account = Account()
        account.gate = asyncio.Event()
        engine = CloudFormation(Region(), ManualClock(), account)
        body = topics(*(f"T{index}" for index in range(5)))
        answer = engine.handle("CreateStack", {"StackName": "app", "TemplateBody": body}, ROOT)
        assert not isinstance(answer, dict)
        stack_id = (await answer)["StackId"]
        await account.asked.wait()
        engine.handle("DeleteStack", {"StackName": "app"}, ROOT)
        account.gate.set()
        await engine.remove("app")
        described = engine.handle("DescribeStacks", {"StackName": stack_id}, ROOT)
        assert isinstance(described, dict)
        assert described["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
        assert account.topics == {}
        assert account.calls.count("CreateTopic") <= 2

    asyncio.run(run())


def test_stopping_leaves_no_task() -> None:
    async def run() -> None:
        account = Account()
        account.gate = asyncio.Event()
        engine = CloudFormation(Region(), ManualClock(), account)
        waiting = asyncio.ensure_future(engine.deploy("app", topics("A")))
        await account.asked.wait()
        await engine.stop()
        await waiting
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_an_update_that_cannot_be_undone_waits_and_can_be_continued() -> None:
    async def run() -> None:
        account = Account()
        engine = CloudFormation(Region(), ManualClock(), account)
        await engine.deploy("app", topics("A"))
        account.failing |= {("SetTopicAttributes", "A")}
        failed = await engine.deploy("app", topics("A", "B", display="new"))
        assert failed.status == "UPDATE_ROLLBACK_FAILED"
        account.failing.clear()
        engine.handle("ContinueUpdateRollback", {"StackName": "app"}, ROOT)
        await engine.settled("app")
        assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
        assert account.topics == {"A": ""}
        await engine.remove("app")

    asyncio.run(run())


@given(
    first=st.dictionaries(LOGICAL, VARIANT, min_size=1),
    then=st.dictionaries(LOGICAL, VARIANT, min_size=1),
    fail_at=st.integers(1, 8),
)
def test_an_update_that_fails_at_any_call_leaves_all_as_it_was(
    first: dict[str, Variant], then: dict[str, Variant], fail_at: int
) -> None:
    """From any set of topics to any other: made, changed, replaced and removed, with one call that fails."""

    async def run() -> None:
        account = Account()
        engine = CloudFormation(Region(), ManualClock(), account)
        assert (await engine.deploy("app", of_variants(first))).status == "CREATE_COMPLETE"
        before = dict(account.topics)
        assert before == topics_of(first)
        account.fail_at = fail_at
        stack = await engine.deploy("app", of_variants(then))
        wanted = topics_of(then)
        failed = account.fail_at <= 0
        assert (stack.status == "UPDATE_ROLLBACK_COMPLETE") is failed
        assert account.topics == (before if failed else wanted)
        assert {record.physical_id.rsplit(":", 1)[-1] for record in stack.resources.values()} == set(account.topics)
        account.fail_at = -1
        assert (await engine.deploy("app", of_variants(then))).succeeded
        assert account.topics == wanted
        await engine.remove("app")
        assert account.topics == {}

    asyncio.run(run())

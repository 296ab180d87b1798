"""Operations that fail and are left as they are, continued, rolled back or cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import WaiterError

from support.account import Account, topics
from support.aws import ACCOUNT, refusal
from support.change_sets import execute, propose
from support.dev import Dev
from support.stacks import create, delete, history, id_of, inventory, physical_ids, reasons, settled, statuses, update
from support.templates import Json, ref, resource, template
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.cloudformation import CloudFormation

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

BAD = resource("SQS::Queue", {"QueueName": "no good!"}, DependsOn="Good")
NON_TERMINAL = (
    "This stack is currently in a non-terminal [{}] state. To update the stack from this state, please use the "
    "disable-rollback parameter with update-stack API. To rollback to the last known good state, use the "
    "rollback-stack API"
)


def body(stack: str, display: str, name: str = "a", **more: Json) -> str:
    """A topic that is changed in place, a queue that is replaced, and what depends on it."""
    return template(
        {
            "Good": resource("SNS::Topic", {"DisplayName": display}),
            "Queue": resource("SQS::Queue", {"QueueName": f"{stack}-{name}"}),
            "Parameter": resource("SSM::Parameter", {"Type": "String", "Value": ref("Queue")}),
            **more,
        }
    )


def last(stack: str) -> Json:
    return resource("SQS::Queue", {"QueueName": "no good!"}, DependsOn=["Good", "Parameter"])


def test_a_failed_update_without_rollback_is_left_continued_and_finished(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    before = inventory(emulator)
    create(cloudformation, stack, body(stack, "one"))
    failed = body(stack, "two", "b", Bad=last(stack))
    assert update(cloudformation, stack, failed, DisableRollback=True) == "UPDATE_FAILED"
    ids = physical_ids(cloudformation, stack)
    assert ids["Queue"].endswith("-b")
    assert len(inventory(emulator)["queues"]) == len(before["queues"]) + 2
    assert refusal(update, cloudformation, stack, body(stack, "two", "b")) == (
        "ValidationError",
        NON_TERMINAL.format("UPDATE_FAILED"),
    )
    good = body(stack, "two", "b", Bad=resource("SQS::Queue", {"QueueName": f"{stack}-good"}))
    assert update(cloudformation, stack, good, DisableRollback=True) == "UPDATE_COMPLETE", reasons(
        cloudformation, stack
    )
    assert len(inventory(emulator)["queues"]) == len(before["queues"]) + 2
    assert physical_ids(cloudformation, stack)["Queue"] == ids["Queue"]
    assert delete(cloudformation, stack) == "GONE"
    assert inventory(emulator) == before


def test_a_failed_update_without_rollback_is_rolled_back_on_demand(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    create(cloudformation, stack, body(stack, "one"))
    before, ids = inventory(emulator), physical_ids(cloudformation, stack)
    for round_of_failures in ("b", "c"):
        failed = body(stack, "two", round_of_failures, Bad=last(stack), More=resource("SNS::Topic"))
        assert update(cloudformation, stack, failed, DisableRollback=True) == "UPDATE_FAILED"
    rolled = cloudformation.rollback_stack(StackName=stack, ClientRequestToken="back")
    cloudformation.get_waiter("stack_rollback_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    assert statuses(cloudformation, stack) == ["UPDATE_ROLLBACK_COMPLETE"]
    assert inventory(emulator) == before
    assert physical_ids(cloudformation, stack) == ids
    topic = emulator.client("sns").get_topic_attributes(TopicArn=ids["Good"])["Attributes"]
    assert topic["DisplayName"] == "one"
    told = cloudformation.describe_events(OperationId=rolled.get("OperationId", ""))["OperationEvents"]
    assert {(each.get("OperationType"), each.get("ClientRequestToken")) for each in told} == {("ROLLBACK", "back")}


def test_a_failed_creation_without_rollback_is_continued(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    before = inventory(emulator)
    assert create(cloudformation, stack, body(stack, "one", Bad=BAD), DisableRollback=True) == "CREATE_FAILED"
    ids = physical_ids(cloudformation, stack)
    proposed = propose(cloudformation, stack, body(stack, "one"))
    _, message = refusal(lambda: cloudformation.execute_change_set(ChangeSetName=proposed["ChangeSetId"]))
    assert "in a non-terminal [CREATE_FAILED] state" in message
    assert execute(cloudformation, proposed, DisableRollback=True) == "UPDATE_COMPLETE"
    assert physical_ids(cloudformation, stack) == {name: ids[name] for name in ("Good", "Queue", "Parameter")}
    assert delete(cloudformation, stack) == "GONE"
    assert inventory(emulator) == before


def test_a_failed_creation_without_rollback_is_deleted_by_a_rollback(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    before = inventory(emulator)
    assert create(cloudformation, stack, body(stack, "one", Bad=BAD), OnFailure="DO_NOTHING") == "CREATE_FAILED"
    cloudformation.rollback_stack(StackName=stack)
    assert settled(cloudformation, stack) == "GONE"
    assert inventory(emulator) == before
    create(cloudformation, stack, body(stack, "one"))
    code, message = refusal(lambda: cloudformation.rollback_stack(StackName=stack))
    assert (code, "CREATE_COMPLETE" in message) == ("ValidationError", True)


def test_a_stack_left_after_a_failure_is_deleted_with_what_it_replaced(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    before = inventory(emulator)
    create(cloudformation, stack, body(stack, "one"))
    failed = body(stack, "two", "b", Bad=last(stack))
    assert update(cloudformation, stack, failed, DisableRollback=True) == "UPDATE_FAILED"
    assert delete(cloudformation, stack) == "GONE"
    assert inventory(emulator) == before


def test_what_a_failed_update_created_is_kept_by_its_policy_unless_the_call_says_otherwise(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    kept = resource("SNS::Topic", {"TopicName": f"{stack}-kept"}, DeletionPolicy="Retain")
    failed = body(stack, "one", Kept=kept, Bad=resource("SQS::Queue", {"Nonsense": 1}, DependsOn="Kept"))
    arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:{stack}-kept"
    create(cloudformation, stack, body(stack, "one"))
    assert update(cloudformation, stack, failed, RetainExceptOnCreate=True) == "UPDATE_ROLLBACK_COMPLETE"
    assert arn not in inventory(emulator)["topics"]
    turned = [reason for _, status, reason in history(cloudformation, stack) if status == "UPDATE_ROLLBACK_IN_PROGRESS"]
    assert turned == ["The following resource(s) failed to create: [Bad]. "]
    proposed = propose(cloudformation, stack, failed)
    assert execute(cloudformation, proposed, RetainExceptOnCreate=True) == "UPDATE_ROLLBACK_COMPLETE"
    assert arn not in inventory(emulator)["topics"]
    assert update(cloudformation, stack, failed) == "UPDATE_ROLLBACK_COMPLETE"
    assert arn in inventory(emulator)["topics"]
    emulator.client("sns").delete_topic(TopicArn=arn)


def test_rollbacks_are_operations_of_their_own(cloudformation: CloudFormationClient, stack: str) -> None:
    made = create(cloudformation, stack, body(stack, "one", Bad=BAD), ClientRequestToken="mine")
    assert made == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_events(StackName=stack)["OperationEvents"]
    of_stack = [each for each in reversed(events) if each.get("EventType") == "STACK_EVENT"]
    assert [(each.get("OperationType"), each.get("OperationStatus")) for each in of_stack] == [
        ("CREATE_STACK", "FAILED"),
        ("ROLLBACK", "SUCCEEDED"),
        ("ROLLBACK", "SUCCEEDED"),
    ]
    failed = cloudformation.describe_events(StackName=stack, Filters={"FailedEvents": True})["OperationEvents"]
    assert [(each.get("LogicalResourceId"), each.get("EventType")) for each in failed] == [
        ("Bad", "PROVISIONING_ERROR")
    ]
    assert {each.get("ClientRequestToken") for each in events} == {"mine"}
    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_rollback_complete").wait(StackName="none-such")


def test_only_an_update_in_progress_can_be_cancelled(cloudformation: CloudFormationClient, stack: str) -> None:
    create(cloudformation, stack, body(stack, "one"))
    assert refusal(lambda: cloudformation.cancel_update_stack(StackName=stack)) == (
        "ValidationError",
        "CancelUpdateStack cannot be called from current stack status",
    )
    assert id_of(cloudformation, stack)
    assert history(cloudformation, stack)[-1][1] == "CREATE_COMPLETE"


def test_a_cancelled_update_is_undone() -> None:
    async def run() -> None:
        account = Account()
        engine = CloudFormation(Region(), ManualClock(), account)
        await engine.deploy("app", topics("A", "B", "C"))
        account.asked.clear()
        account.gate = asyncio.Event()
        updating = asyncio.ensure_future(engine.deploy("app", topics("A", "B", "C", "D", "E", display="new")))
        await account.asked.wait()
        engine.handle("CancelUpdateStack", {"StackName": "app", "ClientRequestToken": "stop"}, ROOT)
        account.gate.set()
        stack = await updating
        assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
        assert account.topics == {"A": "", "B": "", "C": ""}
        turned = [each for each in stack.events if each.status == "UPDATE_ROLLBACK_IN_PROGRESS"]
        assert [(each.reason, each.token) for each in turned] == [("User Initiated", "stop")]
        await engine.remove("app")

    asyncio.run(run())


def test_what_cannot_be_undone_is_skipped_by_name_or_by_force() -> None:
    async def run() -> None:
        account = Account()
        engine = CloudFormation(Region(), ManualClock(), account)
        for options in ({"ResourcesToSkip": ["A"]}, {"ForceRollback": True}):
            account.failing.clear()
            await engine.deploy("app", topics("A", "B"))
            account.failing |= {("SetTopicAttributes", "A")}
            failed = await engine.deploy("app", topics("A", "B", "C", display="new"))
            assert failed.status == "UPDATE_ROLLBACK_FAILED"
            with pytest.raises(AwsError, match="not in the UPDATE_FAILED state"):
                engine.handle("ContinueUpdateRollback", {"StackName": "app", "ResourcesToSkip": ["B"]}, ROOT)
            engine.handle("ContinueUpdateRollback", {"StackName": "app", **options}, ROOT)
            await engine.settled("app")
            assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
            assert failed.resources["A"].status == "UPDATE_COMPLETE"
            assert set(account.topics) == {"A", "B"}
            await engine.remove("app")
            assert account.topics == {}

    asyncio.run(run())

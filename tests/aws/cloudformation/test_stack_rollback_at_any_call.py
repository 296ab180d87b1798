"""Any single call of a creation or an update fails, half way through a resource too: all is as it was before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from support.aws import unique
from support.dev import Dev
from support.interrupted import Interrupted
from support.snapshots import changes, snapshot
from support.templates import SOURCE, Json, everything, template
from treadle_local.aws.service import Region
from treadle_local.clock import ManualClock
from treadle_local.cloudformation import CloudFormation
from treadle_local.cloudformation.stacks import Stack

# The creation of everything makes more changing calls than these.
FEWEST_CALLS = 40
# And so does the update below, before it begins to clean up.
FEWEST_UPDATE_CALLS = 22

CHANGED: dict[str, Json] = {
    "Alarm": {"Threshold": 2},
    "Alias": {"Description": "changed"},
    "Bucket": {"VersioningConfiguration": {"Status": "Suspended"}},
    "DeadLetters": {"QueueName": "*"},
    "Function": {"MemorySize": 512, "Code": {"ZipFile": SOURCE + "# changed\n"}},
    "InvokeConfig": {"MaximumRetryAttempts": 2},
    "Logs": {"RetentionInDays": 30},
    "Mapping": {"BatchSize": 5},
    "Parameter": {"Value": "changed"},
    "Queue": {"VisibilityTimeout": 90, "DelaySeconds": 3},
    "Role": {"MaxSessionDuration": 7200},
    "Rule": {"Name": "*"},
    "Schedule": {"ScheduleExpression": "rate(2 days)"},
    "Subscription": {"RawMessageDelivery": False},
    "Table": {"TableName": "*"},
    "Topic": {"DisplayName": "changed"},
}
"""What an update changes in place or replaces; `*` stands for a name of the test's own."""
GONE = ("Inbox", "InboxPolicy", "Secret", "ManagedPolicy")


@settings(max_examples=3)
@given(fail_at=st.integers(1, FEWEST_CALLS))
def test_a_creation_leaves_nothing(emulator: Dev, fail_at: int) -> None:
    async def run() -> str:
        aws = Interrupted(emulator)
        aws.fail_at = fail_at
        engine = CloudFormation(Region(), ManualClock(), aws)
        return (await engine.deploy(unique("cut"), template(everything()))).status

    before = snapshot(emulator)
    assert asyncio.run(run()) == "ROLLBACK_COMPLETE"
    assert changes(before, snapshot(emulator)) == {}


@settings(max_examples=3)
@given(fail_at=st.integers(1, FEWEST_UPDATE_CALLS))
def test_an_update_leaves_all_as_it_was(emulator: Dev, fail_at: int) -> None:
    """Changed, replaced, added and dropped resources alike: the same ones are there, as they were."""

    async def run() -> None:
        aws, name = Interrupted(emulator), unique("cut")
        engine = CloudFormation(Region(), ManualClock(), aws)
        stack = await engine.deploy(name, template(everything()))
        assert stack.status == "CREATE_COMPLETE", stack.failures
        before, ids, outputs = snapshot(emulator), physical_ids(stack), dict(stack.outputs)
        aws.calls, aws.fail_at = 0, fail_at
        await engine.deploy(name, template(updated()))
        assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
        assert changes(before, snapshot(emulator)) == {}
        assert (physical_ids(stack), dict(stack.outputs)) == (ids, outputs)
        aws.fail_at = -1
        assert (await engine.deploy(name, template(updated()))).status == "UPDATE_COMPLETE", stack.failures
        await engine.remove(name)

    nothing = snapshot(emulator)
    asyncio.run(run())
    assert changes(nothing, snapshot(emulator)) == {}


def updated() -> Mapping[str, Json]:
    """Everything with some of it changed, some replaced, some gone, and something new."""
    resources, name = deepcopy(everything()), unique("new")
    for logical_id, new in CHANGED.items():
        named = {key: f"{name}-{logical_id.lower()}" if value == "*" else value for key, value in new.items()}
        resources[logical_id].setdefault("Properties", {}).update(named)
    kept = {logical_id: each for logical_id, each in resources.items() if logical_id not in GONE}
    new_ones = {f"New{logical_id}": deepcopy(everything()[logical_id]) for logical_id in ("Group", "News", "Secret")}
    return {**kept, **new_ones}


def physical_ids(stack: Stack) -> dict[str, str]:
    return {logical_id: record.physical_id for logical_id, record in stack.resources.items()}

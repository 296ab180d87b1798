"""Any single call of a creation fails, half way through a resource too: nothing is left."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from support.aws import unique
from support.dev import Dev
from support.interrupted import Interrupted
from support.snapshots import changes, snapshot
from support.templates import everything, template
from treadle_local.aws.service import Region
from treadle_local.clock import ManualClock
from treadle_local.cloudformation import CloudFormation

# The creation of everything makes more changing calls than these.
FEWEST_CALLS = 40


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

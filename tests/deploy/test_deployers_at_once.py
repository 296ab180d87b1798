"""Two deployers of one stage: one goes through, the other waits or is told to deploy again; never a mix of both."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.aws import unique
from support.deployed import Project
from support.dev import Dev
from support.faulty_way import Call, FaultyWay
from support.interrupted_deployer import Ended, Releases


@pytest.fixture(scope="module")
def two(emulator: Dev, tmp_path_factory: pytest.TempPathFactory) -> tuple[Releases, Releases]:
    """Two checkouts of one app."""
    app = unique("app")
    mine, other = (Releases(Project(emulator, tmp_path_factory.mktemp(name)), app) for name in ("mine", "other"))
    return mine, other


def outrun(mine: Releases, call: str, interrupt: Callable[[], object], command: str = "deploy") -> Ended:
    """The command, with something else done right before its first call of that name."""
    pending = [interrupt]

    def before(passing: Call) -> None:
        if passing.name == call and pending:
            pending.pop()()

    return mine.run(command, FaultyWay(mine.project.cloud.endpoint, before=before))


def check_told_to_deploy_again(ended: Ended, stack: str) -> None:
    assert ended.done.code == 1
    assert f"error[stage-changed-meanwhile]: somebody else began to change `{stack}`" in ended.done.err
    assert "hint: deploy again" in ended.done.err


def test_the_slower_of_two_first_deployments_is_told_and_comes_second(two: tuple[Releases, Releases]) -> None:
    """At first, both have a change set of one stack that is only a name."""
    mine, other = two
    mine.write(1)

    ended = outrun(mine, "ExecuteChangeSet", lambda: other.deploy(2))

    check_told_to_deploy_again(ended, mine.stack)
    assert other.answers() == 2
    assert other.deploy(2).done.err.count("Nothing to change") == 1
    assert mine.deploy(1).done.code == 0
    assert mine.answers() == 1


def test_a_plan_that_another_deployment_made_stale_is_not_carried_out(two: tuple[Releases, Releases]) -> None:
    """Not even where both want the same, which the next one says."""
    mine, other = two
    mine.bring_to(1)
    mine.write(2)

    check_told_to_deploy_again(outrun(mine, "ExecuteChangeSet", lambda: other.deploy(2)), mine.stack)
    assert "Nothing to change" in mine.deploy(2).done.err


def test_a_deployment_waits_for_the_end_of_what_goes_on(two: tuple[Releases, Releases]) -> None:
    """As after a deployer that was killed: AWS goes on without it."""
    mine, _ = two
    mine.bring_to(1)
    looks = [b"_IN_PROGRESS</StackStatus>", b"_IN_PROGRESS</StackStatus>"]

    def edited(call: Call, answer: bytes) -> bytes:
        if call == Call("DescribeStacks", mine.stack) and looks:
            return answer.replace(b"_COMPLETE</StackStatus>", looks.pop())
        return answer

    mine.write(2)
    ended = mine.run("deploy", FaultyWay(mine.project.cloud.endpoint, edited=edited))

    assert (ended.done.code, looks) == (0, [])
    assert ended.done.err.count(f"waiting: AWS is still at work on {mine.stack} for somebody") == 1
    assert mine.answers() == 2


def test_who_is_outrun_before_the_first_change_set_is_told_too(two: tuple[Releases, Releases]) -> None:
    """There was no stack when it looked, and there is one when it asks for a change set that creates it."""
    mine, other = two
    mine.remove()
    mine.write(1)

    check_told_to_deploy_again(outrun(mine, "CreateChangeSet", lambda: other.deploy(2)), mine.stack)
    assert other.answers() == 2

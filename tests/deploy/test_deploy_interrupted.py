"""A deployer that is killed, or loses an answer, at any of its calls: the next one brings the stage to its end.

The suite tries some of the calls that change something; with TREADLE_KILLS=all (`make kills`) every call is tried,
with TREADLE_KILLS=KILLED_AFTER,ANSWER_LOST those accidents only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count

import pytest

from support.aws import unique
from support.deployed import Project
from support.dev import Dev
from support.faulty_way import Accident
from support.interrupted_deployer import Ended, Releases
from support.stacks import delete

BEFORE, AFTER, LOST = Accident.KILLED_BEFORE, Accident.KILLED_AFTER, Accident.ANSWER_LOST
At = tuple[Accident, int | str]


@pytest.fixture(scope="module")
def releases(emulator: Dev, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """A project with two releases, both of which were deployed before."""
    made = Releases(Project(emulator, tmp_path_factory.mktemp("interrupted")), unique("app"))
    made.learn()
    return made


def at_each(attempt: Callable[[Accident, int | str], Ended], *usual: At) -> None:
    """Attempts it with each accident; all of them are tried up to the call that is not made any more."""
    wanted = os.environ.get("TREADLE_KILLS")
    if wanted is None:
        for accident, at in usual:
            assert attempt(accident, at).happened is not None
        return
    for accident in Accident if wanted == "all" else [Accident[name] for name in wanted.split(",")]:
        for at in count(1):
            if attempt(accident, at).happened is None:
                break


def check(ended: Ended, accident: Accident, retry: Callable[[], Ended]) -> None:
    """Whoever is killed says nothing, and the next one makes it good; all else is got over at once."""
    what = f"{accident.value}: {ended.happened}"
    killed = accident.kills and ended.happened is not None
    assert ended.done.code == (-9 if killed else 0), f"{what}: {ended.done.err}"
    if killed:
        again = retry()
        assert again.done.code == 0, f"after {what}: {again.done.err}"


def test_an_update_is_finished_by_the_next(releases: Releases) -> None:
    """Before that, one release is there and the other is not, whichever it is."""

    def attempt(accident: Accident, at: int | str) -> Ended:
        old, new = (1, 2) if releases.release == 1 else (2, 1)
        ended = releases.deploy(new, accident, at)
        releases.wait_until_aws_is_done()
        answering = releases.answers()
        assert answering in (old, new)
        assert releases.names() == releases.known[answering]
        check(ended, accident, lambda: releases.deploy(new))
        assert (releases.answers(), releases.names()) == (new, releases.known[new])
        return ended

    releases.bring_to(2)
    at_each(attempt, (AFTER, "CreateChangeSet"), (AFTER, "ExecuteChangeSet"), (LOST, "ExecuteChangeSet"))


def test_a_removal_is_finished_by_the_next(releases: Releases) -> None:
    def attempt(accident: Accident, at: int | str) -> Ended:
        releases.bring_to(2)
        # a log group that the stack does not know of: that of a function of an earlier release
        releases.project.cloud.client("logs").create_log_group(logGroupName=f"/aws/lambda/{releases.stack}--Former")
        ended = releases.remove(accident, at)
        check(ended, accident, releases.remove)
        assert releases.names() == []
        return ended

    at_each(attempt, (AFTER, "DeleteStack"), (BEFORE, "DeleteLogGroup"))


def test_a_failed_first_deployment_that_nobody_watched_is_made_good(emulator: Dev, releases: Releases) -> None:
    """Its tables are there, since a rollback keeps production's, and become the stack's."""
    sqs = releases.project.cloud.client("sqs")
    releases.bring_to(0)
    emulator.advance(60)  # before that, SQS refuses the name of a deleted queue
    obstacle = sqs.create_queue(QueueName=f"{releases.stack}--Soon", Attributes={"DelaySeconds": "7"})["QueueUrl"]
    assert releases.deploy(2, AFTER, "ExecuteChangeSet").happened is not None
    releases.wait_until_aws_is_done()
    tables = [f"{releases.stack}--{name}" for name in ("Soon", "notes--stream", "state")]
    assert releases.names() == tables
    sqs.delete_queue(QueueUrl=obstacle)

    again = releases.deploy(2)

    assert again.done.code == 0, again.done.err
    assert "removing what an earlier attempt left" in again.done.err
    assert (releases.answers(), releases.names()) == (2, releases.known[2])


def test_a_first_deployment_is_finished_by_the_next(releases: Releases) -> None:
    def attempt(accident: Accident, at: int | str) -> Ended:
        releases.bring_to(0)
        delete(releases.project.cloud.client("cloudformation"), "treadle-bootstrap")
        ended = releases.deploy(2, accident, at)
        check(ended, accident, lambda: releases.deploy(2))
        assert (releases.answers(), releases.names()) == (2, releases.known[2])
        return ended

    at_each(attempt, (AFTER, "CreateStack"), (AFTER, "ExecuteChangeSet"))

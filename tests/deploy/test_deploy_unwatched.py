"""Whoever stops watching, or cannot any more, is told that AWS goes on, and how to go on themselves."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from support.aws import unique
from support.deployed import Project
from support.dev import TREADLE, Dev, wait_until
from support.faulty_way import Call, FaultyWay
from support.interrupted_deployer import STAGE, Releases
from support.judges import aws_environment
from treadle_infra.app.findings import TreadleError
from treadle_infra.deploy.aws_errors import aws_errors


@pytest.fixture(scope="module")
def releases(emulator: Dev, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(Project(emulator, tmp_path_factory.mktemp("unwatched")), unique("app"))


def refusing(endpoint: str, at: str, refused: dict[str, str]) -> FaultyWay:
    """A way on which those calls are refused from the first call of that name on."""

    def before(call: Call) -> None:
        if call.name == at:
            way.refused |= refused

    way = FaultyWay(endpoint, before=before)
    return way


def test_credentials_that_expire_while_aws_works_end_the_watching_only(releases: Releases) -> None:
    releases.write(1)
    way = refusing(releases.project.cloud.endpoint, "ExecuteChangeSet", {"DescribeStackEvents": "ExpiredToken"})

    ended = releases.run("deploy", way)

    assert ended.done.code == 1
    assert "error[aws-credentials-refused]" in ended.done.err
    assert f"AWS goes on with `{releases.stack}` meanwhile" in ended.done.err
    assert "Nothing to change" in releases.deploy(1).done.err
    assert releases.answers() == 1


def test_what_aws_throttles_for_good_says_to_wait() -> None:
    """The clients have asked again by then, slower each time."""
    answer = {"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}

    with pytest.raises(TreadleError) as caught, aws_errors():
        raise ClientError(cast("Any", answer), "CreateChangeSet")

    assert (caught.value.code, caught.value.finding.hint) == ("aws-throttled", "wait a minute and run it again")


def test_ctrl_c_after_the_start_leaves_the_rest_to_aws(releases: Releases) -> None:
    releases.bring_to(1)
    releases.write(2)
    started: list[Callable[[], None]] = []

    def before(call: Call) -> None:
        if (
            call.name == "DescribeStackEvents"
            and any(each.name == "ExecuteChangeSet" for each in way.calls)
            and started
        ):
            started.pop()()

    with FaultyWay(releases.project.cloud.endpoint, before=before) as way:
        process = subprocess.Popen(
            [TREADLE, "deploy", releases.project.folder, "--stage", STAGE, "--yes"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **aws_environment(way.endpoint)},
        )
        started.append(lambda: process.send_signal(signal.SIGINT))
        _, told = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "AWS goes on with the deployment" in told
    assert f"aws cloudformation describe-stack-events --stack-name {releases.stack}" in told
    assert f"aws cloudformation cancel-update-stack --stack-name {releases.stack}" in told
    assert "Traceback" not in told
    wait_until("the new release", lambda: releases.answers() == 2)

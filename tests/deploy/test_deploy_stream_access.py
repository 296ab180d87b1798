"""Who may follow a stream where it is deployed: whom it lets in, and nobody where it says nothing of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from support.command import treadle
from support.deployed import Project, the
from support.dev import Dev
from support.projects import api_step, write

STREAMS = {
    "steps/quiet_stream.py": 'config = {"name": "quiet", "schema": {"type": "object"}}\n',
    "steps/open_stream.py": 'config = {"name": "open", "access": "open", "schema": {"type": "object"}}\n',
}
DENIED = {"type": "error", "data": {"code": "STREAM_ACCESS_DENIED", "message": "Access denied"}}


def answer(url: str, stream: str) -> dict[str, Any]:
    with connect(url, open_timeout=20) as socket:
        join = {"streamName": stream, "groupId": "g", "subscriptionId": "s"}
        socket.send(json.dumps({"type": "join", "data": join}))
        event: dict[str, Any] = json.loads(socket.recv(timeout=20))["event"]
        return event


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access")
    write(folder, "steps/read_step.py", api_step("Read", "    await context.streams.quiet.get_group('g')"))
    for path, text in STREAMS.items():
        write(folder, path, text)
    return folder


@pytest.fixture(scope="module")
def dev(project: Path) -> Iterator[Dev]:
    """`treadle dev` of the project, into which it is deployed as well."""
    with Dev(project, "--no-watch") as running:
        yield running


def test_dev_lets_everybody_follow_every_stream(dev: Dev) -> None:
    assert answer(dev.ready["ws"], "quiet") == {"type": "sync", "data": []}
    assert answer(dev.ready["ws"], "open") == {"type": "sync", "data": []}
    assert [one["code"] for happening in dev.all("findings") for one in happening["findings"]] == []


def test_a_stage_lets_nobody_follow_a_stream_that_does_not_say_who_may(dev: Dev, project: Path) -> None:
    deployed = the("deployed", Project(dev, project).events("deploy"))

    assert answer(deployed["ws"], "quiet")["event"] == DENIED
    assert answer(deployed["ws"], "open") == {"type": "sync", "data": []}


def test_the_check_says_which_streams_nobody_may_follow(project: Path) -> None:
    (finding,) = treadle("check", project, "--json").json()["findings"]
    assert finding["code"] == "stream-access-not-declared"
    assert "`quiet`" in finding["message"]
    assert "steps/quiet_stream.py" in str(finding)


def test_the_project_file_opens_what_says_nothing(project: Path) -> None:
    write(project, "treadle.toml", 'name = "access"\n[streams]\naccess = "open"\n')
    assert treadle("check", project, "--json").json()["findings"] == []
    (project / "treadle.toml").unlink()

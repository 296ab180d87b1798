"""`treadle deploy` and `remove` against the AWS endpoint of `treadle dev`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.deployed import Project, the
from support.dev import Dev
from support.projects import messaging
from support.stage_life import (
    check_data_outlives_the_stage,
    check_only_what_changed_is_changed,
    check_requests_events_and_streams,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The messaging example, deployed to an emulator with nothing else in it."""
    folder = tmp_path_factory.mktemp("emulator")
    empty = folder / "empty"
    empty.mkdir()
    with Dev(empty, "--no-watch") as cloud:
        made = Project(cloud, messaging(folder))
        assert the("deployed", made.events("deploy"))["http"].startswith(cloud.endpoint)
        yield made


def test_requests_events_and_streams_work_where_it_is_deployed(project: Project) -> None:
    check_requests_events_and_streams(project)


def test_a_deployment_changes_only_what_changed(project: Project) -> None:
    check_only_what_changed_is_changed(project)


def test_the_data_of_a_production_stage_outlives_it(project: Project) -> None:
    check_data_outlives_the_stage(project)

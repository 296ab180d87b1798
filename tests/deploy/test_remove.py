"""`treadle remove` says what goes with a stage, takes it, and says what is left."""

from __future__ import annotations

import pytest

from support.aws import unique
from support.deployed import Project, names_of, the
from support.dev import Dev
from support.judges import Ministack
from support.projects import event_step, write


@pytest.fixture(scope="module")
def project(emulator: Dev, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with one step whose queue nobody polls, deployed to the stage `qa`."""
    folder = tmp_path_factory.mktemp("remove")
    write(folder, "treadle.toml", f'name = "{unique("app")}"\n')
    write(folder, "steps/later_step.py", event_step("Later", "later", "    return None"))
    made = Project(emulator, folder)
    made.events("deploy", stage="qa")
    return made


def app_of(project: Project) -> str:
    return (project.folder / "treadle.toml").read_text().split('"')[1]


def test_it_shows_what_goes_and_a_stage_that_is_not_production_keeps_nothing(project: Project) -> None:
    app, cloud = app_of(project), project.cloud
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{app}--qa--Later--dead")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    key = {"group": {"S": "g"}, "key": {"S": "k"}}
    cloud.client("dynamodb").put_item(TableName=f"{app}--qa--state", Item=key)
    cloud.client("logs").create_log_group(logGroupName=f"/aws/lambda/{app}--qa--Former")

    events = project.events("remove", stage="qa")

    plan = the("plan", events)
    holds = {one["name"]: one["holds"] for one in plan["going"]}
    assert (holds[f"{app}--qa--Later--dead"], holds[f"{app}--qa--state"]) == (1, 1)
    assert (plan["steps"], plan["tables"]) == (["Later"], [])
    removed = the("removed", events)
    assert (removed["kept"], removed["leftovers"]) == ([], [])
    assert names_of(cloud, app) == []


def test_what_is_left_with_the_stages_tags_fails_the_removal(project: Project, ministack: Ministack) -> None:
    app, elsewhere = app_of(project), Project(ministack, project.folder)
    elsewhere.events("deploy", stage="qa")
    tags = {"treadle:app": app, "treadle:stage": "qa"}
    ministack.client("sqs").create_queue(QueueName=f"{app}--qa--forgotten", tags=tags)

    done = elsewhere.run("remove", "--yes", stage="qa")

    assert (done.code, done.out) == (1, f"queue {app}--qa--forgotten\n")
    assert "still there" in done.err


def test_a_stage_that_is_nowhere_is_nothing_to_remove(project: Project) -> None:
    done = project.run("remove", "--yes", stage="nowhere")

    assert (done.code, done.out) == (0, "")
    assert "nothing to remove" in done.err

"""A deployment that cannot be, or that fails in the middle, says what is wrong at which line, and leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.aws import unique
from support.command import treadle
from support.deployed import Project, names_of, request, the
from support.dev import Dev
from support.judges import aws_environment, free_port
from support.projects import BAD_METHOD_STEP, api_step, event_step, write

_HELLO = '    return {"status": 200, "body": {"version": 1}}'
_NO_ACCOUNT = {
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION"), ""),
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture
def project(emulator: Dev, tmp_path: Path) -> Project:
    """A project with one step, under a name of its own."""
    write(tmp_path, "treadle.toml", f'name = "{unique("app")}"\n')
    write(tmp_path, "steps/hello_step.py", api_step("Hello", _HELLO, method="GET"))
    return Project(emulator, tmp_path)


def app_of(project: Project) -> str:
    return (project.folder / "treadle.toml").read_text().split('"')[1]


def test_nothing_is_asked_where_nobody_can_answer(project: Project) -> None:
    done = project.run("deploy")

    assert (done.code, done.out) == (1, "")
    assert "error[confirmation-needed]" in done.err
    assert "--yes" in done.err


def test_a_project_with_errors_is_not_sent_anywhere(project: Project) -> None:
    write(project.folder, "steps/bad_step.py", BAD_METHOD_STEP)

    done = project.run("deploy", "--yes")

    assert done.code == 1
    assert "--> steps/bad_step.py:5" in done.err
    assert names_of(project.cloud, app_of(project)) == []


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"AWS_REGION": "us-east-1"}, "aws-credentials-missing"),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "aws-region-missing"),
        ({"AWS_PROFILE": "nobody"}, "aws-profile-unknown"),
        (aws_environment(f"http://127.0.0.1:{free_port()}"), "aws-not-reachable"),
    ],
)
def test_whoever_is_not_signed_in_is_told_how(project: Project, environment: dict[str, str], code: str) -> None:
    done = treadle("remove", project.folder, "--stage", "prod", "--yes", environment={**_NO_ACCOUNT, **environment})

    assert done.code == 1
    assert f"error[{code}]" in done.err
    assert "hint:" in done.err
    assert "Traceback" not in done.err


def test_an_update_that_fails_is_undone_and_told_at_its_step(project: Project) -> None:
    app = app_of(project)
    url = the("deployed", project.events("deploy", stage="qa"))["http"]
    project.cloud.client("sqs").create_queue(QueueName=f"{app}--qa--Later", Attributes={"DelaySeconds": "7"})
    write(project.folder, "steps/later_step.py", "\n\n" + event_step("Later", "later", "    return None"))
    write(project.folder, "steps/hello_step.py", api_step("Hello", _HELLO.replace("1}", "2}"), method="GET"))

    done = project.run("deploy", "--yes", stage="qa")

    assert done.code == 1
    assert "error[deploy-failed]: queue of step Later" in done.err
    assert "already exists" in done.err
    assert "--> steps/later_step.py:3" in done.err
    assert "everything is as it was before" in done.err
    assert request("GET", f"{url}/hello").json() == {"version": 1}
    assert not [name for name in names_of(project.cloud, app) if "Later" in name and name != f"{app}--qa--Later"]


def test_a_creation_that_fails_leaves_nothing_even_in_production(project: Project) -> None:
    """Not even the tables, which are protected against deletion from the beginning."""
    app, sqs = app_of(project), project.cloud.client("sqs")
    write(project.folder, "steps/later_step.py", event_step("Later", "later", "    return None"))
    write(project.folder, "steps/notes_stream.py", 'config = {"name": "notes", "schema": {"type": "object"}}\n')
    obstacle = sqs.create_queue(QueueName=f"{app}--prod--Later", Attributes={"DelaySeconds": "7"})["QueueUrl"]

    done = project.run("deploy", "--yes")

    assert done.code == 1
    assert "what had been made is removed again" in done.err
    assert done.err.count("error[") == 1
    # one row tells what failed; none tells of tables as if they had, or of what is somebody else's as if it were gone
    assert done.err.count("FAILED") == 1
    assert done.err.count("… removing the empty table") == 2
    assert "removed (undone)  Later  queue DeadLetterQueueLater" in done.err
    assert "queue QueueLater\n" not in done.err
    assert names_of(project.cloud, app) == [f"{app}--prod--Later"]

    sqs.delete_queue(QueueUrl=obstacle)
    assert the("deployed", project.events("deploy"))["http"] is not None


def test_a_stack_of_somebody_elses_is_left_alone(project: Project) -> None:
    name = f"{app_of(project)}--qa"
    template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    project.cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=template)

    for command in ("deploy", "remove"):
        done = project.run(command, "--yes", stage="qa")
        assert done.code == 1
        assert "error[stack-not-ours]" in done.err

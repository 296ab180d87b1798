"""Secrets: kept as SecureString parameters, fetched by the functions when they start, and nowhere else to be read."""

from __future__ import annotations

import json

import pytest

from support.aws import unique
from support.command import Done, treadle
from support.deployed import Project, request, the
from support.dev import Dev
from support.judges import aws_environment
from support.projects import write

NAMES = [f"SECRET_{number:02}" for number in range(12)]
STEP = f"""\
import os

AT_IMPORT = os.environ["SECRET_00"]
config = {{"name": "Tell", "type": "api", "path": "/tell", "method": "GET", "emits": []}}


async def handler(req, context):
    found = {{name: os.environ.get(name) for name in {NAMES}}}
    return {{"body": {{**found, "at_import": AT_IMPORT}}}}
"""
AUTHENTICATE = """\
import os

WORD = os.environ["SECRET_00"]


def authenticate(request):
    return {"word": WORD}
"""
STREAM = 'config = {"name": "notes", "schema": {}, "baseConfig": {"storageType": "default"}}\n'


@pytest.fixture(scope="module")
def project(emulator: Dev, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with twelve secrets, more than one call can ask for."""
    folder = tmp_path_factory.mktemp("secrets")
    text = f'name = "{unique("app")}"\nsecrets = {json.dumps(NAMES)}\nstreams.authenticate = "auth.py:authenticate"\n'
    write(folder, "treadle.toml", text)
    write(folder, "steps/tell_step.py", STEP)
    write(folder, "steps/notes_stream.py", STREAM)
    write(folder, "auth.py", AUTHENTICATE)
    return Project(emulator, folder)


def secrets(project: Project, command: str, *arguments: str, stdin: str = "") -> Done:
    environment = aws_environment(project.cloud.endpoint)
    where = ("--stage", "qa", "--project", project.folder)
    return treadle("secrets", command, *arguments, *where, stdin=stdin, environment=environment)


def app_of(project: Project) -> str:
    return (project.folder / "treadle.toml").read_text().split('"')[1]


def test_a_stage_is_not_deployed_before_its_secrets_have_values(project: Project) -> None:
    done = project.run("deploy", "--yes", stage="qa")

    assert done.code == 1
    assert "secret-missing" in done.err
    assert "treadle secrets set SECRET_11 --stage qa" in done.err


def test_functions_find_the_values_that_were_set_and_nobody_else_does(project: Project) -> None:
    for name in NAMES:
        assert secrets(project, "set", name, stdin=f"value of {name}\n").code == 0
    events = project.events("deploy", stage="qa")

    told = request("GET", the("deployed", events)["http"] + "/tell").json()

    assert told == {**{name: f"value of {name}" for name in NAMES}, "at_import": "value of SECRET_00"}
    cloud, app = project.cloud, app_of(project)
    function = cloud.client("lambda").get_function_configuration(FunctionName=f"{app}--qa--Tell")
    assert not set(NAMES) & function["Environment"]["Variables"].keys()
    template = cloud.client("cloudformation").get_template(StackName=f"{app}--qa")["TemplateBody"]
    assert "value of" not in json.dumps(template)
    parameter = cloud.client("ssm").get_parameter(Name=f"/treadle/{app}/qa/SECRET_00")["Parameter"]
    assert parameter["Type"] == "SecureString"


@pytest.mark.parametrize("function", ["Tell", "_treadle-websocket"])
def test_roles_may_read_these_parameters_and_no_other(project: Project, function: str) -> None:
    app = app_of(project)
    policy = project.cloud.client("iam").get_role_policy(RoleName=f"{app}--qa--{function}", PolicyName="step")

    (statement,) = [one for one in policy["PolicyDocument"]["Statement"] if one["Sid"] == "Secrets"]

    assert statement["Action"] == ["ssm:GetParameters"]
    assert [arn.rpartition(":")[2] for arn in statement["Resource"]] == [
        f"parameter/treadle/{app}/qa/{name}" for name in NAMES
    ]


def test_secrets_are_listed_without_their_values_and_can_be_unset(project: Project) -> None:
    listed = secrets(project, "list")
    assert (listed.code, len(listed.out.splitlines())) == (0, 12)
    assert "value of" not in listed.out

    assert secrets(project, "unset", "SECRET_03").code == 0

    listed = secrets(project, "list", "--json")
    unset = [one["name"] for one in json.loads(listed.out)["secrets"] if not one["isSet"]]
    assert (listed.code, unset) == (1, ["SECRET_03"])


@pytest.mark.parametrize(
    ("name", "value", "code", "hint"),
    [
        ("SECRET_0", "x", "no-such-secret", "did you mean `SECRET_"),
        ("OTHER", "x", "no-such-secret", 'secrets = ["OTHER"]'),
        ("SECRET_01", "", "secret-value-not-allowed", ""),
        ("SECRET_01", "x" * 4097, "secret-value-not-allowed", ""),
    ],
)
def test_what_is_no_secret_of_the_project_or_no_value_is_refused(
    project: Project, name: str, value: str, code: str, hint: str
) -> None:
    done = secrets(project, "set", name, stdin=value)

    assert done.code == 1
    assert code in done.err
    assert hint in done.err

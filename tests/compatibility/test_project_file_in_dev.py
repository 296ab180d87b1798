"""What the project file says reaches the running functions, their roles, logs and tags in `treadle dev`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.dev import Dev, wait_until
from support.projects import write

PROJECT = {
    "treadle.toml": """\
name = "shop"
runtime = "python3.12"
memory_mb = 320
log_level = "warn"
log_retention_days = 30
secrets = ["FROM_ENV", "FROM_SHELL", "NOWHERE"]

[environment]
PLAIN = "from the file"
LOCAL = "from the file"

[cors]
origins = ["https://shop.example.com"]
credentials = true

[tags]
team = "shop"

[stages.dev.environment]
PLAIN = "from the stage"
""",
    ".env": "LOCAL=from .env\nTREADLE_APP=nonsense\nFROM_ENV=from .env\n",
    "steps/told_step.py": """\
import os
import sys

AT_IMPORT = os.environ["PLAIN"]
SECRETS = "FROM_ENV", "FROM_SHELL", "NOWHERE"
config = {"name": "Told", "type": "api", "path": "/told", "method": "GET", "emits": []}


async def handler(req, context):
    context.logger.info("quiet")
    context.logger.warn("loud")
    names = ["PLAIN", "LOCAL", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_EXECUTION_ENV"]
    found = {name: os.environ[name] for name in names}
    found["secrets"] = [os.environ.get(name) for name in SECRETS]
    return {"body": {**found, "at_import": AT_IMPORT, "python": list(sys.version_info[:2])}}
""",
}
FUNCTION = "shop--dev--Told"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = tmp_path_factory.mktemp("settings")
    for path, text in PROJECT.items():
        write(project, path, text)
    with Dev(project, "--no-watch", environment={"FROM_SHELL": "from the shell"}) as running:
        yield running


def test_handlers_run_with_the_projects_runtime_memory_and_variables(dev: Dev) -> None:
    told = dev.http("GET", "/told").json()

    assert (told["python"], told["AWS_EXECUTION_ENV"]) == ([3, 12], "AWS_Lambda_python3.12")
    assert told["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "320"
    assert (told["PLAIN"], told["at_import"]) == ("from the stage", "from the stage")


def test_env_says_otherwise_on_this_machine_but_not_what_treadle_sets(dev: Dev) -> None:
    assert dev.http("GET", "/told").json()["LOCAL"] == "from .env"
    configuration = dev.client("lambda").get_function_configuration(FunctionName=FUNCTION)
    assert configuration["Environment"]["Variables"]["LOCAL"] == "from the file"


def test_secrets_come_from_env_and_the_shell_and_one_that_is_nowhere_is_told(dev: Dev) -> None:
    assert dev.http("GET", "/told").json()["secrets"] == ["from .env", "from the shell", None]
    assert any("the secret NOWHERE has no value here" in json.dumps(line) for line in dev.all("trouble"))
    configuration = dev.client("lambda").get_function_configuration(FunctionName=FUNCTION)
    assert not {"FROM_ENV", "FROM_SHELL"} & configuration["Environment"]["Variables"].keys()


def test_the_log_has_what_the_level_lets_through_for_as_long_as_it_is_kept(dev: Dev) -> None:
    dev.http("GET", "/told")
    logs, group = dev.client("logs"), f"/aws/lambda/{FUNCTION}"

    def messages() -> list[str]:
        return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]

    wait_until("the warning is in the log", lambda: any('"loud"' in message for message in messages()))
    assert not any('"quiet"' in message for message in messages())
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 30


def test_only_the_projects_origins_may_call_with_cookies(dev: Dev) -> None:
    mine = dev.http("GET", "/told", headers={"Origin": "https://shop.example.com"}).headers
    other = dev.http("GET", "/told", headers={"Origin": "https://evil.example.com"}).headers

    assert mine["access-control-allow-origin"] == "https://shop.example.com"
    assert mine["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in other


def test_resources_have_the_projects_tags(dev: Dev) -> None:
    function = dev.client("lambda").get_function(FunctionName=FUNCTION)
    table = dev.client("dynamodb").describe_table(TableName="shop--dev--state")["Table"]["TableArn"]
    tags = dev.client("dynamodb").list_tags_of_resource(ResourceArn=table)["Tags"]

    assert (function["Tags"]["team"], function["Tags"]["treadle:app"]) == ("shop", "shop")
    assert {"Key": "team", "Value": "shop"} in tags

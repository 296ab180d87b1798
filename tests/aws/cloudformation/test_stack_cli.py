"""The unmodified AWS CLI deploys stacks, looks at them and deletes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.dev import Dev
from support.judges import aws_cli, aws_cli_json
from support.templates import ref, resource, template


def body(folder: Path, seconds: int) -> Path:
    """A template file."""
    path = folder / f"template-{seconds}.json"
    path.write_text(
        template(
            {
                "Queue": resource("SQS::Queue", {"VisibilityTimeout": seconds, "DelaySeconds": ref("Delay")}),
                "Role": resource("IAM::Role", {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}),
            },
            Parameters={"Delay": {"Type": "Number"}},
            Outputs={"Url": {"Value": ref("Queue")}},
        )
    )
    return path


def test_deploy_creates_updates_and_says_when_nothing_is_to_be_done(emulator: Dev, stack: str, tmp_path: Path) -> None:
    def deploy(seconds: int) -> tuple[int, str]:
        done = aws_cli(
            emulator.endpoint,
            *("cloudformation", "deploy", "--stack-name", stack, "--template-file", str(body(tmp_path, seconds))),
            *("--capabilities", "CAPABILITY_IAM", "--parameter-overrides", "Delay=3", "--tags", "team=blue"),
            "--no-fail-on-empty-changeset",
        )
        return done.returncode, done.stdout + done.stderr

    code, said = deploy(30)
    assert (code, f"Successfully created/updated stack - {stack}" in said) == (0, True), said
    code, said = deploy(40)
    assert (code, f"Successfully created/updated stack - {stack}" in said) == (0, True), said
    code, said = deploy(40)
    assert (code, f"No changes to deploy. Stack {stack} is up to date" in said) == (0, True), said
    told = aws_cli_json(emulator.endpoint, "cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"][0]
    assert (told["StackStatus"], told["Tags"]) == ("UPDATE_COMPLETE", [{"Key": "team", "Value": "blue"}])
    url = told["Outputs"][0]["OutputValue"]
    attributes = emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (attributes["VisibilityTimeout"], attributes["DelaySeconds"]) == ("40", "3")


def test_change_sets_waiters_events_and_deletion(emulator: Dev, stack: str, tmp_path: Path) -> None:
    def run(*arguments: str) -> Any:
        return aws_cli_json(emulator.endpoint, "cloudformation", *arguments)

    template_file, name = f"file://{body(tmp_path, 30)}", ("--stack-name", stack)
    run(
        *("create-change-set", *name, "--change-set-name", "first", "--change-set-type", "CREATE"),
        *("--template-body", template_file, "--capabilities", "CAPABILITY_IAM"),
        *("--parameters", "ParameterKey=Delay,ParameterValue=1"),
    )
    run("wait", "change-set-create-complete", *name, "--change-set-name", "first")
    told = run("describe-change-set", *name, "--change-set-name", "first")
    assert {each["ResourceChange"]["Action"] for each in told["Changes"]} == {"Add"}
    run("execute-change-set", *name, "--change-set-name", "first")
    run("wait", "stack-create-complete", *name)
    events = run("describe-stack-events", *name)
    assert events["StackEvents"][0]["ResourceStatus"] == "CREATE_COMPLETE"
    assert json.loads(events["StackEvents"][1]["ResourceProperties"])
    run("delete-stack", *name)
    run("wait", "stack-delete-complete", *name)
    gone = aws_cli(emulator.endpoint, "cloudformation", "describe-stacks", *name)
    assert (gone.returncode != 0, f"Stack with id {stack} does not exist" in gone.stderr) == (True, True)

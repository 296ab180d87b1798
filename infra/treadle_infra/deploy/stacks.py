"""A stack as CloudFormation describes it, and what its state lets one do."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from treadle_infra.app.findings import TreadleError
from treadle_infra.deploy.account import Account
from treadle_infra.deploy.aws_errors import error_message
from treadle_infra.deploy.happenings import Tell, Working
from treadle_infra.deploy.origins import Template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

NEVER_CREATED = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
"""A stack in such a state never ran, and can only be deleted."""

# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_UPDATABLE = frozenset(
    {
        *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"),
        *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
    }
)


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is there; `outputs` and `tags` by name."""

    id: str
    name: str
    status: str
    outputs: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def was_never_created(self) -> bool:
        return self.status in NEVER_CREATED

    @property
    def is_busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and not self.is_in_review

    @property
    def is_in_review(self) -> bool:
        """Whether it is but a name for change sets, none of which was carried out."""
        return self.status == "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class StackResource:
    """One resource of a stack; `physical_id` is empty where AWS has not made it."""

    logical_id: str
    physical_id: str
    type: str
    status: str


def find_stack(client: CloudFormationClient, name: str) -> Stack | None:
    """The stack of this name or id; None where there is none, or no more."""
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as problem:
        if says_it_is_missing(problem):
            return None
        raise
    if found["StackStatus"] == "DELETE_COMPLETE":
        return None
    return Stack(
        id=found.get("StackId", name),
        name=found["StackName"],
        status=found["StackStatus"],
        outputs={
            output["OutputKey"]: output["OutputValue"]
            for output in found.get("Outputs", [])
            if "OutputKey" in output and "OutputValue" in output
        },
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
    )


def quiet_stack(account: Account, name: str, tell: Tell) -> Stack | None:
    """The stack once nothing works on it; None where there is none then.

    Whoever began the work may be gone: AWS goes on without it.
    """
    told = False
    while (stack := find_stack(account.cloudformation, name)) is not None and stack.is_busy:
        if not told:
            tell(Working(f"waiting: AWS is still at work on {stack.name} for somebody ({stack.status})"))
            told = True
        time.sleep(account.poll_seconds)
    return stack


def says_it_is_missing(problem: ClientError) -> bool:
    """Whether CloudFormation's answer is that there is no such stack or change set."""
    return "does not exist" in error_message(problem)


def resources_in(client: CloudFormationClient, stack: Stack) -> list[StackResource]:
    """The resources that the stack holds now, without those that are gone."""
    found: list[StackResource] = []
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack.id):
        for summary in page["StackResourceSummaries"]:
            if summary["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED"):
                physical_id = summary.get("PhysicalResourceId", "")
                found.append(
                    StackResource(
                        summary["LogicalResourceId"], physical_id, summary["ResourceType"], summary["ResourceStatus"]
                    )
                )
    return found


def template_of(client: CloudFormationClient, stack: Stack) -> Template:
    """The template that the stack was last brought to; empty where CloudFormation keeps none as JSON."""
    body: object = client.get_template(StackName=stack.id)["TemplateBody"]
    if isinstance(body, str):
        body = json.loads(body)
    return cast("Template", body) if isinstance(body, dict) else {}


def check_ownership(stack: Stack, app: str, stage: str) -> None:
    """Raises TreadleError `stack-not-ours` where the stack is not this app's on this stage."""
    found = (stack.tags.get("treadle:app"), stack.tags.get("treadle:stage"))
    if found not in ((app, stage), (None, None)) or (found == (None, None) and not stack.is_in_review):
        raise TreadleError(
            "stack-not-ours",
            f"there is a stack `{stack.name}` that does not belong to the app `{app}` on the stage `{stage}`",
            hint="choose another stage, or another name for the app in pyproject.toml",
        )


def check_updatable(account: Account, stack: Stack) -> None:
    """Raises TreadleError `stack-busy`, `stack-stuck` with the way out."""
    if stack.is_busy:
        raise TreadleError(
            "stack-busy",
            f"something else is at work on the stack `{stack.name}` ({stack.status})",
            hint=f"wait until it is done: {look_command(account, stack.name)}",
        )
    if stack.status == "DELETE_FAILED":
        raise TreadleError(
            "stack-stuck",
            f"the stack `{stack.name}` was not removed to the end ({stack.status})",
            hint="run `treadle remove` for this stage again; it says what is in the way",
        )
    if stack.status not in _UPDATABLE:
        raise TreadleError(
            "stack-stuck",
            f"the stack `{stack.name}` is stuck ({stack.status}): its last rollback did not get to its end",
            hint=f"mend what the rollback complains about ({look_command(account, stack.name)}), then run\n"
            f"{_command(account, 'continue-update-rollback', stack.name)}\n"
            "(with `--resources-to-skip` for what cannot be mended), then deploy again",
        )


def look_command(account: Account, stack_name: str) -> str:
    """A command that shows what goes on in a stack."""
    return _command(account, "describe-stack-events", stack_name)


def cancel_command(account: Account, stack_name: str) -> str:
    """A command that has an update undone which is under way."""
    return _command(account, "cancel-update-stack", stack_name)


def _command(account: Account, verb: str, stack_name: str) -> str:
    endpoint = f" --endpoint-url {account.endpoint_url}" if account.endpoint_url else ""
    return f"aws cloudformation {verb} --stack-name {stack_name} --region {account.region}{endpoint}"

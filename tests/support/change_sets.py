"""Change sets of tests: made, awaited, looked at and executed, as any client of AWS does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from support.aws import unique
from support.dev import wait_until
from support.stacks import CAPABILITIES, settled

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


def propose(cloudformation: CloudFormationClient, stack: str, body: str | None, **options: Any) -> dict[str, Any]:
    """A change set's description once it is examined; without a body the previous template is used."""
    call = cast("Callable[..., dict[str, str]]", cloudformation.create_change_set)
    template = {"UsePreviousTemplate": True} if body is None else {"TemplateBody": body}
    name = options.pop("ChangeSetName", unique("set"))
    made = call(StackName=stack, ChangeSetName=name, **template, **{"Capabilities": CAPABILITIES, **options})
    return examined(cloudformation, made["Id"])


def examined(cloudformation: CloudFormationClient, change_set: str, **options: Any) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = cast("dict[str, Any]", cloudformation.describe_change_set(ChangeSetName=change_set, **options))
        return None if found["Status"].startswith("CREATE_") and found["Status"] != "CREATE_COMPLETE" else found

    return wait_until(f"{change_set} is examined", look)


def execute(cloudformation: CloudFormationClient, proposed: dict[str, Any], **options: Any) -> str:
    """The stack's status after the execution."""
    call = cast("Callable[..., object]", cloudformation.execute_change_set)
    call(ChangeSetName=proposed["ChangeSetId"], **options)
    return settled(cloudformation, proposed["StackId"])


def changes(proposed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What happens to each resource, by logical id."""
    found = [each["ResourceChange"] for each in proposed["Changes"]]
    return {each["LogicalResourceId"]: each for each in found}


def outline(proposed: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Action and replacement of each resource."""
    return {name: (each["Action"], each.get("Replacement")) for name, each in changes(proposed).items()}


def reasons_of(change: dict[str, Any]) -> list[tuple[str | None, str, str, str, str | None]]:
    """Property, recreation, evaluation, source and causing entity of each detail."""
    return [
        (
            each["Target"].get("Name"),
            each["Target"]["RequiresRecreation"],
            each["Evaluation"],
            each["ChangeSource"],
            each.get("CausingEntity"),
        )
        for each in change["Details"]
    ]

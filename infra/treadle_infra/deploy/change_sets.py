"""A change set: what CloudFormation would do to a stack, asked for, read and carried out."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from botocore.exceptions import ClientError

from treadle_infra.app.findings import FindingsError, TreadleError, error
from treadle_infra.deploy.account import Account
from treadle_infra.deploy.aws_errors import error_code, error_message
from treadle_infra.deploy.origins import SHARED, Template, mentioned, origins_of
from treadle_infra.deploy.stacks import find_stack
from treadle_infra.deploy.submission import Submission

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import ChangeTypeDef

_WAIT_SECONDS = 600
_GONE = ("ChangeSetNotFound", "ChangeSetNotFoundException")
_NOTHING = ("didn't contain changes", "No updates are to be performed")
_VALIDATION = "EarlyValidation"
_OTHERS_WORK = re.compile(r"^Stack:? ?\S* .*(_IN_PROGRESS state|already exists|does not exist)")
_OUTRUN = frozenset({"InvalidChangeSetStatus", "InvalidChangeSetStatusException", *_GONE})
"""How AWS refuses a change set that another's execution has made obsolete or thrown away, or that waits for its end.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stack is to be brought to. `takes_back`: resources that exist outside of it already become its own."""

    stack_name: str
    template: Template
    submission: Submission
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    exists: bool
    takes_back: bool


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What CloudFormation would do to one resource.

    `action`: Add, Modify, Remove, Import or Dynamic; `replacement`: True, False or Conditional; `properties`: the
    names of those that change.
    """

    action: str
    logical_id: str
    physical_id: str
    type: str
    replacement: str
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """`changes` is empty where only tags or outputs change."""

    id: str
    stack_id: str
    changes: tuple[ResourceChange, ...]


def create_change_set(account: Account, wanted: Wanted) -> ChangeSet | None:
    """The change set, ready to be carried out; None where there is nothing to change.

    Raises TreadleError `template-refused`, `change-set-failed`, `stage-changed-meanwhile`.
    """
    client = account.cloudformation
    name = f"treadle-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}"
    arguments: dict[str, Any] = {"TemplateURL": wanted.submission.url, "TemplateBody": wanted.submission.body}
    if wanted.takes_back:
        arguments["ImportExistingResources"] = True
    try:
        created = client.create_change_set(
            StackName=wanted.stack_name,
            ChangeSetName=name,
            ClientToken=name,
            ChangeSetType="UPDATE" if wanted.exists else "CREATE",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in wanted.parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in wanted.tags.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **{key: value for key, value in arguments.items() if value is not None},
        )
    except ClientError as problem:
        if error_code(problem) != "ValidationError":
            raise
        if _OTHERS_WORK.search(error_message(problem)):
            raise _changed_meanwhile(wanted.stack_name) from None
        raise _refusal("template-refused", error_message(problem), wanted.template) from None
    return _awaited(account, created["Id"], created["StackId"], wanted)


def discard(account: Account, change_set: ChangeSet) -> None:
    """Forgets a change set; with the stack that stands for nothing but this change set."""
    _discard(account, change_set.id, change_set.stack_id)


def execute(account: Account, change_set: ChangeSet, stack_name: str) -> None:
    """Lets CloudFormation begin. Raises TreadleError `stage-changed-meanwhile`."""
    try:
        account.cloudformation.execute_change_set(
            ChangeSetName=change_set.id, ClientRequestToken=f"treadle-{uuid.uuid4().hex}"
        )
    except ClientError as problem:
        if error_code(problem) in _OUTRUN:
            raise _changed_meanwhile(stack_name) from None
        raise


def _changed_meanwhile(stack_name: str) -> TreadleError:
    return TreadleError(
        "stage-changed-meanwhile",
        f"somebody else began to change `{stack_name}` while this was prepared; nothing of this deployment was done",
        hint="deploy again: it waits for the other one, and shows what is left to change",
    )


def _awaited(account: Account, change_set_id: str, stack_id: str, wanted: Wanted) -> ChangeSet | None:
    client = account.cloudformation
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            found = client.describe_change_set(ChangeSetName=change_set_id)
        except ClientError as problem:
            if error_code(problem) in _GONE:
                raise _changed_meanwhile(wanted.stack_name) from None
            raise
        match found["Status"]:
            case "CREATE_COMPLETE":
                return ChangeSet(change_set_id, stack_id, _all_changes(account, change_set_id))
            case "FAILED":
                reason = found.get("StatusReason") or "AWS gives no reason"
                if any(text in reason for text in _NOTHING):
                    _discard(account, change_set_id, stack_id)
                    return None
                refusal = _failure(account, change_set_id, reason, wanted.template)
                _discard(account, change_set_id, stack_id)
                raise refusal
            case _ if time.monotonic() > end:
                raise TreadleError(
                    "change-set-failed",
                    f"CloudFormation has not said after {_WAIT_SECONDS // 60} minutes what it would change",
                    hint="deploy again",
                )
            case _:
                time.sleep(account.poll_seconds)


def _all_changes(account: Account, change_set_id: str) -> tuple[ResourceChange, ...]:
    pages = account.cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set_id)
    return tuple(_change(change) for page in pages for change in page.get("Changes", []) if "ResourceChange" in change)


def _change(change: ChangeTypeDef) -> ResourceChange:
    found = change.get("ResourceChange", {})
    targets = [detail.get("Target", {}) for detail in found.get("Details", [])]
    names = [
        str(target["Name"] if "Name" in target else target.get("Attribute", ""))
        for target in cast("list[Mapping[str, Any]]", targets)
    ]
    return ResourceChange(
        action=found.get("Action", "Modify"),
        logical_id=found.get("LogicalResourceId", ""),
        physical_id=found.get("PhysicalResourceId", ""),
        type=found.get("ResourceType", ""),
        replacement=found.get("Replacement", "False"),
        properties=tuple(dict.fromkeys(name for name in names if name)),
    )


def _discard(account: Account, change_set_id: str, stack_id: str) -> None:
    client = account.cloudformation
    client.delete_change_set(ChangeSetName=change_set_id)
    stack = find_stack(client, stack_id)
    if stack is None or not stack.is_in_review:
        return  # never more than a name: what somebody else makes of it meanwhile is theirs
    if not client.list_change_sets(StackName=stack_id)["Summaries"]:
        client.delete_stack(StackName=stack_id)


def _failure(account: Account, change_set_id: str, reason: str, template: Template) -> TreadleError:
    """What CloudFormation found wrong before it began, each finding at its resource's line."""
    found = _validation_findings(account, change_set_id) if _VALIDATION in reason else []
    if not found:
        return _refusal("change-set-failed", reason, template)
    origins = origins_of(template)
    return FindingsError(
        error("change-set-failed", message, origins.get(logical_id, SHARED).where, hint_for(message))
        for logical_id, message in found
    )


def _validation_findings(account: Account, change_set_id: str) -> list[tuple[str, str]]:
    """Logical ids and what is wrong there.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html
    """
    try:
        events = account.client("cloudformation").describe_events(
            ChangeSetName=change_set_id, Filters={"FailedEvents": True}
        )
    except ClientError:
        return []
    found = cast("list[Mapping[str, str]]", events.get("OperationEvents", []))
    return [
        (event.get("LogicalResourceId", ""), event["ValidationStatusReason"])
        for event in found
        if event.get("ValidationStatusReason")
    ]


def _refusal(code: Literal["template-refused", "change-set-failed"], reason: str, template: Template) -> TreadleError:
    about = mentioned(reason, template)
    where = origins_of(template)[about].where if about is not None else None
    return TreadleError(code, f"CloudFormation does not take the change: {reason}", where=where, hint=hint_for(reason))


def hint_for(reason: str) -> str | None:
    """How a refusal of CloudFormation's is mended, where that is known."""
    lower = reason.lower()
    if "already exist" in lower:
        return "something that is not of this stage has this name: remove it, or choose another stage or app name"
    if "not authorized" in lower or "accessdenied" in lower.replace(" ", "") or "is not allowed" in lower:
        return "the credentials that deploy lack this permission: use a role that has it"
    if "limit" in lower and ("exceed" in lower or "reached" in lower):
        return "a quota of the account: ask for more in AWS's Service Quotas, or remove what is not used"
    if "rate exceeded" in lower or "throttl" in lower:
        return "AWS was asked too much at once: deploy again"
    if "concurren" in lower and "unreserved" in lower:
        return "the account's Lambda concurrency is too small for what the steps reserve"
    if "protected against deletion" in lower:
        return "the table is protected: `treadle remove --delete-data` lifts that"
    return None

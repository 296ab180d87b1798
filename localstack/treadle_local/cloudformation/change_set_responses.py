"""What is known of change sets, in the shapes of CloudFormation's API."""

from __future__ import annotations

import json
from typing import Any, assert_never

from treadle_local.cloudformation.change_sets import ChangeSet
from treadle_local.cloudformation.differences import leaves
from treadle_local.cloudformation.plan import Action, Change, Detail, Replacement
from treadle_local.cloudformation.responses import moment, parameters, present
from treadle_local.cloudformation.template import DeletionPolicy


def summary(each: ChangeSet) -> dict[str, Any]:
    """A member of `Summaries` of ListChangeSets."""
    return {
        "StackId": each.stack.id,
        "StackName": each.stack.name,
        "ChangeSetId": each.id,
        "ChangeSetName": each.name,
        "ExecutionStatus": each.execution_status,
        "Status": each.status,
        "CreationTime": moment(each.created_at),
        "IncludeNestedStacks": False,
        "ImportExistingResources": each.proposal.import_existing,
        **present(StatusReason=each.status_reason, Description=each.proposal.description),
    }


def description(each: ChangeSet) -> dict[str, Any]:
    """The answer of DescribeChangeSet without its changes."""
    on_failure = each.proposal.on_failure
    return {
        **summary(each),
        "Parameters": parameters(each.deployment),
        "NotificationARNs": list[str](),
        "RollbackConfiguration": dict[str, Any](),
        "Capabilities": list(each.proposal.wanted.capabilities),
        "Tags": [{"Key": key, "Value": value} for key, value in each.deployment.tags.items()],
        **present(OnStackFailure=None if on_failure is None else on_failure.value),
    }


def change(each: Change, *, with_values: bool) -> dict[str, Any]:
    """A member of `Changes`; `with_values` adds what each property is and is to be."""
    resource: dict[str, Any] = {
        "Action": each.action.value,
        "LogicalResourceId": each.logical_id,
        "ResourceType": each.type,
        "Scope": list(dict.fromkeys(detail.attribute for detail in each.details)),
        "Details": [shown for detail in each.details for shown in _details(detail, each, with_values=with_values)],
        **present(PhysicalResourceId=each.physical_id or None, PolicyAction=_policy_action(each)),
    }
    if each.replacement is not None:
        resource["Replacement"] = each.replacement.value
    if with_values:
        before, after = _context(each.before), _context(each.after)
        resource |= present(BeforeContext=before, AfterContext=after)
    return {"Type": "Resource", "ResourceChange": resource}


def _policy_action(each: Change) -> str | None:
    """What happens to the physical resource that the stack no longer wants."""
    retained = each.deletion_policy is not DeletionPolicy.DELETE
    match each.action:
        case Action.REMOVE:
            return "Retain" if retained else "Delete"
        case Action.MODIFY | Action.REPLACE:
            if each.replacement is Replacement.FALSE:
                return None
            return "ReplaceAndRetain" if retained else "ReplaceAndDelete"
        case Action.ADD | Action.IMPORT | Action.KEEP:
            return None
        case _:
            assert_never(each.action)


def _details(detail: Detail, each: Change, *, with_values: bool) -> list[dict[str, Any]]:
    """The detail itself; with values, one for each innermost value of the property that differs."""
    target: dict[str, Any] = {
        "Attribute": detail.attribute,
        "RequiresRecreation": detail.recreation.value,
        **present(Name=detail.name),
    }
    reason: dict[str, Any] = {
        "Evaluation": "Static" if detail.is_static else "Dynamic",
        "ChangeSource": detail.source.value,
        **present(CausingEntity=detail.causing_entity),
    }
    if not with_values or detail.name is None:
        return [{"Target": target, **reason}]
    before, after = each.before["Properties"].get(detail.name), each.after["Properties"].get(detail.name)
    found = list(leaves(before, after, f"/Properties/{detail.name}"))
    if not found:
        return [{"Target": target | {"Path": f"/Properties/{detail.name}"}, **reason}]
    return [
        {
            "Target": {
                **target,
                "Path": leaf.path,
                "AttributeChangeType": _change_type(leaf.before, leaf.after),
                **present(BeforeValue=_text(leaf.before), AfterValue=_text(leaf.after)),
            },
            **reason,
        }
        for leaf in found
    ]


def _change_type(before: Any, after: Any) -> str:
    if before is None:
        return "Add"
    return "Remove" if after is None else "Modify"


def _context(value: Any) -> str | None:
    return json.dumps(value, separators=(",", ":")) if value else None


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, separators=(",", ":"))

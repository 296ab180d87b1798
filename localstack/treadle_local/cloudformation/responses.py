"""What is known of stacks, in the shapes of CloudFormation's API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from treadle_local.cloudformation.deployment import Deployment
from treadle_local.cloudformation.events import StackEvent
from treadle_local.cloudformation.requests import needed_capabilities
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.stacks import Stack
from treadle_local.cloudformation.template import Template

_NO_DRIFT = {"DriftInformation": {"StackDriftStatus": "NOT_CHECKED"}}


def stack(each: Stack) -> dict[str, Any]:
    """A member of `Stacks` of DescribeStacks."""
    template, deployment = each.deployment.template, each.deployment
    export_names = deployment.export_names(each.resources) if each.exports else {}
    outputs = [
        {"OutputKey": name, "OutputValue": value}
        | present(Description=template.outputs[name].description, ExportName=export_names.get(name))
        for name, value in each.outputs.items()
    ]
    operations = [{"OperationType": one.type.value, "OperationId": one.id} for one in each.operations[-1:]]
    return _times(each) | {
        "StackId": each.id,
        "StackName": each.name,
        "StackStatus": each.status,
        "DisableRollback": each.disable_rollback,
        "EnableTerminationProtection": each.termination_protection,
        "NotificationARNs": list[str](),
        "Capabilities": list(each.capabilities),
        "Parameters": parameters(deployment),
        "Outputs": outputs,
        "Tags": [{"Key": key, "Value": value} for key, value in deployment.tags.items()],
        "RollbackConfiguration": dict[str, Any](),
        **_NO_DRIFT,
        **present(
            Description=template.description, StackStatusReason=each.status_reason, ChangeSetId=each.change_set_id
        ),
        **({"LastOperations": operations} if operations else {}),
    }


def parameters(deployment: Deployment) -> list[dict[str, Any]]:
    """`Parameters` of DescribeStacks and DescribeChangeSet; what NoEcho hides is masked."""
    declared = deployment.template.parameters
    return [
        {"ParameterKey": name, "ParameterValue": declared[name].shown(text)}
        for name, text in deployment.parameter_texts.items()
    ]


def summary(each: Stack) -> dict[str, Any]:
    """A member of `StackSummaries` of ListStacks."""
    return _times(each) | {
        "StackId": each.id,
        "StackName": each.name,
        "StackStatus": each.status,
        **_NO_DRIFT,
        **present(TemplateDescription=each.deployment.template.description, StackStatusReason=each.status_reason),
    }


def event(each: StackEvent) -> dict[str, Any]:
    """A member of `StackEvents` of DescribeStackEvents."""
    properties = None if each.properties is None else json.dumps(each.properties, separators=(",", ":"))
    return {
        "StackId": each.stack_id,
        "StackName": each.stack_name,
        "EventId": each.event_id,
        "LogicalResourceId": each.logical_id,
        "PhysicalResourceId": each.physical_id,
        "ResourceType": each.type,
        "Timestamp": moment(each.timestamp),
        "ResourceStatus": each.status,
        **present(ResourceStatusReason=each.reason, ResourceProperties=properties, ClientRequestToken=each.token),
    }


def resource(owner: Stack, record: StackResource) -> dict[str, Any]:
    """A member of `StackResources` of DescribeStackResources."""
    return {
        "StackId": owner.id,
        "StackName": owner.name,
        "Timestamp": moment(record.changed_at),
        **_resource(record),
    }


def resource_detail(owner: Stack, record: StackResource) -> dict[str, Any]:
    """`StackResourceDetail` of DescribeStackResource."""
    metadata = None if record.metadata is None else json.dumps(record.metadata, separators=(",", ":"))
    return {
        "StackId": owner.id,
        "StackName": owner.name,
        "LastUpdatedTimestamp": moment(record.changed_at),
        **_resource(record),
        **present(Metadata=metadata),
    }


def resource_summary(record: StackResource) -> dict[str, Any]:
    """A member of `StackResourceSummaries` of ListStackResources."""
    return {"LastUpdatedTimestamp": moment(record.changed_at), **_resource(record)}


def validation(template: Template) -> dict[str, Any]:
    """The answer of ValidateTemplate."""
    parameters = [
        {"ParameterKey": each.name, "NoEcho": each.hidden}
        | present(DefaultValue=each.default, Description=each.description)
        for each in template.parameters.values()
    ]
    return {"Parameters": parameters, **_needs(template)}


def template_summary(template: Template) -> dict[str, Any]:
    """The answer of GetTemplateSummary."""
    parameters: list[dict[str, Any]] = []
    for each in template.parameters.values():
        constraints = {} if each.allowed_values is None else {"AllowedValues": list(each.allowed_values)}
        parameters.append(
            {
                "ParameterKey": each.name,
                "ParameterType": each.type,
                "NoEcho": each.hidden,
                "ParameterConstraints": constraints,
                **present(DefaultValue=each.default, Description=each.description),
            }
        )
    return {
        "Parameters": parameters,
        "ResourceTypes": list(dict.fromkeys(each.type for each in template.resources.values())),
        "Version": "2010-09-09",
        **_needs(template),
        **present(Metadata=None if template.metadata is None else json.dumps(template.metadata)),
    }


def _needs(template: Template) -> dict[str, Any]:
    capabilities = needed_capabilities(template)
    reason = None
    if capabilities:
        types = sorted({each.type for each in template.resources.values() if each.type.startswith("AWS::IAM::")})
        reason = f"The following resource(s) require capabilities: [{', '.join(types or template.transforms)}]"
    return {
        "Capabilities": list(capabilities),
        "DeclaredTransforms": list(template.transforms),
        **present(CapabilitiesReason=reason, Description=template.description),
    }


def _resource(record: StackResource) -> dict[str, Any]:
    return {
        "LogicalResourceId": record.logical_id,
        "ResourceType": record.type,
        "ResourceStatus": record.status,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        **present(PhysicalResourceId=record.physical_id or None, ResourceStatusReason=record.reason),
    }


def _times(each: Stack) -> dict[str, Any]:
    return {
        "CreationTime": moment(each.created_at),
        **({} if each.updated_at is None else {"LastUpdatedTime": moment(each.updated_at)}),
        **({} if each.deleted_at is None else {"DeletionTime": moment(each.deleted_at)}),
    }


def moment(seconds: float) -> datetime:
    """A time of the emulator's clock, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def present(**members: str | None) -> dict[str, Any]:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}

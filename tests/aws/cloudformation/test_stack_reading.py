"""What is read of stacks: events, resources, and what is not to be had yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.aws import refusal
from support.stacks import create, history
from support.templates import resource, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


def test_events_and_resources_come_in_pages_newest_event_first(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    create(cloudformation, stack, template({f"T{index}": resource("SNS::Topic") for index in range(50)}))
    first = cloudformation.describe_stack_events(StackName=stack)
    assert len(first["StackEvents"]) == 100
    assert first["StackEvents"][0].get("ResourceStatus") == "CREATE_COMPLETE"
    assert first["StackEvents"][0].get("LogicalResourceId") == stack
    assert len(history(cloudformation, stack)) == 2 + 3 * 50
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    assert len([each for page in pages for each in page["StackResourceSummaries"]]) == 50


def test_one_resource_is_described_with_its_metadata(cloudformation: CloudFormationClient, stack: str) -> None:
    create(cloudformation, stack, template({"Topic": resource("SNS::Topic", Metadata={"a": 1})}))
    detail = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId="Topic")["StackResourceDetail"]
    assert detail.get("Metadata") == '{"a":1}'
    found = cloudformation.describe_stack_resources(PhysicalResourceId=detail.get("PhysicalResourceId", ""))
    assert [each["LogicalResourceId"] for each in found["StackResources"]] == ["Topic"]
    _, message = refusal(lambda: cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId="Other"))
    assert message == f"Resource Other does not exist for stack {stack}"


def test_operations_of_later_work_are_refused_by_name(cloudformation: CloudFormationClient, stack: str) -> None:
    _, message = refusal(lambda: cloudformation.set_stack_policy(StackName=stack, StackPolicyBody="{}"))
    assert message == "SetStackPolicy is not in Treadle's emulator yet"
    body = template({"Topic": resource("SNS::Topic")})
    _, message = refusal(lambda: create(cloudformation, stack, body, TimeoutInMinutes=1))
    assert message == "CreateStack with TimeoutInMinutes is not in Treadle's emulator yet"

"""Values that one stack exports and others import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import refusal
from support.dev import Dev
from support.stacks import create, delete, history, id_of, physical_ids, reasons, update
from support.templates import att, ref, resource, sub, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


@pytest.fixture
def importer(cloudformation: CloudFormationClient, stack: str) -> Iterator[str]:
    yield f"{stack}-importer"
    delete(cloudformation, f"{stack}-importer")


def exporting(display: str = "", name: Any = None, queue: str | None = None) -> str:
    export = sub("${AWS::StackName}-url") if name is None else name
    return template(
        {
            "Queue": resource("SQS::Queue", {} if queue is None else {"QueueName": queue}),
            "Topic": resource("SNS::Topic", {"DisplayName": display}),
        },
        Outputs={"Url": {"Value": ref("Queue"), "Export": {"Name": export}}, "Plain": {"Value": att("Queue")}},
    )


def importing(stack: str) -> str:
    value = {"Fn::ImportValue": sub(f"{stack}-${{What}}")}
    return template(
        {"Parameter": resource("SSM::Parameter", {"Type": "String", "Value": value})},
        Parameters={"What": {"Type": "String", "Default": "url"}},
    )


def test_an_export_is_imported_and_held_while_it_is_in_use(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str, importer: str
) -> None:
    create(cloudformation, stack, exporting())
    url, export = physical_ids(cloudformation, stack)["Queue"], f"{stack}-url"
    assert create(cloudformation, importer, importing(stack)) == "CREATE_COMPLETE", reasons(cloudformation, importer)
    parameter = physical_ids(cloudformation, importer)["Parameter"]
    assert emulator.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"] == url
    exports = {each.get("Name"): each for each in cloudformation.list_exports()["Exports"]}
    assert (exports[export].get("Value"), exports[export].get("ExportingStackId")) == (
        url,
        id_of(cloudformation, stack),
    )
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    assert {each.get("OutputKey"): each.get("ExportName") for each in outputs} == {"Url": export, "Plain": None}
    assert cloudformation.list_imports(ExportName=export)["Imports"] == [importer]
    assert refusal(delete, cloudformation, stack) == (
        "ValidationError",
        f"Delete canceled. Cannot delete export {export} as it is in use by {importer}.",
    )
    assert update(cloudformation, stack, exporting(queue=f"{stack}-new")) == "UPDATE_ROLLBACK_COMPLETE"
    told = [reason for logical, _, reason in history(cloudformation, stack) if logical == stack]
    assert f"Export {export} cannot be updated as it is in use by {importer}" in told
    assert update(cloudformation, stack, exporting(name="elsewhere")) == "UPDATE_ROLLBACK_COMPLETE"
    told = [reason for logical, _, reason in history(cloudformation, stack) if logical == stack]
    assert f"Export {export} cannot be deleted as it is in use by {importer}" in told
    assert physical_ids(cloudformation, stack)["Queue"] == url
    assert update(cloudformation, stack, exporting(display="new")) == "UPDATE_COMPLETE"
    delete(cloudformation, importer)
    assert refusal(lambda: cloudformation.list_imports(ExportName=export)) == (
        "ValidationError",
        f"Export '{export}' is not imported by any stack.",
    )
    assert delete(cloudformation, stack) == "GONE"


def test_an_export_that_is_missing_or_taken_fails_the_stack(
    cloudformation: CloudFormationClient, stack: str, importer: str
) -> None:
    assert create(cloudformation, importer, importing(stack)) == "ROLLBACK_COMPLETE"
    assert reasons(cloudformation, importer) == {"Parameter": f"No export named {stack}-url found."}
    delete(cloudformation, importer)
    create(cloudformation, stack, exporting())
    assert create(cloudformation, importer, exporting(name=f"{stack}-url")) == "ROLLBACK_COMPLETE"
    told = [reason for logical, _, reason in history(cloudformation, importer) if logical == importer]
    assert f"Export with name {stack}-url is already exported by stack {stack}" in told


def test_a_name_to_import_must_be_known_beforehand(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template(
        {
            "Topic": resource("SNS::Topic"),
            "Parameter": resource("SSM::Parameter", {"Type": "String", "Value": {"Fn::ImportValue": ref("Topic")}}),
        }
    )
    assert refusal(create, cloudformation, stack, exporting(name=ref("Topic"))) == (
        "ValidationError",
        "Template format error: Output Url is malformed. The Name field of every Export member must not depend on any "
        "resources, imported values, or Fn::GetAZs.",
    )
    assert refusal(create, cloudformation, stack, body) == (
        "ValidationError",
        "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, "
        "or Fn::GetAZs",
    )

"""Stacks that are updated, or fail to be and stay as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from support.aws import refusal
from support.dev import Dev
from support.stacks import create, history, inventory, outputs, physical_ids, reasons, settled, statuses, update
from support.templates import (
    LAMBDA_TRUST,
    SOURCE,
    Json,
    att,
    everything,
    function_properties,
    inline_policy,
    parameters,
    queue_policy,
    ref,
    resource,
    table_properties,
    template,
)

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


def test_properties_change_in_place_and_removed_ones_go_back_to_their_defaults(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    def body(queue: Json, function: Json, policies: list[Json], days: Json) -> str:
        role = {"AssumeRolePolicyDocument": LAMBDA_TRUST, "Policies": policies}
        return template(
            {
                "Queue": resource("SQS::Queue", queue),
                "Role": resource("IAM::Role", role),
                "Function": resource("Lambda::Function", function_properties(**function)),
                "Logs": resource("Logs::LogGroup", days),
                "Table": resource("DynamoDB::Table", table_properties()),
            }
        )

    status = create(
        cloudformation,
        stack,
        body(
            {"VisibilityTimeout": 90, "DelaySeconds": 5},
            {"Timeout": 30, "MemorySize": 512, "Environment": {"Variables": {"KEY": "1"}}},
            [inline_policy("sqs:SendMessage", "*"), inline_policy("sns:Publish", "*")],
            {"RetentionInDays": 7},
        ),
    )
    assert status == "CREATE_COMPLETE", reasons(cloudformation, stack)
    before = physical_ids(cloudformation, stack)
    status = update(
        cloudformation,
        stack,
        body(
            {"VisibilityTimeout": 45},
            {"MemorySize": 256, "Code": {"ZipFile": SOURCE + "# changed\n"}},
            [inline_policy("sns:Publish", "*"), inline_policy("sqs:ReceiveMessage", "*")],
            {},
        ),
    )
    assert status == "UPDATE_COMPLETE", reasons(cloudformation, stack)
    assert physical_ids(cloudformation, stack) == before
    attributes = emulator.client("sqs").get_queue_attributes(QueueUrl=before["Queue"], AttributeNames=["All"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "45"
    assert attributes["Attributes"]["DelaySeconds"] == "0"
    configuration = emulator.client("lambda").get_function_configuration(FunctionName=before["Function"])
    assert (configuration["Timeout"], configuration["MemorySize"]) == (3, 256)
    assert configuration.get("Environment", {}).get("Variables", {}) == {}
    names = emulator.client("iam").list_role_policies(RoleName=before["Role"])["PolicyNames"]
    assert sorted(names) == ["sns-Publish", "sqs-ReceiveMessage"]
    groups = emulator.client("logs").describe_log_groups(logGroupNamePrefix=before["Logs"])["logGroups"]
    assert "retentionInDays" not in groups[0]
    touched = {logical for logical, change, _ in history(cloudformation, stack) if change == "UPDATE_IN_PROGRESS"}
    assert touched == {stack, "Queue", "Role", "Function", "Logs"}


def test_a_replacement_is_made_first_then_dependents_switch_then_the_old_one_goes(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    def body(suffix: str) -> str:
        return template(
            {
                "Queue": resource("SQS::Queue", {"QueueName": f"{stack}-{suffix}"}),
                "Topic": resource("SNS::Topic"),
                "QueuePolicy": resource(
                    "SQS::QueuePolicy", {"Queues": [ref("Queue")], "PolicyDocument": queue_policy()}
                ),
                "Subscription": resource(
                    "SNS::Subscription",
                    {"TopicArn": ref("Topic"), "Protocol": "sqs", "Endpoint": att("Queue")},
                    DependsOn="QueuePolicy",
                ),
                "Parameter": resource("SSM::Parameter", {"Type": "String", "Value": ref("Queue")}),
            }
        )

    create(cloudformation, stack, body("old"))
    ids = physical_ids(cloudformation, stack)
    told = len(history(cloudformation, stack))
    assert update(cloudformation, stack, body("new")) == "UPDATE_COMPLETE", reasons(cloudformation, stack)
    after = physical_ids(cloudformation, stack)
    assert after["Queue"].endswith(f"{stack}-new")
    assert after["Parameter"] == ids["Parameter"]
    assert after["Subscription"] != ids["Subscription"]
    value = emulator.client("ssm").get_parameter(Name=after["Parameter"])["Parameter"]["Value"]
    assert value == after["Queue"]
    assert ids["Queue"] not in inventory(emulator)["queues"]
    assert ids["Subscription"] not in inventory(emulator)["subscriptions"]
    steps = [(logical, status) for logical, status, _ in history(cloudformation, stack)[told:]]
    assert steps.index(("Queue", "UPDATE_COMPLETE")) < steps.index(("Parameter", "UPDATE_IN_PROGRESS"))
    assert steps.index((stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")) < steps.index(("Queue", "DELETE_IN_PROGRESS"))
    assert steps.index(("Subscription", "DELETE_COMPLETE")) < steps.index(("Queue", "DELETE_IN_PROGRESS"))


def test_a_failed_update_undoes_every_change(emulator: Dev, cloudformation: CloudFormationClient, stack: str) -> None:
    def body(seconds: int, name: str, more: Mapping[str, Any]) -> str:
        return template(
            {
                "Changed": resource("SQS::Queue", {"VisibilityTimeout": seconds}),
                "Replaced": resource("SQS::Queue", {"QueueName": f"{stack}-{name}"}),
                "Dependent": resource("SSM::Parameter", {"Type": "String", "Value": ref("Replaced")}),
                **more,
            }
        )

    create(cloudformation, stack, body(40, "a", {"Removed": resource("SNS::Topic")}))
    ids, before = physical_ids(cloudformation, stack), inventory(emulator)
    body_before = cloudformation.get_template(StackName=stack)["TemplateBody"]
    added = {
        "Added": resource("SNS::Topic", DependsOn="Dependent"),
        "Bad": resource("SQS::Queue", {"QueueName": "no good!"}, DependsOn=["Added", "Changed"]),
    }
    assert update(cloudformation, stack, body(50, "b", added)) == "UPDATE_ROLLBACK_COMPLETE"
    assert inventory(emulator) == before
    assert physical_ids(cloudformation, stack) == ids
    assert cloudformation.get_template(StackName=stack)["TemplateBody"] == body_before
    attributes = emulator.client("sqs").get_queue_attributes(QueueUrl=ids["Changed"], AttributeNames=["All"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "40"
    value = emulator.client("ssm").get_parameter(Name=ids["Dependent"])["Parameter"]["Value"]
    assert value == ids["Replaced"]
    assert list(reasons(cloudformation, stack)) == ["Bad"]
    assert update(cloudformation, stack, body(50, "b", {})) == "UPDATE_COMPLETE"


def test_an_update_without_a_change_is_refused(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template(everything())
    create(cloudformation, stack, body, Tags=[{"Key": "a", "Value": "1"}])
    for again in (body, json.dumps(json.loads(body), indent=3)):
        assert refusal(update, cloudformation, stack, again) == (
            "ValidationError",
            "No updates are to be performed.",
        )
    assert statuses(cloudformation, stack) == ["CREATE_COMPLETE"]


def test_outputs_and_tags_alone_are_a_change(emulator: Dev, cloudformation: CloudFormationClient, stack: str) -> None:
    resources = {"Queue": resource("SQS::Queue")}
    create(cloudformation, stack, template(resources), Tags=[{"Key": "a", "Value": "1"}])
    changed = template(resources, Outputs={"Name": {"Value": att("Queue", "QueueName")}})
    assert update(cloudformation, stack, changed) == "UPDATE_COMPLETE"
    assert "Name" in outputs(cloudformation, stack)
    assert update(cloudformation, stack, changed, Tags=[{"Key": "b", "Value": "2"}]) == "UPDATE_COMPLETE"
    url = physical_ids(cloudformation, stack)["Queue"]
    tags = emulator.client("sqs").list_queue_tags(QueueUrl=url)["Tags"]
    assert (tags.get("a"), tags.get("b")) == (None, "2")


def test_the_previous_template_and_values_can_be_used_again(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    body = template(
        {"Queue": resource("SQS::Queue", {"DelaySeconds": ref("Delay"), "VisibilityTimeout": ref("Visibility")})},
        Parameters={"Delay": {"Type": "Number"}, "Visibility": {"Type": "Number", "Default": 30}},
    )
    create(cloudformation, stack, body, Parameters=parameters(Delay="3", Visibility="60"))
    cloudformation.update_stack(
        StackName=stack,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Delay", "UsePreviousValue": True}, *parameters(Visibility="70")],
    )
    assert settled(cloudformation, stack) == "UPDATE_COMPLETE"
    url = physical_ids(cloudformation, stack)["Queue"]
    found = emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["DelaySeconds"], found["VisibilityTimeout"]) == ("3", "70")


def test_a_resource_of_a_fixed_name_cannot_be_replaced(cloudformation: CloudFormationClient, stack: str) -> None:
    def body(key: str) -> str:
        properties = table_properties(
            TableName=f"{stack}-t",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        )
        return template({"Table": resource("DynamoDB::Table", properties)})

    create(cloudformation, stack, body("id"))
    assert update(cloudformation, stack, body("key")) == "UPDATE_ROLLBACK_COMPLETE"
    assert f"Rename {stack}-t and update the stack again." in reasons(cloudformation, stack)["Table"]


def test_a_table_changes_its_stream_indexes_and_times_to_live(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "by")]
    index = {
        "IndexName": "by-time",
        "KeySchema": [{"AttributeName": "by", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    create(cloudformation, stack, template({"Table": resource("DynamoDB::Table", table_properties())}))
    changed = table_properties(
        AttributeDefinitions=attributes,
        GlobalSecondaryIndexes=[index],
        StreamSpecification={"StreamViewType": "NEW_IMAGE"},
        TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True},
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    body = template(
        {"Table": resource("DynamoDB::Table", changed)}, Outputs={"Stream": {"Value": att("Table", "StreamArn")}}
    )
    assert update(cloudformation, stack, body) == "UPDATE_COMPLETE", reasons(cloudformation, stack)
    dynamodb, name = emulator.client("dynamodb"), physical_ids(cloudformation, stack)["Table"]
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert [each["IndexName"] for each in table["GlobalSecondaryIndexes"]] == ["by-time"]
    assert outputs(cloudformation, stack)["Stream"] == table["LatestStreamArn"]
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "ttl")
    assert update(cloudformation, stack, template({"Table": resource("DynamoDB::Table", table_properties())})) == (
        "UPDATE_COMPLETE"
    )
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] == "DISABLED"

"""Stacks that are created, or fail to be and leave nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import WaiterError
from hypothesis import given, settings
from hypothesis import strategies as st

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.stacks import create, delete, history, id_of, inventory, outputs, physical_ids, reasons, update
from support.templates import LAMBDA_TRUST, att, everything, ref, resource, sub, table_properties, template
from treadle_local.cloudformation.providers.registry import PROVIDERS

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


def test_every_type_is_made_and_leaves_nothing_when_it_is_deleted(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    before = inventory(emulator)
    assert {each["Type"] for each in everything().values()} == set(PROVIDERS)
    assert create(cloudformation, stack, template(everything())) == "CREATE_COMPLETE", reasons(cloudformation, stack)
    assert len(physical_ids(cloudformation, stack)) == len(everything())
    assert delete(cloudformation, stack) == "GONE"
    assert inventory(emulator) == before


def test_waiters_outputs_and_attributes_are_as_on_aws(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    body = template(
        {"Queue": resource("SQS::Queue"), "Topic": resource("SNS::Topic", {"TopicName": f"{stack}-named"})},
        Description="two things",
        Outputs={
            "Url": {"Value": ref("Queue"), "Description": "where to send"},
            "Arn": {"Value": att("Queue")},
            "Name": {"Value": {"Fn::GetAtt": "Queue.QueueName"}},
            "Topic": {"Value": ref("Topic")},
        },
    )
    stack_id = cloudformation.create_stack(StackName=stack, TemplateBody=body)["StackId"]
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    described = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
    assert (described["StackStatus"], described.get("Description")) == ("CREATE_COMPLETE", "two things")
    assert stack_id.startswith(f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{stack}/")
    found = outputs(cloudformation, stack)
    assert found["Topic"] == f"arn:aws:sns:us-east-1:{ACCOUNT}:{stack}-named"
    assert found["Name"].startswith(f"{stack}-Queue-")
    assert found["Arn"] == f"arn:aws:sqs:us-east-1:{ACCOUNT}:{found['Name']}"
    assert emulator.client("sqs").get_queue_url(QueueName=found["Name"])["QueueUrl"] == found["Url"]
    assert {each.get("Description") for each in described.get("Outputs", [])} == {"where to send", None}


def test_events_tell_each_resource_after_what_it_depends_on(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template(
        {
            "First": resource("SQS::Queue", DependsOn=["Last"]),
            "Middle": resource("SSM::Parameter", {"Type": "String", "Value": sub("${First.Arn}")}),
            "Last": resource("SNS::Topic"),
        }
    )
    create(cloudformation, stack, body)
    assert history(cloudformation, stack) == [
        (stack, "CREATE_IN_PROGRESS", "User Initiated"),
        *(
            (name, status, reason)
            for name in ("Last", "First", "Middle")
            for status, reason in (
                ("CREATE_IN_PROGRESS", ""),
                ("CREATE_IN_PROGRESS", "Resource creation Initiated"),
                ("CREATE_COMPLETE", ""),
            )
        ),
        (stack, "CREATE_COMPLETE", ""),
    ]


def test_tags_of_the_stack_and_of_cloudformation_reach_its_resources(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    body = template(
        {
            "Queue": resource("SQS::Queue", {"Tags": [{"Key": "own", "Value": "1"}]}),
            "Table": resource("DynamoDB::Table", table_properties()),
            "Parameter": resource("SSM::Parameter", {"Type": "String", "Value": "x", "Tags": {"own": "2"}}),
        }
    )
    create(cloudformation, stack, body, Tags=[{"Key": "team", "Value": "blue"}])
    ids = physical_ids(cloudformation, stack)
    queue = emulator.client("sqs").list_queue_tags(QueueUrl=ids["Queue"])["Tags"]
    assert (queue["own"], queue["team"]) == ("1", "blue")
    ssm = emulator.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=ids["Parameter"])
    assert {"Key": "own", "Value": "2"} in ssm["TagList"]
    arn = emulator.client("dynamodb").describe_table(TableName=ids["Table"])["Table"]["TableArn"]
    table = {
        each["Key"]: each["Value"]
        for each in emulator.client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"]
    }
    assert table["team"] == "blue"
    assert table.get("aws:cloudformation:logical-id", "Table") == "Table"


def test_a_template_whose_last_resource_fails_leaves_nothing(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    before = inventory(emulator)
    broken = {
        **everything(),
        "Zz": resource("SQS::Queue", {"QueueName": "no good!"}, DependsOn=list(everything())),
    }
    assert create(cloudformation, stack, template(broken)) == "ROLLBACK_COMPLETE"
    assert inventory(emulator) == before
    assert list(reasons(cloudformation, stack)) == ["Zz"]
    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    listed = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    assert {each["ResourceStatus"] for each in listed} == {"DELETE_COMPLETE"}
    _, message = refusal(lambda: update(cloudformation, stack, template(everything())))
    assert "is in ROLLBACK_COMPLETE state and can not be updated" in message


@settings(max_examples=12)
@given(position=st.integers(0, len(everything()) - 1), by_service=st.booleans())
def test_wherever_it_fails_nothing_is_left(emulator: Dev, position: int, by_service: bool) -> None:
    """One resource at any place has a property that CloudFormation, or the service itself, refuses."""
    cloudformation = cast("CloudFormationClient", emulator.client("cloudformation"))
    name = unique("failing")
    before = inventory(emulator)
    resources = everything()
    victim = list(resources)[position]
    if by_service:
        resources["Broken"] = resource("SQS::Queue", {"QueueName": "no good!"}, DependsOn=[victim])
    else:
        resources[victim]["Properties"]["NoSuchProperty"] = 1
    assert create(cloudformation, name, template(resources)) == "ROLLBACK_COMPLETE"
    assert inventory(emulator) == before
    assert list(reasons(cloudformation, name)) == ["Broken" if by_service else victim]
    delete(cloudformation, name)


def test_a_property_that_no_one_knows_is_named_with_its_path(cloudformation: CloudFormationClient, stack: str) -> None:
    properties = {"VisibilityTimeout": "soon", "Nonsense": 1, "Tags": [{"Key": "a", "Vallue": "b"}]}
    assert create(cloudformation, stack, template({"Queue": resource("SQS::Queue", properties)})) == "ROLLBACK_COMPLETE"
    assert reasons(cloudformation, stack)["Queue"].splitlines() == [
        "Properties validation failed for resource Queue with message:",
        "#/VisibilityTimeout: expected type: Integer, found: String",
        "#: extraneous key [Nonsense] is not permitted",
        "#/Tags/0: extraneous key [Vallue] is not permitted",
        "#/Tags/0: required key [Value] not found",
    ]


def test_a_property_that_only_aws_has_is_refused_by_name(cloudformation: CloudFormationClient, stack: str) -> None:
    create(cloudformation, stack, template({"Bucket": resource("S3::Bucket", {"WebsiteConfiguration": {}})}))
    assert "WebsiteConfiguration is not in Treadle's emulator yet" in reasons(cloudformation, stack)["Bucket"]


def test_a_name_that_is_taken_fails_and_its_owner_is_left_alone(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    named = {
        "Queue": resource("SQS::Queue", {"QueueName": f"{stack}-q"}),
        "Topic": resource("SNS::Topic", {"TopicName": f"{stack}-t"}),
        "Role": resource("IAM::Role", {"RoleName": f"{stack}-r", "AssumeRolePolicyDocument": LAMBDA_TRUST}),
        "Table": resource("DynamoDB::Table", table_properties(TableName=f"{stack}-d")),
        "Logs": resource("Logs::LogGroup", {"LogGroupName": f"{stack}-l"}),
        "Rule": resource("Events::Rule", {"Name": f"{stack}-e", "ScheduleExpression": "rate(1 day)"}),
        "Parameter": resource("SSM::Parameter", {"Name": f"{stack}-p", "Type": "String", "Value": "1"}),
        "Bucket": resource("S3::Bucket", {"BucketName": f"{stack}-b"}),
    }
    create(cloudformation, stack, template(named))
    first = id_of(cloudformation, stack)
    before = inventory(emulator)
    for logical, declaration in named.items():
        other = f"{stack}-{logical}"
        assert create(cloudformation, other, template({logical: declaration})) == "ROLLBACK_COMPLETE"
        assert f"already exists in stack {first}" in reasons(cloudformation, other)[logical]
        delete(cloudformation, other)
    assert inventory(emulator) == before


def test_on_failure_decides_what_becomes_of_a_failed_stack(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    body = template({"Good": resource("SNS::Topic"), "Bad": resource("SQS::Queue", {"Nonsense": 1}, DependsOn="Good")})
    assert create(cloudformation, stack, body, OnFailure="DELETE") == "GONE"
    assert create(cloudformation, stack, body, DisableRollback=True) == "CREATE_FAILED"
    assert physical_ids(cloudformation, stack)["Good"] in inventory(emulator)["topics"]
    assert delete(cloudformation, stack) == "GONE"
    code, _ = refusal(lambda: create(cloudformation, stack, body, DisableRollback=True, OnFailure="DELETE"))
    assert code == "ValidationError"


def test_a_stack_of_that_name_may_exist_only_once(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template({"Topic": resource("SNS::Topic")})
    create(cloudformation, stack, body)
    assert refusal(lambda: create(cloudformation, stack, body)) == (
        "AlreadyExistsException",
        f"Stack [{stack}] already exists",
    )


def test_roles_need_the_capability_that_aws_asks_for(cloudformation: CloudFormationClient, stack: str) -> None:
    role = {"AssumeRolePolicyDocument": LAMBDA_TRUST}
    named = template({"Role": resource("IAM::Role", {**role, "RoleName": stack})})
    anonymous = template({"Role": resource("IAM::Role", role)})
    allowed = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}], "Version": "2012-10-17"}
    policy = {"ManagedPolicyName": stack, "PolicyDocument": allowed}
    inline = {"PolicyName": stack, "PolicyDocument": allowed, "Roles": ["any"]}
    for body, given_ones, missing in (
        (template({"Policy": resource("IAM::ManagedPolicy", policy)}), ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
        (template({"Policy": resource("IAM::Policy", inline)}), [], "CAPABILITY_IAM"),
        (named, [], "CAPABILITY_NAMED_IAM"),
        (named, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
        (anonymous, [], "CAPABILITY_IAM"),
    ):
        assert refusal(create, cloudformation, stack, body, Capabilities=given_ones) == (
            "InsufficientCapabilitiesException",
            f"Requires capabilities : [{missing}]",
        )
    assert create(cloudformation, stack, anonymous, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"

"""Stacks that are deleted, and resources that outlive them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.aws import ACCOUNT, refusal
from support.dev import Dev
from support.stacks import create, delete, history, id_of, inventory, physical_ids, settled, statuses, update
from support.templates import everything, ref, resource, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


def test_dependents_go_first(cloudformation: CloudFormationClient, stack: str) -> None:
    resources = everything()
    create(cloudformation, stack, template(resources))
    stack_id = id_of(cloudformation, stack)
    delete(cloudformation, stack)
    gone = [logical for logical, status, _ in history(cloudformation, stack_id) if status == "DELETE_COMPLETE"]
    place = {logical: index for index, logical in enumerate(gone)}
    for first, then in (
        ("Mapping", "Alias"),
        ("Alias", "Function"),
        ("Function", "Role"),
        ("Route", "Integration"),
        ("Integration", "Api"),
        ("Subscription", "QueuePolicy"),
        ("QueuePolicy", "Queue"),
        ("Queue", "DeadLetters"),
        ("Role", "Logs"),
    ):
        assert place[first] < place[then], (first, then)


def test_a_deleted_stack_is_found_by_its_id_only(cloudformation: CloudFormationClient, stack: str) -> None:
    create(cloudformation, stack, template({"Topic": resource("SNS::Topic")}))
    stack_id = id_of(cloudformation, stack)
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    assert refusal(lambda: cloudformation.describe_stacks(StackName=stack)) == (
        "ValidationError",
        f"Stack with id {stack} does not exist",
    )
    assert statuses(cloudformation, stack_id) == ["DELETE_COMPLETE"]
    assert stack_id not in [each.get("StackId") for each in cloudformation.describe_stacks()["Stacks"]]
    listed = cloudformation.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert stack_id in [each.get("StackId") for each in listed]
    cloudformation.delete_stack(StackName=stack)


def test_a_failed_deletion_can_be_tried_again(emulator: Dev, cloudformation: CloudFormationClient, stack: str) -> None:
    body = template(
        {
            "Bucket": resource("S3::Bucket"),
            "Topic": resource("SNS::Topic", {"DisplayName": ref("Bucket")}),
            "Queue": resource("SQS::Queue"),
        }
    )
    create(cloudformation, stack, body)
    bucket, s3 = physical_ids(cloudformation, stack)["Bucket"], emulator.client("s3")
    s3.put_object(Bucket=bucket, Key="held", Body=b"x")
    assert delete(cloudformation, stack) == "DELETE_FAILED"
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    assert described.get("StackStatusReason") == "The following resource(s) failed to delete: [Bucket]. "
    assert physical_ids(cloudformation, stack)["Bucket"] == bucket
    s3.delete_object(Bucket=bucket, Key="held")
    assert delete(cloudformation, stack) == "GONE"


def test_what_failed_to_go_can_be_left_behind(emulator: Dev, cloudformation: CloudFormationClient, stack: str) -> None:
    create(cloudformation, stack, template({"Bucket": resource("S3::Bucket")}))
    bucket, s3 = physical_ids(cloudformation, stack)["Bucket"], emulator.client("s3")
    s3.put_object(Bucket=bucket, Key="held", Body=b"x")
    _, message = refusal(lambda: cloudformation.delete_stack(StackName=stack, RetainResources=["Bucket"]))
    assert "only when the stack is in the DELETE_FAILED state" in message
    assert delete(cloudformation, stack) == "DELETE_FAILED"
    cloudformation.delete_stack(StackName=stack, RetainResources=["Bucket"])
    assert settled(cloudformation, stack) == "GONE"
    s3.delete_object(Bucket=bucket, Key="held")
    s3.delete_bucket(Bucket=bucket)


def test_a_protected_stack_is_not_deleted(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template({"Topic": resource("SNS::Topic")})
    create(cloudformation, stack, body, EnableTerminationProtection=True)
    assert refusal(lambda: cloudformation.delete_stack(StackName=stack)) == (
        "ValidationError",
        f"Stack [{stack}] cannot be deleted while TerminationProtection is enabled",
    )
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    assert delete(cloudformation, stack) == "GONE"


def test_retain_outlives_the_stack_and_its_removal_from_the_template(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    kept = {name: resource("SNS::Topic", DeletionPolicy="Retain") for name in ("First", "Second")}
    create(cloudformation, stack, template(kept))
    ids = physical_ids(cloudformation, stack)
    assert update(cloudformation, stack, template({"Second": kept["Second"]})) == "UPDATE_COMPLETE"
    stack_id = id_of(cloudformation, stack)
    assert delete(cloudformation, stack) == "GONE"
    topics = inventory(emulator)["topics"]
    assert {ids["First"], ids["Second"]} <= set(topics)
    told = history(cloudformation, stack_id)
    assert [logical for logical, status, _ in told if status == "DELETE_SKIPPED"] == ["First", "Second"]
    for arn in ids.values():
        emulator.client("sns").delete_topic(TopicArn=arn)


def test_retain_except_on_create_goes_with_a_failed_creation_only(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    bad = resource("SQS::Queue", {"Nonsense": 1}, DependsOn="Topic")
    topic = resource("SNS::Topic", DeletionPolicy="RetainExceptOnCreate")
    before = inventory(emulator)
    assert create(cloudformation, stack, template({"Topic": topic, "Bad": bad})) == "ROLLBACK_COMPLETE"
    assert inventory(emulator) == before
    delete(cloudformation, stack)
    create(cloudformation, stack, template({"Topic": topic}))
    arn = physical_ids(cloudformation, stack)["Topic"]
    delete(cloudformation, stack)
    assert arn in inventory(emulator)["topics"]
    emulator.client("sns").delete_topic(TopicArn=arn)


def test_retain_outlives_even_a_failed_creation_unless_the_call_says_otherwise(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    body = template(
        {
            "Topic": resource("SNS::Topic", {"TopicName": f"{stack}-t"}, DeletionPolicy="Retain"),
            "Bad": resource("SQS::Queue", {"Nonsense": 1}, DependsOn="Topic"),
        }
    )
    arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:{stack}-t"
    assert create(cloudformation, stack, body, RetainExceptOnCreate=True) == "ROLLBACK_COMPLETE"
    assert arn not in inventory(emulator)["topics"]
    delete(cloudformation, stack)
    assert create(cloudformation, stack, body) == "ROLLBACK_COMPLETE"
    assert arn in inventory(emulator)["topics"]
    emulator.client("sns").delete_topic(TopicArn=arn)


def test_update_replace_policy_keeps_what_is_replaced(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    def body(name: str) -> str:
        topic = resource("SNS::Topic", {"TopicName": f"{stack}-{name}"}, UpdateReplacePolicy="Retain")
        return template({"Topic": topic})

    create(cloudformation, stack, body("a"))
    assert update(cloudformation, stack, body("b")) == "UPDATE_COMPLETE"
    old = f"arn:aws:sns:us-east-1:{ACCOUNT}:{stack}-a"
    assert old in inventory(emulator)["topics"]
    emulator.client("sns").delete_topic(TopicArn=old)

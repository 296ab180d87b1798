"""Resources that exist before their stack are adopted by a change set, and are left alone when that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import ACCOUNT, refusal
from support.change_sets import changes, execute, outline, propose
from support.dev import Dev
from support.stacks import create, delete, id_of, inventory, outputs, physical_ids, reasons
from support.templates import Json, att, ref, resource, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

TAGS: list[Any] = [{"Key": "team", "Value": "blue"}]


@pytest.fixture
def bucket(emulator: Dev, stack: str) -> Iterator[str]:
    """A bucket in no stack, with a tag of its own."""
    s3, name = emulator.client("s3"), f"{stack}-bucket"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "own", "Value": "1"}]})
    yield name
    if name in inventory(emulator)["buckets"]:
        s3.delete_bucket(Bucket=name)


def bucket_resource(name: Any, policy: str | None = "Retain", **properties: Any) -> Json:
    attributes = {} if policy is None else {"DeletionPolicy": policy}
    return resource("S3::Bucket", {"BucketName": name, **properties}, **attributes)


def tags_of(emulator: Dev, bucket: str) -> dict[str, str]:
    found = emulator.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]
    return {each["Key"]: each["Value"] for each in found}


def test_what_has_the_name_that_the_template_gives_is_adopted(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str, bucket: str
) -> None:
    body = template(
        {"Bucket": bucket_resource(bucket), "Topic": resource("SNS::Topic")},
        Outputs={"Arn": {"Value": att("Bucket")}},
    )
    assert outline(propose(cloudformation, stack, body, ChangeSetType="CREATE"))["Bucket"] == ("Add", None)
    proposed = propose(cloudformation, stack, body, ChangeSetType="CREATE", ImportExistingResources=True, Tags=TAGS)
    assert proposed["ImportExistingResources"] is True
    assert outline(proposed) == {"Bucket": ("Import", None), "Topic": ("Add", None)}
    assert changes(proposed)["Bucket"]["PhysicalResourceId"] == bucket
    assert execute(cloudformation, proposed) == "CREATE_COMPLETE", reasons(cloudformation, stack)
    assert physical_ids(cloudformation, stack)["Bucket"] == bucket
    assert outputs(cloudformation, stack)["Arn"] == f"arn:aws:s3:::{bucket}"
    assert (tags_of(emulator, bucket)["own"], tags_of(emulator, bucket)["team"]) == ("1", "blue")
    assert delete(cloudformation, stack) == "GONE"
    assert bucket in inventory(emulator)["buckets"]


def test_an_adoption_is_undone_with_the_rest(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str, bucket: str
) -> None:
    before = inventory(emulator)
    bad = resource("SQS::Queue", {"Nonsense": 1}, DependsOn=["Bucket", "Topic"])
    for policy in ("Retain", "RetainExceptOnCreate"):
        resources = {"Bucket": bucket_resource(bucket, policy), "Topic": resource("SNS::Topic"), "Bad": bad}
        proposed = propose(
            cloudformation, stack, template(resources), ChangeSetType="CREATE", ImportExistingResources=True, Tags=TAGS
        )
        assert execute(cloudformation, proposed, RetainExceptOnCreate=True) == "ROLLBACK_COMPLETE"
        assert inventory(emulator) == before
        assert tags_of(emulator, bucket) == {"own": "1"}
        delete(cloudformation, stack)
    create(cloudformation, stack, template({"Topic": resource("SNS::Topic")}))
    proposed = propose(cloudformation, stack, template(resources), ImportExistingResources=True, Tags=TAGS)
    assert execute(cloudformation, proposed) == "UPDATE_ROLLBACK_COMPLETE"
    assert set(physical_ids(cloudformation, stack)) == {"Topic"}
    assert tags_of(emulator, bucket) == {"own": "1"}


def test_adoption_asks_for_a_policy_that_retains(cloudformation: CloudFormationClient, stack: str, bucket: str) -> None:
    for policy in (None, "Delete"):
        body = template({"Bucket": bucket_resource(bucket, policy)})
        proposed = propose(cloudformation, stack, body, ChangeSetType="CREATE", ImportExistingResources=True)
        assert (proposed["Status"], proposed["StatusReason"]) == (
            "FAILED",
            "CloudFormation is attempting to import some resources because they already exist in your account. "
            "The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the "
            f"template for successful import. The affected resources are Bucket ({{BucketName={bucket}}})",
        )


def test_only_static_names_are_looked_for(cloudformation: CloudFormationClient, stack: str, bucket: str) -> None:
    body = template(
        {"Bucket": bucket_resource(ref("Name"))}, Parameters={"Name": {"Type": "String", "Default": bucket}}
    )
    proposed = propose(cloudformation, stack, body, ChangeSetType="CREATE", ImportExistingResources=True)
    assert outline(proposed) == {"Bucket": ("Add", None)}


def test_what_another_stack_has_is_not_adopted(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template({"Logs": resource("Logs::LogGroup", {"LogGroupName": f"{stack}-logs"}, DeletionPolicy="Retain")})
    first = f"{stack}-first"
    create(cloudformation, first, body.replace("Retain", "Delete"))
    proposed = propose(cloudformation, stack, body, ChangeSetType="CREATE", ImportExistingResources=True)
    assert (proposed["Status"], proposed["StatusReason"]) == (
        "FAILED",
        f"{stack}-logs already exists in stack {id_of(cloudformation, first)}",
    )
    delete(cloudformation, first)


def test_named_resources_are_imported_and_nothing_else_may_change(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    url = emulator.client("sqs").create_queue(QueueName=f"{stack}-q")["QueueUrl"]
    before = inventory(emulator)
    topic = resource("SNS::Topic")
    queue = resource("SQS::Queue", {"QueueName": f"{stack}-q"}, DeletionPolicy="Delete")
    create(cloudformation, stack, template({"Topic": topic}))
    named = [{"ResourceType": "AWS::SQS::Queue", "LogicalResourceId": "Queue", "ResourceIdentifier": {"QueueUrl": url}}]
    options: dict[str, Any] = {"ChangeSetType": "IMPORT", "ResourcesToImport": named}
    proposed = propose(cloudformation, stack, template({"Topic": topic, "Queue": queue, "More": topic}), **options)
    assert proposed["Status"] == "FAILED"
    assert proposed["StatusReason"].startswith("You have modified resources [More] in your template")
    proposed = propose(cloudformation, stack, template({"Topic": topic, "Queue": queue}), **options)
    assert outline(proposed) == {"Queue": ("Import", None)}
    assert execute(cloudformation, proposed) == "IMPORT_COMPLETE", reasons(cloudformation, stack)
    assert physical_ids(cloudformation, stack)["Queue"] == url
    assert delete(cloudformation, stack) == "GONE"
    assert inventory(emulator)["queues"] == [each for each in before["queues"] if each != url]


def test_imports_that_cannot_be_are_refused(cloudformation: CloudFormationClient, stack: str) -> None:
    queue = resource("SQS::Queue", {"QueueName": f"{stack}-q"}, DeletionPolicy="Retain")
    named = {
        "ResourceType": "AWS::SQS::Queue",
        "LogicalResourceId": "Queue",
        "ResourceIdentifier": {"QueueUrl": f"http://sqs.us-east-1.localhost/{ACCOUNT}/{stack}"},
    }

    def ask(body: Json, entry: Json) -> dict[str, Any]:
        return propose(cloudformation, stack, template(body), ChangeSetType="IMPORT", ResourcesToImport=[entry])

    missing = ask({"Queue": queue}, named)
    assert (missing["Status"], "was not found" in missing["StatusReason"]) == ("FAILED", True)
    unretained = {name: value for name, value in queue.items() if name != "DeletionPolicy"}
    assert "DeletionPolicy" in refusal(ask, {"Queue": unretained}, named)[1]
    assert "must be in the template" in refusal(ask, {"Other": queue}, named)[1]
    wrong = {**named, "ResourceIdentifier": {"QueueName": f"{stack}-q"}}
    assert refusal(ask, {"Queue": queue}, wrong)[1].endswith("the identifier of AWS::SQS::Queue is [QueueUrl]")

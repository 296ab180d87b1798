"""Change sets: proposed, read, executed and thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import WaiterError

from support.aws import ACCOUNT, refusal
from support.change_sets import changes, examined, execute, outline, propose
from support.dev import Dev
from support.stacks import create, delete, history, inventory, outputs, physical_ids, statuses, update
from support.templates import everything, parameters, ref, resource, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def queue(seconds: int = 30, **sections: object) -> str:
    return template({"Queue": resource("SQS::Queue", {"VisibilityTimeout": seconds})}, **sections)


def test_a_new_stack_waits_in_review_until_its_change_set_is_executed(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    before = inventory(emulator)
    made = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=template(everything()),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Description="all of it",
        Tags=[{"Key": "team", "Value": "blue"}],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName=stack, ChangeSetName="first", WaiterConfig={"Delay": 1}
    )
    cloudformation.get_waiter("stack_exists").wait(StackName=stack)
    assert statuses(cloudformation, stack) == ["REVIEW_IN_PROGRESS"]
    assert inventory(emulator) == before
    proposed = examined(cloudformation, "first", StackName=stack)
    assert proposed["ChangeSetId"] == made["Id"]
    assert made["Id"].startswith(f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:changeSet/first/")
    assert (proposed["Status"], proposed["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert (proposed["Description"], proposed["Capabilities"]) == ("all of it", ["CAPABILITY_NAMED_IAM"])
    assert proposed["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert outline(proposed) == dict.fromkeys(everything(), ("Add", None))
    assert all("PhysicalResourceId" not in each for each in changes(proposed).values())
    cloudformation.execute_change_set(ChangeSetName="first", StackName=stack, ClientRequestToken="token-1")
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    assert (described.get("ChangeSetId"), described["StackStatus"]) == (made["Id"], "CREATE_COMPLETE")
    assert history(cloudformation, stack)[:2] == [
        (stack, "REVIEW_IN_PROGRESS", "User Initiated"),
        (stack, "CREATE_IN_PROGRESS", "User Initiated"),
    ]
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    assert {each.get("ClientRequestToken") for each in events[:-1]} == {"token-1"}
    executed = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    assert (executed["Status"], executed["ExecutionStatus"]) == ("CREATE_COMPLETE", "EXECUTE_COMPLETE")


def test_a_stack_in_review_cannot_be_updated_and_can_be_deleted(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    proposed = propose(cloudformation, stack, queue(), ChangeSetType="CREATE")
    assert cloudformation.list_change_sets(StackName=stack)["Summaries"][0].get("Status") == "CREATE_COMPLETE"
    assert refusal(update, cloudformation, stack, queue())[1].endswith(
        "is in REVIEW_IN_PROGRESS state and can not be updated."
    )
    assert refusal(propose, cloudformation, stack, queue()) == ("ValidationError", f"Stack [{stack}] does not exist")
    assert refusal(create, cloudformation, stack, queue())[0] == "AlreadyExistsException"
    assert cloudformation.describe_stack_resources(StackName=stack)["StackResources"] == []
    second = propose(cloudformation, stack, queue(40), ChangeSetType="CREATE")
    assert second["StackId"] == proposed["StackId"]
    assert delete(cloudformation, stack) == "GONE"
    assert refusal(cloudformation.describe_change_set, ChangeSetName=proposed["ChangeSetId"])[0] == "ChangeSetNotFound"


def test_information_without_changes_fails_in_the_words_that_clients_know(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    create(cloudformation, stack, queue())
    proposed = propose(cloudformation, stack, queue(), ChangeSetName="same")
    assert (proposed["Status"], proposed["StatusReason"]) == ("FAILED", NO_CHANGES)
    assert (proposed["ExecutionStatus"], proposed["Changes"]) == ("UNAVAILABLE", [])
    with pytest.raises(WaiterError, match="FAILED"):
        cloudformation.get_waiter("change_set_create_complete").wait(StackName=stack, ChangeSetName="same")
    assert refusal(cloudformation.execute_change_set, ChangeSetName=proposed["ChangeSetId"]) == (
        "InvalidChangeSetStatus",
        f"ChangeSet [{proposed['ChangeSetId']}] cannot be executed in its current status of [FAILED]",
    )


def test_outputs_alone_are_something_to_execute(cloudformation: CloudFormationClient, stack: str) -> None:
    create(cloudformation, stack, queue())
    proposed = propose(cloudformation, stack, queue(Outputs={"Url": {"Value": ref("Queue")}}))
    assert (proposed["Status"], proposed["Changes"]) == ("CREATE_COMPLETE", [])
    assert execute(cloudformation, proposed) == "UPDATE_COMPLETE"
    assert set(outputs(cloudformation, stack)) == {"Url"}


def test_executing_one_removes_the_others_and_an_update_makes_all_obsolete(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    create(cloudformation, stack, queue())
    first, second = (propose(cloudformation, stack, queue(seconds)) for seconds in (40, 50))
    assert execute(cloudformation, first) == "UPDATE_COMPLETE"
    assert refusal(cloudformation.describe_change_set, ChangeSetName=second["ChangeSetId"])[0] == "ChangeSetNotFound"
    third = propose(cloudformation, stack, queue(60))
    update(cloudformation, stack, queue(70))
    assert examined(cloudformation, third["ChangeSetId"])["ExecutionStatus"] == "OBSOLETE"
    for proposed, status in ((third, "OBSOLETE"), (first, "EXECUTE_COMPLETE")):
        assert refusal(cloudformation.execute_change_set, ChangeSetName=proposed["ChangeSetId"]) == (
            "InvalidChangeSetStatus",
            f"ChangeSet [{proposed['ChangeSetId']}] cannot be executed in its current execution status of [{status}]",
        )


def test_change_sets_are_found_by_name_or_arn_and_deleted(cloudformation: CloudFormationClient, stack: str) -> None:
    create(cloudformation, stack, queue())
    proposed = propose(cloudformation, stack, queue(40), ChangeSetName="mine")
    assert refusal(lambda: cloudformation.describe_change_set(ChangeSetName="mine")) == (
        "ValidationError",
        "StackName must be specified if ChangeSetName is not specified as an ARN.",
    )
    assert refusal(propose, cloudformation, stack, queue(50), ChangeSetName="mine") == (
        "AlreadyExistsException",
        "ChangeSet mine cannot be created due to a mismatch with existing attribute Template",
    )
    listed = cloudformation.list_change_sets(StackName=stack)["Summaries"]
    assert [(each.get("ChangeSetName"), each.get("ExecutionStatus")) for each in listed] == [("mine", "AVAILABLE")]
    for _ in range(2):
        cloudformation.delete_change_set(StackName=stack, ChangeSetName="mine")
    assert cloudformation.list_change_sets(StackName=stack)["Summaries"] == []
    assert refusal(lambda: cloudformation.describe_change_set(StackName=stack, ChangeSetName="mine")) == (
        "ChangeSetNotFound",
        "ChangeSet [mine] does not exist",
    )
    assert refusal(cloudformation.execute_change_set, ChangeSetName=proposed["ChangeSetId"])[0] == "ChangeSetNotFound"
    assert refusal(lambda: cloudformation.list_change_sets(StackName="none-such")) == (
        "ValidationError",
        "Stack [none-such] does not exist",
    )


def test_a_repeated_call_with_its_token_gives_the_same_change_set(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    create(cloudformation, stack, queue())
    one, other = (
        propose(cloudformation, stack, queue(40), ChangeSetName="again", ClientToken="once") for _ in range(2)
    )
    assert one["ChangeSetId"] == other["ChangeSetId"]


def test_a_type_must_fit_whether_the_stack_exists(cloudformation: CloudFormationClient, stack: str) -> None:
    assert refusal(propose, cloudformation, stack, queue()) == ("ValidationError", f"Stack [{stack}] does not exist")
    create(cloudformation, stack, queue())
    assert refusal(propose, cloudformation, stack, queue(40), ChangeSetType="CREATE", ChangeSetName="c") == (
        "ValidationError",
        f"Stack [{stack}] already exists and cannot be created again with the changeSet [c].",
    )
    assert statuses(cloudformation, stack) == ["CREATE_COMPLETE"]


def test_previous_templates_values_and_tags_are_used_again(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    body = template(
        {"Queue": resource("SQS::Queue", {"DelaySeconds": ref("Delay"), "VisibilityTimeout": ref("Visibility")})},
        Parameters={"Delay": {"Type": "Number"}, "Visibility": {"Type": "Number", "Default": 30}},
    )
    tags = [{"Key": "team", "Value": "blue"}]
    create(cloudformation, stack, body, Parameters=parameters(Delay="3", Visibility="60"), Tags=tags)
    given = [{"ParameterKey": "Delay", "UsePreviousValue": True}, *parameters(Visibility="70")]
    proposed = propose(cloudformation, stack, None, Parameters=given)
    assert proposed["Tags"] == tags
    assert {each["ParameterKey"]: each["ParameterValue"] for each in proposed["Parameters"]} == {
        "Delay": "3",
        "Visibility": "70",
    }
    assert execute(cloudformation, proposed) == "UPDATE_COMPLETE"
    url = physical_ids(cloudformation, stack)["Queue"]
    found = emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["DelaySeconds"], found["VisibilityTimeout"]) == ("3", "70")
    assert emulator.client("sqs").list_queue_tags(QueueUrl=url)["Tags"]["team"] == "blue"


def test_the_template_of_a_change_set_is_read_before_its_execution(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    create(cloudformation, stack, queue())
    proposed = propose(cloudformation, stack, queue(40))
    for stage in ("Original", "Processed"):
        answer = cloudformation.get_template(ChangeSetName=proposed["ChangeSetId"], TemplateStage=stage)
        assert answer["TemplateBody"]["Resources"]["Queue"]["Properties"] == {"VisibilityTimeout": 40}
    assert refusal(cloudformation.get_template, StackName=stack, ChangeSetName="none-such") == (
        "ChangeSetNotFound",
        "ChangeSet [none-such] does not exist",
    )


def test_many_changes_come_in_pages(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template({f"Topic{index}": resource("SNS::Topic") for index in range(230)})
    proposed = propose(cloudformation, stack, body, ChangeSetType="CREATE")
    assert len(proposed["Changes"]) == 100
    pages = cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=proposed["ChangeSetId"])
    names = [each.get("ResourceChange", {}).get("LogicalResourceId") for page in pages for each in page["Changes"]]
    assert names == [f"Topic{index}" for index in range(230)]


def test_what_becomes_of_a_failed_creation_is_decided_by_the_change_set_or_its_execution(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    body = template({"Good": resource("SNS::Topic"), "Bad": resource("SQS::Queue", {"Nonsense": 1}, DependsOn="Good")})
    proposed = propose(cloudformation, stack, body, ChangeSetType="CREATE", OnStackFailure="DELETE")
    assert proposed["OnStackFailure"] == "DELETE"
    code, message = refusal(
        cloudformation.execute_change_set, ChangeSetName=proposed["ChangeSetId"], DisableRollback=True
    )
    assert (code, "but not both" in message) == ("ValidationError", True)
    assert execute(cloudformation, proposed) == "DELETE_COMPLETE"
    proposed = propose(cloudformation, stack, body, ChangeSetType="CREATE")
    assert execute(cloudformation, proposed, DisableRollback=True) == "CREATE_FAILED"
    assert examined(cloudformation, proposed["ChangeSetId"])["ExecutionStatus"] == "EXECUTE_FAILED"
    assert delete(cloudformation, stack) == "GONE"
    proposed = propose(cloudformation, stack, body, ChangeSetType="CREATE")
    assert execute(cloudformation, proposed) == "ROLLBACK_COMPLETE"


@pytest.mark.parametrize(
    ("option", "value"), [("IncludeNestedStacks", True), ("DeploymentMode", "REVERT_DRIFT"), ("RoleARN", "a" * 20)]
)
def test_options_that_only_aws_has_are_refused_by_name(
    cloudformation: CloudFormationClient, stack: str, option: str, value: object
) -> None:
    _, message = refusal(lambda: propose(cloudformation, stack, queue(), ChangeSetType="CREATE", **{option: value}))
    assert message == f"CreateChangeSet with {option} is not in Treadle's emulator yet"

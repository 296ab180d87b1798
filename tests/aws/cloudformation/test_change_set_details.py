"""What change sets tell of each change: replacement, scope, reasons and values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.change_sets import changes, execute, outline, propose, reasons_of
from support.dev import Dev
from support.stacks import create, physical_ids, reasons
from support.templates import Json, att, parameters, queue_policy, ref, resource, sub, table_properties, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

DIRECT = ("Static", "DirectModification", None)


def test_what_is_added_modified_replaced_and_removed_is_listed(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    def body(seconds: int, name: str, extra: str) -> str:
        return template(
            {
                "Same": resource("SNS::Topic"),
                "Modified": resource("SQS::Queue", {"VisibilityTimeout": seconds}),
                "Replaced": resource("SQS::Queue", {"QueueName": f"{stack}-{name}"}),
                extra: resource("SNS::Topic"),
            }
        )

    create(cloudformation, stack, body(30, "a", "Removed"))
    ids = physical_ids(cloudformation, stack)
    proposed = propose(cloudformation, stack, body(40, "b", "Added"))
    assert outline(proposed) == {
        "Modified": ("Modify", "False"),
        "Replaced": ("Modify", "True"),
        "Added": ("Add", None),
        "Removed": ("Remove", None),
    }
    found = changes(proposed)
    assert {name: each.get("PhysicalResourceId") for name, each in found.items()} == {
        "Modified": ids["Modified"],
        "Replaced": ids["Replaced"],
        "Added": None,
        "Removed": ids["Removed"],
    }
    assert {name: each.get("PolicyAction") for name, each in found.items()} == {
        "Modified": None,
        "Replaced": "ReplaceAndDelete",
        "Added": None,
        "Removed": "Delete",
    }
    assert found["Modified"]["Scope"] == ["Properties"]
    assert reasons_of(found["Modified"]) == [("VisibilityTimeout", "Never", *DIRECT)]
    assert reasons_of(found["Replaced"]) == [("QueueName", "Always", *DIRECT)]
    assert execute(cloudformation, proposed) == "UPDATE_COMPLETE"


def test_references_to_what_is_replaced_change_dynamically(cloudformation: CloudFormationClient, stack: str) -> None:
    def body(name: str) -> str:
        return template(
            {
                "Queue": resource("SQS::Queue", {"QueueName": f"{stack}-{name}"}),
                "Topic": resource("SNS::Topic"),
                "QueuePolicy": resource(
                    "SQS::QueuePolicy", {"Queues": [ref("Queue")], "PolicyDocument": queue_policy()}
                ),
                "Subscription": resource(
                    "SNS::Subscription",
                    {"TopicArn": ref("Topic"), "Protocol": "sqs", "Endpoint": att("Queue")},
                    DependsOn="QueuePolicy",
                ),
                "Parameter": resource("SSM::Parameter", {"Type": "String", "Value": sub("at ${Queue}")}),
            }
        )

    create(cloudformation, stack, body("old"))
    proposed = propose(cloudformation, stack, body("new"))
    assert outline(proposed) == {
        "Queue": ("Modify", "True"),
        "QueuePolicy": ("Modify", "False"),
        "Subscription": ("Modify", "Conditional"),
        "Parameter": ("Modify", "False"),
    }
    found = changes(proposed)
    assert reasons_of(found["Subscription"]) == [
        ("Endpoint", "Always", "Dynamic", "ResourceAttribute", "Queue.Arn"),
    ]
    assert reasons_of(found["Parameter"]) == [("Value", "Never", "Dynamic", "ResourceReference", "Queue")]
    assert ("Queues", "Never", "Dynamic", "ResourceReference", "Queue") in reasons_of(found["QueuePolicy"])
    assert execute(cloudformation, proposed) == "UPDATE_COMPLETE", reasons(cloudformation, stack)


def test_attributes_of_what_is_modified_may_change_and_references_to_it_do_not(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    def body(seconds: int) -> str:
        return template(
            {
                "Queue": resource("SQS::Queue", {"VisibilityTimeout": seconds}),
                "ByName": resource("SSM::Parameter", {"Type": "String", "Value": ref("Queue")}),
                "ByArn": resource("SSM::Parameter", {"Type": "String", "Value": att("Queue")}),
            }
        )

    create(cloudformation, stack, body(30))
    proposed = propose(cloudformation, stack, body(40))
    assert outline(proposed) == {"Queue": ("Modify", "False"), "ByArn": ("Modify", "False")}
    assert reasons_of(changes(proposed)["ByArn"]) == [
        ("Value", "Never", "Dynamic", "ResourceAttribute", "Queue.Arn"),
    ]


def test_parameters_name_what_they_change(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template(
        {
            "Queue": resource("SQS::Queue", {"VisibilityTimeout": ref("Seconds"), "QueueName": sub("${Name}-q")}),
            "Other": resource("SQS::Queue", {"DelaySeconds": 1}),
        },
        Parameters={"Seconds": {"Type": "Number", "Default": 30}, "Name": {"Type": "String"}},
    )
    create(cloudformation, stack, body, Parameters=parameters(Name=f"{stack}-a"))
    proposed = propose(cloudformation, stack, None, Parameters=parameters(Name=f"{stack}-a", Seconds="40"))
    assert outline(proposed) == {"Queue": ("Modify", "False")}
    assert reasons_of(changes(proposed)["Queue"]) == [
        ("VisibilityTimeout", "Never", "Static", "ParameterReference", "Seconds"),
        ("VisibilityTimeout", "Never", "Dynamic", "DirectModification", None),
    ]
    proposed = propose(cloudformation, stack, None, Parameters=parameters(Name=f"{stack}-b"))
    assert outline(proposed) == {"Queue": ("Modify", "True")}


def test_metadata_tags_and_policies_are_scopes_of_their_own(cloudformation: CloudFormationClient, stack: str) -> None:
    def body(note: str, policy: str, tags: list[Json]) -> str:
        return template(
            {
                "Noted": resource("SNS::Topic", Metadata={"note": note}),
                "Kept": resource("SNS::Topic", DeletionPolicy=policy),
                "Tagged": resource("SNS::Topic", {"Tags": tags}),
            }
        )

    create(cloudformation, stack, body("a", "Delete", []))
    proposed = propose(cloudformation, stack, body("b", "RetainExceptOnCreate", [{"Key": "k", "Value": "v"}]))
    assert {name: each["Scope"] for name, each in changes(proposed).items()} == {
        "Noted": ["Metadata"],
        "Kept": ["DeletionPolicy"],
        "Tagged": ["Tags"],
    }
    assert {each.get("Replacement") for each in changes(proposed).values()} == {"False"}
    assert execute(cloudformation, proposed) == "UPDATE_COMPLETE"
    proposed = propose(
        cloudformation, stack, body("b", "Delete", [{"Key": "k", "Value": "v"}]), Tags=[{"Key": "a", "Value": "b"}]
    )
    assert {name: each["Scope"] for name, each in changes(proposed).items()} == {
        "Noted": ["Tags"],
        "Kept": ["Tags", "DeletionPolicy"],
        "Tagged": ["Tags"],
    }


def test_values_before_and_after_are_told_on_request(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    def body(redrive: int, name: str) -> str:
        return template(
            {
                "Dead": resource("SQS::Queue", {"QueueName": f"{stack}-{name}"}),
                "Queue": resource(
                    "SQS::Queue",
                    {"RedrivePolicy": {"deadLetterTargetArn": att("Dead"), "maxReceiveCount": redrive}},
                ),
            }
        )

    create(cloudformation, stack, body(3, "a"))
    proposed = propose(cloudformation, stack, body(5, "b"))
    assert "BeforeContext" not in changes(proposed)["Queue"]
    told = cloudformation.describe_change_set(ChangeSetName=proposed["ChangeSetId"], IncludePropertyValues=True)
    found = changes(dict(told))
    targets = {each["Target"]["Path"]: each["Target"] for each in found["Queue"]["Details"]}
    count = targets["/Properties/RedrivePolicy/maxReceiveCount"]
    assert (count["BeforeValue"], count["AfterValue"], count["AttributeChangeType"]) == ("3", "5", "Modify")
    arn = targets["/Properties/RedrivePolicy/deadLetterTargetArn"]
    assert (arn["BeforeValue"].endswith("-a"), arn["AfterValue"]) == (True, "{{changeSet:KNOWN_AFTER_APPLY}}")
    assert json.loads(found["Dead"]["BeforeContext"]) == {"Properties": {"QueueName": f"{stack}-a"}}
    assert json.loads(found["Dead"]["AfterContext"]) == {"Properties": {"QueueName": f"{stack}-b"}}


def test_what_a_change_set_calls_replaced_gets_a_new_physical_id(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    def body(name: str, days: int, key: str) -> str:
        keyed = table_properties(
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        )
        return template(
            {
                "Table": resource("DynamoDB::Table", keyed),
                "Logs": resource("Logs::LogGroup", {"LogGroupName": f"{stack}-{name}", "RetentionInDays": days}),
                "Bucket": resource("S3::Bucket", {"BucketName": f"{stack}-{name}"}),
                "Alarm": resource(
                    "CloudWatch::Alarm",
                    {
                        "AlarmName": f"{stack}-same",
                        "Namespace": "N",
                        "MetricName": "M",
                        "Statistic": "Sum",
                        "Period": 60,
                        "EvaluationPeriods": days,
                        "Threshold": 1,
                        "ComparisonOperator": "GreaterThanThreshold",
                    },
                ),
            }
        )

    create(cloudformation, stack, body("a", 1, "id"))
    before = physical_ids(cloudformation, stack)
    proposed = propose(cloudformation, stack, body("b", 3, "key"))
    assert execute(cloudformation, proposed) == "UPDATE_COMPLETE", reasons(cloudformation, stack)
    after = physical_ids(cloudformation, stack)
    replaced = {name for name in before if before[name] != after[name]}
    assert replaced == {name for name, (_, replacement) in outline(proposed).items() if replacement == "True"}
    assert replaced == {"Table", "Logs", "Bucket"}

"""Resources that were changed or deleted behind their stack's back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import refusal, unique
from support.dev import Dev
from support.policies import allow, document, trust
from support.stacks import create, delete, physical_ids, reasons, update
from support.templates import Json, everything, inline_policy, resource, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

Ids = dict[str, str]
WIDER_TRUST = trust(["lambda.amazonaws.com", "scheduler.amazonaws.com", "sns.amazonaws.com"])


@dataclass(frozen=True, slots=True)
class Case:
    """What is done to a resource of `_resources()`, and all differences that it makes: (path, type, was, is).

    In their texts, `$Queue` stands for the physical id of the queue.
    """

    logical_id: str
    change: Callable[[Dev, Ids], object]
    differences: tuple[tuple[str, str, str, str], ...]


def _resources() -> dict[str, Json]:
    """A resource of every type that is checked, with what is changed later."""
    resources = everything()

    def put(logical_id: str, **properties: Any) -> None:
        resources[logical_id]["Properties"].update(properties)

    tags = [{"Key": "team", "Value": "blue"}, {"Key": "cost", "Value": "12"}]
    tagged = ("Logs", "Table", "Bucket", "Queue", "Topic", "Role", "Function", "Mapping", "Rule", "Alarm")
    for logical_id in (*tagged, "Group", "Secret"):
        put(logical_id, Tags=[*tags])
    put("Parameter", Tags={"team": "blue"})
    put("Api", Tags={"team": "blue"}, CorsConfiguration={"AllowOrigins": ["https://a.example"]})
    put("Queue", DelaySeconds=5)
    put("InboxPolicy", PolicyDocument=document(allow("sqs:ReceiveMessage", Principal="*")))
    put(
        "Role",
        Policies=[inline_policy("logs:PutLogEvents", "*"), inline_policy("sqs:*", "*"), inline_policy("sns:*", "*")],
    )
    put("Alias", Description="live one")
    put("Secret", Description="a secret")
    put("Integration", TimeoutInMillis=2000)
    put("Stage", StageVariables={"one": "1"})
    put("Deployment", Description="first")
    put("Schedule", Description="daily")
    put("ManagedPolicy", Description="to list")
    put("Rule", Description="daily")
    return resources


def _aws(service: str, operation: str, **params: Callable[[Ids], Any] | Any) -> Callable[[Dev, Ids], object]:
    """One call; parameters that are functions are given the physical ids."""

    def call(emulator: Dev, ids: Ids) -> object:
        given = {name: value(ids) if callable(value) else value for name, value in params.items()}
        return getattr(emulator.client(service), operation)(**given)

    return call


def _all(*changes: Callable[[Dev, Ids], object]) -> Callable[[Dev, Ids], object]:
    def change(emulator: Dev, ids: Ids) -> None:
        for each in changes:
            each(emulator, ids)

    return change


def _of(logical_id: str, form: str = "{}") -> Callable[[Ids], str]:
    return lambda ids: form.format(ids[logical_id])


ARN = "arn:aws:{}:us-east-1:000000000000:"
RETAGGED = (
    ("/Tags/0/Value", "NOT_EQUAL", "blue", "red"),
    ("/Tags/1", "REMOVE", '{"Key":"cost","Value":"12"}', "null"),
    ("/Tags/2", "ADD", "null", '{"Key":"new","Value":"1"}'),
)
RED = [{"Key": "team", "Value": "red"}, {"Key": "new", "Value": "1"}]
RED_MAP = {"team": "red", "new": "1"}


def _retag(service: str, key: str, value: Callable[[Ids], str], pairs: object = RED) -> Callable[[Dev, Ids], object]:
    """Tags anew by the operations that most services have."""
    return _all(
        _aws(service, "tag_resource", **{key: value, "Tags": pairs}),
        _aws(service, "untag_resource", **{key: value, "TagKeys": ["cost"]}),
    )


CASES = [
    Case(
        "Queue",
        _all(
            _aws(
                "sqs",
                "set_queue_attributes",
                QueueUrl=_of("Queue"),
                Attributes=lambda ids: {
                    "DelaySeconds": "20",
                    "MaximumMessageSize": "2048",
                    "RedrivePolicy": json.dumps(
                        {
                            "deadLetterTargetArn": ARN.format("sqs") + ids["DeadLetters"].rsplit("/", 1)[-1],
                            "maxReceiveCount": 9,
                        }
                    ),
                },
            ),
            _aws("sqs", "tag_queue", QueueUrl=_of("Queue"), Tags=RED_MAP),
            _aws("sqs", "untag_queue", QueueUrl=_of("Queue"), TagKeys=["cost"]),
        ),
        (
            ("/RedrivePolicy/maxReceiveCount", "NOT_EQUAL", "4", "9"),
            ("/DelaySeconds", "NOT_EQUAL", "5", "20"),
            *RETAGGED,
        ),
    ),
    Case(
        "Topic",
        _all(
            _aws(
                "sns",
                "set_topic_attributes",
                TopicArn=_of("Topic"),
                AttributeName="DisplayName",
                AttributeValue="bills",
            ),
            _retag("sns", "ResourceArn", _of("Topic")),
        ),
        (("/DisplayName", "NOT_EQUAL", "orders", "bills"), *RETAGGED),
    ),
    Case(
        "Subscription",
        _aws(
            "sns",
            "set_subscription_attributes",
            SubscriptionArn=_of("Subscription"),
            AttributeName="RawMessageDelivery",
            AttributeValue="false",
        ),
        (("/RawMessageDelivery", "NOT_EQUAL", "true", "false"),),
    ),
    Case(
        "InboxPolicy",
        _aws("sqs", "set_queue_attributes", QueueUrl=_of("InboxPolicy"), Attributes={"Policy": json.dumps(document())}),
        (
            (
                "/PolicyDocument/Statement/0",
                "REMOVE",
                '{"Effect":"Allow","Action":"sqs:ReceiveMessage","Resource":"*","Principal":"*"}',
                "null",
            ),
        ),
    ),
    Case(
        "Table",
        _all(
            _aws(
                "dynamodb",
                "update_time_to_live",
                TableName=_of("Table"),
                TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": False},
            ),
            _retag("dynamodb", "ResourceArn", _of("Table", ARN.format("dynamodb") + "table/{}")),
        ),
        (
            ("/TimeToLiveSpecification/AttributeName", "REMOVE", "ttl", "null"),
            ("/TimeToLiveSpecification/Enabled", "NOT_EQUAL", "true", "false"),
            *RETAGGED,
        ),
    ),
    Case(
        "Logs",
        _all(
            _aws("logs", "put_retention_policy", logGroupName=_of("Logs"), retentionInDays=30),
            _aws("logs", "tag_resource", resourceArn=_of("Logs", ARN.format("logs") + "log-group:{}"), tags=RED_MAP),
            _aws(
                "logs",
                "untag_resource",
                resourceArn=_of("Logs", ARN.format("logs") + "log-group:{}"),
                tagKeys=["cost"],
            ),
        ),
        (("/RetentionInDays", "NOT_EQUAL", "7", "30"), *RETAGGED),
    ),
    Case(
        "Bucket",
        _all(
            _aws("s3", "put_bucket_versioning", Bucket=_of("Bucket"), VersioningConfiguration={"Status": "Suspended"}),
            _aws("s3", "put_bucket_tagging", Bucket=_of("Bucket"), Tagging={"TagSet": RED}),
        ),
        (("/VersioningConfiguration/Status", "NOT_EQUAL", "Enabled", "Suspended"), *RETAGGED),
    ),
    Case(
        "Role",
        _all(
            _aws("iam", "delete_role_policy", RoleName=_of("Role"), PolicyName="sns-all"),
            _aws("iam", "update_assume_role_policy", RoleName=_of("Role"), PolicyDocument=json.dumps(WIDER_TRUST)),
            _aws("iam", "tag_role", RoleName=_of("Role"), Tags=RED),
            _aws("iam", "untag_role", RoleName=_of("Role"), TagKeys=["cost"]),
        ),
        (
            (
                "/AssumeRolePolicyDocument/Statement/0/Principal/Service/2",
                "ADD",
                "null",
                "sns.amazonaws.com",
            ),
            (
                "/Policies/2",
                "REMOVE",
                '{"PolicyName":"sns-all","PolicyDocument":{"Version":"2012-10-17","Statement":'
                '[{"Effect":"Allow","Action":"sns:*","Resource":"*"}]}}',
                "null",
            ),
            *RETAGGED,
        ),
    ),
    Case(
        "RolePolicy",
        _aws(
            "iam",
            "put_role_policy",
            RoleName=_of("Helper"),
            PolicyName="s3-PutObject",
            PolicyDocument=json.dumps(document(allow("s3:PutObjectAcl"))),
        ),
        (("/PolicyDocument/Statement/0/Action", "NOT_EQUAL", "s3:PutObject", "s3:PutObjectAcl"),),
    ),
    Case(
        "ManagedPolicy",
        _all(
            _aws("iam", "detach_role_policy", RoleName=_of("Helper"), PolicyArn=_of("ManagedPolicy")),
            _aws("iam", "attach_role_policy", RoleName=_of("Role"), PolicyArn=_of("ManagedPolicy")),
        ),
        (("/Roles/0", "REMOVE", "$Helper", "null"), ("/Roles/1", "ADD", "null", "$Role")),
    ),
    Case(
        "Function",
        _all(
            _aws(
                "lambda",
                "update_function_configuration",
                FunctionName=_of("Function"),
                Timeout=9,
                Handler="other.handler",
                Environment={"Variables": {"TABLE": "elsewhere", "MORE": "1"}},
            ),
            _retag("lambda", "Resource", _of("Function", ARN.format("lambda") + "function:{}"), RED_MAP),
        ),
        (
            ("/Handler", "NOT_EQUAL", "index.handler", "other.handler"),
            ("/Environment/Variables/TABLE", "NOT_EQUAL", "$Table", "elsewhere"),
            ("/Environment/Variables/MORE", "ADD", "null", "1"),
            *RETAGGED,
        ),
    ),
    Case(
        "Alias",
        _aws("lambda", "update_alias", FunctionName=_of("Function"), Name="live", Description="dead one"),
        (("/Description", "NOT_EQUAL", "live one", "dead one"),),
    ),
    Case(
        "InvokeConfig",
        _aws(
            "lambda",
            "update_function_event_invoke_config",
            FunctionName=_of("Function"),
            Qualifier="live",
            MaximumRetryAttempts=2,
        ),
        (("/MaximumRetryAttempts", "NOT_EQUAL", "1", "2"),),
    ),
    Case(
        "Mapping",
        _aws("lambda", "update_event_source_mapping", UUID=_of("Mapping"), FunctionResponseTypes=[]),
        (("/FunctionResponseTypes/0", "REMOVE", "ReportBatchItemFailures", "null"),),
    ),
    Case(
        "Api",
        _all(
            _aws(
                "apigatewayv2",
                "update_api",
                ApiId=_of("Api"),
                CorsConfiguration={"AllowOrigins": ["https://b.example"]},
            ),
            _aws(
                "apigatewayv2",
                "tag_resource",
                ResourceArn=_of("Api", "arn:aws:apigateway:us-east-1::/apis/{}"),
                Tags=RED_MAP,
            ),
        ),
        (
            ("/CorsConfiguration/AllowOrigins/0", "NOT_EQUAL", "https://a.example", "https://b.example"),
            ("/Tags/team", "NOT_EQUAL", "blue", "red"),
            ("/Tags/new", "ADD", "null", "1"),
        ),
    ),
    Case(
        "Integration",
        _aws(
            "apigatewayv2",
            "update_integration",
            ApiId=_of("Api"),
            IntegrationId=_of("Integration"),
            TimeoutInMillis=3000,
        ),
        (("/TimeoutInMillis", "NOT_EQUAL", "2000", "3000"),),
    ),
    Case(
        "Route",
        _aws("apigatewayv2", "update_route", ApiId=_of("Api"), RouteId=_of("Route"), RouteKey="GET /y"),
        (("/RouteKey", "NOT_EQUAL", "GET /x", "GET /y"),),
    ),
    Case(
        "Stage",
        _aws("apigatewayv2", "update_stage", ApiId=_of("Api"), StageName="$default", StageVariables={"two": "2"}),
        (("/StageVariables/two", "ADD", "null", "2"),),
    ),
    Case(
        "Deployment",
        _aws(
            "apigatewayv2", "update_deployment", ApiId=_of("Api"), DeploymentId=_of("Deployment"), Description="second"
        ),
        (("/Description", "NOT_EQUAL", "first", "second"),),
    ),
    Case(
        "Rule",
        _all(
            _aws("events", "put_rule", Name=_of("Rule"), ScheduleExpression="rate(2 days)", State="DISABLED"),
            _aws("events", "remove_targets", Rule=_of("Rule"), Ids=["f"]),
        ),
        (
            ("/ScheduleExpression", "NOT_EQUAL", "rate(1 day)", "rate(2 days)"),
            ("/Targets/0", "REMOVE", '{"Arn":"$Alias","Id":"f"}', "null"),
            ("/Description", "REMOVE", "daily", "null"),
        ),
    ),
    Case(
        "Schedule",
        _aws(
            "scheduler",
            "update_schedule",
            Name=_of("Schedule"),
            ScheduleExpression="rate(3 days)",
            State="DISABLED",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=lambda ids: {
                "Arn": ARN.format("lambda") + f"function:{ids['Function']}:live",
                "RoleArn": f"arn:aws:iam::000000000000:role/{ids['Role']}",
            },
        ),
        (
            ("/ScheduleExpression", "NOT_EQUAL", "rate(1 day)", "rate(3 days)"),
            ("/Description", "REMOVE", "daily", "null"),
        ),
    ),
    Case(
        "Group",
        _retag("scheduler", "ResourceArn", _of("Group", ARN.format("scheduler") + "schedule-group/{}")),
        RETAGGED,
    ),
    Case(
        "Parameter",
        _all(
            _aws("ssm", "put_parameter", Name=_of("Parameter"), Value="other", Overwrite=True),
            _aws(
                "ssm",
                "add_tags_to_resource",
                ResourceType="Parameter",
                ResourceId=_of("Parameter"),
                Tags=[{"Key": "team", "Value": "red"}],
            ),
        ),
        (("/Value", "NOT_EQUAL", "$Topic", "other"), ("/Tags/team", "NOT_EQUAL", "blue", "red")),
    ),
    Case(
        "Secret",
        _all(
            _aws("secretsmanager", "update_secret", SecretId=_of("Secret"), Description="no secret"),
            _retag("secretsmanager", "SecretId", _of("Secret")),
        ),
        (("/Description", "NOT_EQUAL", "a secret", "no secret"), *RETAGGED),
    ),
]


@pytest.fixture(scope="module")
def made(emulator: Dev) -> Iterator[tuple[str, Ids]]:
    """A stack of `_resources()`, and its physical ids; no test leaves it as it was."""
    cloudformation = cast("CloudFormationClient", emulator.client("cloudformation"))
    name = unique("drift")
    assert create(cloudformation, name, template(_resources())) == "CREATE_COMPLETE", reasons(cloudformation, name)
    yield name, physical_ids(cloudformation, name)
    delete(cloudformation, name)


def test_what_was_not_touched_is_in_sync(cloudformation: CloudFormationClient, made: tuple[str, Ids]) -> None:
    name, _ = made
    before = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert before.get("DriftInformation", {}) == {"StackDriftStatus": "NOT_CHECKED"}
    detection = cloudformation.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    found = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    drifts = cloudformation.describe_stack_resource_drifts(StackName=name)["StackResourceDrifts"]
    assert {each["LogicalResourceId"]: each.get("PropertyDifferences") for each in drifts} == {
        logical_id: [] for logical_id in _resources() if logical_id not in ("QueuePolicy", "TopicPolicy", "Policy")
    }
    assert found["DetectionStatus"] == "DETECTION_COMPLETE"
    assert (found.get("StackDriftStatus"), found.get("DriftedStackResourceCount")) == ("IN_SYNC", 0)
    after = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert after.get("DriftInformation", {}).get("StackDriftStatus") == "IN_SYNC"
    detail = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Queue")["StackResourceDetail"]
    assert detail.get("DriftInformation", {}).get("StackResourceDriftStatus") == "IN_SYNC"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.logical_id)
def test_each_change_is_found_and_nothing_else(
    emulator: Dev, cloudformation: CloudFormationClient, made: tuple[str, Ids], case: Case
) -> None:
    name, ids = made
    case.change(emulator, ids)
    drift = cloudformation.detect_stack_resource_drift(StackName=name, LogicalResourceId=case.logical_id)
    told = drift["StackResourceDrift"]
    assert told["StackResourceDriftStatus"] == "MODIFIED"
    assert [
        (each["PropertyPath"], each["DifferenceType"], each["ExpectedValue"], each["ActualValue"])
        for each in told.get("PropertyDifferences", [])
    ] == [tuple(Template(text).substitute(ids) for text in each) for each in case.differences]


def test_a_check_of_the_whole_stack_counts_what_has_drifted(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    resources = {
        "A": resource("SQS::Queue", {"DelaySeconds": 1}),
        "B": resource("SQS::Queue"),
        "C": resource("SNS::Topic"),
    }
    create(cloudformation, stack, template(resources))
    ids, sqs = physical_ids(cloudformation, stack), emulator.client("sqs")
    sqs.set_queue_attributes(QueueUrl=ids["A"], Attributes={"DelaySeconds": "2"})
    sqs.set_queue_attributes(QueueUrl=ids["B"], Attributes={"DelaySeconds": "2"})  # which the stack does not set
    sqs.tag_queue(QueueUrl=ids["B"], Tags={"team": "red"})
    emulator.client("sns").delete_topic(TopicArn=ids["C"])
    detection = cloudformation.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    found = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    assert (found.get("StackDriftStatus"), found.get("DriftedStackResourceCount")) == ("DRIFTED", 2)
    assert _statuses(cloudformation, stack) == {"A": "MODIFIED", "B": "IN_SYNC", "C": "DELETED"}
    only = cloudformation.describe_stack_resource_drifts(
        StackName=stack, StackResourceDriftStatusFilters=["DELETED"], MaxResults=1
    )["StackResourceDrifts"]
    assert [(each["LogicalResourceId"], "ActualProperties" in each) for each in only] == [("C", False)]
    summaries = cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
    assert {
        each["LogicalResourceId"]: each.get("DriftInformation", {}).get("StackResourceDriftStatus")
        for each in summaries
    } == {"A": "MODIFIED", "B": "IN_SYNC", "C": "DELETED"}


def test_a_check_of_one_resource_counts_for_its_stack(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    create(
        cloudformation, stack, template({"A": resource("SQS::Queue", {"DelaySeconds": 1}), "B": resource("SQS::Queue")})
    )
    url = physical_ids(cloudformation, stack)["A"]
    emulator.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "2"})
    cloudformation.detect_stack_resource_drift(StackName=stack, LogicalResourceId="A")
    assert _stack_status(cloudformation, stack) == "DRIFTED"
    emulator.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "1"})
    cloudformation.detect_stack_drift(StackName=stack, LogicalResourceIds=["A"])
    assert (_stack_status(cloudformation, stack), _statuses(cloudformation, stack)) == ("IN_SYNC", {"A": "IN_SYNC"})


def test_an_update_repairs_what_it_changes(emulator: Dev, cloudformation: CloudFormationClient, stack: str) -> None:
    create(cloudformation, stack, template({"A": resource("SQS::Queue", {"DelaySeconds": 1})}))
    url = physical_ids(cloudformation, stack)["A"]
    emulator.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "2"})
    update(cloudformation, stack, template({"A": resource("SQS::Queue", {"DelaySeconds": 3})}))
    cloudformation.detect_stack_drift(StackName=stack)
    assert _statuses(cloudformation, stack) == {"A": "IN_SYNC"}


def test_what_cannot_be_checked_is_refused(cloudformation: CloudFormationClient, stack: str) -> None:
    resources = everything()
    create(cloudformation, stack, template({name: resources[name] for name in ("Topic", "TopicPolicy")}))
    code, message = refusal(
        lambda: cloudformation.detect_stack_resource_drift(StackName=stack, LogicalResourceId="TopicPolicy")
    )
    assert (code, "AWS::SNS::TopicPolicy" in message) == ("ValidationError", True)
    for call in (
        lambda: cloudformation.detect_stack_drift(StackName="none"),
        lambda: cloudformation.describe_stack_resource_drifts(StackName="none"),
        lambda: cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId="none"),
        lambda: cloudformation.detect_stack_resource_drift(StackName=stack, LogicalResourceId="None"),
    ):
        code, message = refusal(call)
        assert (code, "does not exist" in message) == ("ValidationError", True)
    create(cloudformation, f"{stack}-failing", template({"Q": resource("SQS::Queue", {"Nonsense": 1})}))
    _, message = refusal(lambda: cloudformation.detect_stack_drift(StackName=f"{stack}-failing"))
    assert "is in ROLLBACK_COMPLETE state" in message
    delete(cloudformation, f"{stack}-failing")


def _statuses(cloudformation: CloudFormationClient, name: str) -> dict[str, str]:
    drifts = cloudformation.describe_stack_resource_drifts(StackName=name)["StackResourceDrifts"]
    return {each["LogicalResourceId"]: each["StackResourceDriftStatus"] for each in drifts}


def _stack_status(cloudformation: CloudFormationClient, name: str) -> str | None:
    described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return described.get("DriftInformation", {}).get("StackDriftStatus")

"""What CloudFormation allows at most, and what it asks for: at the limit, and one beyond it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import refusal
from support.change_sets import propose
from support.dev import Dev
from support.stacks import create, delete, physical_ids, reasons, statuses, update
from support.templates import Json, everything, parameters, ref, resource, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

TOPIC = {"Topic": resource("SNS::Topic")}


def padded(size: int) -> str:
    """A valid template of exactly that many bytes."""
    bare = template(TOPIC, Metadata={"pad": ""})
    return template(TOPIC, Metadata={"pad": "x" * (size - len(bare))})


def validate(cloudformation: CloudFormationClient, body: str) -> Any:
    return cloudformation.validate_template(TemplateBody=body)


# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
def of_size(what: str, size: int) -> str:
    match what:
        case "body":
            return padded(size)
        case "resources":
            return template({f"Topic{index}": resource("SNS::Topic") for index in range(size)})
        case "parameters":
            return template(TOPIC, Parameters={f"P{index}": {"Type": "String"} for index in range(size)})
        case "outputs":
            return template(TOPIC, Outputs={f"O{index}": {"Value": "x"} for index in range(size)})
        case "mappings":
            return template(TOPIC, Mappings={f"M{index}": {"a": {"b": "c"}} for index in range(size)})
        case "logical id":
            return template({"T" * size: resource("SNS::Topic")})
        case "parameter name":
            return template(TOPIC, Parameters={"P" * size: {"Type": "String"}})
        case "description":
            return template(TOPIC, Description="d" * size)
        case _:
            raise ValueError(what)


@pytest.mark.parametrize(
    ("what", "limit", "message"),
    [
        ("body", 51_200, "at 'templateBody' failed to satisfy constraint: Member must have length less than or equal"),
        ("resources", 500, "Template format error: Number of resources, 501, is greater than maximum allowed, 500"),
        ("parameters", 200, "Template format error: Number of parameters, 201, is greater than maximum allowed, 200"),
        ("outputs", 200, "Template format error: Number of outputs, 201, is greater than maximum allowed, 200"),
        ("mappings", 200, "Template format error: Number of mappings, 201, is greater than maximum allowed, 200"),
        ("logical id", 255, "Template format error: Resource name TTT"),
        ("parameter name", 255, "Template format error: Parameter name PPP"),
        ("description", 1024, "Template format error: 'Description' length is greater than 1024."),
    ],
)
def test_a_template_is_taken_at_its_limit_and_refused_beyond_it(
    cloudformation: CloudFormationClient, what: str, limit: int, message: str
) -> None:
    validate(cloudformation, of_size(what, limit))
    code, found = refusal(validate, cloudformation, of_size(what, limit + 1))
    assert (code, message in found) == ("ValidationError", True), found


def test_a_template_in_a_bucket_may_be_larger(emulator: Dev, cloudformation: CloudFormationClient, stack: str) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=stack)
    url = f"https://{stack}.s3.us-east-1.amazonaws.com/template.json"
    for size, refused in ((51_201, False), (1_000_000, False), (1_000_001, True)):
        s3.put_object(Bucket=stack, Key="template.json", Body=padded(size).encode())
        if refused:
            assert refusal(lambda: cloudformation.validate_template(TemplateURL=url))[0] == "ValidationError"
        else:
            cloudformation.validate_template(TemplateURL=url)
    s3.delete_object(Bucket=stack, Key="template.json")
    s3.delete_bucket(Bucket=stack)


def test_a_parameter_has_at_most_4096_bytes(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template(
        {"Parameter": resource("SSM::Parameter", {"Type": "String", "Value": "x"})},
        Parameters={"P": {"Type": "String"}},
    )
    assert create(cloudformation, stack, body, Parameters=parameters(P="x" * 4096)) == "CREATE_COMPLETE"
    assert refusal(update, cloudformation, stack, body, Parameters=parameters(P="x" * 4097))[0] == "ValidationError"


def test_parameters_that_are_missing_or_unknown_are_named(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template(TOPIC, Parameters={"A": {"Type": "String"}, "B": {"Type": "String"}})
    missing = ("ValidationError", "Parameters: [A, B] must have values")
    assert refusal(create, cloudformation, stack, body) == missing
    assert refusal(propose, cloudformation, stack, body, ChangeSetType="CREATE") == missing
    given, unknown = parameters(C="1"), ("ValidationError", "Parameters: [C] do not exist in the template")
    assert refusal(create, cloudformation, stack, template(TOPIC), Parameters=given) == unknown
    proposing = {"ChangeSetType": "CREATE", "Parameters": given}
    assert refusal(propose, cloudformation, stack, template(TOPIC), **proposing) == unknown
    assert statuses(cloudformation, stack) == []


@pytest.mark.parametrize("operation", ["create_stack", "update_stack", "create_change_set"])
def test_roles_need_their_capability_in_every_operation(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str, operation: str
) -> None:
    role = resource("IAM::Role", {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}})
    create(cloudformation, stack, template(TOPIC))
    more = {"ChangeSetName": "c"} if operation == "create_change_set" else {}
    call = getattr(emulator.client("cloudformation"), operation)
    name = f"{stack}-new" if operation == "create_stack" else stack
    assert refusal(call, StackName=name, TemplateBody=template({"Role": role}), **more) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_IAM]",
    )


def test_a_token_is_in_every_event_and_must_be_well_formed(cloudformation: CloudFormationClient, stack: str) -> None:
    create(cloudformation, stack, template(TOPIC), ClientRequestToken="one")
    update(cloudformation, stack, template({**TOPIC, "More": TOPIC["Topic"]}), ClientRequestToken="two")
    stack_id = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("StackId", "")
    cloudformation.delete_stack(StackName=stack, ClientRequestToken="three")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig={"Delay": 1})
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    assert list(dict.fromkeys(each.get("ClientRequestToken") for each in reversed(events))) == ["one", "two", "three"]
    _, message = refusal(create, cloudformation, stack, template(TOPIC), ClientRequestToken="no good")
    assert message.endswith("Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*")


def test_what_no_echo_hides_is_shown_nowhere(emulator: Dev, cloudformation: CloudFormationClient, stack: str) -> None:
    secret, other = "hunter-2-secret", "hunter-3-secret"
    body = template(
        {
            "Parameter": resource(
                "SSM::Parameter", {"Type": "String", "Value": {"Fn::Sub": "is ${Hidden}"}, "Description": ref("Shown")}
            )
        },
        Parameters={"Hidden": {"Type": "String", "NoEcho": True}, "Shown": {"Type": "String"}},
    )
    create(cloudformation, stack, body, Parameters=parameters(Hidden=secret, Shown="plain"))
    proposed = propose(cloudformation, stack, None, Parameters=parameters(Hidden=other, Shown="other"))
    told = [
        cloudformation.describe_stacks(StackName=stack),
        cloudformation.describe_stack_events(StackName=stack),
        cloudformation.describe_events(StackName=stack),
        cloudformation.describe_change_set(ChangeSetName=proposed["ChangeSetId"], IncludePropertyValues=True),
    ]
    text = json.dumps(told, default=str)
    assert secret not in text
    assert other not in text
    assert "is ****" in text
    shown = {each["ParameterKey"]: each["ParameterValue"] for each in proposed["Parameters"]}
    assert shown == {"Hidden": "****", "Shown": "other"}
    name = physical_ids(cloudformation, stack)["Parameter"]
    assert emulator.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == f"is {secret}"


def test_the_tags_of_a_stack_reach_all_that_has_tags(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    create(cloudformation, stack, template(everything()), Tags=[{"Key": "team", "Value": "blue"}])
    ids = physical_ids(cloudformation, stack)
    assert ids, reasons(cloudformation, stack)
    missing = [name for name, tags in _tags(emulator, ids).items() if tags.get("team") != "blue"]
    assert missing == []
    delete(cloudformation, stack)


def _tags(emulator: Dev, ids: dict[str, str]) -> dict[str, dict[str, str]]:
    """The tags of each resource whose type has tags, as its service tells them."""
    client = emulator.client
    arn = "arn:aws:{}:us-east-1:000000000000:{}"
    api = f"arn:aws:apigateway:us-east-1::/apis/{ids['Api']}"
    table = client("dynamodb").describe_table(TableName=ids["Table"])["Table"]["TableArn"]
    alarm = arn.format("cloudwatch", f"alarm:{ids['Alarm']}")
    rule = arn.format("events", f"rule/{ids['Rule']}")
    function = arn.format("lambda", f"function:{ids['Function']}")
    mapping = arn.format("lambda", f"event-source-mapping:{ids['Mapping']}")
    group = arn.format("scheduler", f"schedule-group/{ids['Group']}")
    logs = arn.format("logs", f"log-group:{ids['Logs']}")
    found: dict[str, Any] = {
        "Queue": client("sqs").list_queue_tags(QueueUrl=ids["Queue"])["Tags"],
        "Topic": client("sns").list_tags_for_resource(ResourceArn=ids["Topic"])["Tags"],
        "Role": client("iam").list_role_tags(RoleName=ids["Role"])["Tags"],
        "Table": client("dynamodb").list_tags_of_resource(ResourceArn=table)["Tags"],
        "Bucket": client("s3").get_bucket_tagging(Bucket=ids["Bucket"])["TagSet"],
        "Function": client("lambda").list_tags(Resource=function)["Tags"],
        "Mapping": client("lambda").list_tags(Resource=mapping)["Tags"],
        "Api": client("apigatewayv2").get_tags(ResourceArn=api)["Tags"],
        "Stage": client("apigatewayv2").get_stage(ApiId=ids["Api"], StageName="$default")["Tags"],
        "Logs": client("logs").list_tags_for_resource(resourceArn=logs)["tags"],
        "Rule": client("events").list_tags_for_resource(ResourceARN=rule)["Tags"],
        "Group": client("scheduler").list_tags_for_resource(ResourceArn=group)["Tags"],
        "Alarm": client("cloudwatch").list_tags_for_resource(ResourceARN=alarm)["Tags"],
        "Secret": client("secretsmanager").describe_secret(SecretId=ids["Secret"])["Tags"],
        "Parameter": client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=ids["Parameter"])[
            "TagList"
        ],
    }
    return {name: _as_map(tags) for name, tags in found.items()}


def _as_map(tags: Any) -> dict[str, str]:
    if isinstance(tags, dict):
        return cast("dict[str, str]", tags)
    return {each["Key"]: each["Value"] for each in cast("list[Json]", tags)}

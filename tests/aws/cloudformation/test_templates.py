"""Templates and parameters: what they come to, and what is refused before anything is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import ACCOUNT, refusal
from support.dev import Dev
from support.stacks import create, outputs, physical_ids, reasons, settled, statuses
from support.templates import LAMBDA_TRUST, Json, att, parameters, ref, resource, sub, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "Template format error: JSON not well-formed. (line 1, column 2)"),
        ("[]", "Template format error: unsupported structure."),
        ("[" * 5_000, "Template format error: the template is nested too deeply."),
        (
            '{"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": ' + '{"a": ' * 800 + "1" + "}" * 803,
            "Template format error: the template is nested too deeply.",
        ),
        ('{"Resources": {}}', "Template format error: At least one Resources member must be defined."),
        (
            template(
                {"A": resource("SQS::Queue", DependsOn="B"), "B": resource("SNS::Topic", {"DisplayName": att("A")})}
            ),
            "Circular dependency between resources: [A, B]",
        ),
        (
            template({"Q": resource("Foo::Bar")}),
            "Template format error: Unrecognized resource types: [AWS::Foo::Bar] (at /Resources/Q/Type)",
        ),
        (
            template({"Q": resource("SQS::Queue")}, Extra={}),
            "Template format error: Invalid template property or properties [Extra]",
        ),
        (
            template({"Q": resource("SQS::Queue", Extra=1)}),
            "Invalid template resource property 'Extra' (at /Resources/Q/Extra)",
        ),
        (
            template({"Q": resource("SQS::Queue", {"QueueName": ref("Missing")})}),
            "Template format error: Unresolved resource dependencies [Missing] in the Resources block of the template",
        ),
        (
            template({"Q": resource("SQS::Queue")}, Outputs={"O": {"Value": ref("Missing")}}),
            "Template format error: Unresolved resource dependencies [Missing] in the Outputs block of the template",
        ),
        (
            template({"Q": resource("SQS::Queue")}, Outputs={"O": {"Value": att("Q", "Colour")}}),
            "Template error: resource Q does not support attribute type Colour in Fn::GetAtt "
            "(Requested attribute Colour does not exist in schema for AWS::SQS::Queue)",
        ),
        (
            template({"Q": resource("SQS::Queue", {"QueueName": sub("${Missing.Arn}")})}),
            "Template error: instance of Fn::GetAtt references undefined resource Missing",
        ),
        (
            template({"no-good": resource("SQS::Queue")}),
            "Template format error: Resource name no-good is non alphanumeric.",
        ),
        (
            template({f"Q{index}": resource("SQS::Queue") for index in range(501)}),
            "Template format error: Number of resources, 501, is greater than maximum allowed, 500",
        ),
        (
            template({"Q": resource("SQS::Queue", {"QueueName": {"Fn::Cidr": ["a", 1, 2]}})}),
            "Fn::Cidr (at /Resources/Q/Properties/QueueName) is not in Treadle's emulator yet",
        ),
        (
            template({"Q": resource("SQS::Queue")}, Transform="AWS::Serverless-2016-10-31"),
            "The transform AWS::Serverless-2016-10-31 (at /Transform) is not in Treadle's emulator yet",
        ),
        (
            template({"Q": resource("SQS::Queue")}, Parameters={"P": {"Type": "AWS::SSM::Parameter::Value<String>"}}),
            "The parameter type AWS::SSM::Parameter::Value<String> (at /Parameters/P/Type) "
            "is not in Treadle's emulator yet",
        ),
        (
            template({"Q": resource("SQS::Queue", {"QueueName": {"Fn::ToJsonString": {}}})}),
            "Template error: Fn::ToJsonString at /Resources/Q/Properties/QueueName "
            "needs the transform AWS::LanguageExtensions",
        ),
        (
            template({"Q": resource("SQS::Queue", {"QueueName": "{{resolve:ssm:name}}"})}),
            "The dynamic reference at /Resources/Q/Properties/QueueName is not in Treadle's emulator yet",
        ),
    ],
    ids=[
        "malformed JSON",
        "no object",
        "deep YAML",
        "deep JSON",
        "no resources",
        "circle",
        "unknown type",
        "unknown section",
        "unknown attribute of a resource",
        "unresolved reference",
        "unresolved reference in an output",
        "unknown attribute in GetAtt",
        "GetAtt of nothing",
        "name of a resource",
        "too many resources",
        "function of AWS only",
        "transform",
        "parameter type of AWS only",
        "function that needs a transform",
        "dynamic reference",
    ],
)
def test_what_aws_refuses_before_it_begins_is_refused_in_its_words(
    cloudformation: CloudFormationClient, stack: str, body: str, message: str
) -> None:
    assert refusal(lambda: cloudformation.create_stack(StackName=stack, TemplateBody=body)) == (
        "ValidationError",
        message,
    )
    assert statuses(cloudformation, stack) == []


def test_a_body_over_the_inline_limit_is_taken_from_s3_only(
    emulator: Dev, cloudformation: CloudFormationClient, stack: str
) -> None:
    body = template({"Topic": resource("SNS::Topic", Metadata={"filler": "x" * 51_200})})
    _, message = refusal(lambda: cloudformation.create_stack(StackName=stack, TemplateBody=body))
    assert "Member must have length less than or equal to 51200" in message
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=stack)
    s3.put_object(Bucket=stack, Key="a/template.json", Body=body.encode())
    url = f"https://{stack}.s3.us-east-1.amazonaws.com/a/template.json"
    cloudformation.create_stack(StackName=stack, TemplateURL=url)
    assert settled(cloudformation, stack) == "CREATE_COMPLETE"
    _, message = refusal(lambda: cloudformation.validate_template(TemplateURL=f"{emulator.endpoint}/{stack}/none.json"))
    assert message.startswith("S3 error:")
    s3.delete_object(Bucket=stack, Key="a/template.json")
    s3.delete_bucket(Bucket=stack)


def test_functions_conditions_and_mappings_come_to_their_values(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    expressions: dict[str, tuple[Any, str]] = {
        "Join": ({"Fn::Join": ["-", ["a", ref("Word"), 1, True]]}, "a-word-1-true"),
        "Select": ({"Fn::Select": ["1", ref("List")]}, "y"),
        "Split": ({"Fn::Select": [2, {"Fn::Split": [":", "a:b:c"]}]}, "c"),
        "Sub": (
            sub("${Word}/${AWS::Region}/${!Literal}/${Topic.TopicName}"),
            f"word/us-east-1/${{Literal}}/{stack}-t",
        ),
        "SubMap": ({"Fn::Sub": ["${a}-${Word}", {"a": {"Fn::Join": ["", ["1", "2"]]}}]}, "12-word"),
        "Map": ({"Fn::FindInMap": ["Sizes", ref("Word"), "small"]}, "7"),
        "If": ({"Fn::If": ["Is", "yes", ref("AWS::NoValue")]}, "yes"),
        "IfNot": ({"Fn::If": ["IsNot", "yes", "no"]}, "no"),
        "Base64": ({"Fn::Base64": "abc"}, "YWJj"),
        "Json": (
            {"Fn::ToJsonString": {"a": ref("Word"), "b": {"Fn::If": ["Is", ref("AWS::NoValue"), 1]}}},
            '{"a":"word"}',
        ),
        "Length": ({"Fn::Length": ref("List")}, "3"),
        "Account": (ref("AWS::AccountId"), ACCOUNT),
        "Stack": (ref("AWS::StackName"), stack),
    }
    body = template(
        {
            "Topic": resource("SNS::Topic", {"TopicName": sub("${AWS::StackName}-t")}),
            "Never": resource("SQS::Queue", Condition="IsNot"),
        },
        Transform="AWS::LanguageExtensions",
        Parameters={
            "Word": {"Type": "String", "Default": "word"},
            "List": {"Type": "CommaDelimitedList", "Default": "x, y,z"},
        },
        Mappings={"Sizes": {"word": {"small": 7}}},
        Conditions={
            "Is": {"Fn::And": [{"Fn::Equals": [ref("Word"), "word"]}, {"Fn::Not": [{"Condition": "IsNot"}]}]},
            "IsNot": {"Fn::Or": [{"Fn::Equals": [ref("Word"), "other"]}, {"Fn::Equals": [1, 2]}]},
        },
        Outputs={
            **{name: {"Value": expression} for name, (expression, _) in expressions.items()},
            "Never": {"Value": "x", "Condition": "IsNot"},
        },
    )
    assert create(cloudformation, stack, body) == "CREATE_COMPLETE", reasons(cloudformation, stack)
    assert outputs(cloudformation, stack) == {name: value for name, (_, value) in expressions.items()}
    assert list(physical_ids(cloudformation, stack)) == ["Topic"]


def test_yaml_is_read_with_its_short_forms(cloudformation: CloudFormationClient, stack: str) -> None:
    body = """
AWSTemplateFormatVersion: 2010-09-09
Conditions:
  Always: !Equals [a, a]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${AWS::StackName}-q"
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: !If [Always, !GetAtt Queue.QueueName, !Ref AWS::NoValue]
Outputs:
  Joined:
    Value: !Join ["/", [!Select [0, !Split [",", "a,b"]], !Ref Queue]]
"""
    assert create(cloudformation, stack, body) == "CREATE_COMPLETE", reasons(cloudformation, stack)
    assert outputs(cloudformation, stack)["Joined"].startswith("a/http")
    _, message = refusal(lambda: cloudformation.validate_template(TemplateBody="Resources: ["))
    assert message.startswith("Template format error: YAML not well-formed.")


@pytest.mark.parametrize(
    ("declaration", "given_value", "message"),
    [
        ({"Type": "String"}, None, "Parameters: [P] must have values"),
        ({"Type": "Number"}, "x", "Parameter 'P' must be a number"),
        ({"Type": "Number", "MinValue": 3}, "2", "Parameter 'P' must be a number not less than 3"),
        ({"Type": "Number", "MaxValue": 3}, "4", "Parameter 'P' must be a number not greater than 3"),
        ({"Type": "List<Number>"}, "1,b", "Parameter 'P' must be a number"),
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues [a, b]"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "a1", "Parameter 'P' must match pattern [a-z]+"),
        ({"Type": "String", "MinLength": "2"}, "a", "Parameter 'P' must contain at least 2 characters"),
        ({"Type": "String", "MaxLength": 2}, "abc", "Parameter 'P' must contain at most 2 characters"),
        (
            {"Type": "String", "AllowedPattern": "[a-z]", "ConstraintDescription": "one letter"},
            "1",
            "Parameter P failed to satisfy constraint: one letter",
        ),
    ],
)
def test_parameters_are_held_to_their_declaration(
    cloudformation: CloudFormationClient, stack: str, declaration: Json, given_value: str | None, message: str
) -> None:
    body = template({"Topic": resource("SNS::Topic")}, Parameters={"P": declaration})
    given_ones = [] if given_value is None else parameters(P=given_value)
    _, said = refusal(lambda: create(cloudformation, stack, body, Parameters=given_ones))
    assert said == message


def test_unknown_parameters_are_refused_and_secret_ones_hidden(
    cloudformation: CloudFormationClient, stack: str
) -> None:
    body = template({"Topic": resource("SNS::Topic")}, Parameters={"P": {"Type": "String", "NoEcho": True}})
    _, message = refusal(lambda: create(cloudformation, stack, body, Parameters=parameters(P="x", Q="y")))
    assert message == "Parameters: [Q] do not exist in the template"
    create(cloudformation, stack, body, Parameters=parameters(P="secret"))
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Parameters")
    assert described == [{"ParameterKey": "P", "ParameterValue": "****"}]


def test_a_template_can_be_validated_summarised_and_read_back(cloudformation: CloudFormationClient, stack: str) -> None:
    body = template(
        {
            "Role": resource("IAM::Role", {"RoleName": f"{stack}-r", "AssumeRolePolicyDocument": LAMBDA_TRUST}),
            "Topic": resource("SNS::Topic"),
        },
        Description="what it is",
        Parameters={"P": {"Type": "String", "Default": "d", "AllowedValues": ["d", "e"], "Description": "why"}},
    )
    validated = cloudformation.validate_template(TemplateBody=body)
    assert validated.get("Capabilities") == ["CAPABILITY_NAMED_IAM"]
    assert validated.get("Parameters") == [
        {"ParameterKey": "P", "DefaultValue": "d", "NoEcho": False, "Description": "why"}
    ]
    summary = cloudformation.get_template_summary(TemplateBody=body)
    assert summary.get("ResourceTypes") == ["AWS::IAM::Role", "AWS::SNS::Topic"]
    assert summary.get("Parameters", [{}])[0].get("ParameterConstraints") == {"AllowedValues": ["d", "e"]}
    create(cloudformation, stack, body)
    assert cloudformation.get_template(StackName=stack)["TemplateBody"] == json.loads(body)
    assert cloudformation.get_template_summary(StackName=stack).get("Description") == "what it is"

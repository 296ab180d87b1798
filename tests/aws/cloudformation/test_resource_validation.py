"""Properties, types and attributes that are not as AWS publishes them; cfn-lint is the judge."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from cfnlint.api import lint_all  # type: ignore[import-untyped]  # pyright: ignore[reportUnknownVariableType]
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from support.aws import refusal, unique
from support.dev import Dev
from support.stacks import create, reasons, statuses
from support.templates import Json, att, everything, resource, table_properties, template
from treadle_local.cloudformation.properties import Flag, ListOf, MapOf, Number, Record, Shape, Text, Whole
from treadle_local.cloudformation.providers.registry import PROVIDERS

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

FAILED = "Properties validation failed for resource R with message:"
LAMBDA = {"Role": "arn:aws:iam::000000000000:role/r", "Handler": "a.b", "Runtime": "python3.13"}


WRONG: list[tuple[str, Json, list[str]]] = [
    ("SQS::Queue", {"Colour": "red"}, ["#: extraneous key [Colour] is not permitted"]),
    ("SQS::Queue", {"Arn": "a"}, ["#: extraneous key [Arn] is not permitted"]),
    (
        "SQS::Queue",
        {"RedrivePolicy": {"deadLetterTargetArn": ["a"], "maxReceiveCount": "many", "more": 1}},
        [
            "#/RedrivePolicy/deadLetterTargetArn: expected type: String, found: JSONArray",
            "#/RedrivePolicy/maxReceiveCount: expected type: Integer, found: String",
            "#/RedrivePolicy: extraneous key [more] is not permitted",
        ],
    ),
    (
        "SQS::Queue",
        {"DelaySeconds": 901, "VisibilityTimeout": -1, "FifoQueue": "perhaps", "Tags": {}},
        [
            "#/DelaySeconds: 901 is not less or equal to 900",
            "#/VisibilityTimeout: -1 is not greater or equal to 0",
            "#/FifoQueue: expected type: Boolean, found: String",
            "#/Tags: expected type: JSONArray, found: JSONObject",
        ],
    ),
    ("SQS::QueuePolicy", {"Queues": []}, ["#: required key [PolicyDocument] not found"]),
    (
        "DynamoDB::Table",
        table_properties(BillingMode="FREE", KeySchema=[]),
        [
            "#/BillingMode: FREE is not a valid enum value (one of PAY_PER_REQUEST, PROVISIONED)",
            "#/KeySchema: expected minimum item count: 1, found: 0",
        ],
    ),
    (
        "Lambda::Function",
        {**LAMBDA, "Code": {"ImageUri": "x"}, "Environment": {"Variables": {"1": "2"}}},
        [
            "#/Code/ImageUri: the property ImageUri is not in Treadle's emulator yet",
            "#/Environment/Variables: extraneous key [1] is not permitted",
        ],
    ),
    (
        "Lambda::Function",
        {**LAMBDA, "Role": "no arn", "Code": {"ZipFile": "1"}, "Architectures": ["arm64", "arm64"]},
        [
            "#/Role: string [no arn] does not match pattern ^arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:"
            "role/?[a-zA-Z_0-9+=,.@\\-_/]+$",
            "#/Architectures: expected maximum item count: 1, found: 2",
            "#/Architectures: array items are not unique",
        ],
    ),
    (
        "Logs::LogGroup",
        {"RetentionInDays": 2, "LogGroupName": "x" * 513},
        [
            "#/RetentionInDays: 2 is not a valid enum value",
            "#/LogGroupName: expected maxLength: 512, actual: 513",
        ],
    ),
    (
        "IAM::Policy",
        {"PolicyName": "p", "PolicyDocument": {}},
        ["#: no subschema matched: required is one of [Users, Groups, Roles]"],
    ),
    (
        "Events::Rule",
        {"ScheduleExpression": "rate(1 day)", "Targets": [{"Arn": "a", "Id": "b", "SqsParameters": {}}]},
        ["#/Targets/0/SqsParameters: the property SqsParameters is not in Treadle's emulator yet"],
    ),
]


@pytest.mark.parametrize(
    ("kind", "properties", "problems"), WRONG, ids=lambda value: value if isinstance(value, str) else ""
)
def test_all_that_is_wrong_with_a_resource_is_told_at_once(
    cloudformation: CloudFormationClient, stack: str, kind: str, properties: Json, problems: list[str]
) -> None:
    assert create(cloudformation, stack, template({"R": resource(kind, properties)})) == "ROLLBACK_COMPLETE"
    assert reasons(cloudformation, stack)["R"].splitlines() == [FAILED, *problems]


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (
            {"R": resource("EC2::Instance"), "S": resource("SQS::Queue")},
            "The resource type AWS::EC2::Instance (at /Resources/R/Type) is not in Treadle's emulator yet",
        ),
        (
            {"R": resource("EC2::Instance"), "S": resource("SQS::Stack")},
            "Template format error: Unrecognized resource types: [AWS::SQS::Stack] (at /Resources/S/Type)",
        ),
        (
            {"R": resource("SQS::Queue"), "S": resource("SNS::Topic", {"DisplayName": att("R", "Colour")})},
            "Template error: resource R does not support attribute type Colour in Fn::GetAtt "
            "(Requested attribute Colour does not exist in schema for AWS::SQS::Queue)",
        ),
        (
            {"R": resource("S3::Bucket"), "S": resource("SNS::Topic", {"DisplayName": att("R", "WebsiteURL")})},
            "The attribute WebsiteURL of AWS::S3::Bucket (Fn::GetAtt of R) is not in Treadle's emulator yet",
        ),
    ],
    ids=["type of AWS", "type of nobody", "attribute of nobody", "attribute of AWS"],
)
def test_types_and_attributes_are_refused_before_anything_begins(
    cloudformation: CloudFormationClient, stack: str, resources: Json, message: str
) -> None:
    found = refusal(lambda: cloudformation.create_stack(StackName=stack, TemplateBody=template(resources)))
    assert found == ("ValidationError", message)
    assert statuses(cloudformation, stack) == []


@dataclass(frozen=True, slots=True)
class Breakage:
    """One thing that is done to a resource of `everything()`: at the path a value is put, or removed."""

    logical_id: str
    path: tuple[str | int, ...]
    value: Any
    remove: bool = False

    def apply(self, declaration: Json) -> Json:
        broken = copy.deepcopy(declaration)
        place: Any = broken["Properties"]
        for step in self.path[:-1]:
            place = place[step]
        if self.remove:
            del place[self.path[-1]]
        else:
            place[self.path[-1]] = self.value
        return broken


def _literal(value: Any) -> Any:
    """A declaration without references: what they come to is of no matter here."""
    match value:
        case {"Ref": name}:
            return f"arn:aws:sns:us-east-1:000000000000:{name}" if name in ("Topic", "News") else str(name).lower()
        case {"Fn::GetAtt": ["Role", _]}:
            return LAMBDA["Role"]
        case {"Fn::GetAtt": [name, _]}:
            return f"arn:aws:sqs:us-east-1:000000000000:{name}"
        case {"Fn::Sub": _}:
            return "name"
        case dict():
            return {key: _literal(each) for key, each in cast("Json", value).items()}
        case list():
            return [_literal(each) for each in cast("Sequence[Any]", value)]
        case _:
            return value


def _breakages(logical_id: str, shape: Shape, value: Any, path: tuple[str | int, ...]) -> Iterator[Breakage]:
    """All ways to break a value so that it no longer has the shape."""
    wrong: list[Any] = []
    match shape:
        case Record() if isinstance(value, dict):
            members = cast("Json", value)
            yield Breakage(logical_id, (*path, "NoSuchProperty"), 1)
            for name in shape.required:
                if name in members:
                    yield Breakage(logical_id, (*path, name), None, remove=True)
            for name, member in members.items():
                if name in shape.members:
                    yield from _breakages(logical_id, shape.members[name], member, (*path, name))
            wrong = ["text"] if path and not shape.text else []
        case ListOf(item):
            for index, each in enumerate(cast("Sequence[Any]", value)):
                yield from _breakages(logical_id, item, each, (*path, index))
            wrong = ["text"]
        case MapOf():
            wrong = [["item"]]
        case Text(allowed, _, _, longest):
            wrong = [{"Not": ["so"]}, *(["NotAnOption"] if allowed else [])]
            wrong += ["x" * (longest + 1)] if longest is not None and longest < 2000 else []
        case Whole(least, most) | Number(least, most):
            wrong = ["many", *([] if most is None else [most + 1]), *([] if least is None else [least - 1])]
        case Flag():
            wrong = ["perhaps"]
        case _:
            pass
    for each in wrong:
        yield Breakage(logical_id, path, each)


WHOLE = {
    name: _literal({"Type": each["Type"], "Properties": each["Properties"]}) for name, each in everything().items()
}
# What is refused here and is legal to cfn-lint, by the start of the path.
STRICTER = {
    ("Alarm", "ComparisonOperator"),  # CloudWatch wants it, and so does the user guide
    ("Alarm", "EvaluationPeriods"),  # the same
    ("Api", "Name"),  # AWS can take it from an OpenAPI document, which is not in the emulator
    ("Api", "ProtocolType"),  # the same
    ("Function", "Code"),  # a text in its place: packaging tools replace that before CloudFormation sees it
    ("Table", "KeySchema"),  # published as a list or any JSON, which DynamoDB would refuse
}
BREAKAGES = [
    breakage
    for name, each in WHOLE.items()
    for breakage in _breakages(name, PROVIDERS[each["Type"]].schema.properties, each["Properties"], ())
    if (name, breakage.path[0]) not in STRICTER
]


@settings(max_examples=1, phases=[Phase.generate])
@given(chooser=st.randoms(use_true_random=False))
def test_what_cfn_lint_finds_broken_is_refused(emulator: Dev, chooser: Random) -> None:
    """One thing of a valid resource is broken, in many resources: both say so of each, and nothing is made."""
    cloudformation = cast("CloudFormationClient", emulator.client("cloudformation"))
    chosen = chooser.sample(BREAKAGES, 25)
    broken = {f"R{index}": each.apply(WHOLE[each.logical_id]) for index, each in enumerate(chosen)}
    assert _found_by_cfn_lint(broken) == set(broken)
    for logical_id, declaration in broken.items():
        name = unique("broken")
        assert create(cloudformation, name, template({logical_id: declaration})) == "ROLLBACK_COMPLETE", declaration
        assert reasons(cloudformation, name)[logical_id].startswith("Properties validation failed"), declaration
        cloudformation.delete_stack(StackName=name)


def test_what_cfn_lint_finds_whole_is_taken_for_whole() -> None:
    assert _found_by_cfn_lint(WHOLE) == set()


def _found_by_cfn_lint(resources: Json) -> set[str]:
    """The logical ids of the resources in which cfn-lint finds an error."""
    body = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    errors = [match for match in cast("list[Any]", lint_all(body)) if match.rule.id.startswith("E")]
    paths: list[Sequence[Any]] = [getattr(match, "path", None) or () for match in errors]
    return {str(path[1]) for path in paths if len(path) > 1}

"""Policies of roles, sessions, boundaries and resources together, in boto3 against the running emulator.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.policies import allow, deny, document
from support.roles import ROOT_MAY_ASSUME, new_role, new_session, session_of


def queue_of(emulator: Dev, *statements: Mapping[str, Any]) -> tuple[str, str]:
    """URL and ARN of a new queue whose policy has these statements, about itself."""
    sqs, name = emulator.client("sqs"), unique("queue")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    if statements:
        policy = document(*({"Resource": arn, **statement} for statement in statements))
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    return url, arn


def may_send(emulator: Dev, credentials: Mapping[str, str] | None, url: str) -> str:
    """`yes`, or what the refusal says at its end."""
    sqs = emulator.client("sqs", credentials)
    try:
        sqs.send_message(QueueUrl=url, MessageBody="m")
    except sqs.exceptions.ClientError as error:
        message = str(error.response["Error"]["Message"])
        return message[message.index(" because ") if " because " in message else message.index(" with ") :].strip()
    return "yes"


def lets(principal: object, effect: str = "Allow") -> dict[str, Any]:
    return {"Sid": unique("s"), "Effect": effect, "Principal": principal, "Action": "sqs:SendMessage"}


def test_a_resource_may_allow_what_the_role_s_policies_do_not_mention(emulator: Dev) -> None:
    _, arn = new_role(emulator)
    session_arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{arn.rsplit('/', 1)[-1]}/test"
    credentials = session_of(emulator, arn)
    nothing = "because no identity-based policy allows the sqs:SendMessage action"
    for principal, expected in (
        ({"AWS": arn}, "yes"),
        ({"AWS": session_arn}, "yes"),
        ("*", "yes"),
        ({"AWS": ACCOUNT}, nothing),  # the account may let its roles in by their own policies; it does not
        ({"Service": "sns.amazonaws.com"}, nothing),
    ):
        url, _ = queue_of(emulator, lets(principal))
        assert may_send(emulator, credentials, url) == expected, principal


def test_a_denial_anywhere_outweighs_every_allowance(emulator: Dev) -> None:
    allowed = new_session(emulator, allow("sqs:*"))
    denied = new_session(emulator, allow("sqs:*"), deny("sqs:Send*"))
    open_queue, _ = queue_of(emulator, lets("*"))
    closed_queue, _ = queue_of(emulator, lets("*", "Deny"))
    assert may_send(emulator, allowed, open_queue) == "yes"
    assert may_send(emulator, denied, open_queue) == "with an explicit deny in an identity-based policy"
    assert may_send(emulator, allowed, closed_queue) == "with an explicit deny in a resource-based policy"
    assert may_send(emulator, None, closed_queue) == "with an explicit deny in a resource-based policy"


def test_root_can_mend_a_queue_that_denies_everything_to_everybody(emulator: Dev) -> None:
    url, _ = queue_of(emulator, {"Effect": "Deny", "Principal": "*", "Action": "sqs:*"})
    assert may_send(emulator, None, url).startswith("with an explicit deny")
    emulator.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert may_send(emulator, None, url) == "yes"


def test_a_permissions_boundary_limits_the_role_and_what_a_resource_gives_to_the_role(emulator: Dev) -> None:
    iam = emulator.client("iam")
    boundary = iam.create_policy(PolicyName=unique("limit"), PolicyDocument=json.dumps(document(allow("sns:*"))))
    name, arn = new_role(emulator, allow("sqs:*"), PermissionsBoundary=boundary["Policy"]["Arn"])
    credentials = session_of(emulator, arn)
    beyond = "because no permissions boundary allows the sqs:SendMessage action"
    session_arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/test"
    for statements, expected in (
        ((), beyond),
        ((lets({"AWS": arn}),), beyond),
        ((lets({"AWS": session_arn}),), "yes"),
        ((lets("*"),), "yes"),
    ):
        url, _ = queue_of(emulator, *statements)
        assert may_send(emulator, credentials, url) == expected, statements
    iam.create_policy_version(
        PolicyArn=boundary["Policy"]["Arn"], PolicyDocument=json.dumps(document(deny("sqs:*"))), SetAsDefault=True
    )
    url, _ = queue_of(emulator, lets("*"))
    assert may_send(emulator, credentials, url) == "with an explicit deny in a permissions boundary"
    iam.delete_role_permissions_boundary(RoleName=name)
    assert may_send(emulator, credentials, url) == "yes"


def test_session_policies_limit_one_session(emulator: Dev) -> None:
    iam = emulator.client("iam")
    _, arn = new_role(emulator, allow("sqs:*"))
    url, queue_arn = queue_of(emulator)
    managed = iam.create_policy(PolicyName=unique("p"), PolicyDocument=json.dumps(document(allow("sqs:SendMessage"))))
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "yes"),
        ({"Policy": json.dumps(document(allow("sqs:SendMessage", queue_arn)))}, "yes"),
        (
            {"Policy": json.dumps(document(allow("sqs:ReceiveMessage")))},
            "because no session policy allows the sqs:SendMessage action",
        ),
        ({"Policy": json.dumps(document(deny("sqs:*")))}, "with an explicit deny in a session policy"),
        (
            {
                "Policy": json.dumps(document(allow("sns:*"))),
                "PolicyArns": [{"arn": managed["Policy"]["Arn"]}],
            },
            "yes",
        ),
    ]
    for more, expected in cases:
        assert may_send(emulator, session_of(emulator, arn, **more), url) == expected, more


@pytest.mark.parametrize(
    ("condition", "more", "allowed"),
    [
        ({"StringEquals": {"sts:ExternalId": "shared"}}, {}, False),
        ({"StringEquals": {"sts:ExternalId": "shared"}}, {"ExternalId": "other"}, False),
        ({"StringEquals": {"sts:ExternalId": "shared"}}, {"ExternalId": "shared"}, True),
        ({"StringLike": {"sts:RoleSessionName": "te*"}}, {}, True),
        ({"StringLike": {"sts:RoleSessionName": "x*"}}, {}, False),
        ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, {}, True),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, {}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, {}, True),
    ],
)
def test_the_trust_policy_decides_who_assumes_a_role(
    emulator: Dev, condition: dict[str, Any], more: dict[str, Any], *, allowed: bool
) -> None:
    _, arn = new_role(emulator, trust=[{**ROOT_MAY_ASSUME, "Condition": condition}])
    if allowed:
        session_of(emulator, arn, **more)
        return
    code, message = refusal(emulator.client("sts").assume_role, RoleArn=arn, RoleSessionName="test", **more)
    assert code == "AccessDenied"
    assert message.endswith("because no role trust policy allows the sts:AssumeRole action")


def test_a_role_assumes_another_by_its_own_policy_and_the_other_s_trust(emulator: Dev) -> None:
    _, trusting_account = new_role(emulator)
    _, first = new_role(emulator)
    _, trusting_first = new_role(emulator, trust=[{**ROOT_MAY_ASSUME, "Principal": {"AWS": first}}])
    powerless = session_of(emulator, first)
    powerful = new_session(emulator, allow("sts:AssumeRole"))
    session_of(emulator, trusting_first, caller=powerless)  # named in the trust policy, it needs nothing else
    session_of(emulator, trusting_account, caller=powerful)
    for target, caller, policy in (
        (trusting_account, powerless, "identity-based"),
        (trusting_first, powerful, "role trust"),
    ):
        sts = emulator.client("sts", caller)
        code, message = refusal(sts.assume_role, RoleArn=target, RoleSessionName="test")
        assert (code, f"because no {policy} policy allows" in message) == ("AccessDenied", True), message
    chained = emulator.client("sts", powerful)
    assert refusal(chained.assume_role, RoleArn=trusting_account, RoleSessionName="test", DurationSeconds=7200)[0] == (
        "ValidationError"
    )


def test_session_tags_need_to_be_trusted_and_fill_in_variables(emulator: Dev) -> None:
    tagging = {**ROOT_MAY_ASSUME, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    _, closed = new_role(emulator)
    tags = [{"Key": "team", "Value": "blue"}]
    assert refusal(emulator.client("sts").assume_role, RoleArn=closed, RoleSessionName="s1", Tags=tags)[0] == (
        "AccessDenied"
    )
    _, arn = new_role(emulator, allow("ssm:*", "arn:aws:ssm:*:*:parameter/${aws:PrincipalTag/team}/*"), trust=[tagging])
    ssm = emulator.client("ssm", session_of(emulator, arn, Tags=tags))
    ssm.put_parameter(Name="/blue/one", Value="1", Type="String")
    assert refusal(ssm.put_parameter, Name="/red/one", Value="1", Type="String")[0] == "AccessDeniedException"


def test_a_role_is_handed_to_a_service_by_whom_may_pass_it_to_that_service(emulator: Dev) -> None:
    _, handed = new_role(emulator, trust=[{**ROOT_MAY_ASSUME, "Principal": {"Service": "scheduler.amazonaws.com"}}])
    _, queue_arn = queue_of(emulator)

    def create(*statements: Mapping[str, Any]) -> str:
        scheduler = emulator.client("scheduler", new_session(emulator, allow("scheduler:*"), *statements))
        schedule = {
            "Name": unique("s"),
            "ScheduleExpression": "rate(1 day)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": queue_arn, "RoleArn": handed},
        }
        try:
            scheduler.create_schedule(**schedule)
        except scheduler.exceptions.ClientError as error:
            return str(error.response["Error"]["Message"])
        return "yes"

    to_scheduler = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    assert "because no identity-based policy allows the iam:PassRole action" in create()
    assert "iam:PassRole" in create(allow("iam:PassRole", handed, Condition=to_lambda))
    assert create(allow("iam:PassRole", handed, Condition=to_scheduler)) == "yes"


def test_tags_of_resources_and_requests_decide(emulator: Dev) -> None:
    iam = emulator.client("iam")
    name, _ = new_role(emulator, Tags=[{"Key": "team", "Value": "blue"}])
    other, _ = new_role(emulator, Tags=[{"Key": "team", "Value": "red"}])
    mine = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    keys = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]}, "Null": {"aws:TagKeys": "false"}}
    limited = new_session(
        emulator, allow("iam:GetRole", Condition=mine), allow("iam:TagRole", Condition=keys), allow("iam:ListRoleTags")
    )
    theirs = emulator.client("iam", limited)
    assert theirs.get_role(RoleName=name)["Role"]["RoleName"] == name
    assert refusal(theirs.get_role, RoleName=other)[0] == "AccessDenied"
    theirs.tag_role(RoleName=other, Tags=[{"Key": "cost", "Value": "1"}])
    assert refusal(theirs.tag_role, RoleName=other, Tags=[{"Key": "owner", "Value": "1"}])[0] == "AccessDenied"
    assert iam.list_role_tags(RoleName=other)["Tags"] == [
        {"Key": "team", "Value": "red"},
        {"Key": "cost", "Value": "1"},
    ]


def test_a_bucket_s_policy_counts_beside_the_role_s(emulator: Dev) -> None:
    s3, bucket = emulator.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="open", Body=b"1")
    _, arn = new_role(emulator)
    reader = emulator.client("s3", session_of(emulator, arn))
    assert refusal(reader.get_object, Bucket=bucket, Key="open")[0] == "AccessDenied"
    policy = document(
        {**allow("s3:GetObject", f"arn:aws:s3:::{bucket}/open"), "Principal": {"AWS": arn}},
        {**deny("s3:DeleteObject", f"arn:aws:s3:::{bucket}/*"), "Principal": "*"},
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert reader.get_object(Bucket=bucket, Key="open")["Body"].read() == b"1"
    code, message = refusal(s3.delete_object, Bucket=bucket, Key="open")
    assert (code, message.endswith("with an explicit deny in a resource-based policy")) == ("AccessDenied", True)
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="open")


def test_who_the_caller_is_has_the_role_s_id(emulator: Dev) -> None:
    name, arn = new_role(emulator)
    role_id = emulator.client("iam").get_role(RoleName=name)["Role"]["RoleId"]
    identity = emulator.client("sts", session_of(emulator, arn)).get_caller_identity()
    assert identity["UserId"] == f"{role_id}:test"
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/test"


def test_a_schedule_s_role_may_trust_one_group_only(emulator: Dev) -> None:
    """Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html"""
    url, queue_arn = queue_of(emulator)

    def trusting(group: str) -> str:
        condition = {
            "ArnEquals": {"aws:SourceArn": f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/{group}"},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        }
        principal = {"Service": "scheduler.amazonaws.com"}
        trusted = {**ROOT_MAY_ASSUME, "Principal": principal, "Condition": condition}
        return new_role(emulator, allow("sqs:SendMessage", queue_arn), trust=[trusted])[1]

    scheduler = emulator.client("scheduler")
    schedule: dict[str, Any] = {
        "Name": unique("s"),
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
    }
    code, message = refusal(
        scheduler.create_schedule, **schedule, Target={"Arn": queue_arn, "RoleArn": trusting("other")}
    )
    assert (code, "must allow AWS EventBridge Scheduler to assume the role" in message) == ("ValidationException", True)
    scheduler.create_schedule(**schedule, Target={"Arn": queue_arn, "RoleArn": trusting("default"), "Input": "hello"})
    emulator.advance(61)
    received = emulator.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert received[0]["Body"] == "hello"
    scheduler.delete_schedule(Name=schedule["Name"])

"""Access policies of topics: what they begin with, statements added and removed, and what no policy can be about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import ACCOUNT, refusal
from support.policies import allow, document
from support.topics import create_topic
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.sns.service import Sns
from treadle_local.sqs.service import Sqs

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

SUBSCRIBER = "123456789012"


def policy_of(sns: SNSClient, topic: str) -> Any:
    return json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])


def test_a_topic_begins_with_the_policy_that_lets_its_owner_do_everything(sns: SNSClient) -> None:
    topic = create_topic(sns)
    assert policy_of(sns, topic) == {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [
                    "SNS:GetTopicAttributes",
                    "SNS:SetTopicAttributes",
                    "SNS:AddPermission",
                    "SNS:RemovePermission",
                    "SNS:DeleteTopic",
                    "SNS:Subscribe",
                    "SNS:ListSubscriptionsByTopic",
                    "SNS:Publish",
                ],
                "Resource": topic,
                "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
            }
        ],
    }


def test_permissions_are_added_and_removed_by_their_labels(sns: SNSClient) -> None:
    topic = create_topic(sns)
    sns.add_permission(TopicArn=topic, Label="one", AWSAccountId=[SUBSCRIBER], ActionName=["Publish"])
    sns.add_permission(
        TopicArn=topic, Label="two", AWSAccountId=[SUBSCRIBER, "999999999999"], ActionName=["Publish", "Subscribe"]
    )
    statements = policy_of(sns, topic)["Statement"]
    assert [statement["Sid"] for statement in statements] == ["__default_statement_ID", "one", "two"]
    assert statements[1:] == [
        {
            "Sid": "one",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{SUBSCRIBER}:root"},
            "Action": "SNS:Publish",
            "Resource": topic,
        },
        {
            "Sid": "two",
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{SUBSCRIBER}:root", "arn:aws:iam::999999999999:root"]},
            "Action": ["SNS:Publish", "SNS:Subscribe"],
            "Resource": topic,
        },
    ]
    sns.remove_permission(TopicArn=topic, Label="one")
    sns.remove_permission(TopicArn=topic, Label="never there")
    assert [statement["Sid"] for statement in policy_of(sns, topic)["Statement"]] == ["__default_statement_ID", "two"]


@pytest.mark.parametrize(
    ("label", "account", "action", "text"),
    [
        ("taken", SUBSCRIBER, "Publish", "Invalid parameter: Statement already exists"),
        ("new", "12345", "Publish", "Invalid parameter: Policy Error: PrincipalNotFound"),
        ("new", SUBSCRIBER, "CreateTopic", "Invalid parameter: Policy statement action out of service scope!"),
        (
            "new",
            SUBSCRIBER,
            "SetSubscriptionAttributes",
            "Invalid parameter: Policy statement action out of service scope!",
        ),
    ],
)
def test_a_permission_is_checked(sns: SNSClient, label: str, account: str, action: str, text: str) -> None:
    topic = create_topic(sns)
    sns.add_permission(TopicArn=topic, Label="taken", AWSAccountId=[SUBSCRIBER], ActionName=["Receive"])
    assert refusal(
        lambda: sns.add_permission(TopicArn=topic, Label=label, AWSAccountId=[account], ActionName=[action])
    ) == ("InvalidParameter", text)
    assert len(policy_of(sns, topic)["Statement"]) == 2


def test_a_policy_is_kept_as_it_was_given(sns: SNSClient) -> None:
    topic = create_topic(sns)
    text = json.dumps(document({**allow("sns:Publish", Principal={"AWS": "*"}), "Resource": topic}), indent=3)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text)
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"] == text


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("nonsense", "Policy Error: null"),
        ("[]", "Policy Error: null"),
        ("{}", "Policy Error: null"),
        ({"Effect": "Maybe", "Principal": "*", "Action": "sns:Publish"}, "Policy Error: null"),
        ({"Effect": "Allow", "Action": "sns:Publish"}, "Policy Error: null"),
        ({"Effect": "Allow", "Principal": "*"}, "Policy Error: null"),
        ({"Effect": "Allow", "Principal": "*", "Action": "sns:CreateTopic"}, "Policy statement action out of service"),
        ({"Effect": "Allow", "Principal": "*", "Action": "sns:*"}, "Policy statement action out of service scope!"),
        ({"Effect": "Allow", "Principal": "*", "Action": "sqs:Publish"}, "Policy statement action out of service"),
    ],
)
def test_a_policy_is_checked(sns: SNSClient, policy: Any, text: str) -> None:
    value = policy if isinstance(policy, str) else json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    topic = create_topic(sns)
    code, message = refusal(
        lambda: sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=value)
    )
    assert code == "InvalidParameter"
    assert message.startswith(f"Invalid parameter: {text}")


def test_the_policy_in_force_is_there_for_who_decides() -> None:
    clock = ManualClock()
    sqs = Sqs(Region(), clock)
    nothing: Any = None
    sns = Sns(Region(), clock, sqs, nothing, nothing, nothing)
    topic = sns.handle("CreateTopic", {"Name": "t"}, ROOT)["TopicArn"]
    default = sns.policy_of(topic)
    assert default is not None
    assert default["Statement"][0]["Condition"] == {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}
    own = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sns:Publish"}]}
    change = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": json.dumps(own)}
    sns.handle("SetTopicAttributes", change, ROOT)
    assert sns.policy_of(topic) == own
    assert sns.policy_of(f"{topic}x") is None

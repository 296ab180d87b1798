"""Topics of Amazon SNS as any AWS client makes, lists, tags and deletes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.topics import create_queue, create_topic, subscribe

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


def test_a_topic_has_the_attributes_of_aws(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns, DisplayName="Orders")
    subscription = subscribe(sns, topic, create_queue(sqs))
    subscribe(sns, topic, create_queue(sqs))
    sns.unsubscribe(SubscriptionArn=subscription)
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert json.loads(found.pop("Policy"))["Statement"][0]["Resource"] == topic
    assert json.loads(found.pop("EffectiveDeliveryPolicy"))["http"]
    assert found == {
        "TopicArn": topic,
        "Owner": ACCOUNT,
        "DisplayName": "Orders",
        "SubscriptionsConfirmed": "1",
        "SubscriptionsPending": "0",
        "SubscriptionsDeleted": "1",
    }


def test_creating_a_topic_again_needs_the_same_attributes_and_tags(sns: SNSClient) -> None:
    name = unique("topic")
    tags: Any = [{"Key": "app", "Value": "shop"}]
    topic = sns.create_topic(Name=name, Attributes={"DisplayName": "a"}, Tags=tags)["TopicArn"]
    assert topic == f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == topic
    assert sns.create_topic(Name=name, Attributes={"DisplayName": "a"}, Tags=tags)["TopicArn"] == topic
    _, text = refusal(lambda: sns.create_topic(Name=name, Attributes={"DisplayName": "b"}))
    assert "already exists with different attributes" in text
    _, text = refusal(lambda: sns.create_topic(Name=name, Tags=[{"Key": "app", "Value": "other"}]))
    assert "already exists with different tags" in text


@pytest.mark.parametrize("name", ["", "x" * 257, "no spaces", "no.dots"])
def test_a_topic_name_is_checked(sns: SNSClient, name: str) -> None:
    assert refusal(lambda: sns.create_topic(Name=name)) == ("InvalidParameter", "Invalid parameter: Topic Name")


def test_a_deleted_topic_takes_its_subscriptions_with_it(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    subscription = subscribe(sns, topic, create_queue(sqs))
    sns.delete_topic(TopicArn=topic)
    sns.delete_topic(TopicArn=topic)
    assert refusal(lambda: sns.get_topic_attributes(TopicArn=topic))[0] == "NotFound"
    code, text = refusal(lambda: sns.get_subscription_attributes(SubscriptionArn=subscription))
    assert (code, text) == ("NotFound", "Subscription does not exist")


def test_topics_are_listed_page_by_page(sns: SNSClient) -> None:
    made = {create_topic(sns) for _ in range(101)}
    pages = list(sns.get_paginator("list_topics").paginate())
    assert len(pages) > 1
    listed = [topic.get("TopicArn") for page in pages for topic in page["Topics"]]
    assert made <= set(listed)
    assert len(set(listed)) == len(listed)
    for topic in made:
        sns.delete_topic(TopicArn=topic)


def test_a_topic_carries_tags(sns: SNSClient) -> None:
    topic = create_topic(sns)
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "app", "Value": "shop"}, {"Key": "stage", "Value": "dev"}])
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "stage", "Value": "prod"}])
    sns.untag_resource(ResourceArn=topic, TagKeys=["app"])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "stage", "Value": "prod"}]
    too_many: Any = [{"Key": f"t{number}", "Value": ""} for number in range(50)]
    assert refusal(lambda: sns.tag_resource(ResourceArn=topic, Tags=too_many))[0] == "TagLimitExceeded"
    assert refusal(lambda: sns.list_tags_for_resource(ResourceArn=f"{topic}x"))[0] == "ResourceNotFound"


def test_what_is_not_built_is_refused_by_name(sns: SNSClient) -> None:
    for name, value in (("DeliveryPolicy", "{}"), ("LambdaFailureFeedbackRoleArn", "r"), ("TracingConfig", "Active")):
        _, text = refusal(lambda: create_topic(sns, **{name: value}))  # noqa: B023
        assert name in text
        assert "not in Treadle's emulator yet" in text
    _, text = refusal(lambda: sns.list_platform_applications())
    assert text == "Invalid parameter: ListPlatformApplications is not in Treadle's emulator yet"


def test_a_topic_of_another_region_is_not_reachable(sns: SNSClient) -> None:
    elsewhere = f"arn:aws:sns:eu-west-1:{ACCOUNT}:topic"
    for call in (
        lambda: sns.get_topic_attributes(TopicArn=elsewhere),
        lambda: sns.publish(TopicArn=elsewhere, Message="m"),
        lambda: sns.delete_topic(TopicArn=elsewhere),
    ):
        assert refusal(call) == ("InvalidParameter", "Invalid parameter: TopicArn")


def test_a_key_of_a_tag_is_given_once(sns: SNSClient) -> None:
    tags: Any = [{"Key": "k", "Value": "a"}, {"Key": "k", "Value": "b"}]
    assert refusal(lambda: sns.tag_resource(ResourceArn=create_topic(sns), Tags=tags)) == (
        "InvalidParameter",
        "Invalid parameter: Duplicated keys are not allowed.",
    )

"""Queues of Amazon SQS as any AWS client makes, changes, finds and deletes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.queues import arn_of, counts, create_queue

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def test_a_queue_has_the_defaults_of_aws(sqs: SQSClient, emulator: Dev) -> None:
    name = unique("queue")
    url = create_queue(sqs, name)
    assert url == f"{emulator.endpoint}/{ACCOUNT}/{name}"
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    found = cast("dict[str, str]", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
    assert found.pop("CreatedTimestamp") == found.pop("LastModifiedTimestamp")
    assert found == {
        "QueueArn": arn_of(url),
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "VisibilityTimeout": "30",
        "SqsManagedSseEnabled": "true",
    }


def test_creating_a_queue_again_needs_the_same_attributes(sqs: SQSClient) -> None:
    name = unique("queue")
    url = create_queue(sqs, name, VisibilityTimeout="7", DelaySeconds="1")
    assert create_queue(sqs, name) == create_queue(sqs, name, DelaySeconds="1") == url
    code, text = refusal(lambda: create_queue(sqs, name, VisibilityTimeout="8"))
    assert code == "QueueAlreadyExists"
    assert text.endswith("VisibilityTimeout")


@pytest.mark.parametrize("name", ["", "x" * 81, "no spaces", "no.dots", "ümlaut"])
def test_a_queue_name_is_checked(sqs: SQSClient, name: str) -> None:
    code, text = refusal(lambda: sqs.create_queue(QueueName=name))
    assert code == "InvalidParameterValue"
    assert "1 to 80 in length" in text


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("VisibilityTimeout", "43201"),
        ("VisibilityTimeout", "-1"),
        ("VisibilityTimeout", "1.5"),
        ("DelaySeconds", "901"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("MessageRetentionPeriod", "59"),
        ("MessageRetentionPeriod", "1209601"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("SqsManagedSseEnabled", "perhaps"),
        ("Policy", "nonsense"),
    ],
)
def test_a_queue_attribute_out_of_range_is_refused(sqs: SQSClient, attribute: str, value: str) -> None:
    assert refusal(lambda: create_queue(sqs, **{attribute: value}))[0] == "InvalidAttributeValue"
    url = create_queue(sqs)
    change: Any = {attribute: value}
    assert refusal(lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=change))[0] == "InvalidAttributeValue"


def test_an_unknown_queue_attribute_is_refused(sqs: SQSClient) -> None:
    assert refusal(lambda: create_queue(sqs, Nonsense="1")) == ("InvalidAttributeName", "Unknown Attribute Nonsense.")


def test_queue_attributes_can_be_changed_and_removed(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    policy = '{"Version": "2012-10-17",  "Statement": []}'
    emulator.advance(2)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy, "VisibilityTimeout": "9"})
    found = cast("Any", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
    assert (found["Policy"], found["VisibilityTimeout"]) == (policy, "9")
    assert int(found["LastModifiedTimestamp"]) - int(found["CreatedTimestamp"]) == 2
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def test_a_missing_queue_is_named_so(sqs: SQSClient, emulator: Dev) -> None:
    url = f"{emulator.endpoint}/{ACCOUNT}/{unique('missing')}"
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.send_message(QueueUrl=url, MessageBody="m")
    assert caught.value.response.get("Error", {}).get("Code") == "AWS.SimpleQueueService.NonExistentQueue"
    assert refusal(lambda: sqs.receive_message(QueueUrl="nonsense"))[0] == "InvalidAddress"
    name = url.rsplit("/", 1)[1]
    assert refusal(lambda: sqs.get_queue_url(QueueName=name))[0] == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_queue_is_found_under_any_host(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    elsewhere = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{url.rsplit('/', 1)[1]}"
    sqs.send_message(QueueUrl=elsewhere, MessageBody="m")
    assert counts(sqs, url) == (1, 0, 0)


def test_a_queue_that_is_made_anew_is_empty_and_waits_for_a_minute(sqs: SQSClient, emulator: Dev) -> None:
    name = unique("queue")
    url = create_queue(sqs, name)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    sqs.delete_queue(QueueUrl=url)
    emulator.advance(59.9)
    code, text = refusal(lambda: create_queue(sqs, name))
    assert code == "AWS.SimpleQueueService.QueueDeletedRecently"
    assert text == "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    emulator.advance(0.1)
    assert create_queue(sqs, name, DelaySeconds="1") == url
    assert counts(sqs, url) == (0, 0, 0)


def test_queues_are_listed_by_prefix_and_page(sqs: SQSClient) -> None:
    prefix = unique("listed")
    urls = [create_queue(sqs, f"{prefix}-{number}") for number in range(5)]
    assert sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"] == urls
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=unique("missing"))
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2})
    assert [page["QueueUrls"] for page in pages] == [urls[0:2], urls[2:4], urls[4:]]


def test_a_queue_carries_tags(sqs: SQSClient) -> None:
    url = sqs.create_queue(QueueName=unique("queue"), tags={"app": "shop", "stage": "dev"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"stage": "prod", "step": "pay"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["app", "missing"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"stage": "prod", "step": "pay"}
    code, _ = refusal(lambda: sqs.tag_queue(QueueUrl=url, Tags={f"t{number}": "" for number in range(49)}))
    assert code == "InvalidParameterValue"

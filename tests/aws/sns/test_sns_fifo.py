"""FIFO topics of Amazon SNS: groups, de-duplication, numbers, and the queues of both kinds that subscribe.

What subscribers get and are told was compared with what AWS was recorded to answer.
Source: https://docs.aws.amazon.com/sns/latest/dg/sns-fifo-topics.html
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.topics import (
    TestQueue,
    create_fifo_queue,
    create_fifo_topic,
    create_queue,
    create_topic,
    raw_subscriber,
    subscribe,
)

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


def fifo_subscriber(sns: SNSClient, sqs: SQSClient, topic: str, **attributes: str) -> TestQueue:
    queue = create_fifo_queue(sqs, topic)
    subscribe(sns, topic, queue, **({"RawMessageDelivery": "true"} | attributes))
    return queue


def publish(sns: SNSClient, topic: str, message: str, group: str = "g", **more: Any) -> tuple[str, int]:
    answer = sns.publish(TopicArn=topic, Message=message, MessageGroupId=group, **more)
    return answer["MessageId"], int(answer["SequenceNumber"])


def test_a_fifo_topic_has_the_attributes_of_aws(sns: SNSClient) -> None:
    topic = create_fifo_topic(sns, ContentBasedDeduplication="true")
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (found["FifoTopic"], found["ContentBasedDeduplication"]) == ("true", "true")
    for name, value in (("ContentBasedDeduplication", "false"), ("FifoThroughputScope", "MessageGroup")):
        sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
        assert sns.get_topic_attributes(TopicArn=topic)["Attributes"][name] == value
    assert "FifoTopic" not in sns.get_topic_attributes(TopicArn=create_topic(sns))["Attributes"]


def test_the_name_and_the_attribute_of_a_fifo_topic_go_together(sns: SNSClient) -> None:
    name = f"{unique('topic')}.fifo"
    assert refusal(lambda: sns.create_topic(Name=name)) == ("InvalidParameter", "Invalid parameter: Topic Name")
    _, text = refusal(lambda: sns.create_topic(Name=unique("topic"), Attributes={"FifoTopic": "true"}))
    assert text.startswith("Invalid parameter: Fifo Topic names must end with .fifo")
    longest = {"Name": "x" * 251 + ".fifo", "Attributes": {"FifoTopic": "true"}}
    arn = sns.create_topic(**longest)["TopicArn"]  # type: ignore[arg-type]
    sns.delete_topic(TopicArn=arn)
    assert refusal(lambda: sns.create_topic(Name="x" * 252 + ".fifo", Attributes={"FifoTopic": "true"}))[0]
    for attribute, value in (("ContentBasedDeduplication", "true"), ("FifoThroughputScope", "Topic")):
        _, text = refusal(lambda: create_topic(sns, **{attribute: value}))  # noqa: B023
        assert "for FIFO topics only" in text


@pytest.mark.parametrize("name", ["FifoTopic"])
def test_a_topic_stays_of_its_kind(sns: SNSClient, name: str) -> None:
    for topic in (create_topic(sns), create_fifo_topic(sns)):
        assert refusal(
            lambda: sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue="false")  # noqa: B023
        ) == ("InvalidParameter", "Invalid parameter: AttributeName")


def test_archives_are_refused_by_name(sns: SNSClient, sqs: SQSClient) -> None:
    _, text = refusal(lambda: create_fifo_topic(sns, ArchivePolicy='{"MessageRetentionPeriod": "30"}'))
    assert "ArchivePolicy is not in Treadle's emulator yet" in text
    topic = create_fifo_topic(sns)
    _, text = refusal(lambda: subscribe(sns, topic, create_fifo_queue(sqs), ReplayPolicy="{}"))
    assert "ReplayPolicy is not in Treadle's emulator yet" in text


def test_messages_need_a_group_and_a_de_duplication_id(sns: SNSClient) -> None:
    topic = create_fifo_topic(sns)
    assert refusal(lambda: sns.publish(TopicArn=topic, Message="m")) == (
        "InvalidParameter",
        "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
    )
    assert refusal(lambda: sns.publish(TopicArn=topic, Message="m", MessageGroupId="g")) == (
        "InvalidParameter",
        "Invalid parameter: The topic should either have ContentBasedDeduplication enabled "
        "or MessageDeduplicationId provided explicitly",
    )
    for ids in ({"MessageGroupId": "g" * 129}, {"MessageGroupId": "a b"}, {"MessageDeduplicationId": "d" * 129}):
        call: Any = {"TopicArn": topic, "Message": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d", **ids}
        assert refusal(lambda: sns.publish(**call))[0] == "InvalidParameter"  # noqa: B023
    longest = "".join(chr(code) for code in range(33, 127)) + "x" * 34
    publish(sns, topic, "m", longest, MessageDeduplicationId=longest)


def test_a_fifo_queue_gets_group_id_and_order(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns, ContentBasedDeduplication="true")
    queue = fifo_subscriber(sns, sqs, topic)
    numbers = [publish(sns, topic, f"m{n}", f"g{n % 2}")[1] for n in range(20)]
    assert numbers == sorted(set(numbers))
    received = queue.receive()
    assert {group: [m.get("Body") for m in received if m.get("Attributes", {}).get("MessageGroupId") == group]
            for group in ("g0", "g1")} == {
        "g0": [f"m{n}" for n in range(0, 20, 2)], "g1": [f"m{n}" for n in range(1, 20, 2)]
    }  # fmt: skip
    first = received[0]
    assert first.get("Attributes", {}).get("MessageDeduplicationId") == hashlib.sha256(b"m0").hexdigest()


def test_the_envelope_of_a_fifo_topic_has_its_number_and_no_signature(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns)
    queue = fifo_subscriber(sns, sqs, topic, RawMessageDelivery="false")
    message_id, number = publish(sns, topic, "hello", MessageDeduplicationId="d", Subject="s")
    (message,) = queue.receive()
    document = json.loads(message.get("Body", ""))
    assert list(document) == [
        *("Type", "MessageId", "SequenceNumber", "TopicArn", "Subject", "Message", "Timestamp", "UnsubscribeURL")
    ]
    assert (document["MessageId"], document["SequenceNumber"]) == (message_id, str(number))
    assert len(document["SequenceNumber"]) == 20
    assert message.get("Attributes", {}).get("MessageDeduplicationId") == "d"


def test_a_duplicate_is_answered_as_the_first_and_goes_to_nobody(sns: SNSClient, sqs: SQSClient, emulator: Dev) -> None:
    topic = create_fifo_topic(sns)
    queue, standard = fifo_subscriber(sns, sqs, topic), raw_subscriber(sns, sqs, topic)
    first = publish(sns, topic, "one", MessageDeduplicationId="d")
    emulator.advance(299.9)
    assert publish(sns, topic, "two", "another", MessageDeduplicationId="d") == first
    emulator.advance(0.1)
    again = publish(sns, topic, "three", MessageDeduplicationId="d")
    assert again[1] > first[1]
    assert again[0] != first[0]
    assert standard.bodies() == ["one", "three"]
    assert queue.bodies() == ["one", "three"]


def test_the_body_alone_is_the_content_that_is_de_duplicated(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns, ContentBasedDeduplication="true")
    queue = fifo_subscriber(sns, sqs, topic)
    attributes: Any = {"a": {"DataType": "String", "StringValue": "v"}}
    first = publish(sns, topic, "same")
    assert publish(sns, topic, "same", MessageAttributes=attributes, Subject="s") == first
    assert publish(sns, topic, "x", MessageDeduplicationId=hashlib.sha256(b"same").hexdigest()) == first
    assert publish(sns, topic, "same", MessageDeduplicationId="explicit") != first
    assert queue.bodies() == ["same", "same"]


def test_the_scope_of_de_duplication_can_be_the_group(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns, ContentBasedDeduplication="true", FifoThroughputScope="MessageGroup")
    queue = raw_subscriber(sns, sqs, topic)
    answers = {publish(sns, topic, "same", group) for group in ("a", "b", "a", "b")}
    assert len(answers) == 2
    assert queue.bodies() == ["same", "same"]


def test_a_standard_queue_of_a_fifo_topic_gets_neither_group_nor_number(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns, ContentBasedDeduplication="true")
    queue = raw_subscriber(sns, sqs, topic)
    publish(sns, topic, "m")
    (message,) = queue.receive()
    assert not {"MessageGroupId", "MessageDeduplicationId", "SequenceNumber"} & set(message.get("Attributes", {}))


def test_only_queues_may_subscribe_to_a_fifo_topic_and_only_standard_ones_to_a_standard_topic(
    sns: SNSClient, sqs: SQSClient
) -> None:
    fifo_queue = create_fifo_queue(sqs)
    assert refusal(lambda: subscribe(sns, create_topic(sns), fifo_queue)) == (
        "InvalidParameter",
        "Invalid parameter: Invalid parameter: Endpoint Reason: "
        "FIFO SQS Queues can not be subscribed to standard SNS topics",
    )
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
    _, text = refusal(lambda: sns.subscribe(TopicArn=create_fifo_topic(sns), Protocol="lambda", Endpoint=function))
    assert text == "Invalid parameter: Invalid parameter: Endpoint Reason: Please use FIFO SQS queue"


def test_the_dead_letter_queue_of_a_fifo_subscription_is_fifo(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns)
    arn = subscribe(sns, topic, create_fifo_queue(sqs))
    standard = json.dumps({"deadLetterTargetArn": create_queue(sqs).arn})
    assert refusal(
        lambda: sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName="RedrivePolicy", AttributeValue=standard
        )
    ) == (
        "InvalidParameter",
        "Invalid parameter: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.",
    )


def test_what_a_fifo_queue_cannot_take_goes_to_the_dead_letter_queue_in_order(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns)
    dead_letters = create_fifo_queue(sqs, topic)
    redrive = json.dumps({"deadLetterTargetArn": dead_letters.arn})
    queue = fifo_subscriber(sns, sqs, topic, RedrivePolicy=redrive)
    sqs.delete_queue(QueueUrl=queue.url)
    for n in range(3):
        publish(sns, topic, f"m{n}", MessageDeduplicationId=f"d{n}")
    received = dead_letters.receive()
    assert [message.get("Body") for message in received] == ["m0", "m1", "m2"]
    assert [m.get("Attributes", {}).get("MessageDeduplicationId") for m in received] == ["d0", "d1", "d2"]


def test_a_batch_keeps_its_order_and_is_de_duplicated_within_itself(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns, ContentBasedDeduplication="true")
    queue = fifo_subscriber(sns, sqs, topic)
    entries: Any = [
        {"Id": str(n), "Message": message, "MessageGroupId": "g"} for n, message in enumerate(["c", "a", "c", "b"])
    ]
    first = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    again = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert first["Successful"] == again["Successful"]
    ids = [(entry.get("MessageId"), entry.get("SequenceNumber")) for entry in first["Successful"]]
    assert [entry.get("Id") for entry in first["Successful"]] == ["0", "1", "2", "3"]
    assert ids[0] == ids[2]
    assert [int(number or "") for _, number in (ids[0], ids[1], ids[3])] == sorted(
        int(number or "") for _, number in (ids[0], ids[1], ids[3])
    )
    assert queue.bodies() == ["c", "a", "b"]


def test_a_batch_with_an_entry_without_a_group_is_refused_as_a_whole(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns, ContentBasedDeduplication="true")
    queue = raw_subscriber(sns, sqs, topic)
    entries: Any = [{"Id": "a", "Message": "m", "MessageGroupId": "g"}, {"Id": "b", "Message": "n"}]
    assert refusal(lambda: sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)) == (
        "InvalidParameter",
        "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
    )
    assert queue.bodies() == []


def test_a_filter_chooses_among_a_fifo_topics_messages_too(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_fifo_topic(sns, ContentBasedDeduplication="true")
    queue = fifo_subscriber(
        sns, sqs, topic, FilterPolicy='{"n": [{"numeric": [">", 2]}]}', FilterPolicyScope="MessageBody"
    )
    for n in range(5):
        publish(sns, topic, json.dumps({"n": n}))
    assert queue.bodies() == ['{"n": 3}', '{"n": 4}']

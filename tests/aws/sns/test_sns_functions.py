"""Functions as subscribers of topics: the event they get, who lets the topic in, and what becomes of the rest.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev, wait_until
from support.lambda_account import Account
from support.topics import create_queue, create_topic, raw_subscriber

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

RECORDING = """
import json, os

def handler(event, context):
    with open(os.environ["EVENTS"], "a") as events:
        events.write(json.dumps([context.invoked_function_arn, event]) + "\\n")
"""


class Recorder:
    """A function that keeps its events in a file."""

    def __init__(self, account: Account, folder: Path) -> None:
        self._events = folder / "events"
        self._account = account
        self.name = account.make(RECORDING, Environment={"Variables": {"EVENTS": str(self._events)}})
        self.arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{self.name}"

    def let_in(self, source_arn: str, **more: str) -> None:
        self._account.client.add_permission(
            FunctionName=self.name,
            StatementId=unique("sid"),
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=source_arn,
            **more,
        )

    def events(self, count: int) -> list[Any]:
        """The first `count` events, each with the ARN that was invoked."""
        wait_until("the events", lambda: len(self._lines()) >= count)
        return [json.loads(line) for line in self._lines()]

    def _lines(self) -> list[str]:
        return self._events.read_text().splitlines() if self._events.exists() else []


@pytest.fixture
def recorder(account: Account, tmp_path: Path) -> Recorder:
    return Recorder(account, tmp_path)


def subscribe_function(sns: SNSClient, topic: str, arn: str, **attributes: str) -> str:
    return sns.subscribe(
        TopicArn=topic, Protocol="lambda", Endpoint=arn, Attributes=attributes, ReturnSubscriptionArn=True
    )["SubscriptionArn"]


def test_a_function_gets_the_event_of_aws(sns: SNSClient, recorder: Recorder, emulator: Dev) -> None:
    topic = create_topic(sns)
    recorder.let_in(topic, SourceAccount=ACCOUNT)
    subscription = subscribe_function(sns, topic, recorder.arn)
    attributes: Any = {
        "text": {"DataType": "String", "StringValue": "ü"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    published = sns.publish(TopicArn=topic, Message="grüße", Subject="Hello", MessageAttributes=attributes)
    ((invoked, event),) = recorder.events(1)
    assert invoked == recorder.arn
    (record,) = event["Records"]
    notification = record.pop("Sns")
    assert record == {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription}
    assert notification.pop("Timestamp").endswith("Z")
    assert notification.pop("Signature")
    assert notification.pop("SigningCertUrl").startswith("https://")
    assert notification == {
        "Type": "Notification",
        "MessageId": published["MessageId"],
        "TopicArn": topic,
        "Subject": "Hello",
        "Message": "grüße",
        "SignatureVersion": "1",
        "UnsubscribeUrl": f"{emulator.endpoint}/?Action=Unsubscribe&SubscriptionArn={subscription}",
        "MessageAttributes": {
            "text": {"Type": "String", "Value": "ü"},
            "blob": {"Type": "Binary", "Value": "AP8="},
        },
    }


def test_a_message_without_subject_and_attributes_says_so(sns: SNSClient, recorder: Recorder) -> None:
    topic = create_topic(sns)
    recorder.let_in(topic)
    subscribe_function(sns, topic, recorder.arn)
    bodies = json.dumps({"default": "d", "lambda": "for functions", "sqs": "for queues"})
    sns.publish(TopicArn=topic, Message=bodies, MessageStructure="json")
    notification = recorder.events(1)[0][1]["Records"][0]["Sns"]
    assert (notification["Message"], notification["Subject"], notification["MessageAttributes"]) == (
        "for functions",
        None,
        {},
    )


def test_functions_and_queues_of_a_topic_are_filtered_each_on_its_own(
    sns: SNSClient, sqs: SQSClient, recorder: Recorder
) -> None:
    topic = create_topic(sns)
    recorder.let_in(topic)
    subscribe_function(sns, topic, recorder.arn, FilterPolicy='{"n": [2]}', FilterPolicyScope="MessageBody")
    queue = raw_subscriber(sns, sqs, topic)
    for n in range(4):
        sns.publish(TopicArn=topic, Message=json.dumps({"n": n}))
    assert [event["Records"][0]["Sns"]["Message"] for _, event in recorder.events(1)] == ['{"n": 2}']
    assert len(queue.bodies()) == 4


def test_what_a_function_does_not_let_in_goes_to_the_dead_letter_queue(
    sns: SNSClient, sqs: SQSClient, recorder: Recorder
) -> None:
    topic, other = create_topic(sns), create_topic(sns)
    dead_letters = create_queue(sqs, topic)
    redrive = json.dumps({"deadLetterTargetArn": dead_letters.arn})
    subscription = subscribe_function(sns, topic, recorder.arn, RedrivePolicy=redrive)
    missing = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{unique('missing')}"
    subscribe_function(sns, topic, missing, RedrivePolicy=redrive)
    attributes: Any = {"attr1": {"DataType": "Number", "StringValue": "1"}}
    recorder.let_in(other)
    published = sns.publish(TopicArn=topic, Message="refused", MessageAttributes=attributes)
    first, second = (json.loads(body) for body in dead_letters.bodies())
    assert first["UnsubscribeURL"].endswith(subscription)
    for document in (first, second):
        assert (document["Type"], document["MessageId"], document["Message"]) == (
            "Notification",
            published["MessageId"],
            "refused",
        )
        assert document["MessageAttributes"] == {"attr1": {"Type": "Number", "Value": "1"}}
    recorder.let_in(topic)
    sns.publish(TopicArn=topic, Message="accepted")
    assert [event["Records"][0]["Sns"]["Message"] for _, event in recorder.events(1)] == ["accepted"]


def test_an_alias_is_let_in_on_its_own(sns: SNSClient, account: Account, recorder: Recorder) -> None:
    topic = create_topic(sns)
    account.client.create_alias(FunctionName=recorder.name, Name="live", FunctionVersion="$LATEST")
    recorder.let_in(topic, Qualifier="live")
    subscribe_function(sns, topic, f"{recorder.arn}:live")
    subscribe_function(sns, topic, recorder.arn)
    sns.publish(TopicArn=topic, Message="m")
    assert [invoked for invoked, _ in recorder.events(1)] == [f"{recorder.arn}:live"]


def test_functions_have_no_raw_delivery(sns: SNSClient) -> None:
    topic = create_topic(sns)
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
    assert refusal(lambda: subscribe_function(sns, topic, arn, RawMessageDelivery="true")) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Delivery protocol [lambda] does not support raw message delivery.",
    )
    subscription = subscribe_function(sns, topic, arn, RawMessageDelivery="false")
    found = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert (found["Protocol"], found["Endpoint"], found["RawMessageDelivery"]) == ("lambda", arn, "false")

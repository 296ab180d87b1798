"""Amazon SNS of the emulator, as any AWS client sees it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from support.dev import Dev
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.sns.filter_policy import Scope, compile_filter_policy
from treadle_local.sns.service import Sns
from treadle_local.sqs.message import MessageAttribute
from treadle_local.sqs.service import Sqs

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

ACCOUNT = "000000000000"
KIB = 1024


@pytest.fixture
def sns(emulator: Dev) -> SNSClient:
    return cast("SNSClient", emulator.client("sns"))


@pytest.fixture
def sqs(emulator: Dev) -> SQSClient:
    return cast("SQSClient", emulator.client("sqs"))


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """Code and message of the refusal of a call."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response.get("Error", {})
    return error.get("Code", ""), error.get("Message", "")


def create_topic(sns: SNSClient, **attributes: str) -> str:
    return sns.create_topic(Name=unique("topic"), Attributes=attributes)["TopicArn"]


def policy_for(queue_arn: str, topic_arn: str) -> str:
    """The policy that lets a topic send to a queue."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True, slots=True)
class TestQueue:
    """A queue of a test; `arn` is what topics know it by."""

    __test__ = False
    sqs: SQSClient
    url: str
    arn: str

    def receive(self) -> list[MessageTypeDef]:
        """All that is in the queue, which is empty afterwards."""
        found: list[MessageTypeDef] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=43_200
        ).get("Messages"):
            found += messages
        return found

    def bodies(self) -> list[str]:
        return [message.get("Body", "") for message in self.receive()]


def create_queue(sqs: SQSClient, topic_arn: str | None = None, **attributes: str) -> TestQueue:
    """A queue; one that accepts messages of a topic, if one is given."""
    name = unique("queue")
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    if topic_arn is not None:
        attributes["Policy"] = policy_for(arn, topic_arn)
    return TestQueue(sqs, sqs.create_queue(QueueName=name, Attributes=cast("Any", attributes))["QueueUrl"], arn)


def subscribe(sns: SNSClient, topic_arn: str, queue: TestQueue, **attributes: str) -> str:
    return sns.subscribe(
        TopicArn=topic_arn, Protocol="sqs", Endpoint=queue.arn, Attributes=attributes, ReturnSubscriptionArn=True
    )["SubscriptionArn"]


def raw_subscriber(sns: SNSClient, sqs: SQSClient, topic_arn: str, **attributes: str) -> TestQueue:
    queue = create_queue(sqs, topic_arn)
    subscribe(sns, topic_arn, queue, RawMessageDelivery="true", **attributes)
    return queue


# Delivery


def test_raw_delivery_gives_the_body_and_the_attributes_as_they_were_published(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    attributes: Any = {
        "text": {"DataType": "String", "StringValue": "grüße & <so>"},
        "list": {"DataType": "String.Array", "StringValue": '["a", 1]'},
        "number": {"DataType": "Number", "StringValue": "1.50"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sns.publish(TopicArn=topic, Message='{"ä": "\n𝄞"}', MessageAttributes=attributes, Subject="left out")
    (message,) = queue.receive()
    assert message.get("Body") == '{"ä": "\n𝄞"}'
    assert message.get("MessageAttributes") == attributes


def test_delivery_that_is_not_raw_wraps_the_message(sns: SNSClient, sqs: SQSClient, emulator: Dev) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs, topic)
    subscription = subscribe(sns, topic, queue)
    published = sns.publish(
        TopicArn=topic,
        Message="grüße",
        Subject="Hello",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "v"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    (message,) = queue.receive()
    assert "MessageAttributes" not in message
    assert message.get("MessageId") != published["MessageId"]
    document = json.loads(message.get("Body", ""))
    assert document.pop("Timestamp").endswith("Z")
    assert document.pop("Signature")
    assert document.pop("SigningCertURL").startswith("https://")
    assert document == {
        "Type": "Notification",
        "MessageId": published["MessageId"],
        "TopicArn": topic,
        "Subject": "Hello",
        "Message": "grüße",
        "SignatureVersion": "1",
        "UnsubscribeURL": f"{emulator.endpoint}/?Action=Unsubscribe&SubscriptionArn={subscription}",
        "MessageAttributes": {
            "text": {"Type": "String", "Value": "v"},
            "blob": {"Type": "Binary", "Value": "AP8="},
        },
    }


def test_each_of_many_subscriptions_gets_the_message_once(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queues = [raw_subscriber(sns, sqs, topic) for _ in range(120)]
    sns.publish(TopicArn=topic, Message="m")
    assert [queue.bodies() for queue in queues] == [["m"]] * 120


def test_a_message_can_have_a_body_for_each_protocol(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)

    def publish(**bodies: object) -> object:
        return sns.publish(TopicArn=topic, Message=json.dumps(bodies), MessageStructure="json")

    publish(default="d", sqs="for queues")
    publish(default="d", email="for people")
    assert queue.bodies() == ["for queues", "d"]
    assert "No default entry" in refusal(lambda: publish(sqs="for queues"))[1]
    with pytest.raises(ClientError, match="JSON message body failed to parse"):
        sns.publish(TopicArn=topic, Message="nonsense", MessageStructure="json")


def test_the_group_of_a_message_reaches_the_queue(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    sns.publish(TopicArn=topic, Message="m", MessageGroupId="tenant")
    found = sqs.receive_message(QueueUrl=queue.url, MessageSystemAttributeNames=["MessageGroupId"])["Messages"]
    assert found[0].get("Attributes") == {"MessageGroupId": "tenant"}


# What cannot be delivered


def test_a_queue_whose_policy_does_not_allow_the_topic_gets_nothing(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    closed, other = create_queue(sqs), create_queue(sqs, create_topic(sns))
    open_queue = raw_subscriber(sns, sqs, topic)
    for queue in (closed, other):
        subscribe(sns, topic, queue, RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="refused")
    sqs.set_queue_attributes(QueueUrl=closed.url, Attributes={"Policy": policy_for(closed.arn, topic)})
    sns.publish(TopicArn=topic, Message="accepted")
    sqs.set_queue_attributes(QueueUrl=closed.url, Attributes={"Policy": ""})
    sqs.set_queue_attributes(QueueUrl=other.url, Attributes={"Policy": policy_for(other.arn, topic)})
    sns.publish(TopicArn=topic, Message="refused again")
    assert closed.bodies() == ["accepted"]
    assert other.bodies() == ["refused again"]
    assert open_queue.bodies() == ["refused", "accepted", "refused again"]


def test_what_a_queue_cannot_take_goes_to_the_dead_letter_queue_of_its_subscription(
    sns: SNSClient, sqs: SQSClient
) -> None:
    topic = create_topic(sns)
    dead_letters = create_queue(sqs, topic)
    redrive = json.dumps({"deadLetterTargetArn": dead_letters.arn})
    gone = raw_subscriber(sns, sqs, topic, RedrivePolicy=redrive)
    closed = create_queue(sqs)
    subscribe(sns, topic, closed, RawMessageDelivery="true", RedrivePolicy=redrive)
    short = create_queue(sqs, topic, MaximumMessageSize="1024")
    subscribe(sns, topic, short, RawMessageDelivery="true", RedrivePolicy=redrive)
    sqs.delete_queue(QueueUrl=gone.url)
    sns.publish(TopicArn=topic, Message="short")
    assert dead_letters.bodies() == ["short", "short"]
    assert short.bodies() == ["short"]
    sns.publish(TopicArn=topic, Message="x" * 1025)
    assert len(dead_letters.bodies()) == 3
    assert short.bodies() == []


def test_raw_delivery_refuses_more_than_ten_attributes(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    dead_letters = create_queue(sqs, topic)
    wrapped = create_queue(sqs, topic)
    subscribe(sns, topic, wrapped)
    raw = raw_subscriber(sns, sqs, topic, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_letters.arn}))
    attributes: Any = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(11)}
    sns.publish(TopicArn=topic, Message="m", MessageAttributes=attributes)
    assert raw.bodies() == []
    assert len(json.loads(wrapped.bodies()[0])["MessageAttributes"]) == 11
    (dead,) = dead_letters.receive()
    assert dead.get("MessageAttributes") == attributes


def test_a_message_that_nobody_took_is_reported() -> None:
    reported: list[tuple[str, str, str]] = []
    clock = ManualClock()
    sqs = Sqs(Region(), clock)

    def accepts(policy: dict[str, Any], action: str, resource: str, service_principal: str, source_arn: str) -> bool:
        assert (action, service_principal) == ("sqs:SendMessage", "sns.amazonaws.com")
        return bool(policy["Statement"])

    def report(topic_arn: str, subscription_arn: str, reason: str) -> None:
        reported.append((topic_arn, subscription_arn, reason))

    sns = Sns(Region(), clock, sqs, accepts, report)
    topic = sns.handle("CreateTopic", {"Name": "t"}, ROOT)["TopicArn"]

    def subscribe_queue(name: str, **attributes: str) -> str:
        endpoint = Region().arn("sqs", name)
        params = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": endpoint, "Attributes": attributes}
        return str(sns.handle("Subscribe", params, ROOT)["SubscriptionArn"])

    for name, policy in (("without", ""), ("closed", '{"Statement": []}'), ("open", '{"Statement": [{}]}')):
        sqs.handle("CreateQueue", {"QueueName": name, "Attributes": {"Policy": policy}}, ROOT)
    redrive = json.dumps({"deadLetterTargetArn": Region().arn("sqs", "closed")})
    arns = [
        subscribe_queue("missing", RedrivePolicy=redrive),
        subscribe_queue("without"),
        subscribe_queue("closed"),
        subscribe_queue("open", RawMessageDelivery="true"),
    ]
    sns.handle("Publish", {"TopicArn": topic, "Message": "\x00"}, ROOT)
    assert [(topic_arn, subscription) for topic_arn, subscription, _ in reported] == [(topic, arn) for arn in arns]
    missing, without, closed, forbidden = [reason for _, _, reason in reported]
    assert "missing does not exist; dead-letter queue: the policy of the queue" in missing
    assert "does not allow sns.amazonaws.com to sqs:SendMessage" in without
    assert "does not allow sns.amazonaws.com to sqs:SendMessage" in closed
    assert "characters" in forbidden


# Filters


def attribute(data_type: str, value: str) -> MessageAttribute:
    return MessageAttribute(data_type, value)


def wanted_by_attributes(policy: object, **attributes: MessageAttribute) -> bool:
    compiled = compile_filter_policy(json.dumps(policy), "MessageAttributes")
    assert compiled is not None
    return compiled.wants("", attributes)


def wanted_by_body(policy: object, body: object) -> bool:
    compiled = compile_filter_policy(json.dumps(policy), "MessageBody")
    assert compiled is not None
    return compiled.wants(json.dumps(body), {})


VALUES: list[tuple[list[Any], list[Any], list[Any]]] = [
    (["rugby", "tennis"], ["rugby", "tennis"], ["football", "Rugby", 1, None, True]),
    ([{"prefix": "bas"}], ["baseball", "bas"], ["rugby", "Baseball", 1]),
    ([{"suffix": "ball"}], ["baseball", "ball"], ["rugby", "ballet"]),
    ([{"equals-ignore-case": "tEnnIs"}], ["TENNIS", "tennis"], ["tennis ", 1]),
    ([{"wildcard": "*ball"}], ["ball", "baseball"], ["balls"]),
    ([{"wildcard": "a*b*c"}], ["abc", "aXbYbc", "a*b*c"], ["ab", "acb", "abcd", "abXd"]),
    ([{"wildcard": r"a\*\\*"}], ["a*\\", "a*\\x"], ["ab\\", "a*"]),
    ([{"wildcard": "ab*ba"}], ["abba", "abXba"], ["aba"]),
    ([{"anything-but": ["rugby", 5]}], ["tennis", 6, "5", True], ["rugby", 5]),
    ([{"anything-but": "rugby"}], ["tennis"], ["rugby"]),
    ([{"anything-but": {"prefix": "order-"}}], ["data-entry"], ["order-number"]),
    ([{"anything-but": {"suffix": "ball"}}], ["hockey"], ["baseball"]),
    ([{"cidr": "10.0.0.0/24"}], ["10.0.0.0", "10.0.0.255"], ["10.0.1.0", "ten", "::1", 10]),
    ([{"cidr": "2001:db8::/32"}], ["2001:db8::1"], ["2001:db9::1"]),
    ([{"numeric": ["=", 301.5]}], [301.5, 3.015e2], [301, "301.5"]),
    ([{"numeric": ["<", 10]}], [9.99999, -5], [10, True]),
    ([{"numeric": [">", 0, "<=", 150]}], [1, 150], [0, 151]),
    ([100, "x"], [100, 100.0, "x"], ["100", True]),
    ([True, None], [True, None], [False, 0, "true"]),
    ([{"exists": True}], ["x", None, 0], []),
]


@pytest.mark.parametrize(("rules", "fits", "fails"), VALUES)
def test_a_property_of_the_body_is_matched(rules: list[Any], fits: list[Any], fails: list[Any]) -> None:
    for value in fits:
        assert wanted_by_body({"key": rules}, {"key": value, "other": 1}), value
        elements: list[Any] = [{}, value]
        assert wanted_by_body({"a": {"key": rules}}, {"a": {"key": elements}}), value
    for value in fails:
        assert not wanted_by_body({"key": rules}, {"key": value}), value
    assert not wanted_by_body({"key": rules}, {"other": 1})
    assert not wanted_by_body({"key": rules}, [])


@pytest.mark.parametrize(("rules", "fits", "fails"), VALUES)
def test_an_attribute_is_matched_by_its_type(rules: list[Any], fits: list[Any], fails: list[Any]) -> None:
    def carried(value: Any) -> MessageAttribute:
        if isinstance(value, str):
            return attribute("String", value)
        if isinstance(value, bool) or value is None:
            return attribute("String.Array", json.dumps([value]))
        return attribute("Number", repr(value))

    for value in fits:
        assert wanted_by_attributes({"key": rules}, key=carried(value)), value
        assert wanted_by_attributes({"key": rules}, key=attribute("String.Array", json.dumps([value, value])))
    for value in fails:
        assert not wanted_by_attributes({"key": rules}, key=carried(value)), value
    assert not wanted_by_attributes({"key": rules})
    assert not wanted_by_attributes({"key": rules}, key=MessageAttribute("Binary", b"rugby"))


def test_a_property_may_be_wanted_absent() -> None:
    absent = {"key": [{"exists": False}]}
    assert wanted_by_body(absent, {"other": 1})
    assert not wanted_by_body(absent, {"key": None})
    assert wanted_by_attributes(absent)
    assert not wanted_by_attributes(absent, key=attribute("String", "x"))


def test_all_keys_must_fit_and_one_alternative_of_each_or() -> None:
    policy = {
        "source": ["aws"],
        "$or": [{"metric": ["cpu"]}, {"namespace": ["ec2", "es"], "detail": {"level": [{"numeric": [">", 3]}]}}],
    }
    assert wanted_by_body(policy, {"source": "aws", "metric": "cpu"})
    assert wanted_by_body(policy, {"source": "aws", "namespace": "es", "detail": {"level": 4}})
    assert not wanted_by_body(policy, {"source": "aws", "namespace": "es", "detail": {"level": 3}})
    assert not wanted_by_body(policy, {"metric": "cpu"})
    assert not wanted_by_body(policy, {"source": "aws"})
    by_attributes = {"$or": [{"a": ["x"]}, {"b": ["x"]}]}
    assert wanted_by_attributes(by_attributes, b=attribute("String", "x"))
    assert not wanted_by_attributes(by_attributes, c=attribute("String", "x"))


def test_one_element_of_an_array_must_fit_as_a_whole() -> None:
    policy = {"items": {"kind": ["book"], "count": [2]}}
    assert wanted_by_body(policy, {"items": [{"kind": "pen", "count": 1}, {"kind": "book", "count": 2}]})
    assert not wanted_by_body(policy, {"items": [{"kind": "pen", "count": 2}, {"kind": "book", "count": 1}]})


@given(st.text("ab", max_size=8), st.text("ab*", max_size=6).filter(lambda pattern: "**" not in pattern and pattern))
def test_a_wildcard_matches_what_its_pieces_in_order_match(value: str, pattern: str) -> None:
    def fits(text: str, rest: str) -> bool:
        if not rest:
            return not text
        if rest[0] == "*":
            return fits(text, rest[1:]) or (bool(text) and fits(text[1:], rest))
        return bool(text) and text[0] == rest[0] and fits(text[1:], rest[1:])

    assert wanted_by_body({"key": [{"wildcard": pattern}]}, {"key": value}) == fits(value, pattern)


@pytest.mark.parametrize(
    ("policy", "scope", "reason"),
    [
        ("nonsense", "MessageBody", "failed to parse JSON"),
        ('["a"]', "MessageBody", "JSON object"),
        ('{"key": "a"}', "MessageBody", "must be an object or an array"),
        ('{"key": []}', "MessageBody", "Empty arrays are not allowed"),
        ('{"key": [["a"]]}', "MessageBody", "Match value must be"),
        ('{"key": {"nested": ["a"]}}', "MessageAttributes", "does not support nested filter policy"),
        ('{"key": [{"prefix": "a", "suffix": "b"}]}', "MessageBody", "Only one key allowed"),
        ('{"key": [{"almost": "a"}]}', "MessageBody", "Unrecognized match type almost"),
        ('{"key": [{"exists": "true"}]}', "MessageBody", "either true or false"),
        ('{"key": [{"prefix": 1}]}', "MessageBody", "prefix match pattern"),
        ('{"key": [{"wildcard": "a**b"}]}', "MessageBody", "Consecutive wildcard"),
        ('{"key": [{"cidr": "10.0.0.0/99"}]}', "MessageBody", "Malformed CIDR"),
        ('{"key": [{"numeric": ["~", 1]}]}', "MessageBody", "Unrecognized numeric range operator"),
        ('{"key": [{"numeric": [">", 5, "<", 1]}]}', "MessageBody", "Bad numeric range"),
        ('{"key": [{"numeric": ["=", 1000000001]}]}', "MessageBody", "between -1000000000"),
        ('{"key": [{"anything-but": [null]}]}', "MessageBody", "anything-but list"),
        ('{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}', "MessageBody", "more than 5 keys"),
        (json.dumps({"a": list(range(13)), "b": list(range(12))}), "MessageBody", "too complex"),
        (json.dumps({"a": {"b": {"c": list(range(51))}}}), "MessageBody", "too complex"),
    ],
)
def test_a_malformed_filter_policy_is_refused(
    sns: SNSClient, sqs: SQSClient, policy: str, scope: Scope, reason: str
) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs)
    code, text = refusal(lambda: subscribe(sns, topic, queue, FilterPolicy=policy, FilterPolicyScope=scope))
    assert code == "InvalidParameter"
    assert reason in text


def test_a_subscription_gets_what_its_filter_wants(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    everything = raw_subscriber(sns, sqs, topic)
    by_attribute = raw_subscriber(sns, sqs, topic, FilterPolicy='{"kind": ["a"]}')
    by_body = raw_subscriber(sns, sqs, topic, FilterPolicy='{"kind": ["a"]}', FilterPolicyScope="MessageBody")
    kind_a: Any = {"kind": {"DataType": "String", "StringValue": "a"}}
    sns.publish(TopicArn=topic, Message="text", MessageAttributes=kind_a)
    sns.publish(TopicArn=topic, Message='{"kind": "a"}')
    sns.publish(TopicArn=topic, Message='{"kind": "b"}')
    assert len(everything.bodies()) == 3
    assert by_attribute.bodies() == ["text"]
    assert by_body.bodies() == ['{"kind": "a"}']


def test_a_filter_can_be_changed_and_removed(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs, topic)
    arn = subscribe(sns, topic, queue, RawMessageDelivery="true", FilterPolicy='{"kind": ["a"]}')

    def change(name: str, value: str) -> None:
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)

    sns.publish(TopicArn=topic, Message='{"kind": "a"}')
    change("FilterPolicyScope", "MessageBody")
    sns.publish(TopicArn=topic, Message='{"kind": "a"}')
    change("FilterPolicy", "{}")
    sns.publish(TopicArn=topic, Message="anything")
    assert queue.bodies() == ['{"kind": "a"}', "anything"]
    assert "FilterPolicy" not in sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


# Publishing


def test_a_message_may_have_256_kib_with_its_attributes(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    attributes: Any = {"a": {"DataType": "String", "StringValue": "ö"}}
    exact = "é" * ((256 * KIB - 10) // 2) + "x"
    sns.publish(TopicArn=topic, Message=exact, MessageAttributes=attributes)
    assert refusal(lambda: sns.publish(TopicArn=topic, Message=f"{exact}x", MessageAttributes=attributes)) == (
        "InvalidParameter",
        "Invalid parameter: Message too long",
    )
    assert queue.bodies() == [exact]


def test_a_topic_may_have_another_limit(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns, MaximumMessageSize="1048576")
    queue = raw_subscriber(sns, sqs, topic)
    sns.publish(TopicArn=topic, Message="x" * (1024 * KIB))
    assert len(queue.bodies()[0]) == 1024 * KIB
    sns.set_topic_attributes(TopicArn=topic, AttributeName="MaximumMessageSize", AttributeValue="1024")
    assert refusal(lambda: sns.publish(TopicArn=topic, Message="x" * 1025))[1].endswith("Message too long")
    assert refusal(lambda: create_topic(sns, MaximumMessageSize="1023"))[0] == "InvalidParameter"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"Message": ""}, "InvalidParameter"),
        ({"Subject": "line\nbreak"}, "InvalidParameter"),
        ({"Subject": "x" * 101}, "InvalidParameter"),
        ({"Subject": "ümlaut"}, "InvalidParameter"),
        ({"MessageStructure": "xml"}, "InvalidParameter"),
        ({"MessageDeduplicationId": "x"}, "InvalidParameter"),
        ({"MessageAttributes": {"a": {"DataType": "Text", "StringValue": "x"}}}, "ParameterValueInvalid"),
        ({"MessageAttributes": {"a": {"DataType": "Number", "StringValue": "x"}}}, "ParameterValueInvalid"),
        ({"MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}}, "ParameterValueInvalid"),
        ({"MessageAttributes": {"a b": {"DataType": "String", "StringValue": "x"}}}, "ParameterValueInvalid"),
    ],
)
def test_a_malformed_publication_is_refused(sns: SNSClient, options: Mapping[str, Any], code: str) -> None:
    topic = create_topic(sns)
    params: Any = {"TopicArn": topic, "Message": "m", **options}
    assert refusal(lambda: sns.publish(**params))[0] == code


def test_publishing_needs_a_topic(sns: SNSClient) -> None:
    missing = f"arn:aws:sns:us-east-1:{ACCOUNT}:{unique('missing')}"
    assert refusal(lambda: sns.publish(TopicArn=missing, Message="m")) == ("NotFound", "Topic does not exist")
    code, text = refusal(lambda: sns.publish(TopicArn="nonsense", Message="m"))
    assert (code, "must have at least 6 elements" in text) == ("InvalidParameter", True)
    assert "not in Treadle's emulator yet" in refusal(lambda: sns.publish(PhoneNumber="+1234567", Message="m"))[1]


def test_a_batch_is_published_entry_by_entry(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    result = sns.publish_batch(
        TopicArn=topic,
        PublishBatchRequestEntries=[
            {"Id": "good", "Message": "m", "MessageAttributes": {"a": {"DataType": "String", "StringValue": "v"}}},
            {"Id": "bad", "Message": "m", "Subject": "\n"},
        ],
    )
    assert [entry.get("Id") for entry in result["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in result["Failed"]] == [
        ("bad", "InvalidParameter", True)
    ]
    (message,) = queue.receive()
    assert message.get("MessageAttributes") == {"a": {"DataType": "String", "StringValue": "v"}}


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": str(number), "Message": "m"} for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "Message": "m"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "Message": "m"}], "InvalidBatchEntryId"),
        ([{"Id": name, "Message": "x" * 128 * KIB + "x"} for name in "ab"], "BatchRequestTooLong"),
    ],
)
def test_a_batch_is_refused_as_a_whole(
    sns: SNSClient, sqs: SQSClient, entries: list[dict[str, str]], code: str
) -> None:
    topic = create_topic(sns)
    queue = raw_subscriber(sns, sqs, topic)
    batch = cast("Any", entries)
    assert refusal(lambda: sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch))[0] == code
    assert queue.bodies() == []


# Topics


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


# Subscriptions


def test_a_subscription_has_the_attributes_of_aws(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue, dead_letters = create_queue(sqs), create_queue(sqs)
    redrive = json.dumps({"deadLetterTargetArn": dead_letters.arn})
    arn = subscribe(sns, topic, queue, FilterPolicy='{"a":  ["b"]}', RedrivePolicy=redrive)
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"] == {
        "SubscriptionArn": arn,
        "TopicArn": topic,
        "Owner": ACCOUNT,
        "Protocol": "sqs",
        "Endpoint": queue.arn,
        "SubscriptionPrincipal": f"arn:aws:iam::{ACCOUNT}:root",
        "ConfirmationWasAuthenticated": "true",
        "PendingConfirmation": "false",
        "RawMessageDelivery": "false",
        "FilterPolicy": '{"a":  ["b"]}',
        "FilterPolicyScope": "MessageAttributes",
        "RedrivePolicy": redrive,
    }
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed == {
        "SubscriptionArn": arn,
        "Owner": ACCOUNT,
        "Protocol": "sqs",
        "Endpoint": queue.arn,
        "TopicArn": topic,
    }
    pages = sns.get_paginator("list_subscriptions").paginate()
    assert listed in [subscription for page in pages for subscription in page["Subscriptions"]]


def test_subscribing_again_needs_the_same_attributes(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs, topic)
    arn = subscribe(sns, topic, queue, RawMessageDelivery="true")
    assert subscribe(sns, topic, queue) == subscribe(sns, topic, queue, RawMessageDelivery="true") == arn
    _, text = refusal(lambda: subscribe(sns, topic, queue, RawMessageDelivery="false"))
    assert "already exists with different attributes" in text
    sns.publish(TopicArn=topic, Message="m")
    assert queue.bodies() == ["m"]


def test_who_unsubscribed_gets_nothing_more(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs, topic)
    arn = subscribe(sns, topic, queue)
    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)
    sns.publish(TopicArn=topic, Message="m")
    assert queue.bodies() == []
    assert subscribe(sns, topic, queue) != arn


def test_raw_delivery_can_be_switched_off(sns: SNSClient, sqs: SQSClient) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs, topic)
    arn = subscribe(sns, topic, queue, RawMessageDelivery="true")
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="false")
    sns.publish(TopicArn=topic, Message="m")
    assert json.loads(queue.bodies()[0])["Message"] == "m"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("RawMessageDelivery", "perhaps", "Must be true or false"),
        ("FilterPolicyScope", "Nonsense", "Please use either MessageBody or MessageAttributes"),
        ("RedrivePolicy", "nonsense", "must be a JSON object"),
        ("RedrivePolicy", '{"deadLetterTargetArn": "nonsense"}', "must be the ARN of an SQS queue"),
        ("Nonsense", "x", "AttributeName"),
        ("DeliveryPolicy", "{}", "not in Treadle's emulator yet"),
    ],
)
def test_a_subscription_attribute_is_checked(
    sns: SNSClient, sqs: SQSClient, name: str, value: str, reason: str
) -> None:
    topic = create_topic(sns)
    queue = create_queue(sqs)
    code, text = refusal(lambda: subscribe(sns, topic, queue, **{name: value}))
    assert code == "InvalidParameter"
    assert reason in text
    arn = subscribe(sns, topic, queue)
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)


@pytest.mark.parametrize(
    ("protocol", "endpoint", "reason"),
    [
        ("lambda", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f", "protocol lambda are not in Treadle's emulator"),
        ("email", "somebody@example.com", "protocol email are not in Treadle's emulator"),
        ("pigeon", "x", "does not support this protocol string"),
        ("sqs", "nonsense", "SQS endpoint ARN"),
        ("sqs", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo", "FIFO SQS Queues can not be subscribed"),
    ],
)
def test_only_standard_queues_can_be_subscribed(sns: SNSClient, protocol: str, endpoint: str, reason: str) -> None:
    topic = create_topic(sns)
    code, text = refusal(lambda: sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint))
    assert code == "InvalidParameter"
    assert reason in text


def test_what_is_not_built_is_refused_by_name(sns: SNSClient) -> None:
    _, text = refusal(lambda: sns.create_topic(Name=f"{unique('topic')}.fifo", Attributes={"FifoTopic": "true"}))
    assert text == "Invalid parameter: FIFO topics are not in Treadle's emulator yet"
    _, text = refusal(lambda: create_topic(sns, DeliveryPolicy="{}"))
    assert "DeliveryPolicy is not in Treadle's emulator yet" in text
    _, text = refusal(lambda: sns.add_permission(TopicArn="t", Label="l", AWSAccountId=[ACCOUNT], ActionName=["P"]))
    assert "AddPermission is not in Treadle's emulator yet" in text

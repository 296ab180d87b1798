"""Filter policies of Amazon SNS: what they match, and what subscriptions get."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.aws import refusal
from support.topics import create_queue, create_topic, raw_subscriber, subscribe
from treadle_local.sns.filter_policy import Scope, compile_filter_policy
from treadle_local.sqs.message import MessageAttribute

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


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

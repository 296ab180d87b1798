"""Filter policies of Amazon SNS: what they match, what is refused in AWS's words, and what subscriptions get.

The words are those that AWS was recorded to answer, without the place in the text that it adds after them. Wildcards,
and suffixes under `anything-but`, are operators of EventBridge and of event source mappings only.
Source: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.aws import refusal
from support.topics import create_queue, create_topic, raw_subscriber, subscribe
from treadle_local.sns.filter_policy import Filterable, Scope, compile_filter_policy, compile_pattern
from treadle_local.sqs.message import MessageAttribute

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


def attribute(data_type: str, value: str) -> MessageAttribute:
    return MessageAttribute(data_type, value)


def wanted_by_attributes(policy: object, **attributes: MessageAttribute) -> bool:
    compiled = compile_filter_policy(json.dumps(policy), "MessageAttributes")
    assert compiled is not None
    return compiled.wants(Filterable("", attributes))


def wanted_by_body(policy: object, body: object) -> bool:
    compiled = compile_filter_policy(json.dumps(policy), "MessageBody")
    assert compiled is not None
    return compiled.wants(Filterable(json.dumps(body), {}))


VALUES: list[tuple[list[Any], list[Any], list[Any]]] = [
    (["rugby", "tennis"], ["rugby", "tennis"], ["football", "Rugby", 1, None, True]),
    ([{"prefix": "bas"}], ["baseball", "bas"], ["rugby", "Baseball", 1]),
    ([{"suffix": "ball"}], ["baseball", "ball"], ["rugby", "ballet"]),
    ([{"equals-ignore-case": "tEnnIs"}], ["TENNIS", "tennis"], ["tennis ", 1]),
    ([{"anything-but": ["rugby", 5]}], ["tennis", 6, "5", True], ["rugby", 5]),
    ([{"anything-but": "rugby"}], ["tennis"], ["rugby"]),
    ([{"anything-but": {"prefix": "order-"}}], ["data-entry"], ["order-number"]),
    ([{"cidr": "10.0.0.0/24"}], ["10.0.0.0", "10.0.0.255"], ["10.0.1.0", "ten", "::1", 10]),
    ([{"cidr": "2001:db8::/32"}], ["2001:db8::1"], ["2001:db9::1"]),
    ([{"numeric": ["=", 301.5]}], [301.5, 3.015e2], [301, "301.5"]),
    ([{"numeric": ["<", 10]}], [9.99999, -5], [10, True]),
    ([{"numeric": [">", 0, "<=", 150]}], [1, 150], [0, 151]),
    ([100, "x"], [100, 100.0, "x"], ["100", True]),
    ([True, None], [True, None], [False, 0, "true"]),
    ([{"exists": True}], ["x", 0, False], ["", None]),
]


EVENTBRIDGE: list[tuple[list[Any], list[Any], list[Any]]] = [
    ([{"wildcard": "*ball"}], ["ball", "baseball"], ["balls"]),
    ([{"wildcard": "a*b*c"}], ["abc", "aXbYbc", "a*b*c"], ["ab", "acb", "abcd", "abXd"]),
    ([{"wildcard": r"a\*\\*"}], ["a*\\", "a*\\x"], ["ab\\", "a*"]),
    ([{"wildcard": "ab*ba"}], ["abba", "abXba"], ["aba"]),
    ([{"anything-but": {"suffix": "ball"}}], ["hockey"], ["baseball"]),
    ([{"anything-but": {"wildcard": "a*c"}}], ["ab"], ["abc"]),
    ([{"anything-but": {"prefix": ["a", "b"]}}], ["c"], ["ax", "bx"]),
    ([{"anything-but": {"equals-ignore-case": ["a", "B"]}}], ["c"], ["A", "b"]),
]


@pytest.mark.parametrize(("rules", "fits", "fails"), EVENTBRIDGE)
def test_eventbridge_has_more_operators(rules: list[Any], fits: list[Any], fails: list[Any]) -> None:
    pattern = compile_pattern({"key": rules})
    assert all(pattern.fits({"key": value}) for value in fits)
    assert not any(pattern.fits({"key": value}) for value in fails)


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
    assert not wanted_by_body({"key": rules}, {"key": []})


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
    assert wanted_by_attributes({"key": rules}) is (None in rules)
    assert wanted_by_attributes({"key": rules}, key=MessageAttribute("Binary", b"rugby")) is (None in rules)


def test_a_property_may_be_wanted_absent() -> None:
    absent = {"key": [{"exists": False}]}
    assert wanted_by_body(absent, {"other": 1})
    assert not wanted_by_body(absent, {"key": None})
    assert wanted_by_attributes(absent, other=attribute("String", "x"))
    assert wanted_by_attributes(absent, other=MessageAttribute("Binary", b"x"))
    assert not wanted_by_attributes(absent, key=attribute("String", "x"))


def test_a_message_without_anything_lacks_nothing() -> None:
    """Source: https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html"""
    absent = {"key": [{"exists": False}]}
    assert not wanted_by_attributes(absent)
    assert not wanted_by_body(absent, {})
    assert not wanted_by_attributes({"$or": [absent, {"key": ["x"]}]})
    assert wanted_by_attributes({"$or": [{"key": [None]}, {"key": ["x"]}]})


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

    assert compile_pattern({"key": [{"wildcard": pattern}]}).fits({"key": value}) == fits(value, pattern)


DOCUMENTED: list[tuple[Any, list[Any], list[Any]]] = [
    (
        {"customer_interests": ["rugby", "football", "baseball"], "price_usd": [{"numeric": [">=", 100]}]},
        [{"customer_interests": "football", "price_usd": 100}],
        [{"customer_interests": "football", "price_usd": 99.99}, {"customer_interests": "football"}],
    ),
    (
        {"customer_interests": [{"anything-but": ["rugby", "tennis"]}]},
        [{"customer_interests": "baseball"}, {"customer_interests": ["rugby", "baseball"]}],
        [{"customer_interests": "rugby"}, {"customer_interests": ["rugby", "tennis"]}],
    ),
    (
        {"price": [{"anything-but": [100, 500]}]},
        [{"price": 101}, {"price": 100.1}, {"price": [100, 50]}],
        [{"price": 100}, {"price": [100, 500]}],
    ),
    (
        {"price": [{"numeric": [">", 0, "<=", 150]}]},
        [{"price": 1}, {"price": 150}],
        [{"price": 0}, {"price": 151}],
    ),
    (
        {"source": ["aws.cloudwatch"], "$or": [{"metricName": ["CPUUtilization"]}, {"namespace": ["AWS/EC2"]}]},
        [
            {"source": "aws.cloudwatch", "metricName": "CPUUtilization"},
            {"source": "aws.cloudwatch", "namespace": "AWS/EC2", "metricName": "other"},
        ],
        [{"source": "aws.cloudwatch"}, {"metricName": "CPUUtilization"}],
    ),
    (
        {
            "$or": [{"metricName": ["CPUUtilization", "ReadLatency"]}, {"namespace": ["AWS/EC2", "AWS/ES"]}],
            "detail": {"scope": ["Service"], "$or": [{"source": ["aws.cloudwatch"]}, {"type": ["Alarm"]}]},
        },
        [
            {"metricName": "ReadLatency", "detail": {"scope": "Service", "source": "aws.cloudwatch"}},
            {"namespace": "AWS/ES", "detail": {"scope": "Service", "type": "Alarm"}},
        ],
        [
            {"metricName": "ReadLatency", "detail": {"source": "aws.cloudwatch"}},
            {"metricName": "ReadLatency", "detail": {"scope": "Service"}},
            {"metricName": "ReadLatency", "scope": "Service", "source": "aws.cloudwatch"},
        ],
    ),
    # `$or` as the name of a property: one alternative only, a value that is no object, an operator within
    ({"$or": [{"prefix": "a"}, {"suffix": "b"}]}, [{"$or": "ax"}, {"$or": "xb"}], [{"$or": "x"}, {}]),
    ({"$or": ["CPUUtilization"]}, [{"$or": "CPUUtilization"}], [{}]),
    # names with dots are paths, whichever way either side writes them
    (
        {"object": {"nested.test": ["v"]}},
        [{"object": {"nested": {"test": "v"}}}, {"object.nested.test": "v"}, {"object.nested": {"test": "v"}}],
        [{"nested.test": "v"}, {"object": {"nested": "v"}}],
    ),
    (
        {"Records": {"s3": {"object": {"key": [{"prefix": "auto-"}]}}, "eventName": [{"prefix": "ObjectCreated:"}]}},
        [{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": [[{"key": "auto-1.xml"}]]}}]}],
        [
            {
                "Records": [
                    {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "home-1.xml"}}},
                    {"eventName": "ObjectRemoved:Delete", "s3": {"object": {"key": "auto-1.xml"}}},
                ]
            }
        ],
    ),
]


@pytest.mark.parametrize(("policy", "fits", "fails"), DOCUMENTED)
def test_documented_and_recorded_examples_hold(policy: Any, fits: list[Any], fails: list[Any]) -> None:
    """Source: https://docs.aws.amazon.com/sns/latest/dg/and-or-logic.html, string-value-matching.html,
    numeric-value-matching.html"""
    for body in fits:
        assert wanted_by_body(policy, body), body
    for body in fails:
        assert not wanted_by_body(policy, body), body


def test_null_wants_an_attribute_to_be_missing() -> None:
    policy = {"key": [None, {"anything-but": "whatever"}]}
    assert wanted_by_attributes(policy)
    assert wanted_by_attributes(policy, key=attribute("String", "x"))
    assert not wanted_by_attributes(policy, key=attribute("String", "whatever"))
    assert not wanted_by_body(policy, {})
    assert wanted_by_body(policy, {"key": None})


@pytest.mark.parametrize("body", ["text", '"text"', "[1]", "1", "null", '{"key": NaN}', "{" * 100_000])
def test_a_body_that_is_no_object_is_wanted_by_no_policy_over_bodies(body: str) -> None:
    compiled = compile_filter_policy('{"key": [{"exists": false}]}', "MessageBody")
    assert compiled is not None
    assert not compiled.wants(Filterable(body, {}))


MALFORMED = [
    ("nonsense", "failed to parse JSON."),
    ('["a"]', "Filter policy must be a JSON object"),
    ('{"key": "a"}', '"key" must be an object or an array'),
    ('{"key": {"suffix": "value"}}', '"suffix" must be an object or an array'),
    ('{"key": []}', '"key": Empty arrays are not allowed'),
    ('{"key": {}}', '"key": empty objects are not allowed'),
    ('{"key": [["a"]]}', "Match value must be String, number, true, false, or null"),
    ('{"key": [{"prefix": "a", "suffix": "b"}]}', "Only one key allowed in match expression"),
    ('{"key": [{"almost": "a"}]}', "Unrecognized match type almost"),
    ('{"key": [{"wildcard": "a*"}]}', "Unrecognized match type wildcard"),
    ('{"key": [{"exists": "no"}]}', "exists match pattern must be either true or false."),
    ('{"key": [{"prefix": 1}]}', "prefix match pattern must be a string"),
    ('{"key": [{"suffix": []}]}', "suffix match pattern must be a string"),
    ('{"key": [{"cidr": "10.0.0.0"}]}', "Malformed CIDR, one '/' required"),
    ('{"key": [{"cidr": "10.0.0.0/99"}]}', "Malformed CIDR: 10.0.0.0/99"),
    ('{"key": [{"anything-but": {"suffix": "test"}}]}', "Unsupported anything-but pattern: suffix"),
    ('{"key": [{"anything-but": {"exists": false}}]}', "Unsupported anything-but pattern: exists"),
    ('{"key": [{"anything-but": {"prefix": false}}]}', "prefix match pattern must be a string"),
    ('{"key": [{"numeric": []}]}', "Invalid member in numeric match: ]"),
    ('{"key": [{"numeric": ["operator"]}]}', "Unrecognized numeric range operator: operator"),
    ('{"key": [{"numeric": [1, "<="]}]}', "Invalid member in numeric match: 1"),
    ('{"key": [{"numeric": ["=", "000"]}]}', "Value of equals must be numeric"),
    ('{"key": [{"numeric": [">="]}]}', "Value of >= must be numeric"),
    ('{"key": [{"numeric": ["<", 100, ">", 10]}]}', "Too many elements in numeric expression"),
    ('{"key": [{"numeric": [">=", 1, ">", 2]}]}', "Bad numeric range operator: >"),
    ('{"key": [{"numeric": [">", 3, "<", 1]}]}', "Bottom must be less than top"),
    ('{"key": [{"numeric": [">", 20, "<="]}]}', "Value of <= must be numeric"),
    ('{"key": [{"numeric": [">", 20, 30]}]}', "Bad value in numeric range: 30"),
    ('{"key": [{"numeric": [">", 20, "test"]}]}', "Bad numeric range operator: test"),
    ('{"key": [{"numeric": [">", "20", "<", "30"]}]}', "Value of > must be numeric"),
    ('{"key": [{"numeric": [">", 20, "<", "30"]}]}', "Value of < must be numeric"),
    ('{"key": [{"numeric": [">", 20, "<", 30, "<", 50]}]}', "Too many terms in numeric range expression"),
    ('{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}', "Filter policy can not have more than 5 keys"),
]


def test_a_malformed_filter_policy_is_refused_in_the_words_of_aws(sns: SNSClient, sqs: SQSClient) -> None:
    topic, queue = create_topic(sns), create_queue(sqs)
    other = subscribe(sns, topic, create_queue(sqs))
    for policy, reason in MALFORMED:
        attributes = {"FilterPolicy": policy, "FilterPolicyScope": "MessageBody"}
        expected = f"Invalid parameter: Attributes Reason: FilterPolicy: {reason}"
        assert refusal(lambda: subscribe(sns, topic, queue, **attributes)) == (  # noqa: B023
            "InvalidParameter",
            expected,
        )
    assert refusal(
        lambda: sns.set_subscription_attributes(
            SubscriptionArn=other, AttributeName="FilterPolicy", AttributeValue='{"key": {"nested": ["a"]}}'
        )
    )[1] == ("Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy")


NUMBERS = list(range(200))


def _with_choices(first: int, last: int) -> dict[str, Any]:
    """`first` times the sum of 6, 4 times 4 and 4 times `last`."""
    inner = [{"d": NUMBERS[:4]}, {"e": NUMBERS[:last]}]
    return {"a": NUMBERS[:first], "$or": [{"b": NUMBERS[:6]}, {"c": NUMBERS[:4], "$or": inner}]}


COMPLEX: list[tuple[Any, Any, Scope]] = [
    ({"key": NUMBERS[:150]}, {"key": NUMBERS[:151]}, "MessageAttributes"),
    ({"a": NUMBERS[:15], "b": NUMBERS[:10]}, {"a": NUMBERS[:15], "b": NUMBERS[:11]}, "MessageAttributes"),
    ({"a": {"b": {"c": NUMBERS[:50]}}}, {"a": {"b": {"c": NUMBERS[:51]}}}, "MessageBody"),
    (
        {"a": {"b": {"c": NUMBERS[:3]}}, "d": {"e": NUMBERS[:8]}},
        {"a": {"b": {"c": NUMBERS[:3]}}, "d": {"e": NUMBERS[:9]}},
        "MessageBody",
    ),
    (_with_choices(3, 7), _with_choices(4, 4), "MessageAttributes"),
]


@pytest.mark.parametrize(("largest", "larger", "scope"), COMPLEX)
def test_a_filter_policy_has_up_to_150_combinations(
    sns: SNSClient, sqs: SQSClient, largest: Any, larger: Any, scope: Scope
) -> None:
    topic, queue = create_topic(sns), create_queue(sqs)

    def apply(policy: Any) -> str:
        return subscribe(sns, topic, queue, FilterPolicy=json.dumps(policy), FilterPolicyScope=scope)

    _, text = refusal(lambda: apply(larger))
    assert text == "Invalid parameter: Attributes Reason: FilterPolicy: Filter policy is too complex"
    assert apply(largest)


def test_a_topic_has_up_to_200_filter_policies(sns: SNSClient) -> None:
    topic = create_topic(sns)

    def apply(number: int) -> str:
        arn = f"arn:aws:sqs:us-east-1:000000000000:nobody-{number}"
        policy = {"FilterPolicy": '{"a": ["b"]}'}
        return sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=policy)["SubscriptionArn"]

    first, *_ = [apply(number) for number in range(200)]
    assert refusal(lambda: apply(200))[0] == "FilterPolicyLimitExceeded"
    sns.unsubscribe(SubscriptionArn=first)
    apply(200)
    sns.delete_topic(TopicArn=topic)


@pytest.mark.parametrize("bound", [1_000_000_000, -1_000_000_000, 0.00001])
def test_numbers_of_a_filter_policy_lie_within_a_billion(bound: float) -> None:
    assert wanted_by_body({"key": [{"numeric": ["=", bound]}]}, {"key": bound})
    beyond = json.dumps({"key": [{"numeric": ["=", bound * 2 + 1_000_000_001 * (1 if bound > 0 else -1)]}]})
    with pytest.raises(Exception, match="between -1000000000"):
        compile_filter_policy(beyond, "MessageBody")


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

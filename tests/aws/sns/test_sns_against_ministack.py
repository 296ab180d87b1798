"""Topics, filters and deliveries compared with ministack on generated cases, through the same AWS client.

What differs is left out of the cases, or normalized, and why:

- Queue policies: ministack delivers whatever a queue's policy says; the queues here let their topic in.
- Types: to ministack a String attribute that looks like a number is one too, and the text "true" is true; AWS compares
  by type. The texts here look like neither.
- Null: over attributes AWS was recorded to deliver where null is wanted and the attribute is missing; ministack does
  not, and over bodies it takes null for no value. Null is left out.
- Arrays: ministack looks into no array of objects; AWS wants one that fits as a whole. `{"exists": false}` under an
  object that is missing is no match to ministack, and one to AWS. Bodies here have neither.
- `anything-but` with a prefix lets no number pass in ministack. It is left out.
- Envelopes: signatures, URLs and times are each emulator's own, and a Binary attribute in one is base64 text on AWS and
  here only. ministack signs the messages of FIFO topics, AWS does not.
- A duplicate of a FIFO topic is told the first one's id and number by AWS; compared is only that nobody gets it.
"""

from __future__ import annotations

import json
import random
from typing import Any

from support.aws import unique
from support.dev import Dev
from support.judges import Ministack
from support.topics import policy_for

SUBSCRIBERS, MESSAGES = 20, 25
TEXTS = ["a", "ab", "abc", "b", "AB", "x"]
NUMBERS = [-1, 0, 1, 1.5, 2, 100]
KEYS = ["p", "q", "r"]


class Generator:
    """Policies and messages, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def rule(self) -> Any:
        text, number = self._random.choice(TEXTS), self._random.choice(NUMBERS)
        return self._random.choice(
            [
                text,
                number,
                {"prefix": text},
                {"suffix": text},
                {"equals-ignore-case": text},
                {"anything-but": [text, "ab"]},
                {"anything-but": text},
                {"exists": self._random.random() < 0.5},
                {"numeric": [self._random.choice(["=", "<", "<=", ">", ">="]), number]},
                {"numeric": [">", 0, "<=", 2]},
            ]
        )

    def policy(self) -> dict[str, Any]:
        policy: dict[str, Any] = {key: self._rules() for key in self._some(KEYS, 2)}
        if self._random.random() < 0.3:
            policy["$or"] = [{key: self._rules()} for key in self._random.sample(KEYS, 2)]
        return policy

    def body(self) -> dict[str, Any]:
        values = [self._random.choice([*TEXTS, *NUMBERS, True, False, self._some(TEXTS, 2)]) for _ in KEYS]
        return {"n": 0, **{key: value for key, value in zip(KEYS, values, strict=True) if self._random.random() < 0.7}}

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {"other": {"DataType": "String", "StringValue": "v"}}
        for key in self._some(KEYS, 3):
            kind = self._random.choice(["String", "Number", "String.Array"])
            value = {
                "String": self._random.choice(TEXTS),
                "Number": str(self._random.choice(NUMBERS)),
                "String.Array": json.dumps(self._some(TEXTS, 2)),
            }[kind]
            found[key] = {"DataType": kind, "StringValue": value}
        return found

    def _rules(self) -> list[Any]:
        return [self.rule() for _ in range(self._random.randint(1, 2))]

    def _some(self, values: list[Any], most: int) -> list[Any]:
        return self._random.sample(values, self._random.randint(1, most))


class Side:
    """One emulator with a topic, and queues that subscribe."""

    def __init__(self, sns: Any, sqs: Any, *, fifo: bool = False) -> None:
        self.sns, self.sqs = sns, sqs
        self._suffix = ".fifo" if fifo else ""
        attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        self.topic: str = sns.create_topic(Name=unique("topic") + self._suffix, Attributes=attributes)["TopicArn"]

    def subscribe(self, **attributes: str) -> str:
        name = unique("queue") + self._suffix
        settings = {"FifoQueue": "true"} if self._suffix else {}
        url: str = self.sqs.create_queue(QueueName=name, Attributes=settings)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, self.topic)})
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        return url

    def received(self, url: str) -> list[Any]:
        """All messages of a queue: body, attributes and what else a FIFO queue tells."""
        found: list[Any] = []
        while messages := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                told = message.get("Attributes", {})
                ids = {name: told.get(name) for name in ("MessageGroupId", "MessageDeduplicationId")}
                found.append((message["Body"], message.get("MessageAttributes"), ids))
        return found


def sides(emulator: Dev, ministack: Ministack, *, fifo: bool = False) -> tuple[Side, Side]:
    return (
        Side(emulator.client("sns"), emulator.client("sqs"), fifo=fifo),
        Side(ministack.client("sns"), ministack.client("sqs"), fifo=fifo),
    )


def same_deliveries(emulator: Dev, ministack: Ministack, scope: str, seed: int) -> None:
    generator = Generator(seed)
    policies = [json.dumps(generator.policy()) for _ in range(SUBSCRIBERS)]
    messages: list[Any] = [
        {"Message": json.dumps({**generator.body(), "n": n}), "MessageAttributes": generator.attributes()}
        for n in range(MESSAGES)
    ]
    deliveries: list[list[set[str]]] = []
    for side in sides(emulator, ministack):
        queues = [
            side.subscribe(RawMessageDelivery="true", FilterPolicy=policy, FilterPolicyScope=scope)
            for policy in policies
        ]
        for message in messages:
            side.sns.publish(TopicArn=side.topic, **message)
        deliveries.append([{body for body, _, _ in side.received(queue)} for queue in queues])
    ours, theirs = deliveries
    for policy, our, their in zip(policies, ours, theirs, strict=True):
        assert our == their, (policy, our ^ their)
    assert any(ours)
    assert not all(len(bodies) == MESSAGES for bodies in ours)


def test_policies_over_attributes_let_the_same_messages_pass(emulator: Dev, ministack: Ministack) -> None:
    same_deliveries(emulator, ministack, "MessageAttributes", 1)


def test_policies_over_bodies_let_the_same_messages_pass(emulator: Dev, ministack: Ministack) -> None:
    same_deliveries(emulator, ministack, "MessageBody", 2)


def test_raw_and_wrapped_deliveries_are_the_same(emulator: Dev, ministack: Ministack) -> None:
    attributes: Any = {
        "text": {"DataType": "String", "StringValue": "grüße"},
        "number": {"DataType": "Number", "StringValue": "1.50"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    results: list[Any] = []
    for side in sides(emulator, ministack):
        raw, wrapped = side.subscribe(RawMessageDelivery="true"), side.subscribe()
        publish = side.sns.publish
        publish(TopicArn=side.topic, Message="ä\n", Subject="s", MessageAttributes=attributes)
        publish(TopicArn=side.topic, Message='{"default": "d", "sqs": "q"}', MessageStructure="json")
        documents = [json.loads(body) for body, _, _ in side.received(wrapped)]
        for document in documents:
            assert document.pop("TopicArn") == side.topic
            for own in ("MessageId", "Timestamp", "Signature", "SigningCertURL", "UnsubscribeURL"):
                assert document.pop(own)
            document.get("MessageAttributes", {}).pop("blob", None)
        results.append((side.received(raw), sorted(documents, key=lambda one: str(one["Message"]))))
    ours, theirs = results
    assert ours == theirs


def test_fifo_deliveries_are_the_same(emulator: Dev, ministack: Ministack) -> None:
    generator = random.Random(3)  # noqa: S311
    published = [(f"m{generator.randint(0, 12)}", f"g{generator.randint(0, 2)}") for _ in range(40)]
    results: list[Any] = []
    for side in sides(emulator, ministack, fifo=True):
        queue = side.subscribe(RawMessageDelivery="true")
        for message, group in published:
            side.sns.publish(TopicArn=side.topic, Message=message, MessageGroupId=group)
        received = side.received(queue)
        results.append(
            {group: [one for one in received if one[2]["MessageGroupId"] == group] for group in ("g0", "g1", "g2")}
        )
    ours, theirs = results
    assert ours == theirs
    assert sum(len(messages) for messages in ours.values()) == len({message for message, _ in published})

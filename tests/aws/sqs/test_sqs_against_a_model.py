"""Queues against a plain model: nothing is lost and nothing comes twice."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.sqs.service import Sqs

MAX_RECEIVE_COUNT = 3
RETENTION_SECONDS = 600


@dataclass
class Expected:
    """What must be true of one message."""

    expires_at: float
    visible_at: float
    receives: int = 0
    deleted: bool = False
    dead: bool = False
    receipts: list[str] = field(default_factory=list[str])


class QueueMachine(RuleBasedStateMachine):
    """Any sequence of sends, receives, deletes, visibility changes and turns of the clock, against a plain model."""

    receipts: Bundle[tuple[str, bool, str]] = Bundle("receipts")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(1_000_000.0)
        self.sqs = Sqs(Region(), self.clock)
        retention = {"MessageRetentionPeriod": str(RETENTION_SECONDS)}
        self.dead_url = self.call("CreateQueue", QueueName="dead", Attributes=retention)["QueueUrl"]
        redrive = {"deadLetterTargetArn": Region().arn("sqs", "dead"), "maxReceiveCount": MAX_RECEIVE_COUNT}
        self.url = self.call(
            "CreateQueue", QueueName="source", Attributes={**retention, "RedrivePolicy": json.dumps(redrive)}
        )["QueueUrl"]
        self.expected: dict[str, Expected] = {}

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", self.sqs.handle(operation, params, ROOT))

    @rule(delay_seconds=st.sampled_from([None, 0, 1, 30]))
    def send(self, delay_seconds: int | None) -> None:
        now = self.clock.now()
        body = f"message {len(self.expected)}"
        options = {} if delay_seconds is None else {"DelaySeconds": delay_seconds}
        self.call("SendMessage", QueueUrl=self.url, MessageBody=body, **options)
        self.expected[body] = Expected(now + RETENTION_SECONDS, now + (delay_seconds or 0))

    @rule(target=receipts, most=st.integers(1, 10), timeout=st.sampled_from([None, 0, 1, 40]), dead=st.booleans())
    def receive(self, most: int, timeout: int | None, dead: bool) -> tuple[str, bool, str]:
        now = self.clock.now()
        options = {} if timeout is None else {"VisibilityTimeout": timeout}
        url = self.dead_url if dead else self.url
        messages = self.call(
            "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=most, AttributeNames=["All"], **options
        ).get("Messages", [])
        if not dead and len(messages) < most:
            available = [
                known
                for known in self.expected.values()
                if self.lives(known) and not known.dead and known.visible_at <= now
            ]
            assert len(messages) == sum(known.receives < MAX_RECEIVE_COUNT for known in available)
        for message in messages:
            known = self.expected[message["Body"]]
            assert self.lives(known), "a deleted or expired message came back"
            assert known.visible_at <= now, "a message was delivered while it was invisible"
            assert known.dead or (known.receives == MAX_RECEIVE_COUNT) == dead
            known.dead = dead
            known.receives += 1
            assert message["Attributes"]["ApproximateReceiveCount"] == str(known.receives)
            assert message["ReceiptHandle"] not in known.receipts
            known.receipts.append(message["ReceiptHandle"])
            known.visible_at = now + (30 if timeout is None else timeout)
        if not messages:
            return "", dead, ""
        return messages[0]["Body"], dead, messages[0]["ReceiptHandle"]

    @rule(received=receipts)
    def delete(self, received: tuple[str, bool, str]) -> None:
        body, dead, handle = received
        if not body:
            return
        known = self.expected[body]
        maybe_moved = not known.dead and known.receives >= MAX_RECEIVE_COUNT and known.visible_at <= self.clock.now()
        if maybe_moved:
            return
        self.call("DeleteMessage", QueueUrl=self.dead_url if dead else self.url, ReceiptHandle=handle)
        if dead == known.dead:
            known.deleted = True

    @rule(received=receipts, timeout=st.sampled_from([0, 5, 100]))
    def change_visibility(self, received: tuple[str, bool, str], timeout: int) -> None:
        body, dead, handle = received
        now = self.clock.now()
        if not body:
            return
        known = self.expected[body]
        if not self.lives(known) or dead != known.dead:
            return
        url = self.dead_url if dead else self.url
        self.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=timeout)
        if known.visible_at > now:
            known.visible_at = now + timeout

    @rule(seconds=st.sampled_from([0.5, 1, 20, 40, 300]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def every_message_is_in_exactly_one_state(self) -> None:
        total = 0
        for name in ("source", "dead"):
            queue = self.sqs.resolve(Region().arn("sqs", name))
            assert queue is not None
            counted = queue.counts()
            total += counted.visible + counted.in_flight + counted.delayed
        assert total == sum(self.lives(known) for known in self.expected.values())

    def lives(self, known: Expected) -> bool:
        return not known.deleted and known.expires_at > self.clock.now()

    def teardown(self) -> None:
        self.clock.advance(101)
        found: list[str] = []
        for url in (self.url, self.dead_url):
            while messages := self.call(
                "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=43_200
            ).get("Messages"):
                found += [message["Body"] for message in messages]
        assert sorted(found) == sorted(body for body, known in self.expected.items() if self.lives(known))


TestNothingIsLostAndNothingComesTwice = QueueMachine.TestCase
TestNothingIsLostAndNothingComesTwice.settings = settings(max_examples=100, stateful_step_count=50)

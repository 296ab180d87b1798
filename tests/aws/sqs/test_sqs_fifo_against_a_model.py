"""FIFO queues against a plain model that is slow and obvious: the same messages, in the same order, each time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.sqs.service import Sqs

MAX_RECEIVE_COUNT = 3
RETENTION_SECONDS = 900
WINDOW_SECONDS = 300
VISIBILITY_SECONDS = 30

GROUPS = st.sampled_from(["a", "b", "c"])


@dataclass
class Expected:
    """One message, wherever it is."""

    body: str
    group: str
    expires_at: float
    receives: int = 0
    receives_here: int = 0
    held_until: float = 0.0
    receipt: str = ""


class ModelQueue:
    """A FIFO queue as a list in order of arrival; everything is found by looking at all of it."""

    def __init__(self, dead_letters: ModelQueue | None) -> None:
        self.messages: list[Expected] = []
        self.dead_letters = dead_letters

    def expire(self, now: float) -> None:
        self.messages = [message for message in self.messages if message.expires_at > now]

    def receive(self, most: int, timeout: int, now: float) -> list[Expected]:
        self.expire(now)
        taken: list[Expected] = []
        while len(taken) < most:
            locked = {one.group for one in self.messages if one.held_until > now} | {one.group for one in taken}
            free = [one for one in self.messages if one.group not in locked]
            if not free:
                break
            for message in [one for one in free if one.group == free[0].group][: most - len(taken)]:
                if self.dead_letters is not None and message.receives_here >= MAX_RECEIVE_COUNT:
                    self.messages.remove(message)
                    message.receives_here = 0
                    message.expires_at = now + RETENTION_SECONDS
                    self.dead_letters.messages.append(message)
                else:
                    taken.append(message)
        for message in taken:
            message.receives += 1
            message.receives_here += 1
            message.held_until = now + timeout
        return taken


class FifoMachine(RuleBasedStateMachine):
    """Any sequence of sends, receives, deletes, visibility changes and turns of the clock."""

    received: Bundle[tuple[bool, Expected | None, str]] = Bundle("received")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(1_000_000.0)
        self.sqs = Sqs(Region(), self.clock)
        fifo = {"FifoQueue": "true", "MessageRetentionPeriod": str(RETENTION_SECONDS)}
        self.dead_url = self.call("CreateQueue", QueueName="dead.fifo", Attributes=fifo)["QueueUrl"]
        redrive = {"deadLetterTargetArn": Region().arn("sqs", "dead.fifo"), "maxReceiveCount": MAX_RECEIVE_COUNT}
        self.url = self.call(
            "CreateQueue", QueueName="source.fifo", Attributes={**fifo, "RedrivePolicy": json.dumps(redrive)}
        )["QueueUrl"]
        self.dead_model = ModelQueue(None)
        self.model = ModelQueue(self.dead_model)
        self.sent: list[tuple[float, str, dict[str, Any]]] = []

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", self.sqs.handle(operation, params, ROOT))

    def at(self, dead: bool) -> tuple[str, ModelQueue]:
        return (self.dead_url, self.dead_model) if dead else (self.url, self.model)

    @rule(group=GROUPS, duplicate_of=st.integers(0, 5))
    def send(self, group: str, duplicate_of: int) -> None:
        now = self.clock.now()
        deduplication_id = f"d{duplicate_of}" if duplicate_of < 3 else f"n{len(self.sent)}"
        body = f"{group}{len(self.sent)}"
        answer = self.call(
            "SendMessage",
            QueueUrl=self.url,
            MessageBody=body,
            MessageGroupId=group,
            MessageDeduplicationId=deduplication_id,
        )
        ids = {name: answer[name] for name in ("MessageId", "SequenceNumber")}
        before = next(
            (known for at, known_id, known in self.sent if known_id == deduplication_id and now < at + 300), None
        )
        if before is not None:
            assert ids == before
            return
        assert all(known["MessageId"] != ids["MessageId"] for _, _, known in self.sent)
        assert all(known["SequenceNumber"] < ids["SequenceNumber"] for _, _, known in self.sent)
        self.sent.append((now, deduplication_id, ids))
        self.model.messages.append(Expected(body, group, now + RETENTION_SECONDS))

    @rule(target=received, most=st.integers(1, 10), timeout=st.sampled_from([None, 0, 1, 40]), dead=st.booleans())
    def receive(self, most: int, timeout: int | None, dead: bool) -> tuple[bool, Expected | None, str]:
        url, model = self.at(dead)
        options = {} if timeout is None else {"VisibilityTimeout": timeout}
        messages = self.call(
            "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=most, AttributeNames=["All"], **options
        )
        found = messages.get("Messages", [])
        expected = model.receive(most, VISIBILITY_SECONDS if timeout is None else timeout, self.clock.now())
        assert [(message["Body"], message["Attributes"]["ApproximateReceiveCount"]) for message in found] == [
            (known.body, str(known.receives)) for known in expected
        ]
        for message, known in zip(found, expected, strict=True):
            known.receipt = message["ReceiptHandle"]
        last = len(found) - 1
        return (dead, expected[last], found[last]["ReceiptHandle"]) if found else (dead, None, "")

    def holds(self, model: ModelQueue, known: Expected, receipt: str) -> bool:
        """Whether the message is in this queue, in flight by that receipt."""
        model.expire(self.clock.now())
        return known in model.messages and known.held_until > self.clock.now() and known.receipt == receipt

    def done(self, operation: str, **params: Any) -> bool:
        try:
            self.call(operation, **params)
        except AwsError as refusal:
            if refusal.query_code != "InvalidParameterValue":
                raise
            return False
        return True

    @rule(which=received)
    def delete(self, which: tuple[bool, Expected | None, str]) -> None:
        dead, known, receipt = which
        if known is None:
            return
        url, model = self.at(dead)
        holds = self.holds(model, known, receipt)
        gone = all(one is not known for one in model.messages)
        assert self.done("DeleteMessage", QueueUrl=url, ReceiptHandle=receipt) == (holds or gone)
        if holds:
            model.messages.remove(known)

    @rule(which=received, timeout=st.sampled_from([0, 5, 100]))
    def change_visibility(self, which: tuple[bool, Expected | None, str], timeout: int) -> None:
        dead, known, receipt = which
        if known is None:
            return
        url, model = self.at(dead)
        holds = self.holds(model, known, receipt)
        changed = self.done("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=timeout)
        assert changed == holds
        if holds:
            known.held_until = self.clock.now() + timeout

    @rule(seconds=st.sampled_from([0.5, 1, 20, 40, 300]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def the_counts_are_those_of_the_model(self) -> None:
        now = self.clock.now()
        for name, model in (("source.fifo", self.model), ("dead.fifo", self.dead_model)):
            queue = self.sqs.resolve(Region().arn("sqs", name))
            assert queue is not None
            model.expire(now)
            in_flight = sum(message.held_until > now for message in model.messages)
            counted = queue.counts()
            assert (counted.visible, counted.in_flight, counted.delayed) == (
                len(model.messages) - in_flight,
                in_flight,
                0,
            )


TestFifoQueuesDoAsTheModel = FifoMachine.TestCase
TestFifoQueuesDoAsTheModel.settings = settings(max_examples=100, stateful_step_count=50)

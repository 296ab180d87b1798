"""What a keeper was told of queues is what they hold, whatever happens to them; nothing reaches it late or never."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.sqs.admission import DeduplicationKey
from treadle_local.sqs.keeping import KeptMessage, KeptMove
from treadle_local.sqs.message import Message, ReceivedMessage, Sent
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.service import Sqs

MAX_RECEIVE_COUNT = 1
INVISIBLE_SECONDS = 100


class Notes:
    """A keeper that writes down what it is told."""

    def __init__(self) -> None:
        self.messages: dict[int, KeptMessage] = {}
        self.answers: dict[DeduplicationKey, tuple[Sent, float]] = {}
        self.move: KeptMove | None = None
        self.is_closed = False

    def kept(self, serial: int, kept: KeptMessage) -> None:
        self.messages[serial] = kept

    def gone(self, serial: int) -> None:
        del self.messages[serial]

    def emptied(self) -> None:
        self.messages.clear()

    def answered(self, key: DeduplicationKey, sent: Sent, at: float) -> None:
        self.answers[key] = sent, at

    def moving(self, move: KeptMove | None) -> None:
        self.move = move

    def closed(self) -> None:
        self.is_closed = True


class KeptMachine(RuleBasedStateMachine):
    """A queue and its dead-letter queue, each with a keeper. After every step both are made anew from the notes."""

    receipts: Bundle[tuple[bool, str]] = Bundle("receipts")
    fifo = False

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(1_000_000.0)
        self.sqs = Sqs(Region(), self.clock)
        self.notes: dict[str, Notes] = {}
        self.sqs.on_queue(self.keep)
        suffix, kind = (".fifo", {"FifoQueue": "true"}) if self.fifo else ("", {})
        attributes = {**kind, "MessageRetentionPeriod": "600"}
        self.dead, self.dead_url = self.make(f"dead{suffix}", attributes)
        redrive = json.dumps({"deadLetterTargetArn": self.dead.arn, "maxReceiveCount": MAX_RECEIVE_COUNT})
        self.source, self.url = self.make(f"source{suffix}", {**attributes, "RedrivePolicy": redrive})
        self.sent = 0
        self.receives: dict[str, int] = {}

    def keep(self, queue: Queue) -> None:
        self.notes[queue.name] = Notes()
        queue.keeper = self.notes[queue.name]

    def make(self, name: str, attributes: dict[str, str]) -> tuple[Queue, str]:
        url = self.call("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"]
        queue = self.sqs.resolve(Region().arn("sqs", name))
        assert queue is not None
        return queue, url

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", self.sqs.handle(operation, params, ROOT))

    def count(self, messages: list[ReceivedMessage]) -> None:
        self.receives |= {one.message.message_id: one.receive_count for one in messages}

    def of(self, dead: bool) -> tuple[Queue, str]:
        return (self.dead, self.dead_url) if dead else (self.source, self.url)

    @rule(delay_seconds=st.sampled_from([0, 5, 40]), group=st.sampled_from(["a", "b"]), again=st.integers(0, 2))
    def send(self, delay_seconds: int, group: str, again: int) -> None:
        """In a FIFO queue, `again` makes it a duplicate."""
        self.sent += 1
        options: dict[str, Any] = {"DelaySeconds": delay_seconds}
        if self.fifo:
            options = {"MessageGroupId": group, "MessageDeduplicationId": str(self.sent - again)}
        self.call("SendMessage", QueueUrl=self.url, MessageBody=str(self.sent), **options)

    @rule(target=receipts, most=st.integers(1, 3), timeout=st.sampled_from([0, 0, 40]), dead=st.booleans())
    def receive(self, most: int, timeout: int, dead: bool) -> tuple[bool, str]:
        messages = self.of(dead)[0].receive_now(most, timeout)
        self.count(messages)
        return dead, messages[0].receipt if messages else ""

    @rule(dead=st.booleans(), group=st.sampled_from(["a", "b"]))
    def wait_and_give_up(self, dead: bool, group: str) -> None:
        queue, url = self.of(dead)

        async def scenario() -> None:
            waiting = asyncio.create_task(queue.receive(10, 20))
            await asyncio.sleep(0)
            if not waiting.done():
                self.sent += 1
                ids = {"MessageGroupId": group, "MessageDeduplicationId": str(self.sent)} if self.fifo else {}
                self.call("SendMessage", QueueUrl=url, MessageBody=str(self.sent), **ids)
                waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                self.count(await waiting)

        asyncio.run(scenario())

    @rule(received=consumes(receipts))
    def delete(self, received: tuple[bool, str]) -> None:
        dead, receipt = received
        if receipt:
            with contextlib.suppress(AwsError):
                self.of(dead)[0].delete(receipt)

    @rule(received=receipts, timeout=st.sampled_from([0, 100]))
    def change_visibility(self, received: tuple[bool, str], timeout: int) -> None:
        dead, receipt = received
        if receipt:
            with contextlib.suppress(AwsError):
                self.of(dead)[0].change_visibility(receipt, timeout)

    @rule(delay_seconds=st.sampled_from(["0", "5", "40"]))
    def delay_all(self, delay_seconds: str) -> None:
        self.call("SetQueueAttributes", QueueUrl=self.url, Attributes={"DelaySeconds": delay_seconds})

    @rule()
    def move_back(self) -> None:
        async def scenario() -> None:
            self.call("StartMessageMoveTask", SourceArn=self.dead.arn)
            for _ in range(5):  # the task is called back by the loop, and moves so few messages in one turn
                await asyncio.sleep(0)
            (task,) = self.call("ListMessageMoveTasks", SourceArn=self.dead.arn)["Results"]
            assert task["Status"] != "RUNNING"
            assert self.notes[self.dead.name].move is None

        asyncio.run(scenario())

    @rule(dead=st.booleans())
    def purge(self, dead: bool) -> None:
        with contextlib.suppress(AwsError):
            self.call("PurgeQueue", QueueUrl=self.of(dead)[1])

    @rule(seconds=st.sampled_from([1, 20, 40, 300]))
    def advance(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def queues_made_of_the_notes_hold_the_same(self) -> None:
        for queue in (self.source, self.dead):
            counts = queue.counts()  # the queue catches up with the time here, and tells what has expired
            again = self.made_of_notes(queue)
            found = again.counts()
            assert (found.visible, found.delayed) == (counts.visible + counts.in_flight, counts.delayed)
            assert again.oldest_sent_at() == queue.oldest_sent_at()
            for kept in self.notes[queue.name].messages.values():
                assert kept.receive_count == self.receives.get(kept.message.message_id, 0)
                assert bool(kept.first_received_at) == bool(kept.receive_count)

    def made_of_notes(self, queue: Queue) -> Queue:
        notes = self.notes[queue.name]
        again = Queue(queue.arn, queue.settings, self.clock, lambda _: None)
        again.restore(queue.token, notes.messages, [(key, *answer) for key, answer in notes.answers.items()])
        return again

    def teardown(self) -> None:
        """Compares message by message, when all are visible, and duplicates; a queue that is deleted says so."""
        self.clock.advance(INVISIBLE_SECONDS)
        self.call("SetQueueAttributes", QueueUrl=self.url, Attributes={"RedrivePolicy": ""})
        for queue, url in ((self.source, self.url), (self.dead, self.dead_url)):
            queue.counts()
            again = self.made_of_notes(queue)
            for key in list(self.notes[queue.name].answers) if self.fifo else ():
                message = Message("none", "", "", self.clock.now(), "", group_id=key[0] or "a", deduplication_id=key[1])
                assert again.send(message, 40).message_id == queue.send(message, 40).message_id
            assert all_in(again) == all_in(queue)
            self.call("DeleteQueue", QueueUrl=url)
            assert self.notes[queue.name].is_closed


class KeptFifoMachine(KeptMachine):
    """The same with FIFO queues."""

    fifo = True


def all_in(queue: Queue) -> list[tuple[object, ...]]:
    """Takes out all that is visible; in order where the queue keeps one."""
    seen: list[tuple[object, ...]] = []
    while messages := queue.receive_now(10):
        for one in messages:
            sent = one.message
            seen.append(
                (sent.message_id, sent.body, one.receive_count, one.dead_letter_source_arn, one.sequence_number)
            )
            queue.delete(one.receipt)
    return seen if queue.settings.fifo else sorted(seen, key=repr)


TestKept = KeptMachine.TestCase
TestKept.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestKeptFifo = KeptFifoMachine.TestCase
TestKeptFifo.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)

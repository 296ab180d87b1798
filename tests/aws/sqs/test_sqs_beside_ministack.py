"""The same calls here and on ministack, generated from seeds: the answers are the same.

Both kinds of queues are compared by what senders and receivers are told and by the counts. What differs, and why:

- What is gone already may be deleted again here, as on AWS; ministack has forgotten the receipt and refuses.
- The visibility of a message that is not in flight cannot be changed here, as AWS documents; ministack takes some such
  calls without effect and refuses others in other words.
- An entry of a batch with a delay beyond 900 seconds, and a visibility timeout beyond 43,200, are refused here, as AWS
  documents; ministack takes them. They are not among the generated calls, since both would go on differently.
- A FIFO queue here refuses the receipt of an earlier receive, as AWS does; ministack deletes by it. Receipts of
  messages that were made visible again are therefore not used again.
- A receive of several FIFO messages takes as many of one group as there are here, as AWS documents; ministack goes by
  the time of sending over all groups. FIFO messages are therefore received one by one.
- A message that was received too often goes to the dead-letter queue when a receive comes upon it; ministack moves all
  such messages at once. Dead letters are therefore compared for standard queues only.
- A standard queue gives out a message that became visible again after those that were visible before; ministack goes by
  the time of sending. AWS promises neither, so that standard queues are kept so short that a receive empties them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.aws import unique
from support.dev import Dev
from support.judges import Ministack

SEEDS = range(10)
STEPS = 30
STANDARD_SENDS = 7
LONG = 600
"""Seconds: neither clock gets there while the test runs."""

Answer = Any
Step = Callable[["Side"], Answer]


@dataclass
class Side:
    """One of the two emulators: its client, its queue, and what it has handed out."""

    client: Any
    url: str = ""
    dead_url: str = ""
    receipts: list[str] = field(default_factory=list[str])
    sent: dict[str, int] = field(default_factory=dict[str, int])

    def make(self, name: str, fifo: bool) -> None:
        attributes = {"FifoQueue": "true"} if fifo else {}
        suffix = ".fifo" if fifo else ""
        self.dead_url = self.client.create_queue(QueueName=f"{name}-dead{suffix}", Attributes=attributes)["QueueUrl"]
        found = self.client.get_queue_attributes(QueueUrl=self.dead_url, AttributeNames=["QueueArn"])
        most = 1_000 if fifo else 2
        redrive = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": most}
        self.url = self.client.create_queue(
            QueueName=f"{name}{suffix}", Attributes={**attributes, "RedrivePolicy": json.dumps(redrive)}
        )["QueueUrl"]

    def receipt(self, place: int) -> str:
        return self.receipts[place % len(self.receipts)] if self.receipts else "nonsense"

    def drop_receipt(self, place: int) -> str:
        return self.receipts.pop(place % len(self.receipts)) if self.receipts else "nonsense"

    def which(self, message_id: str) -> int:
        """Messages by the order in which they were sent, since each side gives ids of its own."""
        return self.sent.setdefault(message_id, len(self.sent))


def _send(number: int, fifo: bool, group: str, duplicate_of: int | None) -> Step:
    body = f"{group}{number}"
    ids: dict[str, str] = {}
    if fifo:
        ids = {
            "MessageGroupId": group,
            "MessageDeduplicationId": f"d{number if duplicate_of is None else duplicate_of}",
        }

    def step(side: Side) -> Answer:
        answer = side.client.send_message(QueueUrl=side.url, MessageBody=body, **ids)
        return answer["MD5OfMessageBody"], side.which(answer["MessageId"])

    return step


def _send_batch(number: int, fifo: bool, delay: int) -> Step:
    entries: list[dict[str, Any]] = []
    for place in range(3):
        entry: dict[str, Any] = {"Id": str(place), "MessageBody": f"a{number}.{place}"}
        if fifo:
            entry |= {"MessageGroupId": "a", "MessageDeduplicationId": f"d{number}.{place}"}
        entries.append(entry)
    if not fifo:
        entries[1]["DelaySeconds"] = delay

    def step(side: Side) -> Answer:
        answer = side.client.send_message_batch(QueueUrl=side.url, Entries=entries)
        failed = [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer.get("Failed", [])]
        return [(entry["Id"], side.which(entry["MessageId"])) for entry in answer.get("Successful", [])], failed

    return step


def _receive(fifo: bool, dead: bool) -> Step:
    def step(side: Side) -> Answer:
        messages = side.client.receive_message(
            QueueUrl=side.dead_url if dead else side.url,
            MaxNumberOfMessages=1 if fifo else 10,
            VisibilityTimeout=LONG,
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        messages = sorted(messages, key=itemgetter("Body"))
        if not dead:
            side.receipts += [message["ReceiptHandle"] for message in messages]
        names = ("ApproximateReceiveCount", "MessageGroupId")
        return [(message["Body"], *(message["Attributes"].get(name) for name in names)) for message in messages]

    return step


def _delete(place: int) -> Step:
    return lambda side: side.client.delete_message(QueueUrl=side.url, ReceiptHandle=side.receipt(place)) and None


def _make_visible(place: int) -> Step:
    return lambda side: (
        side.client.change_message_visibility(
            QueueUrl=side.url, ReceiptHandle=side.drop_receipt(place), VisibilityTimeout=0
        )
        and None
    )


def _counts(side: Side) -> Answer:
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    found = [
        side.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        for url in (side.url, side.dead_url)
    ]
    return [[attributes[name] for name in names] for attributes in found]


def _steps(seed: int, fifo: bool) -> list[tuple[str, Step]]:
    random_source = random.Random(seed)  # noqa: S311
    steps: list[tuple[str, Step]] = []
    for number in range(STEPS):
        place, group = random_source.randrange(10), random_source.choice("abc")
        duplicate_of = random_source.choice([None, None, random_source.randrange(number + 1)])
        made: list[tuple[str, Step]] = [
            (f"send {group}{number} {duplicate_of}", _send(number, fifo, group, duplicate_of)),
            (f"send batch {number}", _send_batch(number, fifo, random_source.choice([0, LONG]))),
            ("receive", _receive(fifo, dead=False)),
            ("receive dead", _receive(fifo, dead=True)),
            (f"delete {place}", _delete(place)),
            (f"change {place} to 0", _make_visible(place)),
        ]
        sends_left = fifo or sum(what.startswith("send") for what, _ in steps) < STANDARD_SENDS
        batches = 2 if fifo else int(all(not what.startswith("send batch") for what, _ in steps))
        weights = [6, batches, 5, 1, 4, 4] if sends_left else [0, 0, 5, 1, 4, 4]
        steps.append(random_source.choices(made, weights=weights)[0])
        steps.append(("counts", _counts))
    return steps


def _explained(what: str, here: Answer, there: Answer) -> bool:
    """Whether a difference is one of those above that leave both queues as they were."""
    match what.split()[0], here, there:
        case "delete", None, "ReceiptHandleIsInvalid":
            return True
        case "change", "InvalidParameterValue", None | "ReceiptHandleIsInvalid":
            return True
        case _:
            return False


def _answer(step: Step, side: Side) -> Answer:
    try:
        return step(side)
    except ClientError as refusal:
        return refusal.response.get("Error", {}).get("Code")


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_generated_calls_are_answered_the_same(emulator: Dev, ministack: Ministack, fifo: bool) -> None:
    for seed in SEEDS:
        name = unique("beside")
        ours, theirs = Side(emulator.client("sqs")), Side(ministack.client("sqs"))
        for side in (ours, theirs):
            side.make(name, fifo)
        said: list[str] = []
        for what, step in _steps(seed, fifo):
            here, there = _answer(step, ours), _answer(step, theirs)
            said.append(f"{what}: {here}")
            assert here == there or _explained(what, here, there), (
                f"seed {seed}, ministack answers {there}, after " + "; ".join(said)
            )

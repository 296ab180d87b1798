"""Amazon SQS of the emulator, as any AWS client sees it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import tracemalloc
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from support.dev import Dev
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.sqs.deadlines import Deadlines
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.service import Sqs

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

ACCOUNT = "000000000000"
MIB = 1_048_576
DEADLINE_SECONDS = 20


@pytest.fixture
def sqs(emulator: Dev) -> SQSClient:
    return cast("SQSClient", emulator.client("sqs"))


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def create_queue(sqs: SQSClient, name: str | None = None, **attributes: str) -> str:
    return sqs.create_queue(QueueName=name or unique("queue"), Attributes=cast("Any", attributes))["QueueUrl"]


def arn_of(url: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rsplit('/', 1)[1]}"


def receive(sqs: SQSClient, url: str, most: int = 10, **options: Any) -> list[MessageTypeDef]:
    return sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=most,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
        **options,
    ).get("Messages", [])


def receipt(message: MessageTypeDef) -> str:
    return message.get("ReceiptHandle", "")


def bodies(messages: list[MessageTypeDef]) -> list[str]:
    return [message.get("Body", "") for message in messages]


def system_attributes(message: MessageTypeDef) -> Mapping[str, str]:
    return cast("Mapping[str, str]", message.get("Attributes", {}))


def counts(sqs: SQSClient, url: str) -> tuple[int, int, int]:
    """Visible, in flight, delayed."""
    names: Any = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )
    found = cast("Mapping[str, str]", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"])
    return cast("tuple[int, int, int]", tuple(int(found[name]) for name in names))


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """Code and message of the refusal of a call."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response.get("Error", {})
    return error.get("Code", ""), error.get("Message", "")


# Messages


def test_a_message_comes_out_as_it_went_in(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="grüße\n\t𝄞",
        MessageAttributes={
            "kind": {"DataType": "String.custom", "StringValue": "höflich"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
        MessageGroupId="tenant",
    )
    (message,) = receive(sqs, url)
    assert message.get("Body") == "grüße\n\t𝄞"
    assert message.get("MessageId") == sent["MessageId"]
    assert message.get("MD5OfBody") == sent["MD5OfMessageBody"]
    assert message.get("MD5OfMessageAttributes") == sent["MD5OfMessageAttributes"]
    assert message.get("MessageAttributes") == {
        "kind": {"DataType": "String.custom", "StringValue": "höflich"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    attributes = system_attributes(message)
    assert attributes["AWSTraceHeader"] == "Root=1-2-3"
    assert attributes["MessageGroupId"] == "tenant"
    assert attributes["ApproximateReceiveCount"] == "1"
    assert attributes["SentTimestamp"] == attributes["ApproximateFirstReceiveTimestamp"]


def test_digests_are_those_that_aws_computes(sqs: SQSClient) -> None:
    sent = sqs.send_message(
        QueueUrl=create_queue(sqs),
        MessageBody="derp",
        MessageAttributes={"timestamp": {"DataType": "Number", "StringValue": "1493147359900"}},
    )
    assert sent["MD5OfMessageBody"] == "58fd9edd83341c29f1aebba81c31e257"
    assert sent["MD5OfMessageAttributes"] == "235c5c510d26fb653d073faed50ae77c"


def test_a_receive_returns_the_attributes_it_asks_for(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    sqs.send_message(
        QueueUrl=url,
        MessageBody="m",
        MessageAttributes={
            name: {"DataType": "String", "StringValue": name} for name in ("trace.id", "trace.hop", "other")
        },
    )

    def names(*asked: str) -> set[str]:
        (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, MessageAttributeNames=asked)["Messages"]
        assert "Attributes" not in message
        return set(message.get("MessageAttributes", {}))

    assert names() == set()
    assert names("other", "missing") == {"other"}
    assert names("trace.*") == {"trace.id", "trace.hop"}
    assert names(".*") == names("All") == {"trace.id", "trace.hop", "other"}
    code, _ = refusal(lambda: sqs.receive_message(QueueUrl=url, AttributeNames=cast("Any", ["Nonsense"])))
    assert code == "InvalidAttributeName"


def test_a_received_message_is_invisible_until_its_timeout(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs, VisibilityTimeout="30")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    assert bodies(receive(sqs, url)) == ["m"]
    assert counts(sqs, url) == (0, 1, 0)
    emulator.advance(29)
    assert receive(sqs, url) == []
    emulator.advance(1)
    (again,) = receive(sqs, url, VisibilityTimeout=5)
    assert system_attributes(again)["ApproximateReceiveCount"] == "2"
    first_received = int(system_attributes(again)["ApproximateFirstReceiveTimestamp"])
    assert first_received == int(system_attributes(again)["SentTimestamp"])
    emulator.advance(5)
    assert counts(sqs, url) == (1, 0, 0)


def test_the_visibility_of_a_message_can_be_changed_either_way(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    (message,) = receive(sqs, url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(message), VisibilityTimeout=100)
    emulator.advance(99)
    assert receive(sqs, url) == []
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(message), VisibilityTimeout=0)
    assert counts(sqs, url) == (1, 0, 0)
    code, text = refusal(
        lambda: sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt(message), VisibilityTimeout=1)
    )
    assert code == "InvalidParameterValue"
    assert "not available for visibility timeout change" in text


def test_a_message_can_be_delayed_by_its_queue_or_by_itself(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs, DelaySeconds="10")
    sqs.send_message(QueueUrl=url, MessageBody="as the queue says")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
    sqs.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)
    assert counts(sqs, url) == (1, 0, 2)
    assert bodies(receive(sqs, url)) == ["now"]
    emulator.advance(10)
    assert bodies(receive(sqs, url, VisibilityTimeout=43_200)) == ["as the queue says"]
    emulator.advance(890)
    assert "later" in bodies(receive(sqs, url))


def test_a_message_is_gone_after_its_retention(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs, MessageRetentionPeriod="60")
    sqs.send_message(QueueUrl=url, MessageBody="visible")
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=50)
    receive(sqs, url, VisibilityTimeout=1000)
    emulator.advance(59)
    assert counts(sqs, url) == (1, 1, 0)
    emulator.advance(1)
    assert counts(sqs, url) == (0, 0, 0)
    sqs.send_message(QueueUrl=url, MessageBody="delayed for longer than it is kept", DelaySeconds=900)
    emulator.advance(60)
    assert counts(sqs, url) == (0, 0, 0)
    emulator.advance(840)
    assert receive(sqs, url) == []


def test_a_deleted_message_never_comes_back(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    (first,) = receive(sqs, url)
    emulator.advance(30)
    (second,) = receive(sqs, url)
    assert receipt(first) != receipt(second)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(first))
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt(second))
    emulator.advance(1000)
    assert receive(sqs, url) == []
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.parametrize("handle", ["nonsense", "bm90OmE6aGFuZGxl", "ünï"])
def test_a_receipt_that_was_never_issued_is_refused(sqs: SQSClient, handle: str) -> None:
    url = create_queue(sqs)
    assert refusal(lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle=handle))[0] == "ReceiptHandleIsInvalid"


def test_a_receipt_of_another_queue_is_refused(sqs: SQSClient) -> None:
    url, other = create_queue(sqs), create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    (message,) = receive(sqs, url)
    code, _ = refusal(lambda: sqs.delete_message(QueueUrl=other, ReceiptHandle=receipt(message)))
    assert code == "ReceiptHandleIsInvalid"


def test_a_purge_empties_the_queue_once_a_minute(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="visible")
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=60)
    sqs.purge_queue(QueueUrl=url)
    assert counts(sqs, url) == (0, 0, 0)
    assert refusal(lambda: sqs.purge_queue(QueueUrl=url))[0] == "AWS.SimpleQueueService.PurgeQueueInProgress"
    emulator.advance(60)
    sqs.purge_queue(QueueUrl=url)


# Long polling


def in_background(call: Callable[[], list[MessageTypeDef]]) -> tuple[threading.Thread, list[MessageTypeDef]]:
    found: list[MessageTypeDef] = []
    thread = threading.Thread(target=lambda: found.extend(call()))
    thread.start()
    return thread, found


def join_while(thread: threading.Thread, act: Callable[[], object]) -> None:
    """Acts over and over until the thread ends, since nobody can see from outside that a receive has begun to wait."""
    end = time.monotonic() + DEADLINE_SECONDS
    while thread.is_alive():
        assert time.monotonic() < end
        act()
        thread.join(0.05)


def test_a_waiting_receive_gets_a_message_that_is_sent(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    thread, found = in_background(lambda: receive(sqs, url, WaitTimeSeconds=20))
    join_while(thread, lambda: sqs.send_message(QueueUrl=url, MessageBody="m"))
    assert set(bodies(found)) == {"m"}


def test_a_waiting_receive_gets_a_message_that_becomes_visible(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs, ReceiveMessageWaitTimeSeconds="20")
    sqs.send_message(QueueUrl=url, MessageBody="m", DelaySeconds=3)
    thread, found = in_background(lambda: receive(sqs, url))
    join_while(thread, lambda: emulator.advance(0.5))
    assert bodies(found) == ["m"]


def test_a_waiting_receive_ends_empty_after_its_time(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    thread, found = in_background(lambda: receive(sqs, url, WaitTimeSeconds=20))
    join_while(thread, lambda: emulator.advance(5))
    assert found == []


def test_deleting_a_queue_ends_the_receives_that_wait(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    ended: list[str] = []

    def wait() -> None:
        try:
            receive(sqs, url, WaitTimeSeconds=20)
        except sqs.exceptions.QueueDoesNotExist:
            ended.append("refused")
        else:
            ended.append("empty")

    thread = threading.Thread(target=wait)
    thread.start()
    sqs.delete_queue(QueueUrl=url)
    thread.join(DEADLINE_SECONDS)
    assert ended in (["empty"], ["refused"])


def queue_in_process(**attributes: str) -> tuple[Queue, Sqs, str, ManualClock]:
    clock = ManualClock()
    service = Sqs(Region(), clock)
    created = cast("dict[str, str]", service.handle("CreateQueue", {"QueueName": "q", "Attributes": attributes}, ROOT))
    queue = service.resolve(Region().arn("sqs", "q"))
    assert queue is not None
    return queue, service, created["QueueUrl"], clock


def test_a_receive_that_is_cancelled_takes_nothing() -> None:
    async def scenario() -> None:
        queue, service, url, _ = queue_in_process()
        waiting = asyncio.create_task(queue.receive(10, 20))
        await asyncio.sleep(0)
        service.handle("SendMessage", {"QueueUrl": url, "MessageBody": "m"}, ROOT)
        assert queue.counts().in_flight == 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        (message,) = queue.receive_now(10)
        assert message.receive_count == 1

    asyncio.run(scenario())


def test_receives_that_wait_are_served_in_turn_and_each_message_once() -> None:
    async def scenario() -> None:
        queue, service, url, clock = queue_in_process()
        waiting = [asyncio.create_task(queue.receive(1, 20)) for _ in range(3)]
        await asyncio.sleep(0)
        entries = [{"Id": body, "MessageBody": body} for body in ("a", "b")]
        service.handle("SendMessageBatch", {"QueueUrl": url, "Entries": entries}, ROOT)
        clock.advance(20)
        taken = [[received.message.body for received in await task] for task in waiting]
        assert taken == [["a"], ["b"], []]

    asyncio.run(scenario())


def test_a_waiting_receive_wakes_for_what_becomes_due_before_its_own_end() -> None:
    async def scenario() -> None:
        queue, service, url, clock = queue_in_process()
        waiting = asyncio.create_task(queue.receive(1, 20))
        await asyncio.sleep(0)
        service.handle("SendMessage", {"QueueUrl": url, "MessageBody": "m", "DelaySeconds": 3}, ROOT)
        clock.advance(3)
        (received,) = await asyncio.wait_for(waiting, DEADLINE_SECONDS)
        waiting = asyncio.create_task(queue.receive(1, 20))
        await asyncio.sleep(0)
        queue.change_visibility(received.receipt, 2)
        clock.advance(2)
        assert len(await asyncio.wait_for(waiting, DEADLINE_SECONDS)) == 1

    asyncio.run(scenario())


def test_one_waiting_receive_gets_a_whole_batch() -> None:
    async def scenario() -> None:
        queue, service, url, _ = queue_in_process()
        waiting = asyncio.create_task(queue.receive(10, 20))
        await asyncio.sleep(0)
        entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(10)]
        service.handle("SendMessageBatch", {"QueueUrl": url, "Entries": entries}, ROOT)
        assert len(await waiting) == 10

    asyncio.run(scenario())


def test_at_most_120_000_messages_are_in_flight() -> None:
    queue, service, url, _ = queue_in_process()
    entries = [{"Id": str(number), "MessageBody": "m"} for number in range(10)]
    for _ in range(12_001):
        service.handle("SendMessageBatch", {"QueueUrl": url, "Entries": entries}, ROOT)
    taken = queue.receive_now(150_000)
    assert len(taken) == 120_000
    with pytest.raises(Exception, match="OverLimit"):
        service.handle("ReceiveMessage", {"QueueUrl": url}, ROOT)
    queue.delete(taken[0].receipt)
    assert len(queue.receive_now(10)) == 1


def test_timers_that_were_set_and_dropped_take_no_memory() -> None:
    deadlines = Deadlines()
    for serial in range(100_000):
        deadlines.set(serial, serial + 43_200.0)
        deadlines.drop(serial)
    deadlines.set(1, 5.0)
    for moment in range(100_000, 5, -1):
        deadlines.set(2, float(moment))
    assert deadlines.earliest() == 5.0
    assert len(deadlines) == 2
    assert len(deadlines._heap) < 200  # pyright: ignore[reportPrivateUsage]
    assert list(deadlines.pop_due(6.0)) == [1, 2]


def test_a_queue_keeps_nothing_of_a_deleted_message() -> None:
    queue, service, url, _ = queue_in_process(VisibilityTimeout="43200")

    def cycle(times: int) -> None:
        for _ in range(times):
            service.handle("SendMessage", {"QueueUrl": url, "MessageBody": "x" * 200}, ROOT)
            queue.delete(queue.receive_now(1)[0].receipt)

    cycle(2_000)
    tracemalloc.start()
    try:
        cycle(200)
        before, _ = tracemalloc.get_traced_memory()
        cycle(2_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000


# Dead letters


def test_a_message_that_was_received_too_often_goes_to_the_dead_letter_queue(sqs: SQSClient, emulator: Dev) -> None:
    dead_letters = create_queue(sqs)
    redrive = {"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": 2}
    url = create_queue(sqs, RedrivePolicy=json.dumps(redrive), VisibilityTimeout="5")
    sent = sqs.send_message(
        QueueUrl=url, MessageBody="m", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}}
    )
    emulator.advance(7)
    for _ in range(2):
        assert bodies(receive(sqs, url)) == ["m"]
        emulator.advance(5)
    assert counts(sqs, dead_letters) == (0, 0, 0)
    assert receive(sqs, url) == []
    (dead,) = receive(sqs, dead_letters)
    assert dead.get("MessageId") == sent["MessageId"]
    assert dead.get("MessageAttributes") == {"a": {"DataType": "String", "StringValue": "b"}}
    attributes = system_attributes(dead)
    assert attributes["DeadLetterQueueSourceArn"] == arn_of(url)
    assert attributes["ApproximateReceiveCount"] == "3"
    assert int(attributes["ApproximateFirstReceiveTimestamp"]) - int(attributes["SentTimestamp"]) == 7000
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead_letters)["queueUrls"] == [url]


def test_a_waiting_receive_on_the_dead_letter_queue_gets_what_dies(sqs: SQSClient, emulator: Dev) -> None:
    dead_letters = create_queue(sqs)
    redrive = {"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": "1"}
    url = create_queue(sqs, RedrivePolicy=json.dumps(redrive), VisibilityTimeout="0")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    assert bodies(receive(sqs, url)) == ["m"]
    thread, found = in_background(lambda: receive(sqs, dead_letters, WaitTimeSeconds=20))
    join_while(thread, lambda: receive(sqs, url))
    assert bodies(found) == ["m"]


def test_a_dead_letter_queue_may_have_a_dead_letter_queue_of_its_own(sqs: SQSClient) -> None:
    last = create_queue(sqs)
    redrive = json.dumps({"deadLetterTargetArn": arn_of(last), "maxReceiveCount": 2})
    second = create_queue(sqs, RedrivePolicy=redrive, VisibilityTimeout="0")
    redrive = json.dumps({"deadLetterTargetArn": arn_of(second), "maxReceiveCount": 3})
    url = create_queue(sqs, RedrivePolicy=redrive, VisibilityTimeout="0")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    seen = [[bodies(receive(sqs, each)) for each in (url, second, last)] for _ in range(6)]
    assert [[len(messages) for messages in row] for row in seen] == [
        [1, 0, 0],
        [1, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]


def test_without_its_dead_letter_queue_a_message_is_not_lost(sqs: SQSClient) -> None:
    dead_letters = create_queue(sqs)
    redrive = {"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": 1}
    url = create_queue(sqs, RedrivePolicy=json.dumps(redrive), VisibilityTimeout="0")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    sqs.delete_queue(QueueUrl=dead_letters)
    for _ in range(3):
        assert bodies(receive(sqs, url)) == ["m"]


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("nonsense", "not a valid JSON map"),
        ('{"maxReceiveCount": 3}', "mandatory attribute: deadLetterTargetArn"),
        (
            '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:nowhere"}',
            "mandatory attribute: maxReceiveCount",
        ),
        ('{"deadLetterTargetArn": "x", "maxReceiveCount": 0}', "from 1 to 1000"),
        ('{"deadLetterTargetArn": "x", "maxReceiveCount": 1001}', "from 1 to 1000"),
        (
            '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:nowhere", "maxReceiveCount": 3}',
            "Dead letter target does not exist",
        ),
    ],
)
def test_a_redrive_policy_is_checked(sqs: SQSClient, policy: str, reason: str) -> None:
    code, text = refusal(lambda: create_queue(sqs, RedrivePolicy=policy))
    assert code == "InvalidParameterValue"
    assert reason in text


def test_a_dead_letter_queue_may_choose_its_sources(sqs: SQSClient) -> None:
    allowed = unique("allowed")
    permission = {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [f"arn:aws:sqs:us-east-1:{ACCOUNT}:{allowed}"],
    }
    dead_letters = create_queue(sqs, RedriveAllowPolicy=json.dumps(permission))
    redrive = json.dumps({"deadLetterTargetArn": arn_of(dead_letters), "maxReceiveCount": 3})
    create_queue(sqs, allowed, RedrivePolicy=redrive)
    code, _ = refusal(lambda: create_queue(sqs, RedrivePolicy=redrive))
    assert code == "InvalidParameterValue"


# Batches


def test_a_batch_reports_each_entry(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    sent = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "good", "MessageBody": "m"},
            {"Id": "late", "MessageBody": "m", "DelaySeconds": 901},
            {"Id": "odd", "MessageBody": "\x01"},
        ],
    )
    assert [entry["Id"] for entry in sent["Successful"]] == ["good"]
    failed = {entry["Id"]: entry for entry in sent["Failed"]}
    assert {entry_id: entry["Code"] for entry_id, entry in failed.items()} == {
        "late": "InvalidParameterValue",
        "odd": "InvalidMessageContents",
    }
    assert failed["late"]["SenderFault"] is True
    (message,) = receive(sqs, url)
    changed = sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "a", "ReceiptHandle": receipt(message), "VisibilityTimeout": 60},
            {"Id": "b", "ReceiptHandle": "nonsense", "VisibilityTimeout": 60},
        ],
    )
    assert [entry["Id"] for entry in changed["Successful"]] == ["a"]
    assert changed["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": receipt(message)}])
    assert [entry["Id"] for entry in deleted["Successful"]] == ["a"]
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([str(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
        (["same", "same"], "BatchEntryIdsNotDistinct"),
        (["not allowed"], "InvalidBatchEntryId"),
        (["x" * 81], "InvalidBatchEntryId"),
    ],
)
def test_a_batch_is_refused_as_a_whole_for_its_form(sqs: SQSClient, ids: list[str], code: str) -> None:
    url = create_queue(sqs)
    entries = [{"Id": entry_id, "MessageBody": "m"} for entry_id in ids]
    refused, _ = refusal(lambda: sqs.send_message_batch(QueueUrl=url, Entries=cast("Any", entries)))
    assert refused == f"AWS.SimpleQueueService.{code}"
    assert counts(sqs, url) == (0, 0, 0)


# Limits


def test_a_message_may_have_a_mebibyte_and_not_a_byte_more(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    attributes: Any = {"ä": {"DataType": "String", "StringValue": "ö"}}
    with pytest.raises(ClientError, match="attribute name"):
        sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=attributes)
    attributes = {"a": {"DataType": "String", "StringValue": "ö"}}
    attribute_bytes = 1 + 6 + 2
    exact = "é" * ((MIB - attribute_bytes) // 2) + "x"
    sqs.send_message(QueueUrl=url, MessageBody=exact, MessageAttributes=attributes)
    code, text = refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody=f"{exact}x", MessageAttributes=attributes))
    assert code == "InvalidParameterValue"
    assert "shorter than 1048576 bytes" in text


def test_a_batch_may_have_a_mebibyte_in_all(sqs: SQSClient) -> None:
    url = create_queue(sqs)

    def send(last: str) -> object:
        half = "é" * (MIB // 4)
        return sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half[1:] + last}]
        )

    send("xy")
    assert refusal(lambda: send("xyz"))[0] == "AWS.SimpleQueueService.BatchRequestTooLong"
    assert counts(sqs, url) == (2, 0, 0)


def test_a_queue_may_have_a_lower_limit_of_its_own(sqs: SQSClient) -> None:
    url = create_queue(sqs, MaximumMessageSize="1024")
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1024)
    assert refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody="x" * 1025))[0] == "InvalidParameterValue"


@pytest.mark.parametrize("body", ["\x00", "a\x0bb", "\ufffe", "\x1f", "x\uffff"])
def test_a_body_with_other_characters_is_refused(sqs: SQSClient, body: str) -> None:
    url = create_queue(sqs)
    assert refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody=body))[0] == "InvalidMessageContents"


@pytest.mark.parametrize(
    "attribute",
    [
        {"DataType": "Text", "StringValue": "x"},
        {"DataType": "String", "StringValue": ""},
        {"DataType": "Number", "StringValue": "twelve"},
        {"DataType": "Binary", "StringValue": "x"},
    ],
)
def test_a_malformed_message_attribute_is_refused(sqs: SQSClient, attribute: dict[str, str]) -> None:
    url = create_queue(sqs)
    code, _ = refusal(
        lambda: sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=cast("Any", {"a": attribute}))
    )
    assert code == "InvalidParameterValue"


@pytest.mark.parametrize("name", ["AWS.x", "amazon.x", ".x", "x.", "x..y", "x y", "x" * 257])
def test_a_malformed_attribute_name_is_refused(sqs: SQSClient, name: str) -> None:
    url = create_queue(sqs)
    attributes: Any = {name: {"DataType": "String", "StringValue": "v"}}
    code, _ = refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=attributes))
    assert code == "InvalidParameterValue"


def test_a_message_has_at_most_ten_attributes(sqs: SQSClient) -> None:
    url = create_queue(sqs)

    def send(count: int) -> object:
        attributes: Any = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(count)}
        return sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=attributes)

    send(10)
    assert refusal(lambda: send(11))[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    "options",
    [
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"WaitTimeSeconds": 21},
        {"WaitTimeSeconds": -1},
        {"VisibilityTimeout": 43_201},
    ],
)
def test_a_receive_beyond_the_limits_is_refused(sqs: SQSClient, options: dict[str, int]) -> None:
    url = create_queue(sqs)
    code, text = refusal(lambda: sqs.receive_message(QueueUrl=url, **cast("Any", options)))
    assert code == "InvalidParameterValue"
    assert "Reason: Must be" in text


# Queues


def test_a_queue_has_the_defaults_of_aws(sqs: SQSClient, emulator: Dev) -> None:
    name = unique("queue")
    url = create_queue(sqs, name)
    assert url == f"{emulator.endpoint}/{ACCOUNT}/{name}"
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    found = cast("dict[str, str]", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
    assert found.pop("CreatedTimestamp") == found.pop("LastModifiedTimestamp")
    assert found == {
        "QueueArn": arn_of(url),
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "VisibilityTimeout": "30",
        "SqsManagedSseEnabled": "true",
    }


def test_creating_a_queue_again_needs_the_same_attributes(sqs: SQSClient) -> None:
    name = unique("queue")
    url = create_queue(sqs, name, VisibilityTimeout="7", DelaySeconds="1")
    assert create_queue(sqs, name) == create_queue(sqs, name, DelaySeconds="1") == url
    code, text = refusal(lambda: create_queue(sqs, name, VisibilityTimeout="8"))
    assert code == "QueueAlreadyExists"
    assert text.endswith("VisibilityTimeout")


@pytest.mark.parametrize("name", ["", "x" * 81, "no spaces", "no.dots", "ümlaut"])
def test_a_queue_name_is_checked(sqs: SQSClient, name: str) -> None:
    code, text = refusal(lambda: sqs.create_queue(QueueName=name))
    assert code == "InvalidParameterValue"
    assert "1 to 80 in length" in text


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("VisibilityTimeout", "43201"),
        ("VisibilityTimeout", "-1"),
        ("VisibilityTimeout", "1.5"),
        ("DelaySeconds", "901"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("MessageRetentionPeriod", "59"),
        ("MessageRetentionPeriod", "1209601"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("SqsManagedSseEnabled", "perhaps"),
        ("Policy", "nonsense"),
    ],
)
def test_a_queue_attribute_out_of_range_is_refused(sqs: SQSClient, attribute: str, value: str) -> None:
    assert refusal(lambda: create_queue(sqs, **{attribute: value}))[0] == "InvalidAttributeValue"
    url = create_queue(sqs)
    change: Any = {attribute: value}
    assert refusal(lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=change))[0] == "InvalidAttributeValue"


def test_an_unknown_queue_attribute_is_refused(sqs: SQSClient) -> None:
    assert refusal(lambda: create_queue(sqs, Nonsense="1")) == ("InvalidAttributeName", "Unknown Attribute Nonsense.")


def test_what_is_not_built_is_refused_by_name(sqs: SQSClient) -> None:
    code, text = refusal(lambda: create_queue(sqs, f"{unique('queue')}.fifo", FifoQueue="true"))
    assert code == "AWS.SimpleQueueService.UnsupportedOperation"
    assert text == "FIFO queues are not in Treadle's emulator yet"
    url = create_queue(sqs)
    _, text = refusal(lambda: sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=[ACCOUNT], Actions=["*"]))
    assert text == "AddPermission is not in Treadle's emulator yet"


def test_queue_attributes_can_be_changed_and_removed(sqs: SQSClient, emulator: Dev) -> None:
    url = create_queue(sqs)
    policy = '{"Version": "2012-10-17",  "Statement": []}'
    emulator.advance(2)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy, "VisibilityTimeout": "9"})
    found = cast("Any", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
    assert (found["Policy"], found["VisibilityTimeout"]) == (policy, "9")
    assert int(found["LastModifiedTimestamp"]) - int(found["CreatedTimestamp"]) == 2
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def test_a_missing_queue_is_named_so(sqs: SQSClient, emulator: Dev) -> None:
    url = f"{emulator.endpoint}/{ACCOUNT}/{unique('missing')}"
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.send_message(QueueUrl=url, MessageBody="m")
    assert caught.value.response.get("Error", {}).get("Code") == "AWS.SimpleQueueService.NonExistentQueue"
    assert refusal(lambda: sqs.receive_message(QueueUrl="nonsense"))[0] == "InvalidAddress"
    name = url.rsplit("/", 1)[1]
    assert refusal(lambda: sqs.get_queue_url(QueueName=name))[0] == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_queue_is_found_under_any_host(sqs: SQSClient) -> None:
    url = create_queue(sqs)
    elsewhere = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{url.rsplit('/', 1)[1]}"
    sqs.send_message(QueueUrl=elsewhere, MessageBody="m")
    assert counts(sqs, url) == (1, 0, 0)


def test_a_queue_that_is_made_anew_is_empty(sqs: SQSClient) -> None:
    name = unique("queue")
    url = create_queue(sqs, name)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    sqs.delete_queue(QueueUrl=url)
    assert create_queue(sqs, name, DelaySeconds="1") == url
    assert counts(sqs, url) == (0, 0, 0)


def test_queues_are_listed_by_prefix_and_page(sqs: SQSClient) -> None:
    prefix = unique("listed")
    urls = [create_queue(sqs, f"{prefix}-{number}") for number in range(5)]
    assert sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"] == urls
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=unique("missing"))
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2})
    assert [page["QueueUrls"] for page in pages] == [urls[0:2], urls[2:4], urls[4:]]


def test_a_queue_carries_tags(sqs: SQSClient) -> None:
    url = sqs.create_queue(QueueName=unique("queue"), tags={"app": "shop", "stage": "dev"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"stage": "prod", "step": "pay"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["app", "missing"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"stage": "prod", "step": "pay"}
    code, _ = refusal(lambda: sqs.tag_queue(QueueUrl=url, Tags={f"t{number}": "" for number in range(49)}))
    assert code == "InvalidParameterValue"


# Nothing lost, nothing twice

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
        if not self.lives(known) or known.visible_at <= now or dead != known.dead:
            return
        url = self.dead_url if dead else self.url
        self.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=timeout)
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
TestNothingIsLostAndNothingComesTwice.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)

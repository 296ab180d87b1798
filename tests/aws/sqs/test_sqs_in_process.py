"""Queues in process: whose turn it is, how much is in flight, what stays in memory."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.dev import DEADLINE_SECONDS
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.sqs.deadlines import Deadlines
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.service import Sqs


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
    assert len(deadlines._heap) + len(deadlines._line) < 200  # pyright: ignore[reportPrivateUsage]
    assert list(deadlines.pop_due(6.0)) == [1, 2]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(1, 9), st.integers(0, 20)),
            st.tuples(st.just("drop"), st.integers(1, 9), st.just(0)),
            st.tuples(st.just("pop"), st.just(0), st.integers(0, 20)),
        ),
        max_size=60,
    )
)
def test_timers_come_in_the_order_in_which_they_are_due(steps: list[tuple[str, int, int]]) -> None:
    deadlines, expected = Deadlines(), dict[int, int]()
    for what, serial, moment in steps:
        match what:
            case "set":
                deadlines.set(serial, moment)
                expected[serial] = moment
            case "drop":
                assert deadlines.drop(serial) == (expected.pop(serial, None) is not None)
            case _:
                due = sorted((at, number) for number, at in expected.items() if at <= moment)
                assert list(deadlines.pop_due(moment)) == [number for _, number in due]
                expected = {number: at for number, at in expected.items() if at > moment}
        assert deadlines.earliest() == min(expected.values(), default=None)
        assert set(deadlines.serials()) == set(expected)


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

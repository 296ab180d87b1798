"""What a cycle of a queue costs in process: send one message, receive one, delete it, at depth 0 and at depth 100,000.

`python benchmarks/queues.py [cycles]`. Every message is sent, received and deleted alone, by the methods of the
emulator's queue that SNS and the pollers of functions call too, on messages that were made before. Then the same by
whole SQS operations over AWS's shapes, which make and render the message and check all that AWS checks. Medians of five
runs, by the time of the processor, since machines are shared. A hundred FIFO messages each share a group, and each has
a de-duplication id of its own.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from pathlib import Path
from typing import Any, cast

from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import RealClock
from treadle_local.garbage import spare_collections
from treadle_local.sqs.message import Message, md5, new_message_id
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.service import Sqs
from treadle_local.sqs.settings import QueueSettings

RUNS = 5
DEPTHS = (0, 100_000)


def resident_mib() -> float:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1024**2


def message(number: int, clock: RealClock, *, fifo: bool) -> Message:
    """A message as SendMessage makes it of a small JSON body."""
    body = f'{{"order": {number}}}'
    return Message(
        new_message_id(),
        body,
        md5(body.encode()),
        clock.now(),
        "benchmark",
        group_id=f"group {number // 100}" if fifo else None,
        deduplication_id=str(number) if fifo else None,
    )


def run(depth: int, cycles: int, *, fifo: bool) -> tuple[float, float]:
    """Cycles a second, and the MiB by which the process has grown when the depth is reached."""
    clock = RealClock()
    name = "benchmark.fifo" if fifo else "benchmark"
    queue = Queue(f"arn:aws:sqs:us-east-1:000000000000:{name}", QueueSettings(fifo=fifo), clock, lambda _: None)
    before = resident_mib()
    for number in range(depth):
        queue.send(message(-1 - number, clock, fifo=fifo))
    grown = resident_mib() - before
    messages = [message(number, clock, fifo=fifo) for number in range(cycles)]
    started = time.process_time()
    for one in messages:
        queue.send(one)
        (received,) = queue.receive_now(1)
        queue.delete(received.receipt)
    seconds = time.process_time() - started
    if queue.counts().visible != depth:
        raise SystemExit(f"{queue.counts().visible} messages are left of {depth}")
    return cycles / seconds, grown


def run_operations(depth: int, cycles: int, *, fifo: bool) -> tuple[float, float]:
    """As `run`, by SendMessage, ReceiveMessage and DeleteMessage."""
    sqs, name = Sqs(Region(), RealClock()), "benchmark.fifo" if fifo else "benchmark"
    attributes = {"FifoQueue": "true"} if fifo else {}

    def call(operation: str, **params: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", sqs.handle(operation, params, ROOT))

    def send(number: int) -> None:
        ids = {"MessageGroupId": f"group{number // 100}", "MessageDeduplicationId": str(number)} if fifo else {}
        call("SendMessage", QueueUrl=url, MessageBody=f'{{"order": {number}}}', **ids)

    url: str = call("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"]
    before = resident_mib()
    for number in range(depth):
        send(-1 - number)
    grown = resident_mib() - before
    started = time.process_time()
    for number in range(cycles):
        send(number)
        (received,) = call("ReceiveMessage", QueueUrl=url)["Messages"]
        call("DeleteMessage", QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
    return cycles / (time.process_time() - started), grown


def main() -> None:
    spare_collections()
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    for what, measure in (("queue", run), ("operations", run_operations)):
        for fifo in (False, True):
            for depth in DEPTHS:
                rates: list[float] = []
                sizes: list[float] = []
                for _ in range(RUNS):
                    gc.collect()
                    rate, size = measure(depth, cycles, fifo=fifo)
                    rates.append(rate)
                    sizes.append(size)
                print(
                    f"{what:<10} {'FIFO' if fifo else 'standard':<8} depth {depth:>7,}: "
                    f"{statistics.median(rates):>9,.0f} cycles/s, {max(sizes):>6.1f} MiB for the depth"
                )


if __name__ == "__main__":
    main()

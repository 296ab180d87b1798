"""What a publish costs in process: to one raw subscriber, as messages pile up, and to more and more subscribers.

`python benchmarks/topics.py [publishes]`. Whole SNS operations over AWS's shapes, delivery included: each message is
checked, filtered, copied and put into the queues. Medians of five runs, by the time of the processor, since machines
are shared.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Caller, Params, Region, Result
from treadle_local.clock import RealClock
from treadle_local.garbage import spare_collections
from treadle_local.sns.service import Sns
from treadle_local.sqs.service import Sqs

RUNS = 5
WANTED_PER_SECOND = 30_000
BODY = json.dumps({"order": 1, "kind": "book", "note": "x" * 80})
RAW = {"RawMessageDelivery": "true"}
BY_ATTRIBUTE = {**RAW, "FilterPolicy": '{"kind": ["pen", {"prefix": "bo"}]}'}
BY_BODY = {**BY_ATTRIBUTE, "FilterPolicyScope": "MessageBody"}
ATTRIBUTES = {"kind": {"DataType": "String", "StringValue": "book"}}
LET_IN = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}
)


class NoFunctions:
    """A Lambda service without functions."""

    def resolve(self, function_name_or_arn: str, qualifier: str | None = None) -> tuple[object, str]:
        raise AwsError("ResourceNotFoundException", function_name_or_arn, status=404)

    def resource_policy(self, function: str) -> dict[str, Any] | None:
        return None

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        raise AwsError("ResourceNotFoundException", operation, status=404)


class Bench:
    """A topic with queues that subscribe."""

    def __init__(self, subscribers: int, attributes: Mapping[str, str], *, fifo: bool) -> None:
        region, clock, suffix = Region(), RealClock(), ".fifo" if fifo else ""
        self.sqs = Sqs(region, clock)
        self.sns = Sns(region, clock, self.sqs, NoFunctions(), _accepts, _lost)
        fifo_topic = {"FifoTopic": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        fifo_queue = {"FifoQueue": "true"} if fifo else {}
        topic = {"Name": f"benchmark{suffix}", "Attributes": fifo_topic}
        self.topic = self.sns.handle("CreateTopic", topic, ROOT)["TopicArn"]
        self.queues: list[str] = []
        for number in range(subscribers):
            name = f"benchmark-{number}{suffix}"
            self.queues.append(region.arn("sqs", name))
            self.sqs.handle("CreateQueue", {"QueueName": name, "Attributes": {"Policy": LET_IN, **fifo_queue}}, ROOT)
            params = {"TopicArn": self.topic, "Protocol": "sqs", "Endpoint": self.queues[-1], "Attributes": attributes}
            self.sns.handle("Subscribe", params, ROOT)

    def publish(self, publishes: int, params: Params) -> float:
        """Publishes a second."""
        started = time.process_time()
        for number in range(publishes):
            self.sns.handle(
                "Publish", {"TopicArn": self.topic, **params, "Message": f'{BODY[:-1]}, "n": {number}}}'}, ROOT
            )
        return publishes / (time.process_time() - started)

    def depth(self) -> int:
        queues = [self.sqs.resolve(arn) for arn in self.queues]
        return sum(queue.counts().visible for queue in queues if queue is not None)


def _accepts(policy: dict[str, Any], action: str, resource: str, service_principal: str, source_arn: str) -> bool:
    return True


def _lost(topic: str, subscription: str, reason: str) -> None:
    raise SystemExit(f"a message was lost: {reason}")


def measure(
    name: str, publishes: int, attributes: Mapping[str, str], params: Params, subscribers: int = 1, depth: int = 0
) -> float:
    """The median of publishes a second, printed."""
    rates: list[float] = []
    fifo = "MessageGroupId" in params
    for _ in range(RUNS):
        bench = Bench(subscribers, attributes, fifo=fifo)
        bench.publish(depth, params)
        gc.collect()
        rates.append(bench.publish(publishes, params))
        if bench.depth() != (publishes + depth) * subscribers:
            raise SystemExit(f"{bench.depth()} messages arrived of {(publishes + depth) * subscribers}")
    rate = statistics.median(rates)
    print(f"{name:<44} {rate:>9,.0f} publishes/s {rate * subscribers:>10,.0f} deliveries/s")
    return rate


def main() -> None:
    spare_collections()
    publishes = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rate = measure("one raw subscriber", publishes, RAW, {})
    measure("the same, 50,000 messages in the queue", publishes, RAW, {}, depth=50_000)
    measure("one subscriber with envelopes", publishes, {}, {})
    measure("one raw subscriber, filter on attributes", publishes, BY_ATTRIBUTE, {"MessageAttributes": ATTRIBUTES})
    measure("one raw subscriber, filter on the body", publishes, BY_BODY, {})
    measure("one raw subscriber, FIFO", publishes, RAW, {"MessageGroupId": "g"})
    for subscribers in (10, 100):
        measure(f"{subscribers} raw subscribers", publishes // subscribers, RAW, {}, subscribers)
        measure(f"{subscribers} with envelopes", publishes // subscribers, {}, {}, subscribers)
    if rate < WANTED_PER_SECOND:
        print(f"slower than the {WANTED_PER_SECOND:,} publishes/s that are wanted", file=sys.stderr)


if __name__ == "__main__":
    main()

"""Messages through topic, queue, receive and delete of a running `treadle dev`: how many are lost or come twice.

`python benchmarks/messages.py [--messages 100000] [--publishers 16] [--consumers 8]`. Publishers are threads with a
connection each, which publish batches of ten by SNS's query protocol; consumers long-poll ten messages at a time by
SQS's JSON protocol and delete them in batches, while publishing goes on. Time is the machine's. Fails where a message
is lost or comes twice, or where the emulator's resident memory is not back within a fifth of what it was before.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.dev import Dev, wait_until

BATCH = 10
MEMORY_TOLERANCE = 0.20
_DRAINED_SECONDS = 120.0


class Connection:
    """One keep-alive connection to the emulator's AWS port."""

    def __init__(self, endpoint: str) -> None:
        self._http = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=60)

    def sns(self, form: Mapping[str, str]) -> None:
        self._post("sns", urllib.parse.urlencode(form), {"content-type": "application/x-www-form-urlencoded"})

    def sqs(self, operation: str, params: Mapping[str, Any]) -> Any:
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
        return json.loads(self._post("sqs", json.dumps(params), headers))

    def _post(self, service: str, body: str, headers: Mapping[str, str]) -> bytes:
        credential = f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request"
        signed = {**headers, "authorization": f"{credential}, SignedHeaders=host, Signature=none"}
        self._http.request("POST", "/", body, signed)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{service} answers {answer.status}: {content[:500]!r}")
        return content

    def close(self) -> None:
        self._http.close()


def publish(endpoint: str, topic_arn: str, publisher: int, count: int) -> None:
    """Publishes messages numbered from 0, in batches."""
    connection = Connection(endpoint)
    for first in range(0, count, BATCH):
        form = {"Action": "PublishBatch", "Version": "2010-03-31", "TopicArn": topic_arn}
        for place, number in enumerate(range(first, min(first + BATCH, count)), 1):
            member = f"PublishBatchRequestEntries.member.{place}"
            form[f"{member}.Id"] = str(place)
            form[f"{member}.Message"] = json.dumps({"id": f"{publisher}-{number}", "text": "x" * 100})
        connection.sns(form)
    connection.close()


class Consumers:
    """Threads that receive and delete until they are stopped; `seen` counts messages by what is in them."""

    def __init__(self, endpoint: str, queue_url: str, count: int) -> None:
        self._endpoint, self._queue_url = endpoint, queue_url
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.seen: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._consume) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _consume(self) -> None:
        connection = Connection(self._endpoint)
        receive = {"QueueUrl": self._queue_url, "MaxNumberOfMessages": BATCH, "WaitTimeSeconds": 1}
        while not self._stopping.is_set():
            messages: list[Any] = connection.sqs("ReceiveMessage", receive).get("Messages", [])
            if not messages:
                continue
            entries = [
                {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]} for place, message in enumerate(messages)
            ]
            deleted = connection.sqs("DeleteMessageBatch", {"QueueUrl": self._queue_url, "Entries": entries})
            if len(deleted["Successful"]) != len(messages):
                raise SystemExit(f"not deleted: {deleted['Failed']}")
            with self._lock:
                self.seen.update(json.loads(json.loads(message["Body"])["Message"])["id"] for message in messages)
        connection.close()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()


def resident_mib(process_id: int) -> float:
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * 4096 / 1024**2


def topic_and_queue(dev: Dev) -> tuple[str, str]:
    """The ARN of a topic, and the URL of the queue that is subscribed to it."""
    topic_arn: str = dev.client("sns").create_topic(Name="messages")["TopicArn"]
    sqs = dev.client("sqs")
    url: str = sqs.create_queue(QueueName="messages", Attributes={"VisibilityTimeout": "300"})["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [statement]})})
    dev.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
    return topic_arn, url


def run(dev: Dev, messages: int, publishers: int, consumers: int) -> bool:
    """Whether all went well; prints what was seen."""
    topic_arn, url = topic_and_queue(dev)
    shares = [messages // publishers + (publisher < messages % publishers) for publisher in range(publishers)]
    before = resident_mib(dev.process.pid)
    begun = time.perf_counter()
    consuming = Consumers(dev.endpoint, url, consumers)
    threads = [
        threading.Thread(target=publish, args=(dev.endpoint, topic_arn, publisher, share))
        for publisher, share in enumerate(shares)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    published = time.perf_counter() - begun
    wanted = {f"{publisher}-{number}" for publisher, share in enumerate(shares) for number in range(share)}
    try:
        wait_until("all messages", lambda: len(consuming.seen) >= len(wanted), _DRAINED_SECONDS)
    except AssertionError as problem:
        print(problem)
    seconds = time.perf_counter() - begun
    consuming.stop()
    seen = consuming.seen
    after = resident_mib(dev.process.pid)
    lost, duplicated = len(wanted - set(seen)), seen.total() - len(seen)
    print(f"messages    {messages:>10,} by {publishers} publishers in batches of {BATCH}, {consumers} consumers")
    print(f"lost        {lost:>10,}")
    print(f"duplicated  {duplicated:>10,}")
    print(f"rss before  {before:>10.1f} MiB")
    print(f"rss after   {after:>10.1f} MiB ({after / before - 1:+.1%})")
    print(f"published   {messages / published:>10,.0f} messages/s")
    print(f"rate        {messages / seconds:>10,.0f} messages/s from the first publish to the last delete")
    return not lost and not duplicated and after <= before * (1 + MEMORY_TOLERANCE)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--publishers", type=int, default=16)
    parser.add_argument("--consumers", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Dev(Path(folder), "--no-watch") as dev:
        good = run(dev, options.messages, options.publishers, options.consumers)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

"""DynamoDB's items in the emulator: puts and queries a second, in process and over HTTP, and what an item takes.

`python benchmarks/items.py [items]`; each figure is the median of five runs with so many items (100,000) in the table,
beside the same with a hundredth of them: a cost that grows with the table shows there. The HTTP clients are raw
keep-alive connections with a static signature, so that it is the emulator that is measured and not boto3.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.dev import Dev
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import RealClock
from treadle_local.dynamodb.dynamodb import DynamoDb
from treadle_local.dynamodb.service import DynamoDbItems
from treadle_local.garbage import spare_collections

ITEMS = 100_000
RUNS = 5
GROUP_ITEMS = 100
CLIENTS = 4
PUTS_IN_PROCESS = 10_000
PUTS_OVER_HTTP = 2_000
QUERIES = 100
TABLE = "things"
CREATE: dict[str, Any] = {
    "TableName": TABLE,
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
HEADERS = (
    "content-type: application/x-amz-json-1.0\r\nauthorization: AWS4-HMAC-SHA256 "
    "Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of the runs with all items in the table, and with a hundredth of them."""

    name: str
    unit: str
    full: float
    small: float | None

    def line(self) -> str:
        beside = "" if self.small is None else f"   {self.small:>10.2f} with a hundredth of the items"
        return f"{self.name:<44} {self.full:>10.2f} {self.unit:<6}{beside}"


def item(number: int, group: str | None = None) -> dict[str, Any]:
    """An item of about 200 bytes, of the group of its hundred."""
    return {
        "pk": {"S": group if group is not None else f"group-{number // GROUP_ITEMS:06d}"},
        "sk": {"S": f"item-{number:09d}"},
        "version": {"N": str(number)},
        "value": {
            "M": {
                "text": {"S": f"a message of some length, number {number}"},
                "done": {"BOOL": number % 2 == 0},
                "tags": {"L": [{"S": "one"}, {"S": "two"}]},
            }
        },
    }


def put_bodies(start: int, count: int, group: str | None = None) -> list[bytes]:
    return [json.dumps({"TableName": TABLE, "Item": item(start + n, group)}).encode() for n in range(count)]


def query_params(number: int) -> dict[str, Any]:
    return {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": f"group-{number:06d}"}},
        "ConsistentRead": True,
    }


def median(run: Callable[[int], float]) -> float:
    """The median of the runs, each told its number."""
    return statistics.median(run(number) for number in range(RUNS))


# in process


class InProcess:
    """A table with so many items, called as the endpoint calls it, bodies parsed and not rendered."""

    def __init__(self, items: int) -> None:
        region = Region()
        clock = RealClock()
        self._db = DynamoDb(region, clock, DynamoDbItems(region, clock, lambda _: None))
        self._items = items
        self._db.handle("CreateTable", CREATE, ROOT)
        gc.collect()
        before = _resident_bytes()
        for start in range(0, items, 1_000):
            for body in put_bodies(start, min(1_000, items - start)):
                self._db.handle("PutItem", json.loads(body), ROOT)
        gc.collect()
        self.bytes_per_item = (_resident_bytes() - before) / items

    def puts_per_second(self, run: int) -> float:
        parsed = [json.loads(body) for body in put_bodies(10_000_000 + run * PUTS_IN_PROCESS, PUTS_IN_PROCESS)]
        begun = time.perf_counter()
        for params in parsed:
            self._db.handle("PutItem", params, ROOT)
        return PUTS_IN_PROCESS / (time.perf_counter() - begun)

    def query_ms(self, run: int) -> float:
        groups = [(run * QUERIES + n) % (self._items // GROUP_ITEMS) for n in range(QUERIES)]
        begun = time.perf_counter()
        for group in groups:
            found = self._db.handle("Query", query_params(group), ROOT)
            _check(found["Count"])
        return (time.perf_counter() - begun) * 1000 / QUERIES


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def _check(count: int) -> None:
    if count != GROUP_ITEMS:
        raise SystemExit(f"a group has {count} items, not {GROUP_ITEMS}")


# over HTTP


class Connection:
    """One keep-alive connection that asks and waits for the answer."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer

    async def ask(self, operation: str, body: bytes) -> bytes:
        head = (
            f"POST / HTTP/1.1\r\nhost: {self._host}\r\nx-amz-target: DynamoDB_20120810.{operation}\r\n"
            f"{HEADERS}content-length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        status = answer[9:12]
        length = int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        content = await self._reader.readexactly(length)
        if status != b"200":
            raise SystemExit(f"{operation}: {content.decode()}")
        return content

    def close(self) -> None:
        self._writer.close()


class OverHttp:
    """A running emulator with so many items in a table."""

    def __init__(self, endpoint: str, connections: list[Connection], items: int) -> None:
        self._connections = connections
        self._items = items
        self._endpoint = endpoint

    @classmethod
    async def opened(cls, endpoint: str, items: int) -> OverHttp:
        host, _, port = endpoint.partition("://")[2].partition(":")
        pairs = [await asyncio.open_connection(host, int(port)) for _ in range(CLIENTS)]
        opened = cls(endpoint, [Connection(f"{host}:{port}", *pair) for pair in pairs], items)
        await opened._fill()
        return opened

    async def _fill(self) -> None:
        first = self._connections[0]
        await first.ask("CreateTable", json.dumps(CREATE).encode())
        for start in range(0, self._items, 25):
            requests = [{"PutRequest": {"Item": item(start + n)}} for n in range(min(25, self._items - start))]
            await first.ask("BatchWriteItem", json.dumps({"RequestItems": {TABLE: requests}}).encode())

    async def puts_per_second(self, run: int) -> float:
        share = PUTS_OVER_HTTP // CLIENTS
        bodies = [
            put_bodies(10_000_000 + (run * CLIENTS + client) * share, share) for client in range(len(self._connections))
        ]

        async def client(connection: Connection, mine: list[bytes]) -> None:
            for body in mine:
                await connection.ask("PutItem", body)

        begun = time.perf_counter()
        await asyncio.gather(*map(client, self._connections, bodies))
        return PUTS_OVER_HTTP / (time.perf_counter() - begun)

    async def query_ms(self, run: int) -> float:
        bodies = [
            json.dumps(query_params((run * QUERIES + n) % (self._items // GROUP_ITEMS))).encode()
            for n in range(QUERIES)
        ]
        begun = time.perf_counter()
        answers = [await self._connections[0].ask("Query", body) for body in bodies]
        milliseconds = (time.perf_counter() - begun) * 1000 / QUERIES
        for answer in answers:
            _check(json.loads(answer)["Count"])
        return milliseconds

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


async def _over_http(items: int) -> tuple[float, float]:
    """Puts a second, and the milliseconds of a query of a group."""
    with tempfile.TemporaryDirectory() as folder, Dev(Path(folder), "--no-watch") as dev:
        opened = await OverHttp.opened(dev.endpoint, items)
        try:
            queries = [await opened.query_ms(run) for run in range(RUNS)]
            puts = [await opened.puts_per_second(run) for run in range(RUNS)]
        finally:
            opened.close()
    return statistics.median(puts), statistics.median(queries)


def measure(items: int = ITEMS) -> list[Figure]:
    """All figures."""
    full = InProcess(items)
    small = InProcess(max(GROUP_ITEMS, items // 100))
    figures = [
        Figure("query of 100 items, in process", "ms", median(full.query_ms), median(small.query_ms)),
        Figure("puts, in process", "/s", median(full.puts_per_second), median(small.puts_per_second)),
        Figure("memory of an item", "bytes", full.bytes_per_item, None),
    ]
    del full, small
    puts, query = asyncio.run(_over_http(items))
    small_puts, small_query = asyncio.run(_over_http(max(GROUP_ITEMS, items // 100)))
    figures.append(Figure("query of 100 items, over HTTP", "ms", query, small_query))
    figures.append(Figure(f"puts, over HTTP, {CLIENTS} clients", "/s", puts, small_puts))
    return figures


def main(arguments: list[str] | None = None) -> None:
    spare_collections()
    given = sys.argv[1:] if arguments is None else arguments
    for figure in measure(int(given[0]) if given else ITEMS):
        print(figure.line())


if __name__ == "__main__":
    main()

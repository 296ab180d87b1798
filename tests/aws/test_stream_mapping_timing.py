"""When records of a table's stream reach a function, to the second, and that none is lost or comes twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.aws import ACCOUNT
from support.change_streams import item
from support.lambda_account import ECHO, zipped
from support.policies import allow, document
from treadle_local.aws.authorization.roles import RolePolicies
from treadle_local.aws.errors import AwsError
from treadle_local.aws.identity import Identity
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.dynamodb.change_stream import MOST_KEPT, ChangeStream
from treadle_local.dynamodb.service import DynamoDbItems
from treadle_local.functions.model import FunctionVersion, InvokeOutcome, InvokeRequest
from treadle_local.functions.pollers import Batch
from treadle_local.functions.service import LambdaService
from treadle_local.functions.stream_pollers import StreamPollers

TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/things"
STREAM = f"{TABLE}/stream/2015-05-11T21:21:33.291"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:destination"
DAY = 24 * 3600

SUCCEEDED = InvokeOutcome(b"null")
FAILED = InvokeOutcome(b'{"errorType": "ValueError", "errorMessage": "no"}', "Unhandled")
THROTTLED = AwsError("TooManyRequestsException", "Rate Exceeded.", status=429)

Outcome = InvokeOutcome | AwsError
Answer = Callable[[list[str]], Outcome]
"""From the sequence numbers of an event to what becomes of it."""


@dataclass
class Scene:
    """The Lambda service over a table, with functions that answer as told; everything is allowed."""

    answer: Answer
    clock: ManualClock = field(default_factory=lambda: ManualClock(1_000_000.0))
    runs: list[tuple[float, list[str]]] = field(default_factory=list[tuple[float, list[str]]])
    sent: list[Any] = field(default_factory=list[Any])
    dropped: list[str] = field(default_factory=list[str])
    batches: list[Batch] = field(default_factory=list[Batch])

    def __post_init__(self) -> None:
        region = Region()
        self.items = DynamoDbItems(region, self.clock, lambda _: None)
        self.items.table_created(
            {
                "TableName": "things",
                "TableArn": TABLE,
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                "AttributeDefinitions": [
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                "LatestStreamArn": STREAM,
            }
        )
        permitted = RolePolicies({}, (document(allow("*")),))
        identity = Identity(lambda _: permitted, self.clock.now, lambda _: None)
        self.service = LambdaService(region, self.clock, self)
        self.pollers = StreamPollers(
            self.clock,
            identity,
            self.service,
            self,
            self.items.streams.find,
            self.batches.append,
            lambda _, text: self.dropped.append(text),
            linger_seconds=0,
        )

    @property
    def stream(self) -> ChangeStream:
        found = self.items.streams.find(STREAM)
        assert found is not None
        return found

    # what the Lambda service needs around it

    async def read_object(self, bucket: str, key: str) -> bytes:
        raise AwsError("NoSuchKey", "The specified key does not exist.", status=404)

    def is_unlimited(self, bucket: str, key: str) -> bool:
        return False

    def trusts(self, role_arn: str, service_principal: str) -> bool | None:
        return True

    def role_allows(self, role_arn: str, action: str, resource: str) -> bool:
        return True

    async def invoke(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        numbers = [record["dynamodb"]["SequenceNumber"] for record in json.loads(payload)["Records"]]
        self.runs.append((self.clock.now() - 1_000_000, numbers))
        await asyncio.sleep(0)
        answer = self.answer(numbers)
        if isinstance(answer, AwsError):
            raise answer
        return answer

    def source_exists(self, arn: str) -> bool:
        return arn == STREAM

    def queue_visibility_timeout(self, arn: str) -> int | None:
        return None

    def function_changed(self, name: str) -> None:
        return

    def mappings_changed(self) -> None:
        self.pollers.refresh()

    async def send_to(self, destination_arn: str, body: str) -> None:
        self.sent.append(json.loads(body))

    # what tests do

    def put(self, *keys: str, text: str = "") -> None:
        for key in keys:
            self.items.handle("PutItem", {"TableName": "things", "Item": item(key, text=text)}, ROOT)

    async def call(self, operation: str, **params: Any) -> Any:
        result = self.service.handle(operation, {"FunctionName": "f", **params}, ROOT)
        return result if isinstance(result, dict) else await result

    async def map(self, **settings: Any) -> str:
        wanted = {"EventSourceArn": STREAM, "StartingPosition": "LATEST", **settings}
        made = await self.call("CreateEventSourceMapping", **wanted)
        identifier: str = made["UUID"]
        return identifier

    async def settle(self) -> None:
        """Lets all happen that needs no time."""
        for _ in range(1_000):
            await asyncio.sleep(0)
            if self.pollers.quiet():
                return
        raise AssertionError("it does not come to rest")

    async def pass_time(self, seconds: int) -> None:
        """Lets time pass second by second, with all that happens in each."""
        for _ in range(seconds):
            await self.settle()
            self.clock.advance(1)
        await self.settle()

    def moments(self) -> list[float]:
        return [moment for moment, _ in self.runs]

    def told(self) -> list[tuple[str, int, int]]:
        return [
            (
                one["requestContext"]["condition"],
                one["requestContext"]["approximateInvokeCount"],
                one["DDBStreamBatchInfo"]["batchSize"],
            )
            for one in self.sent
        ]


def in_turn(*outcomes: Outcome) -> Answer:
    left = iter(outcomes)
    return lambda _: next(left)


def play(answer: Answer, script: Callable[[Scene], Coroutine[Any, Any, None]]) -> Scene:
    async def run() -> Scene:
        scene = Scene(answer)
        role = f"arn:aws:iam::{ACCOUNT}:role/any"
        code = {"ZipFile": zipped(ECHO)}
        await scene.call("CreateFunction", Role=role, Runtime="python3.13", Handler="app.handler", Code=code)
        await script(scene)
        await scene.pollers.close()
        await scene.service.close()
        return scene

    return asyncio.run(run())


def reporting(numbers: list[str]) -> InvokeOutcome:
    failures = [{"itemIdentifier": number} for number in numbers]
    return InvokeOutcome(json.dumps({"batchItemFailures": failures}).encode())


def test_a_record_is_delivered_at_once_and_the_poller_is_quiet_before_and_after() -> None:
    async def script(scene: Scene) -> None:
        await scene.map()
        await scene.settle()
        scene.put("a", "b")
        assert not scene.pollers.quiet()
        await scene.settle()
        scene.put("c")
        await scene.settle()

    scene = play(in_turn(SUCCEEDED, SUCCEEDED), script)
    assert [(moment, len(numbers)) for moment, numbers in scene.runs] == [(0, 2), (0, 1)]
    assert [(batch.function, batch.source_arn, batch.size, batch.failed) for batch in scene.batches] == [
        ("f", STREAM, 2, 0),
        ("f", STREAM, 1, 0),
    ]


def test_retries_come_at_ever_longer_intervals_up_to_a_minute() -> None:
    async def script(scene: Scene) -> None:
        await scene.map(MaximumRetryAttempts=8)
        scene.put("a")
        await scene.pass_time(400)

    scene = play(lambda _: FAILED, script)
    assert scene.moments() == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert len(scene.dropped) == 1
    assert scene.dropped[0].endswith(
        "1 change of things was dropped: RetryAttemptsExhausted after 9 runs: ValueError: no"
    )
    assert [batch.problem for batch in scene.batches] == ["ValueError: no"] * 9


def test_a_throttled_batch_uses_up_no_retries() -> None:
    async def script(scene: Scene) -> None:
        await scene.map(MaximumRetryAttempts=0, BisectBatchOnFunctionError=True)
        scene.put("a", "b")
        await scene.pass_time(10)

    scene = play(in_turn(THROTTLED, THROTTLED, THROTTLED, SUCCEEDED), script)
    assert [(moment, len(numbers)) for moment, numbers in scene.runs] == [(0, 2), (1, 2), (3, 2), (7, 2)]
    assert scene.dropped == []


def test_without_a_limit_a_record_is_retried_until_it_expires() -> None:
    async def script(scene: Scene) -> None:
        await scene.map(DestinationConfig={"OnFailure": {"Destination": QUEUE}})
        scene.put("a")
        await scene.settle()
        for _ in range(DAY // 60):
            scene.clock.advance(60)
            await scene.settle()

    scene = play(lambda _: FAILED, script)
    assert len(scene.runs) > 1_000
    [(condition, invocations, size)] = scene.told()
    assert (condition, invocations, size) == ("RecordAgeExceeded", len(scene.runs), 1)
    assert scene.sent[0]["timestamp"] == "1970-01-13T13:46:40.000Z"
    assert scene.sent[0]["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"] == "1970-01-12T13:46:40Z"


def test_a_retry_that_is_due_before_the_record_is_too_old_is_made_however_far_the_clock_jumps() -> None:
    async def script(scene: Scene) -> None:
        await scene.map(MaximumRecordAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": QUEUE}})
        scene.put("a")
        await scene.settle()
        scene.clock.advance(1_000)
        await scene.settle()

    scene = play(in_turn(FAILED, FAILED), script)
    assert len(scene.runs) == 2
    assert scene.told() == [("RecordAgeExceeded", 2, 1)]


def test_only_the_records_that_are_too_old_are_given_up() -> None:
    async def script(scene: Scene) -> None:
        await scene.map(MaximumRecordAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": QUEUE}})
        scene.put("blocks")
        await scene.pass_time(10)
        scene.put("old")
        await scene.pass_time(20)
        scene.put("young")
        await scene.pass_time(70)

    scene = play(lambda _: FAILED, script)
    assert scene.told()[0] == ("RecordAgeExceeded", 6, 1)
    assert [size for _, _, size in scene.told()] == [1, 1, 1]
    assert [(moment, len(numbers)) for moment, numbers in scene.runs][6:10] == [(60, 2), (61, 2), (63, 2), (67, 2)]


def test_reported_failures_that_move_on_are_no_failures_of_the_same_batch() -> None:
    def answer(numbers: list[str]) -> InvokeOutcome:
        """One record at a time goes well."""
        return reporting(numbers[:0:-1])

    async def script(scene: Scene) -> None:
        await scene.map(MaximumRetryAttempts=1, FunctionResponseTypes=["ReportBatchItemFailures"])
        scene.put(*"abcde")
        await scene.pass_time(10)

    scene = play(answer, script)
    assert [(moment, len(numbers)) for moment, numbers in scene.runs] == [(0, 5), (1, 4), (2, 3), (3, 2), (4, 1)]
    assert [(batch.size, batch.failed) for batch in scene.batches] == [(5, 4), (4, 3), (3, 2), (2, 1), (1, 0)]
    assert scene.dropped == []


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("null", 1),
        ("{}", 1),
        ('{"batchItemFailures": []}', 1),
        ('{"batchItemFailures": null}', 1),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', 2),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', 2),
        ('{"batchItemFailures": [{"identifier": "1"}]}', 2),
        ('{"batchItemFailures": ["1"]}', 2),
    ],
)
def test_what_an_answer_says_of_the_batch(body: str, count: int) -> None:
    async def script(scene: Scene) -> None:
        await scene.map(FunctionResponseTypes=["ReportBatchItemFailures"])
        scene.put("a", "b")
        await scene.pass_time(2)

    scene = play(in_turn(InvokeOutcome(body.encode()), SUCCEEDED), script)
    assert [len(numbers) for _, numbers in scene.runs] == [2] * count


def test_what_expired_while_a_mapping_was_disabled_is_reported() -> None:
    async def script(scene: Scene) -> None:
        identifier = await scene.map()
        await scene.call("UpdateEventSourceMapping", UUID=identifier, Enabled=False)
        await scene.settle()
        scene.put("a", "b")
        scene.clock.advance(DAY)
        scene.put("c")
        await scene.call("UpdateEventSourceMapping", UUID=identifier, Enabled=True)
        await scene.settle()

    scene = play(in_turn(SUCCEEDED), script)
    assert len(scene.runs) == 1
    assert scene.dropped == [f"2 record(s) of {STREAM} expired before they were read"]


def test_a_mapping_that_is_made_disabled_begins_when_it_is_enabled() -> None:
    async def script(scene: Scene) -> None:
        identifier = await scene.map(Enabled=False)
        scene.put("a")
        await scene.call("UpdateEventSourceMapping", UUID=identifier, Enabled=True)
        await scene.settle()
        scene.put("b")
        await scene.settle()

    scene = play(in_turn(SUCCEEDED), script)
    assert [len(numbers) for _, numbers in scene.runs] == [1]


def test_a_stream_keeps_no_more_than_a_laptop_can() -> None:
    async def script(scene: Scene) -> None:
        stream = scene.stream
        scene.put("a")
        [(_, change)] = stream.between(stream.oldest_number(), stream.next_number)
        for _ in range(MOST_KEPT + 1_000):
            stream.add(*change[:3], False)
        assert MOST_KEPT - 1_000 <= stream.next_number - stream.oldest_number() <= MOST_KEPT
        scene.clock.advance(DAY)
        assert stream.oldest_number() == stream.next_number
        for _ in range(2_000):
            stream.add(*change[:3], False)
        assert stream.next_number - stream.oldest_number() == 2_000

    play(in_turn(), script)


@settings(max_examples=60)
@given(
    writes=st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12), min_size=1, max_size=6),
    fates=st.lists(st.sampled_from(["well", "well", "fails", "throttled", "reports", "changed"]), max_size=40),
    lanes=st.integers(1, 4),
    batch_size=st.integers(1, 7),
    bisects=st.booleans(),
    retries=st.integers(-1, 2),
    window=st.sampled_from([0, 2]),
)
def test_every_record_is_done_once_or_given_up_and_each_items_in_order(
    writes: list[list[str]], fates: list[str], lanes: int, batch_size: int, bisects: bool, retries: int, window: int
) -> None:
    done: list[str] = []
    due = list(fates)
    change = asyncio.Event()

    def answer(numbers: list[str]) -> Outcome:
        fate = due.pop() if due else "well"
        if fate == "fails":
            return FAILED
        if fate == "throttled":
            return THROTTLED
        if fate == "changed":
            change.set()
        well = len(numbers) // 2 if fate == "reports" else len(numbers)
        done.extend(numbers[:well])
        return InvokeOutcome(
            json.dumps({"batchItemFailures": [{"itemIdentifier": n} for n in numbers[well:]]}).encode()
        )

    async def script(scene: Scene) -> None:
        identifier = await scene.map(
            BatchSize=batch_size,
            ParallelizationFactor=lanes,
            BisectBatchOnFunctionError=bisects,
            MaximumRetryAttempts=retries,
            MaximumBatchingWindowInSeconds=window,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            DestinationConfig={"OnFailure": {"Destination": QUEUE}},
        )
        for number, keys in enumerate(writes):
            scene.put(*keys, text=str(number))
            await scene.pass_time(1)
            if change.is_set():
                change.clear()
                await scene.call("UpdateEventSourceMapping", UUID=identifier, ParallelizationFactor=lanes % 4 + 1)
        total = scene.stream.next_number - scene.stream.oldest_number()
        while len(done) + sum(size for _, _, size in scene.told()) < total:
            await scene.settle()
            scene.clock.advance(61)

    scene = play(answer, script)
    stream = scene.stream
    changes = dict(stream.between(stream.oldest_number(), stream.next_number))
    assert len(done) == len(set(done))
    assert len(done) + sum(size for _, _, size in scene.told()) == len(changes)
    of_item: dict[str, list[int]] = {}
    for number in done:
        of_item.setdefault(changes[int(number)].record.item["pk"]["S"], []).append(int(number))
    assert all(numbers == sorted(numbers) for numbers in of_item.values())
    assert all(text.endswith("; AWS's record of it is in destination") for text in scene.dropped)
    assert len(scene.dropped) == len(scene.told())

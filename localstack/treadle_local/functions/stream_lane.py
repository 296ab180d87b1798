"""One lane of a mapping on a table's stream: batches one after the other, each until it is done or given up.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html, .../services-dynamodb-errors.html
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from treadle_local.aws.errors import AwsError
from treadle_local.aws.identity import Identity
from treadle_local.aws.service import Caller, Target
from treadle_local.clock import Clock
from treadle_local.dynamodb.change_stream import RETENTION_SECONDS, ChangeStream
from treadle_local.functions.batch_failures import failures
from treadle_local.functions.destinations import may_send
from treadle_local.functions.model import Backing, EventSourceMapping, FunctionVersion, InvokeRequest, StreamSettings
from treadle_local.functions.pollers import Batch
from treadle_local.functions.service import LambdaService
from treadle_local.functions.stream_records import (
    ENVELOPE_BYTES,
    MAXIMUM_PAYLOAD_BYTES,
    Condition,
    Entry,
    Run,
    StreamRecord,
    event,
    failure_document,
    rendered,
)
from treadle_local.ids import new_uuid

# AWS documents that it waits longer from one retry to the next, not how long.
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_STREAM_ACTIONS = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html"""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What mappings on streams need of the emulator. `on_dropped` is told the function and what was given up.

    A stream is read so many real seconds after a change, at once or later.
    """

    clock: Clock
    identity: Identity
    functions: LambdaService
    backing: Backing
    on_batch: Callable[[Batch], None]
    on_dropped: Callable[[str, str], None]
    linger_seconds: float


@dataclass(frozen=True, slots=True)
class _Delivery:
    """Records that go to the function together at `due`, seconds since the epoch.

    `failures` count against the mapping's retries, `refusals` are the times in a row that the function was not reached,
    and `invocations` those in which it was.
    """

    records: tuple[StreamRecord, ...]
    due: float
    failures: int = 0
    refusals: int = 0
    invocations: int = 0
    run: Run | None = None


class Lane:
    """Works on what is added, in that order, as soon as it comes. `finish` ends it."""

    def __init__(
        self, surroundings: Surroundings, mapping: EventSourceMapping, settings: StreamSettings, stream: ChangeStream
    ) -> None:
        self._surroundings = surroundings
        self._clock = surroundings.clock
        self._mapping = mapping
        self._settings = settings
        self._stream = stream
        self._targets = [Target(f"dynamodb:{action}", stream.arn) for action in _STREAM_ACTIONS]
        self._pending: deque[Entry] = deque()
        self._deliveries: list[_Delivery] = []  # the next one last
        self._ending = False
        self._waker: asyncio.Future[None] | None = None
        self._waits_for_clock = False
        self._task = asyncio.get_running_loop().create_task(self._work())
        self._task.add_done_callback(_report_failure)

    def add(self, entry: Entry) -> None:
        self._pending.append(entry)
        self._wake()

    def is_quiet(self) -> bool:
        """Whether nothing happens here until a record comes or the clock is turned."""
        if self._task.done():
            return True
        resting = self._waker is not None and not self._waker.done()
        return resting and (self._waits_for_clock or not self._pending)

    async def finish(self) -> list[Entry]:
        """Ends after the invocation that is under way, if one is; returns what is not done, in order."""
        self._ending = True
        self._wake()
        await asyncio.gather(self._task, return_exceptions=True)
        delivered = [record for delivery in reversed(self._deliveries) for record in delivery.records]
        return [(record.number, record.change) for record in delivered] + list(self._pending)

    async def give_up(self) -> None:
        """Ends at once."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while not self._ending:
            if self._deliveries:
                await self._proceed(self._deliveries[-1])
            elif self._pending:
                await self._gather()
            else:
                await self._rest()

    async def _rest(self, until: float | None = None) -> None:
        """Returns at that time on the clock, or sooner when something happens."""
        self._waker = asyncio.get_running_loop().create_future()
        self._waits_for_clock = until is not None
        timer = None if until is None else self._clock.call_at(until, self._wake)
        try:
            await self._waker
        finally:
            self._waker = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    # a batch is formed

    async def _gather(self) -> None:
        """Makes a delivery of what is there, or of what comes within the batching window."""
        end = self._clock.now() + self._mapping.window_seconds
        while len(self._pending) < self._mapping.batch_size and self._clock.now() < end and not self._ending:
            await self._rest(end)
        if not self._ending:
            self._deliveries.append(_Delivery(self._taken(), self._clock.now()))

    def _taken(self) -> tuple[StreamRecord, ...]:
        """The next records: a batch at most, and no more than an event can hold."""
        records: list[StreamRecord] = []
        size = ENVELOPE_BYTES
        while self._pending and len(records) < self._mapping.batch_size:
            record = rendered(self._stream, self._pending[0])
            size += len(record.body) + 1
            if records and size > MAXIMUM_PAYLOAD_BYTES:
                break
            records.append(record)
            self._pending.popleft()
        return tuple(records)

    # and delivered

    async def _proceed(self, delivery: _Delivery) -> None:
        """Waits until the delivery is due or too old, then invokes the function or gives up what is too old."""
        moment = min(delivery.due, self._deadline(delivery.records[0]))
        if self._clock.now() < moment:
            await self._rest(moment)
            return
        fresh = tuple(record for record in delivery.records if self._deadline(record) > moment)
        if len(fresh) == len(delivery.records):
            self._deliveries[-1:] = await self._invoke(delivery)
            return
        old = replace(delivery, records=delivery.records[: len(delivery.records) - len(fresh)])
        self._deliveries[-1:] = [replace(delivery, records=fresh)] if fresh else []
        await self._give_up(old, Condition.AGE_EXCEEDED)

    def _deadline(self, record: StreamRecord) -> float:
        """When the record is too old to be delivered."""
        limit_seconds = self._settings.maximum_record_age_seconds
        age_seconds = RETENTION_SECONDS if limit_seconds < 0 else min(limit_seconds, RETENTION_SECONDS)
        return record.change.time + age_seconds

    async def _invoke(self, delivery: _Delivery) -> list[_Delivery]:
        """What is to be delivered after this, the next one last."""
        request_id = new_uuid()
        try:
            version, invoked_arn = self._surroundings.functions.resolve(self._mapping.function_arn, None)
            self._check_permission(version)
            request = InvokeRequest("RequestResponse", request_id, invoked_arn)
            outcome = await self._surroundings.functions.run(version, event(delivery.records), request)
        except AwsError as refusal:  # throttled, not permitted or gone: no run, so no retry is used up
            self._report(delivery, len(delivery.records), request_id, refusal.message)
            due = self._clock.now() + _pause_seconds(delivery.refusals + 1)
            return [replace(delivery, due=due, refusals=delivery.refusals + 1)]
        numbers = [str(record.number) for record in delivery.records]
        failed, problem = failures(self._mapping, numbers, outcome)
        done = min(numbers.index(number) for number in failed) if failed else len(numbers)
        self._report(delivery, len(numbers) - done, request_id, problem)
        run = Run(request_id, version.version, outcome.function_error, problem)
        ran = replace(delivery, refusals=0, invocations=delivery.invocations + 1, run=run)
        return [] if done == len(numbers) else await self._again(ran, done)

    def _check_permission(self, version: FunctionVersion) -> None:
        caller = Caller(role=version.role_arn.rsplit("/", 1)[-1], session=version.name)
        self._surroundings.identity.authorize(caller, self._targets)

    async def _again(self, delivery: _Delivery, done: int) -> list[_Delivery]:
        """The deliveries of a batch whose first `done` records went well and the next did not.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
        """
        now = self._clock.now()
        left = delivery.records[done:]
        if self._settings.bisect_batch_on_function_error and (done or len(left) > 1):
            # splitting is not counted as a retry
            whole = replace(delivery, records=left, due=now, failures=0)
            middle = 0 if done else len(left) // 2
            parts = (left[middle:], left[:middle]) if middle else (left,)
            return [replace(whole, records=part) for part in parts]
        count = 1 if done else delivery.failures + 1
        failing = replace(delivery, records=left, due=now + _pause_seconds(count), failures=count)
        if -1 < self._settings.maximum_retry_attempts < count:
            await self._give_up(failing, Condition.RETRIES_EXHAUSTED)
            return []
        return [failing]

    async def _give_up(self, delivery: _Delivery, condition: Condition) -> None:
        """Tells the destination, where there is one, and whoever watches of the records that are given up."""
        destination, run, records = self._mapping.destination, delivery.run, delivery.records
        reason = f"{condition.value} after {delivery.invocations} run{'s' if delivery.invocations != 1 else ''}"
        if run is not None and run.problem is not None:
            reason += f": {run.problem}"
        outcome = "dropped"
        if destination is not None:
            document = failure_document(
                self._mapping, self._stream, records, condition, delivery.invocations, run, self._clock.now()
            )
            problem = await self._send(destination, document)
            if problem is None:
                outcome = "given up"
                reason += f"; AWS's record of it is in {destination.rsplit(':', 1)[-1]}"
            else:
                reason += f"; {destination} could not be told: {problem}"
        table = self._stream.arn.split("/")[1]
        count = f"1 change of {table} was" if len(records) == 1 else f"{len(records)} changes of {table} were"
        text = f"{count} {outcome}: {reason}"
        self._surroundings.on_dropped(function_name(self._mapping), text)

    async def _send(self, destination: str, document: str) -> str | None:
        """Why the document could not be sent; None when it was."""
        try:
            version, _ = self._surroundings.functions.resolve(self._mapping.function_arn, None)
            if not may_send(self._surroundings.backing, version.role_arn, destination):
                return "the function's role does not permit it"
            await self._surroundings.backing.send_to(destination, document)
        except AwsError as refusal:
            return refusal.message
        return None

    def _report(self, delivery: _Delivery, failed: int, request_id: str, problem: str | None) -> None:
        name = function_name(self._mapping)
        batch = Batch(name, self._stream.arn, len(delivery.records), failed, request_id, problem)
        self._surroundings.on_batch(batch)


def function_name(mapping: EventSourceMapping) -> str:
    return mapping.function_arn.split(":")[6]


def _pause_seconds(times: int) -> float:
    """How long to wait after so many failures in a row."""
    return float(min(_FIRST_PAUSE_SECONDS * 2 ** min(times - 1, 30), _LONGEST_PAUSE_SECONDS))


def _report_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a table's stream is read no more", "exception": task.exception(), "task": task}
        )

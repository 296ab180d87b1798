"""Asynchronous invocations: accepted at once, run until done or given up, then recorded at a destination."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.functions.concurrency import Concurrency
from treadle_local.functions.destinations import destination_service, may_send
from treadle_local.functions.model import (
    LATEST,
    AsynchronousSettings,
    Backing,
    FunctionVersion,
    InvokeOutcome,
    InvokeRequest,
)
from treadle_local.functions.references import FunctionReference, parse
from treadle_local.functions.registry import Registry

# Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
_RETRY_DELAYS_SECONDS = (60.0, 120.0)
_DEFAULT_RETRY_ATTEMPTS = 2
_DEFAULT_EVENT_AGE_SECONDS = 6 * 3600
_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 300.0

_log = logging.getLogger("treadle.functions")

OnDropped = Callable[[str, str], None]
"""Told the function and the reason when an event was given up or went nowhere, or the record of one did."""


class Condition(Enum):
    """How an asynchronous invocation ended, in the record's words."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


@dataclass(slots=True)
class Event:
    """An accepted event, and how far it has come. `version` and `outcome` are those of the latest run."""

    reference: FunctionReference
    payload: bytes
    request: InvokeRequest
    accepted_at: float
    runs: int = 0
    version: FunctionVersion | None = None
    outcome: InvokeOutcome | None = None


class AsynchronousInvocations:
    """One task per accepted event. No failure ends in silence: what is given up or lost is told to `on_dropped`."""

    def __init__(self, registry: Registry, concurrency: Concurrency, backing: Backing, on_dropped: OnDropped) -> None:
        self._registry = registry
        self._concurrency = concurrency
        self._backing = backing
        self._on_dropped = on_dropped
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0

    @property
    def quiet(self) -> bool:
        """Whether every accepted event is done, or waits for the clock."""
        return self._waiting == len(self._tasks)

    @property
    def pending(self) -> int:
        """How many accepted events run or are about to."""
        return len(self._tasks) - self._waiting

    def accept(self, reference: FunctionReference, payload: bytes, request: InvokeRequest) -> None:
        """Takes an event and returns; it runs as soon as the loop gets to it."""
        event = Event(reference, payload, request, self._registry.clock.now())
        task = asyncio.get_running_loop().create_task(self._carry(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Ends what is still waiting or running; each such event is reported as dropped."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, event: Event) -> None:
        name = event.reference.name
        try:
            condition = await self._run_to_the_end(event)
            await self._record(event, condition)
        except AwsError as error:
            self._on_dropped(name, f"an asynchronous event was dropped: {error}")
        except asyncio.CancelledError:
            self._on_dropped(name, "an asynchronous event was dropped: the emulator stopped before it was done")
            raise
        except Exception:
            _log.exception("an asynchronous invocation of %s failed inside the emulator", name)
            self._on_dropped(name, "an asynchronous event was dropped: it failed inside the emulator")

    async def _run_to_the_end(self, event: Event) -> Condition:
        """Runs the event until it succeeds or is given up. Raises ResourceNotFoundException for a deleted function."""
        backoff_seconds = _FIRST_BACKOFF_SECONDS
        while True:
            event.version = self._registry.route(event.reference)
            if self._registry.find(event.reference).reserved_concurrency == 0:
                return Condition.ZERO_RESERVED_CONCURRENCY
            try:
                event.outcome = await self._concurrency.run(event.version, event.payload, event.request)
            except AwsError as error:
                if error.status < 429:
                    raise
                # Throttles and errors of Lambda's own do not count as attempts.
                delay_seconds = backoff_seconds
                backoff_seconds = min(2 * backoff_seconds, _LONGEST_BACKOFF_SECONDS)
            else:
                event.runs += 1
                if event.outcome.function_error is None:
                    return Condition.SUCCESS
                if event.runs > self._settings(event).retry_attempts:
                    return Condition.RETRIES_EXHAUSTED
                delay_seconds = _RETRY_DELAYS_SECONDS[event.runs - 1]
            if not await self._wait(event, delay_seconds):
                return Condition.EVENT_AGE_EXCEEDED

    async def _wait(self, event: Event, seconds: float) -> bool:
        """False where the event is too old for another run by then."""
        clock = self._registry.clock
        deadline = event.accepted_at + self._settings(event).event_age_seconds
        self._waiting += 1
        try:
            await clock.sleep(max(0.0, min(seconds, deadline - clock.now())))
        finally:
            self._waiting -= 1
        return clock.now() < deadline

    def _settings(self, event: Event) -> _Settings:
        function = self._registry.functions.get(event.reference.name)
        if function is None:  # deleted meanwhile
            return _Settings.of(None)
        return _Settings.of(function.asynchronous.get(event.reference.qualifier or LATEST))

    async def _record(self, event: Event, condition: Condition) -> None:
        settings = self._settings(event)
        succeeded = condition is Condition.SUCCESS
        destination = settings.on_success if succeeded else settings.on_failure
        name = event.reference.name
        if destination is None:
            if not succeeded:
                self._on_dropped(name, f"{_given_up(event, condition)}; no destination has a record of it")
            return
        if event.version is not None and not may_send(self._backing, event.version.role_arn, destination):
            self._on_dropped(name, f"the record of an asynchronous event was dropped: no permission for {destination}")
            return
        await self._send(destination, record(event, condition, self._registry.clock.now()), event)
        if not succeeded:
            queue = destination.rsplit(":", 1)[-1]
            self._on_dropped(name, f"{_given_up(event, condition)}; AWS's record of it is in {queue}")

    async def _send(self, destination: str, body: str, event: Event) -> None:
        if destination_service(destination) == "lambda":
            reference = parse(destination, None, self._registry.region)
            self._registry.find_qualified(reference)
            request = InvokeRequest("Event", event.request.request_id, destination, reference.qualifier)
            self.accept(reference, body.encode(), request)
        else:
            await self._backing.send_to(destination, body)


@dataclass(frozen=True, slots=True)
class _Settings:
    """The settings in force, AWS's defaults filled in."""

    retry_attempts: int
    event_age_seconds: int
    on_success: str | None
    on_failure: str | None

    @classmethod
    def of(cls, settings: AsynchronousSettings | None) -> _Settings:
        if settings is None:
            return cls(_DEFAULT_RETRY_ATTEMPTS, _DEFAULT_EVENT_AGE_SECONDS, None, None)
        attempts, age_seconds = settings.maximum_retry_attempts, settings.maximum_event_age_seconds
        return cls(
            _DEFAULT_RETRY_ATTEMPTS if attempts is None else attempts,
            _DEFAULT_EVENT_AGE_SECONDS if age_seconds is None else age_seconds,
            settings.on_success,
            settings.on_failure,
        )


def record(event: Event, condition: Condition, now: float) -> str:
    """The invocation record as destinations get it.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": event.request.request_id,
            "functionArn": f"{event.reference.arn}:{event.reference.qualifier or LATEST}",
            "condition": condition.value,
            "approximateInvokeCount": event.runs,
        },
        "requestPayload": json.loads(event.payload),
    }
    if event.outcome is not None:
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": event.version.version if event.version is not None else LATEST,
        }
        if event.outcome.function_error is not None:
            document["responseContext"]["functionError"] = event.outcome.function_error
        document["responsePayload"] = _document(event.outcome.payload)
    return json.dumps(document, separators=(",", ":"))


def _document(payload: bytes) -> Any:
    """A function's answer as it stands in a record: as JSON, or as text where it is none."""
    try:
        return json.loads(payload or b"null")
    except ValueError:
        return payload.decode("utf-8", "replace")


def _given_up(event: Event, condition: Condition) -> str:
    if condition is Condition.ZERO_RESERVED_CONCURRENCY:
        return "given up: the function's reserved concurrency is 0"
    age = ", too old for another" if condition is Condition.EVENT_AGE_EXCEEDED else ""
    failure = _failure(event.outcome.payload) if event.outcome is not None else ""
    return f"given up after {event.runs} attempt{'s' * (event.runs != 1)}{age}{f': {failure}' if failure else ''}"


def _failure(payload: bytes) -> str:
    """The error in AWS's error document, in one line; any other answer as it is."""
    document = _document(payload)
    if not isinstance(document, dict) or "errorMessage" not in document:
        return payload.decode("utf-8", "replace")
    error = cast("Mapping[str, Any]", document)
    return f"{error['errorType']}: {error['errorMessage']}" if "errorType" in error else str(error["errorMessage"])

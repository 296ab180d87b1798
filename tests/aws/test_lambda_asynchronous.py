"""When asynchronous invocations happen, to the second, and what the rest of the emulator asks of the Lambda service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.aws import ACCOUNT
from support.lambda_account import ECHO, zipped
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.functions.model import FunctionVersion, InvokeOutcome, InvokeRequest
from treadle_local.functions.service import LambdaService


@dataclass
class Surroundings:
    """A backing whose functions answer from a script; everything else is allowed."""

    clock: ManualClock
    answers: list[InvokeOutcome | AwsError]
    runs: list[float] = field(default_factory=list[float])
    sent: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    async def read_object(self, bucket: str, key: str) -> bytes:
        raise AwsError("NoSuchKey", "The specified key does not exist.", status=404)

    def is_unlimited(self, bucket: str, key: str) -> bool:
        return False

    def trusts(self, role_arn: str, service_principal: str) -> bool | None:
        return True

    def role_allows(self, role_arn: str, action: str, resource: str) -> bool:
        return True

    async def invoke(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        self.runs.append(self.clock.now())
        answer = self.answers.pop(0)
        if isinstance(answer, AwsError):
            raise answer
        return answer

    def source_exists(self, arn: str) -> bool:
        return True

    def queue_visibility_timeout(self, arn: str) -> int | None:
        return None

    def function_changed(self, name: str) -> None:
        return

    def mappings_changed(self) -> None:
        return

    async def send_to(self, destination_arn: str, body: str) -> None:
        self.sent.append((destination_arn, json.loads(body)))


FAILED = InvokeOutcome(b'{"errorMessage": "no"}', "Unhandled")
SUCCEEDED = InvokeOutcome(b'"yes"')
THROTTLED = AwsError("TooManyRequestsException", "Rate Exceeded.", status=429)
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:destination"


@dataclass
class Scene:
    surroundings: Surroundings
    service: LambdaService
    dropped: list[str]

    async def call(self, operation: str, **params: Any) -> Any:
        result = self.service.handle(operation, {"FunctionName": "f", **params}, ROOT)
        return result if isinstance(result, dict) else await result

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: int) -> None:
        """Lets time pass second by second, with all that happens in each."""
        for _ in range(seconds):
            await self.settle()
            self.surroundings.clock.advance(1)
        await self.settle()

    def runs(self) -> list[float]:
        return self.surroundings.runs

    def conditions(self) -> list[tuple[str, int]]:
        contexts = [body["requestContext"] for _, body in self.surroundings.sent]
        return [(context["condition"], context["approximateInvokeCount"]) for context in contexts]


def play(answers: list[InvokeOutcome | AwsError], script: Callable[[Scene], Coroutine[Any, Any, None]]) -> Scene:
    async def run() -> Scene:
        clock, dropped = ManualClock(0.0), list[str]()
        surroundings = Surroundings(clock, answers)
        service = LambdaService(Region(), clock, surroundings, lambda _, reason: dropped.append(reason))
        scene = Scene(surroundings, service, dropped)
        role = f"arn:aws:iam::{ACCOUNT}:role/any"
        code = {"ZipFile": zipped(ECHO)}
        await scene.call("CreateFunction", Role=role, Runtime="python3.13", Handler="app.handler", Code=code)
        await script(scene)
        await service.close()
        return scene

    return asyncio.run(run())


def test_retries_come_after_one_and_then_two_minutes() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(400)

    scene = play([FAILED, FAILED, FAILED], script)
    assert scene.runs() == [0.0, 60.0, 180.0]
    assert scene.dropped == ["given up after 3 attempts: no; no destination has a record of it"]


def test_a_success_after_a_retry_is_recorded_once() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("PutFunctionEventInvokeConfig", DestinationConfig={"OnSuccess": {"Destination": QUEUE}})
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(100)

    scene = play([FAILED, SUCCEEDED], script)
    assert scene.conditions() == [("Success", 2)]
    assert scene.surroundings.sent[0][1]["responsePayload"] == "yes"
    assert scene.dropped == []


def test_no_retry_is_made_where_none_is_wanted() -> None:
    async def script(scene: Scene) -> None:
        destination = {"OnFailure": {"Destination": QUEUE}}
        await scene.call("PutFunctionEventInvokeConfig", MaximumRetryAttempts=0, DestinationConfig=destination)
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(400)

    scene = play([FAILED], script)
    assert scene.conditions() == [("RetriesExhausted", 1)]


def test_an_event_older_than_its_maximum_age_is_given_up() -> None:
    async def script(scene: Scene) -> None:
        destination = {"OnFailure": {"Destination": QUEUE}}
        await scene.call("PutFunctionEventInvokeConfig", MaximumEventAgeInSeconds=100, DestinationConfig=destination)
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(99)
        assert scene.conditions() == []
        await scene.pass_time(1)

    scene = play([FAILED, FAILED], script)
    assert scene.runs() == [0.0, 60.0]
    assert scene.conditions() == [("EventAgeExceeded", 2)]


def test_throttles_back_off_and_count_as_no_attempt() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("PutFunctionEventInvokeConfig", DestinationConfig={"OnSuccess": {"Destination": QUEUE}})
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(10)

    scene = play([THROTTLED, THROTTLED, THROTTLED, SUCCEEDED], script)
    assert scene.runs() == [0.0, 1.0, 3.0, 7.0]
    assert scene.conditions() == [("Success", 1)]


def test_reserved_concurrency_of_zero_sends_events_straight_to_the_failure_destination() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("PutFunctionEventInvokeConfig", DestinationConfig={"OnFailure": {"Destination": QUEUE}})
        await scene.call("PutFunctionConcurrency", ReservedConcurrentExecutions=0)
        await scene.call("Invoke", InvocationType="Event", Payload=b"[1]")
        await scene.settle()

    scene = play([], script)
    assert scene.conditions() == [("ZeroReservedConcurrency", 0)]
    assert scene.surroundings.sent[0][1]["requestPayload"] == [1]


def test_an_event_of_a_function_that_is_deleted_meanwhile_is_reported() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("Invoke", InvocationType="Event")
        await scene.settle()
        await scene.call("DeleteFunction")
        await scene.pass_time(61)

    scene = play([FAILED], script)
    assert len(scene.dropped) == 1
    assert "Function not found" in scene.dropped[0]


def test_events_that_are_not_done_when_the_emulator_stops_are_reported() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("Invoke", InvocationType="Event")
        await scene.pass_time(5)

    scene = play([FAILED], script)
    assert scene.dropped == ["an asynchronous event was dropped: the emulator stopped before it was done"]


def test_a_record_can_go_to_another_function() -> None:
    async def script(scene: Scene) -> None:
        other = {"FunctionName": "other", "Runtime": "python3.13", "Handler": "app.handler"}
        role = f"arn:aws:iam::{ACCOUNT}:role/any"
        await scene.call("CreateFunction", **other, Role=role, Code={"ZipFile": zipped(ECHO)})
        arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:other"
        await scene.call("PutFunctionEventInvokeConfig", DestinationConfig={"OnSuccess": {"Destination": arn}})
        await scene.call("Invoke", InvocationType="Event")
        await scene.settle()

    scene = play([SUCCEEDED, SUCCEEDED], script)
    assert scene.runs() == [0.0, 0.0]
    assert scene.dropped == []


# what else the emulator asks of the service


def test_a_mapping_on_a_table_stream_has_the_settings_of_streams() -> None:
    stream = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders/stream/2026-01-01T00:00:00.000"

    async def script(scene: Scene) -> None:
        with pytest.raises(AwsError, match="startingPosition"):
            await scene.call("CreateEventSourceMapping", EventSourceArn=stream)
        made = await scene.call("CreateEventSourceMapping", EventSourceArn=stream, StartingPosition="TRIM_HORIZON")
        assert (made["BatchSize"], made["MaximumRetryAttempts"], made["ParallelizationFactor"]) == (100, -1, 1)
        with pytest.raises(AwsError, match="maximumRecordAgeInSeconds"):
            await scene.call("UpdateEventSourceMapping", UUID=made["UUID"], MaximumRecordAgeInSeconds=30)
        await scene.call(
            "UpdateEventSourceMapping",
            UUID=made["UUID"],
            BisectBatchOnFunctionError=True,
            MaximumRetryAttempts=2,
            DestinationConfig={"OnFailure": {"Destination": QUEUE}},
        )
        (mapping,) = scene.service.mappings()
        assert mapping.destination == QUEUE
        assert mapping.stream is not None
        assert mapping.stream.bisect_batch_on_function_error
        assert mapping.stream.maximum_retry_attempts == 2

    play([], script)


def test_a_call_asks_for_the_permission_that_aws_asks_for() -> None:
    async def script(scene: Scene) -> None:
        def asked(operation: str, **params: Any) -> list[tuple[str, str]]:
            return [(target.action, target.resource) for target in scene.service.targets(operation, params)]

        arn, role = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f", f"arn:aws:iam::{ACCOUNT}:role/r"
        made = await scene.call("CreateEventSourceMapping", EventSourceArn=QUEUE)
        assert asked("Invoke", FunctionName="f", Qualifier="live") == [("lambda:InvokeFunction", f"{arn}:live")]
        assert asked("Invoke", FunctionName=f"{arn}:1") == [("lambda:InvokeFunction", f"{arn}:1")]
        assert asked("GetFunction", FunctionName="f") == [("lambda:GetFunction", arn)]
        assert asked("ListFunctions") == [("lambda:ListFunctions", "*")]
        assert asked("CreateFunction", FunctionName="f", Role=role) == [
            ("lambda:CreateFunction", arn),
            ("iam:PassRole", role),
        ]
        assert asked("TagResource", Resource=arn) == [("lambda:TagResource", arn)]
        assert asked("CreateEventSourceMapping", FunctionName="f") == [("lambda:CreateEventSourceMapping", "*")]
        mapping_arn = made["EventSourceMappingArn"]
        assert asked("DeleteEventSourceMapping", UUID=made["UUID"]) == [
            ("lambda:DeleteEventSourceMapping", mapping_arn)
        ]
        (target,) = scene.service.targets("DeleteEventSourceMapping", {"UUID": made["UUID"]})
        assert target.context == {"lambda:FunctionArn": arn}

    play([], script)


def test_the_policy_of_an_alias_is_found_by_its_arn() -> None:
    async def script(scene: Scene) -> None:
        await scene.call("CreateAlias", Name="live", FunctionVersion="$LATEST")
        arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f:live"
        grant = {"StatementId": "all", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
        await scene.call("AddPermission", Qualifier="live", **grant)
        policy = scene.service.resource_policy(arn)
        assert policy is not None
        assert [statement["Resource"] for statement in policy["Statement"]] == [arn]
        assert scene.service.resource_policy("f") is None
        version, invoked_arn = scene.service.resolve("f", "live")
        assert (version.version, invoked_arn) == ("$LATEST", arn)

    play([], script)

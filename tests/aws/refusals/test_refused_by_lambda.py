"""Bounds of AWS Lambda: functions, their asynchronous invocation, mappings and payloads, each at n and n + 1."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.bounds import check_bound, unchecked
from support.lambda_account import Account, make_queue, make_role, refused, zipped

INVALID = "InvalidParameterValueException"
VALIDATION = "ValidationException"
SYNCHRONOUS_BYTES = 6_291_556
ASYNCHRONOUS_BYTES = 1_048_576
POLICY_BYTES = 20_480
LENGTHS = {"Description": 256, "Handler": 128, "FunctionName": 64}


def text(size: int) -> bytes:
    """A JSON text of that many bytes."""
    return b'"' + b"x" * (size - 2) + b'"'


# functions


@pytest.mark.parametrize(
    ("taken", "beyond", "code", "words"),
    [
        ({"Timeout": 900}, {"Timeout": 901}, VALIDATION, "less than or equal to 900"),
        ({"Timeout": 1}, {"Timeout": 0}, VALIDATION, "greater than or equal to 1"),
        ({"MemorySize": 10_240}, {"MemorySize": 10_241}, INVALID, "less than or equal to 10240"),
        ({"MemorySize": 128}, {"MemorySize": 127}, VALIDATION, "greater than or equal to 128"),
        ({"EphemeralStorage": {"Size": 10_240}}, {"EphemeralStorage": {"Size": 10_241}}, INVALID, "equal to 10240"),
        ({"EphemeralStorage": {"Size": 512}}, {"EphemeralStorage": {"Size": 511}}, VALIDATION, "equal to 512"),
    ],
)
def test_a_function_has_bounds(
    account: Account, taken: dict[str, Any], beyond: dict[str, Any], code: str, words: str
) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    with unchecked(account.emulator, "lambda") as client:
        check_bound(client.create_function, account.settings() | taken, account.settings() | beyond, code, words)


@pytest.mark.parametrize("member", list(LENGTHS))
def test_the_texts_of_a_function_have_lengths(account: Account, member: str) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""
    limit = LENGTHS[member]
    taken, beyond = unique("f").ljust(limit, "x"), unique("f").ljust(limit + 1, "x")
    check_bound(
        account.client.create_function,
        account.settings() | {member: taken},
        account.settings() | {member: beyond},
        VALIDATION,
        f"length less than or equal to {limit}",
    )


def test_the_environment_of_a_function_has_4_kb(account: Account) -> None:
    """Names, values and what JSON writes between them are counted together.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """

    def of_size(size: int) -> dict[str, Any]:
        bare = len(json.dumps({"KEY": ""}, separators=(",", ":")))
        return account.settings() | {"Environment": {"Variables": {"KEY": "x" * (size - bare)}}}

    check_bound(account.client.create_function, of_size(4096), of_size(4097), INVALID, "exceeded the 4KB limit")


def test_the_policy_of_a_function_has_20_kb(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    name = account.make()

    def grant(statement_id: str) -> object:
        return account.client.add_permission(
            FunctionName=name,
            StatementId=statement_id,
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:topic",
        )

    def size() -> int:
        return len(account.client.get_policy(FunctionName=name)["Policy"].encode())

    grant("first")
    first = size()
    grant("other")
    bare = size() - first - len("other")
    room = POLICY_BYTES - size()
    count = -(-room // (bare + 100))
    length, longer = divmod(room - count * bare, count)
    for number in range(count - 1):
        grant(f"{number:03d}".ljust(length + (number < longer), "x"))
    code, message = refusal(grant, "y" * (length + 1))
    assert (code, f"bigger than the limit ({POLICY_BYTES})" in message) == ("PolicyLengthExceededException", True)
    grant("y" * length)
    assert size() == POLICY_BYTES


def test_a_hundred_executions_stay_unreserved(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
    name = account.make()
    reserve = account.client.put_function_concurrency
    taken = {"FunctionName": name, "ReservedConcurrentExecutions": 900}
    try:
        check_bound(reserve, taken, taken | {"ReservedConcurrentExecutions": 901}, INVALID, "minimum value of [100]")
    finally:
        account.client.delete_function_concurrency(FunctionName=name)


def test_an_alias_has_a_name_of_128_characters_at_most(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html"""
    alias = {"FunctionName": account.make(), "FunctionVersion": "$LATEST"}
    create = account.client.create_alias
    check_bound(create, alias | {"Name": "a" * 128}, alias | {"Name": "a" * 129}, VALIDATION, "at 'name'")


@pytest.mark.parametrize(
    ("member", "taken", "beyond"),
    [
        ("MaximumRetryAttempts", 2, 3),
        ("MaximumRetryAttempts", 0, -1),
        ("MaximumEventAgeInSeconds", 60, 59),
        ("MaximumEventAgeInSeconds", 21_600, 21_601),
    ],
)
def test_asynchronous_invocation_has_bounds(account: Account, member: str, taken: int, beyond: int) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html"""
    name = account.make()
    with unchecked(account.emulator, "lambda") as client:
        check_bound(
            client.put_function_event_invoke_config,
            {"FunctionName": name, member: taken},
            {"FunctionName": name, member: beyond},
            VALIDATION,
            f"at '{member[0].lower()}{member[1:]}'",
        )


def test_a_failure_destination_is_of_a_kind_and_open_to_the_functions_role(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    _, queue = make_queue(account.emulator)
    set_destination = account.client.put_function_event_invoke_config

    def to(name: str, arn: str) -> dict[str, Any]:
        return {"FunctionName": name, "DestinationConfig": {"OnFailure": {"Destination": arn}}}

    name, powerless = account.make(), account.make(Role=make_role(account.emulator))
    check_bound(set_destination, to(name, queue), to(name, f"{queue}.fifo"), INVALID, "is invalid")
    check_bound(set_destination, to(name, queue), to(powerless, queue), INVALID, "permissions to call SendMessage")


# payloads


def test_a_synchronous_payload_has_6_mb(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    call = {"FunctionName": account.make("def handler(event, context):\n    return len(event)\n")}
    check_bound(
        account.client.invoke,
        call | {"Payload": text(SYNCHRONOUS_BYTES)},
        call | {"Payload": text(SYNCHRONOUS_BYTES + 1)},
        "RequestTooLargeException",
        f"Request must be smaller than {SYNCHRONOUS_BYTES} bytes",
    )


def test_an_asynchronous_payload_has_1_mb(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    name = account.make("def handler(event, context):\n    return len(event)\n")
    call = {"FunctionName": name, "InvocationType": "Event"}
    check_bound(
        account.client.invoke,
        call | {"Payload": text(ASYNCHRONOUS_BYTES)},
        call | {"Payload": text(ASYNCHRONOUS_BYTES + 1)},
        "RequestTooLargeException",
        "payload is too large for the Event invocation type",
    )


def test_a_response_has_6_mb(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    name = account.make("def handler(event, context):\n    return 'x' * event\n")

    def respond(size: int) -> tuple[str | None, bytes]:
        answer = account.client.invoke(FunctionName=name, Payload=str(size - 2).encode())
        return answer.get("FunctionError"), answer["Payload"].read()

    assert respond(SYNCHRONOUS_BYTES) == (None, text(SYNCHRONOUS_BYTES))
    failure, told = respond(SYNCHRONOUS_BYTES + 1)
    assert (failure, json.loads(told)["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")


# event source mappings


def map_and_unmap(client: Any, **settings: Any) -> None:
    """Makes a mapping that must be gone for the next one of the same queue and function."""
    made = client.create_event_source_mapping(**settings)
    client.delete_event_source_mapping(UUID=made["UUID"])


@pytest.mark.parametrize(
    ("taken", "beyond", "code", "words"),
    [
        ({"BatchSize": 1}, {"BatchSize": 0}, VALIDATION, "at 'batchSize'"),
        ({"BatchSize": 10}, {"BatchSize": 11}, INVALID, "batch window in seconds must be greater than 0"),
        (
            {"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1},
            {"BatchSize": 10_001, "MaximumBatchingWindowInSeconds": 1},
            VALIDATION,
            "less than or equal to 10000",
        ),
        (
            {"MaximumBatchingWindowInSeconds": 300},
            {"MaximumBatchingWindowInSeconds": 301},
            VALIDATION,
            "less than or equal to 300",
        ),
        (
            {"ScalingConfig": {"MaximumConcurrency": 2}},
            {"ScalingConfig": {"MaximumConcurrency": 1}},
            VALIDATION,
            "at 'scalingConfig.maximumConcurrency'",
        ),
        (
            {"ScalingConfig": {"MaximumConcurrency": 1000}},
            {"ScalingConfig": {"MaximumConcurrency": 1001}},
            VALIDATION,
            "less than or equal to 1000",
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 5}},
            {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}},
            INVALID,
            "number of filters must not exceed 5",
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["' + "x" * (4096 - 13) + '"]}'}]}},
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["' + "x" * (4097 - 13) + '"]}'}]}},
            VALIDATION,
            "less than or equal to 4096",
        ),
    ],
)
def test_a_mapping_of_a_queue_has_bounds(
    account: Account, taken: dict[str, Any], beyond: dict[str, Any], code: str, words: str
) -> None:
    """Sources: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html,
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html,
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    """
    _, queue = make_queue(account.emulator)
    mapping = {"EventSourceArn": queue, "FunctionName": account.make()}
    with unchecked(account.emulator, "lambda") as client:
        check_bound(partial(map_and_unmap, client), mapping | taken, mapping | beyond, code, words)


@pytest.mark.parametrize(
    ("taken", "beyond", "words"),
    [
        ({"BatchSize": 10}, {"BatchSize": 11}, "must not exceed 10 for FIFO queues"),
        (
            {"MaximumBatchingWindowInSeconds": 0},
            {"MaximumBatchingWindowInSeconds": 1},
            "Batching window is not supported for FIFO queues",
        ),
    ],
)
def test_a_mapping_of_a_fifo_queue_has_small_batches_and_no_window(
    account: Account, taken: dict[str, Any], beyond: dict[str, Any], words: str
) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    name = f"{unique('queue')}.fifo"
    account.emulator.client("sqs").create_queue(QueueName=name, Attributes={"FifoQueue": "true"})
    mapping = {"EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}", "FunctionName": account.make()}
    check_bound(partial(map_and_unmap, account.client), mapping | taken, mapping | beyond, INVALID, words)


def test_a_mapping_needs_its_function_its_alias_and_its_queue(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"""
    _, queue = make_queue(account.emulator)
    name = account.make(Publish=True)
    account.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    there = {"EventSourceArn": queue, "FunctionName": f"{name}:live"}
    for missing in ({"FunctionName": f"{name}:other"}, {"FunctionName": f"{name}:2"}, {"FunctionName": unique("none")}):
        with refused(INVALID, "Function does not exist"):
            account.client.create_event_source_mapping(**there | missing)
    with refused(INVALID, "AWS.SimpleQueueService.NonExistentQueue"):
        account.client.create_event_source_mapping(**there | {"EventSourceArn": f"{queue}-none"})
    account.client.create_event_source_mapping(**there)


def test_a_queue_hides_messages_as_long_as_its_function_may_run(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    _, queue = make_queue(account.emulator, VisibilityTimeout="30")
    check_bound(
        account.client.create_event_source_mapping,
        {"EventSourceArn": queue, "FunctionName": account.make(Timeout=30)},
        {"EventSourceArn": queue, "FunctionName": account.make(Timeout=31)},
        INVALID,
        "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds",
    )


@pytest.mark.parametrize("missing", ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"])
def test_the_role_of_a_mapped_function_may_read_the_queue(account: Account, missing: str) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    _, queue = make_queue(account.emulator)
    able = account.make(Role=make_role(account.emulator, actions=actions))
    unable = account.make(
        Role=make_role(account.emulator, actions=tuple(action for action in actions if action != missing))
    )
    check_bound(
        account.client.create_event_source_mapping,
        {"EventSourceArn": queue, "FunctionName": able},
        {"EventSourceArn": queue, "FunctionName": unable},
        INVALID,
        f"does not have permissions to call {missing.removeprefix('sqs:')} on SQS",
    )


def test_a_package_is_a_zip(account: Account) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-function-zip.html"""
    package = zipped("def handler(event, context): ...\n")
    create = account.client.create_function
    taken, beyond = account.settings() | {"Code": {"ZipFile": package}}, account.settings()
    check_bound(create, taken, beyond | {"Code": {"ZipFile": package[:-1]}}, INVALID, "Could not unzip uploaded file")

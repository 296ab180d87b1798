"""Functions run for whoever invokes them: what is sent, what comes back, what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from support.aws import ACCOUNT
from support.dev import wait_until
from support.lambda_account import FAILING, Account, invoke, make_queue, make_role, refused, zipped


def test_a_function_answers_and_knows_how_it_was_invoked(account: Account) -> None:
    name = account.make(Environment={"Variables": {"GREETING": "hello"}}, Publish=True)
    client = account.client
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    answer = client.invoke(FunctionName=name, Payload=b'{"a": [1, 2.5, "\xc3\xa9"]}')
    document = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["ExecutedVersion"], "FunctionError" in answer) == (200, "$LATEST", False)
    assert document["event"] == {"a": [1, 2.5, "é"]}
    assert (document["arn"], document["greeting"]) == (arn, "hello")
    pinned = invoke(client, name, {}, Qualifier="1")
    assert (pinned["version"], pinned["arn"]) == ("1", f"{arn}:1")
    assert json.loads(client.invoke(FunctionName=name)["Payload"].read())["event"] == {}


def test_new_code_is_what_runs_next(account: Account) -> None:
    name = account.make("def handler(event, context):\n    return 'old'\n")
    assert invoke(account.client, name, {}) == "old"
    account.client.update_function_code(
        FunctionName=name, ZipFile=zipped("def handler(event, context):\n    return 'new'\n")
    )
    assert invoke(account.client, name, {}) == "new"


def test_a_failing_function_is_reported_with_its_log(account: Account, tmp_path: Path) -> None:
    name = account.make(FAILING, Environment={"Variables": {"RUNS": str(tmp_path / "runs")}})
    answer = account.client.invoke(FunctionName=name, LogType="Tail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    document = json.loads(answer["Payload"].read())
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "no luck")
    assert "about to fail" in base64.b64decode(answer["LogResult"]).decode()


def test_a_dry_run_invokes_nothing(account: Account, tmp_path: Path) -> None:
    name = account.make(FAILING, Environment={"Variables": {"RUNS": str(tmp_path / "runs")}})
    assert account.client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    assert not (tmp_path / "runs").exists()


def test_payloads_that_aws_refuses_are_refused(account: Account) -> None:
    name = account.make()
    with refused("InvalidRequestContentException", "Could not parse request body into json"):
        account.client.invoke(FunctionName=name, Payload=b"{no json")
    with refused("RequestTooLargeException", "1048577 byte payload is too large for the Event invocation type"):
        account.client.invoke(FunctionName=name, InvocationType="Event", Payload=b'"' + b"x" * 1_048_575 + b'"')
    with refused("RequestTooLargeException", "Request must be smaller than 6291556 bytes"):
        account.client.invoke(FunctionName=name, Payload=b'"' + b"x" * 6_291_556 + b'"')
    with refused("InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."):
        account.client.invoke(FunctionName=name, ClientContext="no base64!")


def test_reserved_concurrency_of_zero_throttles(account: Account) -> None:
    name = account.make()
    client = account.client
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    with refused("TooManyRequestsException", "Rate Exceeded."):
        client.invoke(FunctionName=name)
    client.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert invoke(client, name, 1)["event"] == 1
    with refused("InvalidParameterValueException", "below its minimum value of [100]"):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901)


def test_a_failed_asynchronous_event_is_run_three_times_and_then_recorded(account: Account, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    url, arn = make_queue(account.emulator)
    name = account.make(FAILING, Environment={"Variables": {"RUNS": str(runs)}})
    account.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    answer = account.client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202
    wait_until("the first run", runs.exists)
    received: list[Any] = []
    sqs = account.emulator.client("sqs")

    def arrived() -> bool:
        account.emulator.advance(1)
        received.extend(sqs.receive_message(QueueUrl=url).get("Messages", []))
        return bool(received)

    wait_until("the record", arrived)
    record = json.loads(received[0]["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"n": 1}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responsePayload"]["errorMessage"] == "no luck"
    assert runs.read_text() == "run\n" * 3


def test_the_settings_of_asynchronous_invocation_are_kept_per_qualifier(account: Account) -> None:
    name = account.make(Publish=True)
    client = account.client
    _, arn = make_queue(account.emulator)
    with refused("ResourceNotFoundException", "$LATEST doesn't have an EventInvokeConfig"):
        client.get_function_event_invoke_config(FunctionName=name)
    client.put_function_event_invoke_config(FunctionName=name, Qualifier="1", MaximumRetryAttempts=0)
    updated = client.update_function_event_invoke_config(
        FunctionName=name,
        Qualifier="1",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnSuccess": {"Destination": arn}},
    )
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (0, 60)
    assert updated["DestinationConfig"] == {"OnSuccess": {"Destination": arn}, "OnFailure": {}}
    put = client.put_function_event_invoke_config(FunctionName=name, Qualifier="1", MaximumEventAgeInSeconds=90)
    assert "MaximumRetryAttempts" not in put
    assert len(client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]) == 1
    client.delete_function_event_invoke_config(FunctionName=name, Qualifier="1")
    with refused("InvalidParameterValueException", "at least one of error handling or destination setting"):
        client.put_function_event_invoke_config(FunctionName=name)
    with refused("InvalidParameterValueException", "You can't specify the function as a destination for itself."):
        itself = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
        client.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnFailure": {"Destination": itself}}
        )
    powerless = account.make(Role=make_role(account.emulator))
    with refused("InvalidParameterValueException", "does not have permissions to call SendMessage on"):
        client.put_function_event_invoke_config(
            FunctionName=powerless, DestinationConfig={"OnFailure": {"Destination": arn}}
        )

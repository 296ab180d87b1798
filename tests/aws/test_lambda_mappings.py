"""Event source mappings as boto3 sees them."""

from __future__ import annotations

from typing import Any

import pytest

from support.aws import ACCOUNT
from support.lambda_account import Account, make_queue, make_role, refused


def test_a_mapping_is_made_changed_found_and_deleted(account: Account) -> None:
    name = account.make()
    client = account.client
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
    _, arn = make_queue(account.emulator)
    made = client.create_event_source_mapping(
        EventSourceArn=arn, FunctionName=f"{name}:live", FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    assert (made["BatchSize"], made["State"], made["FunctionArn"].rpartition(":")[2]) == (10, "Enabled", "live")
    updated = client.update_event_source_mapping(
        UUID=made["UUID"],
        BatchSize=100,
        MaximumBatchingWindowInSeconds=1,
        ScalingConfig={"MaximumConcurrency": 2},
        FilterCriteria={"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]},
        Enabled=False,
    )
    assert (updated["State"], updated["ScalingConfig"]) == ("Disabled", {"MaximumConcurrency": 2})
    found = client.get_event_source_mapping(UUID=made["UUID"])
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    cleared = client.update_event_source_mapping(UUID=made["UUID"], ScalingConfig={}, FilterCriteria={})
    assert "ScalingConfig" not in cleared
    assert "FilterCriteria" not in cleared
    listed = client.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
    assert [one["UUID"] for one in listed] == [made["UUID"]]
    assert client.delete_event_source_mapping(UUID=made["UUID"])["State"] == "Deleting"
    with refused("ResourceNotFoundException", "The resource you requested does not exist."):
        client.get_event_source_mapping(UUID=made["UUID"])


def test_a_second_mapping_of_the_same_queue_and_function_is_refused(account: Account) -> None:
    name = account.make()
    client = account.client
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
    _, arn = make_queue(account.emulator)
    made = client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)
    client.create_event_source_mapping(EventSourceArn=arn, FunctionName=f"{name}:live")
    with refused("ResourceConflictException", f"update or delete the existing mapping with UUID {made['UUID']}"):
        client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ({"FunctionName": "nobody"}, "InvalidParameterValueException", "Function does not exist"),
        ({"BatchSize": 11}, "InvalidParameterValueException", "batch window in seconds must be greater than 0"),
        ({"BatchSize": 10_001}, "ValidationException", "at 'batchSize'"),
        ({"ScalingConfig": {"MaximumConcurrency": 1001}}, "ValidationException", "'scalingConfig.maximumConcurrency'"),
        ({"MaximumBatchingWindowInSeconds": 301}, "ValidationException", "'maximumBatchingWindowInSeconds'"),
        ({"StartingPosition": "LATEST"}, "InvalidParameterValueException", "StartingPosition is not valid for SQS"),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}},
            "InvalidParameterValueException",
            "Invalid filter pattern definition.",
        ),
        (
            {"EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:no-queue"},
            "InvalidParameterValueException",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (
            {"EventSourceArn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/x"},
            "InvalidParameterValueException",
            "kinesis is not in Treadle's emulator yet",
        ),
        ({"Topics": ["topic"]}, "InvalidParameterValueException", "Topics of an event source mapping"),
    ],
)
def test_what_aws_refuses_in_a_mapping_is_refused(
    account: Account, setting: dict[str, Any], code: str, words: str
) -> None:
    _, arn = make_queue(account.emulator)
    with refused(code, words):
        wanted: dict[str, Any] = {"EventSourceArn": arn, "FunctionName": account.make()}
        account.client.create_event_source_mapping(**wanted | setting)
    assert account.client.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"] == []


def test_a_queue_that_hides_messages_for_less_than_the_functions_timeout_is_refused(account: Account) -> None:
    name = account.make(Timeout=31)
    _, arn = make_queue(account.emulator, VisibilityTimeout="30")
    with refused(
        "InvalidParameterValueException",
        "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds",
    ):
        account.client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)


def test_a_role_that_may_not_read_the_queue_is_refused(account: Account) -> None:
    name = account.make(Role=make_role(account.emulator, actions=("sqs:SendMessage",)))
    _, arn = make_queue(account.emulator)
    with refused(
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
    ):
        account.client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)

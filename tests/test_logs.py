"""CloudWatch Logs of the emulator: streams and events, searched and paged through."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal
from support.dev import Dev
from support.policies import allow, document

DAY_SECONDS = 86_400


@pytest.fixture
def logs(emulator: Dev) -> Any:
    return emulator.client("logs")


@pytest.fixture
def group(logs: Any) -> str:
    """A group with the streams `a` and `b`."""
    name = f"/test/{secrets.token_hex(6)}"
    logs.create_log_group(logGroupName=name)
    for stream in ("a", "b"):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
    return name


@pytest.fixture
def now(logs: Any) -> int:
    """The emulator's time in milliseconds."""
    name = f"/clock/{secrets.token_hex(6)}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    created: int = logs.describe_log_streams(logGroupName=name)["logStreams"][0]["creationTime"]
    logs.delete_log_group(logGroupName=name)
    return created


def put(logs: Any, group: str, stream: str, *events: tuple[int, str]) -> dict[str, Any]:
    """PutLogEvents' answer."""
    given: Any = [{"timestamp": time, "message": text} for time, text in events]
    answer: dict[str, Any] = logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=given)
    return answer


def found(logs: Any, group: str, **params: Any) -> list[str]:
    """The messages of all pages of FilterLogEvents."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **params)
    return [event["message"] for page in pages for event in page["events"]]


def test_events_of_all_streams_come_in_one_order_by_time(logs: Any, group: str, now: int) -> None:
    put(logs, group, "a", (now - 3000, "first"), (now - 1000, "third"))
    put(logs, group, "b", (now - 2000, "second"), (now - 1000, "fourth, of the same time and later"))
    put(logs, group, "a", (now - 5000, "came last, is of before"))

    events = logs.filter_log_events(logGroupName=group)["events"]

    assert [event["message"] for event in events] == [
        "came last, is of before",
        "first",
        "second",
        "third",
        "fourth, of the same time and later",
    ]
    assert [event["logStreamName"] for event in events] == ["a", "a", "b", "a", "b"]
    assert len({event["eventId"] for event in events}) == 5
    assert events[0]["timestamp"] == now - 5000
    assert events[0]["ingestionTime"] >= now


def test_a_search_ends_with_its_end_time_and_a_reading_ahead_of_it(logs: Any, group: str, now: int) -> None:
    put(logs, group, "a", *((now + second, str(second)) for second in range(5)))

    assert found(logs, group, startTime=now + 1, endTime=now + 3) == ["1", "2", "3"]
    read = logs.get_log_events(logGroupName=group, logStreamName="a", startTime=now + 1, endTime=now + 3)
    assert [event["message"] for event in read["events"]] == ["1", "2"]


def test_a_search_can_be_held_to_streams_by_name_or_prefix(logs: Any, group: str, now: int) -> None:
    put(logs, group, "a", (now, "in a"))
    put(logs, group, "b", (now, "in b"))

    assert found(logs, group, logStreamNames=["b"]) == ["in b"]
    assert found(logs, group, logStreamNamePrefix="a") == ["in a"]
    both: dict[str, Any] = {"logGroupName": group, "logStreamNames": ["a"], "logStreamNamePrefix": "a"}
    assert refusal(logs.filter_log_events, **both)[0] == "InvalidParameterException"
    unknown: dict[str, Any] = {"logGroupName": group, "logStreamNames": ["nowhere"]}
    assert refusal(logs.filter_log_events, **unknown) == (
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )


def test_pages_of_a_search_have_everything_once_while_events_come_in(logs: Any, group: str, now: int) -> None:
    put(logs, group, "a", *((now, f"{number:03d}") for number in range(100)))

    seen: list[str] = []
    page = logs.filter_log_events(logGroupName=group, limit=7)
    while True:
        seen += [event["message"] for event in page["events"]]
        put(logs, group, "b", (now - 1, "of before: not in the pages that follow"))
        if "nextToken" not in page:
            break
        page = logs.filter_log_events(logGroupName=group, limit=7, nextToken=page["nextToken"])

    assert seen == [f"{number:03d}" for number in range(100)]


def test_a_stream_is_read_from_its_end_backwards_or_from_its_beginning_on(logs: Any, group: str, now: int) -> None:
    put(logs, group, "a", *((now + number, str(number)) for number in range(10)))

    def read(**params: Any) -> tuple[list[str], str, str]:
        answer = logs.get_log_events(logGroupName=group, logStreamName="a", limit=4, **params)
        messages = [event["message"] for event in answer["events"]]
        return messages, answer["nextForwardToken"], answer["nextBackwardToken"]

    newest, forward, backward = read()
    assert newest == ["6", "7", "8", "9"]
    older, _, older_still = read(nextToken=backward)
    assert older == ["2", "3", "4", "5"]
    oldest, _, begin = read(nextToken=older_still)
    assert oldest == ["0", "1"]
    assert read(nextToken=begin) == ([], begin.replace("b/", "f/"), begin)
    assert read(nextToken=forward)[:2] == ([], forward), "the end answers with the token that it got"
    put(logs, group, "a", (now + 10, "10"))
    assert read(nextToken=forward)[0] == ["10"]
    first, on, _ = read(startFromHead=True)
    assert first == ["0", "1", "2", "3"]
    assert read(nextToken=on)[0] == ["4", "5", "6", "7"]
    assert refusal(logs.get_log_events, logGroupName=group, logStreamName="a", nextToken="nonsense") == (
        "InvalidParameterException",
        "The specified nextToken is invalid.",
    )


def test_streams_are_listed_by_name_or_by_their_last_event(logs: Any, group: str, now: int) -> None:
    put(logs, group, "a", (now + 2000, "later"))
    put(logs, group, "b", (now + 1000, "earlier"), (now + 1500, "and on"))

    by_name = logs.describe_log_streams(logGroupName=group)["logStreams"]
    by_time = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True)["logStreams"]
    first = logs.describe_log_streams(logGroupName=group, limit=1)

    assert [stream["logStreamName"] for stream in by_name] == ["a", "b"]
    assert [stream["logStreamName"] for stream in by_time] == ["a", "b"]
    assert (by_name[1]["firstEventTimestamp"], by_name[1]["lastEventTimestamp"]) == (now + 1000, now + 1500)
    assert by_name[0]["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:log-stream:a"
    second = logs.describe_log_streams(logGroupName=group, limit=1, nextToken=first["nextToken"])
    assert [stream["logStreamName"] for stream in second["logStreams"]] == ["b"]
    assert "nextToken" not in second
    ordered: dict[str, Any] = {"logGroupName": group, "orderBy": "LastEventTime", "logStreamNamePrefix": "a"}
    assert refusal(logs.describe_log_streams, **ordered)[0] == "InvalidParameterException"


def test_what_is_older_than_the_retention_is_gone(emulator: Dev, logs: Any, group: str, now: int) -> None:
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    put(logs, group, "a", (now - 3_600_000, "of an hour ago"), (now, "of now"))

    emulator.advance(DAY_SECONDS - 1800)

    assert found(logs, group) == ["of now"]
    listed = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    assert (listed["retentionInDays"], listed["storedBytes"]) == (1, len("of now") + 26)
    emulator.advance(1801)
    assert found(logs, group) == []


def test_a_batch_is_refused_or_taken_in_part_as_on_aws(logs: Any, group: str, now: int) -> None:
    too_old, too_new = now - 15 * DAY_SECONDS * 1000, now + 3 * 3_600_000
    spanning = ((now - 2 * DAY_SECONDS * 1000, "a"), (now, "b"))

    def told(*events: tuple[int, str]) -> str:
        given: Any = [{"timestamp": time, "message": text} for time, text in events]
        code, message = refusal(logs.put_log_events, logGroupName=group, logStreamName="a", logEvents=given)
        assert code == "InvalidParameterException"
        return message

    assert "chronological order" in told((now, "b"), (now - 1, "a"))
    assert "cannot span more than 24 hours" in told(*spanning)
    assert told((now, "x" * 1_048_576)) == "Upload too large: 1048602 bytes exceeds limit of 1048576"
    assert put(logs, group, "a", (too_old, "old"))["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    partly = put(logs, group, "a", (now, "kept"), (too_new, "new"))
    assert partly["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert "rejectedLogEventsInfo" not in put(logs, group, "a", (now, "kept too"))
    assert found(logs, group) == ["kept", "kept too"]


def test_groups_and_streams_come_and_go(logs: Any, group: str, now: int) -> None:
    put(logs, group, "a", (now, "in a"))
    put(logs, group, "b", (now, "in b"))
    again: dict[str, Any] = {"logGroupName": group, "logStreamName": "a"}
    assert refusal(logs.create_log_stream, **again)[0] == "ResourceAlreadyExistsException"

    logs.delete_log_stream(logGroupName=group, logStreamName="a")
    assert found(logs, group) == ["in b"]
    assert refusal(logs.get_log_events, **again)[0] == "ResourceNotFoundException"
    by_arn: dict[str, Any] = {"logGroupIdentifier": f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"}
    assert [event["message"] for event in logs.filter_log_events(**by_arn)["events"]] == ["in b"]

    logs.delete_log_group(logGroupName=group)
    gone = ("ResourceNotFoundException", "The specified log group does not exist.")
    assert refusal(logs.filter_log_events, logGroupName=group) == gone
    logs.create_log_group(logGroupName=group)
    assert found(logs, group) == [], "a group of the same name is a new one"


def test_what_is_not_there_is_refused_by_name(logs: Any, group: str) -> None:
    assert refusal(logs.describe_subscription_filters, logGroupName=group) == (
        "UnknownOperationException",
        "logs DescribeSubscriptionFilters is not in Treadle's emulator yet",
    )
    code, message = refusal(logs.filter_log_events, logGroupName=group, filterPattern="[ip, user, ...]")
    assert code == "UnknownOperationException"
    assert "columns" in message


def test_a_role_may_read_only_the_groups_that_its_policy_names(emulator: Dev, logs: Any, group: str) -> None:
    other = f"{group}-other"
    logs.create_log_group(logGroupName=other)
    iam, sts = emulator.client("iam"), emulator.client("sts")
    trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    role = f"reader-{secrets.token_hex(4)}"
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    readable = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*"
    policy = document(allow("logs:FilterLogEvents", readable))
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(policy))
    issued = sts.assume_role(RoleArn=arn, RoleSessionName="reader")["Credentials"]

    reader = emulator.client(
        "logs",
        {
            "aws_access_key_id": issued["AccessKeyId"],
            "aws_secret_access_key": issued["SecretAccessKey"],
            "aws_session_token": issued["SessionToken"],
        },
    )

    assert found(reader, group) == []
    assert refusal(reader.filter_log_events, logGroupName=other)[0] == "AccessDeniedException"

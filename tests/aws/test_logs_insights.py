"""Logs Insights queries through boto3, and log groups."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws import refusal, unique
from support.dev import Dev
from support.judges import aws_cli_json


@pytest.fixture
def logs(emulator: Dev) -> Any:
    return emulator.client("logs")


def now_ms(emulator: Dev) -> int:
    told = emulator.request(emulator.endpoint, "GET", "/__treadle/clock", None, None).json()["now"]
    return int(told) // 60 * 60_000


@pytest.fixture
def group(emulator: Dev, logs: Any) -> str:
    """A group with twelve events, ten seconds apart, from a full minute on."""
    name, start = unique("/app/queries"), now_ms(emulator) - 600_000
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="one")
    lines = [
        json.dumps({"level": "error" if index % 4 == 0 else "info", "ms": index * 10, "user": {"id": f"u{index % 3}"}})
        for index in range(10)
    ]
    lines += ["plain text cost=12 end", "REPORT RequestId: r-1\tDuration: 12.5 ms\tBilled Duration: 13 ms\t"
              "Memory Size: 128 MB\tMax Memory Used: 40 MB"]  # fmt: skip
    events: Any = [{"timestamp": start + index * 10_000, "message": line} for index, line in enumerate(lines)]
    logs.put_log_events(logGroupName=name, logStreamName="one", logEvents=events)
    return name


def ask(emulator: Dev, logs: Any, group: str, query: str, **more: Any) -> Any:
    """The rows of a query over the last hour, each as a mapping; without the pointers."""
    now = now_ms(emulator) // 1000
    started = logs.start_query(logGroupName=group, startTime=now - 3600, endTime=now, queryString=query, **more)
    answer = logs.get_query_results(queryId=started["queryId"])
    assert answer["status"] == "Complete"
    return [
        {cell.get("field", ""): cell.get("value", "") for cell in row if cell.get("field") != "@ptr"}
        for row in answer["results"]
    ]


def test_fields_filter_sort_and_limit(emulator: Dev, logs: Any, group: str) -> None:
    rows = ask(
        emulator, logs, group, 'fields ms, user.id | filter level = "error" and ms >= 40 | sort ms desc | limit 1'
    )
    assert rows == [{"ms": "80", "user.id": "u2"}]


def test_without_fields_there_are_times_and_messages_the_latest_first(emulator: Dev, logs: Any, group: str) -> None:
    rows = ask(emulator, logs, group, 'filter @message like "cost" # a comment')
    assert [row["@message"] for row in rows] == ["plain text cost=12 end"]
    assert rows[0]["@timestamp"].endswith(":40.000")
    every = ask(emulator, logs, group, "display @message", limit=3)
    assert [row["@message"][:6] for row in every] == ["REPORT", "plain ", '{"leve']


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("@message like /co.t=\\d+/", 1),
        ('@message not like "level"', 2),
        ('@message =~ "cost"', 1),
        ('user.id in ["u0", "u1"]', 7),
        ("user.id not in ['u0', 'u1']", 5),
        ("ispresent(ms) and not (ms < 50)", 5),
        ("ms / 10 % 2 = 1", 5),
        ('level = "error" or @duration > 12', 4),
        ('strlen(user.id) = 2 and concat(level, "-", user.id) = "info-u1"', 2),
        ("@memorySize = 128", 1),
        ("abs(-ms) = 90", 1),
    ],
)
def test_conditions(emulator: Dev, logs: Any, group: str, condition: str, count: int) -> None:
    assert len(ask(emulator, logs, group, f"filter {condition}")) == count


def test_stats_by_fields_and_bins(emulator: Dev, logs: Any, group: str) -> None:
    rows = ask(emulator, logs, group, "stats count(*) as n, sum(ms), avg(ms) as mean by level | sort level")
    assert rows == [
        {"n": "2"},
        {"level": "error", "n": "3", "sum(ms)": "120", "mean": "40"},
        {"level": "info", "n": "7", "sum(ms)": "330", "mean": "47.1428571429"},
    ]
    rows = ask(
        emulator, logs, group, "filter ispresent(ms) | stats max(ms), pct(ms, 50), count(*) by bin(1m) | sort count(*)"
    )
    assert [(row["max(ms)"], row["pct(ms, 50)"], row["count(*)"]) for row in rows] == [
        ("90", "70", "4"),
        ("50", "20", "6"),
    ]
    assert rows[0]["bin(1m)"].endswith(":00.000")
    assert ask(emulator, logs, group, "stats count_distinct(user.id) as users") == [{"users": "3"}]
    assert ask(emulator, logs, group, 'filter level = "none" | stats count(*) as n') == [{"n": "0"}]


def test_parse_finds_parts_of_messages(emulator: Dev, logs: Any, group: str) -> None:
    assert ask(emulator, logs, group, 'parse @message "cost=* end" as cost | filter cost > 10 | display cost') == [
        {"cost": "12"}
    ]
    rows = ask(
        emulator,
        logs,
        group,
        r"parse @message /cost=(?<cost>\d+)/ | filter ispresent(cost) | display cost * 2 as twice",
    )
    assert rows == [{"twice": "24"}]


def test_dedup_keeps_the_first_of_each(emulator: Dev, logs: Any, group: str) -> None:
    rows = ask(emulator, logs, group, "filter ispresent(ms) | sort ms asc | dedup user.id | display ms")
    assert rows == [{"ms": "0"}, {"ms": "10"}, {"ms": "20"}]


@pytest.mark.parametrize(
    ("query", "words", "start"),
    [
        ("filter a = 1 | pattern @message", "The command pattern", 15),
        ("fields jsonParse(a)", "The function jsonParse", 7),
        ("stats percentile_of(a)", "The statistic percentile_of", 6),
        ("filter (a = 1", "`)` is expected", 13),
        ("frobnicate", "is no command", 0),
        ("fields a |", "A command is expected", 10),
        ("limit 10001", "1 to 10000", 6),
    ],
)
def test_queries_that_cannot_be_read_are_refused_with_the_place(
    emulator: Dev, logs: Any, group: str, query: str, words: str, start: int
) -> None:
    with pytest.raises(logs.exceptions.MalformedQueryException) as caught:
        ask(emulator, logs, group, query)
    response: Any = caught.value.response
    assert words in response["Error"]["Message"]
    assert response["queryCompileError"]["location"]["startCharOffset"] == start


def test_what_ran_is_described_and_what_is_unknown_is_refused(emulator: Dev, logs: Any, group: str) -> None:
    ask(emulator, logs, group, "stats count(*)")
    (query,) = logs.describe_queries(logGroupName=group)["queries"]
    assert (query.get("queryString"), query.get("status")) == ("stats count(*)", "Complete")
    assert refusal(logs.get_query_results, queryId="nobody")[0] == "ResourceNotFoundException"
    assert refusal(logs.stop_query, queryId=query.get("queryId", ""))[0] == "InvalidParameterException"
    now = now_ms(emulator) // 1000
    code, _ = refusal(logs.start_query, logGroupName="/none", startTime=now, endTime=now, queryString="limit 1")
    assert code == "ResourceNotFoundException"


def test_the_aws_cli_queries(emulator: Dev, group: str) -> None:
    now = now_ms(emulator) // 1000
    start = ["logs", "start-query", "--log-group-name", group, "--start-time", str(now - 3600), "--end-time", str(now)]
    started = aws_cli_json(emulator.endpoint, *start, "--query-string", "stats count(*) as n")
    found = aws_cli_json(emulator.endpoint, "logs", "get-query-results", "--query-id", started["queryId"])
    assert found["results"] == [[{"field": "n", "value": "12"}]]


def test_groups_are_made_listed_and_tagged(emulator: Dev, logs: Any) -> None:
    prefix = unique("/made")
    for name in ("a", "b", "c"):
        logs.create_log_group(logGroupName=f"{prefix}/{name}", tags={"team": name})
    code, message = refusal(logs.create_log_group, logGroupName=f"{prefix}/a")
    assert (code, message) == ("ResourceAlreadyExistsException", "The specified log group already exists")
    assert refusal(logs.create_log_group, logGroupName="sp ace")[0] == "InvalidParameterException"
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 2}
    )
    names = [[group.get("logGroupName") for group in page["logGroups"]] for page in pages]
    assert names == [[f"{prefix}/a", f"{prefix}/b"], [f"{prefix}/c"]]
    (found,) = logs.describe_log_groups(logGroupNamePattern=f"{prefix[3:]}/B")["logGroups"]
    assert found.get("arn") == f"arn:aws:logs:us-east-1:000000000000:log-group:{prefix}/b:*"
    arn = found.get("logGroupArn", "")
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "b"}
    logs.tag_resource(resourceArn=arn, tags={"more": "1"})
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"more": "1"}
    logs.put_retention_policy(logGroupName=f"{prefix}/b", retentionInDays=7)
    assert logs.describe_log_groups(logGroupNamePrefix=f"{prefix}/b")["logGroups"][0].get("retentionInDays") == 7
    assert refusal(logs.put_retention_policy, logGroupName=f"{prefix}/b", retentionInDays=8)[0] == (
        "InvalidParameterException"
    )
    logs.delete_log_group(logGroupName=f"{prefix}/b")
    code, message = refusal(logs.delete_log_group, logGroupName=f"{prefix}/b")
    assert (code, message) == ("ResourceNotFoundException", "The specified log group does not exist.")
    code, message = refusal(logs.describe_subscription_filters, logGroupName=f"{prefix}/a")
    assert (code, "logs DescribeSubscriptionFilters" in message) == ("UnknownOperationException", True)

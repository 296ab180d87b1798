"""Metrics that are made of log events: metric filters, and the embedded metric format."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.aws import refusal, unique
from support.dev import Dev, wait_until
from support.lambda_account import Account


@pytest.fixture
def logs(emulator: Dev) -> Any:
    return emulator.client("logs")


@pytest.fixture
def group(logs: Any) -> str:
    name = unique("/app/metrics")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="one")
    return name


def now(emulator: Dev) -> float:
    return float(emulator.request(emulator.endpoint, "GET", "/__treadle/clock", None, None).json()["now"])


def write(emulator: Dev, logs: Any, group: str, *messages: object) -> None:
    stamp = int(now(emulator) * 1000)
    texts = [message if isinstance(message, str) else json.dumps(message) for message in messages]
    events: Any = [{"timestamp": stamp, "message": text} for text in texts]
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)


def points(emulator: Dev, namespace: str, name: str, **dimensions: str) -> Any:
    """Samples and sum of the last minutes."""
    cloudwatch = emulator.client("cloudwatch")
    end = datetime.fromtimestamp(now(emulator), UTC) + timedelta(minutes=1)
    found = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=end - timedelta(minutes=60),
        EndTime=end,
        Period=3600,
        Statistics=["SampleCount", "Sum"],
    )["Datapoints"]
    return [(point.get("SampleCount"), point.get("Sum")) for point in found]


def put_filter(client: Any, group: str, pattern: str, **transformation: Any) -> str:
    """The namespace of what the filter makes."""
    namespace = unique("filtered")
    made = {"metricName": "M", "metricNamespace": namespace, "metricValue": "1", **transformation}
    client.put_metric_filter(logGroupName=group, filterName="f", filterPattern=pattern, metricTransformations=([made]))
    return namespace


def test_events_that_match_are_counted(emulator: Dev, logs: Any, group: str) -> None:
    namespace = put_filter(logs, group, "ERROR")
    write(emulator, logs, group, "an ERROR", "all is well", "ERROR again")
    assert points(emulator, namespace, "M") == [(2.0, 2.0)]


def test_values_and_dimensions_are_read_from_json(emulator: Dev, logs: Any, group: str) -> None:
    namespace = put_filter(logs, group, "{ $.ms > 0 }", metricValue="$.ms", dimensions={"Route": "$.http.route"})
    write(emulator, logs, group, {"ms": 5, "http": {"route": "/a"}}, {"ms": "7", "http": {"route": "/a"}}, {"ms": 9})
    assert points(emulator, namespace, "M", Route="/a") == [(1.0, 5.0)]


def test_a_default_value_stands_for_minutes_without_a_match(emulator: Dev, logs: Any, group: str) -> None:
    namespace = put_filter(logs, group, "ERROR", defaultValue=0.0)
    write(emulator, logs, group, "fine", "also fine")
    assert points(emulator, namespace, "M") == [(1.0, 0.0)]
    write(emulator, logs, group, "ERROR")
    assert points(emulator, namespace, "M") == [(1.0, 1.0)]


def test_filters_are_described_replaced_and_deleted(logs: Any, group: str) -> None:
    put_filter(logs, group, "a")
    namespace = put_filter(logs, group, "b")
    (found,) = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    assert (found.get("filterName"), found.get("filterPattern"), found.get("logGroupName")) == ("f", "b", group)
    by_metric = logs.describe_metric_filters(metricName="M", metricNamespace=namespace)["metricFilters"]
    assert len(by_metric) == 1
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0].get("metricFilterCount") == 1
    logs.delete_metric_filter(logGroupName=group, filterName="f")
    assert refusal(logs.delete_metric_filter, logGroupName=group, filterName="f")[0] == "ResourceNotFoundException"


def test_a_pattern_is_tested(logs: Any) -> None:
    answer = logs.test_metric_filter(
        filterPattern="{ $.level = error && $.user.id = * }",
        logEventMessages=['{"level": "info"}', '{"level": "error", "user": {"id": "u1"}}', "text"],
    )
    (match,) = answer["matches"]
    assert match.get("eventNumber") == 2
    assert match.get("extractedValues") == {"$.level": "error", "$.user.id": "u1"}


@pytest.mark.parametrize(
    ("pattern", "change"),
    [
        ("{ $.a = 1 }", {"metricValue": "many"}),
        ("text", {"metricValue": "$.a"}),
        ("text", {"dimensions": {"A": "$.a"}}),
        ("{ $.a = 1 }", {"dimensions": {"A": "$.a"}, "defaultValue": 0.0}),
        ("{ $.a = 1 }", {"dimensions": dict.fromkeys("ABCD", "$.a")}),
        ("{ $.a = 1", {}),
        ("text", {"unit": "Bananas"}),
    ],
)
def test_filters_that_aws_refuses(logs: Any, group: str, pattern: str, change: Any) -> None:
    code, _ = refusal(put_filter, logs, group, pattern, **change)
    assert code == "InvalidParameterException"


def embedded(namespace: str, stamp: float, **members: object) -> dict[str, object]:
    directive = {
        "Namespace": namespace,
        "Dimensions": [["service"], ["service", "route"]],
        "Metrics": [{"Name": "latency", "Unit": "Milliseconds"}, {"Name": "calls"}],
    }
    return {"_aws": {"Timestamp": int(stamp * 1000), "CloudWatchMetrics": [directive]}, **members}


def test_embedded_metrics_are_taken_from_events(emulator: Dev, logs: Any, group: str) -> None:
    namespace = unique("embedded")
    event = embedded(namespace, now(emulator), service="s", route="/a", latency=[1, 2, 3], calls=1)
    write(emulator, logs, group, event, {**event, "latency": "slow"})
    assert points(emulator, namespace, "latency", service="s") == [(3.0, 6.0)]
    assert points(emulator, namespace, "latency", service="s", route="/a") == [(3.0, 6.0)]
    assert points(emulator, namespace, "calls", service="s") == [(2.0, 2.0)]


def test_embedded_metrics_that_a_function_prints(emulator: Dev, account: Account) -> None:
    namespace = unique("embedded")
    line = json.dumps(embedded(namespace, 0, service="s", route="/a", latency=5, calls=1))
    name = account.make(f"def handler(event, context):\n    print({line!r})\n")
    emulator.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    account.client.invoke(FunctionName=name)
    found = wait_until("the metric", lambda: points(emulator, namespace, "latency", service="s"))
    assert found == [(1.0, 5.0)]

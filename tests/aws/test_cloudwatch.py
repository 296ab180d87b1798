"""CloudWatch metrics through boto3, the AWS CLI and all three protocols."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.aws import refusal, unique
from support.dev import Dev
from support.judges import aws_cli_json
from support.lambda_account import FAILING, Account
from treadle_local.cloudwatch.expressions import Scene, evaluate

MINUTE = timedelta(minutes=1)


@pytest.fixture
def cloudwatch(emulator: Dev) -> Any:
    return emulator.client("cloudwatch")


def now(emulator: Dev) -> datetime:
    """The emulator's time, down to the minute."""
    told = emulator.request(emulator.endpoint, "GET", "/__treadle/clock", None, None).json()["now"]
    return datetime.fromtimestamp(told // 60 * 60, UTC)


def put(client: Any, namespace: str, *data: Any) -> None:
    client.put_metric_data(Namespace=namespace, MetricData=list(data))


def stat(namespace: str, statistic: str = "Sum", period: int = 60, name: str = "M", **more: Any) -> Any:
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": more.pop("Dimensions", [])}
    return {"Metric": metric, "Period": period, "Stat": statistic, **more}


def values(client: Any, start: datetime, end: datetime, *queries: Any, **more: Any) -> Any:
    answer = client.get_metric_data(
        MetricDataQueries=list(queries), StartTime=start, EndTime=end, ScanBy="TimestampAscending", **more
    )
    return {result.get("Id"): result.get("Values") for result in answer["MetricDataResults"]}


def test_every_statistic_of_a_minute(emulator: Dev, cloudwatch: Any) -> None:
    namespace, start = unique("ns"), now(emulator)
    put(cloudwatch, namespace, {"MetricName": "M", "Values": [1, 2, 3, 4], "Counts": [1, 1, 1, 7], "Timestamp": start})
    names = ["Sum", "Average", "Minimum", "Maximum", "SampleCount", "p50", "p10", "p99.9"]
    queries = [{"Id": f"q{index}", "MetricStat": stat(namespace, name)} for index, name in enumerate(names)]
    found = values(cloudwatch, start, start + MINUTE, *queries)
    assert [found[f"q{index}"] for index in range(8)] == [
        [34.0], [3.4], [1.0], [4.0], [10.0], [4.0], [pytest.approx(1.9)], [4.0]
    ]  # fmt: skip


def test_a_statistic_set_has_no_percentiles_but_the_rest(emulator: Dev, cloudwatch: Any) -> None:
    namespace, start = unique("ns"), now(emulator)
    summary = {"SampleCount": 10, "Sum": 100, "Minimum": 2, "Maximum": 30}
    put(cloudwatch, namespace, {"MetricName": "M", "StatisticValues": summary, "Unit": "Milliseconds"})
    answer = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="M",
        StartTime=start,
        EndTime=start + MINUTE,
        Period=60,
        Statistics=["Average", "Maximum", "SampleCount"],
    )
    (point,) = answer["Datapoints"]
    assert (point.get("Average"), point.get("Maximum"), point.get("SampleCount")) == (10.0, 30.0, 10.0)
    assert point.get("Unit") == "Milliseconds"
    assert values(cloudwatch, start, start + MINUTE, {"Id": "p", "MetricStat": stat(namespace, "p90")}) == {"p": []}


def test_periods_units_and_dimensions_part_the_data(emulator: Dev, cloudwatch: Any) -> None:
    namespace, start = unique("ns"), now(emulator) - timedelta(hours=1)
    dimensions = [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]
    for minute in range(10):
        put(
            cloudwatch,
            namespace,
            {"MetricName": "M", "Value": 1, "Timestamp": start + minute * MINUTE, "Dimensions": dimensions},
            {"MetricName": "M", "Value": 100, "Timestamp": start + minute * MINUTE, "Unit": "Seconds"},
        )
    whole = stat(namespace, "Sum", 300, Dimensions=dimensions[::-1])
    assert values(cloudwatch, start, start + 10 * MINUTE, {"Id": "m", "MetricStat": whole}) == {"m": [5.0, 5.0]}
    in_seconds = stat(namespace, "Sum", 600, Unit="Seconds")
    assert values(cloudwatch, start, start + 10 * MINUTE, {"Id": "m", "MetricStat": in_seconds}) == {"m": [1000.0]}
    in_counts = stat(namespace, "Sum", 600, Unit="Count")
    assert values(cloudwatch, start, start + 10 * MINUTE, {"Id": "m", "MetricStat": in_counts}) == {"m": []}


def test_seconds_are_told_apart_where_the_resolution_is_fine(emulator: Dev, cloudwatch: Any) -> None:
    namespace, start = unique("ns"), now(emulator) - MINUTE
    for second in range(4):
        moment = start + timedelta(seconds=second)
        put(cloudwatch, namespace, {"MetricName": "M", "Value": second, "StorageResolution": 1, "Timestamp": moment})
    found = values(
        cloudwatch,
        start,
        start + MINUTE,
        {"Id": "fine", "MetricStat": stat(namespace, "Maximum", 1)},
        {"Id": "whole", "MetricStat": stat(namespace, "Sum", 60)},
    )
    assert found == {"fine": [0.0, 1.0, 2.0, 3.0], "whole": [6.0]}


def test_datapoints_come_in_pages(emulator: Dev, cloudwatch: Any) -> None:
    namespace, start = unique("ns"), now(emulator) - timedelta(hours=1)
    for minute in range(7):
        put(cloudwatch, namespace, {"MetricName": "M", "Value": minute, "Timestamp": start + minute * MINUTE})
    query = [{"Id": "m", "MetricStat": stat(namespace)}, {"Id": "double", "Expression": "m * 2"}]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=(query), StartTime=start, EndTime=start + 10 * MINUTE, MaxDatapoints=5
    )
    found: dict[str, list[float]] = {"m": [], "double": []}
    codes: list[Any] = []
    for page in pages:
        for result in page["MetricDataResults"]:
            found[result.get("Id", "")] += result.get("Values", [])
            codes.append(result.get("StatusCode"))
    assert found == {"m": [6, 5, 4, 3, 2, 1, 0], "double": [12, 10, 8, 6, 4, 2, 0]}
    assert codes == ["PartialData", "PartialData", "Complete", "PartialData", "Complete", "Complete"]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("a + b * 2", {0: 9.0, 60: 4.0}),
        ("(a - 1) / b", {0: 0.0}),
        ("FILL(b, 0) + 1", {0: 5.0, 60: 1.0, 120: 1.0}),
        ("FILL(a, REPEAT)", {0: 1.0, 60: 4.0, 120: 4.0}),
        ("SUM(METRICS())", {0: 5.0, 60: 4.0}),
        ("AVG([a, b])", {0: 2.5, 60: 2.0}),
        ("MAX(a)", {0: 4.0, 60: 4.0, 120: 4.0}),
        ("IF(b > 0, a / b, 0)", {0: 0.25, 60: 0.0}),
        ("-a ^ 2", {0: 1.0, 60: 16.0}),
        ("100 * a / SUM([a, b])", {0: 20.0, 60: 100.0}),
    ],
)
def test_metric_math(expression: str, wanted: dict[int, float]) -> None:
    scene = Scene({"a": {0: 1.0, 60: 4.0}, "b": {0: 4.0, 60: 0.0}}, lambda _name: None, (0, 60, 120), 60)
    assert evaluate(expression, scene) == wanted


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"Namespace": "AWS/Mine"}, "InvalidParameterValue", "Namespace"),
        ({"MetricData": [{"MetricName": "M", "Value": 1.0, "Unit": "Bananas"}]}, "InvalidParameterValue", "Bananas"),
        ({"MetricData": [{"MetricName": "M"}]}, "MissingParameter", "Value"),
        ({"MetricData": [{"MetricName": "M", "Value": float("nan")}]}, "InvalidParameterValue", "NaN"),
        ({"MetricData": [{"MetricName": "M", "Values": [1.0] * 151}]}, "InvalidParameterValue", "150"),
        ({"MetricData": [{"MetricName": "M", "Values": [1.0], "Counts": [1.0, 2.0]}]}, "InvalidParameterValue", "size"),
        ({"MetricData": [{"MetricName": "M", "Value": 1.0}] * 1001}, "ValidationError", "1000"),
        ({"MetricData": [{"MetricName": "M", "Value": 1.0, "Values": [1.0]}]}, "InvalidParameterCombination", "Values"),
        (
            {
                "MetricData": [
                    {
                        "MetricName": "M",
                        "Value": 1.0,
                        "Dimensions": [{"Name": f"d{n}", "Value": "v"} for n in range(31)],
                    }
                ]
            },
            "InvalidParameterValue",
            "30",
        ),
        (
            {
                "MetricData": [
                    {
                        "MetricName": "M",
                        "Value": 1.0,
                        "Dimensions": [{"Name": f"d{n}", "Value": "v" * 1024} for n in range(30)],
                    }
                ]
                * 40
            },
            "RequestEntityTooLarge",
            "1048576",
        ),
    ],
)
def test_data_that_aws_refuses(cloudwatch: Any, change: Any, code: str, words: str) -> None:
    request = {"Namespace": "n", "MetricData": [{"MetricName": "M", "Value": 1.0}], **change}
    found = refusal(cloudwatch.put_metric_data, **request)
    assert (found[0], words in found[1]) == (code, True), found


def test_data_is_two_weeks_old_at_most_and_two_hours_ahead(emulator: Dev, cloudwatch: Any) -> None:
    namespace, moment = unique("ns"), now(emulator)
    for offset in (timedelta(days=-14) + 2 * MINUTE, timedelta(hours=2) - 2 * MINUTE):
        put(cloudwatch, namespace, {"MetricName": "M", "Value": 1, "Timestamp": moment + offset})
    for offset in (timedelta(days=-14, minutes=-2), timedelta(hours=2, minutes=2)):
        datum: Any = {"MetricName": "M", "Value": 1, "Timestamp": moment + offset}
        assert (
            refusal(cloudwatch.put_metric_data, Namespace=namespace, MetricData=[datum])[0] == "InvalidParameterValue"
        )


def test_what_is_not_built_is_refused_by_name(emulator: Dev, cloudwatch: Any) -> None:
    moment = now(emulator)
    for query, word in (
        ({"Id": "q", "Expression": "SEARCH('{AWS/SQS}', 'Sum')"}, "SEARCH"),
        ({"Id": "q", "Expression": "SELECT AVG(x) FROM y"}, "Metrics Insights"),
        ({"Id": "q", "MetricStat": stat("n", "tm90")}, "tm90"),
    ):
        found = refusal(
            cloudwatch.get_metric_data,
            MetricDataQueries=[query],
            StartTime=moment,
            EndTime=moment + MINUTE,
        )
        assert (found[0], word in found[1]) == ("InvalidAction", True), found
    assert "cloudwatch PutMetricStream" in refusal(
        cloudwatch.put_metric_stream, Name="n", FirehoseArn="f", RoleArn="r", OutputFormat="json"
    )[1]  # fmt: skip


def test_metrics_are_listed_by_what_they_have(emulator: Dev, cloudwatch: Any) -> None:
    namespace = unique("ns")
    dimension = {"Name": "a", "Value": "1"}
    put(
        cloudwatch,
        namespace,
        {"MetricName": "M", "Value": 1, "Dimensions": [dimension]},
        {"MetricName": "N", "Value": 1},
    )
    old = now(emulator) - timedelta(hours=4)
    put(cloudwatch, namespace, {"MetricName": "Old", "Value": 1, "Timestamp": old})

    def names(**filters: Any) -> list[Any]:
        return [
            metric.get("MetricName") for metric in cloudwatch.list_metrics(Namespace=namespace, **filters)["Metrics"]
        ]

    assert names() == ["M", "N", "Old"]
    assert names(RecentlyActive="PT3H") == ["M", "N"]
    assert names(Dimensions=[{"Name": "a"}]) == ["M"]
    assert names(Dimensions=[{"Name": "a", "Value": "2"}]) == []
    assert names(MetricName="N") == ["N"]


def test_metrics_are_listed_in_pages_of_500(cloudwatch: Any) -> None:
    namespace = unique("ns")
    put(cloudwatch, namespace, *({"MetricName": f"M{index}", "Value": 1} for index in range(501)))
    assert len(cloudwatch.list_metrics(Namespace=namespace)["Metrics"]) == 500
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace)
    assert sum(len(page["Metrics"]) for page in pages) == 501


def test_the_older_protocols_answer_too(emulator: Dev) -> None:
    namespace = unique("ns")
    signed = {
        "authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/monitoring/aws4_request, Signature=0"
    }
    form = (
        f"Action=PutMetricData&Version=2010-08-01&Namespace={namespace}&MetricData.member.1.MetricName=M"
        "&MetricData.member.1.Value=2.5&MetricData.member.1.Dimensions.member.1.Name=d"
        "&MetricData.member.1.Dimensions.member.1.Value=1"
    )
    put_form = {**signed, "content-type": "application/x-www-form-urlencoded"}
    assert emulator.request(emulator.endpoint, "POST", "/", form.encode(), put_form).status == 200
    start = now(emulator)
    query = {
        "Namespace": namespace,
        "MetricName": "M",
        "Dimensions": [{"Name": "d", "Value": "1"}],
        "StartTime": int(start.timestamp()),
        "EndTime": int(start.timestamp()) + 60,
        "Period": 60,
        "Statistics": ["Sum"],
    }
    as_json = {
        **signed,
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "GraniteServiceVersion20100801.GetMetricStatistics",
    }
    answer = emulator.request(emulator.endpoint, "POST", "/", json.dumps(query).encode(), as_json)
    assert answer.status == 200, answer.body
    assert answer.json()["Datapoints"] == [{"Timestamp": int(start.timestamp()), "Unit": "None", "Sum": 2.5}]
    refused = emulator.request(emulator.endpoint, "POST", "/", b"Action=PutMetricData&Version=2010-08-01", put_form)
    assert (refused.status, b"<Code>MissingParameter</Code>" in refused.body) == (400, True)


def test_the_aws_cli_puts_and_reads(emulator: Dev) -> None:
    namespace, start = unique("ns"), now(emulator)
    put_it = ["cloudwatch", "put-metric-data", "--namespace", namespace, "--metric-name", "M", "--value", "7"]
    assert aws_cli_json(emulator.endpoint, *put_it) is None
    read = ["cloudwatch", "get-metric-statistics", "--namespace", namespace, "--metric-name", "M", "--period", "60"]
    times = ["--start-time", start.isoformat(), "--end-time", (start + MINUTE).isoformat(), "--statistics", "Sum"]
    assert aws_cli_json(emulator.endpoint, *read, *times)["Datapoints"][0]["Sum"] == 7.0


def test_dashboards_are_kept(cloudwatch: Any) -> None:
    name = unique("board")
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody='{"widgets": []}')
    assert json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]) == {"widgets": []}
    cloudwatch.delete_dashboards(DashboardNames=[name])
    assert refusal(cloudwatch.get_dashboard, DashboardName=name)[0] == "ResourceNotFound"


def test_lambda_publishes_metrics_of_each_function(
    emulator: Dev, account: Account, cloudwatch: Any, tmp_path: Any
) -> None:
    start = now(emulator)
    name = account.make(FAILING, Environment={"Variables": {"RUNS": str(tmp_path / "runs")}})
    for _ in range(2):
        account.client.invoke(FunctionName=name)
    account.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    refusal(account.client.invoke, FunctionName=name)
    dimensions = [{"Name": "FunctionName", "Value": name}]
    queries = [
        {"Id": metric.lower(), "MetricStat": stat("AWS/Lambda", how, 60, metric, Dimensions=dimensions)}
        for metric, how in (
            ("Invocations", "Sum"),
            ("Errors", "Sum"),
            ("Throttles", "Sum"),
            ("ConcurrentExecutions", "Maximum"),
            ("Duration", "SampleCount"),
        )
    ]
    found = values(cloudwatch, start, start + MINUTE, *queries)
    assert found == {
        "invocations": [2.0],
        "errors": [2.0],
        "throttles": [1.0],
        "concurrentexecutions": [1.0],
        "duration": [2.0],
    }


def test_queues_publish_what_was_done_in_a_minute_and_what_they_hold(emulator: Dev, cloudwatch: Any) -> None:
    sqs = emulator.client("sqs")
    name = unique("queue")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    start = now(emulator)
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="m")
    (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)
    emulator.advance(120)
    dimensions = [{"Name": "QueueName", "Value": name}]
    queries = [
        {"Id": metric[0].lower() + metric[1:], "MetricStat": stat("AWS/SQS", how, 60, metric, Dimensions=dimensions)}
        for metric, how in (
            ("NumberOfMessagesSent", "Sum"),
            ("NumberOfMessagesReceived", "Sum"),
            ("NumberOfMessagesDeleted", "Sum"),
            ("ApproximateNumberOfMessagesVisible", "Maximum"),
            ("ApproximateNumberOfMessagesNotVisible", "Maximum"),
        )
    ]
    assert values(cloudwatch, start, start + 2 * MINUTE, *queries) == {
        "numberOfMessagesSent": [3.0, 0.0],
        "numberOfMessagesReceived": [2.0, 0.0],
        "numberOfMessagesDeleted": [1.0, 0.0],
        "approximateNumberOfMessagesVisible": [1.0, 1.0],
        "approximateNumberOfMessagesNotVisible": [1.0, 1.0],
    }
    oldest = stat("AWS/SQS", "Maximum", 60, "ApproximateAgeOfOldestMessage", Dimensions=dimensions)
    ages = values(cloudwatch, start, start + 2 * MINUTE, {"Id": "age", "MetricStat": oldest})["age"]
    assert ages[1] - ages[0] == pytest.approx(60)

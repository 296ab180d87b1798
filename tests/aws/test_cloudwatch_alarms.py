"""Alarms on the manual clock: their states, and what they do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev, wait_until
from support.judges import aws_cli_json
from support.lambda_account import Account, make_queue
from support.policies import topic_may_send
from treadle_local.cloudwatch.alarm import parse_alarm
from treadle_local.cloudwatch.evaluation import decide

SETTINGS: dict[str, Any] = {
    "MetricName": "M",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


@pytest.fixture
def cloudwatch(emulator: Dev) -> Any:
    return emulator.client("cloudwatch")


def make_alarm(client: Any, **changes: Any) -> tuple[str, str]:
    """The names of a new alarm and of the namespace that it watches."""
    name = unique("alarm")
    client.put_metric_alarm(**{**SETTINGS, "AlarmName": name, "Namespace": name, **changes})
    return name, changes.get("Namespace", name)


def described(client: Any, name: str) -> Any:
    return client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


def put(client: Any, namespace: str, value: float, name: str = "M") -> None:
    client.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": name, "Value": value}])


_TABLES = [
    # AWS's own examples, the oldest datapoint first: `X` breaches, `0` does not, `-` is missing
    (3, 3, "0-X-X", "OK OK OK OK"),
    (3, 3, "0----", "OK OK OK OK"),
    (3, 3, "-----", "INSUFFICIENT_DATA None ALARM OK"),
    (3, 3, "0XX-X", "ALARM ALARM ALARM ALARM"),
    (3, 3, "--X--", "ALARM None ALARM OK"),
    (3, 2, "0-X-X", "ALARM ALARM ALARM ALARM"),
    (3, 2, "00X0X", "ALARM ALARM ALARM ALARM"),
    (3, 2, "0-X--", "OK OK ALARM OK"),
    (3, 2, "----0", "OK OK ALARM OK"),
    (3, 2, "---X-", "ALARM None ALARM OK"),
]


@pytest.mark.parametrize(("periods", "needed", "datapoints", "wanted"), _TABLES)
def test_missing_data_counts_as_in_the_tables_of_aws(periods: int, needed: int, datapoints: str, wanted: str) -> None:
    values = [None if point == "-" else 9.0 if point == "X" else 0.0 for point in datapoints]
    found: list[str] = []
    for treatment in ("missing", "ignore", "breaching", "notBreaching"):
        more = {"EvaluationPeriods": periods, "DatapointsToAlarm": needed, "TreatMissingData": treatment}
        settings = parse_alarm({**SETTINGS, "AlarmName": "a", "Namespace": "n", **more})
        found.append(str(decide(settings, values, 600, 600.0).state))
    assert " ".join(found) == wanted


def test_an_alarm_goes_off_at_the_next_minute_and_is_over_when_its_data_is(emulator: Dev, cloudwatch: Any) -> None:
    name, namespace = make_alarm(cloudwatch, TreatMissingData="notBreaching")
    assert described(cloudwatch, name)["StateValue"] == "INSUFFICIENT_DATA"
    emulator.advance(60)
    assert described(cloudwatch, name)["StateValue"] == "OK"
    put(cloudwatch, namespace, 5)
    emulator.advance(60)
    alarm = described(cloudwatch, name)
    assert alarm["StateValue"] == "ALARM"
    assert "1 out of the last 1 datapoint [5.0" in alarm["StateReason"]
    assert "greater than or equal to the threshold (5.0)" in alarm["StateReason"]
    emulator.advance(300)
    assert described(cloudwatch, name)["StateValue"] == "OK"
    history = cloudwatch.describe_alarm_history(AlarmName=name, ScanBy="TimestampAscending")["AlarmHistoryItems"]
    assert [item.get("HistorySummary") for item in history] == [
        f'Alarm "{name}" created',
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from ALARM to OK",
    ]


def test_two_of_three_periods_make_an_alarm(emulator: Dev, cloudwatch: Any) -> None:
    name, namespace = make_alarm(cloudwatch, EvaluationPeriods=3, DatapointsToAlarm=2)
    states: list[str] = []
    for value in (9, 0, 0, 9, 0, 9):
        put(cloudwatch, namespace, value)
        emulator.advance(60)
        states.append(described(cloudwatch, name)["StateValue"])
    assert states[1:] == ["OK", "OK", "OK", "OK", "ALARM"]


def test_an_alarm_on_an_expression(emulator: Dev, cloudwatch: Any) -> None:
    namespace = unique("ns")

    def metric(identifier: str, name: str) -> Any:
        stat = {"Metric": {"Namespace": namespace, "MetricName": name}, "Period": 60, "Stat": "Sum"}
        return {"Id": identifier, "MetricStat": stat, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "100 * errors / calls", "ReturnData": True}
    name = unique("alarm")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Metrics=[metric("errors", "E"), metric("calls", "C"), (rate)],
        EvaluationPeriods=1,
        Threshold=50,
        ComparisonOperator="GreaterThanThreshold",
    )
    put(cloudwatch, namespace, 6, "E")
    put(cloudwatch, namespace, 10, "C")
    emulator.advance(60)
    assert described(cloudwatch, name)["StateValue"] == "ALARM"


def test_a_topic_hears_of_an_alarm_and_of_its_end(emulator: Dev, cloudwatch: Any) -> None:
    sns, sqs = emulator.client("sns"), emulator.client("sqs")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    url, queue = make_queue(emulator)
    policy = {"Version": "2012-10-17", "Statement": [topic_may_send(queue, topic)]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    name, namespace = make_alarm(
        cloudwatch, AlarmActions=[topic], OKActions=[topic], TreatMissingData="notBreaching", AlarmDescription="why"
    )
    put(cloudwatch, namespace, 9)
    emulator.advance(60)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    envelope = json.loads(message["Body"])
    assert envelope["Subject"] == f'ALARM: "{name}" in US East (N. Virginia)'
    notice = json.loads(envelope["Message"])
    assert (notice["AlarmName"], notice["OldStateValue"], notice["NewStateValue"]) == (
        name,
        "INSUFFICIENT_DATA",
        "ALARM",
    )
    assert (notice["AlarmDescription"], notice["AWSAccountId"]) == ("why", ACCOUNT)
    assert notice["Trigger"]["MetricName"] == "M"
    assert notice["Trigger"]["Statistic"] == "SUM"
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    emulator.advance(300)
    assert described(cloudwatch, name)["StateValue"] == "OK"
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    cloudwatch.enable_alarm_actions(AlarmNames=[name])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(json.loads(message["Body"])["Message"])["NewStateReason"] == "a test"


def test_a_function_is_invoked_where_its_policy_lets_alarms_in(
    emulator: Dev, account: Account, cloudwatch: Any
) -> None:
    url, _ = make_queue(emulator)
    source = f"""
import boto3, json
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl="{url}", MessageBody=json.dumps(event))
"""
    function = account.make(source, Timeout=30)
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}"
    name, _ = make_alarm(cloudwatch, AlarmActions=[arn])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="first")
    history = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
    assert "is not authorized to perform: lambda:InvokeFunction" in (history[0].get("HistorySummary") or "")
    account.client.add_permission(
        FunctionName=function,
        StatementId="alarms",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
        SourceArn=described(cloudwatch, name)["AlarmArn"],
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="between")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="second")
    sqs = emulator.client("sqs")
    found = wait_until("the event", lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    event = json.loads(found[0]["Body"])
    assert (event["source"], event["alarmData"]["alarmName"]) == ("aws.cloudwatch", name)
    assert event["alarmData"]["state"]["reason"] == "second"
    assert event["alarmData"]["previousState"]["value"] == "OK"
    emulator.advance(180)


def test_alarms_are_described_by_name_prefix_and_state_in_pages(cloudwatch: Any) -> None:
    prefix = unique("many")
    for index in range(3):
        cloudwatch.put_metric_alarm(**{**SETTINGS, "AlarmName": f"{prefix}-{index}", "Namespace": prefix})
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, PaginationConfig={"PageSize": 2}
    )
    names = [[alarm.get("AlarmName") for alarm in page["MetricAlarms"]] for page in pages]
    assert names == [[f"{prefix}-0", f"{prefix}-1"], [f"{prefix}-2"]]
    assert cloudwatch.describe_alarms(AlarmNamePrefix=prefix, StateValue="ALARM")["MetricAlarms"] == []
    of_metric = cloudwatch.describe_alarms_for_metric(MetricName="M", Namespace=prefix)["MetricAlarms"]
    assert len(of_metric) == 3
    cloudwatch.delete_alarms(AlarmNames=[f"{prefix}-0", f"{prefix}-1"])
    assert len(cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]) == 1
    assert refusal(cloudwatch.delete_alarms, AlarmNames=[f"{prefix}-0"])[0] == "ResourceNotFound"


def test_tags_go_with_an_alarm(cloudwatch: Any) -> None:
    name, _ = make_alarm(cloudwatch, Tags=[{"Key": "a", "Value": "1"}])
    arn = described(cloudwatch, name)["AlarmArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"Period": 61}, "InvalidParameterValue", "60"),
        ({"EvaluationPeriods": 2, "DatapointsToAlarm": 3}, "ValidationError", "DatapointsToAlarm"),
        ({"Period": 300, "EvaluationPeriods": 289}, "ValidationError", "1 day"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "ValidationError", "7 day"),
        ({"ComparisonOperator": "Bigger"}, "ValidationError", "comparisonOperator"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "InvalidAction", "anomaly"),
        ({"TreatMissingData": "perhaps"}, "InvalidParameterValue", "perhaps"),
        ({"AlarmActions": ["nonsense"]}, "ValidationError", "nonsense"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "InvalidAction", "ec2:stop"),
        ({"ExtendedStatistic": "p90"}, "InvalidParameterCombination", "Statistic"),
    ],
)
def test_alarms_that_aws_refuses(cloudwatch: Any, change: Any, code: str, words: str) -> None:
    found = refusal(cloudwatch.put_metric_alarm, **{**SETTINGS, "AlarmName": "a", "Namespace": "n", **change})
    assert (found[0], words in found[1]) == (code, True), found


def test_an_alarm_rests_when_there_is_nothing_to_look_at(emulator: Dev, cloudwatch: Any) -> None:
    name, namespace = make_alarm(cloudwatch, TreatMissingData="notBreaching")
    put(cloudwatch, namespace, 9)
    emulator.advance(365 * 86_400)
    assert described(cloudwatch, name)["StateValue"] == "OK"


def test_the_aws_cli_makes_and_shows_an_alarm(emulator: Dev) -> None:
    name = unique("alarm")
    make = ["cloudwatch", "put-metric-alarm", "--alarm-name", name, "--metric-name", "M", "--namespace", name]
    rule = ["--statistic", "Sum", "--period", "60", "--threshold", "1", "--evaluation-periods", "1"]
    aws_cli_json(emulator.endpoint, *make, *rule, "--comparison-operator", "GreaterThanThreshold")
    found = aws_cli_json(emulator.endpoint, "cloudwatch", "describe-alarms", "--alarm-names", name)
    assert found["MetricAlarms"][0]["Threshold"] == 1.0

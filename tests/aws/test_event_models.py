"""Powertools' models judge the events that functions get: every field they know is right, and no other is there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    APIGatewayProxyEventV2Model,
    DynamoDBStreamModel,
    EventBridgeModel,
    SnsModel,
    SnsNotificationModel,
    SqsModel,
)
from pydantic import BaseModel

from support.aws import ACCOUNT, unique
from support.dev import Dev, wait_until
from support.lambda_account import Account, make_queue, make_role
from support.policies import document
from support.scheduled import (
    advance_to,
    function_arn,
    now,
    put_target,
    rule,
    rule_arn,
    schedule,
    scheduler_role,
)

TELLING = """
import json

def handler(event, context):
    print("EVENT " + json.dumps(event))
    return {"statusCode": 200}
"""


def unknown(model: object, event: object, path: str = "") -> Iterator[str]:
    """The paths of an event that its model has no field for."""
    if isinstance(event, list) and isinstance(model, list):
        for part, item in zip(cast("list[object]", model), cast("list[object]", event), strict=True):
            yield from unknown(part, item, f"{path}[]")
    if isinstance(event, dict) and isinstance(model, dict):
        for key, part in cast("dict[str, object]", model).items():
            yield from unknown(part, cast("dict[str, object]", event)[key], f"{path}.{key}")
    if not isinstance(event, dict) or not isinstance(model, BaseModel):
        return
    fields = {field.alias or name: name for name, field in type(model).model_fields.items()}
    for key, value in cast("dict[str, object]", event).items():
        inner = f"{path}.{key}" if path else key
        if key in fields:
            yield from unknown(getattr(model, fields[key]), value, inner)
        else:
            yield inner


def judged(model: type[BaseModel], event: dict[str, Any]) -> Any:
    """The event as the model has it. Fails where the model refuses it, or does not know one of its fields."""
    parsed = model.model_validate(event)
    assert list(unknown(parsed, event)) == []
    return parsed


class Function:
    """A function that tells the events that it gets."""

    def __init__(self, emulator: Dev) -> None:
        actions = ("sqs:*", "dynamodb:*", "logs:*")
        self.emulator = emulator
        self.client = emulator.client("lambda")
        self.name = Account(emulator, self.client, make_role(emulator, actions=actions)).make(TELLING, Timeout=20)
        self.arn = function_arn(self.name)

    def admit(self, service: str) -> None:
        settings = {"Action": "lambda:InvokeFunction", "Principal": f"{service}.amazonaws.com"}
        self.client.add_permission(FunctionName=self.name, StatementId=service, **settings)

    def map(self, source_arn: str, **settings: Any) -> None:
        self.client.create_event_source_mapping(EventSourceArn=source_arn, FunctionName=self.name, **settings)

    def event(self) -> dict[str, Any]:
        """The first that it got."""

        def look() -> list[str]:
            lines = [line["text"] for line in self.emulator.all("printed", step=self.name)]
            return [line.removeprefix("EVENT ") for line in lines if line.startswith("EVENT ")]

        event: dict[str, Any] = json.loads(wait_until("an event", look)[0])
        return event


@pytest.fixture
def function(emulator: Dev) -> Function:
    return Function(emulator)


def test_a_request_to_an_http_api(emulator: Dev, function: Function) -> None:
    gateway = emulator.client("apigatewayv2")
    api = gateway.create_api(Name=unique("api"), ProtocolType="HTTP", Target=function.arn)["ApiId"]
    integration = gateway.get_integrations(ApiId=api)["Items"][0]["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="POST /things/{id}", Target=f"integrations/{integration}")
    function.admit("apigateway")
    path = f"/_aws/execute-api/{api}/$default/things/t%201?a=1&a=2&b=%C3%BC"
    headers = {"cookie": "c=1; d=2", "content-type": "application/json", "user-agent": "tests"}
    answer = emulator.request(emulator.endpoint, "POST", path, {"text": "ü"}, headers)
    assert answer.status == 200, answer.body
    parsed = judged(APIGatewayProxyEventV2Model, function.event())
    assert parsed.routeKey == "POST /things/{id}"
    assert parsed.pathParameters == {"id": "t 1"}
    assert parsed.queryStringParameters == {"a": "1,2", "b": "ü"}
    assert parsed.cookies == ["c=1", "d=2"]
    assert parsed.requestContext.http.method == "POST"
    assert parsed.isBase64Encoded is False


@pytest.mark.parametrize("fifo", [False, True])
def test_a_batch_of_a_queue(emulator: Dev, function: Function, fifo: bool) -> None:
    sqs = emulator.client("sqs")
    name = unique("queue") + (".fifo" if fifo else "")
    attributes = {"VisibilityTimeout": "30", **({"FifoQueue": "true"} if fifo else {})}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    function.map(f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
    order = {"MessageGroupId": "g", "MessageDeduplicationId": "d"} if fifo else {}
    sqs.send_message(
        QueueUrl=url,
        MessageBody="hello",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "x"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
        MessageSystemAttributes={
            "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5e1b4151-5ac6c58239c1e5b45ac6c582"}
        },
        **order,
    )
    (record,) = judged(SqsModel, function.event()).Records
    assert record.messageAttributes["bytes"].binaryValue == base64.b64encode(b"\x00\xff").decode()
    assert record.attributes.MessageGroupId == ("g" if fifo else None)
    assert (record.attributes.SequenceNumber is not None) == fifo
    assert record.attributes.AWSTraceHeader.startswith("Root=1-")


def test_a_notification_in_a_queue_and_one_to_a_function(emulator: Dev, function: Function) -> None:
    sns, sqs = emulator.client("sns"), emulator.client("sqs")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    url, queue_arn = make_queue(emulator, VisibilityTimeout="30")
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps(document({**allowed, "Resource": queue_arn}))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    function.map(queue_arn)
    direct = Function(emulator)
    direct.admit("sns")
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=direct.arn)
    attributes = {"kind": {"DataType": "String", "StringValue": "x"}}
    sns.publish(TopicArn=topic, Subject="subject", Message='{"a": 1}', MessageAttributes=attributes)
    (record,) = judged(SqsModel, function.event()).Records
    envelope = judged(SnsNotificationModel, json.loads(record.body))
    (told,) = judged(SnsModel, direct.event()).Records
    for notification in (envelope, told.Sns):
        assert (notification.Message, notification.Subject) == ('{"a": 1}', "subject")
        assert notification.TopicArn == topic
        assert notification.MessageAttributes["kind"].Value == "x"


def test_a_batch_of_a_tables_stream(emulator: Dev, function: Function) -> None:
    dynamodb, name = emulator.client("dynamodb"), unique("table")
    made = dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    function.map(made["TableDescription"]["LatestStreamArn"], StartingPosition="TRIM_HORIZON")
    dynamodb.put_item(TableName=name, Item={"id": {"S": "1"}, "n": {"N": "1.5"}})
    (record,) = judged(DynamoDBStreamModel, function.event()).Records
    assert (record.eventName, record.dynamodb.Keys) == ("INSERT", {"id": "1"})


def test_a_firing_of_a_rule(emulator: Dev, function: Function) -> None:
    function.admit("events")
    with rule(emulator, "rate(1 minute)") as name:
        put_target(emulator, name, function.arn)
        advance_to(emulator, now(emulator) + timedelta(seconds=61))
        event = judged(EventBridgeModel, function.event())
    assert (event.source, event.detail_type, event.detail) == ("aws.events", "Scheduled Event", {})
    assert event.resources == [rule_arn(name)]


def test_an_event_that_a_rule_matches(emulator: Dev, function: Function) -> None:
    function.admit("events")
    source = unique("shop")
    with rule(emulator, None, EventPattern=json.dumps({"source": [source]})) as name:
        put_target(emulator, name, function.arn)
        entry = {"Source": source, "DetailType": "Order", "Detail": '{"id": 1}', "Resources": ["a"]}
        assert emulator.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
        event = judged(EventBridgeModel, function.event())
    assert (event.source, event.detail_type, event.detail, event.resources) == (source, "Order", {"id": 1}, ["a"])


def test_a_schedule_without_input(emulator: Dev, function: Function) -> None:
    role = scheduler_role(emulator, "lambda:InvokeFunction")
    with schedule(emulator, "rate(1 minute)", {"Arn": function.arn, "RoleArn": role}) as arn:
        advance_to(emulator, now(emulator) + timedelta(seconds=61))
        event = judged(EventBridgeModel, function.event())
    assert (event.source, event.detail_type, event.resources) == ("aws.scheduler", "Scheduled Event", [arn])


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_a_direct_invocation_is_what_was_sent(function: Function, kind: str) -> None:
    sent: dict[str, Any] = {"text": "ü\u0000", "number": 1e300, "nothing": None, "list": [True, {"deep": [[]]}]}
    function.client.invoke(FunctionName=function.name, InvocationType=kind, Payload=json.dumps(sent).encode())
    assert function.event() == sent

"""Wrong input at the emulator's door: refused as AWS refuses it, in the protocol of the service, and never with a 500.

The requests are made from AWS's models: each member of each operation that the emulator serves, however deep, gets
values of another type. A sample of them, always the same, is sent.
"""

from __future__ import annotations

import gzip
import json
import random
import socket
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

import pytest
from botocore.model import OperationModel, Shape, StructureShape

from support.dev import Dev
from support.wrong_input import (
    Path,
    RawClient,
    Refused,
    form_fields,
    named_as_sent,
    odd_values,
    places,
    service_model,
    skeleton,
    with_value,
    wrong_values,
)

JSON = ("dynamodb", "dynamodbstreams", "sqs", "logs", "ssm", "secretsmanager", "events", "cloudwatch")
REST = ("lambda", "apigatewayv2", "scheduler")
QUERY = ("sns", "sts", "iam", "cloudformation")
Chosen = TypeVar("Chosen")
PLACES_OF_AN_OPERATION = 5


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """An emulator of its own, as some of what is sent is understood, and done."""
    with Dev(tmp_path_factory.mktemp("nothing"), "--clock", "manual", "--no-watch") as running:
        yield running
        assert "Traceback" not in running.text()


@pytest.fixture
def raw(door: Dev) -> Iterator[RawClient]:
    client = RawClient(door.endpoint)
    yield client
    client.close()


def operations(service: str) -> Iterator[tuple[OperationModel, StructureShape]]:
    model = service_model(service)
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.input_shape is not None:
            yield operation, operation.input_shape


def sampled(operation: OperationModel, shape: StructureShape, document: Any) -> list[tuple[Path, Shape]]:
    found = [(path, part) for path, part in places(shape, document) if is_in_body(shape, path)]
    return chosen(found, operation.name)


def is_in_body(shape: StructureShape, path: Path) -> bool:
    return "location" not in shape.members[str(path[0])].serialization


def is_served(answer: Refused) -> bool:
    """Whether the operation is one of the emulator's."""
    return answer.code not in ("UnknownOperationException", "InvalidAction") and b"not in Treadle" not in answer.body


def chosen(found: list[Chosen], seed: str) -> list[Chosen]:
    return random.Random(seed).sample(found, min(PLACES_OF_AN_OPERATION, len(found)))  # noqa: S311 - a sample


def refused_or_done(answer: Refused) -> bool:
    """Whether it is an answer as AWS gives it: no 500, and a code where it is a refusal."""
    return answer.status < 300 or (400 <= answer.status < 500 and bool(answer.code))


@pytest.mark.parametrize("service", JSON)
def test_a_member_of_another_type_is_refused(raw: RawClient, service: str) -> None:
    sent = 0
    for operation, shape in operations(service):
        document = skeleton(shape)
        if not is_served(raw.json(operation, {})):
            continue
        for path, part in sampled(operation, shape, document):
            for value in wrong_values(part):
                answer = raw.json(operation, with_value(document, path, value))
                expected = ["SerializationException", *(["ValidationException"] if is_value(part) else [])]
                assert answer.status == 400, (operation.name, path, value, answer)
                assert answer.code in expected, (operation.name, path, value, answer)
                sent += 1
    assert sent > 20


def is_value(shape: Shape) -> bool:
    """DynamoDB's own reader looks into the values of items, and has words of its own for some of what it finds."""
    return shape.name == "AttributeValue"


@pytest.mark.parametrize("service", REST)
def test_a_member_of_another_type_is_refused_at_an_address(raw: RawClient, service: str) -> None:
    sent = 0
    for operation, shape in operations(service):
        document = skeleton(shape)
        if "payload" in shape.serialization or not is_served(raw.rest(operation, document, b"{}")):
            continue
        for path, part in sampled(operation, shape, document):
            for value in wrong_values(part):
                body = named_as_sent(shape, with_value(document, path, value))
                answer = raw.rest(operation, document, json.dumps(body).encode())
                assert (answer.status, answer.code) == (400, "SerializationException"), (operation.name, path, value)
                sent += 1
    assert sent > 20


@pytest.mark.parametrize("service", QUERY)
def test_what_a_form_cannot_mean_is_refused(raw: RawClient, service: str) -> None:
    for operation, shape in operations(service):
        fields = form_fields(operation, skeleton(shape))
        given = {name: value for name, value in fields.items() if name not in ("Action", "Version")}
        if not is_served(raw.form(operation, fields)):
            continue
        for name in chosen(sorted(given), operation.name):
            for value in ("", "x", "-1", "9" * 50, "1_0", "1e999", "\u0661", "\0", "[" * 20_000):
                answer = raw.form(operation, {**fields, name: value})
                assert refused_or_done(answer), (operation.name, name, value[:20], answer)
            deeper = raw.form(operation, {**fields, f"{name}.x": "1"})
            assert (deeper.status, deeper.code) == (400, "MalformedInput"), (operation.name, name, deeper)


def test_numbers_and_choices_of_a_form_are_read_as_aws_writes_them(raw: RawClient) -> None:
    assume_role = service_model("sts").operation_model("AssumeRole")
    for value in ("soon", "1_000", "\u0661\u0662\u0663\u0664", "9" * 50, "3600.5", " 3600"):
        answer = raw.form(assume_role, {"Action": "AssumeRole", "DurationSeconds": value})
        assert (answer.status, answer.code) == (400, "MalformedInput"), value


@pytest.mark.parametrize("service", [*JSON, *REST])
def test_values_that_are_too_much_and_members_that_are_missing_are_never_a_500(raw: RawClient, service: str) -> None:
    for operation, shape in operations(service):
        document = skeleton(shape)

        def send(body: Any, model: OperationModel = operation, whole: Any = document) -> Refused:
            if service in JSON:
                return raw.json(model, body)
            sent = named_as_sent(cast("StructureShape", model.input_shape), body)
            return raw.rest(model, whole, json.dumps(sent).encode())

        nothing = send({})
        assert refused_or_done(nothing), (operation.name, nothing)
        if not is_served(nothing) or "payload" in shape.serialization:
            continue
        for path, part in sampled(operation, shape, document):
            for value in odd_values(part):
                answer = send(with_value(document, path, value))
                assert refused_or_done(answer), (operation.name, path, str(value)[:20], answer)
            lone = {path[0]: document[path[0]]}
            without = {name: value for name, value in document.items() if name != path[0]}
            assert refused_or_done(send(lone)), (operation.name, path)
            assert refused_or_done(send(without)), (operation.name, path)


@pytest.mark.parametrize("service", ["cloudwatch", "logs"])
def test_members_of_cbor_have_their_types_as_well(raw: RawClient, service: str) -> None:
    for operation, shape in operations(service):
        document = skeleton(shape)
        for path, part in sampled(operation, shape, document):
            if part.type_name not in ("timestamp", "blob"):
                answer = raw.cbor(operation, with_value(document, path, [[1]]))
                assert (answer.status, answer.code) == (400, "SerializationException"), (operation.name, path, answer)


DEEP = b'{"TableName":' + b"[" * 100_000


@pytest.mark.parametrize("service", [*JSON, "lambda", "scheduler"])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a"',
        b"[]",
        b"1",
        b'"x"',
        b"\xff\xfe",
        b'{"Name":"\xff"}',
        b'{"Name":"\\ud800"}',
        b'{"Name":NaN}',
        b'{"Name":-Infinity}',
        b'{"Name":' + b"9" * 5_000 + b"}",
        DEEP,
        b"{}{}",
        b"\0",
        gzip.compress(b"{}", mtime=0),
    ],
    ids=str,
)
def test_a_body_that_is_no_json_object_is_refused(raw: RawClient, service: str, body: bytes) -> None:
    operation, shape = next(
        (operation, shape)
        for operation, shape in operations(service)
        if operation.name in ("CreateTable", "DescribeStream", "CreateQueue", "CreateLogGroup", "PutParameter")
        or operation.name in ("CreateSecret", "PutRule", "PutDashboard", "CreateFunction", "CreateSchedule")
    )
    answer = raw.json_text(operation, body) if service in JSON else raw.rest(operation, skeleton(shape), body)
    assert (answer.status, answer.code) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("service", "operation", "document", "words"),
    [
        ("dynamodb", "DescribeTable", {"TableName": {}}, "Start of structure or map found where not expected"),
        ("dynamodb", "DescribeTable", {"TableName": 1}, "NUMBER_VALUE cannot be converted to String"),
        ("dynamodb", "DescribeTable", {"TableName": 1.5}, "DECIMAL_VALUE cannot be converted to String"),
        ("dynamodb", "DescribeTable", {"TableName": []}, "Unrecognized collection type class java.lang.String"),
        ("dynamodb", "Scan", {"ConsistentRead": "23"}, "Unexpected token received from parser"),
        ("dynamodb", "Scan", {"Limit": True}, "TRUE_VALUE cannot be converted to Integer"),
        ("dynamodb", "PutItem", {"Item": "x"}, "Unexpected field type"),
        (
            "dynamodb",
            "PutItem",
            {"Item": []},
            "Unrecognized collection type "
            "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>",
        ),
        ("dynamodb", "CreateTable", {"KeySchema": [1]}, "Unexpected value type in payload"),
        ("logs", "PutLogEvents", {"logEvents": [1]}, "Expected null"),
        ("logs", "PutLogEvents", {"logEvents": "x"}, "Expected list or null"),
        ("sqs", "SendMessage", {"QueueUrl": 1}, "NUMBER_VALUE can not be converted to a String"),
        ("sqs", "SendMessage", {"QueueUrl": ["x"]}, "Start of list found where not expected"),
        ("sqs", "SendMessage", {"DelaySeconds": "1"}, "STRING_VALUE can not be converted to an Integer"),
        ("ssm", "PutParameter", {"Name": {}}, "Start of structure or map found where not expected."),
        (
            "cloudwatch",
            "GetMetricStatistics",
            {"StartTime": "now"},
            "STRING_VALUE can not be converted to milliseconds since epoch",
        ),
    ],
)
def test_the_refusal_has_the_words_of_aws(
    raw: RawClient, service: str, operation: str, document: Mapping[str, Any], words: str
) -> None:
    answer = raw.json(service_model(service).operation_model(operation), document)
    assert (answer.status, answer.code, json.loads(answer.body)["Message"]) == (400, "SerializationException", words)


def test_null_is_what_is_not_there_and_a_fraction_is_cut_off(raw: RawClient) -> None:
    create = service_model("sqs").operation_model("CreateQueue")
    document = {"QueueName": "nulls", "Attributes": {"DelaySeconds": None, "VisibilityTimeout": "7"}, "tags": None}
    assert raw.json(create, document).status == 200
    scan = service_model("dynamodb").operation_model("ListTables")
    assert raw.json(scan, {"Limit": 1.5, "ExclusiveStartTableName": None, "Unheard": [1]}).status == 200


def test_of_two_members_of_one_name_the_last_counts(raw: RawClient) -> None:
    list_tables = service_model("dynamodb").operation_model("ListTables")
    assert raw.json_text(list_tables, b'{"Limit":"x","Limit":1}').status == 200
    assert raw.json_text(list_tables, b'{"Limit":1,"Limit":"x"}').code == "SerializationException"


def test_a_compressed_body_is_read_where_clients_compress(raw: RawClient) -> None:
    put = service_model("cloudwatch").operation_model("PutMetricData")
    body = json.dumps({"Namespace": "Shop", "MetricData": [{"MetricName": "Sold", "Value": 1}]}).encode()
    headers = {"content-encoding": "gzip"}
    assert raw.json_text(put, gzip.compress(body, mtime=0), headers).status == 200
    assert raw.json_text(put, body, headers).code == "SerializationException"
    assert raw.json_text(put, gzip.compress(body, mtime=0)[:-9], headers).code == "SerializationException"


def test_a_length_that_is_no_number_is_refused(door: Dev) -> None:
    host, _, port = door.endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: many\r\n\r\n{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")

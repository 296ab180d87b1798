"""The wire protocols, judged by botocore: what its serializers write is read back, and its parsers read our answers."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import pytest
from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_local.aws.errors import AwsError, access_denied
from treadle_local.aws.forms import parse_form
from treadle_local.aws.operations import Operation, Wire, find_operation, render, render_error
from treadle_local.aws.protocol_cbor import decode, encode

SERVICES = ("apigatewayv2", "cloudformation", "dynamodb", "iam", "lambda", "scheduler", "sns", "sqs", "sts")
_DEEPEST = 4

# Method, path, query, headers and body, as a client sends them.
Sent = tuple[str, str, str, list[tuple[str, str]], bytes]
_MORE_EXAMPLES = settings(max_examples=120)

_models: dict[str, ServiceModel] = {}


def model_of(service: str) -> ServiceModel:
    if service not in _models:
        _models[service] = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    return _models[service]


def operations_of(service: str) -> list[OperationModel]:
    model = model_of(service)
    return [
        operation
        for operation in map(model.operation_model, model.operation_names)
        if not operation.has_event_stream_output and not operation.has_event_stream_input
    ]


# Values of AWS's shapes

_texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=8
)
_path_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
_header_texts = st.text("abcXYZ019-_:/=", min_size=1, max_size=8)
_moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


def values(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    match shape.type_name:
        case "structure":
            return structures(cast("StructureShape", shape), depth)
        case "list":
            element = values(cast("ListShape", shape).member, depth + 1)
            return st.lists(element, max_size=2)
        case "map":
            mapping = cast("MapShape", shape)
            return st.dictionaries(_path_texts, values(mapping.value, depth + 1), max_size=2)
        case "timestamp":
            return _moments
        case "blob":
            return st.binary(max_size=8)
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            low = 200 if shape.serialization.get("location") == "statusCode" else 0
            return st.integers(low, 299 if low else 2**31 - 1)
        case "float" | "double":
            return st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
        case _:
            return located_texts(shape)


def located_texts(shape: Shape) -> st.SearchStrategy[str]:
    match shape.serialization.get("location"):
        case "uri":
            return _path_texts
        case "header":
            return _header_texts
        case _:
            return _texts


def structures(shape: StructureShape, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    members = {
        name: values(member, depth + 1)
        for name, member in shape.members.items()
        if depth < _DEEPEST or member.type_name not in {"structure", "list", "map"}
    }
    if getattr(shape, "is_tagged_union", False):
        alternatives = [st.fixed_dictionaries({name: value}) for name, value in members.items()]
        return st.one_of(alternatives) if alternatives else st.just({})
    required = {name: value for name, value in members.items() if name in shape.required_members}
    optional = {name: value for name, value in members.items() if name not in shape.required_members}
    return st.fixed_dictionaries(required, optional=optional)


# Requests by botocore's serializer


def request_of(operation: OperationModel, params: Mapping[str, Any], protocol: str | None = None) -> Sent:
    serializer: Any = create_serializer(
        protocol or str(operation.service_model.resolved_protocol), include_validation=False
    )
    wire: dict[str, Any] = serializer.serialize_to_request(dict(params), operation)
    path, _, query = str(wire["url_path"]).partition("?")
    more = urlencode(wire["query_string"], doseq=True)
    headers = [(name.lower(), str(value)) for name, value in wire["headers"].items()]
    body: Any = wire["body"]
    if isinstance(body, dict):
        body = urlencode(cast("dict[str, str]", body))
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    return str(wire["method"]), path, "&".join(filter(None, [query, more])), headers, content


def found(operation: OperationModel, params: Mapping[str, Any]) -> Operation:
    method, path, query, headers, body = request_of(operation, params)
    return find_operation(str(operation.service_model.signing_name), method, path, query, headers, body)


def expressible(shape: Shape, value: Any, protocol: str) -> Any:
    """The value as its protocol can carry it: a query has no empty list, JSON no bytes or moments."""
    match shape.type_name:
        case "structure":
            members = cast("StructureShape", shape).members
            return {
                name: expressible(members[name], part, protocol)
                for name, part in value.items()
                if (part != [] or members[name].serialization.get("location") != "querystring")
                and (part not in ({}, b"") or shape.serialization.get("payload") != name)
            }
        case "list":
            return [expressible(cast("ListShape", shape).member, part, protocol) for part in value]
        case "map":
            mapping = cast("MapShape", shape)
            return {key: expressible(mapping.value, part, protocol) for key, part in value.items()}
        case "blob" | "timestamp" if protocol == "json":
            return wire_json(value)
        case _:
            return value


def without_empty_parts(value: Any) -> Any:
    """What a form says of a value: it has no way to write an empty map or structure."""
    if isinstance(value, dict):
        parts = {key: without_empty_parts(part) for key, part in cast("dict[str, Any]", value).items()}
        return {key: part for key, part in parts.items() if part not in ({}, [])}
    if isinstance(value, list):
        elements = [without_empty_parts(part) for part in cast("Iterable[Any]", value)]
        return [element for element in elements if element not in ({}, [])]
    return value


def wire_json(value: bytes | datetime) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())
    serializer: Any = create_serializer("json", include_validation=False)
    return serializer._get_base64(value)


@pytest.mark.parametrize("service", SERVICES)
@_MORE_EXAMPLES
@given(data=st.data())
def test_a_request_that_botocore_writes_is_read_back_whole(service: str, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(operations_of(service)), "operation")
    shape = operation.input_shape
    params: dict[str, Any] = data.draw(values(shape), "params") if shape is not None else {}
    read = found(operation, params)
    assert (read.service, read.name) == (service, operation.name)
    protocol = str(operation.service_model.metadata["protocol"])
    expected: dict[str, Any] = expressible(shape, params, protocol) if shape is not None else {}
    if protocol == "query":
        assert without_empty_parts(read.params) == without_empty_parts(expected)
    else:
        assert read.params == expected


@pytest.mark.parametrize("service", SERVICES)
@_MORE_EXAMPLES
@given(data=st.data())
def test_a_rendered_result_is_what_botocore_reads(service: str, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(operations_of(service)), "operation")
    shape = operation.output_shape
    result: dict[str, Any] = data.draw(values(shape), "result") if shape is not None else {}
    answer = read_by_botocore(operation, render(service, operation.name, result))
    if shape is not None:
        payload = shape.serialization.get("payload")
        if payload is not None and shape.members[payload].type_name == "blob":
            result.setdefault(payload, b"")
        for name, member in shape.members.items():
            if member.serialization.get("location") == "statusCode":
                result.setdefault(name, operation.http.get("responseCode", 200))
    assert answer == result


def read_by_botocore(operation: OperationModel, wire: Wire) -> dict[str, Any]:
    status, headers, body = wire
    parser: Any = create_parser(str(operation.service_model.resolved_protocol))
    answer: dict[str, Any] = parser.parse(
        {
            "status_code": status,
            "headers": HeadersDict(headers),
            "body": BytesIO(body) if operation.has_streaming_output and status < 300 else body,
            "context": {"operation_name": operation.name},
        },
        operation.output_shape,
    )
    answer.pop("ResponseMetadata")
    return {name: part.read() if isinstance(part, BytesIO) else part for name, part in answer.items()}


# What is read without botocore


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("AbortMultipartUpload", {"Bucket": "b", "Key": "k", "UploadId": "u"}),
        ("CompleteMultipartUpload", {"Bucket": "b", "Key": "k", "UploadId": "u"}),
        ("CopyObject", {"Bucket": "b", "Key": "k", "CopySource": "other/key"}),
        ("CreateBucket", {"Bucket": "b"}),
        ("CreateMultipartUpload", {"Bucket": "b", "Key": "k"}),
        ("DeleteObject", {"Bucket": "b", "Key": "a/b//c d+ü"}),
        ("DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y", "VersionId": "1"}]}}),
        ("GetBucketLifecycleConfiguration", {"Bucket": "b"}),
        ("GetBucketLocation", {"Bucket": "b"}),
        ("GetObject", {"Bucket": "b", "Key": "k", "Range": "bytes=0-1"}),
        ("GetObjectTagging", {"Bucket": "b", "Key": "k"}),
        ("HeadBucket", {"Bucket": "b"}),
        ("HeadObject", {"Bucket": "b", "Key": "folder/"}),
        ("ListBuckets", {}),
        ("ListObjects", {"Bucket": "b", "Prefix": "p/"}),
        ("ListObjectsV2", {"Bucket": "b", "Prefix": "p/", "MaxKeys": 7}),
        ("ListParts", {"Bucket": "b", "Key": "k", "UploadId": "u"}),
        ("PutBucketTagging", {"Bucket": "b", "Tagging": {"TagSet": [{"Key": "a", "Value": "<&>"}]}}),
        ("PutObject", {"Bucket": "b", "Key": "k", "Body": b"\x00\xff", "Metadata": {"a": "b"}}),
        ("UploadPart", {"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 2, "Body": b"part"}),
        ("UploadPartCopy", {"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 2, "CopySource": "o/k"}),
    ],
)
def test_operations_of_s3_are_told_apart(operation: str, params: dict[str, Any]) -> None:
    read = found(model_of("s3").operation_model(operation), params)
    assert (read.service, read.name, read.params) == ("s3", operation, params)


def test_a_bucket_may_stand_in_the_host() -> None:
    read = find_operation("s3", "GET", "/folder/key", "", [("host", "bucket.localhost:4566")], b"")
    assert (read.name, read.params) == ("GetObject", {"Bucket": "bucket", "Key": "folder/key"})


def test_an_encoded_slash_stays_in_its_path_segment() -> None:
    arn = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/nightly"
    read = found(model_of("scheduler").operation_model("ListTagsForResource"), {"ResourceArn": arn})
    assert read.params == {"ResourceArn": arn}


def test_a_connection_is_found_behind_its_stage() -> None:
    read = find_operation("execute-api", "POST", "/prod/@connections/abc%3D", "", [], b"hello")
    assert (read.service, read.name) == ("apigatewaymanagementapi", "PostToConnection")
    assert read.params == {"ConnectionId": "abc=", "Data": b"hello"}


def test_the_two_services_of_dynamodb_differ_by_their_target() -> None:
    headers = [("x-amz-target", "DynamoDBStreams_20120810.ListStreams")]
    assert find_operation("dynamodb", "POST", "/", "", headers, b"{}").service == "dynamodbstreams"
    headers = [("x-amz-target", "DynamoDB_20120810.ListTables")]
    assert find_operation("dynamodb", "POST", "/", "", headers, b"{}").service == "dynamodb"


@pytest.mark.parametrize("protocol", ["json", "smithy-rpc-v2-cbor", "query"])
def test_cloudwatch_is_understood_in_all_its_protocols(protocol: str) -> None:
    operation = model_of("cloudwatch").operation_model("PutMetricData")
    params = {"Namespace": "orders", "MetricData": [{"MetricName": "sold", "Value": 1.5}]}
    method, path, query, headers, body = request_of(operation, params, protocol)
    read = find_operation("monitoring", method, path, query, headers, body)
    assert (read.service, read.name, read.params) == ("cloudwatch", "PutMetricData", params)
    status, answered, content = render_error("cloudwatch", read.name, access_denied("a", "b", "c"), read.protocol)
    parser: Any = create_parser(protocol)
    response: dict[str, Any] = {"status_code": status, "headers": HeadersDict(answered), "body": content, "context": {}}
    assert parser.parse(response, operation.output_shape)["Error"]["Code"] == "AccessDenied"


def test_moments_bytes_and_endless_parts_are_read_from_cbor() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert decode(encode({"EndTime": moment, "Widget": b"\x00"})) == {"EndTime": moment, "Widget": b"\x00"}
    assert decode(b"\x9f\x01\x7f\x61a\x61b\xff\xbf\x61k\xf9\x3e\x00\xff\xff") == [1, "ab", {"k": 1.5}]


def test_an_empty_list_in_a_form_is_an_empty_list() -> None:
    form = b"Action=UntagResource&ResourceArn=a&TagKeys="
    assert find_operation("sns", "POST", "/", "", [], form).params == {"ResourceArn": "a", "TagKeys": []}


def test_a_publish_in_an_unusual_form_is_read_as_well() -> None:
    form = (
        b"Action=Publish&Message=m&MessageAttributes.entry.2.Name=n"
        b"&MessageAttributes.entry.2.Value.DataType=Binary&MessageAttributes.entry.2.Value.BinaryValue=AQI%3D"
    )
    expected = {"Message": "m", "MessageAttributes": {"n": {"DataType": "Binary", "BinaryValue": b"\x01\x02"}}}
    assert find_operation("sns", "POST", "/", "", [], form).params == expected


_PIECES_OF_FORMS = [b"%", b"=", b"+", b"3D", b"3d", b"41", b"\n", b"z", b"&", b"%C3%BC", b"%41"]


@given(st.lists(st.sampled_from(_PIECES_OF_FORMS)).map(b"".join))
def test_forms_are_read_as_the_standard_library_reads_them(body: bytes) -> None:
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    assert parse_form(body) == fields


_documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | _texts | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=20,
)


@contextmanager
def suppressed(code: str) -> Generator[None]:
    """Lets a refusal of one code pass."""
    try:
        yield
    except AwsError as refusal:
        if refusal.code != code:
            raise


@given(_documents)
def test_cbor_is_read_as_it_was_written(document: Any) -> None:
    assert decode(encode(document)) == document


@given(st.binary(max_size=40))
def test_broken_cbor_is_refused(document: bytes) -> None:
    with suppressed("SerializationException"):
        decode(document)


# Refusals

_CBOR = [("smithy-protocol", "rpc-v2-cbor")]


def error_of(operation: OperationModel, wire: Wire) -> tuple[int, str, str]:
    """Status, code and message as boto3 would raise them."""
    status, headers, body = wire
    parser: Any = create_parser(str(operation.service_model.resolved_protocol))
    response: dict[str, Any] = {"status_code": status, "headers": HeadersDict(headers), "body": body, "context": {}}
    answer = parser.parse(response, operation.output_shape)
    return status, answer["Error"]["Code"], answer["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "operation", "status", "code"),
    [
        ("apigatewayv2", "CreateApi", 403, "AccessDeniedException"),
        ("cloudformation", "CreateStack", 403, "AccessDenied"),
        ("cloudwatch", "PutMetricData", 400, "AccessDenied"),
        ("dynamodb", "PutItem", 400, "AccessDeniedException"),
        ("iam", "CreateRole", 403, "AccessDenied"),
        ("lambda", "Invoke", 403, "AccessDeniedException"),
        ("logs", "PutLogEvents", 400, "AccessDeniedException"),
        ("s3", "GetObject", 403, "AccessDenied"),
        ("sns", "Publish", 403, "AuthorizationError"),
        ("sqs", "SendMessage", 400, "AccessDenied"),
        ("sts", "AssumeRole", 403, "AccessDenied"),
    ],
)
def test_access_denied_has_the_code_that_each_service_gives(
    service: str, operation: str, status: int, code: str
) -> None:
    refusal = access_denied("arn:aws:sts::000000000000:assumed-role/r/s", f"{service}:{operation}", "arn:aws:x")
    wire = render_error(service, operation, refusal)
    assert error_of(model_of(service).operation_model(operation), wire) == (status, code, refusal.message)


def test_an_error_of_sqs_bears_the_code_of_its_older_protocol() -> None:
    code = "AWS.SimpleQueueService.NonExistentQueue"
    refusal = AwsError("QueueDoesNotExist", "The specified queue does not exist.", query_code=code)
    status, headers, body = render_error("sqs", "SendMessage", refusal)
    assert (status, dict(headers)["x-amzn-query-error"]) == (400, f"{code};Sender")
    assert b'"__type":"com.amazonaws.sqs#QueueDoesNotExist"' in body


def test_an_error_carries_the_further_members_of_its_shape() -> None:
    reasons = [{"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}]
    refusal = AwsError("TransactionCanceledException", "Transaction cancelled", fields={"CancellationReasons": reasons})
    parser: Any = create_parser("json")
    status, headers, body = render_error("dynamodb", "TransactWriteItems", refusal)
    response: dict[str, Any] = {"status_code": status, "headers": HeadersDict(headers), "body": body, "context": {}}
    answer = parser.parse(response, model_of("dynamodb").shape_for("TransactionCanceledException"))
    assert (answer["CancellationReasons"], answer["Message"]) == (reasons, "Transaction cancelled")


def test_text_that_xml_cannot_hold_is_replaced() -> None:
    refusal = AwsError("ValidationError", "<a> & \x00 \r b")
    answer = error_of(model_of("sts").operation_model("AssumeRole"), render_error("sts", "AssumeRole", refusal))
    assert answer == (400, "ValidationError", "<a> & \ufffd \r b")


def test_the_refusal_of_a_head_request_has_no_body() -> None:
    assert render_error("s3", "HeadObject", access_denied("a", "s3:GetObject", "b"))[2] == b""


@pytest.mark.parametrize(
    ("service", "method", "path", "headers", "body", "code"),
    [
        ("sqs", "POST", "/", [("x-amz-target", "AmazonSQS.SendMessage")], b"{", "SerializationException"),
        ("sqs", "POST", "/", [("x-amz-target", "AmazonSQS.SendMessage")], b"[]", "SerializationException"),
        ("dynamodb", "POST", "/", [], b"Action=PutItem", "UnknownOperationException"),
        ("sqs", "POST", "/", [], b"Action=Fly", "UnknownOperationException"),
        ("sqs", "POST", "/", [], b"Action=SendMessage&MessageAttribute=x", "SerializationException"),
        ("sns", "POST", "/", [], b"Action=Fly", "UnknownOperationException"),
        ("sns", "POST", "/", [], b"Message=x", "MissingAction"),
        ("sns", "POST", "/", [], b"Action=TagResource&Tags=x", "SerializationException"),
        ("sns", "POST", "/", [], b"Action=TagResource&Tags.member.x.Key=a", "SerializationException"),
        ("sns", "POST", "/", [], b"Action=TagResource&Tags=&Tags.member.1.Key=a", "SerializationException"),
        ("sts", "POST", "/", [], b"Action=AssumeRole&DurationSeconds=soon", "SerializationException"),
        ("sts", "POST", "/", [], b"Action=AssumeRole&RoleArn=%FF", "SerializationException"),
        ("lambda", "GET", "/2015-03-31/unknown", [], b"", "UnknownOperationException"),
        ("lambda", "POST", "/2015-03-31/functions", [], b"{", "SerializationException"),
        ("lambda", "POST", "/2015-03-31/functions", [], b'{"Layers":{}}', "SerializationException"),
        ("s3", "PUT", "/bucket/key", [("x-amz-object-lock-retain-until-date", "1e400")], b"", "SerializationException"),
        ("s3", "POST", "/bucket?delete", [], b"<Delete><Object>", "MalformedXML"),
        ("sqs", "POST", "/", [("x-amz-target", "AmazonSQS.SendMessage")], b"[" * 100_000, "SerializationException"),
        (
            "monitoring",
            "POST",
            "/service/X/operation/Y",
            [("smithy-protocol", "rpc-v2-cbor")],
            b"\xa1\x80\x00",
            "SerializationException",
        ),
        ("monitoring", "POST", "/elsewhere", _CBOR, b"", "UnknownOperationException"),
        ("s3", "PATCH", "/bucket", [], b"", "MethodNotAllowed"),
        ("nonesuch", "GET", "/", [], b"", "UnknownOperationException"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    service: str, method: str, path: str, headers: list[tuple[str, str]], body: bytes, code: str
) -> None:
    with pytest.raises(AwsError) as refused:
        find_operation(service, method, path.partition("?")[0], path.partition("?")[2], headers, body)
    assert refused.value.code == code
    assert render_error(service, "", refused.value)[0] == refused.value.status


def test_a_request_without_its_required_parameters_goes_to_the_service_that_misses_them() -> None:
    assert find_operation("s3", "POST", "/bucket/key", "", [], b"").name == "CompleteMultipartUpload"

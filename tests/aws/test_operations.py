"""The wire protocols, judged by botocore: what its serializers write is read back, what is rendered its parsers read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from treadle_local.aws.errors import AwsError, access_denied
from treadle_local.aws.operations import Operation, Wire, find_operation, render, render_error

SERVICES = ("apigatewayv2", "cloudformation", "dynamodb", "iam", "lambda", "scheduler", "sns", "sqs", "sts")
_DEEPEST = 4
_UNLIMITED = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

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

_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=8)
_path_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
_header_texts = st.text("abcXYZ019-_:/=", min_size=1, max_size=8)
_moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(  # noqa: DTZ001 - given a zone below
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


def request_of(operation: OperationModel, params: Mapping[str, Any]) -> tuple[str, str, str, list[tuple[str, str]], bytes]:
    """Method, path, query, headers and body, as a client sends them."""
    protocol = str(operation.service_model.resolved_protocol)
    serializer: Any = create_serializer(protocol, include_validation=False)
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
                and (part != {} or shape.serialization.get("payload") != name)
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
        return [part for part in map(without_empty_parts, cast("list[Any]", value)) if part not in ({}, [])]
    return value


def wire_json(value: bytes | datetime) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())
    serializer: Any = create_serializer("json", include_validation=False)
    return serializer._get_base64(value)


@pytest.mark.parametrize("service", SERVICES)
@_UNLIMITED
@given(data=st.data())
def test_a_request_that_botocore_writes_is_read_back_whole(service: str, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(operations_of(service)), "operation")
    shape = operation.input_shape
    params: dict[str, Any] = data.draw(values(shape), "params") if shape is not None else {}
    read = found(operation, params)
    assert (read.service, read.name) == (service, operation.name)
    protocol = str(operation.service_model.metadata["protocol"])
    expected = expressible(shape, params, protocol) if shape is not None else {}
    if protocol == "query":
        assert without_empty_parts(read.params) == without_empty_parts(expected)
    else:
        assert read.params == expected


@pytest.mark.parametrize("service", SERVICES)
@_UNLIMITED
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

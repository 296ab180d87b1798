"""AWS's REST protocols: parameters in path, query, headers and a JSON or XML body, as Lambda and S3 speak them.

Sources: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html, .../aws-restxml-protocol.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from treadle_local.aws.errors import AwsError
from treadle_local.aws.json_shapes import from_json, to_json
from treadle_local.aws.json_text import read_json
from treadle_local.aws.rest_routes import Query, find_route
from treadle_local.aws.service_models import Protocol, operation_model
from treadle_local.aws.wire import Operation, Wire, is_document, new_request_id, parse_scalar, render_scalar, unreadable
from treadle_local.aws.xml_input import parse_document
from treadle_local.aws.xml_output import text_of

if TYPE_CHECKING:
    from botocore.model import ListShape, Shape, StructureShape

_FORBIDDEN = 403
# Lambda's error shapes name the text in capitals, as S3's XML does; those of API Gateway and the rest do not.
_CAPITAL_MESSAGE = frozenset({"lambda", "scheduler"})


def parse(
    service: str, protocol: Protocol, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> Operation:
    """The operation whose request line a request has.

    Raises: AwsError: UnknownOperationException (MethodNotAllowed for S3), SerializationException.
    """
    fields = parse_qs(query, keep_blank_values=True)
    found = find_route(service, method, path, fields, headers)
    if found is None:
        if protocol is Protocol.REST_XML:
            message = "The specified method is not allowed against this resource."
            raise AwsError("MethodNotAllowed", message, status=405)
        raise AwsError("UnknownOperationException", f"{service} has no operation at {method} {path}.", status=404)
    shape = operation_model(service, found.operation).input_shape
    if shape is None:
        return Operation(service, found.operation, {}, protocol)
    params = _parse_body(shape, protocol, body)
    for name, member in shape.members.items():
        value = _located(member, found.labels, fields, headers)
        if value is not None:
            params[name] = value
    _add_free_query(shape, fields, params)
    return Operation(service, found.operation, params, protocol)


def render(service: str, operation: str, result: Mapping[str, Any]) -> Wire:
    """The answer of an operation of a REST service with JSON bodies that went well."""
    model = operation_model(service, operation)
    status = int(model.http.get("responseCode", 200))
    headers = [("x-amzn-requestid", new_request_id())]
    shape = model.output_shape
    if shape is None:
        return status, headers, b""
    in_body: dict[str, Any] = {}
    for name, value in result.items():
        member = shape.members[name]
        match member.serialization.get("location"):
            case _ if value is None:
                pass
            case "statusCode":
                status = int(value)
            case "header":
                headers.append((member.serialization["name"].lower(), render_scalar(member, value, "rfc822")))
            case None:
                in_body[name] = value
            case location:
                raise TypeError(f"{operation}.{name} is in {location}, which the emulator cannot render")
    payload = shape.serialization.get("payload")
    if payload is not None and shape.members[payload].type_name == "blob":
        return status, [*headers, ("content-type", "application/octet-stream")], bytes(in_body.get(payload) or b"")
    if status == 204 or not _has_body(shape):
        return status, headers, b""
    document: Any = to_json(shape, in_body) if payload is None else to_json(shape.members[payload], in_body[payload])
    content = json.dumps(document, separators=(",", ":")).encode("ascii")
    return status, [*headers, ("content-type", "application/json")], content


def render_json_error(service: str, error: AwsError) -> Wire:
    """The answer of an operation of a REST service with JSON bodies that was refused."""
    body = {
        "Type": "User" if error.fault == "Sender" else "Service",
        "Message" if service in _CAPITAL_MESSAGE else "message": error.message,
        **error.fields,
    }
    headers = [
        ("content-type", "application/json"),
        ("x-amzn-requestid", new_request_id()),
        ("x-amzn-errortype", error.code),
    ]
    return _status(error), headers, json.dumps(body, separators=(",", ":")).encode("ascii")


def render_xml_error(operation: str, error: AwsError) -> Wire:
    """The answer of an operation of S3 that was refused; a HEAD has no body to say why."""
    request_id = new_request_id()
    code = "AccessDenied" if error.code == "AccessDeniedException" else error.code
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{text_of(code)}</Code>'
        f"<Message>{text_of(error.message)}</Message><RequestId>{request_id}</RequestId></Error>"
    )
    headers = [("content-type", "application/xml"), ("x-amz-request-id", request_id)]
    return _status(error), headers, b"" if operation.startswith("Head") else body.encode("utf-8")


def _status(error: AwsError) -> int:
    return _FORBIDDEN if error.code == "AccessDeniedException" else error.status


def _parse_body(shape: StructureShape, protocol: Protocol, body: bytes) -> dict[str, Any]:
    payload = shape.serialization.get("payload")
    if payload is not None:
        member = shape.members[payload]
        if member.type_name == "blob":
            return {payload: body} if body else {}
        if member.type_name == "string":
            return {payload: body.decode("utf-8", "replace")} if body else {}
        parsed = _parse_structure(member, protocol, body)
        return {payload: parsed} if parsed else {}  # clients write an absent structure as an empty one
    parsed = _parse_structure(shape, protocol, body)
    return parsed if is_document(parsed) else {}


def _parse_structure(shape: Shape, protocol: Protocol, body: bytes) -> Any:
    if not body:
        return None
    if protocol is Protocol.REST_XML:
        return parse_document(shape, body)
    try:
        return from_json(shape, read_json(body))
    except RecursionError as error:
        raise unreadable(error) from error


def _located(shape: Shape, labels: Mapping[str, str], query: Query, headers: Mapping[str, str]) -> Any:
    """The parameter from where its shape says it stands outside the body; None when it is not there."""
    name = shape.serialization.get("name", "")
    match shape.serialization.get("location"):
        case "uri" if name in labels:
            return parse_scalar(shape, labels[name], "iso8601")
        case "querystring" if name in query:
            if shape.type_name == "list":
                element = cast("ListShape", shape).member
                return [parse_scalar(element, text, "iso8601") for text in query[name]]
            return parse_scalar(shape, query[name][-1], "iso8601")
        case "header" if name.lower() in headers:
            return _from_header(shape, headers[name.lower()])
        case "headers":
            start = name.lower()
            return {key[len(start) :]: value for key, value in headers.items() if key.startswith(start)} or None
        case _:
            return None


def _from_header(shape: Shape, text: str) -> Any:
    if shape.type_name == "list":
        element = cast("ListShape", shape).member
        return [parse_scalar(element, part.strip(), "rfc822") for part in text.split(",")]
    return parse_scalar(shape, text, "rfc822")


def _add_free_query(shape: StructureShape, query: Query, params: dict[str, Any]) -> None:
    """Fills in the one parameter that takes all of the query that has no name of its own."""
    for name, member in shape.members.items():
        if member.serialization.get("location") == "querystring" and member.type_name == "map":
            named = {other.serialization.get("name") for other in shape.members.values()}
            free: Mapping[str, Sequence[str]] = {key: values for key, values in query.items() if key not in named}
            multiple = getattr(member, "value").type_name == "list"  # noqa: B009
            if free:
                params[name] = {key: list(values) if multiple else values[-1] for key, values in free.items()}


def _has_body(shape: StructureShape) -> bool:
    return any("location" not in member.serialization for member in shape.members.values())

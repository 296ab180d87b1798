"""AWS's JSON protocols 1.0 and 1.1, as SQS and DynamoDB speak them: values stay as they are on the wire.

Sources: https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html, and for the header of SQS's errors
.../aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.json_text import read_json
from treadle_local.aws.json_types import check_input
from treadle_local.aws.service_models import Protocol
from treadle_local.aws.wire import Operation, Wire, is_document, new_request_id, render_timestamp, unreadable
from treadle_local.json_bytes import json_bytes

_VERSION_1_0 = frozenset({"cloudwatch", "sqs", "dynamodb", "dynamodbstreams", "stepfunctions"})
_QUERY_COMPATIBLE = frozenset({"cloudwatch", "sqs"})
_SERVICE_BY_TARGET = {"DynamoDBStreams_20120810": "dynamodbstreams"}
_ERROR_NAMESPACES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810#",
    "sqs": "com.amazonaws.sqs#",
}
# Errors that AWS's front end gives before a service sees the call, and what the older query protocol named them.
_FRONT_END_NAMESPACE = "com.amazon.coral.service#"
_FRONT_END_ERRORS = {
    "AccessDeniedException": "AccessDenied",
    "SerializationException": "MalformedInput",
    "UnknownOperationException": "InvalidAction",
    "UnrecognizedClientException": "InvalidClientTokenId",
}
_CAPITAL_MESSAGE = frozenset({"SerializationException", "TransactionCanceledException"})


def parse(service: str, target: str, body: bytes) -> Operation:
    """The operation of a request with an X-Amz-Target header.

    Raises: AwsError SerializationException.
    """
    prefix, _, name = target.rpartition(".")
    service = _SERVICE_BY_TARGET.get(prefix, service)
    params: Any = read_json(body) if body else {}
    if not is_document(params):
        raise unreadable("the body is no JSON object")
    check_input(service, name, params)
    return Operation(service, name, params, Protocol.JSON)


def render(service: str, result: Mapping[str, Any]) -> Wire:
    """The answer of an operation that went well."""
    return 200, _headers(service), json_bytes(result, _value)


def render_error(service: str, error: AwsError) -> Wire:
    """The answer of an operation that was refused."""
    in_front = error.code in _FRONT_END_ERRORS
    namespace = _FRONT_END_NAMESPACE if in_front else _ERROR_NAMESPACES.get(service, "")
    message = "Message" if error.code in _CAPITAL_MESSAGE else "message"
    body = json_bytes({"__type": namespace + error.code, message: error.message, **error.fields}, _value)
    headers = _headers(service)
    if service in _QUERY_COMPATIBLE:
        code = error.query_code or _FRONT_END_ERRORS.get(error.code, error.code)
        headers.append(("x-amzn-query-error", f"{code};{error.fault}"))
    return error.status, headers, body


def _headers(service: str) -> list[tuple[str, str]]:
    version = "1.0" if service in _VERSION_1_0 else "1.1"
    return [("content-type", f"application/x-amz-json-{version}"), ("x-amzn-requestid", new_request_id())]


def _value(value: Any) -> Any:
    match value:
        case datetime():
            return render_timestamp(value, "unixTimestamp")
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case _:
            raise TypeError(f"{type(value).__name__} has no form in AWS's JSON")

"""From an HTTP request to the AWS operation that it asks for, and from its result or refusal back to HTTP."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any, assert_never

from treadle_local.aws import protocol_cbor, protocol_json, protocol_query, protocol_rest
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service_models import Protocol, protocol_of, service_signed_as
from treadle_local.aws.wire import Operation, Wire, unreadable
from treadle_local.http.messages import Headers

__all__ = ["Operation", "Wire", "find_operation", "protocol_of_refusal", "render", "render_error"]

# Newer clients ask these in JSON or CBOR, older ones still by a form.
_MOVED_ON_FROM_QUERY = frozenset({"cloudwatch", "sqs"})
# Clients compress large bodies of these where AWS's model lets them; elsewhere the encoding is the content's own.
_COMPRESSED = frozenset({"cloudwatch"})
_LARGEST_BODY = 16 * 1024 * 1024
_CONNECTIONS = "/@connections/"
_BUCKET_IN_HOST = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.(?:localhost|s3[.-][^:]+)(?::\d+)?")


def find_operation(service: str, method: str, path: str, query_string: str, headers: Headers, body: bytes) -> Operation:
    """The operation that a request asks for.

    `service` is the name that the request is signed for. Path and query are percent-encoded, as sent; header names are
    in lower case.
    Raises: AwsError: UnknownOperationException, SerializationException, MissingAction, MethodNotAllowed.
    """
    name = service_signed_as(service, path)
    fields = dict(headers)
    if name in _COMPRESSED and fields.get("content-encoding") == "gzip":
        body = _decompressed(body)
    target = fields.get("x-amz-target")
    if target is not None:
        return protocol_json.parse(name, target, body)
    if fields.get("smithy-protocol") == protocol_cbor.NAME:
        return protocol_cbor.parse(name, path, body)
    protocol = Protocol.QUERY if name in _MOVED_ON_FROM_QUERY else protocol_of(name)
    match protocol:
        case Protocol.QUERY:
            return protocol_query.parse(name, path, query_string, body)
        case Protocol.REST_JSON | Protocol.REST_XML:
            place = _path_of_model(name, path, fields)
            return protocol_rest.parse(name, protocol, method, place, query_string, fields, body)
        case Protocol.JSON | Protocol.CBOR:
            message = f"A request to {name} names its operation in X-Amz-Target; the query protocol is not here."
            raise AwsError("UnknownOperationException", message, status=404)
        case _:
            assert_never(protocol)


def protocol_of_refusal(service: str, headers: Headers) -> Protocol | None:
    """The protocol in which to refuse a request whose operation was not found; None for the service's own."""
    fields = dict(headers)
    if service_signed_as(service, "") not in _MOVED_ON_FROM_QUERY or "x-amz-target" in fields:
        return None
    return Protocol.CBOR if fields.get("smithy-protocol") == protocol_cbor.NAME else Protocol.QUERY


def render(service: str, operation: str, result: Mapping[str, Any], protocol: Protocol | None = None) -> Wire:
    """The answer that carries a result; in the protocol that the request had, or the service's own.

    Services whose bodies are REST XML are not the emulator's own to answer for: refused with NotImplementedError.
    """
    match protocol or protocol_of(service):
        case Protocol.JSON:
            return protocol_json.render(service, result)
        case Protocol.QUERY:
            return protocol_query.render(service, operation, result)
        case Protocol.REST_JSON:
            return protocol_rest.render(service, operation, result)
        case Protocol.CBOR:
            return protocol_cbor.render(result)
        case Protocol.REST_XML:
            raise NotImplementedError(f"results of {service} in REST XML are not in Treadle's emulator yet")


def render_error(service: str, operation: str, error: AwsError, protocol: Protocol | None = None) -> Wire:
    """The answer that carries a refusal, with the code and status by which the protocol knows it.

    Where the refusal is that there is no such operation, `operation` is empty and `service` may be the signing name.
    """
    match protocol or _protocol_for_error(service):
        case Protocol.JSON:
            return protocol_json.render_error(service, error)
        case Protocol.QUERY:
            return protocol_query.render_error(service, error)
        case Protocol.REST_JSON:
            return protocol_rest.render_json_error(service, error)
        case Protocol.REST_XML:
            return protocol_rest.render_xml_error(operation, error)
        case Protocol.CBOR:
            return protocol_cbor.render_error(error)


def _decompressed(body: bytes) -> bytes:
    """Raises: AwsError SerializationException for what is no gzip, or too much of it."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body, _LARGEST_BODY)
    except zlib.error as error:
        raise unreadable(error) from error
    if not inflater.eof:
        raise unreadable("the compressed body is too large, or ends early")
    return plain


def _protocol_for_error(service: str) -> Protocol:
    """The protocol of a service by either name; JSON for one that does not exist, as the error may just be telling."""
    try:
        return protocol_of(service_signed_as(service, ""))
    except AwsError:
        return Protocol.JSON


def _path_of_model(service: str, path: str, headers: Mapping[str, str]) -> str:
    """The path as AWS's model has it: without the stage before a connection, with the bucket that the host names."""
    if service == "apigatewaymanagementapi" and _CONNECTIONS in path:
        return path[path.index(_CONNECTIONS) :]
    if service == "s3" and (host := _BUCKET_IN_HOST.fullmatch(headers.get("host", ""))):
        return f"/{host['bucket']}{path}"
    return path

"""Smithy's RPC v2 protocol with CBOR bodies, which some of AWS's clients speak with CloudWatch.

Sources: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html, RFC 8949.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.json_types import check_input
from treadle_local.aws.service_models import Protocol
from treadle_local.aws.wire import Operation, Wire, is_document, new_request_id, unreadable

NAME = "rpc-v2-cbor"

_PATH = re.compile(r"/service/[^/]+/operation/(?P<operation>[A-Za-z0-9]+)")
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)  # the major types
_EPOCH_TAG = 1
_INDEFINITE = 31
_BREAK = 0xFF
_DEEPEST = 64
_SIMPLE_VALUES = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_QUERY_CODES = {"AccessDeniedException": "AccessDenied", "UnknownOperationException": "InvalidAction"}


def parse(service: str, path: str, body: bytes) -> Operation:
    """The operation of a request with the header `smithy-protocol: rpc-v2-cbor`.

    Raises: AwsError: UnknownOperationException, SerializationException.
    """
    found = _PATH.search(path)
    if found is None:
        raise AwsError("UnknownOperationException", f"{service} has no operation at {path}.", status=404)
    params: Any = decode(body) if body else {}
    if not is_document(params):
        raise unreadable("the body is no CBOR map")
    check_input(service, found["operation"], params, is_cbor=True)
    return Operation(service, found["operation"], params, Protocol.CBOR)


def render(result: Mapping[str, Any]) -> Wire:
    """The answer of an operation that went well."""
    return 200, _headers(), encode(result)


def render_error(error: AwsError) -> Wire:
    """The answer of an operation that was refused."""
    code = error.query_code or _QUERY_CODES.get(error.code, error.code)
    headers = [*_headers(), ("x-amzn-query-error", f"{code};{error.fault}")]
    status = 403 if error.code == "AccessDeniedException" else error.status
    return status, headers, encode({"__type": error.code, "message": error.message, **error.fields})


def decode(body: bytes) -> Any:
    """The value of a CBOR document.

    Raises: AwsError SerializationException.
    """
    reader = _Reader(body)
    try:
        value = reader.value(_DEEPEST)
    except (IndexError, OSError, OverflowError, TypeError, ValueError, struct.error) as error:
        raise unreadable(error) from error
    if reader.position != len(body):
        raise unreadable("bytes follow the document")
    return value


def encode(value: Any) -> bytes:
    """The CBOR document of a value."""
    match value:
        case bool():
            return b"\xf5" if value else b"\xf4"
        case None:
            return b"\xf6"
        case int():
            return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        case float():
            return b"\xfb" + struct.pack(">d", value)
        case bytes():
            return _head(_BYTES, len(value)) + value
        case str():
            text = value.encode("utf-8")
            return _head(_TEXT, len(text)) + text
        case datetime():
            return _head(_TAG, _EPOCH_TAG) + encode(value.timestamp())
        case list() | tuple():
            elements = cast("list[Any]", value)
            return _head(_ARRAY, len(elements)) + b"".join(map(encode, elements))
        case Mapping():
            entries = cast("Mapping[str, Any]", value)
            return _head(_MAP, len(entries)) + b"".join(encode(key) + encode(part) for key, part in entries.items())
        case _:
            raise TypeError(f"{type(value).__name__} has no form in CBOR")


def _headers() -> list[tuple[str, str]]:
    return [
        ("content-type", "application/cbor"),
        ("smithy-protocol", NAME),
        ("x-amzn-requestid", new_request_id()),
    ]


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for information, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes([major << 5 | information]) + argument.to_bytes(size, "big")
    raise OverflowError(f"{argument} is too large for CBOR")


@dataclass(slots=True)
class _Reader:
    body: bytes
    position: int = 0

    def value(self, depth: int) -> Any:
        if depth == 0:
            raise unreadable("the document is nested too deep")
        initial = self._take(1)[0]
        major, information = initial >> 5, initial & 0x1F
        if major == _SIMPLE:
            return self._simple(information)
        if information == _INDEFINITE:
            return self._indefinite(major, depth)
        argument = self._argument(information)
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return self._take(argument)
            case 3:
                return self._take(argument).decode("utf-8")
            case 4:
                return [self.value(depth - 1) for _ in range(argument)]
            case 5:
                return {self.value(depth - 1): self.value(depth - 1) for _ in range(argument)}
            case _:
                return self._tagged(argument, depth)

    def _tagged(self, tag: int, depth: int) -> Any:
        value = self.value(depth - 1)
        return datetime.fromtimestamp(value, UTC) if tag == _EPOCH_TAG else value

    def _simple(self, information: int) -> Any:
        if information in _FLOATS:
            layout = _FLOATS[information]
            return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]
        if information not in _SIMPLE_VALUES:
            raise unreadable(f"CBOR's simple value {information} stands for nothing")
        return _SIMPLE_VALUES[information]

    def _indefinite(self, major: int, depth: int) -> Any:
        parts: list[Any] = []
        while self.body[self.position] != _BREAK:
            parts.append(self.value(depth - 1))
        self.position += 1
        match major:
            case 2:
                return b"".join(parts)
            case 3:
                return "".join(parts)
            case 4:
                return parts
            case 5:
                return dict(zip(parts[::2], parts[1::2], strict=True))
            case _:
                raise unreadable("a number has no end")

    def _argument(self, information: int) -> int:
        if information < 24:
            return information
        if information > 27:
            raise unreadable(f"CBOR's additional information {information} is reserved")
        return int.from_bytes(self._take(1 << information - 24), "big")

    def _take(self, count: int) -> bytes:
        taken = self.body[self.position : self.position + count]
        if len(taken) != count:
            raise unreadable("the document ends early")
        self.position += count
        return taken

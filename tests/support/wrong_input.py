"""Requests that no client of AWS writes: members of the wrong type, and values that are too much of the right one."""

from __future__ import annotations

import copy
import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.serialize import create_serializer

from treadle_local.aws.protocol_cbor import decode, encode
from treadle_local.aws.wire import is_sequence

_DEEPEST = 6
_LONGEST_TEXT = 300
# What no value of a type may be, by the type.
_WRONG: Mapping[str, tuple[Any, ...]] = {
    "structure": (1, "x", True, [], [1]),
    "map": (1, "x", True, []),
    "list": (1, "x", True, {}),
    "string": (1, 1.5, True, {}, []),
    "integer": ("x", True, {}, [], 10**30, 2**31),
    "long": ("x", False, {}, [], -(10**30)),
    "float": ("x", True, {}, []),
    "double": ("x", False, {}, []),
    "boolean": ("x", 1, {}, []),
    "timestamp": (True, {}, [], 10**30),
    "blob": (1, True, {}, [], "!"),
}
# What a value may be as far as its type goes.
_ODD: Mapping[str, tuple[Any, ...]] = {
    "string": ("", "x" * 3000, "[" * 20_000, "{", "\0\x1f", "../..", "arn:aws:", "::::::::", "9" * 400, "http://["),
    "integer": (0, -1, 2**31 - 1, -(2**31)),
    "long": (0, -1, 2**63 - 1, -(2**63)),
    "float": (0, -1e308, 1e308, "NaN"),
    "double": (0, -1e308, 1e308, "NaN", "-Infinity"),
    "boolean": (True, False),
    "timestamp": (0, -62135596800, 253402300799.5),
    "blob": ("", "AAAA"),
    "list": ([], None),
    "map": ({}, None),
    "structure": ({}, None),
}
Path = tuple[str | int, ...]


def service_model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def skeleton(shape: Shape, depth: int = 0) -> Any:
    """A value of a shape with all of its members, as far down as is sensible."""
    match shape.type_name:
        case "structure" if getattr(shape, "is_document_type", False):
            return {}
        case "structure":
            members = cast("StructureShape", shape).members
            wanted = members if depth < _DEEPEST else cast("StructureShape", shape).required_members
            return {name: skeleton(members[name], depth + 1) for name in wanted if depth < 2 * _DEEPEST}
        case "list":
            return [skeleton(cast("ListShape", shape).member, depth + 1)] if depth < _DEEPEST else []
        case "map":
            return {_text(cast("MapShape", shape).key): skeleton(cast("MapShape", shape).value, depth + 1)}
        case "integer" | "long":
            return max(1, int(shape.metadata.get("min", 1)))
        case "float" | "double":
            return 1.0
        case "boolean":
            return True
        case "timestamp":
            return 1_700_000_000
        case "blob":
            return "AAAA"
        case _:
            return _text(shape)


def _text(shape: Shape) -> str:
    choices = getattr(shape, "enum", None)
    return str(choices[0]) if choices else "x" * max(1, min(int(shape.metadata.get("min", 1)), _LONGEST_TEXT))


def places(shape: Shape, value: Any, path: Path = ()) -> Iterator[tuple[Path, Shape]]:
    """Every member of a skeleton, however deep, with its shape; not what is in DynamoDB's values."""
    if path:
        yield path, shape
    if getattr(shape, "is_document_type", False) or shape.name == "AttributeValue":
        return
    match value:
        case dict():
            for name, part in cast("Mapping[str, Any]", value).items():
                yield from places(_member(shape, name), part, (*path, name))
        case _ if is_sequence(value):
            for index, part in enumerate(value):
                yield from places(cast("ListShape", shape).member, part, (*path, index))
        case _:
            pass


def _member(shape: Shape, name: str) -> Shape:
    return shape.members[name] if isinstance(shape, StructureShape) else cast("MapShape", shape).value


def named_as_sent(shape: Shape, value: Any) -> Any:
    """What of a document goes into a REST body, by the names that it has there."""
    match value:
        case dict() if isinstance(shape, StructureShape):
            members = shape.members
            return {
                members[name].serialization.get("name", name): named_as_sent(members[name], part)
                for name, part in cast("Mapping[str, Any]", value).items()
                if "location" not in members[name].serialization
            }
        case dict() if isinstance(shape, MapShape):
            entries = cast("Mapping[str, Any]", value)
            return {name: named_as_sent(shape.value, part) for name, part in entries.items()}
        case _ if is_sequence(value) and isinstance(shape, ListShape):
            return [named_as_sent(shape.member, part) for part in value]
        case _:
            return value


def wrong_values(shape: Shape) -> tuple[Any, ...]:
    if getattr(shape, "is_document_type", False):
        return ()
    return _WRONG.get(shape.type_name, _WRONG["string"])


def odd_values(shape: Shape) -> tuple[Any, ...]:
    return _ODD.get(shape.type_name, _ODD["string"])


def with_value(document: Any, path: Path, value: Any) -> Any:
    """A copy of a document that has another value at one place."""
    changed = copy.deepcopy(document)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer: its status, AWS's code where there is one, and the body."""

    status: int
    code: str
    body: bytes


class RawClient:
    """Signed requests over one connection, with whatever body."""

    def __init__(self, endpoint: str) -> None:
        self._address = endpoint.removeprefix("http://")
        self._connection = http.client.HTTPConnection(self._address, timeout=30)

    def close(self) -> None:
        self._connection.close()

    def send(
        self, service: str, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Refused:
        scope = f"test/20260101/us-east-1/{service}/aws4_request"
        signed = {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
        self._connection.request(method, path, body, {**signed, **(headers or {})})
        response = self._connection.getresponse()
        content = response.read()
        return Refused(response.status, _code(content, dict(response.getheaders())), content)

    def json(self, operation: OperationModel, document: Any) -> Refused:
        return self.json_text(operation, json.dumps(document).encode())

    def json_text(self, operation: OperationModel, body: bytes, headers: Mapping[str, str] | None = None) -> Refused:
        metadata = operation.service_model.metadata
        target = f"{metadata['targetPrefix']}.{operation.name}"
        signing_name = str(operation.service_model.signing_name)
        return self.send(signing_name, "POST", "/", body, {"x-amz-target": target, **(headers or {})})

    def cbor(self, operation: OperationModel, document: Any) -> Refused:
        path = f"/service/{operation.service_model.metadata['targetPrefix']}/operation/{operation.name}"
        headers = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
        return self.send(str(operation.service_model.signing_name), "POST", path, encode(document), headers)

    def rest(self, operation: OperationModel, params: Mapping[str, Any], body: bytes) -> Refused:
        """The request of an operation by its own address, with another body."""
        wire = _serialized(operation, params)
        headers = {name: str(value) for name, value in wire["headers"].items()}
        query = wire["query_string"]
        path = str(wire["url_path"])
        if query:
            path += ("&" if "?" in path else "?") + "&".join(f"{name}={value}" for name, value in query.items())
        return self.send(
            str(operation.service_model.signing_name), str(wire["method"]), path.replace(" ", "%20"), body, headers
        )

    def form(self, operation: OperationModel, fields: Mapping[str, str]) -> Refused:
        body = "&".join(f"{name}={_quoted(value)}" for name, value in fields.items()).encode()
        return self.send(str(operation.service_model.signing_name), "POST", "/", body)


def form_fields(operation: OperationModel, params: Mapping[str, Any]) -> dict[str, str]:
    """The form that botocore writes of parameters."""
    return {name: str(value) for name, value in _serialized(operation, params)["body"].items()}


def _serialized(operation: OperationModel, params: Mapping[str, Any]) -> dict[str, Any]:
    serializer: Any = create_serializer(str(operation.service_model.resolved_protocol), include_validation=False)
    wire: dict[str, Any] = serializer.serialize_to_request(dict(params), operation)
    return wire


def _quoted(value: str) -> str:
    return "".join(f"%{byte:02X}" for byte in value.encode("utf-8", "surrogatepass"))


def _code(body: bytes, headers: Mapping[str, str]) -> str:
    lower = {name.lower(): value for name, value in headers.items()}
    if "x-amzn-errortype" in lower:
        return lower["x-amzn-errortype"]
    if b"<Code>" in body:
        return body.split(b"<Code>")[1].split(b"</Code>")[0].decode()
    if b"__type" in body and lower.get("content-type", "").startswith("application/x-amz-json"):
        return str(json.loads(body)["__type"]).rpartition("#")[2]
    if lower.get("content-type") == "application/cbor" and b"__type" in body:
        return str(decode(body)["__type"])
    return ""

"""AWS's query protocol, as SNS, STS, IAM, CloudFormation and SQS's older clients speak it: a form in, XML out.

Source: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.forms import parse_form
from treadle_local.aws.publish import publish_params, published
from treadle_local.aws.query_names import NAMESPACES
from treadle_local.aws.service_models import Protocol, query_model, query_operation
from treadle_local.aws.wire import Operation, Wire, new_request_id, parse_scalar, unreadable
from treadle_local.aws.xml_output import members_of, text_of

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StructureShape

# A form's field names split at their dots: {"Tags": {"member": {"1": {"Key": "a", "Value": "b"}}}}.
Node = dict[str, "Node | str"]

_CODES = {
    "AccessDeniedException": "AccessDenied",
    "SerializationException": "MalformedInput",
    "UnknownOperationException": "InvalidAction",
}
_CODES_OF_SNS = {**_CODES, "AccessDeniedException": "AuthorizationError"}
_FORBIDDEN = 403
_NUMBER = re.compile(r"[0-9]{1,9}")


def parse(service: str, path: str, query_string: str, body: bytes) -> Operation:
    """The operation of a form with an Action field, in the body or else in the query.

    SQS takes a queue's own address for the parameter QueueUrl.
    Raises: AwsError: MissingAction, UnknownOperationException, SerializationException.
    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html
    """
    form = parse_form(body or query_string.encode())
    action = form.get("Action")
    if not action:
        raise AwsError("MissingAction", "The request must contain the parameter Action.")
    if service == "sns" and action == "Publish":
        fast = publish_params(form)
        if fast is not None:
            return Operation(service, action, fast, Protocol.QUERY)
    shape = query_operation(service, action).input_shape
    tree: Node = {}
    for name, value in form.items():
        _plant(tree, name, value)
    params = _structure(shape, tree) if shape is not None else {}
    if service == "sqs" and shape is not None and "QueueUrl" in shape.members and path != "/":
        params.setdefault("QueueUrl", path)
    return Operation(service, action, params, Protocol.QUERY)


def render(service: str, operation: str, result: Mapping[str, Any]) -> Wire:
    """The answer of an operation that went well."""
    if service == "sns" and operation == "Publish":
        return _envelope(operation, *published(result))
    shape = query_operation(service, operation).output_shape
    namespace = query_model(service).metadata.get("xmlNamespace", "")
    content = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{operation}Result")
        content = f"<{wrapper}>{members_of(shape, result)}</{wrapper}>"
    return _envelope(operation, namespace, content)


def _envelope(operation: str, namespace: str, content: str) -> Wire:
    request_id = new_request_id()
    body = (
        f'<{operation}Response xmlns="{namespace}">{content}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return 200, _headers(request_id), body.encode("utf-8")


def render_error(service: str, error: AwsError) -> Wire:
    """The answer of an operation that was refused."""
    request_id = new_request_id()
    code = (_CODES_OF_SNS if service == "sns" else _CODES).get(error.code, error.code)
    status = _FORBIDDEN if error.code == "AccessDeniedException" else error.status
    namespace = NAMESPACES.get(service)
    begin, detail = (f'<ErrorResponse xmlns="{namespace}">', "<Detail/>") if namespace else ("<ErrorResponse>", "")
    body = (
        f"{begin}<Error><Type>{error.fault}</Type><Code>{text_of(error.query_code or code)}</Code>"
        f"<Message>{text_of(error.message)}</Message>{detail}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return status, _headers(request_id), body.encode("utf-8")


def _headers(request_id: str) -> list[tuple[str, str]]:
    return [("content-type", "text/xml"), ("x-amzn-requestid", request_id)]


def _plant(tree: Node, name: str, value: str) -> None:
    *path, leaf = name.split(".")
    node = tree
    for step in path:
        child = node.setdefault(step, {})
        if isinstance(child, str):
            raise unreadable(f"{name} is both a value and a structure")
        node = child
    if isinstance(node.get(leaf), dict):
        raise unreadable(f"{name} is both a value and a structure")
    node[leaf] = value


def _value(shape: Shape, node: Node | str) -> Any:
    match shape.type_name:
        case "structure":
            return _structure(cast("StructureShape", shape), _branch(node))
        case "list":
            return _list(cast("ListShape", shape), node)
        case "map":
            return _map(cast("MapShape", shape), _branch(node))
        case _:
            if not isinstance(node, str):
                raise unreadable(f"a {shape.type_name} is expected where the form has {', '.join(node)}")
            return parse_scalar(shape, node, "iso8601")


def _branch(node: Node | str) -> Node:
    """A structure's fields; the empty text stands for an empty list."""
    if isinstance(node, dict):
        return node
    if node:
        raise unreadable(f"{node!r} stands where a structure or list is expected")
    return {}


def _structure(shape: StructureShape, node: Node) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field, member in _fields(shape):
        found = node.get(field)
        if found is not None:
            values[name] = _value(member, found)
    return values


@cache
def _fields(shape: StructureShape) -> tuple[tuple[str, str, Shape], ...]:
    """A structure's members: AWS's names, the form's names, the shapes."""
    return tuple((name, _member_name(name, member), member) for name, member in shape.members.items())


def _member_name(name: str, shape: Shape) -> str:
    """The field of a member; a flattened list goes by the name of its elements."""
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        return str(cast("ListShape", shape).member.serialization.get("name", shape.serialization.get("name", name)))
    return str(shape.serialization.get("name", name))


def _list(shape: ListShape, node: Node | str) -> list[Any]:
    """The elements of a list; a flat one of a single element may be written without its number."""
    if shape.serialization.get("flattened"):
        if isinstance(node, str) and node:
            return [_value(shape.member, node)]
        elements = _branch(node)
    else:
        elements = _branch(_branch(node).get(shape.member.serialization.get("name", "member"), {}))
    return [_value(shape.member, element) for element in _in_order(elements)]


def _map(shape: MapShape, node: Node) -> dict[str, Any]:
    if not shape.serialization.get("flattened"):
        node = _branch(node.get("entry", {}))
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    values: dict[str, Any] = {}
    for entry in map(_branch, _in_order(node)):
        if key_name not in entry or value_name not in entry:
            raise unreadable("an entry of a map has no key or no value")
        values[_value(shape.key, entry[key_name])] = _value(shape.value, entry[value_name])
    return values


def _in_order(node: Node) -> list[Node | str]:
    """The elements under their numbers, which need not be without gaps."""
    if not all(map(_NUMBER.fullmatch, node)):
        raise unreadable(f"the elements of a list are numbered, not named {', '.join(node)}")
    return [node[number] for number in sorted(node, key=int)]

"""XML bodies of requests, read after their shapes in AWS's models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree

from treadle_local.aws.errors import AwsError
from treadle_local.aws.wire import parse_scalar, unreadable

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StructureShape


def parse_document(shape: Shape, body: bytes) -> Any:
    """The value of an XML document.

    Raises: AwsError: MalformedXML, SerializationException for a value that is not of its type.
    """
    try:
        # The caller is a program of this machine's user, and expat bounds what entities may grow to.
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError as error:
        message = "The XML you provided was not well-formed or did not validate against our published schema"
        raise AwsError("MalformedXML", message) from error
    return _value(shape, root)


def _value(shape: Shape, element: ElementTree.Element) -> Any:
    match shape.type_name:
        case "structure":
            return _structure(cast("StructureShape", shape), element)
        case "list":
            item = cast("ListShape", shape).member
            return [_value(item, child) for child in element]
        case "map":
            return dict(_entry(cast("MapShape", shape), child) for child in element)
        case _:
            return parse_scalar(shape, element.text or "", "iso8601")


def _structure(shape: StructureShape, element: ElementTree.Element) -> dict[str, Any]:
    children: dict[str, list[ElementTree.Element]] = {}
    for child in element:
        children.setdefault(_name(child), []).append(child)
    values: dict[str, Any] = {}
    for name, member in shape.members.items():
        if member.serialization.get("xmlAttribute"):
            continue
        flattened = member.type_name == "list" and member.serialization.get("flattened")
        found = children.get(member.serialization.get("name", name))
        if found is None:
            continue
        values[name] = _flat_list(cast("ListShape", member), found) if flattened else _value(member, found[0])
    return values


def _flat_list(shape: ListShape, elements: list[ElementTree.Element]) -> list[Any]:
    return [_value(shape.member, element) for element in elements]


def _entry(shape: MapShape, element: ElementTree.Element) -> tuple[Any, Any]:
    named = {_name(child): child for child in element}
    key = named.get(shape.key.serialization.get("name", "key"))
    value = named.get(shape.value.serialization.get("name", "value"))
    if key is None or value is None:
        raise unreadable("an entry of a map has no key or no value")
    return _value(shape.key, key), _value(shape.value, value)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]

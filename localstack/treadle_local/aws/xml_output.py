"""Values written as XML after their shapes in AWS's models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from xml.sax.saxutils import escape

from treadle_local.aws.wire import render_scalar

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StructureShape

# Characters that no XML 1.0 document may hold, not even as a reference.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text_of(text: str) -> str:
    """A text as it stands between two tags; a carriage return is kept, what XML cannot hold becomes U+FFFD."""
    return escape(_NO_XML.sub("\ufffd", text), {"\r": "&#xD;"})


def members_of(shape: StructureShape, value: Mapping[str, Any]) -> str:
    """The elements of a structure's members, in the value's order; None is absent."""
    pieces: list[str] = []
    for name, member in value.items():
        if member is not None:
            member_shape = shape.members[name]
            _write(member_shape.serialization.get("name", name), member_shape, member, pieces)
    return "".join(pieces)


def _write(name: str, shape: Shape, value: Any, pieces: list[str]) -> None:
    match shape.type_name:
        case "structure":
            pieces.append(f"<{name}>{members_of(cast('StructureShape', shape), value)}</{name}>")
        case "list":
            _write_list(name, cast("ListShape", shape), value, pieces)
        case "map":
            _write_map(name, cast("MapShape", shape), value, pieces)
        case _:
            pieces.append(f"<{name}>{text_of(render_scalar(shape, value, 'iso8601'))}</{name}>")


def _write_list(name: str, shape: ListShape, values: list[Any], pieces: list[str]) -> None:
    flattened = shape.serialization.get("flattened", False)
    item_name = shape.member.serialization.get("name", name if flattened else "member")
    if not flattened:
        pieces.append(f"<{name}>")
    for value in values:
        _write(item_name, shape.member, value, pieces)
    if not flattened:
        pieces.append(f"</{name}>")


def _write_map(name: str, shape: MapShape, values: Mapping[str, Any], pieces: list[str]) -> None:
    flattened = shape.serialization.get("flattened", False)
    entry = name if flattened else "entry"
    if not flattened:
        pieces.append(f"<{name}>")
    for key, value in values.items():
        pieces.append(f"<{entry}>")
        _write(shape.key.serialization.get("name", "key"), shape.key, key, pieces)
        _write(shape.value.serialization.get("name", "value"), shape.value, value, pieces)
        pieces.append(f"</{entry}>")
    if not flattened:
        pieces.append(f"</{name}>")

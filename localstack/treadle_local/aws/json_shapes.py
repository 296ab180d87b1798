"""JSON bodies of REST services, to and from the values of AWS's models: names, moments and bytes differ."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from treadle_local.aws.json_types import checked_scalar, refusal_of
from treadle_local.aws.wire import is_sequence, parse_timestamp, render_scalar, render_timestamp, unreadable

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StructureShape

_TIMESTAMP_FORMAT = "unixTimestamp"


def from_json(shape: Shape, value: Any) -> Any:
    """The value that a JSON value stands for; what the shape does not have is left out.

    Raises: AwsError SerializationException.
    """
    match shape.type_name, value:
        case _, None:
            return None
        case "structure", dict():
            document = cast("Mapping[str, Any]", value)
            members = cast("StructureShape", shape).members
            names = {name: member.serialization.get("name", name) for name, member in members.items()}
            found = ((name, document.get(names[name])) for name in members)
            return {name: from_json(members[name], part) for name, part in found if part is not None}
        case "list", _ if is_sequence(value):
            element = cast("ListShape", shape).member
            return [from_json(element, part) for part in value if part is not None]
        case "map", dict():
            part_shape = cast("MapShape", shape).value
            entries = cast("Mapping[str, Any]", value)
            return {key: from_json(part_shape, part) for key, part in entries.items() if part is not None}
        case (("structure" | "list" | "map"), _):
            raise refusal_of(shape, value)
        case "timestamp", _:
            return _moment(shape, value)
        case "blob", str():
            return _decoded(value)
        case _:
            return checked_scalar(shape, value)


def to_json(shape: Shape, value: Any) -> Any:
    """The JSON value that stands for a value."""
    match shape.type_name:
        case "structure":
            members = cast("StructureShape", shape).members
            return {
                members[name].serialization.get("name", name): to_json(members[name], part)
                for name, part in value.items()
                if part is not None
            }
        case "list":
            element = cast("ListShape", shape).member
            return [to_json(element, part) for part in value]
        case "map":
            part_shape = cast("MapShape", shape).value
            return {key: to_json(part_shape, part) for key, part in value.items()}
        case "timestamp":
            return render_timestamp(value, shape.serialization.get("timestampFormat", _TIMESTAMP_FORMAT))
        case "blob":
            return render_scalar(shape, value, _TIMESTAMP_FORMAT)
        case _:
            return value


def _moment(shape: Shape, value: Any) -> Any:
    if isinstance(value, bool):
        raise refusal_of(shape, value)
    try:
        return parse_timestamp(value, shape.serialization.get("timestampFormat", _TIMESTAMP_FORMAT))
    except (OSError, OverflowError, TypeError, ValueError):
        raise refusal_of(shape, value) from None


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise unreadable(f"{value!r} is not base64") from error

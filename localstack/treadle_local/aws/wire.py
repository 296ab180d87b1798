"""What all wire protocols share: the parsed request, the rendered answer, and the scalars' written forms."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service_models import Protocol
from treadle_local.http.messages import Headers
from treadle_local.ids import new_uuid

if TYPE_CHECKING:
    from botocore.model import Shape

_INTEGER = re.compile(r"[-+]?[0-9]{1,30}")
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]{1,9})?|[-+]?[0-9]+\.")
NOT_FINITE = ("NaN", "Infinity", "-Infinity")
"""What clients write for the numbers that have no digits."""
_NOT_FINITE_TO_PYTHON = ("nan", "inf", "-inf")
_LARGEST = {"integer": 2**31 - 1, "long": 2**63 - 1}
# Status, headers, body.
Wire = tuple[int, Headers, bytes]


class Operation(NamedTuple):
    """What a request asks for: botocore's names of the service and the operation, and the parameters by AWS's names.

    Parameters of the JSON protocols are as they stand on the wire (blobs in base64, times as numbers), those of the
    others have the types of AWS's model (bytes, datetime).
    """

    service: str
    name: str
    params: Mapping[str, Any]
    protocol: Protocol


def new_request_id() -> str:
    """An id as every answer of AWS bears one."""
    return new_uuid()


def unreadable(reason: object) -> AwsError:
    """The refusal of a request that is not written as its protocol demands."""
    return AwsError("SerializationException", f"The request cannot be read: {reason}.")


def is_document(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a decoded value is an object with named members."""
    return isinstance(value, dict)


def is_sequence(value: Any) -> TypeGuard[list[Any]]:
    """Whether a decoded value is an array."""
    return isinstance(value, list)


def parse_scalar(shape: Shape, text: str, timestamp_format: str) -> Any:
    """The value that a text stands for, in the type of its shape.

    Raises: AwsError SerializationException.
    """
    try:
        return _parse_scalar(shape, text, timestamp_format)
    except (OSError, OverflowError, ValueError) as error:
        raise unreadable(f"{text!r} is no {shape.type_name}") from error


def _parse_scalar(shape: Shape, text: str, timestamp_format: str) -> Any:
    match shape.type_name:
        case "integer" | "long":
            return parse_integer(text, _LARGEST[shape.type_name])
        case "float" | "double":
            return parse_number(text)
        case "boolean":
            return parse_boolean(text)
        case "timestamp":
            return parse_timestamp(text, shape.serialization.get("timestampFormat", timestamp_format))
        case "blob":
            return base64.b64decode(text, validate=True)
        case _:
            return text


def render_scalar(shape: Shape, value: Any, timestamp_format: str) -> str:
    """The text that stands for a value."""
    match shape.type_name:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return str(render_timestamp(value, shape.serialization.get("timestampFormat", timestamp_format)))
        case "blob":
            return base64.b64encode(value if isinstance(value, bytes) else str(value).encode()).decode("ascii")
        case _:
            return str(value)


def parse_integer(text: str, largest: int) -> int:
    """A whole number in ASCII digits, of which Python's own reader would take more."""
    value = int(text) if _INTEGER.fullmatch(text) else None
    if value is None or not -largest - 1 <= value <= largest:
        raise ValueError(f"{text} is no whole number up to {largest}")
    return value


def parse_number(text: str) -> float:
    """A number as AWS writes it."""
    if text in NOT_FINITE or text in _NOT_FINITE_TO_PYTHON:
        return float(text)
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def parse_boolean(text: str) -> bool:
    """True or false, as AWS writes them."""
    if text not in {"true", "false"}:
        raise ValueError(f"{text} is neither true nor false")
    return text == "true"


def parse_timestamp(value: str | float, timestamp_format: str) -> datetime:
    """The moment that is written in one of AWS's three formats."""
    return _TIMESTAMP_PARSERS[timestamp_format](value)


def render_timestamp(value: datetime | float, timestamp_format: str) -> str | float:
    """A moment (or its seconds since 1970) in one of AWS's three formats; a number for `unixTimestamp`."""
    moment = value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    match timestamp_format:
        case "iso8601":
            return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
        case "rfc822":
            return format_datetime(moment, usegmt=True)
        case _:
            seconds = moment.timestamp()
            return int(seconds) if seconds.is_integer() else seconds


def _parse_iso8601(value: str | float) -> datetime:
    moment = datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_TIMESTAMP_PARSERS: Mapping[str, Callable[[str | float], datetime]] = {
    "iso8601": _parse_iso8601,
    "rfc822": lambda value: parsedate_to_datetime(str(value)),
    "unixTimestamp": lambda value: datetime.fromtimestamp(float(value), UTC),
}

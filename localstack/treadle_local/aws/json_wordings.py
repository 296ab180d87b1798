"""What AWS says of a value whose JSON type is not its member's. It tells the two types, never the member.

DynamoDB has words of its own; those of the other services were seen with Athena, Lambda, Logs and SQS.
Source: the tests that others have run against AWS, as https://github.com/architect/dynalite (test/helpers.js)
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from botocore.model import MapShape, Shape

# From the member's shape, the value and whether it stands in a list or map, to the words.
Wording = Callable[["Shape", Any, bool], str]

_STRUCTURE = "Start of structure or map found where not expected"
_MODEL = "com.amazonaws.dynamodb.v20120810."
_NAMES = {
    "string": "String",
    "integer": "Integer",
    "long": "Long",
    "float": "Float",
    "double": "Double",
    "boolean": "Boolean",
    "blob": "Blob",
}


def common_wording(shape: Shape, value: Any, is_element: bool) -> str:
    """What most services say."""
    match shape.type_name, value:
        case _, list():
            return "Start of list found where not expected"
        case (("structure" | "map"), _):
            return "Expected null"
        case _, dict():
            return f"{_STRUCTURE}."
        case "list", _:
            return "Expected list or null"
        case "timestamp", _:
            return f"{_token(value, 'NUMBER_VALUE')} can not be converted to milliseconds since epoch"
        case kind, _:
            name = _NAMES.get(kind, "String")
            article = "an" if name == "Integer" else "a"
            return f"{_token(value, 'NUMBER_VALUE')} can not be converted to {article} {name}"


def dynamodb_wording(shape: Shape, value: Any, is_element: bool) -> str:
    """What DynamoDB and its streams say."""
    match shape.type_name, value:
        case _, list():
            return f"Unrecognized collection type {_java_type(shape)}"
        case _, dict():
            return _STRUCTURE
        case (("structure" | "map" | "list"), _):
            is_value = is_element and shape.type_name == "structure"
            return "Unexpected value type in payload" if is_value else "Unexpected field type"
        case "blob", _:
            return "only base-64-encoded strings are convertible to bytes"
        case "boolean", str():
            return "Unexpected token received from parser"
        case kind, _:
            return f"{_token(value, 'DECIMAL_VALUE')} cannot be converted to {_NAMES.get(kind, 'Date')}"


def _java_type(shape: Shape) -> str:
    match shape.type_name:
        case "map":
            return f"java.util.Map<java.lang.String, {_java_type(cast('MapShape', shape).value)}>".replace("class ", "")
        case "structure":
            return f"class {_MODEL}{shape.name}"
        case "timestamp":
            return "class java.util.Date"
        case "blob":
            return "class java.nio.ByteBuffer"
        case kind:
            return f"class java.lang.{_NAMES.get(kind, 'String')}"


def _token(value: Any, fraction: str) -> str:
    match value:
        case bool():
            return "TRUE_VALUE" if value else "FALSE_VALUE"
        case int():
            return "NUMBER_VALUE"
        case float():
            return fraction
        case bytes() | datetime():
            return "EMBEDDED_OBJECT"
        case _:
            return "STRING_VALUE"

"""Attribute values as they travel, `{"S": "x"}`: checked, brought to one form, measured and compared.

A checked value is never changed in place, so that stored items, index entries and answers may share it. Numbers are
canonical and sets are sorted, so that two values are equal when their dicts are. Binary values are base64 text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal
from sys import intern
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid, invalid_parameter, malformed
from treadle_local.dynamodb.numbers import canonical_number, number_size

Value = dict[str, Any]
Item = dict[str, Value]

# The deepest nesting of lists and maps, and the largest item in bytes.
# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAXIMUM_DEPTH = 32
MAXIMUM_ITEM_BYTES = 400 * 1024
# Source: .../HowItWorks.NamingRulesDataTypes.html#HowItWorks.NamingRules
MAXIMUM_NAME_BYTES = 65535

# Shared by all items that have them.
_TRUE: Value = {"BOOL": True}
_FALSE: Value = {"BOOL": False}
_NULL: Value = {"NULL": True}

# In the order in which AWS lists them.
TYPES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")
SET_TYPES = frozenset(("SS", "NS", "BS"))
ORDERED_TYPES = frozenset(("S", "N", "B"))


def checked_item(raw: object) -> Item:
    """The item with every value checked and canonical.

    Raises: ValidationException, SerializationException.
    """
    item = _checked_members(_mapping(raw), 0)
    if "" in item:
        raise invalid_parameter("An attribute name may not be empty")
    return item


def checked(raw: Any, depth: int = 0) -> Value:
    """The value, canonical.

    Raises: ValidationException, SerializationException.
    """
    value: Value = raw
    if type(value) is not dict or len(value) != 1:
        raise _not_one_type(value)
    for kind, content in value.items():  # one pass: the cheapest way to the only member
        match kind:
            case "S":
                return value if type(content) is str else {"S": _text(content)}
            case "N":
                number = canonical_number(_text(content))
                return value if number is content else {"N": number}
            case "M":
                if depth >= MAXIMUM_DEPTH:
                    raise _too_deep()
                return {"M": _checked_members(_mapping(content), depth + 1)}
            case "L":
                if depth >= MAXIMUM_DEPTH:
                    raise _too_deep()
                return {"L": [checked(member, depth + 1) for member in _list(content)]}
            case _:
                return _checked_other(kind, content)
    raise _not_one_type(raw)


def _checked_members(members: dict[str, Any], depth: int) -> dict[str, Value]:
    """The members with their values checked; items share their names."""
    found: dict[str, Value] = {}
    for name, value in members.items():
        # no character takes more than four bytes
        if len(name) * 4 > MAXIMUM_NAME_BYTES and _utf8_length(name) > MAXIMUM_NAME_BYTES:
            raise invalid_parameter(f"Attribute name is too large, must be less than {MAXIMUM_NAME_BYTES + 1} bytes")
        found[intern(name)] = checked(value, depth)
    return found


def _checked_other(kind: str, content: Any) -> Value:
    match kind:
        case "BOOL":
            if not isinstance(content, bool):
                raise malformed("Unexpected token received from parser")
            return _TRUE if content else _FALSE
        case "NULL":
            if content is not True:
                raise invalid_parameter("Null attribute value types must have the value of true")
            return _NULL
        case "B":
            return {"B": _canonical_binary(content)}
        case "SS" | "NS" | "BS":
            return {kind: _checked_set(kind, _list(content))}
        case _:
            raise _not_one_type({})


def _not_one_type(raw: Any) -> AwsError:
    problem = "has more than one datatypes set" if _mapping(raw) else "is empty"
    return invalid(f"Supplied AttributeValue {problem}, must contain exactly one of the supported datatypes")


def check_depth(value: Value, outer: int) -> None:
    """Passes when the value, inside that many lists and maps, is not nested too deeply.

    Raises: ValidationException.
    """
    members = value.get("M")
    inner: list[Value] | None = list(members.values()) if members is not None else value.get("L")
    if inner is None:
        return
    if outer >= MAXIMUM_DEPTH:
        raise _too_deep()
    for member in inner:
        check_depth(member, outer + 1)


def type_of(value: Value) -> str:
    """The name of the value's type, as `S`."""
    return next(iter(value))


def comparable(value: Value) -> str | Decimal | bytes:
    """What orders a string, number or binary among its kind: code points (as UTF-8 does), magnitude, bytes."""
    ((kind, content),) = value.items()
    if kind == "S":
        text: str = content
        return text
    return Decimal(content) if kind == "N" else base64.b64decode(content)


def binary_text(content: bytes) -> str:
    """Binary content as it travels."""
    return base64.b64encode(content).decode("ascii")


def canonical_set(kind: str, members: set[str]) -> Value:
    """The set of these canonical members, in the order in which sets are kept."""
    return {kind: sorted(members, key=_set_order(kind))}


def item_size(item: Mapping[str, Value]) -> int:
    """Bytes that the item takes as DynamoDB counts: names and values, in UTF-8.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    size = 0
    for name, value in item.items():
        size += (len(name) if name.isascii() else _utf8_length(name)) + value_size(value)
    return size


def value_size(value: Value) -> int:
    """Bytes that the value takes without its name; a list or map has 3 bytes of its own and 1 for each member."""
    for kind, content in value.items():  # one pass, as in `checked`
        match kind:
            case "S":
                return len(content) if content.isascii() else _utf8_length(content)
            case "N":
                return number_size(content)
            case "M":
                return 3 + len(content) + item_size(content)
            case "L":
                return 3 + len(content) + sum([value_size(member) for member in content])
            case "BOOL" | "NULL":
                return 1
            case "B":
                return binary_length(content)
            case "SS":
                return sum(map(_utf8_length, content))
            case "NS":
                return sum(map(number_size, content))
            case _:
                return sum(map(binary_length, content))
    return 0


def binary_length(content: str) -> int:
    """Bytes that canonical base64 text stands for."""
    return len(content) // 4 * 3 - content.count("=", -2)


def _too_deep() -> AwsError:
    return invalid(
        "Nesting Levels have exceeded supported limits: "
        "Attributes in the item have nested levels beyond supported limit"
    )


def _utf8_length(text: str) -> int:
    # A lone surrogate is valid JSON; it is measured, not refused.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, bool):
        raise malformed(f"{str(content).upper()}_VALUE cannot be converted to String")
    shown = "NUMBER_VALUE" if isinstance(content, int | float) else "Unexpected value"
    raise malformed(f"{shown} cannot be converted to String")


def _mapping(content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise malformed("Unexpected value type in payload")
    return cast("dict[str, Any]", content)


def _list(content: object) -> list[Any]:
    if not isinstance(content, list):
        raise malformed("Unexpected value type in payload")
    return cast("list[Value]", content)


def _canonical_binary(content: object) -> str:
    text = _text(content)
    try:
        return binary_text(base64.b64decode(text, validate=True))
    except ValueError:
        raise malformed(f"'{text}' can not be converted to a Blob: Invalid Base64") from None


def _checked_set(kind: str, raw: list[Any]) -> list[str]:
    if not raw:
        raise invalid_parameter(
            "Binary sets should not be empty"
            if kind == "BS"
            else f"An {'string' if kind == 'SS' else 'number'} set  may not be empty"
        )
    members: list[str] = []
    for content in raw:
        match kind:
            case "SS":
                members.append(_text(content))
            case "NS":
                members.append(canonical_number(_text(content)))
            case _:
                members.append(_canonical_binary(content))
    if len(set(members)) != len(members):
        shown = f"[{', '.join(members)}]"
        match kind:
            case "SS":
                raise invalid_parameter(f"Input collection {shown} contains duplicates.")
            case "NS":
                raise invalid("Input collection contains duplicates")
            case _:
                raise invalid_parameter(f"Input collection {shown}of type BS contains duplicates.")
    return sorted(members, key=_set_order(kind))


def _set_order(kind: str) -> Any:
    match kind:
        case "SS":
            return None
        case "NS":
            return Decimal
        case _:
            return base64.b64decode

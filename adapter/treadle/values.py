"""JSON values as DynamoDB's native attribute values, and back.

`1` and `1.0` are one number; whole numbers keep 38 digits. Native types: update expressions can then work on parts.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

from math import isfinite

from treadle.errors import InvalidValue
from treadle.json_values import is_decimal, json_key, simplified

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.shapes import AttributeValue, Json

ITEM_BYTES_LIMIT = 409_600
"""Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""
_DIGITS_LIMIT = 38
_DEPTH_LIMIT = 32
_LARGEST_EXPONENT = 125
_SMALLEST_EXPONENT = -130
_BITS_OF_LARGEST = 419


def encode(value: object, root: str = "value") -> AttributeValue:
    """`value` as an attribute value; tuples are lists, models and dates are what they are in JSON bodies.

    Raises: InvalidValue, which names the path (`value.items[3] is nan, which no table can store`).
    """
    try:
        return _encode(value, 0)
    except InvalidValue as error:
        raise error.within(root) from None


def decode(attribute: AttributeValue) -> Json:
    """The JSON value in an attribute value. Binary and set types are nothing that `encode` makes, and are refused."""
    ((kind, value),) = attribute.items()
    if kind == "S" or kind == "BOOL":
        return value  # type: ignore[no-any-return]
    if kind == "N":
        return _number(value)
    if kind == "M":
        return {key: decode(item) for key, item in value.items()}
    if kind == "L":
        return [decode(item) for item in value]
    if kind == "NULL":
        return None
    raise InvalidValue(f"has the DynamoDB type {kind}, which is no JSON value")


def value_bytes(attribute: AttributeValue) -> int:
    """Size of an attribute's value as DynamoDB counts it.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    ((kind, value),) = attribute.items()
    if kind == "S":
        return _text_bytes(value)
    if kind == "N":
        digits = value.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
        return (len(digits) + 1) // 2 + (2 if value.startswith("-") else 1)
    if kind == "M":
        return 3 + sum([1 + _text_bytes(key) + value_bytes(item) for key, item in value.items()])
    if kind == "L":
        return 3 + sum([1 + value_bytes(item) for item in value])
    return 1


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _encode(value: Any, depth: int) -> AttributeValue:
    kind = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is str:
        return {"S": value}
    if kind is bool:
        return {"BOOL": value}
    if kind is int:
        return {"N": _whole(value)}
    if value is None:
        return {"NULL": True}
    if kind is float:
        return {"N": _floating(value)}
    if kind is dict:
        return {"M": _encode_fields(value, _deeper(depth))}
    if kind is list:
        return {"L": [_encode_part(item, f"[{index}]", _deeper(depth)) for index, item in enumerate(value)]}
    if is_decimal(value):
        return {"N": _decimal(value)}
    return _encode(simplified(value), depth)


def _encode_fields(value: dict[object, object], depth: int) -> dict[str, AttributeValue]:
    fields: dict[str, AttributeValue] = {}
    for key, item in value.items():
        fields[json_key(key)] = _encode_part(item, f".{key}", depth)
    return fields


def _encode_part(value: object, part: str, depth: int) -> AttributeValue:
    try:
        return _encode(value, depth)
    except InvalidValue as error:
        raise error.within(part) from None


def _deeper(depth: int) -> int:
    if depth >= _DEPTH_LIMIT:
        raise InvalidValue(f"is nested deeper than {_DEPTH_LIMIT} levels, or contains itself")
    return depth + 1


def _whole(value: int) -> str:
    if value.bit_length() > _BITS_OF_LARGEST:
        raise InvalidValue(f"is a whole number of about 10^{int(value.bit_length() * 0.30103)}, too large to store")
    text = str(value)
    if len(text) > _DIGITS_LIMIT:
        _check_digits(text.lstrip("-").rstrip("0"))
    return text


def _floating(value: float) -> str:
    if not isfinite(value):
        raise InvalidValue(f"is {value}, which no table can store")
    text = repr(value)
    if value and not 1e-130 <= abs(value) < 1e126:
        raise InvalidValue(f"is {text}; numbers reach from 1e-130 to 9.9e125")
    return text


def _decimal(value: Any) -> str:
    if not value.is_finite():
        raise InvalidValue(f"is {value}, which no table can store")
    if value and not _SMALLEST_EXPONENT <= value.adjusted() <= _LARGEST_EXPONENT:
        raise InvalidValue(f"is {value}; numbers reach from 1e-130 to 9.9e125")
    _check_digits("".join(map(str, value.as_tuple().digits)).strip("0"))
    return str(value)


def _check_digits(digits: str) -> None:
    if len(digits) > _DIGITS_LIMIT:
        raise InvalidValue(f"is a number of {len(digits)} digits; a table stores {_DIGITS_LIMIT}")


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if number.is_integer():
        from decimal import Decimal

        exact = Decimal(text)
        if exact == exact.to_integral_value():
            return int(exact)
    return number

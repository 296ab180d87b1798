"""DynamoDB's numbers: decimal text with up to 38 significant digits, kept in the one form in which DynamoDB answers it.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, DecimalException

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid

MAXIMUM_DIGITS = 38
LARGEST_EXPONENT = 125
SMALLEST_EXPONENT = -130

_CANONICAL_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]{0,37})", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?)[0-9]+)?", re.ASCII)

# Wide enough that no sum of two storable numbers is rounded.
_EXACT = Context(prec=LARGEST_EXPONENT - SMALLEST_EXPONENT + MAXIMUM_DIGITS + 2)


def canonical_number(text: str) -> str:
    """The number as DynamoDB answers it: no exponent, no plus sign, no zeros at either end (`1.50` is `1.5`).

    Raises: ValidationException when it is no number, or has more digits or a magnitude than DynamoDB stores.
    """
    if _CANONICAL_INTEGER.fullmatch(text):
        return text
    match = _NUMBER.fullmatch(text)
    if match is None:
        shown = f": {text}" if text else ""
        raise invalid(f"The parameter cannot be converted to a numeric value{shown}")
    try:
        number = Decimal(text)
    except DecimalException:
        # The exponent is beyond what Python's decimals hold, so far beyond DynamoDB's.
        raise (_underflow() if match[1] == "-" else _overflow()) from None
    return number_text(number)


def number_text(number: Decimal) -> str:
    """The number in DynamoDB's form.

    Raises: ValidationException when it has more digits or a magnitude than DynamoDB stores.
    """
    if not number:
        return "0"
    magnitude = number.adjusted()
    if magnitude > LARGEST_EXPONENT:
        raise _overflow()
    if magnitude < SMALLEST_EXPONENT:
        raise _underflow()
    digits = number.as_tuple().digits
    if len(digits) > MAXIMUM_DIGITS and any(digits[MAXIMUM_DIGITS:]):
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def add(left: str, right: str) -> str:
    """The exact sum of two canonical numbers."""
    return number_text(_EXACT.add(Decimal(left), Decimal(right)))


def subtract(left: str, right: str) -> str:
    """The exact difference of two canonical numbers."""
    return number_text(_EXACT.subtract(Decimal(left), Decimal(right)))


def number_size(text: str) -> int:
    """Bytes that a canonical number takes: one per two significant digits, one more, and one for a minus sign.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    digits = text.strip("-0")
    if "." in digits:
        digits = digits.replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def _overflow() -> AwsError:
    return invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")


def _underflow() -> AwsError:
    return invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")

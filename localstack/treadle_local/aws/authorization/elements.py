"""The JSON values of a policy document, checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard, cast

from treadle_local.aws.errors import AwsError

SYNTAX = "Syntax errors in policy."


def malformed(message: str) -> AwsError:
    """The refusal of a policy document."""
    return AwsError("MalformedPolicyDocument", message)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, which must be a JSON object."""
    if not isinstance(value, Mapping):
        raise malformed(SYNTAX)
    return cast("Mapping[str, Any]", value)


def listed(value: Any) -> list[Any]:
    """The value's elements; a single one may stand without its list."""
    return value if _is_list(value) else [value]


def texts(value: Any) -> list[str]:
    """The value's elements, which must be strings."""
    elements = listed(value)
    if not all(isinstance(element, str) for element in elements):
        raise malformed(SYNTAX)
    return elements


def scalars(value: Any) -> list[str]:
    """The value's elements as texts; JSON's own booleans and numbers are taken as they are written."""
    elements = listed(value)
    if not elements or not all(isinstance(element, str | bool | int | float) for element in elements):
        raise malformed(SYNTAX)
    return [str(element).lower() if isinstance(element, bool) else str(element) for element in elements]


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)

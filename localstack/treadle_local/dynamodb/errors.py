"""DynamoDB's refusals, in AWS's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle_local.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    """The refusal of a request that breaks a rule of the service."""
    return AwsError("ValidationException", message)


def invalid_parameter(detail: str) -> AwsError:
    """The refusal of a parameter's value."""
    return invalid(f"One or more parameter values were invalid: {detail}")


def broken_constraint(value: object, member: str, constraint: str) -> AwsError:
    """The refusal of a member that breaks a constraint of the API model (`member` in AWS's lower camel case)."""
    shown = "null" if value is None else f"'{value}'"
    problem = f"Value {shown} at '{member}' failed to satisfy constraint: {constraint}"
    return invalid(f"1 validation error detected: {problem}")


def malformed(detail: str) -> AwsError:
    """The refusal of a body whose JSON types are not those of the API model."""
    return AwsError("SerializationException", detail)


def table_not_found(named: str = "") -> AwsError:
    """The answer on a table that is not there; only the table operations say which (`Table: things`)."""
    which = f": {named} not found" if named else ""
    return AwsError("ResourceNotFoundException", f"Requested resource not found{which}")


def condition_failed(item: Mapping[str, Any] | None = None) -> AwsError:
    """The refusal of a write whose condition does not hold; `item` is the stored one, if the caller asked to see it."""
    fields = {} if item is None else {"Item": item}
    return AwsError("ConditionalCheckFailedException", "The conditional request failed", fields=fields)
